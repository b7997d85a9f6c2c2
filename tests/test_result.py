"""Each method on both variants, and what a Result refuses."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import attrs
import pytest

from resultflow import Err, Ok, Result, ignore, is_err, is_ok
from resultflow.errors import UnwrapError

T = TypeVar("T")


@attrs.frozen
class JobGone:
    """An error of a program."""

    job: int


def ok(value: T) -> Result[T, str]:
    """Give an `Ok` of which a checker sees both variants."""
    return Ok(value)


def err(error: str) -> Result[int, str]:
    """Give an `Err` of which a checker sees both variants."""
    return Err(error)


def never(*args: object) -> NoReturn:
    """Fail: for functions that must not be called."""
    raise AssertionError(f"called with {args!r}")


def half(number: int) -> Result[int, str]:
    """Halve an even number."""
    return Err(f"{number} is odd") if number % 2 else Ok(number // 2)


# Querying


def test_is_ok_and_is_err_tell_the_variant() -> None:
    """Exactly one of `is_ok` and `is_err` holds."""
    assert [r.is_ok() for r in (ok(1), err("x"))] == [True, False]
    assert [r.is_err() for r in (ok(1), err("x"))] == [False, True]


def test_guards_tell_the_variant() -> None:
    """The functions say what the methods say."""
    assert [is_ok(r) for r in (ok(1), err("x"))] == [True, False]
    assert [is_err(r) for r in (ok(1), err("x"))] == [False, True]


def test_is_ok_and_asks_only_an_ok() -> None:
    """`is_ok_and` calls its function on the value of an `Ok` alone."""
    assert ok(2).is_ok_and(lambda v: v > 1)
    assert not ok(0).is_ok_and(lambda v: v > 1)
    assert not err("x").is_ok_and(never)


def test_is_err_and_asks_only_an_err() -> None:
    """`is_err_and` calls its function on the error of an `Err` alone."""
    assert err("X").is_err_and(str.isupper)
    assert not err("x").is_err_and(str.isupper)
    assert not ok(1).is_err_and(never)


# Extracting


def test_ok_and_err_give_the_field_or_none() -> None:
    """`ok` and `err` are the way to `T | None` and `E | None`."""
    assert (ok(1).ok(), err("x").ok()) == (1, None)
    assert (ok(1).err(), err("x").err()) == (None, "x")


def test_unwrap_gives_the_value_of_an_ok() -> None:
    """`unwrap`, `expect` and `or_raise` are nothing but the value on an `Ok`."""
    assert ok(1).unwrap() == ok(1).expect("why") == ok(1).or_raise() == 1


def test_unwrap_of_an_err_tells_where_the_error_arose() -> None:
    """The exception of `unwrap` holds the report, with the file and line of the `Err`."""
    with pytest.raises(UnwrapError) as caught:
        err("no port").unwrap()
    text = str(caught.value)
    assert text.splitlines()[:2] == ["called unwrap on an Err", "'no port'"]
    assert f"at {__file__}:{err.__code__.co_firstlineno + 2} err" in text
    assert caught.value.report is not None
    assert caught.value.report.error == "no port"


def test_unwrap_of_an_exception_names_it_as_the_cause() -> None:
    """An error that is an exception is the `__cause__` of the `UnwrapError`."""
    error = LookupError("no job")
    failed: Result[int, LookupError] = Err(error)
    with pytest.raises(UnwrapError) as caught:
        failed.unwrap()
    assert caught.value.__cause__ is error


def test_expect_says_your_words() -> None:
    """`expect` and `expect_err` begin with the message that they are given."""
    with pytest.raises(UnwrapError, match=r"^the table is never empty\n'x'"):
        err("x").expect("the table is never empty")
    with pytest.raises(UnwrapError, match=r"^the port was free: Ok\(1\)$"):
        ok(1).expect_err("the port was free")


def test_unwrap_err_gives_the_error() -> None:
    """`unwrap_err` and `expect_err` give the error of an `Err` and raise on an `Ok`."""
    assert err("x").unwrap_err() == err("x").expect_err("why") == "x"
    with pytest.raises(UnwrapError, match=r"^called unwrap_err on Ok\(1\)$") as caught:
        ok(1).unwrap_err()
    assert caught.value.report is None


def test_unwrap_or_family_falls_back() -> None:
    """A default is given, computed or made for an `Err` only."""
    assert (ok(1).unwrap_or(0), err("x").unwrap_or(0)) == (1, 0)
    assert (ok(1).unwrap_or_else(never), err("four").unwrap_or_else(len)) == (1, 4)
    assert (ok(1).unwrap_or_default(never), err("x").unwrap_or_default(int)) == (1, 0)


def test_into_ok_and_into_err_take_what_must_be_there() -> None:
    """What the types rule out, and happens all the same, is an `UnwrapError`."""
    sure: Result[int, NoReturn] = Ok(1)
    lost: Result[NoReturn, str] = Err("x")
    assert (sure.into_ok(), lost.into_err()) == (1, "x")
    with pytest.raises(UnwrapError):
        cast("Any", err("x")).into_ok()
    with pytest.raises(UnwrapError):
        cast("Any", ok(1)).into_err()


def test_or_raise_raises_the_very_error() -> None:
    """`or_raise` raises the exception itself, and notes say which way it had come."""
    error = LookupError("no job")
    failed: Result[int, LookupError] = Err(error).context("loading the job")
    with pytest.raises(LookupError) as caught:
        failed.or_raise()
    assert caught.value is error
    place, words = error.__notes__
    assert f"at {__file__}:" in place
    assert words == "  while loading the job"


def test_or_raise_says_each_thing_once() -> None:
    """Raising twice does not double the notes."""
    error = LookupError("no job")
    failed: Result[int, LookupError] = Err(error)
    for _ in range(2):
        with pytest.raises(LookupError):
            failed.or_raise()
    assert len(error.__notes__) == 1


def test_or_raise_of_a_plain_error_is_an_unwrap_error() -> None:
    """An error that cannot be raised is told by an `UnwrapError`."""
    with pytest.raises(UnwrapError, match="called or_raise on an Err whose error is no exception"):
        err("x").or_raise()


# Transforming


def test_map_works_on_the_value() -> None:
    """`map` changes an `Ok` and leaves an `Err` alone."""
    failed = err("x")
    assert ok(2).map(str) == Ok("2")
    assert failed.map(never) is failed


def test_map_err_works_on_the_error() -> None:
    """`map_err` changes an `Err` and leaves an `Ok` alone."""
    fine = ok(2)
    assert fine.map_err(never) is fine
    assert err("x").map_err(len) == Err(1)


def test_map_err_keeps_the_history() -> None:
    """The report of a mapped `Err` has place and context from before, and the old error."""
    mapped = cast("Err[str]", err("x")).context("reading").map_err(lambda e: JobGone(len(e)))
    report = mapped.report()
    assert report.error == JobGone(1)
    assert report.context == ("reading",)
    assert report.trace[0].function == "err"
    assert report.causes == ("x",)


def test_map_err_to_itself_is_no_cause() -> None:
    """An error that is mapped to itself is not told twice."""
    assert cast("Err[str]", err("x")).map_err(lambda e: e).report().causes == ()


def test_map_or_family_leaves_the_result() -> None:
    """Of the two ways out exactly one is taken."""
    assert (ok("ab").map_or(0, len), err("x").map_or(0, never)) == (2, 0)
    assert (ok(2).map_or_else(never, str), err("four").map_or_else(len, never)) == ("2", 4)
    assert (ok("ab").map_or_default(len, never), err("x").map_or_default(never, int)) == (2, 0)


def test_inspect_looks_and_gives_the_result_back() -> None:
    """`inspect` and `inspect_err` call on their side only and change nothing."""
    seen: list[object] = []
    fine, failed = ok(1), err("x")
    assert fine.inspect(seen.append).inspect_err(never) is fine
    assert failed.inspect(never).inspect_err(seen.append) is failed
    assert seen == [1, "x"]


def test_flatten_takes_one_level() -> None:
    """`flatten` gives the inner Result of an `Ok`, and an `Err` as it is."""
    cases: list[Result[Result[int, str], str]] = [Ok(Ok(1)), Ok(Err("x")), Err("y")]
    assert [case.flatten() for case in cases] == [Ok(1), Err("x"), Err("y")]


def test_transpose_swaps_result_and_none() -> None:
    """`Ok(None)` becomes None, and anything else stays what it is."""
    cases: list[Result[int | None, str]] = [Ok(1), Ok(None), Err("x")]
    assert [case.transpose() for case in cases] == [Ok(1), None, Err("x")]


# Boolean


@pytest.mark.parametrize(
    ("this", "that", "both", "either"),
    [
        (Ok(1), Ok(2), Ok(2), Ok(1)),
        (Ok(1), Err("y"), Err("y"), Ok(1)),
        (Err("x"), Ok(2), Err("x"), Ok(2)),
        (Err("x"), Err("y"), Err("x"), Err("y")),
    ],
)
def test_truth_tables(
    this: Result[int, str],
    that: Result[int, str],
    both: Result[int, str],
    either: Result[int, str],
) -> None:
    """`and_`, `and_then`, `or_` and `or_else` follow Rust's truth tables."""
    assert this.and_(that) == this.and_then(lambda _: that) == both
    assert this.or_(that) == this.or_else(lambda _: that) == either


def test_and_then_and_or_else_are_lazy() -> None:
    """The function of the idle side is not called."""
    fine, failed = ok(1), err("x")
    assert failed.and_then(never) is failed
    assert fine.or_else(never) is fine


def test_and_then_chains() -> None:
    """The first `Err` of a chain is what the chain gives."""
    assert ok(8).and_then(half).and_then(half) == Ok(2)
    assert ok(6).and_then(half).and_then(half) == Err("3 is odd")


def test_catch_handles_its_class_only() -> None:
    """`catch` makes an `Ok` of an error of its class, subclasses included."""
    cases: list[Result[int, LookupError | OSError]] = [Ok(1), Err(KeyError("a")), Err(OSError())]
    caught = [case.catch(LookupError, lambda exc: len(exc.args)) for case in cases]
    assert caught == [Ok(1), Ok(1), cases[2]]


def test_catch_takes_several_classes() -> None:
    """A tuple of classes is as good as one."""
    failed: Result[int, KeyError | OSError] = Err(OSError())
    assert failed.catch((KeyError, OSError), lambda exc: len(exc.args)) == Ok(0)


def test_catch_leaves_bugs_alone() -> None:
    """A handler that raises is a bug, and propagates."""
    failed: Result[int, KeyError] = Err(KeyError())
    with pytest.raises(ZeroDivisionError):
        failed.catch(KeyError, lambda _: 1 // 0)


# Context


def test_context_is_for_an_err() -> None:
    """An `Ok` does not make the words; an `Err` has them in its report, and is equal."""
    assert ok(1).context("x") == Ok(1)
    assert ok(1).with_context(never) == Ok(1)
    failed = cast("Err[str]", err("x")).context("inner").with_context(lambda: "outer")
    assert failed == Err("x")
    assert failed.report().context == ("inner", "outer")


def test_context_leaves_the_old_err_as_it_was() -> None:
    """An `Err` that somebody else holds does not change."""
    failed = Err("x")
    assert failed.context("mine") == failed
    assert failed.report().context == ()


# Iterating


def test_iteration_yields_the_value() -> None:
    """An `Ok` yields its value once, an `Err` nothing."""
    assert (list(ok(1)), list(err("x"))) == ([1], [])
    assert (list(ok(1).iter()), list(err("x").iter())) == ([1], [])


# What a value is


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Ok(1), Ok(1), True),
        (Ok(1), Ok(2), False),
        (Err("x"), Err("x"), True),
        (Err("x"), Err("y"), False),
        (Ok(1), Err(1), False),
        (Ok(1), 1, False),
        (Err(1), 1, False),
    ],
)
def test_equality_is_by_variant_and_content(one: object, other: object, *, equal: bool) -> None:
    """Two Results are equal when variant and content are; equal ones hash alike."""
    assert (one == other) is equal
    if equal:
        assert hash(one) == hash(other)


def test_equality_does_not_look_at_the_history() -> None:
    """Where an error came from, and its context, are not part of it."""
    assert Err("x") == err("x").context("reading")
    assert len({Err("x"), cast("Err[str]", err("x")), Err("x").context("reading")}) == 1


def test_variants_of_the_same_content_hash_apart() -> None:
    """`Ok(1)` and `Err(1)` are two keys of a dict."""
    assert len({Ok(1), Err(1)}) == 2


def test_repr_is_code() -> None:
    """`repr` is what one would write."""
    assert repr(Ok([1])) == "Ok([1])"
    assert repr(Err(JobGone(job=3))) == "Err(JobGone(job=3))"


def test_match_takes_a_result_apart() -> None:
    """`case Ok(v)` and `case Err(e)` bind the content, by place and by name."""

    def told(result: Result[int, str]) -> str:
        match result:
            case Ok(value=0):
                return "zero"
            case Ok(v):
                return f"value {v}"
            case Err(error=e):
                return f"error {e}"

    assert [told(r) for r in (ok(0), ok(1), err("x"))] == ["zero", "value 1", "error x"]


@pytest.mark.parametrize("result", [Ok(1), Err("x")])
def test_a_result_has_no_truth_value(result: Result[int, str]) -> None:
    """`if result:` is refused, with the ways to write it."""
    way_out = r"write 'if is_ok\(result\)', 'if is_err\(result\)' or 'match result'"
    with pytest.raises(TypeError, match=way_out):
        bool(cast("Any", result))


@pytest.mark.parametrize(("result", "name"), [(Ok(1), "value"), (Err("x"), "error")])
def test_a_result_never_changes(result: Result[int, str], name: str) -> None:
    """No attribute can be set, added or deleted."""
    for attribute in (name, "other", "__class__"):
        with pytest.raises(AttributeError, match="a Result never changes; make a new one"):
            setattr(result, attribute, 2)
        with pytest.raises(AttributeError, match=r"a Result never changes$"):
            delattr(result, attribute)
    assert result in {Ok(1), Err("x")}


@pytest.mark.parametrize("kind", [Ok, Err])
def test_a_result_is_final(kind: type[Any]) -> None:
    """Neither class has a `__dict__` to write to."""
    assert not hasattr(kind(1), "__dict__")


def test_copies_are_equal() -> None:
    """A copy of what cannot change is itself; a deep copy has its own content."""
    for result in (Ok([1]), Err([1])):
        assert copy.copy(result) is result
        deep = copy.deepcopy(result)
        assert deep == result
        assert deep is not result
    deep_err = copy.deepcopy(Err([1]).context("reading"))
    assert deep_err.report().context == ("reading",)


def test_ok_pickles() -> None:
    """An `Ok` arrives as it was sent."""
    assert pickle.loads(pickle.dumps(Ok([1]))) == Ok([1])  # noqa: S301 - just made


def test_weak_references_are_not_needed_to_free_one() -> None:
    """An unwrapped `Err` leaves no cycle behind: its error dies without the collector."""

    class Error(Exception):
        pass

    gc.disable()
    try:
        failed = Err(Error())
        gone = weakref.ref(failed.error)
        for raising in (failed.unwrap, failed.or_raise):
            with pytest.raises((UnwrapError, Error)) as caught:
                raising()
            caught.value.__cause__ = None
            del caught
        del failed, raising
        assert gone() is None
    finally:
        gc.enable()


# Bad input


@pytest.mark.parametrize(("kind", "text"), [(Ok, "Ok()"), (Err, "Err()")])
def test_a_result_needs_its_content(kind: Callable[[], object], text: str) -> None:
    """`Ok()` and `Err()` say what to write."""
    with pytest.raises(TypeError) as caught:
        kind()
    inner = text.replace("()", "(None)")
    assert str(caught.value) == (
        f"{text} needs its value: write {inner} where there is none to say"
    )


def test_a_non_result_is_refused() -> None:
    """Where a Result must come, anything else is a `TypeError` that names it and the cure."""
    fine: Any = Ok(2)
    failed: Any = Err(2)
    steps: dict[str, Callable[[], object]] = {
        "and_then(": lambda: fine.and_then(echo),
        "or_else(": lambda: failed.or_else(echo),
        "and_(result) of Ok": lambda: fine.and_(2),
        "and_(result) of Err": lambda: failed.and_(2),
        "or_(result) of Ok": lambda: fine.or_(2),
        "or_(result) of Err": lambda: failed.or_(2),
        "Ok(...).flatten()": fine.flatten,
        "what ignore() is given": lambda: ignore(cast("Any", 2), reason="x"),
    }

    def echo(value: int) -> int:
        return value

    for taker, step in steps.items():
        with pytest.raises(TypeError) as caught:
            step()
        text = str(caught.value)
        assert text.startswith(taker.partition(" of ")[0])
        assert text.endswith(" must give a Result, not 2: wrap it in Ok(...) or Err(...)")


def test_a_nameless_callable_is_named_by_its_repr() -> None:
    """An object that is called has no name but its `repr`."""

    class Step:
        def __call__(self, value: int) -> int:
            return value

        def __repr__(self) -> str:
            return "Step()"

    with pytest.raises(TypeError, match=r"^and_then\(Step\(\)\) must give a Result, not 1"):
        Ok(1).and_then(cast("Any", Step()))


# Dropping


def test_ignore_drops_either_variant() -> None:
    """`ignore` takes an `Ok` and an `Err` and says nothing."""
    ignore(ok(1), reason="only the call mattered")
    ignore(err("x"), reason="only the call mattered")


def test_ignore_needs_a_reason() -> None:
    """An empty reason is no reason."""
    with pytest.raises(ValueError, match="reason=' ' says nothing"):
        ignore(ok(1), reason=" ")


def test_an_err_made_without_a_python_frame_has_no_trace() -> None:
    """An `Err` that C code makes at the bottom of a thread's stack is an `Err` all the same."""
    import _thread  # `threading` would put a frame of Python below
    from queue import SimpleQueue

    made: SimpleQueue[Err[str]] = SimpleQueue()
    _thread.start_new_thread(list, (map(made.put, map(Err, ["x"])),))
    assert made.get(timeout=30).report().trace == ()
