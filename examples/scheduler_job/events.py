"""What the logs of the scheduler and of supervisord tell, as events."""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from scheduler_job.observe import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Final


class Kind(enum.Enum):
    """What an event tells."""

    SPAWNED = "spawned"
    READY = "ready"
    WAITING = "waits for the database"
    TASK_STARTED = "task started"
    TASK_DONE = "task done"
    LOOP_DEAD = "loop dead"
    GONE = "process gone"
    EXITED = "exit"
    RUNNING = "supervisord says RUNNING"
    GAVE_UP = "supervisord gave up"


@frozen
class Event:
    """Something that happened in a lane; `detail` is the task, the status or the reason."""

    at: float
    kind: Kind
    detail: str = ""
    pid: int = 0


_PATTERNS: Final = {
    Kind.SPAWNED: re.compile(rf"spawned: '{PROGRAM}' with pid (?P<pid>\d+)"),
    Kind.EXITED: re.compile(rf"(?:exited|stopped): {PROGRAM} \((?P<detail>[^;)]+)"),
    Kind.RUNNING: re.compile(rf"success: {PROGRAM} entered RUNNING state"),
    Kind.GAVE_UP: re.compile(rf"gave up: {PROGRAM} entered (?P<detail>\w+) state"),
    Kind.READY: re.compile(r"scheduler ready job=\d+ pid=(?P<pid>\d+)"),
    Kind.WAITING: re.compile(r"waiting for the database: (?P<detail>.*)"),
    Kind.LOOP_DEAD: re.compile(r"scheduler loop dead: (?P<detail>.*)"),
    Kind.TASK_STARTED: re.compile(
        r"task (?P<detail>\S+) started job=\d+ run=\d+ pid=(?P<pid>\d+)"
    ),
    Kind.TASK_DONE: re.compile(r"task (?P<detail>\S+) done$"),
}
_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[.,](\d{3}) [A-Z]+ (.*)")


def parse_line(line: str) -> Event | None:
    """The event that a log line of the scheduler or of supervisord tells, if it tells one."""
    match = _LINE.match(line)
    if match is None:
        return None
    second, millisecond, message = match.groups()
    # Both log in UTC: the scheduler always, supervisord because it runs with TZ=UTC.
    moment = datetime.strptime(second, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    at = moment.timestamp() + int(millisecond) / 1000
    for kind, pattern in _PATTERNS.items():
        found = pattern.match(message)
        if found is not None:
            groups = found.groupdict()
            return Event(at, kind, groups.get("detail") or "", int(groups.get("pid") or 0))
    return None


@define
class LogTail:
    """The lines that a growing file has gained since the last look."""

    path: Path
    _offset: int = field(default=0, init=False)
    _rest: bytes = field(default=b"", init=False)

    def lines(self) -> list[str]:
        """New complete lines; the file need not exist yet."""
        try:
            with self.path.open("rb") as log:
                log.seek(self._offset)
                new = log.read()
        except FileNotFoundError:
            return []
        self._offset += len(new)
        *complete, self._rest = (self._rest + new).split(b"\n")
        return [line.decode(errors="replace") for line in complete]
