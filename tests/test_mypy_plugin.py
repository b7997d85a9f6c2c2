"""The mypy plugin: the same verdict in every mode, honest silencing, and no harm to mypy."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mypy import build
from mypy.errors import CompileError
from mypy.modulefinder import BuildSource
from mypy.nodes import MypyFile
from mypy.options import Options
from tests.plugin import modes

from resultflow.check import codes, may_raise
from resultflow.mypy_plugin import NEWEST, OLDEST, ResultPlugin, plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy.build import BuildManager

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference" / "checks"
# `modes.py` runs them all; these differ most from each other.
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODES = ["cold", "edit", "-n 2", "old parser", "json cache warm"]
DROP = """\
from base import load


def drop() -> None:
    load()
"""


WARM = "warm"


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let mypy read the standard library once, for all the small projects."""
    folder = tmp_path_factory.getbasetemp() / WARM
    folder.mkdir()
    assert reported(project(folder, {})) == []


def project(folder: Path, files: Mapping[str, str], settings: str = modes.SETTINGS) -> Path:
    """Write a project that mypy can be run in, with the cases' base in it."""
    known = folder.parent / WARM / ".mypy_cache"
    if known.exists() and not (folder / known.name).exists():
        shutil.copytree(known, folder / known.name)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    (folder / modes.BASE).write_text((modes.HERE / modes.BASE).read_text(encoding="utf-8"))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def mypy(folder: Path, *flags: str, command: str = "mypy") -> subprocess.CompletedProcess[str]:
    """Run mypy in a project."""
    return subprocess.run(
        [sys.executable, "-m", command, *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def reported(folder: Path, *flags: str) -> list[tuple[str, int, str]]:
    """Give file, line and code of what mypy reports."""
    return sorted(modes.check(modes.Mode(flags), folder, is_measured=False)[0])


# The cases


@pytest.mark.parametrize("mode", MODES)
def test_every_case_has_its_verdict(mode: str, tmp_path: Path) -> None:
    """Mypy reports what the case files are marked with, and nothing else, in every mode."""
    found, said = modes.run(modes.MODES[mode], tmp_path, is_measured=mode == "cold")
    assert modes.wrong(found, modes.marks()) == set(), said


def test_there_are_enough_cases() -> None:
    """Each promise of the plugin is shown by cases, good and bad."""
    count = Counter(case.file for case in modes.cases())
    assert count["must_use.py"] >= 60
    assert count["matches.py"] >= 40
    assert count["catching.py"] >= 20
    assert count["silent.py"] >= 40
    marked = {code for _, _, code in modes.marks()}
    assert {code.name for code in codes.CODES} <= marked


@pytest.mark.parametrize("flags", [(), ("-n", "2")])
def test_an_edit_of_a_dependency_changes_the_verdict(tmp_path: Path, flags: tuple[str]) -> None:
    """A function that begins to return a Result is an error of its callers, until it stops."""
    caller = "from base import plain\n\n\ndef call() -> None:\n    plain()\n"
    project(tmp_path, {"caller.py": caller})
    base = tmp_path / modes.BASE
    before = base.read_text(encoding="utf-8")
    assert reported(tmp_path, *flags) == []
    after = before.replace(
        "def plain() -> int:\n    return 1", "def plain() -> Result[int, Lost]:\n    return Ok(1)"
    )
    assert after != before
    base.write_text(after, encoding="utf-8")
    assert reported(tmp_path, *flags) == [("caller.py", 5, "unused-result")]
    base.write_text(before, encoding="utf-8")
    assert reported(tmp_path, *flags) == []


FAR = {
    "caller.py": """\
from typing import assert_type
from base import Gone, Lost
from near import copy
from resultflow import Err, Ok, Result, safe

def call() -> Result[int, Gone]:
    return Ok(copy())

@safe
def safe_copy() -> int:
    return copy()

assert_type(safe_copy(), Ok[int] | Err[Lost])
""",
    "user.py": """\
from typing import assert_type
from base import Lost
from caller import safe_copy
from resultflow import Err, Ok

assert_type(safe_copy(), Ok[int] | Err[Lost])
""",
    "quiet.py": """\
from near import copy
from resultflow import safe

@safe
def quiet_copy() -> int:
    return copy()
""",
    "quieter.py": """\
from quiet import quiet_copy

reveal_type(quiet_copy())
""",
    "near.py": """\
from far import read

def copy() -> int:
    return read()
""",
    "far.py": """\
import base

def read() -> int:
    raise base.Lost
""",
}
CACHES = [(), ("-n", "2"), ("--no-fixed-format-cache",)]


@pytest.mark.parametrize("flags", CACHES, ids=" ".join)
def test_an_edit_of_a_body_far_away_changes_what_may_be_raised(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """What two modules away raises is seen by those who call, and by those who call them."""
    project(tmp_path, FAR)
    raises = [("caller.py", 6, "may-raise")]
    assert reported(tmp_path, *flags) == raises
    far = FAR["far.py"]
    project(tmp_path, {"far.py": far.replace("base.Lost", "base.Gone")})
    other = [("caller.py", 13, "assert-type"), ("user.py", 6, "assert-type")]
    assert reported(tmp_path, *flags) == sorted(raises + other)
    assert reported(tmp_path, *flags) == sorted(raises + other)
    project(tmp_path, {"far.py": far.replace("raise base.Lost", "return len(base.__name__)")})
    assert reported(tmp_path, *flags) == other


def test_a_body_far_away_counts_without_a_cache(tmp_path: Path) -> None:
    """Where mypy keeps nothing, nothing is kept beside it."""
    project(tmp_path, FAR)
    shutil.rmtree(tmp_path / ".mypy_cache")
    ran = mypy(tmp_path, "--no-incremental", ".")
    assert "caller.py:6: error: this returns a Result, and may raise" in ran.stdout
    assert not (tmp_path / ".mypy_cache" / "resultflow").exists()


NESTED = """\
class Outer:
    class Lost(Exception): ...

    def method(self) -> None: ...

value = 1
"""


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (("module.Outer.Lost", "builtins.Exception"), "module.Outer.Lost"),
        (("builtins.FileNotFoundError",), "builtins.FileNotFoundError"),
        (("other.Lost", "builtins.OSError", "builtins.Exception"), "builtins.OSError"),
        (("module.value", "module.Outer.method", "module.Outer.Gone"), "builtins.Exception"),
        (("module", "module.Gone.Lost", ""), "builtins.Exception"),
    ],
)
def test_an_error_of_what_is_not_imported_is_its_base(
    checked: BuildManager, kinds: tuple[str, ...], found: str
) -> None:
    """A type names only what its module imports, or the nearest base of it that this has."""
    assert may_raise.Known(checked, "module").nearest(kinds).type.fullname == found


@pytest.fixture(scope="module")
def checked() -> BuildManager:
    """Let mypy check a module."""
    options = Options()
    options.incremental = False
    return build.build([BuildSource(None, "module", NESTED)], options).manager


def test_the_engine_is_asked_only_when_something_changed(tmp_path: Path) -> None:
    """A warm run, and one after an edit of what nobody asks about, reads what was said before."""
    files = {**FAR, "other.py": "x = 1\n"}
    project(tmp_path, files)
    assert len(reported(tmp_path)) == 1
    code = "import sys; from mypy.main import main\nmain(args=['.'], clean_exit=True)"
    ending = "print('resultflow.check.raises' in sys.modules)"
    script = f"{code.replace('main(args', 'try: main(args')}\nexcept SystemExit: pass\n{ending}"

    def loads_it() -> bool:
        ran = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "caller.py:6: error: " in ran.stdout
        return ran.stdout.splitlines()[-1] == "True"

    assert not loads_it()
    with (tmp_path / "far.py").open("a", encoding="utf-8") as far:
        far.write("# a comment\n")
    assert loads_it()
    assert not loads_it()


def test_what_was_said_before_may_be_lost(tmp_path: Path) -> None:
    """A line that is torn, or a file that is gone or cannot be written, costs time alone."""
    project(tmp_path, FAR)
    raises = [("caller.py", 6, "may-raise")]
    assert reported(tmp_path) == raises
    (kept,) = (tmp_path / ".mypy_cache" / "resultflow").glob("*.jsonl")
    kept.write_text('{"\n["stamps"]\n[1,2]\n[]\n3\n')
    assert reported(tmp_path) == raises
    kept.write_bytes(b"\xff")
    assert reported(tmp_path) == raises
    kept.unlink()
    kept.mkdir()
    assert reported(tmp_path) == raises


def test_a_new_error_class_fails_those_who_match(tmp_path: Path) -> None:
    """A match that handled every error is an error when there is one more."""
    caller = (
        "from base import Lost\nfrom jobs import load\nfrom resultflow import Err, Ok\n\n"
        "def call() -> int:\n    match load():\n        case Ok(v):\n            return v\n"
        "        case Err(Lost()):\n            return 0\n"
    )
    jobs = (
        "from base import Gone, Lost\nfrom resultflow import Ok, Result\n\n"
        "def load() -> Result[int, Lost]:\n    return Ok(1)\n"
    )
    project(tmp_path, {"caller.py": caller, "jobs.py": jobs})
    assert reported(tmp_path) == []
    project(tmp_path, {"jobs.py": jobs.replace("Lost]:", "Lost | Gone]:")})
    assert reported(tmp_path) == [
        ("caller.py", 5, "return"),
        ("caller.py", 6, "exhaustive-match"),
        ("caller.py", 6, "unhandled-error"),
    ]


@pytest.mark.parametrize("flags", [(), ("--no-fixed-format-cache",)])
def test_a_warm_run_checks_nothing_again(tmp_path: Path, flags: tuple[str]) -> None:
    """Mypy takes every module from its cache when nothing has changed."""
    project(tmp_path, {"caller.py": DROP})
    assert len(reported(tmp_path, *flags)) == 1
    log = mypy(tmp_path, "-v", *flags, ".").stderr
    stale = re.findall(r"stale SCC|Processing SCC .*as (?:inherently )?stale", log)
    assert stale == []
    assert "Build finished" in log


# Silencing


IGNORED = {
    "load()": ["unused-result"],
    "load()  # type: ignore[unused-result]": [],
    "load()  # type: ignore[unused-result, misc]": ["unused-ignore"],
    "load()  # type: ignore[misc]": ["unused-ignore", "unused-result"],
    "load().err()  # type: ignore[unused-result]": ["silent-catch", "unused-ignore"],
    "(\n        load()  # type: ignore[unused-result]\n        .map(str)\n    )": [],
}


def test_an_ignore_counts_as_for_mypys_own_codes(tmp_path: Path) -> None:
    """`# type: ignore[code]` silences the code, and is an error where it silences nothing."""
    files = {
        f"case{n}.py": DROP.replace("load()\n", f"{line}\n") for n, line in enumerate(IGNORED)
    }
    found = reported(project(tmp_path, files))
    wanted = [
        (f"case{n}.py", 5, code) for n, codes_ in enumerate(IGNORED.values()) for code in codes_
    ]
    assert found == wanted


PLAIN = "[tool.mypy]\nplugins = ['resultflow.mypy_plugin']\n"


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ("disable_error_code = ['unused-result']", ()),
        ("", ("--disable-error-code", "unused-result")),
    ],
)
def test_a_code_can_be_disabled_everywhere(
    tmp_path: Path, settings: str, flags: tuple[str, ...]
) -> None:
    """The configuration and the command line disable our codes as they do mypy's."""
    project(tmp_path, {"caller.py": DROP}, PLAIN + settings)
    assert reported(tmp_path, *flags) == []


def test_a_code_can_be_disabled_in_a_module(tmp_path: Path) -> None:
    """Per-module options and comments at the top of a file count for our codes."""
    overrides = (
        "[[tool.mypy.overrides]]\nmodule='one'\ndisable_error_code='unused-result'\n"
        "[[tool.mypy.overrides]]\nmodule='two'\nignore_errors = true\n"
    )
    files = {
        "caller.py": DROP,
        "one.py": DROP,
        "two.py": DROP,
        "three.py": f'# mypy: disable-error-code="unused-result"\n{DROP}',
        "four.py": f"# mypy: ignore-errors\n{DROP}",
        # A strict code, which is off.
        "five.py": "from base import load\n\nload().unwrap()\n",
        "six.py": '# mypy: enable-error-code="unwrap"\nfrom base import load\n\nload().unwrap()\n',
    }
    assert reported(project(tmp_path, files, PLAIN + overrides)) == [
        ("caller.py", 5, "unused-result"),
        ("six.py", 4, "unwrap"),
    ]


def test_a_finding_has_its_place(tmp_path: Path) -> None:
    """Columns, ends, `--pretty` and JSON are those of the expression."""
    project(tmp_path, {"caller.py": DROP})
    found = json.loads(mypy(tmp_path, "--output", "json", ".").stdout)
    assert (found["line"], found["column"]) == (5, 4)
    assert (found["end_line"], found["end_column"]) == (5, 10)
    assert "        load()\n        ^~~~~~\n" in mypy(tmp_path, "--pretty", ".").stdout


def test_a_finding_needs_no_file(tmp_path: Path) -> None:
    """`mypy -c` reports too; a context manager in it is read by mypy alone."""
    code = (
        "from contextlib import contextmanager\nfrom collections.abc import Iterator\n"
        "@contextmanager\ndef hold() -> Iterator[None]:\n    yield\n"
        "from base import load\nload()\n"
    )
    project(tmp_path, {})
    ran = mypy(tmp_path, "-c", code)
    assert "<string>:7: error: this Ok[int] | Err[Lost] is dropped" in ran.stdout
    assert ran.returncode == 1


LATIN = """\
# coding: latin-1
from collections.abc import Iterator
from contextlib import contextmanager


class Held:
    @contextmanager
    def \\
        hold(self) -> Iterator[None]:
        file = open("\\d")
        "äöü"; yield
        file.close()
"""


def test_whatever_mypy_reads_is_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read as Python reads it, with its encoding, and warnings are none."""
    project(tmp_path, {})
    (tmp_path / "latin.py").write_text(LATIN, encoding="latin-1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert reported(tmp_path) == [("latin.py", 11, "unprotected-yield")]
    assert reported(tmp_path, "--no-native-parser", "--no-incremental") == [
        ("latin.py", 11, "unprotected-yield")
    ]


def test_the_shadow_of_a_file_is_read(tmp_path: Path) -> None:
    """`--shadow-file` gives mypy another text for a file, and it is checked."""
    text = LATIN.replace("latin-1", "utf-8").replace("\\d", "d")
    project(tmp_path, {"shadowed.py": "\n\n", "shadow.txt": f"# more\n{text}"})
    found = reported(tmp_path, "--shadow-file", "shadowed.py", "shadow.txt")
    assert found == [("shadowed.py", 12, "unprotected-yield")]


@pytest.mark.parametrize(
    "code", ["def f[T](x: T) -> T:\n    return x\n", "y = " + "-" * 1500 + "1\n"]
)
def test_what_python_cannot_read_is_left_to_mypy(tmp_path: Path, code: str) -> None:
    """What the Python that runs mypy cannot parse is no internal error."""
    text = LATIN.replace("latin-1", "utf-8").replace("\\d", "d")
    project(tmp_path, {"newer.py": text + code})
    ran = mypy(tmp_path, "--python-version", "3.13", ".")
    assert "INTERNAL ERROR" not in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_enum_of_hundreds_is_no_burden(tmp_path: Path) -> None:
    """Checking a match takes time in proportion to what mypy itself takes."""
    members = [f"M{n}" for n in range(300)]
    lines = [
        "from enum import Enum",
        "from resultflow import Err, Ok, Result",
        "class E(Enum):",
        *(f"    {name} = {n}" for n, name in enumerate(members)),
        "def f(r: Result[int, E]) -> int:",
        "    match r:",
        "        case Ok(v):",
        "            return v",
        *(f"        case Err(E.{name}):\n            return 1" for name in members),
    ]
    project(tmp_path, {"many.py": "\n".join(lines) + "\n"})
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert reported(tmp_path) == []
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 10


# Settings


def test_a_change_of_the_settings_is_seen_by_a_warm_run(tmp_path: Path) -> None:
    """The cache does not outlive the settings that it was made with."""
    sink = "from base import load\nfrom threading import Thread\n\nThread(target=load)\n"
    project(tmp_path, {"caller.py": sink})
    assert reported(tmp_path) == [("caller.py", 4, "dropped-result")]
    may = modes.SETTINGS + 'may-drop = ["threading.*"]\n'
    assert reported(project(tmp_path, {}, may)) == []
    assert reported(project(tmp_path, {})) == [("caller.py", 4, "dropped-result")]


def test_a_decorator_can_be_named(tmp_path: Path) -> None:
    """`context-managers` says which decorators make context managers, by their full names."""
    own = (
        "from base import managed\n\n\n@managed(1)\ndef hold(path: str) -> Iterator[None]:\n"
        "    file = open(path)\n    yield\n    file.close()\n"
    )
    files = {"caller.py": "from collections.abc import Iterator\n" + own}
    project(tmp_path, files)
    with (tmp_path / modes.BASE).open("a", encoding="utf-8") as base:
        base.write("def managed(n: int) -> Callable[[T], T]: ...\n")
    assert reported(tmp_path) == []
    may = modes.SETTINGS + 'context-managers = ["base.managed"]\n'
    (tmp_path / "pyproject.toml").write_text(may, encoding="utf-8")
    assert reported(tmp_path) == [("caller.py", 8, "unprotected-yield")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("may_drop = []", "has no key 'may_drop': did you mean 'may-drop'?"),
        ("may-drop = 'x'", "may-drop is 'x': it must be a list of strings"),
    ],
)
def test_a_mistake_in_the_settings_ends_mypy(tmp_path: Path, line: str, said: str) -> None:
    """Mypy prints which setting is wrong, and exits 2: it checks nothing by half."""
    project(tmp_path, {"caller.py": DROP}, f"{modes.SETTINGS}{line}\n")
    ran = mypy(tmp_path, ".")
    assert ran.returncode == 2
    assert said in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


# What it leaves alone


def test_mypy_that_is_not_known_is_refused() -> None:
    """A mypy that the plugin was not tested with ends with one clear line."""
    assert plugin("2.4.0+dev.1") is ResultPlugin
    for version in ("1.19.1", "2.3.1", "2.5.0", "3.0", "?"):
        with pytest.raises(CompileError) as caught:
            plugin(version)
        (line,) = caught.value.messages
        assert line.startswith(f"resultflow.mypy_plugin: error: mypy {version} is not known")
        assert "from 2.4 to 2.4.*" in line
    assert OLDEST <= NEWEST


def test_mypy_without_what_is_needed_is_refused() -> None:
    """A mypy whose inside has changed is an error, never a run that finds nothing."""
    checking = ResultPlugin(Options())
    checking.set_modules({})
    with pytest.raises(CompileError) as caught:
        checking.get_additional_indirect_deps(MypyFile([], []))
    (line,) = caught.value.messages
    assert "keeps its modules elsewhere" in line


def test_no_hook_for_names_of_others() -> None:
    """Mypy asks the next plugin, and itself, about every name that is not ours."""
    own = ResultPlugin(Options())
    for name in (
        *(
            "functools.partial",
            "contextlib.contextmanager",
            "builtins.open",
            "attr.s",
            "x.Err.error",
        ),
        *(
            "resultflow._result.Ok",
            "resultflow._result.Ok.map",
            "resultflow._do.do",
            "Err.catch",
        ),
    ):
        assert own.get_type_analyze_hook(name) is None
        assert own.get_function_signature_hook(name) is None
        assert own.get_function_hook(name) is None
        assert own.get_method_signature_hook(name) is None
        assert own.get_method_hook(name) is None
        assert own.get_attribute_hook(name) is None
        assert own.get_class_attribute_hook(name) is None
        assert own.get_class_decorator_hook(name) is None
        assert own.get_class_decorator_hook_2(name) is None
        assert own.get_metaclass_hook(name) is None
        assert own.get_base_class_hook(name) is None
        assert own.get_customize_class_mro_hook(name) is None
        assert own.get_dynamic_class_hook(name) is None


def test_mypys_own_plugins_still_work(tmp_path: Path) -> None:
    """`functools.partial`, attrs and dataclasses are checked as they are without the plugin."""
    text = (
        "import functools\nimport attrs\nfrom dataclasses import dataclass\n"
        "functools.partial(len, 1)()\n"
        "@attrs.frozen\nclass A:\n    x: int\n"
        "@dataclass\nclass B:\n    x: int\n"
        "A('')\nB('')\n"
    )
    project(tmp_path, {"caller.py": text})
    with_it = reported(tmp_path)
    plain = modes.SETTINGS.replace('plugins = ["resultflow.mypy_plugin"]\n', "")
    assert reported(project(tmp_path, {}, plain)) == with_it
    assert [line for _, line, _ in with_it] == [4, 11, 12]


def test_what_the_daemon_cannot_do(tmp_path: Path) -> None:
    """Dmypy agrees with mypy on every file that has changed, and only on those.

    It checks the functions that use a changed module again without asking plugins, and forgets
    what was reported in them: the page says so, and that CI must run mypy itself.
    """
    project(tmp_path, {"caller.py": DROP})
    status = ("--status-file", str(tmp_path / "status.json"))

    def run() -> str:
        return mypy(tmp_path, *status, "run", "--", ".", command="mypy.dmypy").stdout

    def append(name: str) -> None:
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("\n\nadded = 1\n")

    finding = "caller.py:5: error: this Ok[int] | Err[Lost] is dropped"
    try:
        assert finding in run()
        append("caller.py")
        assert finding in run()
        base = tmp_path / modes.BASE
        base.write_text(
            base.read_text(encoding="utf-8").replace(
                "def load() -> Result[int, Lost]:", "def load() -> Result[int, Lost | Gone]:"
            ),
            encoding="utf-8",
        )
        assert "is dropped" not in run()
        append("caller.py")
        assert "caller.py:5: error: this Ok[int] | Err[Lost | Gone] is dropped" in run()
    finally:
        mypy(tmp_path, *status, "stop", command="mypy.dmypy")
    assert "dmypy" in (PAGES / "index.md").read_text(encoding="utf-8")


# The pages


def test_each_page_shows_what_it_speaks_of(tmp_path: Path) -> None:
    """The bad code of a page is reported with its code, the good code not at all."""
    for code in codes.CODES:
        name = code.name.replace("-", "_")
        (tmp_path / f"bad_{name}.py").write_text(code.bad, encoding="utf-8")
        (tmp_path / f"good_{name}.py").write_text(code.good, encoding="utf-8")
    project(tmp_path, {})
    found = {(file, code) for file, _, code in reported(tmp_path)}
    wanted = {(f"bad_{one.name.replace('-', '_')}.py", one.name) for one in codes.CODES}
    # To leave a variant out is an error of mypy's own, too, when that is asked for.
    assert found - {("bad_unhandled_error.py", "exhaustive-match")} == wanted


@pytest.mark.parametrize("code", codes.CODES, ids=lambda code: code.name)
def test_each_code_has_its_page(code: codes.Code) -> None:
    """The page in the documentation is the text that `--explain` prints."""
    assert (PAGES / f"{code.name}.md").read_text(encoding="utf-8") == codes.page(code)
    assert f"({code.name}.md)" in (PAGES / "index.md").read_text(encoding="utf-8")


def test_the_documentation_uses_results_rightly(tmp_path: Path) -> None:
    """No block of Python in the documentation has a finding, but for those that show one."""
    files: dict[str, str] = {}
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        blocks = re.findall(
            r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        # That one has a test of its own, line by line: test_plugin_limits.py.
        if page.parent != PAGES and page.name != "plugin-limits.md":
            name = re.sub(r"\W", "_", str(page.relative_to(ROOT)))
            # What is typed at a prompt is shown, not dropped.
            files[f"{name}.py"] = "\n".join(one for one in blocks if ">>>" not in one)
    found = reported(project(tmp_path, files))
    assert found  # snippets are no whole programs, which mypy says
    ours = {code.name for code in codes.CODES}
    shown = [
        # No handle of Windows is asked for where the program runs, which the engine cannot know.
        ("docs_how_to_command_line_md.py", "may-raise"),
        # These begin with the code that they then mend.
        ("docs_how_to_rewrite_an_entry_point_md.py", "unprotected-yield"),
        ("docs_tutorial_2_chains_md.py", "may-raise"),
        ("docs_tutorial_3_resources_md.py", "unprotected-yield"),
    ]
    assert [(file, code) for file, _, code in found if code in ours] == shown
