"""From what was seen of an outage to the picture of it."""

from __future__ import annotations

import statistics
from itertools import groupby
from typing import TYPE_CHECKING

from scheduler_job.events import Kind
from scheduler_job.passage import SERVES, told
from scheduler_job.timeline import Dot, Lane, Look, Moment, Row, Sign, Span, Timeline, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final, TypeAlias

    from scheduler_job.passage import Passage
    from scheduler_job.watch import Sample, Watch

    State: TypeAlias = tuple[Look, str] | None

LEAD: Final = 5.0
TASKS_ROW: Final = 4
PROGRAM_LOOKS: Final = {
    "RUNNING": Look.GOOD,
    "STARTING": Look.WAITING,
    "BACKOFF": Look.WAITING,
    "FATAL": Look.BAD,
}


def picture(passages: Sequence[tuple[Passage, Watch]], subtitle: str) -> Timeline:
    """The timeline of one outage, a lane for each scheduler."""
    first = passages[0][0]
    away = first.back - first.down
    short = "; ".join(_in_short(passage) for passage, _ in passages)
    return Timeline(
        title=f"The database was away for {away:.1f} s: {short}",
        subtitle=subtitle,
        description=" ".join(f"{passage.name}: {finding(passage)}." for passage, _ in passages),
        start=max(-LEAD, min(watch.samples[0].at for _, watch in passages) - first.down - 0.5),
        end=max(passage.end for passage, _ in passages) - first.down,
        outage=Span(start=0.0, end=away, look=Look.BAD, text=f"database away {away:.1f} s"),
        lanes=tuple(_lane(passage, watch) for passage, watch in passages),
    )


def came_back(passage: Passage) -> bool:
    """Whether the scheduler is at work again."""
    return passage.exit is not None and passage.due_done is not None


def finding(passage: Passage) -> str:
    """What became of one scheduler, in a sentence."""
    if passage.loop_dead is None:
        return "its loop outlived the outage"
    if passage.exit is None:
        watched = passage.end - passage.loop_dead
        return (
            f"hangs: {watched:.1f} s after its loop died the process is alive, supervisord says "
            f"{passage.state}, {passage.left} other processes and {passage.held} ports are held"
        )
    exited = f"exited {told(passage.exit_after)} after its loop died ({passage.status})"
    if passage.done_after is None:
        return f"{exited}, but did not do the due task"
    return (
        f"{exited}, left {_leavings(passage)} behind, and did the due task "
        f"{told(passage.done_after)} after the return"
    )


def _leavings(passage: Passage) -> str:
    if not passage.left and not passage.held:
        return "nothing"
    return f"{passage.left} processes and {passage.held} ports"


def _in_short(passage: Passage) -> str:
    if passage.loop_dead is None:
        return f"{passage.name} did not notice"
    if passage.exit is None:
        hung = passage.end - passage.loop_dead
        return f"{passage.name} still hung {hung:.0f} s after its loop died"
    if passage.done_after is None:
        return f"{passage.name} exited and did not come back"
    return (
        f"{passage.name} exited, was restarted and did its work {told(passage.done_after)} "
        "after the return"
    )


def _lane(passage: Passage, watch: Watch) -> Lane:
    look = Look.GOOD if came_back(passage) else Look.BAD
    return Lane(
        name=passage.name,
        finding=finding(passage),
        look=look,
        rows=(
            _scheduler(passage, watch),
            _supervisord(passage, watch),
            _processes(passage, watch),
            _health(passage, watch),
            _tasks(passage, watch),
        ),
        moments=tuple(_moments(passage)),
    )


def _scheduler(passage: Passage, watch: Watch) -> Row:
    changes: list[tuple[float, State]] = []
    pid = 0
    for event in watch.events:
        pid = event.pid if event.kind is Kind.SPAWNED else pid
        states: dict[Kind, State] = {
            Kind.SPAWNED: (Look.WAITING, "starts"),
            Kind.WAITING: (Look.WAITING, "waits"),
            Kind.READY: (Look.GOOD, f"pid {pid}"),
            Kind.LOOP_DEAD: (Look.BAD, f"pid {pid}: the loop is dead, the process is not"),
            Kind.GONE: None,
        }
        if event.kind in states:
            changes.append((event.at - passage.down, states[event.kind]))
    hangs = passage.loop_dead is not None and passage.exit is None
    return Row(
        name="scheduler",
        spans=steps(changes, passage.end - passage.down),
        at_end="loop dead, process alive" if hangs else f"pid {pid}",
        end_look=Look.BAD if hangs else Look.GOOD,
    )


def _supervisord(passage: Passage, watch: Watch) -> Row:
    def state(sample: Sample) -> State:
        look = PROGRAM_LOOKS.get(sample.state)
        return None if look is None else (look, sample.state)

    return Row(
        name="supervisord says",
        spans=steps(_sampled(passage, watch, state), passage.end - passage.down),
        at_end=passage.state,
        end_look=Look.GOOD if passage.state == "RUNNING" else Look.BAD,
    )


def _processes(passage: Passage, watch: Watch) -> Row:
    """How many there are beside the scheduler; short-lived ones do not break up the row."""
    ready_pids = {event.pid for event in watch.events if event.kind is Kind.READY}

    def look(sample: Sample) -> Look | None:
        if not sample.children | sample.strangers:
            return None
        dead = passage.loop_dead is not None and sample.at >= passage.loop_dead
        unwell = dead and (passage.exit is None or sample.at < passage.exit)
        if unwell or sample.strangers:
            return Look.BAD
        return Look.GOOD if sample.pid in ready_pids else Look.WAITING

    changes: list[tuple[float, State]] = []
    for kind, group in groupby(watch.samples, key=look):
        samples = list(group)
        usual = statistics.mode(len(one.children | one.strangers) for one in samples)
        state = None if kind is None else (kind, str(usual))
        changes.append((samples[0].at - passage.down, state))
    clean = not passage.left and not passage.held
    return Row(
        name="other processes",
        spans=steps(changes, passage.end - passage.down),
        at_end=f"{passage.left} left, {passage.held} ports held",
        end_look=Look.GOOD if clean else Look.BAD,
    )


def _health(passage: Passage, watch: Watch) -> Row:
    def state(sample: Sample) -> State:
        if not sample.health:
            return None
        return (Look.GOOD if sample.health == SERVES else Look.BAD), str(sample.health)

    return Row(
        name="/health",
        spans=steps(_sampled(passage, watch, state), passage.end - passage.down),
        at_end=str(passage.health or "no answer"),
        end_look=Look.GOOD if passage.health == SERVES else Look.BAD,
    )


def _tasks(passage: Passage, watch: Watch) -> Row:
    started: dict[str, float] = {}
    spans: list[Span] = []
    dots = [Dot(at=due - passage.down, sign=Sign.DUE) for due in passage.dues]
    for event in watch.events:
        at = event.at - passage.down
        if event.kind is Kind.TASK_STARTED:
            started[event.detail] = at
        elif event.kind is Kind.TASK_DONE:
            spans.append(Span(start=started.get(event.detail, at), end=at, look=Look.GOOD))
            dots.append(Dot(at=at, sign=Sign.DONE))
    all_done = passage.tally.done == passage.tally.total
    return Row(
        name="tasks",
        spans=tuple(spans),
        dots=tuple(dots),
        at_end=f"{passage.tally.done} of {passage.tally.total} done",
        end_look=Look.GOOD if all_done else Look.BAD,
    )


def _sampled(
    passage: Passage, watch: Watch, state: Callable[[Sample], State]
) -> list[tuple[float, State]]:
    return [(sample.at - passage.down, state(sample)) for sample in watch.samples]


def _moments(passage: Passage) -> list[Moment]:
    told_moments = [
        (passage.loop_dead, "loop dead", Look.BAD, 0),
        (passage.exit, f"process ends, {passage.status}", Look.GOOD, 0),
        (passage.restarted, "restarted", Look.WAITING, 0),
        (passage.ready, "ready again", Look.GOOD, 0),
        (passage.due_done, "due task done", Look.GOOD, TASKS_ROW),
        (passage.end if passage.exit is None else None, "still hanging", Look.BAD, 0),
    ]
    return [
        Moment(at=at - passage.down, text=text, look=look, row=row)
        for at, text, look, row in told_moments
        if at is not None and passage.loop_dead is not None
    ]
