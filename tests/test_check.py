"""The parts of the analyser that need no types: yields, settings, findings, baseline."""

from __future__ import annotations

import ast
import json
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from tests.plugin import modes

from resultflow.check.findings import (
    FORMS,
    BaselineError,
    Finding,
    gone,
    read_baseline,
    without,
    write_baseline,
)
from resultflow.check.settings import Settings, SettingsError, load
from resultflow.check.yields import unprotected_yields

if TYPE_CHECKING:
    from pathlib import Path

SOME = [
    Finding("a.py", 3, 5, 3, 10, "unprotected-yield", "100% skipped:\nx", "f: x.close()"),
    Finding("b,c:d.py", 7, 1, 8, 2, "unprotected-yield", "skipped", "g: y.close()"),
]


# Yields


def test_names_are_as_good_as_types_here() -> None:
    """Without mypy the verdict on every case is the same as with it."""
    source = (modes.HERE / "yields.py").read_bytes()
    found = {
        ("yields.py", one.place.lineno, "unprotected-yield"): one.message
        for one in unprotected_yields(source, Settings())
    }
    # What is silenced there is not silenced here.
    silenced = {one for one in found if b"type: ignore" in source.splitlines()[one[1] - 1]}
    assert len(silenced) == 1
    wanted = {one: text for one, text in modes.marks().items() if one[0] == "yields.py"}
    assert modes.wrong({one: found[one] for one in found.keys() - silenced}, wanted) == set()


def test_a_manager_is_known_by_what_is_imported() -> None:
    """A name counts for what it was imported as, wherever it is passed on from."""
    body = "\ndef f(x):\n    yield\n    x.close()\n"
    for top, decorator, found in [
        ("from contextlib import contextmanager", "contextmanager", 1),
        ("import contextlib", "contextlib.contextmanager", 1),
        ("import contextlib as c", "c.asynccontextmanager", 1),
        ("from .compat import contextmanager", "contextmanager", 1),
        ("import a.b", "a.b.contextmanager", 1),
        ("from a import managed", "managed(1)", 1),
        ("from a import contextmanager as fixture", "fixture", 1),
        ("from contextlib import *", "contextmanager", 1),
        ("from .compat import *", "contextmanager", 1),
        ("from a import *", "managed(1)", 1),
        ("from b import managed", "managed", 0),
        ("from b import *", "managed", 0),
        ("from a import *\ndef managed(f): ...", "managed", 0),
        ("from a import *\nmanaged = print", "managed", 0),
        ("import pytest", "pytest.fixture", 0),
        ("", "contextmanager", 0),
    ]:
        settings = Settings(context_managers=("a.managed",))
        source = f"{top}\n@{decorator}{body}"
        assert len(list(unprotected_yields(source.encode(), settings))) == found, source


@pytest.mark.parametrize(
    ("top", "decorator", "found"),
    [
        ("from .tools import managed", "managed", 1),
        ("from . import tools", "tools.managed", 1),
        ("from . import tools as t", "t.managed", 1),
        ("from .tools import *", "managed", 1),
        ("from ..jobs.tools import managed", "managed", 1),
        ("from ..tools import managed", "managed", 0),
        ("from .....tools import managed", "managed", 0),
        ("from .other import managed", "managed", 0),
        ("from tools import managed", "managed", 0),
    ],
)
def test_a_relative_import_is_from_the_folder(top: str, decorator: str, found: int) -> None:
    """A name counts for what it is in the package that the module is in, wherever that is."""
    settings = Settings(context_managers=("project.jobs.tools.managed",))
    source = f"{top}\n@{decorator}\ndef f(x):\n    yield\n    x.close()\n".encode()
    folders = ("home", "src", "project", "jobs")
    assert len(list(unprotected_yields(source, settings, folders))) == found


def test_what_is_skipped_is_named() -> None:
    """The message quotes the first statement of the teardown, and what identifies it moves not."""
    source = (
        b"from contextlib import contextmanager\n\n@contextmanager\ndef f(x):\n"
        b"    yield\n    print(1)\n    for y in x:\n        y.close()\n    x.close()\n"
    )
    (found,) = unprotected_yields(source, Settings())
    assert "skips 'y.close()' in line 8" in found.message
    assert found.what == "f: y.close()"
    assert isinstance(found.place, ast.Yield)


# Settings


def test_settings_have_defaults(tmp_path: Path) -> None:
    """A project that says nothing has the defaults, whether it has a pyproject.toml or not."""
    assert load(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert load(tmp_path) == Settings()


def test_settings_are_found_above(tmp_path: Path) -> None:
    """The first pyproject.toml at or above a folder counts."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.resultflow]\nstrict = true\nmay-drop = ['a.*']\ncontext-managers = ['b.c']\n"
        "may-unwrap = ['d']\n"
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = load(below)
    assert found.strict
    assert found.may_drop("a.b.c")
    assert not found.may_drop("b.a")
    assert found.is_context_manager("b.c")
    assert found.is_context_manager("contextlib.contextmanager")
    assert found.may_unwrap("d", "d.py")
    assert not found.may_unwrap("e", "e.py")
    assert found.as_data() == json.loads(json.dumps(found.as_data()))


@pytest.mark.parametrize(
    ("module", "path", "may"),
    [
        ("test_x", "src/test_x.py", True),
        ("a.test_x", "a/test_x.py", True),
        ("conftest", "conftest.py", True),
        ("a.__main__", "a/__main__.py", True),
        ("helpers", "tests/helpers.py", True),
        ("a.testing", "a/testing.py", False),
    ],
)
def test_tests_may_unwrap(module: str, path: str, *, may: bool) -> None:
    """What is a test is told by the names of its module and folders."""
    assert Settings().may_unwrap(module, path) is may


def test_only_the_folders_of_the_project_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project may be kept in a folder that is called tests."""
    project = tmp_path / "tests" / "project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    assert not Settings().may_unwrap("a", str(project / "a.py"))
    assert Settings().may_unwrap("a", str(project / "tests" / "a.py"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.resultflow]\nstrikt = true", "has no key 'strikt': did you mean 'strict'?"),
        ("[tool.resultflow]\nx = true", "has no key 'x': did you mean "),
        ("[tool.resultflow]\nstrict = 1", "strict is 1: it must be true or false"),
        ("[tool.resultflow]\nmay-drop = [1]", "may-drop is [1]: it must be a list of strings"),
        ("[tool]\nresultflow = 3", "tool.resultflow is 3: it must be a table"),
        ("[tool", "cannot be read: "),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """The error names the file, the key and what may stand there."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)
    assert said in str(caught.value)


# Findings


def test_text_is_as_mypy_writes_it() -> None:
    """Path, line, column, message, code."""
    assert FORMS["text"](SOME[1:]) == "b,c:d.py:7:1: error: skipped  [unprotected-yield]\n"
    assert FORMS["text"]([]) == ""


def test_json_is_an_array() -> None:
    """Each finding is an object with its whole place; nothing found is an empty array."""
    first, second = json.loads(FORMS["json"](SOME))
    assert first == {
        "path": "a.py",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 10,
        "code": "unprotected-yield",
        "message": "100% skipped:\nx",
    }
    assert second["path"] == "b,c:d.py"
    assert json.loads(FORMS["json"]([])) == []


def test_github_commands_are_escaped() -> None:
    """What would end a command or a property of it is written as its code."""
    first, second = FORMS["github"](SOME).splitlines()
    assert first == (
        "::error file=a.py,line=3,col=5,endLine=3,endColumn=10,title=unprotected-yield"
        "::100%25 skipped:%0Ax"
    )
    assert second == (
        "::error file=b%2Cc%3Ad.py,line=7,col=1,endLine=8,endColumn=2,title=unprotected-yield"
        "::skipped"
    )


def test_sarif_names_rule_and_region() -> None:
    """A log has one run, whose results point to its rules and to the regions."""
    log = json.loads(FORMS["sarif"](SOME))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], SOME, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert unquote(place["artifactLocation"]["uri"]) == finding.path
        assert place["region"] == {
            "startLine": finding.line,
            "startColumn": finding.column,
            "endLine": finding.end_line,
            "endColumn": finding.end_column,
        }
        assert result["message"]["text"] == finding.message
    assert len({str(one["partialFingerprints"]) for one in run["results"]}) == len(SOME)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/c%20.py", "a%20b/c%2520.py"),
        ("b:c.py", "b%3Ac.py"),
        ("é\udcff.py", "%C3%A9%FF.py"),
        ("/x y.py", "file:///x%20y.py"),
    ],
)
def test_sarif_has_no_paths_but_uris(path: str, uri: str) -> None:
    """What may not stand in a URI is written as its code."""
    log = json.loads(FORMS["sarif"]([SOME[0]._replace(path=path)]))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": uri}


# The baseline


def test_a_baseline_knows_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it knows is left out, as often as it knows it; lines may move."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "baseline.json"
    twice = Finding("a.py", 9, 5, 9, 10, "unprotected-yield", "skipped", "f: x.close()")
    write_baseline(file, SOME)
    known = read_baseline(file)
    assert without(SOME, known, file) == ([], Counter())
    left = Counter({SOME[1].key: 1})
    assert without([SOME[0], twice], known, file) == ([twice], left)
    (tmp_path / "b,c:d.py").touch()
    assert gone(left, ["a.py"], file) == 0
    assert gone(left, ["a.py", "b,c:d.py"], file) == 1
    (tmp_path / "b,c:d.py").unlink()
    assert gone(left, ["a.py"], file) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{", "{}x", "[1]", '[{"path": "x"}]', "3", "[" * 100_000),
        '[{"path": "x", "code": "y", "what": "z", "count": Infinity}]',
    ],
)
def test_a_baseline_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    """A file that is not there or is something else is an error, not an empty baseline."""
    file = tmp_path / "baseline.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BaselineError, match=r"baseline\.json: is no baseline"):
        read_baseline(file)
