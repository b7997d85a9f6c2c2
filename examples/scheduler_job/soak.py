"""Put the pipeline through many outages in a row, and judge every one.

    python -m scheduler_job.soak [--runs N] [--database sqlite|postgresql] [--down SECONDS]
        [--stop fast|immediate|lock]

One supervisord, one database, one row an outage; in every other one a task is under way when the
database goes. Exits 1 if any of them broke a promise.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from resultflow import Result, do, run
from scheduler_job import options
from scheduler_job.demo import GRACE
from scheduler_job.passage import (
    DONE_WITHIN,
    EXIT_WITHIN,
    NotAsExpected,
    Outage,
    between,
    bring_up,
    cross,
    pipeline_faults,
    told,
    verdict,
)
from scheduler_job.stage import Console, StageError, explain, ground, stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from resultflow import Bind
    from scheduler_job.outage import Plan
    from scheduler_job.passage import Passage
    from scheduler_job.stage import Stage

RUNS: Final = 10
DOWN: Final = 5.0
HEADS: Final = (
    ("run", 4),
    ("as it went", 13),
    ("loop dead", 11),
    ("exit", 13),
    ("status", 16),
    ("left", 6),
    ("ports", 7),
    ("restarted", 13),
    ("due task done", 15),
    ("runs counted", 0),
)

SoakError: TypeAlias = StageError | NotAsExpected


@frozen(kw_only=True)
class Options:
    """What the soak was told."""

    runs: int
    plan: Plan
    down: float


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line, or end the process with one line and status 2."""
    parser = options.outage_parser("soak", "Put the pipeline through many outages in a row.")
    options.add_down(parser, DOWN)
    parser.add_argument(
        "--runs",
        type=options.count,
        default=RUNS,
        metavar="N",
        help="how many outages (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    return Options(
        runs=given.runs,
        plan=options.plan_of(parser, given.database, given.stop),
        down=given.down,
    )


def main() -> Result[None, SoakError]:
    """Run the soak as the command line says."""
    given = parse(sys.argv[1:])
    print(f"{given.plan.title}; away for {given.down:g} s each time; runs to do: {given.runs}")
    with_stage = ground(given.plan).and_then(
        lambda on: stage(on, ["pipeline"], Console(quiet=True))
    )
    return with_stage.use(lambda ready: soak(ready, given)).inspect_err(explain)


@do
def soak(bind: Bind[SoakError], ready: Stage, given: Options) -> None:
    """Go through one outage after the other, a row each, then judge them all."""
    _row([head for head, _ in HEADS])
    faults: list[str] = []
    passages: list[Passage] = []
    bind(bring_up(ready))
    for number in range(1, given.runs + 1):
        busy = number % 2 == 0
        outage = Outage(down=given.down, patience=DONE_WITHIN, busy=busy, name=f"-{number}")
        [passage] = bind(cross(ready, outage))
        passages.append(passage)
        faults += [f"run {number}: {fault}" for fault in pipeline_faults(passage)]
        _row([str(number), "task running" if busy else "idle", *_facts(passage)])
    exits = _longest(passage.exit_after for passage in passages)
    returns = _longest(passage.done_after for passage in passages)
    print(
        f"{len(passages)} runs, {len(faults)} broken promises; at most {exits} from the loop's "
        f"death to the exit ({EXIT_WITHIN:g} s allowed), {returns} from the return to the due "
        f"task's end ({DONE_WITHIN:g} s allowed); {passages[-1].tally}"
    )
    bind(verdict(faults))


def _facts(passage: Passage) -> list[str]:
    tally = passage.tally
    return [
        told(between(passage.down, passage.loop_dead)),
        told(passage.exit_after),
        passage.status,
        str(passage.left),
        str(passage.held),
        told(between(passage.exit, passage.restarted)),
        told(passage.done_after),
        f"{tally.done} done once, {tally.lost} lost, {tally.twice} twice",
    ]


def _longest(times: Iterable[float | None]) -> str:
    known = list(times)
    return told(None if None in known else max(time for time in known if time is not None))


def _row(cells: Sequence[str]) -> None:
    parts = (cell.ljust(width) for cell, (_, width) in zip(cells, HEADS, strict=True))
    print("".join(parts).rstrip(), flush=True)


def exit_code(_error: SoakError) -> int:
    """Every error is a failed soak; bad usage has ended the process before."""
    return 1


if __name__ == "__main__":
    run(main, exit_code=exit_code, grace=GRACE)
