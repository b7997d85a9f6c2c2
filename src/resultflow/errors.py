"""The library's own errors: values that its Results hold, and the exceptions it raises.

Error *values* are frozen attrs classes (`ReleaseFailed`, `ReleaseTimedOut`, `ChildDied`, ...);
*exceptions* are for bugs (`UnwrapError`) and for signals (`SignalReceived`).
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from resultflow._trace import ReportedError
from resultflow._travel import Shown, Unpicklable

if TYPE_CHECKING:
    from resultflow._trace import Report

__all__ = [
    "ChildDied",
    "ChildNotStarted",
    "ItemLost",
    "ReleaseFailed",
    "ReleaseTimedOut",
    "ReportedError",
    "SignalReceived",
    "TimedOut",
    "Unpicklable",
    "UnwrapError",
]

R_co = TypeVar("R_co", covariant=True)


class UnwrapError(Exception):
    """A Result did not hold what `unwrap`, `expect` and their kin were promised.

    Its text is the report of the `Err`, and its `__cause__` the error where that is an
    exception.

    Attributes:
        report: the `resultflow._trace.Report` of the `Err`; `None` when an `Ok` was met where
            an `Err` was promised.

    >>> from resultflow import Err
    >>> try:
    ...     Err("no port").unwrap()
    ... except UnwrapError as exc:
    ...     print(exc.report.error)
    no port

    .. versionadded:: 0.1.0
    """

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message, report)
        self.report = report

    def __str__(self) -> str:
        message: str = self.args[0]
        return message if self.report is None else f"{message}\n{self.report}"


@attrs.frozen(repr=False)
class ReleaseFailed(Shown, Generic[R_co]):
    """The body of a scope succeeded, but releases failed.

    Attributes:
        value: what the body returned in its `Ok`.
        failures: the error of every release that failed, in the order of the releases.

    >>> from resultflow import Err, Ok, Resource
    >>> sink = Resource.make(lambda: Ok("sink"), lambda sink, exit: Err("not flushed"))
    >>> sink.use(lambda sink: Ok(3))
    Err(ReleaseFailed(value=3, failures=('not flushed',)))

    .. versionadded:: 0.1.0
    """

    value: object
    failures: tuple[R_co, ...]


@attrs.frozen(repr=False)
class ReleaseTimedOut(Shown):
    """A release took longer than `resultflow.Resource.release_within` gave it.

    It was left behind, in a thread of its own; the trace of its `Err` tells where it was then.

    Attributes:
        name: the name of the release.
        seconds: the time that it had.

    >>> ReleaseTimedOut("Connection.close", 5.0)
    ReleaseTimedOut(name='Connection.close', seconds=5.0)

    .. versionadded:: 0.1.0
    """

    name: str
    seconds: float


@attrs.frozen(repr=False)
class ChildNotStarted(Shown):
    """A child process could not be started.

    Attributes:
        name: the name given to the child.
        reason: what the operating system or pickle said.

    >>> from resultflow import Err, Ok, subprocess_child
    >>> match subprocess_child(["no-such-program"]).use(lambda child: Ok(child.pid)):
    ...     case Ok(pid):
    ...         print(pid)
    ...     case Err(ChildNotStarted(name)):
    ...         print("not started:", name)
    not started: no-such-program

    .. versionadded:: 0.1.0
    """

    name: str
    reason: str


@attrs.frozen(repr=False)
class ChildDied(Shown):
    """A child process that should be running has ended.

    Attributes:
        name: the name given to the child.
        exitcode: its exit status, minus the number of the signal it died by, or
            `resultflow.Child.UNKNOWN` (511) where somebody else took it.

    >>> ChildDied("log server", -9)
    ChildDied(name='log server', exitcode=-9)

    .. versionadded:: 0.1.0
    """

    name: str
    exitcode: int


@attrs.frozen(repr=False)
class TimedOut(Shown):
    """What `resultflow.aio.timeout` was given took longer than it allowed, and was cancelled.

    Attributes:
        seconds: the time that it had.

    >>> TimedOut(0.5)
    TimedOut(seconds=0.5)

    .. versionadded:: 0.1.0
    """

    seconds: float


@attrs.frozen(repr=False)
class ItemLost(Shown):
    """An executor gave no Result for an item of `resultflow.traverse`.

    Its worker died, it was cancelled, or it or its value could not travel.

    Attributes:
        index: the place of the item, from 0.
        reason: what the executor said.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from resultflow import Ok, traverse
    >>> def refuse():
    ...     raise OSError("no licence for this worker")
    >>> with ThreadPoolExecutor(1, initializer=refuse) as executor:
    ...     [err] = traverse(executor, Ok, ["item"])
    >>> err.error.index
    0

    .. versionadded:: 0.1.0
    """

    index: int
    reason: str


class SignalReceived(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP reached a program that runs under `resultflow.run`.

    It is a `KeyboardInterrupt`, so that `except Exception` lets it pass and code that knows
    how to stop at Ctrl-C stops at SIGTERM and SIGHUP too.

    Attributes:
        signum: the signal, as `signal.Signals`.

    >>> SignalReceived(15)
    SignalReceived(<Signals.SIGTERM: 15>)

    .. versionadded:: 0.1.0
    """

    def __init__(self, signum: int) -> None:
        self.signum: signal.Signals = signal.Signals(signum)
        super().__init__(self.signum)

    def __str__(self) -> str:
        return self.signum.name


class EarlyReturn(BaseException):
    """How `bind` leaves a `@do` block. Private: it belongs to one call and never escapes it."""

    def __init__(self, token: object, err: object) -> None:
        self.token = token
        self.err = err
