"""The command `resultflow escapes`, as a user runs it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from resultflow.check.settings import Settings, load
from resultflow.cli import main

SOURCE = """\
import sqlite3
from contextlib import contextmanager

class Gone(Exception): ...

@contextmanager
def serve(child):
    yield child
    child.terminate()

def load(job):
    try:
        int(job)
    except ValueError:
        return
    raise Gone(job)

class Job:
    def run(self): load(1)

def main(child):
    with serve(child):
        Job().run()
    assert child
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "jobs.py").write_text(SOURCE)
    return tmp_path


HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
TEXT = """\
jobs.main: 1 failure, 1 bug
  some of what it calls could not be resolved: there may be more

jobs.Gone
  - jobs.py:23  jobs.main
      ! past the yield of jobs.serve in jobs.py:8, which skips 'child.terminate()'
    jobs.py:19  jobs.Job.run
    jobs.py:16  jobs.load

builtins.AssertionError (a bug)
  - jobs.py:24  jobs.main
"""


def test_every_way_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures come first, each with the steps of its way, and the yields that it passes."""
    for _ in range(2):  # the second answer comes from the cache
        assert main(["escapes", "jobs:main"]) == 0
        assert capsys.readouterr().out == TEXT
    assert {path.suffix for path in (project / "cache" / "resultflow").iterdir()} == {
        ".answer",
        ".raises",
    }
    (project / "jobs.py").write_text(SOURCE.replace("    assert child\n", ""))
    assert main(["escapes", "jobs:main"]) == 0
    assert capsys.readouterr().out.startswith("jobs.main: 1 failure, 0 bugs\n")


def test_what_handlers_catch_is_printed_on_request(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--caught` tells what did not get out, and where it was held."""
    assert main(["escapes", "jobs:Job.run", "--caught"]) == 0
    assert capsys.readouterr().out.endswith(
        "caught on the way:\n    jobs.py:13  jobs.load: builtins.ValueError\n"
    )


def test_json_holds_the_graph(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` gives functions, calls, origins, exceptions, and the ways out."""
    assert main(["escapes", "jobs:main", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["entry"] == "jobs.main"
    assert {"id": "jobs.Job.run", "path": "jobs.py", "line": 19, "kind": "method"} in data[
        "functions"
    ]
    assert {"id": "builtins.int", "path": "", "line": 0, "kind": "table"} in data["functions"]
    assert {
        "from": "jobs.load",
        "to": "builtins.int",
        "line": 13,
        "column": 8,
        "passes": [],
        "catches": ["builtins.ValueError"],
    } in data["calls"]
    assert {"function": "jobs.load", "exception": "jobs.Gone", "line": 16, "column": 4} in data[
        "raises"
    ]
    assert {"name": "jobs.Gone", "bases": ["builtins.Exception"], "failure": True} in data[
        "exceptions"
    ]
    (gone,) = (one for one in data["escapes"] if one["exception"] == "jobs.Gone")
    assert gone["steps"][0]["yields"] == [
        {"function": "jobs.serve", "path": "jobs.py", "line": 8, "skips": "child.terminate()"}
    ]
    assert data["notes"] == []


def test_dot_draws_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--dot` gives a graph; a call of which all is caught is dashed."""
    assert main(["escapes", "jobs:main", "--dot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "digraph escapes {"
    assert '  "jobs.Job.run" -> "jobs.load" [label="Gone"];' in lines
    assert '  "jobs.load" -> "builtins.int" [label="ValueError", style=dashed];' in lines


def test_more_than_it_knows_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call that could not be resolved, and a file that could not be read, are named."""
    (project / "bad.py").write_text("def f(:")
    (project / "more.py").write_text("import bad\ndef f(x):\n bad.f()\n raise OSError")
    assert main(["escapes", "more:f"]) == 0
    out = capsys.readouterr().out
    assert "  some of what it calls could not be resolved: there may be more\n" in out
    assert f"note: {project / 'bad.py'}: is no Python {HERE} that can be read" in out


@pytest.mark.parametrize(
    ("entry", "more", "message"),
    [
        ("jobs", (), "'jobs' names no function: write module:function"),
        ("jobs:mian", (), "'jobs' has no function 'mian': did you mean 'main'?"),
        ("jobs:Job.rum", (), "'jobs' has no function 'Job.rum': did you mean 'Job.run'?"),
        ("empty:f", (), "'empty' has no function 'f', nor any other"),
        ("json:lods", (), "'json' has no function 'lods': did you mean 'loads'?"),
        ("values:LIMIT", (), "'values' has no function 'LIMIT', nor any other"),
        ("values:NAMES", (), "'values' has no function 'NAMES', nor any other"),
        ("folder:f", (), "'folder' has no function 'f', nor any other"),
        ("none:f", (), "there is no module 'none': name its folder with --search"),
        ("jobs:f", ("--search", "none"), "'none' is no folder: --search takes those of modules"),
        ("bad:f", (), f"bad.py: is no Python {HERE} that can be read"),
    ],
)
def test_misuse(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    entry: str,
    more: tuple[str, ...],
    message: str,
) -> None:
    """What is not there is told in one line, with the nearest name: exit status 2."""
    (project / "empty.py").touch()
    (project / "values.py").write_text("LIMIT = 5\nNAMES = ['a']\nlambda: 0\n")
    (project / "folder" / "inner").mkdir(parents=True)
    (project / "bad.py").write_text("def f(:")
    assert main(["escapes", entry, *more]) == 2
    err = capsys.readouterr().err
    assert err.startswith("resultflow escapes: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_user_without_a_home_names_a_folder(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nowhere to keep a cache, the command says so, and takes another folder."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    assert main(["escapes", "jobs:main"]) == 2
    assert "there is no folder for a cache: name one with --cache" in capsys.readouterr().err
    assert main(["escapes", "jobs:main", "--cache", str(project / "kept")]) == 0


def test_a_folder_is_searched(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--search` names where modules are; a cache that cannot be written is done without."""
    (project / "deep").mkdir()
    (project / "deep" / "down.py").write_text("raise OSError\n")
    (project / "file").touch()
    assert main(["escapes", "down:", "--search", "deep", "--cache", "file"]) == 0
    assert "builtins.OSError\n  - deep/down.py:1  down\n" in capsys.readouterr().out


def test_an_answer_is_kept_until_anything_is_different(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that was missing, another current folder and a torn file give a new answer."""
    site = project / "site"
    (site / "pack").mkdir(parents=True)
    (site / "pack" / "__init__.py").touch()
    (site / "pack" / "m.py").write_text("import fresh\ndef f(): fresh.g()\n")
    ask = ["escapes", "pack.m:f", "--search", str(site), "--cache", str(project / "cache")]
    assert main(ask) == 0
    assert capsys.readouterr().out.startswith("pack.m.f: 0 failures, 0 bugs\n")
    (site / "fresh.py").write_text("def g(): raise OSError\n")
    assert main(ask) == 0
    told = capsys.readouterr().out
    assert told.startswith("pack.m.f: 1 failure, 0 bugs\n")
    assert "site/pack/m.py:2" in told
    monkeypatch.chdir(site)
    (site / "pyproject.toml").write_text('[tool.resultflow]\nbugs = ["builtins.OSError"]\n')
    for _ in range(2):
        assert main(ask) == 0
        told = capsys.readouterr().out
        assert told.startswith("pack.m.f: 0 failures, 1 bug\n")
        assert "- pack/m.py:2" in told
        for file in (project / "cache").glob("*.answer"):
            file.write_text("[]")


def test_a_name_need_not_be_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder whose name is no UTF-8 is searched like any other."""
    folder = project / os.fsdecode(b"no\xff")
    folder.mkdir()
    (folder / "odd.py").write_text("raise OSError\n")
    assert main(["escapes", "odd:", "--search", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["functions"][0]["id"] == "odd"
    assert main(["escapes", os.fsdecode(b"\xff:f")]) == 2
    assert "there is no module" in capsys.readouterr().err


def test_paths_are_told_from_where_packages_are(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path says nothing of this machine; what is reached twice is told once."""
    site = project / "site-packages"
    site.mkdir()
    (site / "dist.py").write_text(
        "def low(): raise ExceptionGroup('x', [OSError(), EOFError()])\n"
        "def f():\n    low()\n    low()\n"
    )
    assert main(["escapes", "dist:f", "--search", str(site)]) == 0
    assert capsys.readouterr().out == (
        "dist.f: 1 failure, 0 bugs\n\nbuiltins.ExceptionGroup\n"
        "  - dist.py:3  dist.f\n    dist.py:1  dist.low\n"
        "  - dist.py:4  dist.f\n    dist.py:1  dist.low\n"
    )


def test_the_settings_are_read(project: Path) -> None:
    """The new keys come from pyproject.toml, and as JSON they stay what they are."""
    (project / "pyproject.toml").write_text(
        '[tool.resultflow]\nbugs = ["a.*"]\nfailures = ["b.C"]\n'
        'raises = { "z.f" = ["z.E"], "a.g" = [] }\n'
    )
    settings = load(project)
    assert settings.bugs == ("a.*",)
    assert settings.failures == ("b.C",)
    assert settings.raises == {"z.f": ("z.E",), "a.g": ()}
    assert settings.as_data()["raises"] == {"a.g": [], "z.f": ["z.E"]}
    assert json.loads(json.dumps(settings.as_data())) == settings.as_data()
    assert json.loads(json.dumps(Settings().as_data())) == Settings().as_data()


@pytest.mark.parametrize("value", ['"x"', '["x"]', '{ "z.f" = "z.E" }', '{ "z.f" = [1] }'])
def test_wrong_settings_are_told(
    project: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """Anything but a table of lists is told with its key; the exit status is 2."""
    (project / "pyproject.toml").write_text(f"[tool.resultflow]\nraises = {value}\n")
    assert main(["escapes", "jobs:main"]) == 2
    err = capsys.readouterr().err
    assert "[tool.resultflow] raises is " in err
    assert "it must be a table of functions, each with a list of exceptions" in err
