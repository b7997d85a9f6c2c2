"""Acquire, use, release: what was acquired is released, once, in reverse, and nothing is lost."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resultflow import (
    Bind,
    Cancelled,
    Err,
    Failed,
    Ok,
    Raised,
    ReleaseFailed,
    Resource,
    Result,
    Succeeded,
    UnwrapError,
    do,
)
from resultflow.errors import SignalReceived

if TYPE_CHECKING:
    from collections.abc import Generator

    from resultflow import Exit


# A callback that a caller without a type checker may pass.
WRONG: Any = {"x": 3}.get


class Log:
    """What happened, in order, and resources that write it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.exits: list[Exit] = []

    def resource(self, name: str) -> Resource[str, str]:
        """Make a resource that notes its acquire and its release."""

        def acquire() -> Result[str, str]:
            self.events.append(f"+{name}")
            return Ok(name)

        def release(value: str, exit: Exit) -> None:
            self.events.append(f"-{value}")
            self.exits.append(exit)

        return Resource.make(acquire, release)

    def refusing(self, name: str) -> Resource[str, str]:
        """Make a resource whose acquire gives an Err."""

        def acquire() -> Result[str, str]:
            self.events.append(f"?{name}")
            return Err(f"no {name}")

        def release(value: str, exit: Exit) -> None:
            self.events.append(f"-{value}")

        return Resource.make(acquire, release)


def failing(name: str) -> Resource[str, ReleaseFailed[str]]:
    """Make a resource whose release gives an Err."""

    def release(value: str, exit: Exit) -> Result[None, str]:
        return Err(f"{value} does not close")

    return Resource.make(lambda: Ok(name), release)


def breaking(name: str, exc: BaseException) -> Resource[str, str]:
    """Make a resource whose release raises."""

    def acquire() -> Result[str, str]:
        return Ok(name)

    def release(value: str, exit: Exit) -> None:
        raise exc

    return Resource.make(acquire, release)


@pytest.fixture
def log() -> Log:
    """A fresh log."""
    return Log()


def test_nothing_happens_before_use(log: Log) -> None:
    """A resource is a description: making and composing it acquires nothing."""
    log.resource("a").both(log.resource("b")).map(str).and_then(lambda _: log.resource("c"))
    assert log.events == []


def test_releases_in_reverse_order_of_acquisition(log: Log) -> None:
    """Each acquire that succeeded is released exactly once, the last one first."""
    three = Resource.all_of([log.resource("a"), log.resource("b"), log.resource("c")])
    assert three.use(lambda names: Ok("".join(names))) == Ok("abc")
    assert log.events == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_a_resource_can_be_used_again(log: Log) -> None:
    """Every use acquires and releases anew."""
    resource = log.resource("a")
    for _ in range(2):
        assert resource.use(Ok) == Ok("a")
    assert log.events == ["+a", "-a", "+a", "-a"]


def test_a_failed_acquire_releases_what_came_before_it(log: Log) -> None:
    """An Err of a later acquire is the outcome; the body does not run; earlier ones close."""
    both = log.resource("a").both(log.refusing("b")).both(log.resource("c"))
    assert both.use(lambda _: Ok(pytest.fail("the body ran"))) == Err("no b")
    assert log.events == ["+a", "?b", "-a"]
    assert log.exits == [Failed("no b")]


def test_and_then_depends_on_the_first(log: Log) -> None:
    """The second resource is made of the first one's value and is released before it."""
    chained = log.resource("a").and_then(lambda name: log.resource(name + "b"))
    assert chained.use(Ok) == Ok("ab")
    assert log.events == ["+a", "+ab", "-ab", "-a"]


def test_a_mapper_that_raises_releases_what_was_acquired(log: Log) -> None:
    """A bug between acquire and body propagates, and the release has run."""
    with pytest.raises(ZeroDivisionError):
        log.resource("a").map(lambda _: 1 // 0).use(Ok)
    assert log.events == ["+a", "-a"]


def test_the_release_sees_success(log: Log) -> None:
    """An Ok of the body is Succeeded, with its value."""
    assert log.resource("a").use(lambda _: Ok(3)) == Ok(3)
    assert log.exits == [Succeeded(3)]


def test_the_release_sees_a_returned_err(log: Log) -> None:
    """An Err of the body is Failed, with its error: what no __exit__ can see."""
    assert log.resource("a").use(lambda _: Err("full")) == Err("full")
    assert log.exits == [Failed("full")]


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("x"),
        MemoryError(),
        RecursionError(),
        SystemExit(3),
        GeneratorExit(),
    ],
    ids=repr,
)
def test_the_release_sees_an_exception_which_goes_on(log: Log, exc: BaseException) -> None:
    """Any exception of the body is Raised, and that very object leaves the scope."""

    def body(_: str) -> Result[None, str]:
        raise exc

    with pytest.raises(type(exc)) as caught:
        log.resource("a").use(body)
    assert caught.value is exc
    assert log.exits == [Raised(exc)]


@pytest.mark.parametrize(("exc", "signum"), [(KeyboardInterrupt(), 2), (SignalReceived(15), 15)])
def test_the_release_sees_an_interrupt(log: Log, exc: KeyboardInterrupt, signum: int) -> None:
    """A KeyboardInterrupt is Cancelled by SIGINT, a SignalReceived by its own signal."""

    def body(_: str) -> Result[None, str]:
        raise exc

    with pytest.raises(KeyboardInterrupt):
        log.resource("a").use(body)
    assert log.exits == [Cancelled(exc, signum)]


def test_the_release_sees_a_cancelled_task(log: Log) -> None:
    """Asyncio's cancellation is Cancelled, without a signal."""
    import asyncio

    def body(_: str) -> Result[None, str]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        log.resource("a").use(body)
    assert isinstance(log.exits[0], Cancelled)
    assert log.exits[0].signum is None


def test_bind_may_leave_through_a_scope(log: Log) -> None:
    """An early return from inside the body releases, and the release sees the Err's error."""

    @do
    def outer(bind: Bind[str]) -> str:
        return bind(log.resource("a").use(lambda _: Ok(bind(Err("gone")))))

    assert outer() == Err("gone")
    assert log.events == ["+a", "-a"]
    assert log.exits == [Failed("gone")]


def test_bind_through_a_scope_keeps_failed_releases() -> None:
    """What fails to close on an early return is suppressed on the Err that leaves."""

    @do
    def outer(bind: Bind[str | ReleaseFailed[str]]) -> str:
        return bind(failing("a").use(lambda _: Ok(bind(Err("gone")))))

    left = outer()
    assert isinstance(left, Err)
    assert left.error == "gone"
    assert left.suppressed == (Err("a does not close"),)


def test_an_err_keeps_failed_releases_in_order() -> None:
    """The body's error stays; each failed release is suppressed on it, in order."""
    bug = OSError("bug")
    both = failing("a").both(breaking("b", bug))
    left = both.use(lambda _: Err("full"))
    assert isinstance(left, Err)
    assert left.error == "full"
    assert left.suppressed == (Err(bug), Err("a does not close"))
    assert "bug" in str(left.report())
    assert "a does not close" in str(left.report())


def test_success_with_failed_releases_is_release_failed() -> None:
    """Only releases failed: an Err with the value and every failure."""
    both = failing("a").both(failing("b"))
    left = both.use(lambda names: Ok(len(names)))
    assert left == Err(ReleaseFailed(2, ("b does not close", "a does not close")))
    assert isinstance(left, Err)
    assert len(left.suppressed) == 2


def test_a_release_that_raises_after_success_is_a_bug() -> None:
    """Only releases failed, one by an exception: it propagates, with the others on it."""
    bug = OSError("bug")
    with pytest.raises(OSError, match="bug") as caught:
        failing("a").both(breaking("b", bug)).use(Ok)
    assert caught.value is bug
    assert vars(bug)["__suppressed__"] == (Err("a does not close"),)
    assert any("a does not close" in note for note in bug.__notes__)


def test_an_exception_keeps_failed_releases(log: Log) -> None:
    """The body's exception goes on, and what failed after it is on it: notes and objects."""

    def body(_: object) -> Result[None, str]:
        msg = "first"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="first") as caught:
        failing("a").both(log.resource("b")).use(body)
    assert vars(caught.value)["__suppressed__"] == (Err("a does not close"),)
    assert any("a does not close" in note for note in caught.value.__notes__)
    assert log.events == ["+b", "-b"]


def test_a_system_exit_of_a_release_is_not_held_back(log: Log) -> None:
    """A SystemExit out of a release leaves the scope, with the body's Err on it."""
    stop = SystemExit(3)
    both = log.resource("a").both(breaking("b", stop))
    with pytest.raises(SystemExit) as caught:
        both.use(lambda _: Err("full"))
    assert caught.value is stop
    assert vars(stop)["__suppressed__"] == (Err("full"),)
    assert log.events == ["+a", "-a"]


def test_a_system_exit_of_a_release_wins_over_other_bugs() -> None:
    """After success too, what must leave leaves, and the other failures are on it."""
    stop = SystemExit(3)
    with pytest.raises(SystemExit):
        breaking("a", stop).both(breaking("b", OSError("bug"))).use(Ok)
    assert len(vars(stop)["__suppressed__"]) == 1


def test_a_body_must_return_a_result(log: Log) -> None:
    """A body that returns something else is told so, after the releases."""
    with pytest.raises(TypeError, match=r"must return a Result, not None: wrap it in Ok"):
        log.resource("a").use(WRONG)
    assert log.events == ["+a", "-a"]


def test_an_acquire_must_return_a_result() -> None:
    """An acquire that returns something else is named."""
    resource: Resource[Any, Any] = Resource.make(lambda: WRONG("x"), WRONG)
    with pytest.raises(TypeError, match=r"must return a Result, not 3"):
        resource.use(Ok)


def test_and_then_must_return_a_resource(log: Log) -> None:
    """A step that returns something else is named, and what was acquired is released."""
    with pytest.raises(TypeError, match=r"must return a Resource, not None: see Resource.make"):
        log.resource("a").and_then(WRONG).use(Ok)
    assert log.events == ["+a", "-a"]


def test_a_resource_made_by_hand_is_refused() -> None:
    """Resource(...) is not how one is made, and says so."""
    with pytest.raises(TypeError, match=r"describes nothing: see Resource\.make"):
        Resource[int, str](cast("Any", 3)).use(Ok)


def test_an_odd_interrupt_still_releases(log: Log) -> None:
    """A KeyboardInterrupt whose signum is no number counts as SIGINT."""

    class Odd(KeyboardInterrupt):
        signum = None

    def body(_: str) -> Result[None, str]:
        raise Odd

    with pytest.raises(Odd):
        log.resource("a").use(body)
    assert log.events == ["+a", "-a"]


def test_closing_closes() -> None:
    """closing() releases by close(), and an acquire that fails has nothing to close."""
    assert Resource.closing(lambda: Ok(io.StringIO("text"))).use(Ok).is_ok_and(lambda f: f.closed)


def test_a_context_manager_is_released_as_it_expects() -> None:
    """__exit__ sees an exception when there was one, and none after Ok or Err."""
    seen: list[BaseException | None] = []

    @contextmanager
    def manager() -> Generator[str]:
        try:
            yield "value"
        except BaseException as exc:
            seen.append(exc)
            raise
        else:
            seen.append(None)

    resource = Resource.from_context_manager(manager)
    assert resource.use(Ok) == Ok("value")
    assert resource.use(lambda _: Err("full")) == Err("full")
    bug = ValueError("bug")

    def body(_: str) -> Result[None, str]:
        raise bug

    with pytest.raises(ValueError, match="bug"):
        resource.use(body)
    assert seen == [None, None, bug]


def test_open_releases_when_the_block_ends(log: Log) -> None:
    """A with block is a scope too: success and exceptions are told apart."""
    with log.resource("a").both(log.resource("b")).open() as names:
        assert names == ("a", "b")
    bug = ValueError("bug")
    with pytest.raises(ValueError, match="bug"), log.resource("c").open():
        raise bug
    assert log.events == ["+a", "+b", "-b", "-a", "+c", "-c"]
    assert log.exits == [Succeeded(None), Succeeded(None), Raised(bug)]


def test_open_raises_the_err_of_a_failed_acquire(log: Log) -> None:
    """Where there is no Result to return, the Err is raised with its report."""
    both = log.resource("a").both(log.refusing("b"))
    with pytest.raises(UnwrapError, match="no b"), both.open():
        pytest.fail("the block ran")
    assert log.events == ["+a", "?b", "-a"]


def test_open_raises_when_only_releases_failed() -> None:
    """A failed release after a block that went well is raised."""
    with pytest.raises(UnwrapError, match="a does not close"), failing("a").open():
        pass


def test_open_is_for_one_block_at_a_time(log: Log) -> None:
    """The object of one open() cannot be entered twice at once."""
    opened = log.resource("a").open()
    with opened, pytest.raises(RuntimeError, match=r"call open\(\) again"), opened:
        pytest.fail("the block ran")
    assert log.events == ["+a", "-a"]


def test_scopes_in_threads_are_independent(log: Log) -> None:
    """A scope works outside the main thread, where no signal handler ever runs."""
    results: list[Result[str, str]] = []
    thread = threading.Thread(target=lambda: results.append(log.resource("a").use(Ok)))
    thread.start()
    thread.join()
    assert results == [Ok("a")]
    assert log.events == ["+a", "-a"]


@pytest.mark.parametrize("shape", ["all_of", "and_then left", "and_then right", "map"])
def test_fifty_thousand_resources_compose_flat(shape: str) -> None:
    """Composition does not recurse and forgets none: 50,000 acquired, all released in reverse."""
    many = 50_000
    released: list[int] = []

    def numbered(n: int) -> Resource[int, str]:
        def acquire() -> Result[int, str]:
            return Ok(n)

        def release(value: int, exit: Exit) -> None:
            released.append(value)

        return Resource.make(acquire, release)

    def onward(n: int) -> Resource[int, str]:
        return numbered(n) if n == many - 1 else numbered(n).and_then(lambda n: onward(n + 1))

    match shape:
        case "all_of":
            whole: Resource[object, str] = Resource.all_of(numbered(n) for n in range(many))
        case "and_then left":
            chain = numbered(0)
            for _ in range(many - 1):
                chain = chain.and_then(lambda n: numbered(n + 1))
            whole = chain
        case "and_then right":
            whole = onward(0)
        case _:
            mapped = numbered(0)
            for _ in range(many):
                mapped = mapped.map(lambda n: n + 1)
            assert mapped.use(Ok) == Ok(many)
            return
    assert whole.use(lambda _: Ok(None)) == Ok(None)
    assert released == list(range(many - 1, -1, -1))


@given(st.lists(st.sampled_from(["fine", "refuses", "sticks", "breaks"]), max_size=8))
def test_any_mixture_releases_what_it_acquired(kinds: list[str]) -> None:
    """Whatever fails where: releases are the acquires before the first refusal, reversed."""
    log = Log()

    def resource(n: int, kind: str) -> Resource[int, object]:
        def acquire() -> Result[int, object]:
            log.events.append(f"+{n}")
            return Err(f"refused {n}") if kind == "refuses" else Ok(n)

        def release(value: int, exit: Exit) -> Result[None, object]:
            log.events.append(f"-{value}")
            if kind == "breaks":
                msg = f"broke {value}"
                raise OSError(msg)
            return Err(f"stuck {value}") if kind == "sticks" else Ok(None)

        return Resource.make(acquire, release)

    whole = Resource.all_of(resource(n, kind) for n, kind in enumerate(kinds))
    first = kinds.index("refuses") if "refuses" in kinds else len(kinds)
    failures = [kind for kind in reversed(kinds[:first]) if kind in {"sticks", "breaks"}]
    try:
        outcome = whole.use(Ok)
    except OSError as exc:
        bug = exc
        assert first == len(kinds)
        assert "breaks" in failures
        assert len(vars(bug).get("__suppressed__", ())) == len(failures) - 1
    else:
        if first < len(kinds):
            assert isinstance(outcome, Err)
            assert outcome.error == f"refused {first}"
            assert len(outcome.suppressed) == len(failures)
        elif failures:
            assert isinstance(outcome, Err)
            released = cast("Err[ReleaseFailed[object]]", outcome).error
            assert len(released.failures) == len(failures)
        else:
            assert outcome == Ok(list(range(len(kinds))))
    acquired = [f"+{n}" for n in range(min(first + 1, len(kinds)))]
    closed = [f"-{n}" for n in reversed(range(first))]
    assert log.events == acquired + closed


def test_a_forked_child_releases_nothing_of_its_parent(log: Log) -> None:
    """A raw fork inside a scope: the child unwinds, and the parent's resource stays acquired."""
    reader, writer = os.pipe()

    def release(value: str, exit: Exit) -> None:
        os.write(writer, b"p" if os.getpid() == parent else b"c")

    def body(_: str) -> Result[None, str]:
        pid = os.fork()
        if pid == 0:
            raise SystemExit
        os.waitpid(pid, 0)
        return Ok(None)

    parent = os.getpid()
    try:
        outcome = Resource.make(lambda: Ok("held"), release).use(body)
    except SystemExit:
        os._exit(0)
    assert outcome == Ok(None)
    os.close(writer)
    assert os.read(reader, 10) == b"p"
    os.close(reader)


def test_a_scope_keeps_nothing_alive() -> None:
    """After use, value and body are freed without the cycle collector, also after a failure."""

    class Value:
        pass

    def leave(outcome: Result[None, str]) -> weakref.ref[Value]:
        value = Value()
        kept = weakref.ref(value)
        resource = Resource.make(lambda: Ok(value), lambda value, exit: None)
        assert resource.use(lambda _: outcome) == outcome
        return kept

    def leave_by_a_bug(outcome: Result[None, str]) -> weakref.ref[Value]:
        value = Value()

        def release(value: Value, exit: Exit) -> None:
            msg = "bug"
            raise OSError(msg)

        with contextlib.suppress(OSError):
            Resource.make(lambda: Ok(value), release).use(lambda _: outcome)
        return weakref.ref(value)

    gc.disable()
    try:
        assert leave(Ok(None))() is None
        assert leave(Err("full"))() is None
        assert leave_by_a_bug(Ok(None))() is None
        assert leave_by_a_bug(Err("full"))() is None
    finally:
        gc.enable()
