"""The two servers beside the scheduler: run logs, and whether it is alive. Loopback only.

Each is the target of a child process. A port that is taken ends the child with `PORT_TAKEN`,
so that whoever started it can tell.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
from sqlalchemy.exc import DBAPIError

from scheduler_job import store
from scheduler_job.settings import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import NoReturn

    from sqlalchemy.engine import Engine

LOOPBACK = "127.0.0.1"
PORT_TAKEN = 69
"""Exit status of a server whose port is taken (EX_UNAVAILABLE in sysexits.h)."""

ANSWER_WITHIN = 3.0
"""Seconds within which the database must have answered; a frozen one never does."""

LOG_PATH = re.compile(rf"/({store.KEY.pattern}\.log)")

_asking = ThreadPoolExecutor(max_workers=1)  # one: requests must not pile up connections
logger = logging.getLogger(__name__)


def serve_logs(run_dir: Path, port: int) -> NoReturn:
    """Serve `GET /<task key>.log` until SIGTERM, as gunicorn does: a master and its worker."""
    log_to_stderr()
    server = _listen("log server", port, partial(_run_log, run_dir))
    signal.signal(signal.SIGTERM, _exit)
    # Held back until the worker is known: a SIGTERM right after the fork must end it, too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        server.serve_forever()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        server.server_close()
        _, status = os.waitpid(worker, 0)
    except SystemExit:
        # The signal may have gone to the whole group, and the worker may be gone already.
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(worker, signal.SIGTERM)
            os.waitpid(worker, 0)
        raise
    code = os.waitstatus_to_exitcode(status)
    logger.error("log server: worker %s ended by itself with %s", worker, code)
    sys.exit(1)


def serve_health(database: str, port: int, stale_after: float) -> None:
    """Serve `GET /health` until SIGTERM: 200 while a running job is alive, else 503."""
    log_to_stderr()
    engine = store.connect(database)
    _listen("health server", port, partial(_health, engine, stale_after)).serve_forever()


@attrs.frozen
class Health:
    """What `GET /health` answers."""

    status: Literal["fresh", "stale", "database gone"]
    latest_heartbeat: str | None = None
    age: float | None = None


def health(engine: Engine, stale_after: float) -> Health:
    """Judge the latest heartbeat, in bounded time whatever became of the database."""
    asked = _asking.submit(store.latest_heartbeat, engine)
    try:
        latest = asked.result(ANSWER_WITHIN)
    except (DBAPIError, TimeoutError):
        asked.cancel()
        return Health("database gone")
    if latest is None:
        return Health("stale")
    age = (store.utc_now() - latest).total_seconds()
    return Health("fresh" if age <= stale_after else "stale", latest.isoformat(), age)


@attrs.frozen
class _Answer:
    status: HTTPStatus
    kind: str
    body: bytes


NOT_FOUND = _Answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n")


def _run_log(run_dir: Path, path: str) -> _Answer:
    wanted = LOG_PATH.fullmatch(path)
    text = wanted and _read_regular(run_dir / wanted[1])
    if text is None:
        return NOT_FOUND
    return _Answer(HTTPStatus.OK, "text/plain; charset=utf-8", text)


def _health(engine: Engine, stale_after: float, path: str) -> _Answer:
    if path != "/health":
        return NOT_FOUND
    found = health(engine, stale_after)
    status = HTTPStatus.OK if found.status == "fresh" else HTTPStatus.SERVICE_UNAVAILABLE
    return _Answer(status, "application/json", json.dumps(attrs.asdict(found)).encode())


def _read_regular(path: Path) -> bytes | None:
    """Read a file of the run directory itself: no link out of it, no pipe that never ends."""
    try:
        with open(path, "rb", opener=_without_following) as file:
            return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer looks up the host's name here, which can take seconds without a resolver.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]


def _listen(name: str, port: int, answer: Callable[[str], _Answer]) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        timeout: ClassVar[float | None] = 5.0

        def do_GET(self) -> None:
            found = answer(self.path)
            self.send_response(found.status)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
            # Probes come every second; at INFO they would bury the scheduler's own lines.
            logger.debug("%s: %s", name, format % args)

    try:
        return _Server((LOOPBACK, port), Handler)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
        logger.error("%s: port %s is taken; free it or configure another", name, port)  # noqa: TRY400 (one line)
        sys.exit(PORT_TAKEN)


def _exit(_signum: int, _frame: object) -> None:
    sys.exit(0)
