"""What checkers infer for resources of both kinds, and for what runs them."""

from collections.abc import Awaitable
from typing import assert_type

from resultflow import Close, Err, Exit, Ok, Resource, Result, aio
from resultflow.errors import ReleaseFailed, ReleaseTimedOut, TimedOut


class A: ...


class B: ...


def get() -> Result[int, A]:
    return Ok(1)


def put(value: int, exit: Exit) -> None: ...


def put_or_fail(value: int, exit: Exit) -> Result[None, B]:
    return Ok(None)


async def aget() -> Result[int, A]:
    return Ok(1)


async def aput(value: int, exit: Exit) -> None: ...


async def aput_or_fail(value: int, exit: Exit) -> Result[None, B]:
    return Ok(None)


def body(value: int) -> Result[str, B]:
    return Ok("")


async def abody(value: int) -> Result[str, B]:
    return Ok("")


def told(exit: Exit) -> None: ...


def told_or_fail(exit: Exit) -> Result[None, B]:
    return Ok(None)


def sync() -> None:
    plain = Resource.make(get, put)
    failing = Resource.make(get, put_or_fail)
    assert_type(plain, Resource[int, A])
    assert_type(failing, Resource[int, A | ReleaseFailed[B]])
    assert_type(plain.use(body), Ok[str] | Err[A | B])
    assert_type(plain.attempt(), Resource[Ok[int] | Err[A], ReleaseFailed[object]])
    assert_type(plain.on_exit(told), Resource[int, A])
    assert_type(plain.on_exit(told_or_fail), Resource[int, A | ReleaseFailed[B]])
    assert_type(plain.release_within(1.0), Resource[int, A | ReleaseFailed[ReleaseTimedOut]])
    assert_type(plain.allocated(), Ok[tuple[int, Close]] | Err[A])
    assert_type(plain.both(plain.map(str)), Resource[tuple[int, str], A])
    assert_type(Resource.all_of([plain]), Resource[list[int], A])
    assert_type(
        Resource.all_of(plain, failing, plain.map(str)),
        Resource[tuple[int, int, str], A | ReleaseFailed[B]],
    )
    with plain.open() as value:
        assert_type(value, int)
    Resource.make(put, put)  # error
    plain.use(put)  # error


async def tasks() -> None:
    plain = aio.Resource.make(aget, aput)
    failing = aio.Resource.make(aget, aput_or_fail)
    assert_type(plain, aio.Resource[int, A])
    assert_type(failing, aio.Resource[int, A | ReleaseFailed[B]])
    assert_type(await plain.use(abody), Ok[str] | Err[A | B])
    assert_type(plain.both(Resource.make(get, put)), aio.Resource[tuple[int, int], A])
    assert_type(plain.attempt(), aio.Resource[Ok[int] | Err[A], ReleaseFailed[object]])
    assert_type(await plain.allocated(), Ok[tuple[int, aio.Close]] | Err[A])
    async with plain.open() as value:
        assert_type(value, int)
    assert_type(await aio.gather(aget(), abody(1)), Ok[tuple[int, str]] | Err[A | B])
    assert_type(
        await aio.race(aget(), abody(1)), Ok[int | str] | Err[A | B | ReleaseFailed[object]]
    )
    assert_type(await aio.timeout(1.0, aget()), Ok[int] | Err[A | TimedOut])
    await plain.use(body)  # error


def loop() -> None:
    assert_type(aio.run(aget), Ok[int] | Err[A])
    aio.run(get)  # error


def any_awaitable(awaitable: Awaitable[Result[int, A]]) -> Awaitable[Result[int, A | TimedOut]]:
    return aio.timeout(1.0, awaitable)
