from collections.abc import Mapping, Sequence
from signal import Signals
from typing import IO

from daemon.pidfile import TimeoutPIDLockFile

class DaemonContext:
    def __init__(
        self,
        *,
        pidfile: TimeoutPIDLockFile,
        files_preserve: Sequence[IO[str]],
        stdout: IO[str],
        stderr: IO[str],
        umask: int,
        signal_map: Mapping[Signals, str | None],
    ) -> None: ...
    def open(self) -> None: ...
