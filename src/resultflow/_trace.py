"""Where an error came from: the history that an `Err` carries and the report made of it.

An `Err` keeps its history as a chain of pairs, newest first: `(older, entry)`. Adding an
entry makes one small tuple and never changes an `Err` that somebody else may hold. A frame
is kept as `(code, instruction offset)`: that pins no local variable, and the line number is
looked up only when somebody reads the report.
"""

from __future__ import annotations

import sys
from itertools import groupby
from types import CodeType
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import attrs

from resultflow._travel import Shown, kind_of, pack, text_of, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from resultflow._travel import Parcel

__all__ = [
    "Cause",
    "Context",
    "Entry",
    "Frame",
    "History",
    "RawFrame",
    "Report",
    "ReportedError",
    "Suppressed",
    "capture",
    "chain",
    "entries",
    "frames_of",
    "resolved",
    "text_of",
]

RawFrame: TypeAlias = tuple[CodeType, int]
Entry: TypeAlias = "RawFrame | Frame | Context | Cause | Suppressed"
History: TypeAlias = "tuple[History | None, Entry]"

_INDENT: Final = "  "


@attrs.frozen(repr=False)
class Frame(Shown):
    """One place that an error passed: `file:line function`.

    >>> str(Frame("job.py", 12, "load"))
    'job.py:12 load'
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


class Context(str):
    """Words that somebody added on the error's way up."""

    __slots__ = ()


class Cause:
    """What the error was made of: the exception behind it, or the error before `map_err`."""

    __slots__ = ("error", "history")

    def __init__(self, error: object, history: History | None = None) -> None:
        self.error = error
        self.history = history

    def __reduce__(self) -> tuple[object, ...]:
        return _cause, (pack(self.error), tuple(resolved(self.history)))


class Suppressed:
    """A failure that came after the error (a release that failed) and did not replace it."""

    __slots__ = ("failure", "label")

    def __init__(self, failure: object, label: str = "") -> None:
        self.failure = failure
        self.label = label

    def __reduce__(self) -> tuple[object, ...]:
        return _suppressed, (pack(self.failure), self.label)


def _cause(error: Parcel, found: tuple[Entry, ...]) -> Cause:
    return Cause(unpack(error), chain(None, found))


def _suppressed(failure: Parcel, label: str) -> Suppressed:
    return Suppressed(unpack(failure), label)


def _resolve(frame: RawFrame) -> Frame:
    """Look up the line number of a frame."""
    code, offset = frame
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return Frame(code.co_filename, line, code.co_qualname)


def entries(history: History | None) -> Iterator[Entry]:
    """Yield what the history holds, oldest first."""
    found: list[Entry] = []
    while history is not None:
        history, entry = history
        found.append(entry)
    return reversed(found)


def resolved(history: History | None) -> Iterator[Frame | Context | Cause | Suppressed]:
    """Yield what the history holds, oldest first, and frames with their line numbers."""
    for entry in entries(history):
        yield _resolve(entry) if isinstance(entry, tuple) else entry


def chain(older: History | None, new: Iterable[Entry]) -> History | None:
    """Add entries, oldest first, to a history."""
    for entry in new:
        older = (older, entry)
    return older


def frames_of(traceback: TracebackType | None) -> list[RawFrame]:
    """List the frames of a traceback, the one that raised first."""
    frames: list[RawFrame] = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code, traceback.tb_lasti))
        traceback = traceback.tb_next
    frames.reverse()
    return frames


def capture(exc: BaseException, traceback: TracebackType | None) -> History | None:
    """Turn a caught exception's traceback into a history and take the traceback off it.

    A traceback holds every frame it names, and each frame its locals: an exception that is
    kept as a value would pin them all, in a cycle when one of them is the value itself. Call
    this after the `except` block has ended, so that `sys.exception()` is the exception that
    a caller is still handling; that one belongs to the caller and is left as it is.

    Args:
        exc: the caught exception.
        traceback: its traceback from the first frame that is of interest.
    """
    outer = sys.exception()
    exc.with_traceback(None)
    if exc.__context__ is outer:
        set_context(exc, None)
    held = _held_by(exc)
    history = _capture_held(exc, held, outer) if held else None
    for frame in frames_of(traceback):
        history = (history, frame)
    return history


def set_context(exc: BaseException, context: BaseException | None) -> None:
    """Set what an exception was raised in; a frozen dataclass would refuse the assignment."""
    BaseException.__setattr__(exc, "__context__", context)


def add_notes(exc: BaseException, lines: Iterable[str]) -> None:
    """Add lines to a traceback's end; in `add_note` a frozen dataclass would refuse the first."""
    notes: list[str] = vars(exc).setdefault("__notes__", [])
    notes.extend(lines)


def _capture_held(
    exc: BaseException, held: list[BaseException], outer: BaseException | None
) -> History | None:
    """Take the tracebacks off all that an exception holds; give the causes among them."""
    histories: dict[int, History | None] = {id(exc): None, id(outer): None}
    for other in held:  # which grows meanwhile
        if id(other) not in histories:
            histories[id(other)] = chain(None, frames_of(other.__traceback__))
            other.with_traceback(None)
            if other.__context__ is outer:
                set_context(other, None)
            held.extend(_held_by(other))
    causes = [Cause(cause, histories[id(cause)]) for cause in _behind(exc, outer)]
    return chain(None, reversed(causes))


def _held_by(exc: BaseException) -> list[BaseException]:
    """Find the exceptions that an exception keeps alive, those that nobody is shown included."""
    # A class may have a field of this name, of any type.
    args = cast("tuple[object, ...]", BaseException.__dict__["args"].__get__(exc))
    known = exc.__cause__, exc.__context__, *args, *vars(exc).values()
    held = [other for other in known if isinstance(other, BaseException)]
    held.extend(_members(exc))
    return held


def _members(exc: BaseException) -> tuple[BaseException, ...]:
    if isinstance(exc, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", exc).exceptions
    return ()


def _behind(exc: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """Yield the exceptions that led to this one, as a traceback shows them, the nearest first."""
    seen = {id(exc), id(outer)}
    waiting = [exc]
    while waiting:
        current = waiting.pop()
        earlier = current.__cause__
        if earlier is None and not current.__suppress_context__:
            earlier = current.__context__
        for other in (earlier, *reversed(_members(current))):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
        if current is not exc:
            yield current


class ReportedError(Exception):
    """A report in the clothes of an exception, for `exc_info`; it is made, and never raised.

    Its text is the report, and its `__cause__` the error where that is an exception.

    Attributes:
        report: the `Report` of the `Err`.

    >>> from resultflow import Err
    >>> kind, exc, _ = Err("no port").report().exc_info()
    >>> exc.report.error
    'no port'

    .. versionadded:: 0.1.0
    """

    __module__ = "resultflow.errors"  # the door by which it is known, also to pickle

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report
        if isinstance(report.error, BaseException):
            self.__cause__: BaseException | None = report.error


class Report:
    """What is known about an error: itself, where it came from, and what failed after it.

    `str(report)` is text for people, `as_dict()` plain data for structured logs, and
    `exc_info()` what a logger takes in place of a caught exception.

    Attributes:
        error: the error.
        entries: all that happened to it, in the order in which it met them.

    >>> from resultflow import Err
    >>> report = Err(ValueError("no port")).context("reading the settings").report()
    >>> report.context
    ('reading the settings',)
    >>> report.as_dict()["error"]
    'ValueError: no port'

    .. versionadded:: 0.1.0
    """

    __slots__ = ("entries", "error")

    def __init__(
        self, error: object, entries: tuple[Frame | Context | Cause | Suppressed, ...]
    ) -> None:
        self.error: object = error
        self.entries: tuple[Frame | Context | Cause | Suppressed, ...] = entries

    @classmethod
    def of(cls, error: object, history: History | None) -> Report:
        """Read a history."""
        return cls(error, tuple(resolved(history)))

    @property
    def trace(self) -> tuple[Frame, ...]:
        """The places that the error passed, the place where it arose first."""
        return tuple(entry for entry in self.entries if isinstance(entry, Frame))

    @property
    def context(self) -> tuple[str, ...]:
        """The words added on the way, the innermost first."""
        return tuple(str(entry) for entry in self.entries if isinstance(entry, Context))

    @property
    def causes(self) -> tuple[object, ...]:
        """What the error was made of, the nearest first."""
        return tuple(cause.error for cause in self._causes())

    @property
    def suppressed(self) -> tuple[object, ...]:
        """What failed after the error and did not replace it, in order."""
        return tuple(entry.failure for entry in self.entries if isinstance(entry, Suppressed))

    def _causes(self) -> Iterator[Cause]:
        return (entry for entry in reversed(self.entries) if isinstance(entry, Cause))

    def __repr__(self) -> str:
        return f"<Report of {text_of(self.error)}>"

    def __str__(self) -> str:
        return "\n".join([*self._head(), *self.way()])

    def _head(self) -> Iterator[str]:
        first, *rest = text_of(self.error).splitlines() or [""]
        yield first
        yield from (_INDENT * 2 + line for line in rest)
        for note in _notes(self.error):
            yield from (f"{_INDENT}note: {line}" for line in note.splitlines())

    def way(self) -> Iterator[str]:
        """Yield the lines of the text that tell how the error came here, without the error."""
        for _, group in groupby(self.entries, _run_of):
            entry, *again = group
            if isinstance(entry, Context):
                yield f"{_INDENT}while {entry}"
            elif isinstance(entry, Frame):
                packages = {_package(frame) for frame in again if isinstance(frame, Frame)}
                if packages - {""}:
                    yield f"{_INDENT}at {entry}"
                    yield f"{_INDENT}at {len(again)} more in {', '.join(sorted(packages))}"
                else:
                    yield f"{_INDENT}at {entry}" + (f", {len(again) + 1} times" if again else "")
        for cause in self._causes():
            yield from _nested("caused by", Report.of(cause.error, cause.history))
        for entry in self.entries:
            if isinstance(entry, Suppressed):
                said = f"then {entry.label} failed:" if entry.label else "then failed:"
                yield from _nested(said, _report_of(entry.failure))

    def as_dict(self) -> dict[str, object]:
        """Give the report as strings, numbers, lists and dicts, ready for a JSON log.

        >>> from resultflow import Err
        >>> sorted(Err(3).report().as_dict())
        ['caused_by', 'context', 'error', 'notes', 'suppressed', 'trace', 'type']
        """
        return {
            "type": kind_of(self.error),
            "error": text_of(self.error),
            "notes": list(_notes(self.error)),
            "context": list(self.context),
            "trace": [attrs.asdict(frame) for frame in self.trace],
            "caused_by": [
                Report.of(cause.error, cause.history).as_dict() for cause in self._causes()
            ],
            "suppressed": [_report_of(failure).as_dict() for failure in self.suppressed],
        }

    def exc_info(self) -> tuple[type[ReportedError], ReportedError, None]:
        """Give the report in the form that loggers take for a caught exception.

        An `Err` is no exception that is being handled, so `exc_info=True` would log nothing;
        write `log.error("not started", exc_info=err.report().exc_info())`.

        >>> import logging
        >>> from resultflow import Err
        >>> report = Err("no port").context("reading the settings").report()
        >>> print(logging.Formatter().formatException(report.exc_info()))
        resultflow.errors.ReportedError: 'no port'
          at <doctest ...
          while reading the settings
        """
        made = ReportedError(self)
        return ReportedError, made, None

    def __reduce__(self) -> tuple[object, ...]:
        return _report, (pack(self.error), self.entries)


def _report(error: Parcel, found: tuple[Frame | Context | Cause | Suppressed, ...]) -> Report:
    return Report(unpack(error), found)


def _run_of(entry: object) -> object:
    """Tell which run an entry belongs to: one place again and again, or installed packages.

    A driver's thirty frames say little and hide the two that matter; `trace` has them all. Only
    frames are compared: they are ours, whereas comparing errors could do anything.
    """
    if not isinstance(entry, Frame):
        return id(entry)
    return "installed" if _package(entry) else entry


def _package(frame: Frame) -> str:
    """Name the installed package that a frame is in, or nothing for the program's own code."""
    _, installed, path = frame.file.replace("\\", "/").rpartition("/site-packages/")
    return path.partition("/")[0].removesuffix(".py") if installed else ""


def _notes(error: object) -> Iterator[str]:
    return (str(note) for note in getattr(error, "__notes__", ()))


def _nested(said: str, report: Report) -> Iterator[str]:
    first, *rest = str(report).splitlines()
    yield f"{_INDENT}{said} {first}"
    yield from (_INDENT + line for line in rest)


def _report_of(failure: object) -> Report:
    """Report on a suppressed failure: an `Err` has its report, an exception its traceback."""
    if isinstance(failure, BaseException):
        return Report.of(failure, chain(None, frames_of(failure.__traceback__)))
    report = getattr(failure, "report", None)
    made: object = report() if callable(report) else None
    return made if isinstance(made, Report) else Report(failure, ())
