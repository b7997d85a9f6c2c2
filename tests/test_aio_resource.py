"""Resources in tasks: what was acquired is released, whatever cancels, interrupts or fails."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint

import resultflow
from resultflow import (
    Cancelled,
    Err,
    Failed,
    Ok,
    Raised,
    ReleaseFailed,
    Result,
    Succeeded,
    _signals,
    aio,
    ignore,
)
from resultflow._shield import cut_short
from resultflow.errors import ReleaseTimedOut, TimedOut, UnwrapError
from resultflow.testing import Ledger, inject

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import CodeType

    from resultflow import Exit

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
# Callbacks that a caller without a type checker may pass.
WRONG: Any = {"x": 3}.get


class Log:
    """What happened, in order, and resources of both kinds that write it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.exits: list[Exit] = []
        self.held: list[str] = []

    def resource(self, name: str, *, fails: str = "") -> aio.Resource[str, str]:
        """Make a resource that awaits before and after it acquires, and so in its release."""

        async def acquire() -> Result[str, str]:
            await checkpoint()
            if fails == "acquire":
                self.events.append(f"?{name}")
                return Err(f"no {name}")
            self.held.append(name)
            self.events.append(f"+{name}")
            await checkpoint()
            return Ok(name)

        async def release(value: str, exit: Exit) -> None:
            await checkpoint()
            self.held.remove(value)
            self.events.append(f"-{value}")
            self.exits.append(exit)
            await checkpoint()
            if fails == "release":
                msg = f"{name} does not close"
                raise OSError(msg)

        return aio.Resource.make(acquire, release)

    def plain(self, name: str) -> resultflow.Resource[str, str]:
        """Make a synchronous resource."""

        def acquire() -> Result[str, str]:
            self.held.append(name)
            self.events.append(f"+{name}")
            return Ok(name)

        def release(value: str, exit: Exit) -> None:
            self.held.remove(value)
            self.events.append(f"-{value}")
            self.exits.append(exit)

        return resultflow.Resource.make(acquire, release)


@pytest.fixture
def log() -> Log:
    """A fresh log."""
    return Log()


def failing(name: str) -> aio.Resource[str, ReleaseFailed[str]]:
    """Make a resource whose release gives an Err."""

    async def acquire() -> Ok[str]:
        return Ok(name)

    async def release(value: str, exit: Exit) -> Result[None, str]:
        await checkpoint()
        return Err(f"{value} does not close")

    return aio.Resource.make(acquire, release)


async def gives_ok() -> Ok[str]:
    """Acquire without awaiting."""
    return Ok("a")


async def fine(value: object) -> Ok[object]:
    """Be a body that succeeds."""
    await checkpoint()
    return Ok(value)


async def stay(value: object) -> Result[None, str]:
    """Be a body that does not end."""
    await anyio.sleep(600)
    return Ok(None)


async def full(value: object) -> Err[str]:
    """Be a body that fails."""
    await checkpoint()
    return Err("full")


async def bug(value: object) -> Result[None, str]:
    """Be a body with a bug."""
    await checkpoint()
    msg = "bug"
    raise ValueError(msg)


async def raises_a_bug() -> None:
    """Be a call with a bug."""
    ignore(await bug(None), reason="it raises")


def run(backend: str, main: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - any value
    """Run a coroutine function that need not give a Result."""
    return anyio.run(main, backend=backend)


@BOTH
def test_resources_of_both_kinds_compose(backend: str, log: Log) -> None:
    """Acquired in order, released in reverse, whichever kind each is of."""

    async def main() -> Result[object, str]:
        whole = (
            log.resource("a")
            .both(log.plain("b"))
            .and_then(lambda _: log.plain("c"))
            .and_then(lambda _: aio.Resource.all_of(log.plain("d"), log.resource("e")))
            .map("".join)
        )
        return await whole.use(fine)

    assert run(backend, main) == Ok("de")
    assert log.events == ["+a", "+b", "+c", "+d", "+e", "-e", "-d", "-c", "-b", "-a"]
    assert log.exits == [Succeeded("de")] * 5


@BOTH
@pytest.mark.parametrize(
    ("body", "outcome", "exit"),
    [(fine, Ok("a"), Succeeded("a")), (full, Err("full"), Failed("full"))],
    ids=["ok", "err"],
)
def test_the_release_sees_how_the_body_ended(
    backend: str,
    log: Log,
    body: Callable[[str], Awaitable[Result[str, str]]],
    outcome: object,
    exit: Exit,
) -> None:
    """An Ok is Succeeded, a returned Err is Failed."""

    async def main() -> object:
        return await log.resource("a").use(body)

    assert run(backend, main) == outcome
    assert log.exits == [exit]


@BOTH
def test_an_exception_goes_on_after_the_releases(backend: str, log: Log) -> None:
    """It is that very exception, with what failed after it on it."""

    async def main() -> object:
        return await failing("a").both(log.resource("b")).use(bug)

    with pytest.raises(ValueError, match="bug") as caught:
        run(backend, main)
    assert vars(caught.value)["__suppressed__"] == (Err("a does not close"),)
    assert log.exits == [Raised(caught.value)]


@BOTH
def test_failed_releases_are_kept(backend: str, log: Log) -> None:
    """After an Ok they are ReleaseFailed, after an Err suppressed on it."""

    async def main() -> tuple[object, object]:
        return (await failing("a").use(fine), await failing("a").use(full))

    first, second = run(backend, main)
    assert first == Err(ReleaseFailed("a", ("a does not close",)))
    assert second == Err("full")
    assert second.suppressed == (Err("a does not close"),)


@BOTH
def test_a_failed_acquire_releases_what_came_before_it(backend: str, log: Log) -> None:
    """Its Err is the outcome, the body does not run, and attempt makes a value of it."""

    async def main() -> tuple[object, object]:
        both = log.resource("a").both(log.resource("b", fails="acquire"))
        return await both.use(bug), await both.attempt().use(fine)

    assert run(backend, main) == (Err("no b"), Ok(Err("no b")))
    assert log.events == ["+a", "?b", "-a"] * 2


@BOTH
def test_on_exit_runs_last(backend: str, log: Log) -> None:
    """After the release, with how the scope ended."""

    async def tell(exit: Exit) -> None:
        log.events.append(repr(exit))

    async def main() -> object:
        return await log.resource("a").on_exit(tell).use(full)

    assert run(backend, main) == Err("full")
    assert log.events == ["+a", "-a", "Failed(error='full')"]


@BOTH
def test_open_is_a_scope(backend: str, log: Log) -> None:
    """A block releases when it ends, however it ends; Errs are raised, there being no Result."""

    async def main() -> None:
        async with log.resource("a").both(log.plain("b")).open() as names:
            assert names == ("a", "b")
        with pytest.raises(ValueError, match="bug"):
            async with log.resource("c").open():
                await raises_a_bug()
        with pytest.raises(UnwrapError, match="no d"):
            async with log.resource("d", fails="acquire").open():
                pytest.fail("the block ran")
        with pytest.raises(UnwrapError, match="e does not close"):
            async with failing("e").open():
                pass
        opened = log.plain("f")
        block = aio.Resource.of(opened).open()
        async with block:
            with pytest.raises(RuntimeError, match=r"call open\(\) again"):
                async with block:
                    pytest.fail("the block ran")

    run(backend, main)
    assert log.events == ["+a", "+b", "-b", "-a", "+c", "-c", "?d", "+f", "-f"]
    assert log.held == []


@BOTH
def test_allocated_is_released_by_close(backend: str, log: Log) -> None:
    """Once, by whoever calls it, told how it ended."""

    async def main() -> None:
        names, close = (await log.resource("a").both(log.plain("b")).allocated()).unwrap()
        assert (names, log.held) == (("a", "b"), ["a", "b"])
        assert await close(Failed("stopped")) == Ok(None)
        assert await close() == Ok(None)
        assert await log.resource("c", fails="acquire").allocated() == Err("no c")
        _, close = (await failing("d").allocated()).unwrap()
        assert await close() == Err(ReleaseFailed(None, ("d does not close",)))
        _, close = (await log.resource("e", fails="release").allocated()).unwrap()
        with pytest.raises(OSError, match="e does not close"):
            await close()
        with pytest.raises(ZeroDivisionError):
            await log.resource("f").map(lambda _: 1 // 0).allocated()

    run(backend, main)
    assert log.events == ["+a", "+b", "-b", "-a", "?c", "+e", "-e", "+f", "-f"]
    assert log.exits[:2] == [Failed("stopped")] * 2


@BOTH
def test_a_release_has_a_deadline(backend: str, log: Log) -> None:
    """One that overruns it is cancelled; the others run; the failure says which and where."""

    async def acquire() -> Ok[str]:
        return Ok("stuck")

    async def hang_here(value: str, exit: Exit) -> None:
        await anyio.sleep(600)

    async def main() -> object:
        stuck = aio.Resource.make(acquire, hang_here).release_within(0.02)
        return await log.resource("a").both(stuck).both(log.plain("b")).use(fine)

    outcome = run(backend, main)
    assert log.events == ["+a", "+b", "-b", "-a"]
    [failure] = outcome.error.failures
    assert isinstance(failure, ReleaseTimedOut)
    assert "hang_here" in failure.name
    assert "hang_here" in str(outcome.report())


@BOTH
def test_context_managers_run_in_the_task(backend: str, log: Log) -> None:
    """A task group that is acquired lives on in the body, and its tasks are awaited."""

    async def main() -> object:
        async def body(group: anyio.abc.TaskGroup) -> Result[str, str]:
            group.start_soon(child)
            return Ok("body")

        async def child() -> None:
            await anyio.sleep(0.01)
            log.events.append("child")

        return await aio.Resource.from_context_manager(anyio.create_task_group).use(body)

    assert run(backend, main) == Ok("body")
    assert log.events == ["child"]


@BOTH
def test_a_task_group_says_why_it_cancelled_the_body(backend: str, log: Log) -> None:
    """A task that fails ends the body; what leaves the scope is the group's exception."""

    async def main() -> object:
        async def body(group: anyio.abc.TaskGroup) -> Result[None, str]:
            group.start_soon(bug, None)
            await anyio.sleep(600)
            return Ok(None)

        group = aio.Resource.from_context_manager(anyio.create_task_group)
        return await log.resource("a").and_then(lambda _: group).use(body)

    with pytest.raises(ExceptionGroup) as caught:
        run(backend, main)
    assert isinstance(caught.value.exceptions[0], ValueError)
    assert log.held == []


def test_a_forked_child_releases_nothing_of_its_parent(log: Log) -> None:
    """A raw fork in a body: the child unwinds, and the parent's resource stays acquired."""
    reader, writer = os.pipe()

    async def release(value: str, exit: Exit) -> None:
        os.write(writer, b"p" if os.getpid() == parent else b"c")

    async def body(_: object) -> Result[None, str]:
        pid = os.fork()
        if pid == 0:
            raise SystemExit
        os.waitpid(pid, 0)  # noqa: ASYNC222 - there is nothing else to do
        return Ok(None)

    async def main() -> object:
        return await aio.Resource.make(gives_ok, release).use(body)

    parent = os.getpid()
    try:
        outcome = run("asyncio", main)
    except BaseException:
        if os.getpid() != parent:
            os._exit(0)
        raise
    assert outcome == Ok(None)
    os.close(writer)
    assert os.read(reader, 10) == b"p"
    os.close(reader)


@asynccontextmanager
async def bare() -> AsyncGenerator[str]:
    """Tear down after a bare yield."""
    yield "value"
    os.getpid()


@asynccontextmanager
async def protected(seen: list[object]) -> AsyncGenerator[str]:
    """Tear down in a finally."""
    try:
        yield "value"
    except BaseException as exc:
        seen.append(exc)
        raise
    finally:
        seen.append("closed")


@BOTH
def test_asynchronous_generators_are_adapted(backend: str) -> None:
    """A protected one sees the exceptions of the body; a bare yield is refused."""
    seen: list[object] = []

    async def main() -> object:
        with pytest.raises(ValueError, match="bug"):
            await aio.Resource.from_context_manager(lambda: protected(seen)).use(bug)
        with pytest.raises(TypeError, match="has a bare yield"):
            await aio.Resource.from_context_manager(lambda: bare()).use(fine)  # noqa: PLW0108 - to hide it
        return await aio.Resource.from_context_manager(lambda: protected(seen)).use(fine)

    assert run(backend, main) == Ok("value")
    assert [type(it).__name__ for it in seen] == ["ValueError", "str", "str"]
    with pytest.raises(TypeError, match="has a bare yield"):
        aio.Resource.from_context_manager(bare)


def test_closing_closes() -> None:
    """closing() releases by aclose()."""

    class Closable:
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    async def acquire() -> Ok[Closable]:
        return Ok(Closable())

    closed = run("asyncio", lambda: aio.Resource.closing(acquire).use(fine)).unwrap()
    assert closed.closed


@BOTH
def test_a_timeout_of_the_acquires_own_works(backend: str, log: Log) -> None:
    """An acquire is shielded from outside, not from the limits that it sets itself."""

    async def acquire() -> Result[str, str]:
        with anyio.move_on_after(0.02):
            await anyio.sleep(600)
        if backend == "asyncio":
            try:
                async with asyncio.timeout(0.02):
                    await asyncio.sleep(600)
            except TimeoutError:
                log.events.append("timeout")
            try:
                async with asyncio.timeout(0.02):
                    while True:  # noqa: ASYNC110 - what waits for no future is cancelled otherwise
                        await asyncio.sleep(0)
            except TimeoutError:
                log.events.append("turns")
            try:
                await asyncio.wait_for(asyncio.sleep(600), 0.02)
            except TimeoutError:
                log.events.append("wait_for")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(raises_a_bug())
                    await asyncio.sleep(600)
            except ExceptionGroup:
                log.events.append("group")
        return Ok("a")

    async def release(value: str, exit: Exit) -> None:
        with anyio.move_on_after(0.02):
            await anyio.sleep(600)

    async def main() -> object:
        return await aio.Resource.make(acquire, release).use(fine)

    assert run(backend, main) == Ok("a")
    assert log.events == (
        ["timeout", "turns", "wait_for", "group"] if backend == "asyncio" else []
    )


SHAPES: dict[str, Callable[[Log], Awaitable[Result[object, object]]]] = {
    "use": lambda log: log.resource("a").use(fine),
    "both kinds": lambda log: log.resource("a").both(log.plain("b")).use(fine),
    "composed": lambda log: aio.Resource.all_of([log.resource("a"), log.resource("b")]).use(fine),
    "nested": lambda log: log.resource("a").use(lambda _: log.resource("b").use(fine)),
    "opened": lambda log: opened(log),  # noqa: PLW0108 - it is defined below
    "body fails": lambda log: log.resource("a").both(log.resource("b")).use(full),
    "body raises": lambda log: log.resource("a").both(log.resource("b")).use(bug),
    "acquire fails": lambda log: (
        log.resource("a").both(log.resource("b", fails="acquire")).use(fine)
    ),
    "release raises": lambda log: (
        log.resource("a").both(log.resource("b", fails="release")).use(fine)
    ),
    "gathered": lambda log: aio.gather(
        log.resource("a").use(fine), log.resource("b").use(full), log.resource("c").use(fine)
    ),
    "raced": lambda log: aio.race(log.resource("a").use(fine), log.resource("b").use(fine)),
    "timed out": lambda log: aio.timeout(0, log.resource("a").use(fine)),
}


async def opened(log: Log) -> Result[str, str]:
    """Nest two blocks."""
    async with log.resource("a").open(), log.resource("b").open() as name:
        await checkpoint()
        return Ok(name)


def is_paired(events: list[str]) -> bool:
    """Tell whether all that was acquired was released, once."""
    acquired = [event[1:] for event in events if event[0] == "+"]
    released = [event[1:] for event in events if event[0] == "-"]
    return sorted(acquired) == sorted(released)


def is_nested(events: list[str]) -> bool:
    """Tell whether releases came in reverse order of acquisition."""
    stack: list[str] = []
    for event in events:
        if event[0] == "+":
            stack.append(event[1:])
        elif event[0] == "-" and (not stack or stack.pop() != event[1:]):
            return False
    return not stack


def sweep_asyncio(
    shape: Callable[[Log], Awaitable[Result[object, object]]], again: int
) -> list[tuple[Log, BaseException | None]]:
    """Cancel a task before its first step, its second, ...; and `again` steps after that too."""
    ended: list[tuple[Log, BaseException | None]] = []

    async def main(step: int) -> bool:
        log = Log()

        async def scenario() -> Result[object, object]:
            return await shape(log)

        task = asyncio.ensure_future(scenario())
        count = 0
        while not task.done():
            if count == step or (again and count > step and (count - step) % again == 0):
                task.cancel()
            count += 1
            await asyncio.sleep(0)
        raised = None if task.cancelled() else task.exception()
        ended.append((log, raised))
        return count <= step

    step = 0
    while not asyncio.run(main(step)):
        step += 1
    return ended


def sweep_scopes(
    backend: str, shape: Callable[[Log], Awaitable[Result[object, object]]]
) -> list[Log]:
    """Cancel the scope around before the first step of the loop, the second, ..."""
    ended: list[Log] = []

    async def main(step: int) -> bool:
        log = Log()
        count = 0

        async def scenario(*, task_status: anyio.abc.TaskStatus[anyio.CancelScope]) -> None:
            with anyio.CancelScope() as scope:
                task_status.started(scope)
                with contextlib.suppress(ValueError, OSError):
                    ignore(await shape(log), reason="what is released is what counts")
            done.append(None)

        done: list[None] = []
        async with anyio.create_task_group() as group:
            scope = await group.start(scenario)
            while not done:
                if count == step:
                    scope.cancel()
                count += 1
                await checkpoint()
        ended.append(log)
        return count <= step

    step = 0
    while not anyio.run(main, step, backend=backend):
        step += 1
    return ended


@pytest.mark.parametrize("again", [0, 1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_a_cancel_at_every_step_of_asyncio_leaks_nothing(name: str, again: int) -> None:
    """Task.cancel() before step k of the loop, once or again and again: all is released."""
    ended = sweep_asyncio(SHAPES[name], again)
    assert len(ended) > 3
    for log, _ in ended:
        assert log.held == []
        assert is_paired(log.events)
        assert is_nested(log.events) or name in {"gathered", "raced"}


@BOTH
@pytest.mark.parametrize("name", SHAPES)
def test_a_cancel_at_every_step_of_a_scope_leaks_nothing(backend: str, name: str) -> None:
    """The scope around is cancelled before step k of the loop: all is released."""
    ended = sweep_scopes(backend, SHAPES[name])
    assert len(ended) > 3
    for log in ended:
        assert log.held == []
        assert is_paired(log.events)
        assert is_nested(log.events) or name in {"gathered", "raced"}


def test_what_the_end_of_the_loop_cancels_is_shielded_too(log: Log) -> None:
    """A task of the background that is in its acquire when main ends: it is torn down."""

    async def main() -> str:
        task = asyncio.ensure_future(log.resource("a").use(stay))
        while not log.held:  # noqa: ASYNC110 - the next step of the loop is what counts
            await asyncio.sleep(0)
        background.append(task)
        return "main"

    background: list[object] = []
    assert asyncio.run(main()) == "main"
    assert log.events == ["+a", "-a"]


def test_a_cancellation_is_kept_beside_an_exception() -> None:
    """A timeout around a retry ends it, though the body or the acquire raises meanwhile."""

    async def slow(value: str, exit: Exit) -> None:
        await asyncio.sleep(0.03)

    async def slow_bug() -> Result[str, str]:
        await asyncio.sleep(0.03)
        msg = "bug"
        raise ValueError(msg)

    async def main(resource: aio.Resource[str, str]) -> None:
        async with asyncio.timeout(0.05):
            while True:
                with contextlib.suppress(ValueError):
                    assert await resource.use(bug) == Ok(None)

    for resource in (aio.Resource.make(gives_ok, slow), aio.Resource.make(slow_bug, slow)):
        with pytest.raises(TimeoutError):
            asyncio.run(main(resource))


def test_limits_reach_into_nested_scopes(log: Log) -> None:
    """A timeout in an acquire holds for the scopes inside it, whose own acquire ends first."""

    async def slow() -> Result[str, str]:
        await asyncio.sleep(0.05)
        log.events.append("acquired")
        return Ok("a")

    async def hang_within() -> Result[str, str]:
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(600)
        except TimeoutError:
            log.events.append("inner")
        return Ok("a")

    async def put(value: str, exit: Exit) -> None:
        pass

    async def outer_limit() -> Result[str, str]:
        try:
            async with asyncio.timeout(0.02):
                return await aio.Resource.make(slow, put).use(gives)
        except TimeoutError:
            return Err("outer")

    async def inner_limit() -> Result[str, str]:
        return await aio.Resource.make(hang_within, put).use(gives)

    async def gives(value: str) -> Ok[str]:
        return Ok(value)

    async def main() -> tuple[object, object]:
        outer = aio.Resource.make(outer_limit, put)
        inner = aio.Resource.make(inner_limit, put)
        return await outer.use(fine), await inner.use(fine)

    assert asyncio.run(main()) == (Err("outer"), Ok("a"))
    assert log.events == ["acquired", "inner"]


@BOTH
def test_close_waits_for_the_first(backend: str) -> None:
    """Of two tasks that close at once one releases, and tells what failed; the other waits."""
    log = Log()

    async def main() -> list[object]:
        both = failing("a").both(log.resource("b"))
        _, close = (await both.allocated()).unwrap()
        seen: list[object] = []

        async def close_it() -> None:
            seen.append((await close(), [*log.held]))

        async with anyio.create_task_group() as group:
            group.start_soon(close_it)
            group.start_soon(close_it)
        return seen

    failed = Err(ReleaseFailed(None, ("a does not close",)))
    nothing: list[str] = []
    assert run(backend, main) == [(failed, nothing), (Ok(None), nothing)]


def test_a_loop_in_a_thread_leaves_the_main_threads_handlers_alone() -> None:
    """aio.run in a thread, while the main thread has a scope or a loop of its own."""

    async def give() -> Result[int, str]:
        return Ok(1)

    async def main() -> Result[Result[int, str], str]:
        return Ok(await asyncio.get_running_loop().run_in_executor(None, aio.run, give))

    assert aio.run(main) == Ok(Ok(1))
    with resultflow.Resource.pure(1).open(), ThreadPoolExecutor(1) as executor:
        assert executor.submit(aio.run, give).result() == Ok(1)


def test_the_third_signal_cuts_an_acquire_that_hangs() -> None:
    """Under aio.run it is cancelled, and main with it."""
    program = Program("asyncio", 60, 0)
    program.wait_for("acquiring")
    begun = time.monotonic()
    while program.process.poll() is None:
        assert time.monotonic() - begun < 25
        program.process.send_signal(signal.SIGINT)
        threading.Event().wait(0.4)
    assert program.end()[:2] == (-signal.SIGINT, [])


def test_a_body_with_a_nursery_is_cancelled_like_any(log: Log) -> None:
    """On trio its exception is a group of Cancelled, which the releases see as Cancelled."""

    async def body(_: object) -> Result[None, str]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(anyio.sleep, 600)
            await anyio.sleep(600)
        return Ok(None)

    async def main() -> object:
        return await aio.timeout(0.01, log.resource("a").use(body))

    assert run("trio", main) == Err(TimedOut(0.01))
    assert isinstance(log.exits[0], Cancelled)


def test_a_cancelled_task_is_cancelled() -> None:
    """What came in the acquire is raised before the body, what came in the release after it."""
    log = Log()

    async def main(at: str) -> list[str]:
        log.events.clear()

        async def body(_: str) -> Result[None, str]:
            log.events.append("body")
            return Ok(None)

        task = asyncio.ensure_future(log.resource("a").use(body))
        while at not in log.events:  # noqa: ASYNC110 - the next step of the loop is what counts
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            ignore(await task, reason="it is cancelled")
        assert task.cancelled()
        return [*log.events]

    assert asyncio.run(main("+a")) == ["+a", "-a"]
    assert asyncio.run(main("-a")) == ["+a", "body", "-a"]
    assert isinstance(log.exits[0], Cancelled)
    assert log.exits[1] == Succeeded(None)


def test_an_err_is_kept_when_a_cancellation_comes_in_its_release() -> None:
    """The cancellation goes on, with the Err that it hides on it."""
    log = Log()

    async def main() -> BaseException:
        task = asyncio.ensure_future(log.resource("a").use(full))
        while "-a" not in log.events:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        task.cancel()
        try:
            ignore(await task, reason="it is cancelled")
        except asyncio.CancelledError as exc:
            return exc
        raise AssertionError

    assert vars(asyncio.run(main()))["__suppressed__"] == (Err("full"),)


def test_a_cancellation_that_is_taken_back_is_none() -> None:
    """A task group outside that cancelled the task in its acquire, and uncancels it, is heeded."""
    log = Log()

    async def main() -> object:
        task = cast("asyncio.Task[object]", asyncio.current_task())

        async def release(value: str, exit: Exit) -> None:
            log.exits.append(exit)

        # The callback is scheduled from inside, so it has to be called in another context.
        async def outside() -> Ok[str]:
            context = contextvars.Context()
            asyncio.get_running_loop().call_soon(task.cancel, context=context)
            await asyncio.sleep(0.01)
            task.uncancel()
            return Ok("a")

        return await aio.Resource.make(outside, release).use(fine)

    assert asyncio.run(main()) == Ok("a")
    assert log.exits == [Succeeded("a")]


def close_under(
    resource: aio.Resource[Any, Any],
    body: Callable[[object], Awaitable[Result[object, object]]] | None = None,
) -> None:
    """Close the coroutine of a scope that is suspended, in its body if that awaits."""
    coroutine = resource.use(body or stay)

    async def start() -> None:
        coroutine.send(None)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    loop.close()
    coroutine.close()


def test_a_loop_that_is_closed_under_a_task_is_survived(log: Log) -> None:
    """A coroutine that is closed releases what has not to await; the others have been told."""

    async def put(value: str, exit: Exit) -> None:
        log.events.append(repr(exit))

    close_under(aio.Resource.make(gives_ok, put).both(log.plain("b")))
    assert log.events == ["+b", "-b", "Raised(exception=GeneratorExit())"]


def test_a_loop_that_is_closed_under_an_acquire_is_survived(log: Log) -> None:
    """What was acquired before is released; the acquire sees that it is closed."""

    async def stay() -> Ok[str]:
        try:
            await asyncio.sleep(600)
        finally:
            log.events.append("closed")
        return Ok("b")

    async def put(value: str, exit: Exit) -> None:
        log.events.append("released")

    close_under(aio.Resource.of(log.plain("a")).both(aio.Resource.make(stay, put)))
    assert log.events == ["+a", "closed", "-a"]


def test_a_loop_that_is_closed_under_a_release_is_told(log: Log) -> None:
    """The release that was cut is raised from close(); the others run."""

    async def hang(value: str, exit: Exit) -> None:
        await asyncio.sleep(600)

    async def at_once(value: object) -> Ok[object]:
        return Ok(value)

    cut = aio.Resource.of(log.plain("a")).both(aio.Resource.make(gives_ok, hang))
    with pytest.raises(RuntimeError, match="closed before the release had ended"):
        close_under(cut, at_once)
    assert log.events == ["+a", "-a"]


@BOTH
def test_an_acquire_that_is_cut_short_is_a_bug_where_nobody_was_cancelled(
    backend: str, log: Log
) -> None:
    """Under aio.run main is cancelled as well; elsewhere the cut says what it is."""

    async def hang() -> Result[str, str]:
        log.events.append("hanging")
        await anyio.sleep(600)
        return Ok("b")

    async def put(value: str, exit: Exit) -> None:
        pass

    async def cut() -> None:
        while "hanging" not in log.events:
            await checkpoint()
        cut_short()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(cut)
            with pytest.raises(RuntimeError, match="was cut short in its acquire"):
                assert await log.resource("a").both(aio.Resource.make(hang, put)).use(fine) is None

    run(backend, main)
    assert log.events == ["+a", "hanging", "-a"]


def test_a_runtime_error_of_an_acquire_is_its_own(log: Log) -> None:
    """A bug in an acquire propagates as it is."""

    async def broken() -> Result[str, str]:
        msg = "broken"
        raise RuntimeError(msg)

    async def put(value: str, exit: Exit) -> None:
        pass

    async def main() -> object:
        return await log.resource("a").both(aio.Resource.make(broken, put)).use(fine)

    with pytest.raises(RuntimeError, match="broken"):
        run("asyncio", main)
    assert log.events == ["+a", "-a"]


def test_a_block_that_was_not_entered_cannot_be_left() -> None:
    """Nor can one be left twice."""

    async def main() -> None:
        await aio.Resource.pure(1).open().__aexit__(None, None, None)

    with pytest.raises(RuntimeError, match="left before it was entered, or twice"):
        run("asyncio", main)


def test_what_fails_under_a_closed_loop_is_raised(log: Log) -> None:
    """A release that fails there, or would have to await, is raised from close()."""

    async def give_err(value: str, exit: Exit) -> Result[None, str]:
        return Err("not told")

    async def fail(value: str, exit: Exit) -> None:
        msg = "bug"
        raise OSError(msg)

    async def wait(value: str, exit: Exit) -> None:
        await asyncio.sleep(0)

    with pytest.raises(UnwrapError, match="not told"):
        close_under(aio.Resource.make(gives_ok, give_err))
    with pytest.raises(OSError, match="bug"):
        close_under(aio.Resource.make(gives_ok, fail))
    with pytest.raises(RuntimeError, match="before the release could await"):
        close_under(aio.Resource.make(gives_ok, wait).both(log.plain("b")))
    assert log.events == ["+b", "-b"]


@BOTH
def test_gather_gives_all_values_or_the_first_err(backend: str, log: Log) -> None:
    """The first Err cancels the rest, whose teardown is awaited and kept."""

    async def soon(_: object) -> Result[None, str]:
        await anyio.sleep(0.01)
        return Err("full")

    async def main() -> tuple[Any, Any]:
        return (
            await aio.gather(fine(1), fine("a")),
            await aio.gather(
                log.resource("a").use(stay), log.resource("b").use(soon), failing("c").use(stay)
            ),
        )

    values, failed = run(backend, main)
    assert values == Ok((1, "a"))
    assert failed == Err("full")
    assert failed.suppressed == (Err("c does not close"),)
    assert log.held == []
    assert run(backend, aio.gather) == Ok(())


@BOTH
def test_what_failed_in_a_gather_that_is_cancelled_is_kept(backend: str) -> None:
    """Its Errs and failed releases are on the timeout's Err."""

    async def main() -> object:
        both = aio.gather(failing("a").use(stay), failing("b").use(stay))
        return await aio.timeout(0.02, both)

    late = run(backend, main)
    assert {failure.error for failure in late.suppressed} == {
        "a does not close",
        "b does not close",
    }


@BOTH
def test_a_race_keeps_the_release_that_failed_on_its_way(backend: str) -> None:
    """A loser that gave Err(ReleaseFailed) before it could be cancelled is not dropped."""

    async def main() -> object:
        return await aio.race(fine(1), failing("a").use(gives_it))

    async def gives_it(value: str) -> Ok[str]:
        return Ok(value)

    outcome = run(backend, main)
    assert outcome == Ok(1) or isinstance(outcome.error, ReleaseFailed)


@BOTH
def test_a_bug_in_gather_propagates(backend: str, log: Log) -> None:
    """One exception as itself, several as a group; the rest is cancelled and torn down."""

    async def bug_when_cancelled() -> Result[None, str]:
        try:
            return await stay(None)
        finally:
            await raises_a_bug()

    async def main() -> object:
        return await aio.gather(log.resource("a").use(stay), log.resource("b").use(bug))

    async def main_of_two() -> object:
        return await aio.gather(bug_when_cancelled(), bug(None))

    with pytest.raises(ValueError, match="bug"):
        run(backend, main)
    assert log.held == []
    with pytest.raises((ExceptionGroup, ValueError)):
        run(backend, main_of_two)


@BOTH
def test_gather_in_a_cancelled_scope_leaves_nothing_unawaited(backend: str) -> None:
    """What is not begun any more is closed, and does not complain that nobody awaited it."""

    async def main() -> bool:
        with anyio.CancelScope() as scope:
            scope.cancel()
            assert await aio.gather(fine(1), fine(2)) == Ok("never")
        gc.collect()
        return scope.cancelled_caught

    assert run(backend, main)


@BOTH
def test_race_gives_what_ends_first(backend: str, log: Log) -> None:
    """Ok or Err; the others are cancelled, and their teardown awaited."""

    async def main() -> tuple[object, ...]:
        return (
            await aio.race(log.resource("a").use(stay), log.resource("b").use(fine)),
            await aio.race(log.resource("a").use(stay), log.resource("b").use(full)),
            await aio.race(failing("a").use(stay), fine(1)),
            await aio.race(failing("a").use(stay), full(1)),
        )

    first, second, third, fourth = run(backend, main)
    assert (first, second) == (Ok("b"), Err("full"))
    assert third == Err(ReleaseFailed(1, ("a does not close",)))
    assert fourth == Err("full")
    assert fourth.suppressed == (Err("a does not close"),)
    assert log.held == []
    nobody: list[Awaitable[Result[int, str]]] = []
    with pytest.raises(TypeError, match="has nobody to win it"):
        run(backend, lambda: aio.race(*nobody))


@BOTH
def test_timeout_cancels_and_says_where(backend: str, log: Log) -> None:
    """In time it is what came; too late it is TimedOut, with the place and what failed after."""

    async def stay_here(_: object) -> Result[None, str]:
        await anyio.sleep(600)
        return Ok(None)

    async def main() -> tuple[object, ...]:
        return (
            await aio.timeout(60, log.resource("a").use(fine)),
            await aio.timeout(60, full(None)),
            await aio.timeout(0.02, failing("b").both(log.resource("c")).use(stay_here)),
        )

    in_time, failed, late = run(backend, main)
    assert (in_time, failed) == (Ok("a"), Err("full"))
    assert late == Err(TimedOut(0.02))
    assert "stay_here" in str(late.report())
    assert late.suppressed == (Err("b does not close"),)
    assert log.held == []
    for awaitable in (fine(None), cast("Any", 3)):
        with pytest.raises(ValueError, match="seconds=-1 is no time to wait"):
            run(backend, partial(aio.timeout, -1, awaitable))


def test_what_gives_no_result_is_refused() -> None:
    """A body, a main and an awaitable that give something else are told so."""

    async def nothing(*_: object) -> Any:  # noqa: ANN401 - to be wrong
        return None

    for main in (
        lambda: aio.Resource.pure(1).use(nothing),
        lambda: aio.gather(nothing()),
        lambda: aio.timeout(1, nothing()),
    ):
        with pytest.raises(TypeError, match="must return a Result, not None"):
            run("asyncio", main)
    with pytest.raises(TypeError, match="must return a Result, not None"):
        aio.run(nothing)
    with pytest.raises(TypeError, match=r"aio.run\(\) is given must be callable, but is 3"):
        aio.run(cast("Any", 3))
    with pytest.raises(TypeError, match="release must be callable, but is 3"):
        aio.Resource.make(nothing, cast("Any", 3))
    with pytest.raises(TypeError, match=r"both\(\) takes a Resource, not 3"):
        aio.Resource.pure(1).both(cast("Any", 3))


PROGRAM = """
import os, signal, sys, threading, time
import anyio
from resultflow import *
from resultflow import aio
from resultflow.errors import SignalReceived

def say(*words):
    print(*words, flush=True)

async def acquire():
    say("acquiring")
    await anyio.sleep(float(sys.argv[2]))
    return Ok("a")

async def release(value, exit):
    say("releasing", type(exit).__name__)
    await anyio.sleep(float(sys.argv[3]))
    say("released")

async def body(value):
    say("body")
    await anyio.sleep(60)
    return Ok(None)

async def main():
    return await aio.Resource.make(acquire, release).use(body)

run(lambda: aio.run(main, backend=sys.argv[1]), grace=30)
"""


class Program:
    """A program with an event loop under `run`."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, line: str) -> None:
        """Read up to a line."""
        assert self.process.stdout is not None
        while (read := self.process.stdout.readline()) != f"{line}\n":
            assert read, f"it ended without {line!r}: {self.process.communicate()}"

    def end(self) -> tuple[int, list[str], str]:
        """Wait for the end: status, what else it said, and its errors."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.splitlines(), err


@BOTH
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_cancels_the_loop_and_ends_the_process(backend: str, name: str) -> None:
    """The release is awaited, and sees a cancellation; the process dies by that signal."""
    program = Program(backend, 0, 0.05)
    program.wait_for("body")
    program.process.send_signal(signal.Signals[name])
    assert program.end() == (-signal.Signals[name], ["releasing Cancelled", "released"], "")


@BOTH
def test_a_signal_in_an_acquire_waits_for_its_end(backend: str) -> None:
    """The body does not begin, and what was acquired is released."""
    program = Program(backend, 0.3, 0)
    program.wait_for("acquiring")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == (-signal.SIGTERM, ["releasing Cancelled", "released"], "")


@BOTH
def test_a_second_signal_does_not_cut_a_release_a_third_does(backend: str) -> None:
    """Two are not enough; one a second or more after the first is."""
    program = Program(backend, 0, 0.5)
    program.wait_for("body")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("releasing Cancelled")
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (-signal.SIGINT, ["released"], "")
    program = Program(backend, 0, 60)
    program.wait_for("body")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("releasing Cancelled")
    begun = time.monotonic()
    while program.process.poll() is None:
        assert time.monotonic() - begun < 30
        program.process.send_signal(signal.SIGINT)
        threading.Event().wait(0.4)
    status, said, err = program.end()
    assert (status, said) == (-signal.SIGINT, [])
    assert "ReleaseTimedOut" in err


@BOTH
def test_run_raises_what_a_handler_raised(backend: str) -> None:
    """Handlers run as callbacks of the loop; what one raises cancels main, and is raised."""
    came: list[int] = []
    log = Log()

    def count(signum: int, frame: object) -> None:
        came.append(signum)

    def stop(signum: int, frame: object) -> None:
        raise SystemExit(3)

    async def main() -> Result[object, str]:
        return await log.resource("a").use(body)

    async def body(_: object) -> Result[None, str]:
        os.kill(os.getpid(), signal.SIGHUP)
        await anyio.sleep(0.01)
        log.events.append(f"came {came}")
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep(600)
        return Ok(None)

    handlers = {signal.SIGHUP: count, signal.SIGTERM: stop}
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        with pytest.raises(SystemExit, match="3"):
            aio.run(main, backend=cast("Any", backend))
        assert signal.getsignal(signal.SIGTERM) is stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    assert log.events == ["+a", f"came [{signal.SIGHUP}]", "-a"]
    assert log.held == []


@BOTH
def test_run_keeps_the_err_that_a_signal_would_hide(backend: str) -> None:
    """The Err of main, or of a release, is on the exception that the handler raised."""

    async def main() -> Result[None, str]:
        os.kill(os.getpid(), signal.SIGINT)
        return Err("full")

    async def main_in_scope() -> Result[object, object]:
        return await failing("a").use(interrupted)

    async def interrupted(_: object) -> Result[None, str]:
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep(600)
        return Ok(None)

    for program, kept in ((main, Err("full")), (main_in_scope, Err("a does not close"))):
        with pytest.raises(KeyboardInterrupt) as caught:
            aio.run(cast("Any", program), backend=cast("Any", backend))
        assert vars(caught.value)["__suppressed__"] == (kept,)


def test_run_inside_an_acquire_is_part_of_it() -> None:
    """A loop that a synchronous acquire runs is not cancelled: the signal waits for the body."""
    log = Log()

    async def main() -> Result[str, str]:
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep(0.01)
        return Ok("a")

    with pytest.raises(KeyboardInterrupt):
        resultflow.Resource.make(
            lambda: aio.run(main), lambda v, exit: log.events.append(f"-{v}")
        ).use(lambda _: Ok(pytest.fail("the body ran")))
    assert log.events == ["-a"]


def of_ledger(ledger: Ledger, name: str) -> aio.Resource[str, str]:
    """Make a resource that a ledger keeps account of."""
    token = ledger.token(name)

    async def acquire() -> Ok[str]:
        await checkpoint()
        token.acquire()
        await checkpoint()
        return Ok(name)

    async def release(value: str, exit: Exit) -> None:
        await checkpoint()
        token.release()
        await checkpoint()

    return aio.Resource.make(acquire, release)


@BOTH
def test_a_signal_at_every_place_leaks_nothing(backend: str) -> None:
    """Wherever CPython can run a handler in a program under aio.run: nothing leaks or is lost."""

    def scenario(ledger: Ledger) -> object:
        async def main() -> object:
            return await of_ledger(ledger, "a").both(of_ledger(ledger, "b")).use(fine)

        return aio.run(cast("Any", main), backend=cast("Any", backend))

    def ours(code: CodeType) -> bool:
        return code.co_filename in OURS

    report = inject(scenario, where=ours)
    report.check()
    assert len(report.points) > 200


OURS = {aio.__file__, __file__, _signals.__file__}
