"""The command `resultflow check`, as a user runs it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from resultflow.check.codes import CODES, page
from resultflow.cli import main

ROOT = Path(__file__).resolve().parent.parent
BAD = """\
from contextlib import contextmanager


@contextmanager
def hold(x):
    "äöü"; yield
    x.close()
"""
MESSAGE = (
    "an exception in the \"with\" block skips 'x.close()' in line 7: "
    'put this yield into "try" and that into "finally"'
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an old code base, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b/c.py", ".hidden/d.py", "venv/e.py", "b/__pycache__/f.py", "b/g.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(BAD, encoding="utf-8")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "fine.py").write_text("x = 1\n")
    return tmp_path


def test_findings_are_printed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding has its place, counted in characters; the exit status is 1."""
    assert main(["check", "."]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"a.py:6:12: error: {MESSAGE}  [unprotected-yield]",
        f"b/c.py:6:12: error: {MESSAGE}  [unprotected-yield]",
    ]
    assert main(["check", "fine.py", "--select", "unprotected-yield"]) == 0
    assert capsys.readouterr().out == ""


def test_a_file_that_is_named_is_read_whatever_its_name(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders are searched for Python; what is named is read, once."""
    assert main(["check", "b/g.txt", "./b/g.txt", ".hidden", "venv"]) == 1
    paths = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert paths == [".hidden/d.py", "b/g.txt", "venv/e.py"]


@pytest.mark.parametrize("glob", ["b/*", "c.py", "*/c.py", "b/c.py"])
def test_paths_can_be_left_out(tree: Path, glob: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--exclude` takes a glob for the path, or for its end."""
    assert main(["check", ".", "--exclude", glob]) == 1
    assert "c.py" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("comment", "status"),
    [
        ("# type: ignore[unprotected-yield]", 0),
        ("# type: ignore[misc, unprotected-yield]  # why", 0),
        ("# type: ignore", 0),
        ("# type: ignore[misc]", 1),
        ("# noqa", 1),
    ],
)
def test_a_line_can_be_silenced(tree: Path, comment: str, status: int) -> None:
    """`# type: ignore[code]` counts here as it does for mypy."""
    (tree / "a.py").write_text(BAD.replace("yield\n", f"yield  {comment}\n"), encoding="utf-8")
    assert main(["check", "a.py"]) == status


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_other_forms(tree: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format` chooses what other programs read."""
    assert main(["check", "a.py", "--format", form]) == 1
    out = capsys.readouterr().out
    assert out.startswith("::error file=a.py") if form == "github" else json.loads(out)


def test_a_baseline_lets_an_old_code_base_begin(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was there is not reported, what is new is, and what is gone is told."""
    assert main(["check", ".", "--write-baseline", "known.json"]) == 0
    assert main(["check", ".", "--baseline", "known.json"]) == 0
    assert capsys.readouterr() == ("", "")
    moved = f"# a line more\n{BAD}"
    (tree / "a.py").write_text(moved + BAD.replace("hold", "keep"), encoding="utf-8")
    (tree / "b" / "c.py").unlink()
    assert main(["check", ".", "--baseline", "known.json"]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert out.startswith("a.py:14:")
    assert "note: 1 of known.json no longer found" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "there is nothing to check"),
        (["check", "nowhere"], "'nowhere' is not there"),
        (["check", ".", "--select", "unused-result"], "'unused-result' is not for this command"),
        (["check", ".", "--baseline", "nowhere"], "nowhere: is no baseline"),
        (["check", "--explain", "x"], "there is no code 'x': the codes are dropped-result,"),
        (["check", "broken.py", "a.py"], "broken.py: cannot be read"),
        (["check", "broken.py", "--write-baseline", "x"], "broken.py: cannot be read"),
        (["check", ".", "--write-baseline", "b"], "b: cannot be written"),
        (["check", "binary.py"], "binary.py: cannot be read"),
    ],
)
def test_wrong_usage_exits_2(
    tree: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be done is said on stderr, and is no success."""
    (tree / "broken.py").write_text("contextmanager(\n")
    (tree / "binary.py").write_bytes(b"contextmanager\0")
    assert main(arguments) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_the_baseline_does_not_care_where_one_stands(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paths in it are relative to its folder, and what was not looked at is not gone."""
    assert main(["check", ".", "--write-baseline", "known.json"]) == 0
    assert main(["check", str(tree), "--baseline", str(tree / "known.json")]) == 0
    assert main(["check", "a.py", "--baseline", "known.json"]) == 0
    monkeypatch.chdir(tree / "b")
    assert main(["check", "..", "--baseline", "../known.json"]) == 0
    (tree / "a.py").write_text("contextmanager(")
    assert main(["check", "c.py", "../a.py", "--baseline", "../known.json"]) == 2
    assert "no longer found" not in capsys.readouterr().err


def test_a_file_that_is_too_deep_is_left_out(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Python cannot parse or walk is told, and the others are checked."""
    (tree / "long.py").write_text(BAD.replace("x.close()", f"x{'.a(1)' * 5000}"), encoding="utf-8")
    (tree / "deep.py").write_text(f"{BAD}y = {'-' * 200_000}1\n", encoding="utf-8")
    assert main(["check", "."]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert err.splitlines() == [
        f"resultflow check: error: {name}.py: cannot be read: it is nested too deeply"
        for name in ("deep", "long")
    ]


def test_a_folder_that_cannot_be_listed_is_told(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is left out is no success, and a path that cannot be is not there."""
    name = "d" * 200
    top = os.open(tree, os.O_RDONLY)
    below = [top]
    try:
        for _ in range(25):  # longer than a path may be
            os.mkdir(name, dir_fd=below[-1])
            below.append(os.open(name, os.O_RDONLY, dir_fd=below[-1]))
    finally:
        for one in below:
            os.close(one)
    assert main(["check", "."]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert "cannot be read: File name too long" in err
    assert main(["check", name * 10]) == 2
    assert "is not there" in capsys.readouterr().err


def test_the_locks_of_editors_are_no_files(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that begins with a dot is not searched."""
    (tree / ".#a.py").symlink_to("nobody@nowhere.1:2")
    assert main(["check", "."]) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("named", [".", "pipe.py"])
def test_a_pipe_is_no_file(tree: Path, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no regular file is told, and not waited for."""
    os.mkfifo(tree / "pipe.py")
    assert main(["check", named]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == (2 if named == "." else 0)
    assert err == ("resultflow check: error: pipe.py: cannot be read: it is no regular file\n")


def test_relative_imports_are_followed(tree: Path) -> None:
    """A decorator of the settings may be imported relative to the package that a file is in."""
    (tree / "b" / "own.py").write_text(
        BAD.replace("contextlib import contextmanager", ".tools import managed").replace(
            "contextmanager", "managed"
        ),
        encoding="utf-8",
    )
    assert main(["check", "b/own.py"]) == 0
    (tree / "pyproject.toml").write_text(
        "[tool.resultflow]\ncontext-managers = ['b.tools.managed']\n"
    )
    assert main(["check", "b/own.py"]) == 1


def test_columns_are_those_of_the_file(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Characters are counted in the encoding that the file has."""
    text = f"# coding: latin-1\n{BAD}"
    (tree / "latin.py").write_text(text, encoding="latin-1")
    assert main(["check", "latin.py"]) == 1
    assert capsys.readouterr().out.startswith("latin.py:7:12: ")


def test_what_python_warns_of_is_silent(tree: Path) -> None:
    """An escape that is none is no error here, even where warnings are."""
    (tree / "warns.py").write_text(BAD.replace("äöü", "\\d"), encoding="utf-8")
    assert main(["check", "warns.py"]) == 1


def run(*arguments: str, encoding: str = "utf-8", out: str) -> subprocess.CompletedProcess[str]:
    """Run the command with its output in a file."""
    with Path(out).open("wb") as file:
        return subprocess.run(
            [sys.executable, "-m", "resultflow.cli", "check", *arguments],
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )


def test_output_is_written_in_any_encoding(tree: Path) -> None:
    """What the encoding of stdout has not is written as its code."""
    (tree / "a.py").write_text(BAD.replace("x.close", "é.close"), encoding="utf-8")
    assert run("a.py", encoding="ascii", out="out.txt").returncode == 1
    assert "skips '\\xe9.close()'" in (tree / "out.txt").read_text(encoding="ascii")


def test_output_that_is_lost_is_no_success(tree: Path) -> None:
    """A full disk ends the command with 2, and one line says why."""
    for arguments in (["a.py"], ["fine.py", "--format", "json"], ["--explain", "unwrap"]):
        ran = run(*arguments, out="/dev/full")
        assert ran.returncode == 2
        (line,) = ran.stderr.splitlines()
        assert line.startswith("resultflow check: error: the output cannot be written: ")


def test_wrong_settings_exit_2(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in `[tool.resultflow]` is an error here too."""
    (tree / "pyproject.toml").write_text("[tool.resultflow]\nstrikt = true\n")
    assert main(["check", "."]) == 2
    assert "did you mean 'strict'?" in capsys.readouterr().err


def test_own_decorators_are_looked_for(tree: Path) -> None:
    """A file that has only a decorator of the settings is read as well."""
    (tree / "own.py").write_text(
        BAD.replace("contextlib", "own").replace("contextmanager", "held")
    )
    assert main(["check", "own.py"]) == 0
    (tree / "pyproject.toml").write_text("[tool.resultflow]\ncontext-managers = ['own.*']\n")
    assert main(["check", "own.py"]) == 1


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_code_is_explained(
    code: object, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """`--explain` prints the page of any code, those of the plugin included."""
    (found,) = (one for one in CODES if one is code)
    assert main(["check", "--explain", found.name]) == 0
    assert capsys.readouterr().out == page(found)


def test_the_command_is_installed(tree: Path, unmeasured: dict[str, str]) -> None:
    """`resultflow check` and `python -m resultflow.cli check` are the same, and need no mypy."""
    (entry,) = metadata.entry_points(group="console_scripts", name="resultflow")
    assert entry.load() is main
    code = (
        "import sys; from resultflow.cli import main\n"
        "main(['check', '.']); print('mypy' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=unmeasured
    )
    assert ran.stdout.splitlines()[-1] == "False"
    module = subprocess.run(
        [sys.executable, "-m", "resultflow.cli", "check", "."],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert module.returncode == 1


def test_the_hook_is_what_the_command_is() -> None:
    """The definition for pre-commit calls the command that the project installs."""
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"resultflow": "resultflow.cli:main"}
    assert "entry: resultflow check\n" in hooks


def test_a_million_lines_take_less_than_a_minute(
    tmp_path: Path, unmeasured: dict[str, str]
) -> None:
    """Files without a context manager are not parsed: a tenth takes less than six seconds."""
    plain = "".join(f"def f{n}(x: int) -> int:\n    return x + {n}\n" for n in range(5_000))
    for n in range(10):
        text = plain if n else plain + BAD
        (tmp_path / f"m{n}.py").write_text(text, encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, "-m", "resultflow.cli", "check", str(tmp_path)],
        stdout=subprocess.PIPE,
        check=False,
        env=unmeasured,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.stdout.count(b"\n") == 1
    assert after.ru_utime - before.ru_utime < 6
