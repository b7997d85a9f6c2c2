"""The house keeps its own rules: what an import costs, what files may name, what is documented."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import resultflow

ROOT = Path(__file__).resolve().parent.parent

# The brackets keep these patterns from finding themselves.
NOT_OURS_TO_NAME = {
    "a path of this machine": re.compile(
        rf"{re.escape(str(ROOT))}|(?<![\w.])/(?:[r]oot|[h]ome|[U]sers|[t]mp)/[\w.-]"
    ),
    "the address of a package registry": re.compile(
        r"[h]ttps?://[\w.-]+/(?:simple|packages)/|[i]ndex-url|[f]ind-links"
    ),
}

LOADED = """
import sys
heavy = ("anyio", "asyncio", "multiprocessing", "mypy", "returns", "traceback")
before = [name for name in heavy if name in sys.modules]
from resultflow import *
print(before, [name for name in heavy if name in sys.modules])
"""

OPENED = """
import sys
import resultflow
resultflow.is_ok
print(*sorted(name for name in sys.modules if name.startswith("resultflow")))
print(resultflow.resource.Resource is resultflow.Resource)
from resultflow import *
print([name for name in resultflow.__all__ if globals()[name] is not getattr(resultflow, name)])
resultflow.is_okay
"""


def own_files() -> Iterator[Path]:
    """Walk over the project's files: all but git's own and what .gitignore names."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").replace("/\n", "\n").split()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name for name in folders if not any(fnmatch(name, glob) for glob in [".git", *ignored])
        ]
        for name in files:
            if not any(fnmatch(name, glob) for glob in ignored):
                yield Path(folder, name)


def test_importing_resultflow_loads_nothing_heavy(unmeasured: dict[str, str]) -> None:
    """A program that imports resultflow does not pay for what it does not use."""
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", LOADED],
        env=unmeasured,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert loaded.stdout == "[] []\n"


def test_the_door_opens_only_as_far_as_it_is_used(unmeasured: dict[str, str]) -> None:
    """A public name loads its own module and what that needs; all are there, and no others."""
    opened = subprocess.run(
        [sys.executable, "-I", "-c", OPENED],
        env=unmeasured,
        capture_output=True,
        text=True,
        check=False,
    )
    loaded, *rest = opened.stdout.splitlines()
    fast = {"resultflow._native"}  # there, or not
    assert [name for name in loaded.split() if name not in fast] == [
        *("resultflow", "resultflow._build", "resultflow._result", "resultflow._trace"),
        *("resultflow._travel", "resultflow.errors"),
    ]
    assert rest == ["True", "[]"]
    assert "AttributeError: module 'resultflow' has no attribute 'is_okay'" in opened.stderr


@pytest.mark.parametrize(("version", "fault"), [("3.9.2", "is 3.9.2"), ("", "is not there")])
def test_make_refuses_a_python_that_will_not_do(tmp_path: Path, version: str, fault: str) -> None:
    """`make` says in one line which Python it wants, exits 2 and leaves nothing behind."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").touch()
    python = tmp_path / "python"
    if version:
        python.write_text(f"#!/bin/sh\ncase $2 in *platform*) echo {version};; esac\n")
        python.chmod(0o755)
    before = sorted(tmp_path.rglob("*"))
    made = subprocess.run(
        ["make", "env", f"PYTHON={python}"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert f"needs Python 3.11 or newer, but '{python}' {fault}: name another" in made.stdout
    assert made.stdout.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("what", NOT_OURS_TO_NAME)
def test_no_file_names(what: str) -> None:
    """What is in the tree means the same on every machine."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in own_files()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if NOT_OURS_TO_NAME[what].search(line)
    ]
    assert not found


def test_public_names_are_sorted() -> None:
    """The door lists each of its names once, in order, and tells of those not yet imported."""
    assert list(resultflow.__all__) == sorted(set(resultflow.__all__))
    assert set(resultflow.__all__) <= set(dir(resultflow))


@pytest.mark.parametrize("name", resultflow.__all__)
def test_public_name_is_documented(name: str) -> None:
    """Every class and function at the door shows an example and says since when it is there."""
    value: object = getattr(resultflow, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        documentation = inspect.getdoc(value) or ""
        assert ">>> " in documentation
        assert ".. versionadded:: " in documentation


def test_version_is_one() -> None:
    """The installed package, the source and the changelog speak of the same version."""
    assert metadata.version("resultflow") == resultflow.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] in {"Unreleased", resultflow.__version__}


def test_lock_covers_every_requirement() -> None:
    """Each requirement in pyproject.toml has a pin that satisfies it in requirements/."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins: dict[str, str] = {}
    for name in ("release.txt", "dev.txt"):
        lock = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        pins.update(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    requirements = [
        Requirement(line)
        for lines in (
            project["project"]["dependencies"],
            *project["project"]["optional-dependencies"].values(),
            *project["dependency-groups"].values(),
            project["build-system"]["requires"],
        )
        for line in lines
    ]
    for requirement in requirements:
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier
