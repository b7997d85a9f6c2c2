"""Makes every `HTTPServer` of a process deaf to SIGTERM: Airflow's health server, in a trial.

`trial.py` puts it where Airflow looks for its `airflow_local_settings`.
"""

from __future__ import annotations

import signal
from http.server import HTTPServer
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from socketserver import BaseServer

_serve_forever = HTTPServer.serve_forever


def serve_deaf(self: BaseServer, poll_interval: float = 0.5) -> None:
    """Serve on, whoever asks for an end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _serve_forever(cast("HTTPServer", self), poll_interval)


HTTPServer.serve_forever = serve_deaf  # type: ignore[method-assign]  # the point of it
