"""One outage, lived through by every lane of a stage, and what each made of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import frozen

from resultflow import Err, Ok, do
from scheduler_job.events import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from resultflow import Bind, Result
    from resultflow.errors import ChildDied
    from scheduler_job.stage import Lane, Stage, StageError, Tally
    from scheduler_job.watch import Sample

READY_WITHIN: Final = 60.0
EXIT_WITHIN: Final = 5.0
DONE_WITHIN: Final = 15.0
# What an exit leaves is counted this much later: the kernel needs a moment to end the last ones.
SETTLE: Final = 1.0
# How long the tasks work: one that is done before the outage, one that it interrupts.
SHORT: Final = 1.0
LONG: Final = 4.0
LEAST_TOLD: Final = 0.1
SERVES: Final = 200
REPORT: Final = "resultflow: "


@frozen
class NotAsExpected:
    """What was to be shown did not happen."""

    faults: tuple[str, ...]


@frozen(kw_only=True)
class Passage:
    """A scheduler's way through an outage. Times are seconds since the epoch, None is never."""

    name: str
    down: float
    back: float
    end: float
    loop_dead: float | None
    exit: float | None
    status: str
    left: int
    held: int
    state: str
    health: int
    restarted: float | None
    ready: float | None
    due_done: float | None
    dues: tuple[float, ...]
    report: tuple[str, ...]
    tally: Tally

    @property
    def both_errors(self) -> bool:
        """Whether the report names what ended the loop and, after it, what failed then."""
        return any(line.startswith("  then ") for line in self.report[1:])

    @property
    def exit_after(self) -> float | None:
        """Seconds from the loop's death to the end of the process."""
        return between(self.loop_dead, self.exit)

    @property
    def done_after(self) -> float | None:
        """Seconds from the database's return until the task that was due is done."""
        return between(self.back, self.due_done)


def between(start: float | None, end: float | None) -> float | None:
    """The seconds from one moment to another, None when either never came."""
    return None if start is None or end is None else end - start


def serves(lane: Lane) -> bool:
    """Whether the scheduler is at work: ready, on its own ports, and RUNNING for supervisord.

    A good answer of /health alone says little: it may be an orphan's.
    """
    now = lane.watch.now
    ready = lane.watch.last(Kind.READY)
    return (
        ready is not None
        and ready.pid == now.pid
        and now.serving == frozenset(lane.watch.ports)
        and not now.held
        and now.health == SERVES
        and now.state == "RUNNING"
    )


@do
def bring_up(bind: Bind[StageError], stage: Stage) -> None:
    """Wait until every scheduler is at work."""
    bind(
        stage.wait_for(
            lambda: all(map(serves, stage.lanes)),
            "waiting for the schedulers to be at work",
            at_most=READY_WITHIN,
        )
    )


@frozen(kw_only=True)
class Outage:
    """What the schedulers of a stage, all at work, are put through.

    One task is done before; another falls due in the middle. When `busy`, the first is not done
    but under way as the database goes. The watch ends when both are done in every lane and all
    are at work again, or `patience` seconds after the database's return. The name tells the
    tasks of several outages from one another.
    """

    down: float
    patience: float
    busy: bool = False
    name: str = ""


@do
def cross(bind: Bind[StageError], stage: Stage, outage: Outage) -> list[Passage]:
    """Take the databases away, give them back, and see what becomes of every scheduler."""
    before, due, down = f"before{outage.name}", f"due{outage.name}", outage.down
    wanted = Kind.TASK_STARTED if outage.busy else Kind.TASK_DONE
    for lane in stage.lanes:
        bind(lane.add_task(before, duration=LONG if outage.busy else SHORT))
    bind(
        stage.wait_for(
            lambda: all(lane.watch.last(wanted, before) for lane in stage.lanes),
            f"waiting for {wanted.value}: {before}",
            at_most=READY_WITHIN,
        )
    )
    for lane in stage.lanes:
        bind(lane.add_task(due, due_in=down / 2))
    stage.console.say(f"THE DATABASE GOES AWAY: {stage.database.title}")
    gone_at = time.time()

    def stay_away(_: None) -> Result[bool, ChildDied]:
        return stage.look_until(never, "the database is away", at_most=down)

    bind(stage.outage().use(stay_away))
    back_at = time.time()
    stage.console.say("THE DATABASE IS BACK")

    def over(lane: Lane) -> bool:
        done = [lane.watch.last(Kind.TASK_DONE, key) for key in (before, due)]
        return all(done) and serves(lane)

    bind(
        stage.look_until(
            lambda: all(map(over, stage.lanes)),
            f"waiting for {' and '.join(stage.names)} to do what is due",
            at_most=outage.patience,
        )
    )
    return [bind(_passage(lane, gone_at, back_at, due)) for lane in stage.lanes]


def never() -> bool:
    """Happen never: a condition for waiting through."""
    return False


@do
def _passage(bind: Bind[StageError], lane: Lane, down: float, back: float, due: str) -> Passage:
    watch = lane.watch
    loop_dead = watch.first(Kind.LOOP_DEAD, after=down)
    gone = watch.first(Kind.GONE, after=down)
    exited = watch.first(Kind.EXITED, after=down)
    restarted = watch.first(Kind.SPAWNED, after=gone.at) if gone else None
    ready = watch.first(Kind.READY, after=gone.at) if gone else None
    due_done = watch.first(Kind.TASK_DONE, after=back, detail=due)
    settled = first_from(watch.samples, gone.at + SETTLE) if gone else watch.now
    return Passage(
        name=lane.spelling,
        down=down,
        back=back,
        end=watch.now.at,
        loop_dead=loop_dead.at if loop_dead else None,
        exit=gone.at if gone else None,
        status=exited.detail if exited else "",
        left=len(settled.strangers) if gone else len(settled.children | settled.strangers),
        held=len(settled.held) if gone else len(settled.serving),
        state=watch.now.state,
        health=watch.now.health,
        restarted=restarted.at if restarted else None,
        ready=ready.at if ready else None,
        due_done=due_done.at if due_done else None,
        dues=bind(lane.dues()),
        report=report_in(watch.log()),
        tally=bind(lane.tally()),
    )


def report_in(log: Sequence[str]) -> tuple[str, ...]:
    """The last report of an error in a log, without the places that it passed."""
    starts = [index for index, line in enumerate(log) if line.startswith(REPORT)]
    report: list[str] = []
    for line in log[starts[-1] :] if starts else ():
        if report and not line.startswith("  "):
            break
        if not line.lstrip().startswith("at "):
            report.append(line)
    return tuple(report)


def first_from(samples: list[Sample], moment: float) -> Sample:
    """The first sample that was taken from the moment on, or the last one that there is."""
    return next((sample for sample in samples if sample.at >= moment), samples[-1])


def legacy_faults(passage: Passage) -> list[str]:
    """What is not as the story tells of a scheduler that hangs."""
    if passage.loop_dead is None:
        return [_too_short(passage)]
    expected = {
        "its process is alive": passage.exit is None,
        "supervisord says RUNNING": passage.state == "RUNNING",
        "its children are left": passage.left > 0,
        "it does nothing that is due": passage.due_done is None,
    }
    return [f"legacy: expected that {what}" for what, holds in expected.items() if not holds]


def pipeline_faults(passage: Passage) -> list[str]:
    """What is not as promised of a scheduler that exits rightly and comes back."""
    if passage.loop_dead is None:
        return [_too_short(passage)]
    exit_after, done_after = passage.exit_after, passage.done_after
    expected = {
        f"it exits within {EXIT_WITHIN:g} s of its loop's death, not {told(exit_after)}": (
            exit_after is not None and exit_after <= EXIT_WITHIN
        ),
        f"it exits with a status other than 0, not {passage.status!r}": (
            passage.status not in {"", "exit status 0"}
        ),
        f"it leaves no process, not {passage.left}": passage.left == 0,
        f"it leaves no port held, not {passage.held}": passage.held == 0,
        "its log has both errors, the loop's and that of the job's completion": (
            # A completion that failed did so while the database was away.
            passage.both_errors or passage.exit is None or passage.exit >= passage.back
        ),
        "it is restarted": passage.restarted is not None,
        f"supervisord says RUNNING, not {passage.state}": passage.state == "RUNNING",
        f"/health answers {SERVES}, not {passage.health}": passage.health == SERVES,
        f"the due task is done within {DONE_WITHIN:g} s of the return, not {told(done_after)}": (
            done_after is not None and done_after <= DONE_WITHIN
        ),
        f"every task is done exactly once, not {passage.tally}": (
            passage.tally.done == passage.tally.total
        ),
    }
    return [f"pipeline: expected that {what}" for what, holds in expected.items() if not holds]


def verdict(faults: Iterable[str]) -> Result[None, NotAsExpected]:
    """`Ok` when there is no fault; each one there is gets a line of its own."""
    found = tuple(faults)
    for fault in found:
        print(f"NOT AS EXPECTED: {fault}", flush=True)
    return Err(NotAsExpected(found)) if found else Ok(None)


def told(value: float | None) -> str:
    """A length of time for people."""
    if value is None:
        return "never"
    return f"{value:.1f} s" if value >= LEAST_TOLD else f"under {LEAST_TOLD} s"


def _too_short(passage: Passage) -> str:
    away = passage.back - passage.down
    return (
        f"{passage.name}: expected that its loop dies, but it outlived an outage of {away:.1f} s; "
        "take a longer --down"
    )
