"""Hold what the raises engine predicts against what really leaves functions in tests.

The test suites of some packages, from their source distributions, run under a recorder
(`bench.raises_record`), each in an environment of its own. A pair of a function and an exception
class that was seen is covered when the engine predicts that class, or a base of it other than
`Exception`, for the function. Exit status 1: less than 90% of the pairs were covered.

Counted are exceptions that the package's own code raises, by `raise` or by what it calls. Told
apart, and not counted: those that code of the tests raised (a callback that fails on purpose), and
those that an operation raises for a value of a wrong type or a key that is not there, which the
engine does not model (see docs/explanation/failures-and-bugs.md).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from resultflow.check.raises import Program
from resultflow.check.settings import Settings

PACKAGES = {
    "idna": ("idna==3.20", ("hypothesis",)),
    "itsdangerous": ("itsdangerous==2.2.0", ("freezegun",)),
    "outcome": ("outcome==1.3.0.post0", ("trio", "pytest-trio")),
    "packaging": ("packaging==26.4", ("pretend", "hypothesis")),
    "markupsafe": ("markupsafe==3.0.4", ()),
    "click": ("click==8.5.1", ()),
    "jinja2": ("jinja2==3.1.6", ("trio",)),
}
BOUND = 0.9
SAMPLE = 50
OPERATIONS = {
    "builtins.TypeError",
    "builtins.AttributeError",
    "builtins.KeyError",
    "builtins.IndexError",
    "builtins.NameError",
    "builtins.UnboundLocalError",
    "builtins.RecursionError",
    "builtins.GeneratorExit",  # a generator that was closed
}
HERE = Path(__file__).resolve().parent
VERDICTS = HERE / "raises_verdicts.json"


class Seen(NamedTuple):
    """An exception that left a function, and who raised it."""

    function: str
    exception: str
    causes: tuple[str, ...]


def run(*command: str | Path, cwd: Path | None = None, **more: str) -> None:
    """Run a program, and say what it said when it fails."""
    done = subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout[-3000:])
        raise SystemExit(f"{command[0]} failed with {done.returncode}")


def prepared(name: str, folder: Path) -> tuple[Path, Path]:
    """Give the source tree of a package and an environment with it; made once."""
    requirement, needs = PACKAGES[name]
    environment = folder / "env"
    if not (folder / "ready").exists():
        base = Path(getattr(sys, "_base_executable", sys.executable))
        pip = (base, "-m", "pip", "--disable-pip-version-check")
        run(*pip, "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, requirement)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder / "source", filter="data")
        run(sys.executable, "-m", "venv", "--without-pip", environment)
        python = environment / "bin" / "python"
        run(sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python,
            "--no-deps", archive)  # fmt: skip
        run(sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python,
            requirement, "pytest", *needs)  # fmt: skip
        (folder / "ready").touch()
    (source,) = (folder / "source").iterdir()
    if (source / name).is_dir():
        (source / name).rename(source / f"not-{name}")  # what is installed is to be tested
    return source, environment


def recorded(name: str, folder: Path) -> list[Seen]:
    """Run a package's tests under the recorder."""
    source, environment = prepared(name, folder)
    (site,) = (environment / "lib").glob("python*/site-packages")
    notes = folder / "notes.json"
    if not notes.exists():
        tests = next(one for one in (source / "tests", site / name / "tests") if one.is_dir())
        subprocess.run(
            [environment / "bin" / "python", "-m", "pytest", "-q", "-p", "raises_record",
             "-p", "no:cacheprovider", "--continue-on-collection-errors", tests],
            cwd=source,
            env={
                **os.environ,
                "PYTHONPATH": str(HERE),
                "RAISES_FOLDER": str(site / name),
                "RAISES_NOTES": str(notes.resolve()),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
    rows = json.loads(notes.read_text(encoding="utf-8"))
    return [
        Seen(dotted(name, path, function), exception, tuple(causes))
        for path, function, exception, causes in rows
    ]


def dotted(package: str, path: str, function: str) -> str:
    """Give the engine's name of a function."""
    parts = Path(path).with_suffix("").parts
    module = ".".join([package, *(one for one in parts if one != "__init__")])
    return f"{module}.{function.replace('.<locals>', '')}"


def is_operation(seen: Seen) -> bool:
    """Tell whether an operation on a wrong value raised it, and no `raise`."""
    return seen.exception in OPERATIONS and set(seen.causes) <= {
        "operation",
        "library",
        "no traceback",
    }


class Package:
    """What was seen in a package, and what is predicted for it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.seen = recorded(name, folder)
        (site,) = (folder / "env" / "lib").glob("python*/site-packages")
        self.program = Program([site], Settings())
        self.counted = [
            one for one in self.seen if set(one.causes) != {"tests"} and not is_operation(one)
        ]

    def covers(self, one: Seen) -> bool:
        """Tell whether an exception was predicted."""
        predicted = self.program.leaving(one.function)
        order = self.program.world.order(self.program.solver.canonical(one.exception))
        return bool((set(order) - {"builtins.Exception", "builtins.BaseException"}) & predicted)

    def predictions(self) -> dict[str, frozenset[str]]:
        """Give what is predicted for each function of the package."""
        return {name: self.program.leaving(name) for name in self.program.functions_of(self.name)}


def sample(packages: list[Package]) -> list[tuple[str, str]]:
    """Choose predictions to be judged, the same ones each time."""
    every = [
        (function, exception)
        for package in packages
        for function, exceptions in sorted(package.predictions().items())
        for exception in sorted(exceptions)
    ]
    random.Random(6).shuffle(every)  # noqa: S311 - nothing secret
    return every[:SAMPLE]


def main() -> int:
    """Print the table, the misses and the verdicts; 1 when too little was covered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), "resultflow-raises")
    )
    parser.add_argument("--sample", action="store_true", help="print predictions to be judged")
    given = parser.parse_args()
    packages: list[Package] = []
    for name in PACKAGES:
        folder = (given.folder / name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        packages.append(Package(name, folder))
    if given.sample:
        for function, exception in sample(packages):
            print(function, exception)
        return 0
    print(f"{'package':<14}{'seen':>6}{'tests':>7}{'values':>8}{'counted':>9}{'covered':>9}"
          f"{'functions':>11}{'mean set':>10}")  # fmt: skip
    counted = covered = 0
    misses: list[Seen] = []
    for package in packages:
        missed = [one for one in package.counted if not package.covers(one)]
        misses += missed
        counted += len(package.counted)
        covered += len(package.counted) - len(missed)
        tests = sum(set(one.causes) == {"tests"} for one in package.seen)
        values = len(package.seen) - tests - len(package.counted)
        sets = [len(one) for one in package.predictions().values()]
        rate = 1 - len(missed) / max(1, len(package.counted))
        mean = sum(sets) / max(1, sum(size > 0 for size in sets))
        print(f"{package.name:<14}{len(package.seen):>6}{tests:>7}{values:>8}"
              f"{len(package.counted):>9}{rate:>9.1%}{len(sets):>11}{mean:>10.2f}")  # fmt: skip
    rate = covered / counted
    print(f"\ncovered: {covered} of {counted}, {rate:.1%} (at least {BOUND:.0%})")
    every = [one for package in packages for one in package.seen]
    found = sum(package.covers(one) for package in packages for one in package.seen)
    print(f"of all that was seen, the tests' own and wrong values included: "
          f"{found} of {len(every)}, {found / len(every):.1%}")  # fmt: skip
    print("\nmissed, by who raised it:")
    for cause, number in Counter(" or ".join(one.causes) for one in misses).most_common():
        print(f"  {number:>4}  {cause}")
        for one in misses:
            if " or ".join(one.causes) == cause:
                print(f"        {one.function}: {one.exception}")
    judge(packages)
    return int(rate < BOUND)


def judge(packages: list[Package]) -> None:
    """Print how many sampled predictions were found right when the code was read."""
    verdicts: list[dict[str, str]] = json.loads(VERDICTS.read_text(encoding="utf-8"))
    programs = {package.name: package.program for package in packages}
    still = [
        one
        for one in verdicts
        for program in [programs[one["function"].partition(".")[0]]]
        if one["exception"] in program.leaving(one["function"])
    ]
    print(f"\n{len(verdicts)} predictions, judged by reading the code; {len(still)} still made:")
    failures = [
        one
        for one in still
        for program in [programs[one["function"].partition(".")[0]]]
        if program.is_failure(one["exception"])
    ]
    for what, some in (("all", still), ("failures", failures)):
        count = Counter(one["verdict"] for one in some)
        parts = ", ".join(f"{count[one]} {one}" for one in ("true", "infeasible", "wrong"))
        print(f"  {what:<10}{parts}: precision {count['true'] / max(1, len(some)):.0%}")


if __name__ == "__main__":
    sys.exit(main())
