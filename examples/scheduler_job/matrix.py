"""Send every signal at every moment to both spellings, and show side by side what they do.

    python -m scheduler_job.matrix [--database sqlite|postgresql] [--stop fast|immediate|lock]

The signal goes to the scheduler itself, as the kernel's out-of-memory killer or an operator
sends it, not to its group. The pipeline's cells are judged (exit status 1 if a promise was
broken); legacy's are shown.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from resultflow import Result, do, run
from scheduler_job import options
from scheduler_job.demo import GRACE
from scheduler_job.events import Kind
from scheduler_job.passage import (
    EXIT_WITHIN,
    READY_WITHIN,
    NotAsExpected,
    bring_up,
    first_from,
    never,
    serves,
    told,
    verdict,
)
from scheduler_job.stage import Console, StageError, explain, ground, stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from resultflow import Bind
    from scheduler_job.options import Spelling
    from scheduler_job.outage import Plan
    from scheduler_job.stage import Ground, Lane, Stage

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
PHASES: Final = ("idle", "task running", "database gone")
# Side by side in the table, the judged one first.
SPELLINGS: Final[tuple[Spelling, ...]] = ("pipeline", "legacy")
LEFT_AFTER: Final = 2.0
SERVES_WITHIN: Final = 10.0
TASK: Final = "long"
TASK_DURATION: Final = 60.0
# The signal comes before the scheduler has noticed that its database is gone.
GONE_BEFORE: Final = 0.3
WIDTHS: Final = (9, 15)
FATE_HEADS: Final = (("exit", 13), ("how", 24), ("left", 6), ("ports", 7), ("serves again", 15))

MatrixError: TypeAlias = StageError | NotAsExpected


@frozen(kw_only=True)
class Fate:
    """What a signal did to one scheduler; None is never."""

    spelling: Spelling
    exit_after: float | None
    how: str
    left: int
    held: int
    serves_after: float | None

    @property
    def cells(self) -> list[str]:
        """The fate as cells of the table."""
        return [
            told(self.exit_after),
            self.how or "alive",
            str(self.left),
            str(self.held),
            told(self.serves_after),
        ]


def main() -> Result[None, MatrixError]:
    """Run the matrix as the command line says."""
    parser = options.outage_parser("matrix", "Every signal at every moment, both spellings.")
    given = parser.parse_args(sys.argv[1:])
    plan: Plan = options.plan_of(parser, given.database, given.stop)
    print(
        f"{plan.title}; left and ports are counted {LEFT_AFTER:g} s after the exit; "
        "serves again: since the signal, or since the database's return"
    )
    return ground(plan).use(everything).inspect_err(explain)


@do
def everything(bind: Bind[MatrixError], on: Ground) -> None:
    """Fill the table cell by cell, each on a stage of its own, then judge it."""
    faults: list[str] = []
    _row(["", "", *(cell for spelling in SPELLINGS for cell in (spelling, "", "", "", ""))])
    _row(["signal", "moment", *(head for _ in SPELLINGS for head, _ in FATE_HEADS)])
    for signum in SIGNALS:
        for phase in PHASES:
            fates = bind(cell(on, signum, phase))
            _row([signum.name, phase, *(text for fate in fates for text in fate.cells)])
            faults += [
                f"{signum.name}, {phase}: {fault}"
                for fate in fates
                if fate.spelling == "pipeline"
                for fault in broken(fate, signum)
            ]
    bind(verdict(faults))


def cell(on: Ground, signum: signal.Signals, phase: str) -> Result[list[Fate], StageError]:
    """One signal at one moment, on a stage of its own."""
    name = f"_{signum.name}_{phase.replace(' ', '_')}".lower()
    with_stage = stage(on, SPELLINGS, Console(quiet=True), name=name)
    return with_stage.use(lambda ready: strike(ready, signum, phase))


@do
def strike(bind: Bind[StageError], ready: Stage, signum: signal.Signals, phase: str) -> list[Fate]:
    """Send the signal in the phase, and see what becomes of every scheduler."""
    bind(bring_up(ready))
    if phase == "task running":
        for lane in ready.lanes:
            bind(lane.add_task(TASK, duration=TASK_DURATION))
        bind(
            ready.wait_for(
                lambda: all(lane.watch.last(Kind.TASK_STARTED, TASK) for lane in ready.lanes),
                "waiting for the task to run",
                at_most=READY_WITHIN,
            )
        )
    if phase == "database gone":
        struck = bind(
            ready.outage().use(
                lambda _: ready.look_until(
                    never, "the database goes", at_most=GONE_BEFORE
                ).and_then(lambda _: hit(ready, signum))
            )
        )
        since = time.time()
    else:
        since = struck = bind(hit(ready, signum))
    bind(
        ready.look_until(
            lambda: all(_serves_again(lane, struck) for lane in ready.lanes),
            "waiting for the schedulers to serve again",
            at_most=SERVES_WITHIN,
        )
    )
    return [_fate(lane, struck, since) for lane in ready.lanes]


def hit(ready: Stage, signum: signal.Signals) -> Result[float, StageError]:
    """Send the signal, and look on until all have ended and what they leave has settled."""
    struck = time.time()
    for lane in ready.lanes:
        os.kill(lane.watch.now.pid, signum)

    def settled() -> bool:
        gone = [lane.watch.first(Kind.GONE, after=struck) for lane in ready.lanes]
        return all(one and time.time() >= one.at + LEFT_AFTER for one in gone)

    watched = ready.look_until(
        settled, "waiting for the schedulers to end", at_most=EXIT_WITHIN + LEFT_AFTER
    )
    return watched.map(lambda _: struck)


def _serves_again(lane: Lane, struck: float) -> bool:
    ready = lane.watch.last(Kind.READY)
    return ready is not None and ready.at > struck and serves(lane)


def _fate(lane: Lane, struck: float, since: float) -> Fate:
    watch = lane.watch
    gone = watch.first(Kind.GONE, after=struck)
    exited = watch.first(Kind.EXITED, after=struck)
    again = watch.last(Kind.READY)
    settled = first_from(watch.samples, gone.at + LEFT_AFTER) if gone else watch.now
    return Fate(
        spelling=lane.spelling,
        exit_after=gone.at - struck if gone else None,
        how=exited.detail if exited else "",
        left=len(settled.strangers) if gone else len(settled.children | settled.strangers),
        held=len(settled.held) if gone else len(settled.serving),
        serves_after=again.at - since if again and _serves_again(lane, struck) else None,
    )


def broken(fate: Fate, signum: signal.Signals) -> list[str]:
    """The promises that the pipeline broke."""
    expected = {
        f"it ends within {EXIT_WITHIN:g} s, not {told(fate.exit_after)}": (
            fate.exit_after is not None and fate.exit_after <= EXIT_WITHIN
        ),
        f"it dies by {signum.name}, not by {fate.how!r}": (
            fate.how == f"terminated by {signum.name}"
        ),
        f"it leaves no process, not {fate.left}": fate.left == 0,
        f"it leaves no port held, not {fate.held}": fate.held == 0,
        "the restarted one serves": fate.serves_after is not None,
    }
    return [f"expected that {what}" for what, holds in expected.items() if not holds]


def _row(cells: Sequence[str]) -> None:
    widths = (*WIDTHS, *(width for _ in SPELLINGS for _, width in FATE_HEADS))
    parts = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    print("".join(parts).rstrip(), flush=True)


def exit_code(_error: MatrixError) -> int:
    """Every error is a failed matrix; bad usage has ended the process before."""
    return 1


if __name__ == "__main__":
    run(main, exit_code=exit_code, grace=GRACE)
