"""Failure as a value that the type checker sees, and teardown that is certain."""

from resultflow._collect import (
    collect,
    collect_all,
    combine,
    combine_all,
    first_ok,
    partition,
    traverse,
)
from resultflow._do import Bind, do
from resultflow._result import Err, Ok, Result, ignore, is_err, is_ok
from resultflow._safe import safe
from resultflow.child import Child, child_process, subprocess_child, watch
from resultflow.errors import ReleaseFailed, UnwrapError
from resultflow.exits import Cancelled, Exit, Failed, Raised, Succeeded
from resultflow.process_edge import entrypoint, notify_ready, run
from resultflow.resource import Close, Resource

__version__ = "0.1.0"

__all__ = [
    "Bind",
    "Cancelled",
    "Child",
    "Close",
    "Err",
    "Exit",
    "Failed",
    "Ok",
    "Raised",
    "ReleaseFailed",
    "Resource",
    "Result",
    "Succeeded",
    "UnwrapError",
    "child_process",
    "collect",
    "collect_all",
    "combine",
    "combine_all",
    "do",
    "entrypoint",
    "first_ok",
    "ignore",
    "is_err",
    "is_ok",
    "notify_ready",
    "partition",
    "run",
    "safe",
    "subprocess_child",
    "traverse",
    "watch",
]
