"""What was seen of an outage, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler_job.events import Kind
from scheduler_job.passage import between, told
from scheduler_job.stage import in_words
from scheduler_job.timeline import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from scheduler_job.passage import Passage
    from scheduler_job.watch import Watch

COLUMN: Final = 46
LINE: Final = 99
TOLD: Final = {
    Kind.SPAWNED,
    Kind.READY,
    Kind.WAITING,
    Kind.LOOP_DEAD,
    Kind.GONE,
    Kind.EXITED,
    Kind.TASK_DONE,
    Kind.GAVE_UP,
}


def columns(rows: Iterable[Sequence[str]], *, gap: int = 2) -> list[str]:
    """The rows with every column as wide as its widest cell."""
    listed = [list(row) for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*listed, strict=True)]
    return [
        (" " * gap)
        .join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in listed
    ]


def table(passages: Sequence[Passage]) -> list[str]:
    """The findings side by side."""
    facts = [_facts(passage) for passage in passages]
    head = ["", *(passage.name for passage in passages)]
    return columns([head, *([name, *(each[name] for each in facts)] for name in facts[0])], gap=3)


def _facts(passage: Passage) -> dict[str, str]:
    noticed = between(passage.down, passage.loop_dead)
    restart = between(passage.exit, passage.restarted)
    watched = f"never ({passage.end - passage.down:.1f} s watched)"
    return {
        "database away": told(passage.back - passage.down),
        "loop dead": "never" if noticed is None else f"after {told(noticed)}",
        "process exit": (
            watched
            if passage.exit_after is None
            else f"{told(passage.exit_after)} later, {passage.status}"
        ),
        "processes left": str(passage.left),
        "ports held": str(passage.held),
        "supervisord says": passage.state,
        "restarted": "no" if restart is None else f"{told(restart)} after the exit",
        "due task done": (
            watched
            if passage.done_after is None
            else f"{told(passage.done_after)} after the return"
        ),
        "tasks": str(passage.tally),
    }


def chronicle(passages: Sequence[tuple[Passage, Watch]]) -> list[str]:
    """What happened in every lane, in order, in seconds since the database went away."""
    first = passages[0][0]
    lines: list[tuple[float, int, str]] = []
    for index, (passage, watch) in enumerate(passages):
        lines += [
            (event.at, index, in_words(event)) for event in watch.events if event.kind in TOLD
        ]
        lines += [(due, index, "a task falls due") for due in passage.dues if due > passage.down]
        if passage.loop_dead is not None and passage.exit is None:
            lines.append((passage.end, index, "still hanging"))
    everywhere = [
        (first.down, -1, "the database goes away"),
        (first.back, -1, "the database is back"),
    ]
    rows = [["", *(passage.name for passage, _ in passages)]]
    for at, index, text in sorted([*lines, *everywhere]):
        cells = [_cut(text) if index in {place, -1} else "" for place in range(len(passages))]
        rows.append([seconds(at - first.down).rjust(8), *cells])
    return columns(rows)


def reports(passages: Sequence[Passage]) -> list[str]:
    """What the lanes logged of their ends, as far as they could tell."""
    return [
        line
        for passage in passages
        if passage.report
        for line in (
            f"what {passage.name} logged of its end:",
            *(_cut(f"  {entry}", LINE) for entry in passage.report),
            "",
        )
    ]


def _cut(text: str, width: int = COLUMN) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
