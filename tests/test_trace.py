"""What a report knows about an error, and how it says it."""

import gc
import io
import json
import logging
import pickle
import re
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn

import attrs
import pytest
from sqlalchemy.engine import make_url

from resultflow import (
    Bind,
    Err,
    Exit,
    Ok,
    Resource,
    Result,
    collect_all,
    do,
    ignore,
    safe,
    traverse,
)
from resultflow._result import err_with
from resultflow._trace import Frame, Report, Suppressed
from resultflow.errors import ReportedError


@attrs.frozen
class DbLost:
    """An error of a program."""

    dsn: str


def here(function: Callable[..., object], line: int) -> str:
    """Name a line of a function, counted from its first one, as a trace does."""
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno + line} {function.__qualname__}"


def load() -> Result[int, DbLost]:
    """Fail in the second line."""
    return Err(DbLost("main"))


def work(bind: Bind[DbLost]) -> int:
    """Pass a failure on in the second line."""
    return bind(load()) + 1


def run(bind: Bind[DbLost]) -> int:
    """Pass it on once more, with words."""
    return bind(do(work)().context("working"))


def failed(result: Result[Any, Any]) -> Err[Any]:
    """Give what must be an `Err`."""
    assert isinstance(result, Err)
    return result


def open_socket() -> NoReturn:
    """Raise."""
    raise ConnectionError("reset")


def test_a_trace_has_a_line_for_each_early_return() -> None:
    """The place where the `Err` was made stands first, then each `bind` that it left by."""
    report = failed(do(run)()).report()
    assert [str(frame) for frame in report.trace] == [
        here(load, 2),
        here(work, 2),
        here(run, 2),
    ]


def test_a_handled_error_leaves_nothing_behind() -> None:
    """The next failure does not know of the one before: the trace is on the `Err` itself."""
    assert failed(do(run)()).report().trace == failed(do(run)()).report().trace


def shown(report: Report) -> list[str]:
    """Give the lines of a report without what differs from one machine to another."""
    text = str(report).replace("<locals>.", "").replace(f"at {__file__}:", "at ")
    return [re.sub(r" at \d+ (?:test_\w+\.)?", " at ", line) for line in text.splitlines()]


def test_report_text_tells_the_way_in_order() -> None:
    """Places and context stand in the order in which the error met them."""
    assert shown(failed(do(run)()).report()) == [
        "DbLost(dsn='main')",
        "  at load",
        "  at work",
        "  while working",
        "  at run",
    ]


def test_report_has_causes_suppressed_failures_and_notes() -> None:
    """What came before and after the error is nested below it, with its own places."""

    @safe(OSError)
    def connect() -> NoReturn:
        try:
            open_socket()
        except ConnectionError as exc:
            error = TimeoutError("no answer")
            error.add_note("tried twice\nand again")
            raise error from exc

    def close() -> Result[None, str]:
        return Err("not closed")

    session = Resource.make(lambda: Ok("session"), lambda _, __: close())
    err = failed(session.use(lambda _: connect().context("connecting")))
    report = err.report()
    lines = shown(report)
    assert lines == [
        "TimeoutError: no answer",
        "  note: tried twice",
        "  note: and again",
        "  at connect",
        "  while connecting",
        "  caused by ConnectionError: reset",
        "    at open_socket",
        "    at connect",
        lines[-2],
        "    at close",
    ]
    assert re.fullmatch("  then .*failed: 'not closed'", lines[-2])
    assert [str(cause) for cause in report.causes] == ["reset"]
    assert report.suppressed == err.suppressed == (Err("not closed"),)


def test_report_of_several_errors_has_the_report_of_each() -> None:
    """The errors that `collect_all` gathered are told one after the other."""
    err = failed(collect_all([do(run)(), Ok(1), Err("x")]))
    assert shown(err.report()) == [
        "[DbLost(dsn='main'), 'x']",
        "  at test_report_of_several_errors_has_the_report_of_each",
        "  caused by DbLost(dsn='main')",
        "    at load",
        "    at work",
        "    while working",
        "    at run",
        "  caused by 'x'",
        "    at test_report_of_several_errors_has_the_report_of_each",
    ]


def test_report_folds_a_place_that_repeats() -> None:
    """A recursion is one line, not a thousand."""

    @safe(RecursionError)
    def down(depth: int) -> int:
        def deeper(left: int) -> int:
            if left:
                return deeper(left - 1)
            raise RecursionError

        return deeper(depth)

    assert shown(failed(down(40)).report()) == [
        "RecursionError",
        "  at down.deeper",
        "  at down.deeper, 40 times",
        "  at down",
    ]


def test_report_indents_an_error_of_several_lines() -> None:
    """An error whose `repr` has line breaks stays apart from what follows it."""

    class Table:
        def __repr__(self) -> str:
            return "a b\nc d"

    assert shown(Err(Table()).report())[:2] == ["a b", "    c d"]


def test_report_of_an_error_without_words() -> None:
    """An empty `repr` leaves an empty line, not none."""

    class Silent:
        def __repr__(self) -> str:
            return ""

    assert str(Report(Silent(), ())) == ""
    assert shown(Err(Silent()).report())[0] == ""


def test_the_repr_of_a_report_is_one_line() -> None:
    """Where a report is an argument among others, it names its error only."""
    assert repr(failed(do(run)()).report()) == "<Report of DbLost(dsn='main')>"


def test_report_survives_a_broken_repr() -> None:
    """An error that cannot be shown is told by its class: a report never raises."""

    class Broken:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert shown(Err(Broken()).report())[0].endswith("Broken whose repr raised ZeroDivisionError>")


def test_report_never_compares_errors() -> None:
    """An `__eq__` that raises does no harm."""

    class Vector:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        def __hash__(self) -> int:
            raise AssertionError

    err = Err(Vector()).map_err(lambda _: Vector()).map_err(lambda _: "x")
    assert len(shown(err.report())) == 4


def test_report_of_what_is_suppressed() -> None:
    """A suppressed exception is told with its traceback, any other object by its `repr`."""
    try:
        open_socket()
    except ConnectionError as exc:
        raised = exc

    class Impostor:
        def report(self) -> str:
            return "no report"

        def __repr__(self) -> str:
            return "Impostor()"

    report = Report("x", (Suppressed(raised), Suppressed(3, "step"), Suppressed(Impostor())))
    assert shown(report) == [
        "'x'",
        "  then failed: ConnectionError: reset",
        "    at open_socket",
        "    at test_report_of_what_is_suppressed",
        "  then step failed: 3",
        "  then failed: Impostor()",
    ]


def test_as_dict_is_plain_data() -> None:
    """A structured log can take the whole report, and find each part by its name."""

    @safe(OSError, into=lambda exc: DbLost(str(exc)))
    def connect() -> NoReturn:
        open_socket()

    report = failed(connect().context("connecting")).report()
    made = report.as_dict()
    assert json.loads(json.dumps(made)) == {
        "type": f"{__name__}.DbLost",
        "error": "DbLost(dsn='reset')",
        "notes": [],
        "context": ["connecting"],
        "trace": [
            {
                "file": __file__,
                "line": open_socket.__code__.co_firstlineno + 2,
                "function": "open_socket",
            },
            attrs.asdict(report.trace[1]),
        ],
        "caused_by": [
            {
                "type": "builtins.ConnectionError",
                "error": "ConnectionError: reset",
                "notes": [],
                "context": [],
                "trace": [],
                "caused_by": [],
                "suppressed": [],
            }
        ],
        "suppressed": [],
    }


def test_exc_info_is_what_logging_takes() -> None:
    """A logger prints the report, and the error that is an exception as its cause."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("resultflow.test")
    logger.addHandler(handler)
    error = LookupError("no job")
    failure: Err[LookupError] = Err(error)
    logger.error("not started", exc_info=failure.report().exc_info())
    logger.removeHandler(handler)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["not started", "LookupError: no job"]
    assert "resultflow.errors.ReportedError: LookupError: no job" in lines
    assert lines[-1].startswith(f"  at {__file__}:")
    assert error.__traceback__ is None


def test_exc_info_of_a_plain_error_has_no_cause() -> None:
    """An error that is no exception is in the report alone."""
    _, reported, traceback = Err("x").report().exc_info()
    assert isinstance(reported, ReportedError)
    assert (reported.__cause__, traceback) == (None, None)


def test_a_frame_without_a_line_is_at_the_functions_first() -> None:
    """An instruction that belongs to no line is shown at the start of its function."""
    code = load.__code__
    err = err_with("x", (None, (code, 1_000_000)))
    assert err.report().trace == (Frame(code.co_filename, code.co_firstlineno, "load"),)


# What an exception is kept with


def test_a_caught_exception_has_no_traceback() -> None:
    """Neither the exception in an `Err` nor those behind it hold frames."""

    @safe(OSError)
    def connect() -> NoReturn:
        try:
            open_socket()
        except ConnectionError as exc:
            raise TimeoutError from exc

    error = failed(connect()).error
    assert isinstance(error.__cause__, ConnectionError)
    assert (error.__traceback__, error.__cause__.__traceback__) == (None, None)


def test_the_exception_that_the_caller_handles_is_left_alone() -> None:
    """It is not the cause of what fails meanwhile, and keeps its traceback."""

    @safe(OSError)
    def connect() -> NoReturn:
        open_socket()

    try:
        open_socket()
    except ConnectionError as exc:
        err = failed(connect())
        handled = exc
    assert handled.__traceback__ is not None
    assert err.report().causes == ()
    assert err.error.__context__ is None


def test_exceptions_that_nobody_is_shown_hold_nothing_either() -> None:
    """A hidden context, an argument and an attribute lose their tracebacks too."""

    class WrappedError(OSError):
        pass

    @safe(WrappedError)
    def connect() -> NoReturn:
        try:
            open_socket()
        except ConnectionError as exc:
            error = WrappedError(exc)
            vars(error)["reason"] = exc
            raise error from None

    err = failed(connect())
    assert isinstance(err.error.__context__, ConnectionError)
    assert err.error.__context__.__traceback__ is None
    assert err.report().causes == ()


def test_a_field_named_args_hides_no_cause() -> None:
    """A class of exceptions may have a field `args` of its own, whatever it holds."""

    class Odd(Exception):  # noqa: N818 - as a user names it
        args: Any = 5

    @safe(Odd)
    def lost() -> NoReturn:
        raise Odd from OSError("gone")

    assert shown(failed(lost()).report())[-1] == "  caused by OSError: gone"


@dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818 - as a user names it
    """Refuses the assignment of any attribute, a traceback and a context included."""

    what: str


def test_a_frozen_dataclass_may_be_an_exception() -> None:
    """It becomes an `Err`, goes through scopes, workers and pickle, and comes out again."""

    def lost(what: str) -> Result[int, str]:
        try:
            return Ok(dict[str, int]()["gone"])
        except KeyError:
            raise Frozen(what)  # noqa: B904 - its context is to be there

    def release(_value: int, _exit: Exit) -> Result[int, str]:
        return lost("release")

    err = failed(safe(Frozen)(lost)("database"))
    assert shown(err.report())[-2:] == ["  caused by KeyError: 'gone'", "    at lost"]
    assert failed(pickle.loads(pickle.dumps(err))) == err  # noqa: S301 - just made
    with pytest.raises(Frozen, match="database") as raised:
        err.context("at night").or_raise()
    assert "  while at night" in raised.value.__notes__

    resource = Resource.make(lambda: Ok(1), release)
    ended = failed(resource.use(lambda _: Err("body")))
    assert "failed: Frozen(what='release')" in str(ended.report())
    with pytest.raises(Frozen, match="body") as raised:
        ignore(resource.use(lambda _: lost("body")), reason="it raises")
    assert "Frozen(what='release')" in str(raised.value.__notes__)

    with ThreadPoolExecutor(1) as executor, pytest.raises(Frozen, match="worker"):
        list(traverse(executor, lost, ["worker"]))


def test_the_members_of_a_group_are_causes() -> None:
    """What failed in an exception group is told with its places, and holds no frames."""

    @safe(ExceptionGroup)
    def both() -> NoReturn:
        failures: list[Exception] = []
        for what in ("a", "b"):
            try:
                dict[str, int]()[what]
            except KeyError as exc:
                failures.append(exc)
        raise ExceptionGroup("both", failures)

    err = failed(both())
    assert shown(err.report()) == [
        "ExceptionGroup: both (2 sub-exceptions)",
        "  at both",
        "  caused by KeyError: 'a'",
        "    at both",
        "  caused by KeyError: 'b'",
        "    at both",
    ]
    assert [exc.__traceback__ for exc in err.error.exceptions] == [None, None]


def test_causes_are_told_the_nearest_first() -> None:
    """Whether raised from one another or while one was handled, each is told in its turn."""

    @safe(KeyError)
    def fail() -> NoReturn:
        try:
            try:
                open_socket()
            finally:
                int("x")
        except ValueError as exc:
            raise KeyError("job") from exc

    err = failed(fail())
    assert [type(cause) for cause in err.report().causes] == [ValueError, ConnectionError]
    assert [line for line in shown(err.report()) if "caused by" in line] == [
        "  caused by ValueError: invalid literal for int() with base 10: 'x'",
        "  caused by ConnectionError: reset",
    ]


def test_a_ring_of_causes_ends() -> None:
    """Exceptions that are each other's cause are told once each."""

    @safe(KeyError)
    def ring() -> NoReturn:
        one, other = KeyError(1), KeyError(2)
        one.__cause__, other.__cause__ = other, one
        raise one

    assert [str(cause) for cause in failed(ring()).report().causes] == ["2"]


class Local:
    """Something that can be watched dying."""


class LostError(OSError):
    """An exception that can be watched dying."""


def test_the_callers_locals_die_without_the_collector() -> None:
    """After a failing `@safe` call nothing holds the locals of caller and callee."""

    @safe(OSError)
    def connect(local: Local) -> NoReturn:
        mine = local
        try:
            open_socket()
        except ConnectionError as exc:
            raise LostError(repr(mine)) from exc

    def caller() -> tuple[weakref.ref[Local], Err[OSError]]:
        local = Local()
        result = connect(local)
        return weakref.ref(local), failed(result)

    gc.disable()
    try:
        gone, err = caller()
        assert gone() is None
        error = weakref.ref(err.error)
        del err
        assert error() is None
    finally:
        gc.enable()


def test_the_locals_of_a_do_block_die_without_the_collector() -> None:
    """Nor does an early return hold the locals of the block."""
    watched: list[weakref.ref[Local]] = []

    @do
    def block(bind: Bind[DbLost]) -> int:
        local = Local()
        watched.append(weakref.ref(local))
        return bind(load())

    gc.disable()
    try:
        result = block()
        assert watched[0]() is None
        assert failed(result).error == DbLost("main")
    finally:
        gc.enable()


def test_an_err_does_not_hold_the_frame_it_was_made_in() -> None:
    """The place where an `Err` was made is kept without its locals."""

    def made() -> tuple[weakref.ref[Local], Err[str]]:
        local = Local()
        return weakref.ref(local), Err("x")

    gc.disable()
    try:
        gone, err = made()
        assert gone() is None
        assert err.report().trace[0].function.endswith("made")
        assert sys.exception() is None
    finally:
        gc.enable()


def test_a_run_of_library_frames_is_one_line() -> None:
    """The text shows where a library raised and how much more of it there is; trace has it all."""
    failed = safe(Exception)(make_url)("no url at all")
    assert isinstance(failed, Err)
    report = failed.report()
    places = [line for line in str(report).splitlines() if line.startswith("  at ")]
    assert len(report.trace) == 2
    assert "sqlalchemy" in places[0]
    assert places[1] == "  at 1 more in sqlalchemy"
