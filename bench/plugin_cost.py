"""What the plugin adds to mypy on a project of 200 files: time cold and warm, and memory.

Each configuration runs in turn, in a process of its own; the least of each counts, in seconds of
processor time, so that what else the machine does counts little.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

BOUNDS = {"cold": 1.25, "warm": 1.05, "memory": 1.2}
WARM_RUNS = 10
PLUGIN = 'plugins = ["resultflow.mypy_plugin"]\n'
SETTINGS = "[tool.mypy]\nstrict = true\nwarn_unreachable = true\n"

HEAD = '''\
"""Module {number} of a project that is made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from resultflow import Bind, Err, Ok, Result, collect, do

{imports}


class Lost{number}(Exception):
    """The database is gone."""


@dataclass(frozen=True)
class Gone{number}:
    """There is no such job."""

    job: int
    reason: str = "unknown"


@dataclass
class Job{number}:
    """A job."""

    job: int
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)


@contextmanager
def opened{number}(name: str) -> Iterator[Job{number}]:
    job = Job{number}(len(name), name)
    try:
        yield job
    finally:
        job.labels.clear()

'''
# Two fifths of it are of Results, which is more than most code has.
BODY = '''
def load_{part}(job: int) -> Result[Job{number}, Lost{number} | Gone{number}]:
    """Load a job."""
    if job < 0:
        return Err(Gone{number}(job, reason=f"{{job}} is negative"))
    if job == {part}:
        return Err(Lost{number}("no database"))
    return Ok(Job{number}(job, f"job {{job}}", labels={{"a": str(job)}}, parts=list(range(job))))


def total_{part}(jobs: Iterable[Job{number}], factor: float = 1.5) -> dict[str, float]:
    """Add up, without any Result."""
    totals: dict[str, float] = {{}}
    for job in jobs:
        for position, part in enumerate(job.parts):
            key = f"{{job.name}}.{{position % 3}}"
            totals[key] = totals.get(key, 0.0) + part * factor
        if not job.parts and job.labels.get("a", "").startswith("x"):
            totals.setdefault(job.name, len(job.labels))
    names = sorted(totals, key=lambda name: (len(name), name), reverse=True)
    return {{name: round(totals[name], 2) for name in names if totals[name] > 0}}


@do
def sum_{part}(bind: Bind[Lost{number} | Gone{number}], first: int, second: int) -> int:
    """Load two, and add their sizes."""
    one = bind(load_{part}(first))
    other = bind(load_{part}(second))
    return len(one.parts) + len(other.parts)


def tell_{part}(job: int) -> str:
    """Load one, and say how it went."""
    match load_{part}(job):
        case Ok(found):
            return found.name
        case Err(Lost{number}() as lost):
            return f"lost: {{lost.args}}"
        case Err(error):
            return f"gone: {{error}}"


class Store{part}:
    """Keep jobs."""

    def __init__(self, size: int = {part}) -> None:
        self.size = size
        self.kept: dict[int, Job{number}] = {{}}

    def keep(self, *jobs: int) -> Result[list[Job{number}], Lost{number} | Gone{number}]:
        """Load and keep jobs."""
        loaded = collect(load_{part}(job) for job in jobs[: self.size])
        for one in loaded.unwrap_or_default(list[Job{number}]):
            self.kept[one.job] = one
        return loaded

    def names(self, prefix: str = "") -> list[str]:
        """Name the jobs that are kept."""
        found = [job.name for job in self.kept.values() if job.name.startswith(prefix)]
        while len(found) > self.size:
            found.pop()
        try:
            found.sort(key=str.lower)
        except AttributeError as exc:
            raise ValueError(f"no names: {{exc}}") from exc
        return found

    def size_of(self, job: int) -> int:
        """Give a size, zero for what is not there."""
        size = load_{part}(job).map(lambda one: len(one.parts)).unwrap_or(0)
        return size if size > 0 else self.size
'''


class Cost(NamedTuple):
    """What one run took."""

    seconds: float
    megabytes: float


def write(folder: Path, files: int, *, with_plugin: bool) -> int:
    """Write the project; give the number of its lines."""
    package = folder / "project"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    lines = 0
    for number in range(files):
        imports = "\n".join(
            f"from project.m{other} import Job{other}, tell_0 as tell_m{other}"
            for other in range(max(0, number - 3), number)
        )
        text = HEAD.format(number=number, imports=imports)
        text += "".join(BODY.format(number=number, part=part) for part in range(3))
        (package / f"m{number}.py").write_text(text, encoding="utf-8")
        lines += text.count("\n")
    settings = SETTINGS + PLUGIN * with_plugin
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    return lines


def run(folder: Path) -> Cost:
    """Run mypy in a folder; its project must be free of errors."""
    command = [sys.executable, "-m", "mypy", "project"]
    # All is compiled once, as where it is installed, whatever this checkout and shell are like.
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder.with_name("bytecode"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execve(sys.executable, command, environment)  # noqa: S606 - its own cost is asked for
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"mypy ended with {status} in {folder}: run it there to see why")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> int:
    """Print both and their ratios; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.plugin_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default: 5)")
    parser.add_argument("--files", type=int, default=200, help="files (default: 200)")
    given = parser.parse_args()
    costs: dict[tuple[bool, str], list[Cost]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        lines = 0
        for with_plugin in (False, True):
            lines = write(Path(scratch, str(with_plugin)), given.files, with_plugin=with_plugin)
        for _ in range(given.rounds):
            for with_plugin in (False, True):
                folder = Path(scratch, str(with_plugin))
                shutil.rmtree(folder / ".mypy_cache", ignore_errors=True)
                costs.setdefault((with_plugin, "cold"), []).append(run(folder))
            # A warm run is so short that the machine's noise is as large as what is measured.
            for with_plugin in (False, True) * WARM_RUNS:
                folder = Path(scratch, str(with_plugin))
                costs.setdefault((with_plugin, "warm"), []).append(run(folder))
    print(f"{given.files} files, {lines:,} lines; the least of {given.rounds} rounds")
    missed = False
    for what, bound in BOUNDS.items():
        kind = "warm" if what == "warm" else "cold"
        plain, ours = (
            min(one.megabytes if what == "memory" else one.seconds for one in costs[which, kind])
            for which in (False, True)
        )
        unit = "MB" if what == "memory" else "s"
        missed |= ours / plain > bound
        verdict = "ok" if ours / plain <= bound else "MISSED"
        print(
            f"  {what:<7} {plain:8.3f} {unit:<2} without, {ours:8.3f} {unit:<2} with: "
            f"{ours / plain:.2f}, at most {bound}: {verdict}"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
