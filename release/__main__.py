"""Make a release in dist/ from the last commit, and hold it against what users will do with it.

All is built, built again elsewhere, read, and installed in empty environments, where the tests run
from outside of the tree. It uploads nothing.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.pythons import TESTS, found, version_of

from release.build import PLATFORM, ROOT, UV, build, digests, export, unpack
from resultflow import Err, Ok, Result, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The modules that other programs find by themselves: pytest and Hypothesis do.
ENTRIES = [
    target.partition(":")[0]
    for group in PROJECT.get("entry-points", {}).values()
    for target in group.values()
]
# What an extra is for, where that is not the module of its name in resultflow.interop.
PROMISED = {
    "async": ["anyio", "resultflow.aio"],
    "examples": ["psycopg", "sqlalchemy", "supervisor.supervisord"],
    "migrate": ["resultflow.migrate"],
    "mypy": ["resultflow.mypy_plugin"],
    "testing": ["resultflow.testing", *ENTRIES],
}
# Nothing of the caller's own set-up shows.
CLEAN = {"PYTHONPATH": "", "RESULTFLOW_PURE": "0", "UV_NO_CONFIG": "1"}
STEPS = ("same", "read", "metadata", "platform", "sbom", "pip", "extra", "tests")
ALL_TESTS = ("tests", "docs", "README.md")
# What is held against the tree and its tools, and not against an installed resultflow.
NOT_OUTSIDE = ["tests/test_packaging.py"]

INSTALLED = """
import sys, resultflow
from importlib import metadata
from resultflow._build import native
assert resultflow.__file__.startswith(sys.prefix), resultflow.__file__
if sys.argv[1] == "load":
    for entry in metadata.distribution("resultflow").entry_points:
        entry.load()
print("pure" if native is None else "compiled")
"""
IMPORTED = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
VALID = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))
"""


class CheckError(Exception):
    """A check found something; the text says what."""


def call(*command: object, cwd: Path = ROOT, **changed: str) -> str:
    """Run a program that must succeed, with changes to the environment; give what it printed."""
    words = [str(word) for word in command]
    ran = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **CLEAN, **changed},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode:
        tail = "\n".join(ran.stdout.splitlines()[-40:])
        raise CheckError(f"{shlex.join(words)} exited {ran.returncode}:\n{tail}")
    return ran.stdout


class Release:
    """One release, from its commit on."""

    def __init__(self, scratch: Path, dist: Path, pythons: dict[str, str]) -> None:
        self.scratch = scratch
        self.dist = dist
        self.pythons = pythons
        self.tree = scratch / "commit"
        self.epoch = 0
        self.files: list[Path] = []
        self._made = 0

    def environment(self, python: str, *requirements: object) -> Path:
        """Make an environment, and give its folder for programs."""
        self._made += 1
        folder = self.scratch / f"env{self._made}"
        call(UV, "venv", "--python", python, folder)
        call(UV, "pip", "install", "--python", folder / "bin" / "python", *requirements)
        return folder / "bin"

    @cached_property
    def tools(self) -> Path:
        """Make the environment of the programs that read what is built."""
        pins = ROOT / "requirements" / "release.txt"
        return self.environment(sys.executable, "--require-hashes", "--requirement", pins)

    @property
    def sdist(self) -> Path:
        """Give the sdist."""
        (file,) = (file for file in self.files if file.name.endswith(".tar.gz"))
        return file

    def wheels(self, platform: str) -> list[Path]:
        """Give the wheels for a platform."""
        return [file for file in self.files if file.name.endswith(f"-{platform}.whl")]

    def built(self) -> str:
        """Export the commit and build all of it."""
        self.epoch = export(ROOT, self.tree)
        self.dist.mkdir(parents=True, exist_ok=True)
        for old in self.dist.glob("resultflow-*"):
            old.unlink()
        self.files = build(self.tree, self.dist, epoch=self.epoch, pythons=self.pythons.values())
        commit = call("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
        dirty = call("git", "-C", ROOT, "status", "--porcelain")
        return f"{commit}{', without the uncommitted changes' if dirty else ''}"

    def same(self) -> str:
        """Build all of it again, as somebody else would."""
        elsewhere = self.scratch / "somebody else's folder"
        export(ROOT, elsewhere)
        pythons = [f"--python={python}" for python in self.pythons.values()]
        command = [
            *(sys.executable, "-m", "release.build", "--tree", elsewhere),
            *("--epoch", str(self.epoch), *pythons, self.scratch / "again"),
        ]
        before = os.umask(0o077)
        try:
            again = call(*command, TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7")
        finally:
            os.umask(before)
        for name, digest in digests(self.files).items():
            if f"{digest}  {name}\n" not in again:
                raise CheckError(f"{name} is not {digest}, but\n{again}")
        return f"{len(self.files)} files, byte for byte"

    def read(self) -> str:
        """Hold the artifacts against the tests of packaging."""
        call(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            "tests/test_packaging.py",
            cwd=self.tree,
            RESULTFLOW_DIST=str(self.dist),
        )
        return "contents, metadata, types"

    def metadata(self) -> str:
        """Ask whether the package index would take them, and which Pythons they speak of."""
        call(self.tools / "twine", "check", "--strict", *self.files)
        known = call(self.tools / "python", "-m", "trove_classifiers").splitlines()
        for classifier in PROJECT["classifiers"]:
            if classifier not in known:
                raise CheckError(f"{classifier!r} is no classifier")
            language = re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier)
            if language and language[1] not in self.pythons:
                raise CheckError(
                    f"{classifier!r} is there, but no Python {language[1]} to test on"
                )
        return "twine check --strict, classifiers"

    def platform(self) -> str:
        """Hold the tag of the compiled wheels against the symbols that they need."""
        claimed = glibc(PLATFORM)
        for wheel in self.wheels(PLATFORM):
            told = call(self.tools / "auditwheel", "show", "--json", wheel)
            needed = json.loads(told[told.index("{") :])["overall_tag"]
            if glibc(needed) > claimed:
                raise CheckError(f"{wheel.name} needs {needed}")
        return f"auditwheel: {PLATFORM} holds"

    def sbom(self) -> str:
        """Write what is in the release, and what it needs."""
        first, second = (self._sbom() for _ in range(2))
        if first != second:
            raise CheckError("the same release has two descriptions")
        target = self.dist / f"{self.sdist.name.removesuffix('.tar.gz')}.cdx.json"
        target.write_text(first, encoding="utf-8")
        call(self.tools / "python", "-c", VALID, target)
        return f"{target.name}: CycloneDX 1.6, valid"

    def _sbom(self) -> str:
        (wheel,) = self.wheels("any")
        pins = ROOT / "requirements" / "dev.txt"
        python = self.environment(sys.executable, wheel, "--constraint", pins) / "python"
        target = self.scratch / "sbom.json"
        call(
            *(self.tools / "cyclonedx-py", "environment", "--output-reproducible"),
            *("--spec-version", "1.6", "--mc-type", "library", "--output-file", target),
            *("--pyproject", self.tree / "pyproject.toml", python),
            SOURCE_DATE_EPOCH=str(self.epoch),
        )
        told: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        for component in told["components"]:
            if not component.get("licenses"):
                raise CheckError(f"{component['name']} has no licence that is known")
        version = wheel.name.split("-")[1]
        told["metadata"]["component"] |= {
            "version": version,
            "purl": f"pkg:pypi/resultflow@{version}",
            "components": [
                {
                    "type": "file",
                    "name": name,
                    "hashes": [{"alg": "SHA-256", "content": digest}],
                }
                for name, digest in digests(self.files).items()
            ],
        }
        return json.dumps(told, indent=2, sort_keys=True) + "\n"

    def pip(self, version: str) -> str:
        """Let pip choose a wheel, and build the sdist, where there is no compiler."""
        pins = ROOT / "requirements" / "dev.txt"
        bare = self.environment(self.pythons[version], "attrs", "pip", "--constraint", pins)
        install = [bare / "python", "-m", "pip", "install", "--quiet", "--no-deps"]
        wheels = ["--no-index", "-f", self.dist, "resultflow"]
        outcomes: list[str] = []
        for what in (wheels, ["--force-reinstall", self.sdist]):
            call(*install, *what, PATH=str(bare), CC="cc")
            outcomes.append(call(bare / "python", "-c", INSTALLED, "").strip())
        if outcomes != ["compiled", "pure"]:
            raise CheckError(f"pip installed {outcomes}")
        return "compiled from its wheel, pure from the sdist"

    def with_extra(self, extra: str, resolution: str) -> str:
        """Install an extra by itself, and import what it is for."""
        (wheel,) = self.wheels("any")
        bare = self.environment(
            *(sys.executable, "--resolution", resolution),
            f"resultflow[{extra}] @ {wheel.as_uri()}",
        )
        names = PROMISED.get(extra, [f"resultflow.interop.{extra}"])
        call(bare / "python", "-c", IMPORTED, *names, cwd=self.scratch)
        return " ".join(names)

    def tested(self, wheel: Path, version: str, tests: Sequence[str]) -> str:
        """Run the tests with the installed wheel, from outside of the tree."""
        unpack(self.sdist, self.scratch / f"outside{self._made}")
        (outside,) = (self.scratch / f"outside{self._made}").iterdir()
        shutil.rmtree(outside / "src")
        pins = outside / "requirements" / "dev.txt"
        bare = self.environment(self.pythons[version], "--require-hashes", "--requirement", pins)
        call(UV, "pip", "install", "--no-deps", "--python", bare / "python", wheel)
        build = call(bare / "python", "-c", INSTALLED, "load", cwd=outside).strip()
        if (build == "pure") != (wheel in self.wheels("any")):
            raise CheckError(f"{wheel.name} is {build}")
        printed = call(
            *(bare / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests),
            *(f"--ignore={path}" for path in NOT_OUTSIDE),
            cwd=outside,
            PATH=f"{bare}{os.pathsep}{os.environ['PATH']}",
        )
        return printed.splitlines()[-1].strip("= ")


def glibc(tag: str) -> tuple[int, ...]:
    """Read the version of the C library that a tag speaks of; a plain `linux` is above all."""
    told = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    return tuple(map(int, told.groups())) if told else (sys.maxsize,)


def steps(release: Release, tests: Sequence[str]) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name the checks, in order."""
    yield "build", release.built
    yield "same", release.same
    yield "read", release.read
    yield "metadata", release.metadata
    yield "platform", release.platform
    yield "sbom", release.sbom
    for version in release.pythons:
        yield f"pip {version}", partial(release.pip, version)
    for extra in PROJECT["optional-dependencies"]:
        for resolution in ("highest", "lowest-direct"):
            yield (
                f"extra {extra}, {resolution}",
                partial(release.with_extra, extra, resolution),
            )
    # All of them with one wheel, and with the others what another build or Python might change.
    (pure,) = release.wheels("any")
    own, *_ = release.pythons
    yield f"tests {own}, pure", partial(release.tested, pure, own, tests or TESTS)
    for version in release.pythons:
        (wheel,) = release.wheels(f"cp{version.replace('.', '')}-{PLATFORM}")
        chosen = tests or (ALL_TESTS if version == own else TESTS)
        yield f"tests {version}, compiled", partial(release.tested, wheel, version, chosen)


def main() -> Result[None, str]:
    """Run the checks and print a line for each; an `Err` when one failed."""
    parser = argparse.ArgumentParser(
        prog="make release-check RELEASE=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="NAME",
        help="an interpreter beside that of .venv (default: all that are found)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=STEPS, metavar="STEP", help=f"of {', '.join(STEPS)}"
    )
    parser.add_argument(
        "--tests", nargs="+", metavar="PATH", default=(), help="instead of what each wheel gets"
    )
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="default: dist")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error(f"a release is made on Linux, but this is {sys.platform!r}")
    pythons: dict[str, str] = {}
    for interpreter in [sys.executable, *(options.python or found())]:
        version = version_of(interpreter)
        if version is not None:
            minor = re.sub(r"\.\d+\w*?(?=t?$)", "", version)  # 3.12.1 is 3.12, 3.13.0t is 3.13t
            pythons.setdefault(minor, interpreter)
        elif options.python:
            parser.error(f"{interpreter!r} is no interpreter that runs: give a name or a path")
    failed: list[str] = []
    with TemporaryDirectory(prefix="release-") as scratch:
        release = Release(Path(scratch), options.dist.resolve(), pythons)
        for name, check in steps(release, options.tests):
            if options.only and name.split()[0] not in ["build", *options.only]:
                continue
            began = time.monotonic()
            try:
                verdict, told = "passed", check()
            except (CheckError, OSError, subprocess.CalledProcessError) as exc:
                verdict, told = "FAILED", f"\n{textwrap.indent(str(exc), '    ')}"
                failed.append(name)
            print(f"{verdict}  {name:<32} {time.monotonic() - began:6.1f} s  {told}", flush=True)
            if not release.files:
                break
    if failed:
        return Err(f"failed: {'; '.join(failed)}")
    print("all passed")
    return Ok(None)


if __name__ == "__main__":
    run(main, grace=60)  # environments are large
