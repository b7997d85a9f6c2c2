"""`retry` is stamina on Results: as many calls as stamina would make, and no error is lost."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict, cast

import attrs
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from resultflow import Bind, Err, Ok, Resource, Result, aio, do
from resultflow.errors import TimedOut
from resultflow.interop.stamina import ErrReturned, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer: TypeAlias = "Result[int, A | B] | BaseException"


@attrs.frozen
class A:
    """Go away by itself."""

    number: int = 0


@attrs.frozen
class B:
    """Stay."""

    number: int = 0


class BugError(Exception):
    """Be raised."""


at_once = partial(retry, wait_initial=0, wait_jitter=0)
"""`retry` without waits."""


@pytest.fixture(autouse=True)
def seen() -> Iterator[list[RetryDetails]]:
    """Note what stamina's hooks are told."""
    told: list[RetryDetails] = []

    def note(details: RetryDetails) -> None:
        told.append(details)

    set_on_retry_hooks([note])
    yield told
    set_on_retry_hooks(None)


class Script:
    """Give or raise one answer after the other."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.given: list[Answer] = []

    def answer(self) -> Result[int, A | B]:
        """Give the next."""
        self.given.append(self.answers[len(self.given)])
        answer = self.given[-1]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def called(func: Callable[[], Result[int, A | B]], mode: str, **options: Any) -> Answer:  # noqa: ANN401 - those of `retry`
    """Call a function by `retry`, as it is or as a coroutine function; give a bug, too."""

    async def later() -> Result[int, A | B]:
        await asyncio.sleep(0)
        return func()

    try:
        if mode == "async":
            return asyncio.run(at_once(**options)(later)())
        return at_once(**options)(func)()
    except BugError as exc:
        return exc


def is_a(error: A | B) -> bool:
    """Judge, for `on`."""
    return isinstance(error, A)


# Numbered, so that no two are equal.
make_ok: Callable[[int], Answer] = Ok
makers: list[Callable[[int], Answer]] = [
    make_ok,
    lambda number: Err(A(number)),
    lambda number: Err(B(number)),
    BugError,
]
sequences = st.lists(st.sampled_from(makers), max_size=14).map(
    lambda made: [make(number) for number, make in enumerate([*made, make_ok])]
)
judges: st.SearchStrategy[tuple[Any, tuple[type, ...]]] = st.sampled_from(
    [(A, (A,)), (B, (B,)), ((A, B), (A, B)), (is_a, (A,))]
)
limits = st.one_of(st.none(), st.integers(1, 12))
modes = st.sampled_from(["active", "inactive", "testing", "capped"])


@given(sequences, judges, limits, modes, st.integers(1, 5), st.sampled_from(["sync", "async"]))
def test_calls_and_outcome(  # noqa: PLR0913, PLR0917 - what is drawn
    answers: list[Answer],
    judge: tuple[Any, tuple[type, ...]],
    attempts: int | None,
    mode: str,
    tested: int,
    way: str,
) -> None:
    """It calls until something is final, or the limit of stamina's mode is reached."""
    on, kinds = judge
    limit = {
        "active": attempts,
        "inactive": 1,
        "testing": tested,
        "capped": min(tested, attempts or tested),
    }[mode]
    expected: list[Answer] = []
    for answer in answers:
        expected.append(answer)
        again = isinstance(answer, Err) and isinstance(answer.error, kinds)
        if not again or len(expected) == limit:
            break
    earlier = tuple(expected[:-1])
    script = Script(*answers)
    stamina.set_active(mode != "inactive")
    testing = mode in {"testing", "capped"}
    with stamina.set_testing(testing, attempts=tested, cap=mode == "capped"):
        outcome = called(script.answer, way, on=on, attempts=attempts)
    stamina.set_active(active=True)
    assert script.given == expected
    assert outcome == expected[-1]
    if isinstance(outcome, BugError):
        assert outcome is expected[-1]
        assert getattr(outcome, "__suppressed__", ()) == earlier[-10:]
    elif isinstance(outcome, Err):
        assert outcome.suppressed == earlier[-9:]
        name = "Script.answer" if way == "sync" else "called.<locals>.later"
        told = (f"in attempt {len(expected)} of {name}",) if earlier else ()
        assert outcome.report().context == told


def test_ten_errors_are_kept() -> None:
    """Of many attempts the last ten are told, the one that comes back included."""
    errs: list[Answer] = [Err(A(number)) for number in range(15)]
    failed = at_once(on=A, attempts=15)(Script(*errs).answer)()
    assert isinstance(failed, Err)
    assert (failed, *reversed(failed.suppressed)) == tuple(reversed(errs[-10:]))
    with pytest.raises(BugError) as caught:
        at_once(on=A, attempts=None)(Script(*errs, BugError()).answer)()
    assert vars(caught.value)["__suppressed__"] == tuple(errs[-10:])


def test_a_first_err_comes_back_untouched() -> None:
    """An `Err` that ends the first attempt is the very one."""
    final: Result[int, B] = Err(B())
    assert at_once(on=A)(lambda: final)() is final
    assert at_once(on=B, attempts=1)(lambda: final)() is final


def test_the_last_err_keeps_its_history() -> None:
    """Trace, context and suppressed failures of the last `Err` come first."""
    numbers = iter(range(10))
    flaky = Resource.make(lambda: Ok(1), lambda _, __: Err("not closed"))

    def load() -> Result[int, A]:
        return Err(A(next(numbers)))

    @at_once(on=A, attempts=2)
    def attempt() -> Result[int, object]:
        return flaky.use(lambda _: load().context("loading"))

    failed = attempt()
    assert isinstance(failed, Err)
    assert failed == Err(A(1))
    assert failed.suppressed == (Err("not closed"), Err(A(0)))
    report = failed.report()
    name = f"{test_the_last_err_keeps_its_history.__name__}.<locals>"
    assert report.context == ("loading", f"in attempt 2 of {name}.attempt")
    assert report.trace[0].function == f"{name}.load"
    assert f"then attempt 1 of {name}.attempt failed: A(number=0)" in str(report)
    # What failed at the first attempt is told with it.
    assert str(report).count("not closed") == 2


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("kind", [OSError, StopIteration, StopAsyncIteration, KeyboardInterrupt])
def test_a_bug_is_raised_at_once(way: str, kind: type[BaseException]) -> None:
    """What a function raises comes out as it is, though `on` names its class."""
    calls: list[int] = []

    def fail() -> Result[int, Exception]:
        calls.append(1)
        raise kind("x")

    async def fail_later() -> Result[int, Exception]:
        calls.append(1)
        raise kind("x")

    if way == "sync":
        with pytest.raises(kind, match="x"):
            at_once(on=BaseException)(fail)()
    else:
        # A coroutine cannot raise a StopIteration: Python makes a RuntimeError of it.
        stopped = kind is StopIteration
        retried = at_once(on=BaseException)(fail_later)()
        with pytest.raises(RuntimeError if stopped else kind):
            retried.send(None)
    assert calls == [1]


def test_an_early_return_passes() -> None:
    """`bind` of a block around leaves that block, and takes the earlier errors along."""
    script = Script(Err(A(1)), Err(B(2)))

    @do
    def block(bind: Bind[B]) -> Result[int, A]:
        def attempt() -> Result[int, A]:
            match script.answer():
                case Ok(value):
                    return Ok(value)
                case Err(error):
                    return Err(error) if isinstance(error, A) else Ok(bind(Err(error)))

        return at_once(on=A)(attempt)()

    left = block()
    assert isinstance(left, Err)
    assert left == Err(B(2))
    assert left.suppressed == (Err(A(1)),)


def test_hooks_see_each_retry(seen: list[RetryDetails]) -> None:
    """A hook is told the function's name, its arguments, the `Err`, and the class of its error."""
    script = Script(Err(A(1)), Err(B(2)), Ok(3))

    @at_once(on=(A, B))
    def load(key: int, *, fresh: bool) -> Result[int, A | B]:
        del key, fresh
        return script.answer()

    assert load(7, fresh=True) == Ok(3)
    first, second = seen
    assert first.name == f"{__name__}.{load.__qualname__}"
    assert (first.args, first.kwargs, first.retry_num) == ((7,), {"fresh": True}, 1)
    cause = first.caused_by
    assert isinstance(cause, ErrReturned)
    assert cause.err == Err(A(1))
    assert repr(cause) == "Err(A(number=1))"
    assert str(cause) == str(cause.err.report())
    assert [type(details.caused_by).__qualname__ for details in seen] == ["A", "B"]
    assert type(second.caused_by).__module__ == __name__


def test_what_a_hook_raises_comes_out() -> None:
    """A hook's exception ends the attempts, be it of the kind that hooks are shown."""
    alien = ErrReturned(Err(B()), verdict=True)

    def fail(details: RetryDetails) -> None:
        del details
        raise alien

    set_on_retry_hooks([fail])
    with pytest.raises(ErrReturned) as caught:
        at_once(on=A)(Script(Err(A(1)), Ok(2)).answer)()
    assert caught.value is alien
    assert vars(alien)["__suppressed__"] == (Err(A(1)),)


def test_hooks_count_by_a_name_without_what_was_bound(seen: list[RetryDetails]) -> None:
    """A partial or an object goes by its function's or its class's name, not by its repr."""

    class Loader:
        def __call__(self, script: Script) -> Result[int, A | B]:
            return script.answer()

    scripts = [Script(Err(A(1)), Ok(2)), Script(Err(A(1)), Ok(2))]
    assert at_once(on=A)(partial(Loader(), scripts[0]))() == Ok(2)
    assert at_once(on=A)(partial(partial(Script.answer), scripts[1]))() == Ok(2)
    assert [details.name for details in seen] == [
        f"{__name__}.{Loader.__qualname__}",
        f"{__name__}.Script.answer",
    ]


def test_the_log_of_stamina_tells_the_error(caplog: pytest.LogCaptureFixture) -> None:
    """The hook of stamina itself logs the `Err`."""
    set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])
    script = Script(Err(A(1)), Ok(3))
    with caplog.at_level(logging.WARNING, logger="stamina"):
        assert at_once(on=A)(script.answer)() == Ok(3)
    [record] = caplog.records
    assert vars(record)["stamina.caused_by"] == "Err(A(number=1))"


def test_hooks_of_one_call_are_not_those_of_another() -> None:
    """A context manager that a hook gives is left before the retry, and is that call's alone."""
    events: list[str] = []

    class Waiting(AbstractContextManager[None]):
        def __exit__(self, *_: object) -> None:
            events.append("left")

    def wait(details: RetryDetails) -> Waiting:
        events.append("waits")
        return Waiting()

    set_on_retry_hooks([wait])

    scripts = [Script(Err(A(1)), Ok(1)), Script(Err(A(1)), Ok(1))]

    @at_once(on=A)
    def load(number: int) -> Result[int, A | B]:
        events.append(f"call {number}")
        return scripts[number].answer()

    assert [load(0), load(1)] == [Ok(1), Ok(1)]
    assert events == [
        *("call 0", "waits", "left", "call 0"),
        *("call 1", "waits", "left", "call 1"),
    ]


@pytest.mark.parametrize("verdict", [200, 200.5, timedelta(seconds=200.5)])
def test_on_may_say_how_long_to_wait(verdict: float | timedelta) -> None:
    """A function for `on` may give the seconds to wait, which no other option limits."""

    def stop(details: RetryDetails) -> None:
        raise BugError(details.wait_for)

    set_on_retry_hooks([stop])
    script = Script(Err(A(1)))
    with pytest.raises(BugError, match=r"^200(\.[05])?\n") as caught:
        retry(on=lambda _: verdict, timeout=100, wait_max=0.1)(script.answer)()
    assert len(script.given) == 1
    assert vars(caught.value)["__suppressed__"] == (Err(A(1)),)


def test_zero_seconds_are_a_retry() -> None:
    """`on` says no by False alone: 0 means at once."""
    script = Script(Err(A(1)), Ok(2))
    assert retry(on=lambda _: 0)(script.answer)() == Ok(2)
    assert len(script.given) == 2


def test_options_are_those_of_stamina(seen: list[RetryDetails]) -> None:
    """Waits grow by the factor up to the most; times are seconds or timedeltas."""
    script = Script(*(Err(A(number)) for number in range(5)))
    waits = retry(
        on=A,
        attempts=5,
        timeout=timedelta(seconds=30),
        wait_initial=timedelta(milliseconds=1),
        wait_max=0.005,
        wait_jitter=timedelta(),
        wait_exp_base=3,
    )
    assert waits(script.answer)() == Err(A(4))
    assert [details.wait_for for details in seen] == pytest.approx([0.001, 0.003, 0.005, 0.005])


def test_after_the_time_there_is_no_attempt() -> None:
    """The attempt that fails when the time is over is the last."""
    script = Script(Err(A(1)), Ok(2))
    assert at_once(on=A, timeout=1e-9)(script.answer)() == Err(A(1))
    assert len(script.given) == 1


class ForCheckers(Protocol):
    """Be no class that an error can be asked for."""


class Keys(TypedDict):
    """Be none either."""


@pytest.mark.parametrize(
    "on",
    [
        *(A(), "A", None, (), (A, "B"), A | B, [A], list[int], Err, (A, Ok)),
        *(Any, ForCheckers, (A, Keys)),
    ],
)
def test_on_names_errors(on: object) -> None:
    """What is no class, no tuple of classes and no function is refused where it is given."""
    with pytest.raises(TypeError, match=r"^on=.* names no error: give the class"):
        retry(on=cast("Any", on))


def test_on_is_required() -> None:
    """There is no default, and no way to leave the parentheses away."""
    with pytest.raises(TypeError, match="'on'"):
        cast("Any", retry)()
    with pytest.raises(TypeError, match="positional"):
        cast("Any", retry)(A)


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("attempts", 0, "attempts=0 is no number of calls: give 1 or more, or None"),
        ("attempts", -1, "attempts=-1 is no number of calls"),
        ("attempts", 2.0, "attempts=2.0 is no number of calls"),
        ("attempts", True, "attempts=True is no number of calls"),
        ("timeout", 0, "timeout=0 leaves no time for a retry: use attempts=1, or None"),
        ("timeout", -1, "timeout=-1 is no time to wait: give seconds, 0 or more"),
        ("timeout", "1", "timeout='1' is no time to wait"),
        ("timeout", float("inf"), "timeout=inf is no time to wait"),
        ("timeout", 10**400, "timeout=10{400} is no time to wait"),
        ("wait_initial", 1e12, r"wait_initial=1000000000000\.0 is no time to wait"),
        ("wait_initial", -0.1, "wait_initial=-0.1 is no time to wait"),
        ("wait_max", timedelta(seconds=-1), "wait_max=datetime.* is no time to wait"),
        ("wait_jitter", float("nan"), "wait_jitter=nan is no time to wait"),
        ("wait_jitter", True, "wait_jitter=True is no time to wait"),
        ("wait_exp_base", 0, "wait_exp_base=0 is no factor: give a number above 0"),
        ("wait_exp_base", float("inf"), "wait_exp_base=inf is no factor"),
    ],
)
def test_options_have_their_ranges(option: str, value: object, text: str) -> None:
    """A wrong option is refused where it is given, whatever it is."""
    with pytest.raises(ValueError, match=text):
        retry(on=A, **cast("Any", {option: value}))


def test_it_wraps_functions() -> None:
    """What is no function is refused at decoration, with the order that decorators must have."""
    whats: list[Any] = [3, classmethod(fine), staticmethod(fine)]
    for what in whats:
        with pytest.raises(TypeError, match=r"below @classmethod or @staticmethod"):
            retry(on=A)(what)


def fine(*_: object) -> Result[int, A]:
    """Be in order."""
    return Ok(1)


def test_a_function_must_give_a_result() -> None:
    """A plain value is refused, and the errors before it are told."""
    script = Script(Err(A(1)), cast("Any", 3))
    with pytest.raises(TypeError, match=r"must return a Result, not 3: wrap it") as caught:
        at_once(on=A)(script.answer)()
    assert vars(caught.value)["__suppressed__"] == (Err(A(1)),)


def test_a_plain_function_must_give_no_coroutine() -> None:
    """Checkers cannot tell it from a coroutine function; it is refused, and nothing is left."""

    async def later() -> Result[int, A]:
        return Ok(1)

    with pytest.raises(TypeError, match=r"gave a coroutine, .* made by 'async def'"):
        asyncio.run(at_once(on=A)(lambda: later())())  # noqa: PLW0108 - no coroutine function
    assert asyncio.run(at_once(on=A)(partial(later))()) == Ok(1)


def test_on_must_say_yes_or_no() -> None:
    """A function for `on` that gives None, or raises, is a bug; the `Err` is told with it."""
    failing: Result[int, A] = Err(A(1))
    with pytest.raises(TypeError, match=r"must give True, False or the seconds .* not None: it"):
        at_once(on=cast("Any", print))(lambda: failing)()
    with pytest.raises(ValueError, match=r"on=-1 is no time to wait"):
        at_once(on=lambda _: -1)(lambda: failing)()
    with pytest.raises(ZeroDivisionError) as caught:
        at_once(on=lambda _: bool(1 / 0))(lambda: failing)()
    assert vars(caught.value)["__suppressed__"] == (failing,)


def test_methods_and_names() -> None:
    """Methods are bound, and a wrapped function looks like itself."""

    class Store:
        calls = 0

        @at_once(on=A)
        def read(self, key: int) -> Result[int, A]:
            """Read."""
            self.calls += 1
            return Ok(key) if self.calls > 1 else Err(A())

        @classmethod
        @at_once(on=A)
        def make(cls) -> Result[type, A]:
            return Ok(cls)

    assert Store().read(3) == Ok(3)
    assert Store.make() == Ok(Store)
    assert (Store.read.__name__, Store.read.__doc__) == ("read", "Read.")
    assert at_once(on=A)(partial(Store().read, 4))() == Ok(4)


def test_a_decorated_function_can_be_called_at_once_by_many() -> None:
    """Calls share nothing: each has its own attempts."""
    barrier = threading.Barrier(4)

    @at_once(on=A, attempts=3)
    def load(number: int) -> Result[int, A]:
        barrier.wait(20)
        return Err(A(number))

    with ThreadPoolExecutor(4) as executor:
        outcomes = list(executor.map(load, range(4)))
    assert outcomes == [Err(A(number)) for number in range(4)]
    for outcome in outcomes:
        assert isinstance(outcome, Err)
        assert outcome.suppressed == (outcome, outcome)


@pytest.mark.parametrize("ends_in_bug", [False, True])
def test_a_call_leaves_no_cycle(ends_in_bug: bool) -> None:  # noqa: FBT001 - pytest's
    """What a call was given is free when it is over, without the collector.

    (After a last `Err` it is not: tenacity, below stamina, keeps a cycle of its own.)
    """

    class Argument:
        """Be looked at."""

    script = Script(Err(A(1)), Ok(2))
    set_on_retry_hooks([])

    @at_once(on=A)
    def load(argument: Argument) -> Result[int, A | B]:
        del argument
        answer = script.answer()
        if ends_in_bug and answer.is_ok():
            raise BugError
        return answer

    argument = Argument()
    reference = weakref.ref(argument)
    gc.collect()
    gc.disable()
    try:
        # Not `pytest.raises`, which keeps what was raised.
        with suppress(BugError):
            assert load(argument) == Ok(2)
        del argument
        assert len(script.given) == 2
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancellation_ends_the_wait(backend: str) -> None:
    """A timeout cuts the wait between two attempts, and tells what had failed by then."""
    script = Script(Err(A(1)))

    async def load() -> Result[int, A | B]:
        return script.answer()

    async def main() -> Result[int, A | B | TimedOut]:
        return await aio.timeout(0.01, retry(on=A, wait_initial=600, wait_max=600)(load)())

    outcome = aio.run(main, backend=cast("Any", backend))
    assert isinstance(outcome, Err)
    assert outcome == Err(TimedOut(0.01))
    assert len(script.given) == 1
    assert Err(A(1)) in outcome.suppressed


def test_an_acquire_with_retries() -> None:
    """An acquire may be retried: what the last attempt gave is held, once, and released."""
    script = Script(Err(A(1)), Err(A(2)), Ok(3))
    released: list[int] = []
    resource = Resource.make(
        at_once(on=A)(script.answer), lambda value, exit: released.append(value)
    )
    assert resource.use(lambda value: Ok(value + 1)) == Ok(4)
    assert (len(script.given), released) == (3, [3])


def test_attempts_without_number() -> None:
    """Retries for ever get past the number at which a factor to its power is no float."""
    script = Script(*(Err(A(number)) for number in range(1100)), Ok(1))
    set_on_retry_hooks([])
    assert retry(on=A, attempts=None, timeout=None, wait_max=0)(script.answer)() == Ok(1)
