"""Acquire, use, release: what was acquired is released, once, in reverse, and nothing is lost."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.children import until

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
    ignore,
)
from resultflow.errors import ReleaseTimedOut, SignalReceived
from resultflow.resource import open_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

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


def test_a_block_that_was_not_entered_cannot_be_left() -> None:
    """Nor can one be left twice."""
    with pytest.raises(RuntimeError, match="left before it was entered, or twice"):
        Resource.pure(1).open().__exit__(None, None, None)


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
            resource = Resource.make(lambda: Ok(value), release)
            ignore(resource.use(lambda _: outcome), reason="its release raises")
        return weakref.ref(value)

    gc.disable()
    try:
        assert leave(Ok(None))() is None
        assert leave(Err("full"))() is None
        assert leave_by_a_bug(Ok(None))() is None
        assert leave_by_a_bug(Err("full"))() is None
    finally:
        gc.enable()


def test_attempt_makes_a_failed_acquire_a_value(log: Log) -> None:
    """The body sees the Err of the acquire; what came before it in the attempt is released."""
    risky = log.resource("a").both(log.refusing("b")).attempt()
    whole = log.resource("first").both(risky).both(log.resource("last"))
    seen = whole.use(lambda held: Ok(held[0][1]))
    assert seen == Ok(Err("no b"))
    assert log.events == ["+first", "+a", "?b", "-a", "+last", "-last", "-first"]
    assert log.exits[0] == Failed("no b")


def test_attempt_keeps_a_success_until_the_end(log: Log) -> None:
    """An acquire that went well is Ok of its value, and is released with the others."""
    whole = log.resource("a").map(str.upper).attempt().both(log.resource("b"))
    assert whole.use(lambda held: Ok(held[0])) == Ok(Ok("A"))
    assert log.events == ["+a", "+b", "-b", "-a"]


def test_attempt_keeps_the_failed_releases_on_the_err() -> None:
    """A release that fails after the failed acquire is suppressed on the Err that is the value."""
    risky = failing("a").and_then(lambda _: Resource.make(lambda: Err("no b"), WRONG)).attempt()
    refused = risky.use(Ok).unwrap()
    assert isinstance(refused, Err)
    assert refused == Err("no b")
    assert refused.suppressed == (Err("a does not close"),)


def test_attempts_nest(log: Log) -> None:
    """The nearest attempt takes the Err; deadlines inside it end with it."""
    inner = log.refusing("b").release_within(60).map(str.upper).attempt()
    assert log.resource("a").both(inner).attempt().use(Ok) == Ok(Ok(("a", Err("no b"))))
    assert log.events == ["+a", "?b", "-a"]


def test_an_exception_is_no_failed_attempt(log: Log) -> None:
    """A bug in an acquire propagates through attempt."""

    def acquire() -> Result[str, str]:
        msg = "bug"
        raise ValueError(msg)

    risky = log.resource("a").both(Resource.make(acquire, WRONG)).attempt()
    with pytest.raises(ValueError, match="bug"):
        risky.use(Ok)
    assert log.events == ["+a", "-a"]


def test_on_exit_runs_after_the_release(log: Log) -> None:
    """It sees how the scope ended, after everything else is released."""
    seen: list[object] = []
    resource = log.resource("a").on_exit(lambda exit: seen.append((exit, list(log.events))))
    assert resource.use(lambda _: Err("full")) == Err("full")
    assert seen == [(Failed("full"), ["+a", "-a"])]


def test_on_exit_runs_though_the_acquire_failed(log: Log) -> None:
    """There need not be anything to release."""
    seen: list[Exit] = []
    assert log.refusing("a").on_exit(seen.append).use(Ok) == Err("no a")
    assert seen == [Failed("no a")]


def test_on_exit_may_fail(log: Log) -> None:
    """Its Err counts as that of a release."""
    resource = log.resource("a").on_exit(lambda exit: Err("not told"))
    assert resource.use(Ok) == Err(ReleaseFailed("a", ("not told",)))


def test_all_of_takes_resources_one_by_one(log: Log) -> None:
    """Of several resources the value is a tuple, of one iterable a list."""
    assert Resource.all_of(log.resource("a"), Resource.pure(1)).use(Ok) == Ok(("a", 1))
    assert Resource.all_of([log.resource("b")]).use(Ok) == Ok(["b"])
    none: list[Resource[int, str]] = []
    assert Resource.all_of(none).use(Ok) == Ok([])


class Hang:
    """A release that hangs until it is let go."""

    def __init__(self) -> None:
        self.until = threading.Event()
        self.made: Callable[[], object] = lambda: None
        self.over = threading.Event()

    def resource(self, name: str) -> Resource[str, str]:
        """Make the resource."""

        def hang_here(value: str, exit: Exit) -> None:
            self.until.wait(60)
            try:
                cast("Any", self.made)()
            finally:
                self.over.set()

        return Resource.make(lambda: Ok(name), hang_here)


def test_a_release_has_a_deadline(log: Log) -> None:
    """One that overruns it is left behind; the others run; the failure says which and where."""
    hang = Hang()
    whole = log.resource("a").both(hang.resource("b").release_within(0.05)).both(log.resource("c"))
    outcome = whole.use(lambda _: Ok(3))
    hang.until.set()
    assert log.events == ["+a", "+c", "-c", "-a"]
    assert isinstance(outcome, Err)
    assert isinstance(outcome.error, ReleaseFailed)
    [failure] = outcome.error.failures
    assert failure == ReleaseTimedOut(f"{Hang.__name__}.resource.<locals>.hang_here", 0.05)
    assert outcome.error.value == 3
    assert "hang_here" in str(outcome.report())
    assert hang.over.wait(60)


def test_a_release_in_time_is_as_without_a_deadline(log: Log) -> None:
    """Its value, its Err and its exception arrive as they would from this thread."""
    assert log.resource("a").release_within(60).use(Ok) == Ok("a")
    assert failing("a").release_within(60).use(lambda _: Ok(1)) == Err(
        ReleaseFailed(1, ("a does not close",))
    )
    bug = OSError("bug")
    with pytest.raises(OSError, match="bug") as caught:
        breaking("a", bug).release_within(60).use(Ok)
    assert caught.value is bug
    assert log.events == ["+a", "-a"]


@pytest.mark.parametrize("how", ["err", "raise"])
def test_what_fails_after_its_deadline_is_shown(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was left behind and fails later is told by sys.unraisablehook."""
    shown: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr("sys.unraisablehook", shown.append)
    hang = Hang()
    hang.made = lambda: Err("late").unwrap()
    outcome = hang.resource("a").release_within(0.02).use(Ok)
    assert isinstance(outcome, Err)
    hang.until.set()
    until(lambda: bool(shown), "it is shown")
    assert "late" in str(shown[0].exc_value)


def test_an_err_after_its_deadline_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late Err is no less an error than a late exception."""
    shown: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr("sys.unraisablehook", shown.append)
    go = threading.Event()

    def release(value: str, exit: Exit) -> Result[None, str]:
        go.wait(60)
        return Err("late")

    outcome = Resource.make(lambda: Ok("a"), release).release_within(0.02).use(Ok)
    assert isinstance(outcome, Err)
    go.set()
    until(lambda: bool(shown), "it is shown")
    assert "late" in str(shown[0].exc_value)


def test_the_shorter_deadline_counts() -> None:
    """A deadline inside another one holds only where it is shorter."""
    hang = Hang()
    for inner, outer in ((0.02, 60.0), (60.0, 0.02)):
        outcome = hang.resource("a").release_within(inner).release_within(outer).use(Ok)
        assert isinstance(outcome, Err)
        assert cast("Any", outcome.error).failures[0].seconds == 0.02
    hang.until.set()


def test_a_deadline_is_over_where_its_resource_is(log: Log) -> None:
    """What is chained after a resource with a deadline runs its release in this thread."""
    threads: list[int] = []
    chained = (
        log.resource("a")
        .release_within(60)
        .and_then(
            lambda _: Resource.make(
                lambda: Ok(1), lambda v, exit: threads.append(threading.get_ident())
            )
        )
    )
    assert chained.use(Ok) == Ok(1)
    assert threads == [threading.get_ident()]


def test_without_a_thread_a_release_runs_here(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """Where no thread is to be had the release still runs, with no deadline."""

    def refuse(function: object, args: object) -> int:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    assert log.resource("a").release_within(60).use(Ok) == Ok("a")
    assert log.events == ["+a", "-a"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", None])
def test_a_deadline_that_is_none_is_refused(seconds: Any) -> None:  # noqa: ANN401 - as below
    """What is no time to wait is refused where it is given."""
    with pytest.raises(ValueError, match="is no time to wait: give seconds, more than 0"):
        Resource.pure(1).release_within(seconds)


def test_allocated_gives_the_value_and_its_close(log: Log) -> None:
    """Nothing is released until close is called; then everything, once, in reverse."""
    both = log.resource("a").both(log.resource("b"))
    names, close = both.allocated().unwrap()
    assert names == ("a", "b")
    assert log.events == ["+a", "+b"]
    assert open_resources()[-2:] == 2 * [f"{Log.resource.__qualname__}.<locals>.release"]
    assert close(Failed("stopped")) == Ok(None)
    assert close() == Ok(None)
    assert log.events == ["+a", "+b", "-b", "-a"]
    assert log.exits == [Failed("stopped")] * 2
    assert open_resources() == []


def test_allocated_gives_the_err_of_its_acquire(log: Log) -> None:
    """What was acquired before is released at once."""
    assert log.resource("a").both(log.refusing("b")).allocated() == Err("no b")
    assert log.events == ["+a", "?b", "-a"]


def test_allocated_lets_a_bug_out(log: Log) -> None:
    """An exception of a later step leaves nothing behind."""
    with pytest.raises(ZeroDivisionError):
        log.resource("a").map(lambda _: 1 // 0).allocated()
    assert log.events == ["+a", "-a"]


def test_close_tells_what_failed() -> None:
    """An Err of a release is ReleaseFailed, an exception propagates; the others have run."""
    _, close = failing("a").allocated().unwrap()
    assert close() == Err(ReleaseFailed(None, ("a does not close",)))
    _, close = failing("a").both(breaking("b", OSError("bug"))).allocated().unwrap()
    with pytest.raises(OSError, match="bug") as caught:
        close()
    assert vars(caught.value)["__suppressed__"] == (Err("a does not close"),)
    assert close() == Ok(None)


def test_close_runs_once_whoever_calls_it(log: Log) -> None:
    """Many threads close at once: one releases, and none returns before that is done."""
    go = threading.Barrier(8)
    done = threading.Event()

    def release(value: str, exit: Exit) -> None:
        threading.Event().wait(0.05)
        log.events.append("released")
        done.set()

    _, close = Resource.make(lambda: Ok("a"), release).allocated().unwrap()
    seen: list[tuple[object, bool]] = []

    def work() -> None:
        go.wait()
        seen.append((close(), done.is_set()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.events == ["released"]
    assert seen == [(Ok(None), True)] * 8


def run_program(code: str) -> subprocess.CompletedProcess[str]:
    """Run a whole program."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_still_allocated_at_exit_is_released() -> None:
    """The interpreter's end releases it, the last one first; a child does not keep it alive."""
    done = run_program(
        "import time\n"
        "from resultflow import *\n"
        "def told(name):\n"
        "    return Resource.make(lambda: Ok(name), lambda n, exit: print(n, repr(exit)))\n"
        "for name in 'ab':\n"
        "    told(name).allocated()\n"
        "child_process(time.sleep, [600], start_method='fork').allocated()\n"
        "print('end')\n"
    )
    assert done.stdout.splitlines() == [
        "end",
        "b Cancelled(reason=SystemExit('the interpreter ends'), signum=None)",
        "a Cancelled(reason=SystemExit('the interpreter ends'), signum=None)",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_block_that_is_never_left_is_released_at_exit() -> None:
    """Though nobody keeps its context manager."""
    done = run_program(
        "from resultflow import *\n"
        "def enter():\n"
        "    resource = Resource.make(lambda: Ok(1), lambda n, exit: print('released'))\n"
        "    resource.open().__enter__()\n"
        "enter()\n"
        "print('end')\n"
    )
    assert (done.stdout, done.stderr) == ("end\nreleased\n", "")


CHILD = """
import multiprocessing, sys, threading
from resultflow import *

def told(name, wait=lambda: None):
    def release(_, exit):
        wait()
        print(name, type(exit).__name__, flush=True)
    return Resource.make(lambda: Ok(name), release)

def use_until_the_end():
    def body(name):
        threading.main_thread().join()
        return Ok(print(name, "used"))
    ignore(told("in use").use(body), reason="it is told")

def child(how):
    threading.Thread(target=use_until_the_end).start()
    if how == "opened":
        told(how).open().__enter__()
    else:
        told(how).allocated().unwrap()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    joined = threading.Event()
    closing = threading.Event()
    def wait():
        closing.set()
        joined.wait()
    told("parent's").allocated().unwrap()
    _, close = told("parent's, being closed", wait).allocated().unwrap()
    threading.Thread(target=close).start()
    closing.wait()
    process = context.Process(target=child, args=sys.argv[2:])
    process.start()
    process.join(8)
    print("child", process.exitcode, flush=True)
    joined.set()
"""


@pytest.mark.parametrize("how", ["opened", "allocated"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_a_child_of_multiprocessing_holds_is_released_at_its_end(
    tmp_path: Path, method: str, how: str
) -> None:
    """Once, after its threads have ended; what its parent holds is the parent's alone."""
    program = tmp_path / "program.py"
    program.write_text(CHILD)
    done = subprocess.run(
        [sys.executable, program, method, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "in use used",
        "in use Succeeded",
        f"{how} Cancelled",
        "child 0",
        "parent's, being closed Succeeded",
        "parent's Cancelled",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_what_fails_at_exit_is_shown() -> None:
    """A release that fails then is reported on standard error."""
    done = run_program(
        "from resultflow import *\n"
        "Resource.make(lambda: Ok(1), lambda n, exit: Err('not flushed')).allocated()\n"
    )
    assert "not flushed" in done.stderr


def test_a_closed_generator_does_not_hide_a_failed_release() -> None:
    """GeneratorExit is swallowed by whoever closes it, so the failure is raised in its place."""

    def numbers() -> Generator[int]:
        with failing("a").open():
            yield 1

    generator = numbers()
    assert next(generator) == 1
    with pytest.raises(UnwrapError, match="a does not close"):
        generator.close()


def test_interleaved_blocks_keep_the_gate(log: Log) -> None:
    """Scopes of generators may end in any order; the last one out puts the handlers back."""

    def block(name: str) -> Generator[int]:
        with log.resource(name).open():
            yield 1

    before = signal.getsignal(signal.SIGINT)
    first, second = block("a"), block("b")
    next(first)
    next(second)
    first.close()
    assert signal.getsignal(signal.SIGINT) != before
    second.close()
    assert signal.getsignal(signal.SIGINT) is before
    assert log.events == ["+a", "+b", "-a", "-b"]


@contextmanager
def bare() -> Generator[str]:
    """Tear down after a bare yield."""
    yield "value"
    os.getpid()


@contextmanager
def nested_bare(*, often: bool = False) -> Generator[str]:
    """Have the bare yield in a branch."""
    if often:
        yield "value"
    else:
        value: None = yield "other"
        str(value)
    for _ in range(1):
        pass


@contextmanager
def protected() -> Generator[str]:
    """Tear down in a finally."""
    try:
        yield "value"
    finally:
        os.getpid()


@contextmanager
def nothing_follows() -> Generator[str]:
    """Have nothing to tear down."""
    yield "value"
    assert True


@contextmanager
def looping() -> Generator[str]:
    """Have the bare yield in a loop, and tear down after it."""
    for number in (1,):
        yield str(number)
    while True:
        os.getpid()
        break


def test_a_bare_yield_in_a_loop_is_refused() -> None:
    """What follows the loop is skipped too."""
    with pytest.raises(TypeError, match="looping has a bare yield"):
        Resource.from_context_manager(looping)


def test_what_is_no_function_has_no_bare_yield() -> None:
    """A generator that is written as an expression is taken as it is."""
    expression: Any = eval("lambda: (yield 'value')")  # noqa: S307 - to have no def
    generator: Any = contextmanager(expression)
    assert Resource.from_context_manager(generator).use(Ok) == Ok("value")


def test_a_bare_yield_is_refused() -> None:
    """A generator whose teardown an exception would skip is named with its line and the cure."""
    line = cast("Any", bare).__wrapped__.__code__.co_firstlineno + 3
    for factory in (bare, partial(bare)):
        with pytest.raises(
            TypeError, match=rf"bare has a bare yield in .*:{line}: .*line {line + 1}"
        ):
            Resource.from_context_manager(factory)
    with pytest.raises(TypeError, match="put the yield into 'try:' and what follows into"):
        Resource.from_context_manager(nested_bare)


def test_a_bare_yield_behind_a_lambda_is_refused_by_the_acquire() -> None:
    """Where the factory hides the generator it is refused before it begins."""
    hidden = Resource.from_context_manager(lambda: bare())  # noqa: PLW0108 - to hide it
    with pytest.raises(TypeError, match="has a bare yield"):
        hidden.use(Ok)


@contextmanager
def optional(lock: threading.Lock | None = None) -> Generator[str]:
    """Have a bare yield that nothing follows, and another one that is protected."""
    if lock is None:
        yield "value"
        return
    with lock:
        yield "value"
    os.getpid()


@contextmanager
def matching(kind: int = 1) -> Generator[str]:
    """Have one in a case, and one after an except."""
    match kind:
        case 0:
            yield "value"
        case _:
            try:
                os.getpid()
            except OSError:
                return
            else:
                yield "value"
    os.getpid()


@contextmanager
def harmless(kind: int = 1) -> Generator[str]:
    """Skip nothing but a way out of a loop and a name."""
    match kind:
        case 0:
            yield "value"
        case _:
            for number in (1, 2):
                value = str(number)
                yield "value"
                del value
                break


def test_a_bare_yield_is_found_wherever_it_is() -> None:
    """Also in a case, and in the else of a try, which protects nothing."""
    with pytest.raises(TypeError, match="matching has a bare yield"):
        Resource.from_context_manager(matching)


def hidden() -> AbstractContextManager[str]:
    """Give a manager behind a function that hides its generator."""
    return protected()


@pytest.mark.parametrize("factory", [protected, nothing_follows, optional, harmless, hidden])
def test_a_protected_yield_is_accepted(
    factory: Callable[[], AbstractContextManager[str]],
) -> None:
    """A yield inside try, and one that nothing follows, are fine."""
    assert Resource.from_context_manager(factory).use(Ok) == Ok("value")


def test_a_bare_yield_without_a_source_passes() -> None:
    """What has no source to look at is taken as it is."""
    names: dict[str, Any] = {}
    exec(  # noqa: S102 - to have a function without a source
        "from contextlib import contextmanager\n"
        "@contextmanager\n"
        "def made():\n"
        "    yield 3\n"
        "    print()\n",
        names,
    )
    assert Resource.from_context_manager(names["made"]).use(Ok) == Ok(3)


def stop() -> Any:  # noqa: ANN401 - to be whatever is asked for
    """Raise what C code takes for the end of an iteration."""
    return next(iter(()))


def test_a_stop_iteration_is_a_bug_like_any_other(log: Log) -> None:
    """It ends no acquire, body or release unseen: as in a generator it is a RuntimeError."""

    def release(value: int, exit: Exit) -> None:
        stop()

    for use in (
        lambda: log.resource("a").both(Resource.make(stop, WRONG)).use(Ok),
        lambda: log.resource("a").use(lambda _: stop()),
        lambda: log.resource("a").both(Resource.make(lambda: Ok(1), release)).use(Ok),
    ):
        with pytest.raises(RuntimeError, match="raised StopIteration, which is for iterators"):
            assert use() == Ok("never")
    assert log.events == ["+a", "-a"] * 3


def test_an_attempt_holds_no_system_exit_back(log: Log) -> None:
    """A SystemExit of a release after the failed acquire leaves, and the body does not begin."""
    risky = breaking("a", SystemExit(3)).and_then(lambda _: log.refusing("b")).attempt()
    with pytest.raises(SystemExit):
        log.resource("first").both(risky).use(lambda _: Ok(pytest.fail("the body ran")))
    assert log.events == ["+first", "?b", "-first"]


def test_an_exception_that_is_frozen_keeps_failed_releases() -> None:
    """Also one that refuses new attributes leaves as itself, with its notes."""

    @attrs.frozen
    class Frozen(Exception):  # noqa: N818 - its name is its nature
        pass

    def body(_: object) -> Result[None, str]:
        raise Frozen

    with pytest.raises(Frozen) as caught:
        failing("a").use(body)
    assert vars(caught.value)["__suppressed__"] == (Err("a does not close"),)


def test_a_forked_child_closes_nothing_of_its_parent(log: Log) -> None:
    """Nor does it wait for a lock that a thread of the parent holds."""
    hang = Hang()
    _, close = log.resource("a").both(hang.resource("b")).allocated().unwrap()
    closed: list[object] = []
    thread = threading.Thread(target=lambda: closed.append(close()))
    thread.start()
    until(lambda: "in its release" in str(open_resources()), "the thread is at it")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if close() == Ok(None) and open_resources() == [] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    hang.until.set()
    thread.join()
    assert (log.events, closed) == (["+a", "-a"], [Ok(None)])


async def coroutine_function(*_: object) -> Result[int, str]:
    """Be of the wrong kind."""
    return Ok(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resource.make(cast("Any", 3), WRONG), "acquire must be callable, but is 3"),
        (lambda: Resource.make(WRONG, cast("Any", None)), "release must be callable, but is None"),
        (lambda: Resource.make(WRONG, cast("Any", coroutine_function)), "use aio.Resource"),
        (lambda: Resource.make(cast("Any", coroutine_function), WRONG), "acquire=coroutine_f"),
        (lambda: Resource.pure(1).use(cast("Any", Ok(1))), r"use\(\) is given must be callable"),
        (lambda: Resource.pure(1).both(cast("Any", 3)), r"both\(\) takes a Resource, not 3"),
        (lambda: Resource.all_of(cast("Any", [3])), r"all_of\(\) takes a Resource, not 3"),
        (lambda: Resource.pure(1).on_exit(cast("Any", 3)), "must be callable, but is 3"),
        (lambda: Resource.from_context_manager(cast("Any", 3)), "factory must be callable"),
        (lambda: Resource.all_of(cast("Any", Resource.pure(1))), "or one iterable of them, not"),
        (lambda: Resource.pure(1).allocated().unwrap()[1](cast("Any", "x")), "exit='x' is not"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_given(
    make: Callable[[], object], message: str
) -> None:
    """A wrong argument is named with the way out."""
    with pytest.raises(TypeError, match=message):
        make()
