"""Take the database away from both spellings of the scheduler, and show what becomes of them.

    python -m scheduler_job.demo [--only legacy|pipeline] [--database sqlite|postgresql]
        [--down SECONDS] [--stop fast|immediate|lock] [--out FILE]

Exits 0 only if the legacy spelling hung as the story tells and the pipeline came back as
promised; otherwise every expectation that was not met is named, and the exit status is 1.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias, cast

from attrs import frozen

from resultflow import Result, do, run
from scheduler_job import options
from scheduler_job.chronicle import chronicle, reports, table
from scheduler_job.passage import (
    DONE_WITHIN,
    NotAsExpected,
    Outage,
    bring_up,
    cross,
    legacy_faults,
    pipeline_faults,
    verdict,
)
from scheduler_job.picture import picture
from scheduler_job.stage import Console, StageError, explain, ground, stage
from scheduler_job.timeline import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Final

    from resultflow import Bind
    from scheduler_job.options import Spelling
    from scheduler_job.outage import Plan
    from scheduler_job.passage import Passage
    from scheduler_job.stage import Stage

DOWN: Final = 8.0
# Teardown stops the schedulers, the database, and sweeps; each of these is bounded by itself.
GRACE: Final = 25.0


DemoError: TypeAlias = StageError | NotAsExpected


@frozen(kw_only=True)
class Options:
    """What the demo was told."""

    spellings: tuple[Spelling, ...]
    plan: Plan
    down: float
    picture: Path


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line, or end the process with one line and status 2."""
    parser = options.outage_parser(
        "demo", "Take the database away from a scheduler that is written in two ways."
    )
    options.add_down(parser, DOWN)
    parser.add_argument(
        "--only",
        type=options.one_of("a spelling", *options.SPELLINGS),
        metavar="|".join(options.SPELLINGS),
        help="run this spelling alone (default: both, side by side)",
    )
    parser.add_argument(
        "--out",
        default="out/timeline.svg",
        metavar="FILE",
        help="where the picture goes (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    only = cast("Spelling | None", given.only)
    return Options(
        spellings=options.SPELLINGS if only is None else (only,),
        plan=options.plan_of(parser, given.database, given.stop),
        down=given.down,
        picture=options.writable_file(parser, given.out),
    )


def main() -> Result[None, DemoError]:
    """Run the demo as the command line says."""
    given = parse(sys.argv[1:])
    console = Console()
    console.say(f"setting up: {given.plan.title}")
    with_stage = ground(given.plan).and_then(lambda on: stage(on, given.spellings, console))
    return with_stage.use(lambda ready: show(ready, given)).inspect_err(explain)


@do
def show(bind: Bind[DemoError], ready: Stage, given: Options) -> None:
    """Go through the outage, print and draw what was seen, and judge it."""
    bind(bring_up(ready))
    passages = bind(cross(ready, Outage(down=given.down, patience=DONE_WITHIN)))
    seen = [(passage, lane.watch) for passage, lane in zip(passages, ready.lanes, strict=True)]
    print("", *chronicle(seen), "", *reports(passages), *table(passages), "", sep="\n")
    given.picture.write_text(render(picture(seen, subtitle(ready))), encoding="utf-8")
    print(f"timeline: {given.picture}")
    bind(judge(passages))


def judge(passages: Sequence[Passage]) -> Result[None, NotAsExpected]:
    """`Ok` when legacy hung and the pipeline came back, as far as each of them ran."""
    return verdict(
        fault
        for passage in passages
        for fault in (
            legacy_faults(passage) if passage.name == "legacy" else pipeline_faults(passage)
        )
    )


def subtitle(ready: Stage) -> str:
    """With what, and when, the picture was made."""
    now = datetime.now(UTC)
    return " \N{MIDDLE DOT} ".join(
        (
            ready.database.title,
            f"supervisord {version('supervisor')}",
            f"{platform.python_implementation()} {platform.python_version()}",
            f"{now:%Y-%m-%d %H:%M} UTC",
        )
    )


def exit_code(_error: DemoError) -> int:
    """Every error is a failed demo; bad usage has ended the process before."""
    return 1


if __name__ == "__main__":
    run(main, exit_code=exit_code, grace=GRACE)
