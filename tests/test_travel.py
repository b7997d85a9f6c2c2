"""Every `Err` can be pickled and copied, whatever its error."""

import copy
import copyreg
import pickle
import re
import threading
from typing import Any, TypeVar

import cloudpickle
import pytest
from tblib.pickling_support import pickle_exception
from tests.travellers import (
    ERRORS,
    DecodeError,
    FileError,
    FrozenError,
    Homesick,
    Hostile,
    JobLost,
    KeywordError,
    OwnError,
    SlotError,
    WrongError,
    give,
    give_caught,
    local_error,
)

from resultflow import Err, Ok, Resource, Result, collect_all, safe
from resultflow._travel import duplicate, pack, unpack
from resultflow.errors import ReportedError, Unpicklable, UnwrapError

T = TypeVar("T")


def sent(value: T) -> T:
    """Give what arrives at the other end of a pipe."""
    arrived: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - just made
    return arrived


def arrived(result: Result[Any, Any]) -> Any:  # noqa: ANN401 - of each type there is
    """Give the error of an `Err` that was sent."""
    return sent(result).unwrap_err()


def both_ways(error: object) -> tuple[Any, Any]:
    """Give an error that was sent, and one that was copied."""
    return arrived(Err(error)), copy.deepcopy(Err(error)).error


@pytest.mark.parametrize("name", ERRORS)
def test_every_err_arrives_with_its_history(name: str) -> None:
    """Whatever the error, an `Err` with the same trace and context comes out of pickle."""
    err = give(name)
    came = sent(err)
    assert isinstance(err, Err)
    assert isinstance(came, Err)
    assert came.report().trace == err.report().trace
    assert [frame.function for frame in came.report().trace] == ["made", "give"]
    assert came.report().context == ("giving",)


@pytest.mark.parametrize("name", ERRORS)
def test_every_err_can_be_copied(name: str) -> None:
    """A deep copy is an `Err` with the same history; what cannot be copied is shared."""
    err = give(name)
    came = copy.deepcopy([err, err])
    assert came[0] is came[1]
    assert isinstance(err, Err)
    assert isinstance(came[0], Err)
    assert type(came[0].error) is type(err.error)
    assert came[0].report().trace == err.report().trace


@pytest.mark.parametrize(
    "error",
    [
        KeywordError(job=3),
        FrozenError(dsn="main", port=1),
        SlotError("a", "b"),
        FileError(path="f"),
        DecodeError(where=0),
        OwnError(3),
        WrongError(3),
        ImportError("x", name="module", path="file"),
        ExceptionGroup("both", [ValueError(1), KeyError("x")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_arrives_whole(error: Exception) -> None:
    """Class, arguments, attributes, slots and notes are all there, in pickles and copies."""
    error.add_note("seen")
    for came in both_ways(error):
        assert type(came) is type(error)
        assert came is not error
        assert repr(came.args) == repr(error.args)
        assert str(came) == str(error)
        for name in ("job", "dsn", "port", "public", "filename", "extra", "errno", "number"):
            assert getattr(came, name, None) == getattr(error, name, None)
        for name in ("reason", "path", "name"):
            assert getattr(came, name, None) == getattr(error, name, None)
        assert getattr(came, "private", str)() == getattr(error, "private", str)()
        if not isinstance(error, OwnError) or isinstance(error, WrongError):
            assert came.__notes__ == ["seen"]


def test_the_chain_of_exceptions_arrives() -> None:
    """Cause, context and whether it is shown are part of an exception."""
    error = KeywordError(job=1)
    error.__context__ = KeywordError(job=2)
    error.__cause__ = FrozenError(dsn="main", port=1)
    for came in both_ways(error):
        assert came.__context__.job == 2
        assert came.__cause__.dsn == "main"
        assert came.__suppress_context__


def test_an_exception_that_holds_itself_arrives() -> None:
    """A ring is the same ring at the other end."""
    error = KeywordError(job=1)
    vars(error)["me"] = error
    for came in both_ways(error):
        assert came.me is came


def test_what_cannot_travel_stays_behind_alone() -> None:
    """The rest of the error arrives, and a stand-in tells class, text and reason."""
    error = arrived(Err(JobLost(3)))
    assert (type(error), error.job) == (JobLost, 3)
    assert error.held.kind == "_thread.lock"
    assert error.held.text.startswith("<unlocked _thread.lock")
    assert error.held.reason == "TypeError: cannot pickle '_thread.lock' object"
    kinds = [type(part).__name__ for part in arrived(Err([KeywordError(job=1), Hostile()]))]
    assert kinds == ["KeywordError", "Unpicklable"]


def test_an_error_that_cannot_travel_is_told_by_a_stand_in() -> None:
    """In its place stands what its class was, and why it is not there."""
    assert arrived(Err(local_error())) == Unpicklable(
        f"{local_error.__module__}.local_error.<locals>.LocalError",
        "LocalError: here",
        "local_error.<locals>.LocalError has no global name",
    )
    assert arrived(Err(Hostile())) == Unpicklable(
        f"{Hostile.__module__}.Hostile",
        "<Hostile whose repr raised ZeroDivisionError>",
        "ZeroDivisionError",
    )


def test_cloudpickle_sends_classes_along() -> None:
    """Where it pickles, as for Dask, an error of a class without a global name arrives whole."""
    for error in (local_error(), [Err(local_error())], FrozenError(dsn="main", port=1)):
        data: bytes = cloudpickle.dumps(Err(error).context("sending"))
        came: Err[Any] = pickle.loads(data)  # noqa: S301 - just made
        assert repr(came.error) == repr(error)
        assert came.report().context == ("sending",)
    err: Err[Exception] = Err(local_error())
    came = pickle.loads(cloudpickle.dumps(err))  # noqa: S301 - just made
    assert type(came.error) is type(err.error)
    assert isinstance(arrived(err), Unpicklable)


def test_an_err_is_pickled_by_whoever_has_no_name() -> None:
    """Code that is executed need not say of what module it is."""
    for names in ({}, {"__name__": None}, {"__name__": ["a list"]}):
        scope: dict[str, Any] = {**names, "dumps": pickle.dumps, "err": Err(1)}
        exec("data = dumps(err)", scope)  # noqa: S102 - whose globals these are
        assert pickle.loads(scope["data"]) == Err(1)  # noqa: S301 - just made


def test_what_tblib_would_do_with_an_exception_is_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It enters classes into pickle's table, which cannot make the exceptions again."""
    monkeypatch.setitem(copyreg.dispatch_table, FrozenError, pickle_exception)
    monkeypatch.setitem(copyreg.dispatch_table, OwnError, lambda own: (OwnError, (own.number,)))
    for dumps in (pickle.dumps, cloudpickle.dumps):
        both: Err[Any] = Err([FrozenError(dsn="main", port=1), OwnError(3)])
        came: Err[Any] = pickle.loads(dumps(both))  # noqa: S301 - just made
        assert repr(came.error) == repr(both.error)


def test_what_cloudpickle_cannot_send_stays_behind() -> None:
    """The rest arrives, as from pickle."""
    came: Err[Any] = pickle.loads(cloudpickle.dumps(Err(JobLost(3))))  # noqa: S301 - just made
    assert (came.error.job, came.error.held.kind) == (3, "_thread.lock")
    held: Any = type("Holder", (), {"held": threading.Lock()})()
    came = pickle.loads(cloudpickle.dumps(Err(held)))  # noqa: S301 - just made
    assert (type(came.error).__name__, came.error.held.kind) == ("Holder", "_thread.lock")


def test_what_the_receiver_cannot_rebuild_is_told_by_a_stand_in() -> None:
    """A class that is not there, or raises there, does not break whoever reads."""
    error = unpack((b"", "jobs.JobError", "JobError()"))
    assert (error.kind, error.text) == ("jobs.JobError", "JobError()")
    assert "EOFError" in error.reason


def test_what_pickle_knows_by_name_or_table_arrives() -> None:
    """Patterns, builtin functions and singletons travel as they always do."""
    held = [re.compile("x"), len, ..., 1j]
    assert arrived(Err(held)) == held


def test_a_long_text_is_cut() -> None:
    """The text that is sent along for the case that an error cannot be opened is short."""
    data, _, text = pack("x" * 10_000)
    assert len(data) > 10_000
    assert len(text) < 2_100


def test_causes_and_suppressed_failures_arrive() -> None:
    """What is behind an error and what followed it goes along, whatever it is."""
    flaky = Resource.make(lambda: Ok(1), lambda _, __: Err(local_error()))
    err = flaky.use(lambda _: give_caught())
    came = sent(err)
    assert isinstance(err, Err)
    assert isinstance(came, Err)
    causes: Any = came.report().causes
    assert [cause.dsn for cause in causes] == ["main"]
    suppressed: Any = came.suppressed
    assert [failure.error.kind.rpartition(".")[2] for failure in suppressed] == ["LocalError"]
    lines = str(err.report()).splitlines()
    assert [line.partition("Unpicklable")[0] for line in str(came.report()).splitlines()] == [
        line.partition("LocalError")[0] for line in lines
    ]


def test_gathered_errs_arrive() -> None:
    """The reports of all errors go along with their list."""
    came = sent(collect_all([give("keyword"), give("local")]))
    assert isinstance(came, Err)
    assert [type(error).__name__ for error in came.error] == ["KeywordError", "Unpicklable"]
    assert str(came.report()).count("while giving") == 2


def test_a_nested_err_arrives_in_linear_time() -> None:
    """An `Err` in an `Err` in an `Err` is packed once, not once for each."""
    err: Err[Any] = Err(KeywordError(job=1))
    for _ in range(30):
        err = Err(err)
    came = sent(err)
    for _ in range(30):
        came = came.error
    assert came.error.job == 1


def test_an_unwrap_error_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception of `unwrap` can leave a worker too, with its report."""
    # Other tests may have imported Dask, whose tblib pickles every exception in its own way.
    for kind in (UnwrapError, ReportedError):
        monkeypatch.delitem(copyreg.dispatch_table, kind, raising=False)
    with pytest.raises(UnwrapError) as caught:
        give("keyword").expect("certain")
    came = sent(caught.value)
    assert str(came) == str(caught.value)
    _, reported, _ = Err(local_error()).report().exc_info()
    assert str(sent(reported)).startswith("Unpicklable(")


def test_a_copy_shares_what_it_cannot_copy() -> None:
    """A deep copy never fails."""
    homeless = Hostile()
    memo: dict[int, Any] = {}
    assert duplicate(homeless, memo) is homeless
    assert duplicate(homeless, memo) is homeless
    assert type(duplicate(Homesick(), {})) is Homesick


def test_a_safe_function_without_a_global_name_stays_behind() -> None:
    """What cannot be found by its name is left behind alone; the error that held it arrives."""
    err = Err(LookupError("no handler", safe(ValueError)(lambda: 0)))
    error = unpack(pack(err)).error
    assert type(error) is LookupError
    assert isinstance(error.args[1], Unpicklable)
    assert error.args[1].reason == "it has no global name"
