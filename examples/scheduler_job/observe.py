"""See what is really there: processes, ports, supervisord's word, /health.

Nothing here trusts the scheduler. A process belongs to a lane when its environment carries the
lane's marker, which every descendant inherits, or when it works in the directory of that name;
so an orphan is found as well.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from attrs import define, field, frozen

from resultflow import Ok, Resource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Final, Never

MARKER: Final = "SCHEDULER_DEMO_ID"
PROGRAM: Final = "scheduler"
ANSWER_WITHIN: Final = 1.0
HEALTH_EVERY: Final = 0.25
# Longer than a health server needs to find out that its database is gone.
HEALTH_WITHIN: Final = 4.0
LISTENING: Final = "0A"


@frozen
class Process:
    """A live process; `born` tells it from a later one with the same number."""

    pid: int
    parent: int
    born: int


def processes(marker: str) -> dict[int, Process]:
    """The live processes that carry the marker, or one below it (`marker/...`)."""
    found: dict[int, Process] = {}
    for entry in os.scandir("/proc"):
        # A process may end, and another user's may refuse, between any two of these reads.
        with suppress(OSError):
            if entry.name.isdigit() and _is_marked(entry.name, marker):
                process = _process(entry.name)
                if process is not None:
                    found[process.pid] = process
    return found


def _is_marked(pid: str, marker: str) -> bool:
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    wanted = f"\0{MARKER}={marker}".encode()
    if any(wanted + end in b"\0" + environment + b"\0" for end in (b"\0", b"/")):
        return True
    # A server that writes its title over its environment, as PostgreSQL does, kept its place.
    return f"/{marker}/" in f"{Path(f'/proc/{pid}/cwd').readlink()}/"


def _process(pid: str) -> Process | None:
    # The name in parentheses may itself hold spaces and parentheses.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    state, parent, born = fields[0], int(fields[1]), int(fields[19])
    return None if state in {b"Z", b"X"} else Process(int(pid), parent, born)


def descendants(table: Mapping[int, Process], root: int) -> frozenset[int]:
    """The processes of the table that come from root, root left out."""
    found: set[int] = set()
    grown = True
    while grown:
        born = {pid for pid, process in table.items() if process.parent in found | {root}}
        grown = not born <= found
        found |= born
    return frozenset(found)


def kill_all(marker: str, *, within: float) -> frozenset[int]:
    """Kill every process with the marker and return those that are still there after `within`.

    Repeated until none is left, since one that is killed may just have forked another.
    """
    deadline = time.monotonic() + within
    while (table := processes(marker)) and time.monotonic() < deadline:
        for process in table.values():
            _kill(process)
        time.sleep(0.02)
    return frozenset(table)


def _kill(process: Process) -> None:
    with suppress(OSError):
        handle = os.pidfd_open(process.pid)
        try:
            # The number may have gone to a stranger since; the handle no longer can.
            found = _process(str(process.pid))
            if found is not None and found.born == process.born:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def listeners(ports: Collection[int], among: Collection[int]) -> dict[int, frozenset[int]]:
    """Which of the ports are listened on, and by which of the processes `among`."""
    inodes = _listening_inodes(ports)
    owners: dict[int, set[int]] = {port: set() for port in inodes.values()}
    if inodes:
        for pid in among:
            for inode in _sockets(pid):
                if inode in inodes:
                    owners[inodes[inode]].add(pid)
    return {port: frozenset(pids) for port, pids in owners.items()}


def _listening_inodes(ports: Collection[int]) -> dict[str, int]:
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                port = int(fields[1].rpartition(":")[2], 16)
                if fields[3] == LISTENING and port in ports:
                    inodes[fields[9]] = port
    return inodes


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = str(Path(descriptor.path).readlink())
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [cast("tuple[str, int]", one.getsockname())[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@frozen
class ProgramState:
    """What supervisord says about the scheduler; pid 0 means that there is none."""

    name: str
    pid: int


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_WITHIN)
        try:
            self.sock.connect(str(self._path))
        except BaseException:
            self.sock.close()
            raise


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> _UnixConnection:
        connection = _UnixConnection(self._path)
        # Where `close` looks for it.
        self._connection = (host, connection)
        return connection


_NO_ANSWER: Final = (OSError, http.client.HTTPException, xmlrpc.client.Error)


@frozen
class Supervisor:
    """The running supervisord, asked over its socket."""

    socket_path: Path

    def program(self) -> ProgramState | None:
        """The scheduler's state, or None when supervisord does not answer."""
        try:
            with self._proxy() as proxy:
                answer = proxy.supervisor.getProcessInfo(PROGRAM)
        except _NO_ANSWER:
            return None
        info = cast("dict[str, object]", answer)
        return ProgramState(str(info["statename"]), cast("int", info["pid"]))

    def _proxy(self) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy(
            "http://localhost", transport=_UnixTransport(self.socket_path)
        )


@define
class HealthProbe:
    """Asks /health again and again; in a thread, since an answer may take its time."""

    port: int
    status: int = field(default=0, init=False)
    _stop: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._ask_on, name="health", daemon=True)

    def _ask_on(self) -> None:
        while not self._stop.wait(HEALTH_EVERY):
            self.status = health(self.port)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more; an answer that is still awaited is not."""
        self._stop.set()


def health(port: int) -> int:
    """The status that /health answers now, 0 when nobody answers in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HEALTH_WITHIN)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def health_probe(port: int) -> Resource[HealthProbe, Never]:
    """A probe that asks for as long as the resource is in use."""

    def started() -> Ok[HealthProbe]:
        probe = HealthProbe(port)
        probe.start()
        return Ok(probe)

    return Resource.make(started, lambda probe, _exit: probe.close())
