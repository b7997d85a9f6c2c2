"""Take the database away from the real Airflow and from its rewrite, and judge both.

    python examples/airflow/prove.py [--only NAME]... [--at-once COUNT] [--cache DIRECTORY]

Sets up Airflow 2.6.3, and 3.3.2 for `standalone`, each in an environment of its own, with the
dependencies of its day, in the cache directory (once). Then the outages of `trial.py`, several at
a time, each with a PostgreSQL, two supervisords and, where the machine allows, a network of its
own. Prints what became of both commands in each, and exits with 0 only when the original hung as
the story tells and the rewrite kept every promise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import field, frozen
from trial import ORIGINAL, RECOVER_WITHIN, SCENARIOS, Fate, Scenario

from resultflow import Err, Ok, Resource, Result, do, run, subprocess_child
from resultflow.errors import ChildNotStarted
from scheduler_job.passage import NotAsExpected, told, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resultflow import Bind
    from resultflow.child import Child

HERE: Final = Path(__file__).resolve().parent
EXAMPLES: Final = HERE.parent
UV: Final = Path(sys.executable).with_name("uv")
EXIT_WITHIN: Final = 5.0
ALL_WITHIN: Final = 900.0
# The trials stop their schedulers and databases first.
TRIAL_GRACE: Final = 60.0
GRACE: Final = 90.0
LOOK_EVERY: Final = 0.5
# As long as an outage takes beside the time that the database is away.
SET_UP: Final = 55.0

# Ways to a network of one's own: as root, and where users may have namespaces.
NAMESPACES: Final = (
    ("unshare", "--net"),
    ("unshare", "--user", "--map-current-user", "--keep-caps", "--net"),
)


@frozen
class Airflow:
    """An Airflow, as it was installed on a day."""

    version: str
    day: str
    python: str

    @property
    def pins(self) -> Path:
        """What that came to, for an index that does not know when a file was uploaded."""
        return HERE / f"airflow-{self.version}.txt"


# Our own attrs is newer than that day's.
NEWER: Final = "attrs>=24.1"
AIRFLOW: Final = Airflow("2.6.3", "2023-07-20", "3.11")
AIRFLOW_3: Final = Airflow("3.3.2", "2026-11-25", "3.11")


@frozen
class NotInstalled:
    """Airflow could not be installed; the end of what the installer said may tell why."""

    what: str
    reason: str = field(repr=False)


@frozen
class TrialsFailed:
    """Trials ended without having seen what they were to see; their reports stand above."""

    statuses: tuple[int, ...]


ProofError: TypeAlias = NotInstalled | ChildNotStarted | TrialsFailed | NotAsExpected


@frozen(kw_only=True)
class Options:
    """What the proof was told."""

    scenarios: tuple[Scenario, ...]
    at_once: int
    cache: Path


# Installing


@do
def install(bind: Bind[NotInstalled], airflow: Airflow, cache: Path) -> Path:
    """Give the Python of an environment that has Airflow, made now if it is not there."""
    home = cache / f"airflow-{airflow.version}"
    python, stamp = home / "bin" / "python", home / "resultflow-proof"
    recipe = f"{airflow} {NEWER} {airflow.pins.read_text(encoding='utf-8')}"
    key = hashlib.sha256(recipe.encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == key:
        return python
    print(f"installing Airflow {airflow.version} in {home}", flush=True)
    bind(uv("venv", "--quiet", "--clear", "--python", airflow.python, str(home)))
    add = ("pip", "install", "--quiet", "--python", str(python))
    wanted = f"apache-airflow[postgres]=={airflow.version}"
    as_it_was = uv(*add, "--exclude-newer", airflow.day, wanted)
    if as_it_was.is_err():
        print(f"the index does not tell what was new on {airflow.day}: taking the exact pins")
        bind(uv(*add, "--no-deps", "--requirement", str(airflow.pins)))
    bind(uv(*add, NEWER))
    stamp.write_text(key, encoding="utf-8")
    return python


def uv(*arguments: str) -> Result[None, NotInstalled]:
    """Run uv, which never downloads an interpreter."""
    done = subprocess.run(
        [UV, *arguments],
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return Ok(None)
    sys.stderr.write(done.stderr)
    return Err(NotInstalled(f"uv {' '.join(arguments[:2])}", done.stderr))


def own_network() -> tuple[str, ...]:
    """Find a command that gives a program a network of its own; nothing where there is none."""
    probe = f"import sys; sys.path.insert(0, {str(HERE)!r}); import trial; trial.loopback_up()"
    for way in NAMESPACES:
        try:
            done = subprocess.run(
                [*way, sys.executable, "-c", probe],
                env=environment(),
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return way
    return ()


def environment() -> dict[str, str]:
    """What the trials need to find their modules."""
    return {**os.environ, "PYTHONPATH": str(EXAMPLES)}


# The trials


def shared_out(scenarios: Sequence[Scenario], count: int) -> list[list[Scenario]]:
    """Share the scenarios out, so that all parts take about the same time: longest first."""
    parts: list[list[Scenario]] = [[] for _ in range(min(count, len(scenarios)))]
    for scenario in sorted(scenarios, key=lambda each: -each.down):
        min(parts, key=lambda part: sum(SET_UP + each.down for each in part)).append(scenario)
    return parts


def trials(
    parts: Sequence[Sequence[Scenario]],
    airflows: Mapping[str, Path],
    way: Sequence[str],
    out: Path,
) -> Resource[list[Child], ChildNotStarted]:
    """Run the trials, each part one after another, the parts side by side."""
    shared = [word for option, python in airflows.items() for word in (option, str(python))]
    shared += ["--out", str(out), *["--own-network"] * bool(way)]

    def trial(part: Sequence[Scenario]) -> Resource[Child, ChildNotStarted]:
        names = [each.name for each in part]
        return subprocess_child(
            [*way, sys.executable, str(HERE / "trial.py"), *names, *shared],
            name=f"trial of {', '.join(names)}",
            grace=TRIAL_GRACE,
            env=environment(),
        )

    return Resource.all_of([trial(part) for part in parts])


def wait_for(
    children: list[Child], scenarios: Sequence[Scenario], out: Path
) -> Result[list[tuple[Scenario, list[Fate]]], TrialsFailed]:
    """Wait until all have ended, and tell of each trial as it is done."""
    began, seen = time.monotonic(), dict[str, list[Fate]]()
    running = True
    while running and time.monotonic() < began + ALL_WITHIN:
        time.sleep(LOOK_EVERY)
        running = any(child.poll() is None for child in children)
        for each in scenarios:
            if each.name not in seen and (fates := read_fates(out / f"{each.name}.json")):
                seen[each.name] = fates
                elapsed = time.monotonic() - began
                print(
                    f"{elapsed:6.1f} s  {each.title}: {len(seen)} of {len(scenarios)}", flush=True
                )
    if len(seen) < len(scenarios):
        return Err(TrialsFailed(tuple(child.poll() or 0 for child in children)))
    return Ok([(each, seen[each.name]) for each in scenarios])


def read_fates(path: Path) -> list[Fate]:
    """Read what a trial saw; nothing while that is not there or not whole."""
    try:
        return [Fate(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []


# Judging


def faults(scenario: Scenario, fate: Fate) -> list[str]:
    """What is not as the story tells of the original, or not as promised of the rewrite."""
    if fate.variant == ORIGINAL:
        expected = {}
        if scenario.hangs:
            expected = orphaning(fate) if scenario.standalone else hanging(fate)
    elif scenario.standalone:
        expected = becoming_ready(fate)
    elif scenario.port_taken:
        expected = {**ending(fate), **told_of_port(fate)}
    else:
        expected = {**ending(fate), **in_time(fate), **both_errors(scenario, fate)}
    return [
        f"{scenario.title}, {fate.variant}: expected that {what}"
        for what, holds in expected.items()
        if not holds
    ]


def hanging(fate: Fate) -> dict[str, bool]:
    """The story: the loop is dead, and the process is neither dead nor alive."""
    return {
        "its loop dies": fate.loop_dead is not None,
        f"its process is there, but it ended with {fate.status!r}": fate.exited is None,
        f"supervisord says RUNNING, not {fate.state}": fate.state == "RUNNING" and fate.same_pid,
        "its children are left": fate.left > 1,
        "there is no heartbeat": fate.heartbeat is None,
        "there is no DAG run": fate.run is None,
    }


def orphaning(fate: Fate) -> dict[str, bool]:
    """The same of standalone: the components live on, and what should look after them does not."""
    return {
        f"its process is there, but it ended with {fate.status!r}": fate.exited is None,
        f"supervisord says RUNNING, not {fate.state}": fate.state == "RUNNING" and fate.same_pid,
        f"it never says that it is ready, but after {told(fate.run)}": fate.run is None,
        "a stop leaves its components": fate.left_after > 1,
    }


def becoming_ready(fate: Fate) -> dict[str, bool]:
    """What is promised of standalone: it gets ready, by itself or started again, and ends."""
    return {
        f"it says that it is ready, not {told(fate.run)}": fate.run is not None,
        f"it is RUNNING, not {fate.state}": fate.state == "RUNNING",
        f"if it ends, then with status 1, not {fate.status!r}": (
            fate.status in {"", "exit status 1"}
        ),
        f"a stop leaves no process, not {fate.left_after}": fate.left_after == 0,
        f"a stop leaves no port held, not {fate.held_after}": not fate.held_after,
    }


def ending(fate: Fate) -> dict[str, bool]:
    """What holds of every end of the rewrite."""
    return {
        "it ends": fate.exited is not None,
        f"it ends with status 1, not {fate.status!r}": fate.status == "exit status 1",
        f"it leaves no process, not {fate.left}": fate.left == 0,
        f"it leaves no port held, not {fate.held}": not fate.held,
        f"it is restarted and RUNNING, not {fate.state}": (
            fate.state == "RUNNING" and not fate.same_pid
        ),
        f"a scheduled DAG run succeeds, not {told(fate.run)}": fate.run is not None,
        f"a stop leaves no process, not {fate.left_after}": fate.left_after == 0,
        f"a stop leaves no port held, not {fate.held_after}": not fate.held_after,
    }


def in_time(fate: Fate) -> dict[str, bool]:
    """What is bounded when the database goes and returns."""
    exit_after = exit_after_loop(fate)
    return {
        f"it exits within {EXIT_WITHIN:g} s of its loop's death, not {told(exit_after)}": (
            exit_after is not None and exit_after <= EXIT_WITHIN
        ),
        f"a DAG run is done {RECOVER_WITHIN:g} s after the return, not {told(fate.run)}": (
            fate.run is not None and fate.run <= RECOVER_WITHIN
        ),
    }


def both_errors(scenario: Scenario, fate: Fate) -> dict[str, bool]:
    """The report of an outage: the loop's error as the cause, then that of the job's end.

    A signal may have ended the loop before it could fail.
    """
    report = "\n".join(fate.report)
    names = ["JobNotCompleted"] if scenario.sigterms else ["LoopFailed", "JobNotCompleted"]
    return {f"its report names {name}": name in report for name in names}


def told_of_port(fate: Fate) -> dict[str, bool]:
    """The report of a port that is taken."""
    return {"its report names the port": any("PortTaken" in line for line in fate.report)}


def exit_after_loop(fate: Fate) -> float | None:
    """How long after its loop's death the process was gone."""
    if fate.exited is None or fate.loop_dead is None:
        return None
    return fate.exited - fate.loop_dead


# Showing

HEADS: Final = (
    *("outage", "command", "loop dead", "exit", "how", "supervisord", "left", "ports"),
    *("heartbeat", "DAG run", "stopped"),
)


def table(seen: Sequence[tuple[Scenario, list[Fate]]]) -> list[str]:
    """The facts as a table in Markdown."""
    rows = [list(HEADS), ["---"] * len(HEADS)]
    rows += [row(scenario, fate) for scenario, fates in seen for fate in fates]
    return [f"| {' | '.join(cells)} |" for cells in rows]


def row(scenario: Scenario, fate: Fate) -> list[str]:
    """One scheduler in one outage."""
    rests = f"{fate.left_after} left, {len(fate.held_after)} ports"
    return [
        scenario.title,
        fate.variant,
        "-" if scenario.port_taken or scenario.standalone else told(fate.loop_dead),
        told(fate.exited) if fate.exited is not None else f"never in {fate.watched:.0f} s",
        fate.status + (f", {fate.exits} times" if fate.exits > 1 else ""),
        f"{fate.state}, {'the same' if fate.same_pid else 'a new'} process",
        str(fate.left),
        str(len(fate.held)),
        told(fate.heartbeat),
        f"ready: {told(fate.run)}" if scenario.standalone else told(fate.run),
        rests if fate.stopped is None else f"{fate.stopped:.1f} s: {rests}",
    ]


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line, or end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="prove.py", description="Take the database away from Airflow and its rewrite."
    )
    names = [each.name for each in SCENARIOS]
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"this outage alone, may be repeated: {', '.join(names)}",
    )
    parser.add_argument(
        "--at-once",
        type=int,
        choices=range(1, len(SCENARIOS) + 1),
        default=max(1, min(4, (os.cpu_count() or 1))),
        metavar="COUNT",
        help="how many outages run side by side (default here: %(default)s)",
    )
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument(
        "--cache",
        type=Path,
        default=caches / "resultflow-proof",
        metavar="DIRECTORY",
        help="where Airflow is installed, once (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    only = given.only or names
    return Options(
        scenarios=tuple(each for each in SCENARIOS if each.name in only),
        at_once=given.at_once,
        cache=given.cache.absolute(),
    )


@do
def main(bind: Bind[ProofError]) -> None:
    """Install, try, show, judge."""
    given = parse(sys.argv[1:])
    airflows: dict[str, Path] = {}
    if any(not each.standalone for each in given.scenarios):
        airflows["--airflow"] = bind(install(AIRFLOW, given.cache))
    if any(each.standalone for each in given.scenarios):
        airflows["--airflow3"] = bind(install(AIRFLOW_3, given.cache))
    way = own_network()
    if not way:
        print("no network namespace to be had: Airflow's ports are open on all interfaces")
    began = time.monotonic()
    parts = shared_out(given.scenarios, given.at_once)

    def tried(directory: str) -> Result[list[tuple[Scenario, list[Fate]]], ProofError]:
        out = Path(directory)
        running = trials(parts, airflows, way, out)
        return running.use(lambda children: wait_for(children, given.scenarios, out))

    results = Resource.from_context_manager(lambda: tempfile.TemporaryDirectory(prefix="prove-"))
    seen = bind(results.use(tried))
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"\n{time.monotonic() - began:.0f} s, load averages {load}.")
    print("Times since the outage's begin; heartbeat and DAG run since its end.\n")
    print(*table(seen), "", sep="\n", flush=True)
    fates = [(scenario, fate) for scenario, both in seen for fate in both]
    bind(verdict(fault for each in fates for fault in faults(*each)))


def exit_code(_error: ProofError) -> int:
    """Every error is a failed proof; bad usage has ended the process before."""
    return 1


if __name__ == "__main__":
    run(main, exit_code=exit_code, grace=GRACE)
