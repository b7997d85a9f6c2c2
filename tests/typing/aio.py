"""`aio.safe` and `aio.do`: the same types, to be awaited."""

from typing import assert_type

from resultflow import Bind, Err, Ok, Result, aio


class A(Exception): ...


class B(Exception): ...


@aio.safe(A, B)
async def two(x: int) -> str:
    return str(x)


@aio.safe
async def bare(x: int) -> str:
    return str(x)


@aio.safe(A, into=repr)
async def mapped(x: int) -> int:
    return x


async def get() -> Result[int, A]:
    return Ok(1)


@aio.do
async def block(bind: Bind[A | B], x: int) -> str:
    number = bind(await get())
    assert_type(number, int)
    return bind(await two(number + x))


@aio.do
async def undeclared(bind: Bind[A]) -> str:
    return bind(await two(1))  # error


@aio.do
async def not_awaited(bind: Bind[A]) -> int:
    return bind(get())  # error


class Methods:
    @aio.safe(A)
    async def safe_method(self, x: int) -> str:
        return str(x)

    @classmethod
    @aio.safe(A)
    async def safe_class(cls, x: int) -> str:
        return str(x)

    @aio.do
    async def method(self, bind: Bind[A], x: int) -> int:
        return bind(await get()) + x

    @staticmethod
    @aio.do
    async def static(bind: Bind[A], x: int) -> int:
        return bind(await get()) + x


async def callers(m: Methods) -> None:
    assert_type(await two(1), Ok[str] | Err[A | B])
    assert_type(await bare(1), Ok[str] | Err[Exception])
    assert_type(await mapped(1), Ok[int] | Err[str])
    assert_type(await block(1), Ok[str] | Err[A | B])
    assert_type(await m.safe_method(1), Ok[str] | Err[A])
    assert_type(await Methods.safe_class(1), Ok[str] | Err[A])
    assert_type(await m.method(1), Ok[int] | Err[A])
    assert_type(await Methods.static(1), Ok[int] | Err[A])
    await two("x")  # error
    await block("x")  # error


def plain(x: int) -> int:
    return x


def plain_block(bind: Bind[A]) -> int:
    return bind(Ok(1))


def not_async() -> None:
    aio.safe(A)(plain)  # error
    aio.do(plain_block)  # error
