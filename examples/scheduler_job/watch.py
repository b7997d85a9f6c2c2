"""All that is seen of one scheduler under one supervisord, look by look."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from scheduler_job.events import Event, Kind, LogTail, parse_line
from scheduler_job.observe import (
    HealthProbe,
    Process,
    Supervisor,
    descendants,
    listeners,
    processes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@frozen(kw_only=True)
class Sample:
    """One look at a lane.

    `children` descend from the scheduler of the moment; `strangers` carry the marker but no
    longer descend from supervisord: they were left behind. `serving` are the ports that are
    listened on, `held` those of them where a stranger, or nobody known, listens.
    """

    at: float
    pid: int
    children: frozenset[int]
    strangers: frozenset[int]
    held: frozenset[int]
    serving: frozenset[int]
    state: str
    health: int


@define
class Watch:
    """All that is seen of one scheduler under one supervisord."""

    name: str
    marker: str
    ports: tuple[int, ...]
    state_dir: Path
    supervisord: int
    probe: HealthProbe
    events: list[Event] = field(factory=list[Event], init=False)
    samples: list[Sample] = field(factory=list[Sample], init=False)
    supervisor: Supervisor = field(init=False)
    _tails: tuple[LogTail, ...] = field(init=False)
    _live: int = field(default=0, init=False)
    _waits: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.supervisor = Supervisor(self.state_dir / "supervisor.sock")
        self._tails = tuple(
            LogTail(self.state_dir / name) for name in ("supervisord.log", "scheduler.log")
        )

    def look(self) -> list[Event]:
        """Take one sample and return what happened since the last."""
        new = [
            event for tail in self._tails for line in tail.lines() if (event := parse_line(line))
        ]
        now = time.time()
        table = processes(self.marker)
        ends: list[Event] = []
        for event in new:
            if event.kind in {Kind.SPAWNED, Kind.EXITED}:
                ends += self._end_of_live(event.at, event.pid)
        if self._live not in table:
            ends += self._end_of_live(now, 0)
        new = self._without_repeats(sorted([*ends, *new], key=lambda event: event.at))
        self.events += new
        self.samples.append(self._sample(now, table))
        return new

    def _without_repeats(self, new: list[Event]) -> list[Event]:
        """Of the waits for the database of one start, the first is news."""
        kept: list[Event] = []
        for event in new:
            repeated = event.kind is Kind.WAITING and self._waits
            if event.kind in {Kind.SPAWNED, Kind.WAITING}:
                self._waits = event.kind is Kind.WAITING
            if not repeated:
                kept.append(event)
        return kept

    def _end_of_live(self, at: float, successor: int) -> list[Event]:
        ended, self._live = self._live, successor
        return [Event(at, Kind.GONE, pid=ended)] if ended else []

    def _sample(self, now: float, table: Mapping[int, Process]) -> Sample:
        strangers = table.keys() - descendants(table, self.supervisord) - {self.supervisord}
        listening = listeners(self.ports, table)
        held = {port for port, pids in listening.items() if not pids or pids & strangers}
        program = self.supervisor.program()
        return Sample(
            at=now,
            pid=self._live,
            children=descendants(table, self._live) if self._live else frozenset(),
            strangers=frozenset(strangers),
            held=frozenset(held),
            serving=frozenset(listening),
            state=program.name if program else "no answer",
            health=self.probe.status,
        )

    @property
    def now(self) -> Sample:
        """The latest sample."""
        return self.samples[-1]

    def first(self, kind: Kind, *, after: float = 0.0, detail: str | None = None) -> Event | None:
        """The first such event after a moment."""
        for event in self.events:
            if event.kind is kind and event.at > after and detail in {None, event.detail}:
                return event
        return None

    def last(self, kind: Kind, detail: str | None = None) -> Event | None:
        """The latest such event."""
        for event in reversed(self.events):
            if event.kind is kind and detail in {None, event.detail}:
                return event
        return None

    def log(self) -> list[str]:
        """The scheduler's log so far, or what supervisord says when there is none."""
        for name in ("scheduler.log", "supervisord.log", "supervisord.out"):
            with suppress(OSError):
                lines = (self.state_dir / name).read_text(errors="replace").splitlines()
                if lines:
                    return lines
        return []
