"""The demo from end to end, as a user starts it: what it shows, and that it clears up."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from attrs import define, field, frozen

from resultflow import Ok
from scheduler_job import matrix, outage
from scheduler_job.stage import ground

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from _pytest.mark import ParameterSet

    Start: TypeAlias = "Callable[..., Running]"

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
# Generous: the machine may be busy with other things.
WITHIN = 150.0
STOPS_WITHIN = 20.0

HAS_POSTGRESQL = isinstance(outage.plan("postgresql", None), Ok)
needs_postgresql = pytest.mark.skipif(not HAS_POSTGRESQL, reason="no binaries of PostgreSQL")


@frozen
class Home:
    """A directory for the demo to work in, whose name tells its processes."""

    path: Path

    @property
    def temporary(self) -> Path:
        """What the demo is told as the system's temporary directory."""
        return self.path / "tmp"

    def processes(self) -> set[int]:
        """The processes that know of the directory, by their environment or their place."""
        found: set[int] = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    place = str((entry / "cwd").readlink())
                    environment = (entry / "environ").read_bytes()
                    if str(self.path) in place or str(self.path).encode() in environment:
                        found.add(int(entry.name))
        return found


@pytest.fixture
def home() -> Iterator[Home]:
    """A short directory that other users may pass through."""
    with tempfile.TemporaryDirectory(prefix="demo-test-") as name:
        made = Home(Path(name))
        made.path.chmod(0o711)
        made.temporary.mkdir()
        made.temporary.chmod(0o711)
        yield made


@define
class Running:
    """A module of the example that runs, and the lines that it prints."""

    process: subprocess.Popen[str]
    lines: list[str] = field(factory=list[str])
    _queue: queue.Queue[str | None] = field(factory=queue.Queue[str | None])

    def __attrs_post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def until(self, pattern: str, *, within: float) -> bool:
        """Read on until a line matches; False when the output ends before."""
        deadline = time.monotonic() + within
        while (
            line := self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
        ) is not None:
            self.lines.append(line)
            if re.search(pattern, line):
                return True
        return False

    def ended(self, *, within: float) -> int:
        """Read to the end and return the status."""
        deadline = time.monotonic() + within
        self.until("(?!)", within=within)
        return self.process.wait(max(0.01, deadline - time.monotonic()))

    @property
    def output(self) -> str:
        """All that was printed so far."""
        return "".join(self.lines)


@pytest.fixture
def start(home: Home, unmeasured: dict[str, str]) -> Iterator[Start]:
    """Start a module of the example in the home; whatever is left of it is killed."""
    started: list[Running] = []

    def run(module: str, *arguments: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", f"scheduler_job.{module}", *arguments],
            cwd=home.path,
            env={**unmeasured, "PYTHONPATH": str(EXAMPLES), "TMPDIR": str(home.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(Running(process))
        return started[-1]

    try:
        yield run
    finally:
        for running in started:
            if running.process.poll() is None:
                running.process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    running.process.wait(STOPS_WITHIN)
                running.process.kill()
                running.process.wait()
            assert running.process.stdout is not None
            running.process.stdout.close()


def assert_nothing_is_left(home: Home) -> None:
    """No process knows of the home any more, and its temporary directory is empty."""
    deadline = time.monotonic() + 5.0
    while (left := home.processes()) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert left == set()
    assert list(home.temporary.iterdir()) == []


def cells(output: str) -> dict[str, list[str]]:
    """The table of the output: what each row says of legacy, then of the pipeline."""
    rows: dict[str, list[str]] = {}
    for line in output.splitlines():
        name, *values = re.split(r" {3,}", line.strip())
        rows[name] = values
    return rows


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=needs_postgresql)]
)
def test_the_same_outage_hangs_legacy_and_not_the_pipeline(
    database: str, home: Home, start: Start
) -> None:
    """Legacy stays for dead under a supervisord that sees nothing; the pipeline comes back."""
    began = time.monotonic()
    running = start("demo", "--database", database, "--down", "5", "--out", "pictures/outage.svg")
    assert running.ended(within=WITHIN) == 0, running.output
    assert time.monotonic() - began < 90
    rows = cells(running.output)
    assert rows["process exit"][0].startswith("never")
    assert rows["process exit"][1].endswith("exit status 75")
    assert int(rows["processes left"][0]) >= 3
    assert rows["processes left"][1] == "0"
    assert rows["ports held"] == ["2", "0"]
    assert rows["supervisord says"] == ["RUNNING", "RUNNING"]
    assert rows["restarted"][0] == "no"
    assert rows["due task done"][0].startswith("never")
    assert rows["tasks"] == ["1 of 2 done once, 1 lost", "2 of 2 done once"]
    picture = ET.parse(home.path / "pictures" / "outage.svg").getroot()  # noqa: S314 (our own)
    said = {"".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    for moment in ("loop dead", "process ends, exit status 75", "due task done", "still hanging"):
        assert any(text.endswith(f" s {moment}") for text in said), moment
    assert_nothing_is_left(home)


def test_one_spelling_alone_is_shown_and_judged_alone(home: Home, start: Start) -> None:
    """With `--only pipeline` there is one lane, and its coming back is enough.

    Without a terminal the progress is whole lines, and waits of 5 s and more are told.
    """
    running = start("demo", "--only", "pipeline", "--down", "6")
    assert running.ended(within=WITHIN) == 0, running.output
    assert "legacy" not in running.output
    assert "legacy" not in (home.path / "out" / "timeline.svg").read_text(encoding="utf-8")
    assert "the database is away: 5 s so far, 6 s at most" in running.output
    assert not set(running.output) & {"\r", "\b", "\x1b"}
    assert_nothing_is_left(home)


STAGES = {
    "at the start": "setting up",
    "as supervisord starts": "supervisord starts the scheduler",
    "before the outage": "task before started",
    "as the database goes": "THE DATABASE GOES AWAY",
    "with the loop dead": "legacy +loop dead",
    "as the database is back": "THE DATABASE IS BACK",
}


def ctrl_c_at(database: str, *stages: str) -> list[ParameterSet]:
    """The cases of the test below for one database, where it is."""
    marks = [] if database == "sqlite" else [needs_postgresql]
    return [pytest.param(database, stage, marks=marks) for stage in stages]


@pytest.mark.parametrize(
    ("database", "stage"),
    [
        *ctrl_c_at("sqlite", *STAGES),
        # Only these differ: something of its own is started, stopped, and started again.
        *ctrl_c_at(
            "postgresql", "at the start", "as the database goes", "as the database is back"
        ),
    ],
)
def test_ctrl_c_ends_the_demo_and_leaves_nothing(
    database: str, stage: str, home: Home, start: Start
) -> None:
    """Whenever Ctrl-C comes, the demo dies by it within seconds and has cleared up."""
    running = start("demo", "--database", database, "--down", "4")
    assert running.until(STAGES[stage], within=WITHIN), running.output
    running.process.send_signal(signal.SIGINT)
    assert running.ended(within=STOPS_WITHIN) == -signal.SIGINT, running.output
    assert_nothing_is_left(home)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_the_demo_likewise(
    signum: signal.Signals, home: Home, start: Start
) -> None:
    """SIGTERM and SIGHUP are as good as Ctrl-C."""
    running = start("demo", "--down", "4")
    assert running.until("legacy +loop dead", within=WITHIN), running.output
    running.process.send_signal(signum)
    assert running.ended(within=STOPS_WITHIN) == -signum, running.output
    assert_nothing_is_left(home)


def test_bad_usage_leaves_nothing_behind(home: Home, start: Start) -> None:
    """The demo refuses before it starts or writes anything."""
    running = start("demo", "--down", "-1")
    assert running.ended(within=WITHIN) == 2
    assert running.output.count("\n") == 1
    assert list(home.path.iterdir()) == [home.temporary]
    assert_nothing_is_left(home)


def test_a_soak_counts_every_run_and_loses_none(home: Home, start: Start) -> None:
    """Outages in a row, with and without a task under way, break no promise."""
    running = start("soak", "--runs", "2", "--down", "3")
    assert running.ended(within=WITHIN) == 0, running.output
    assert "2 runs, 0 broken promises" in running.output
    assert "4 of 4 done once" in running.output
    assert_nothing_is_left(home)


def test_a_pipeline_that_is_killed_leaves_nothing_and_is_restarted() -> None:
    """After SIGKILL its children are gone, its ports free, and the next one serves on them."""
    planned = outage.plan("sqlite", None).unwrap()
    with_ground = ground(planned)
    fates = with_ground.use(lambda on: matrix.cell(on, signal.SIGKILL, "task running")).unwrap()
    of = {fate.spelling: fate for fate in fates}
    assert matrix.broken(of["pipeline"], signal.SIGKILL) == []
    assert of["legacy"].left >= 3
    assert of["legacy"].held == 2
    assert of["legacy"].serves_after is None
