"""`aio.safe` and `aio.do`: the same promises for `async def`, on every event loop."""

import asyncio
import functools
import inspect
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import anyio
import pytest

from resultflow import Bind, Err, Ok, Result, aio, do


async def parse(text: str) -> Result[int, str]:
    """Parse a number after a while."""
    await anyio.lowlevel.checkpoint()
    return Ok(int(text)) if text.isdigit() else Err(f"{text!r} is no number")


@aio.safe(ValueError)
async def port(text: str) -> int:
    """Parse a port."""
    await anyio.lowlevel.checkpoint()
    return int(text)


@aio.do
async def add(bind: Bind[str], first: str, second: str) -> int:
    """Add two numbers."""
    return bind(await parse(first)) + bind(await parse(second))


class Calculator:
    """Holds both in each form that a class knows."""

    @aio.do
    async def method(self, bind: Bind[str], text: str) -> int:
        """Bind in a method."""
        return bind(await parse(text))

    @aio.do
    @classmethod
    async def above(cls, bind: Bind[str], text: str) -> int:
        """Bind in a class method."""
        return bind(await parse(text))

    @staticmethod
    @aio.do
    async def below(bind: Bind[str], text: str) -> int:
        """Bind in a static method."""
        return bind(await parse(text))

    @aio.safe
    async def safe_method(self, text: str) -> int:
        """Raise in a method."""
        return int(text)

    @aio.safe(ValueError)
    @staticmethod
    async def safe_above(text: str) -> int:
        """Raise in a static method."""
        return int(text)

    @classmethod
    @aio.safe(ValueError)
    async def safe_below(cls, text: str) -> int:
        """Raise in a class method."""
        return int(text)


async def check_all() -> None:
    """Hold each promise once."""
    assert await port("80") == Ok(80)
    assert type((await port("x")).err()) is ValueError
    assert await add("1", "2") == Ok(3)
    assert await add("1", "x") == Err("'x' is no number")
    calculator = Calculator()
    for call in (calculator.method, calculator.above, Calculator.above, calculator.below):
        assert await call("1") == Ok(1)
        assert await call("x") == Err("'x' is no number")
    for safe_call in (calculator.safe_method, calculator.safe_above, Calculator.safe_below):
        assert await safe_call("1") == Ok(1)
        assert (await safe_call("x")).is_err()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_both_work_on_every_event_loop(backend: str) -> None:
    """Asyncio and trio alike run functions, methods and static and class methods."""
    anyio.run(check_all, backend=backend)


def test_importing_aio_loads_no_event_loop() -> None:
    """A program that awaits on one library does not pay for another."""
    code = (
        "import sys, resultflow.aio;"
        "print([name for name in ('asyncio', 'anyio', 'trio') if name in sys.modules])"
    )
    # Coverage, where it measures children, would have loaded some of these itself.
    environment = {key: value for key, value in os.environ.items() if "COVERAGE" not in key}
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert loaded.stdout == "[]\n"


def test_other_exceptions_are_bugs() -> None:
    """An exception that is not named propagates, a cancellation always."""

    @aio.safe
    async def wait() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(TypeError):
            await port(cast("Any", None))
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_into_maps_the_exception() -> None:
    """`into=` makes the caller's own error."""

    @aio.safe(ValueError, into=lambda exc: len(exc.args))
    async def fail() -> int:
        return int("x")

    assert asyncio.run(fail()) == Err(1)


def test_an_early_return_is_no_exception_to_catch() -> None:
    """`bind` leaves its block even through an `aio.safe(BaseException)` in between."""

    @aio.do
    async def block(bind: Bind[str]) -> int:
        @aio.safe(BaseException)
        async def inner() -> int:
            return bind(await parse("x"))

        raise AssertionError(await inner())

    assert asyncio.run(block()) == Err("'x' is no number")


def test_an_early_return_that_is_swallowed_is_told() -> None:
    """A bare `except` that goes on is a bug in the block, and an error that says so."""

    @aio.do
    async def block(bind: Bind[str]) -> int:
        try:
            return bind(await parse("x"))
        except BaseException:  # noqa: BLE001 - what is tested
            return 1

    with pytest.raises(RuntimeError, match="went on after bind"):
        asyncio.run(block())


def test_nested_blocks_leave_by_their_own_token() -> None:
    """Synchronous and asynchronous blocks nest, and the tokens stay apart."""

    @aio.do
    async def outer(bind: Bind[str], which: str) -> str:
        mine = bind
        parsed = await parse("x")

        @do
        def inner(bind: Bind[str]) -> str:
            (mine if which == "outer" else bind)(parsed)
            raise AssertionError

        return f"inner gave {inner().is_err()}"

    assert asyncio.run(outer("outer")) == Err("'x' is no number")
    assert asyncio.run(outer("inner")) == Ok("inner gave True")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_token_in_another_task_says_so(backend: str) -> None:
    """An early return cannot cross tasks, so `bind` refuses it there."""
    raised: list[Exception] = []

    @aio.do
    async def block(bind: Bind[str]) -> int:
        async def work() -> None:
            try:
                bind(await parse("x"))
            except RuntimeError as exc:
                raised.append(exc)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
        return bind(await parse("1"))

    assert anyio.run(block, backend=backend) == Ok(1)
    assert "runs in another thread or task" in str(raised[0])


def test_the_wrappers_are_coroutine_functions() -> None:
    """Frameworks that ask get the right answer, and the name."""
    assert inspect.iscoroutinefunction(port)
    assert inspect.iscoroutinefunction(add)
    assert (port.__name__, add.__name__) == ("port", "add")


# Bad input


async def numbers(bind: Bind[str]) -> AsyncIterator[int]:
    """Generate."""
    yield bind(Ok(1))


def number(bind: Bind[str]) -> int:
    """Come at once."""
    return bind(Ok(1))


Decorator = Callable[[Callable[..., Any]], object]


@pytest.mark.parametrize(
    ("decorator", "func", "text"),
    [
        (aio.safe(ValueError), number, "aio.safe wraps coroutine functions, not number: use"),
        (aio.safe, number, "aio.safe wraps coroutine functions, not number: use"),
        (aio.safe(ValueError), numbers, "safe cannot wrap the generator function numbers"),
        (aio.safe, 5, "safe cannot wrap 5: it takes exception classes, as in @safe(OSError)"),
        (aio.do, number, "aio.do wraps coroutine functions, not number: use resultflow.do"),
        (aio.do, numbers, "do cannot wrap the generator function numbers"),
    ],
)
def test_what_is_no_coroutine_function_is_refused(
    decorator: Decorator, func: Callable[..., Awaitable[Any]], text: str
) -> None:
    """Each is a `TypeError` at decoration, with the way out."""
    with pytest.raises(TypeError) as caught:
        decorator(func)
    assert str(caught.value).startswith(text)


def test_partial_calls_are_coroutine_functions() -> None:
    """What calls a coroutine function with arguments filled in is one too."""
    assert asyncio.run(aio.safe(ValueError)(functools.partial(parse, "1"))()) == Ok(Ok(1))


def test_the_signature_of_a_coroutine_block_is_the_callers() -> None:
    """As with `resultflow.do`, no caller is asked for a token."""

    @aio.do
    async def block(bind: Bind[str], text: str, *, least: int = 0) -> int:
        return bind(Ok(len(text))) + least

    assert list(inspect.signature(block).parameters) == ["text", "least"]
    assert inspect.iscoroutinefunction(block)
