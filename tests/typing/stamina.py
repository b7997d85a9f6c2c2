"""`retry` keeps the types of what it wraps, coroutine functions and methods included."""

from collections.abc import Callable
from datetime import timedelta
from typing import assert_type

from resultflow import Err, Ok, Resource, Result
from resultflow.interop.stamina import retry


class A(Exception):
    status = 1


class B(Exception): ...


def is_busy(error: A) -> bool:
    return error.status > 1


def either(error: A | B) -> float:
    return 1.5 if isinstance(error, A) else 0


def later(error: A) -> timedelta:
    return timedelta(seconds=error.status)


@retry(on=A)
def load(key: int, *, fresh: bool = False) -> Result[str, A | B]:
    return Ok(str(key))


@retry(on=(A, B), attempts=None, timeout=timedelta(minutes=1))
async def fetch(key: int) -> Result[str, A | B]:
    return Ok(str(key))


@retry(on=either)
def judged(key: int) -> Result[str, A]:
    return Ok(str(key))


@retry(on=later)
async def judged_later(key: int) -> Result[str, A]:
    return Ok(str(key))


class Store:
    @retry(on=A)
    def read(self, key: int) -> Result[bytes, A]:
        return Err(A(key))

    @classmethod
    @retry(on=A)
    def make(cls, key: int) -> Result[bytes, A]:
        return Err(A(key))

    @staticmethod
    @retry(on=A)
    async def ping(key: int) -> Result[bytes, A]:
        return Err(A(key))


assert_type(load(1, fresh=True), Ok[str] | Err[A | B])
assert_type(judged(1), Ok[str] | Err[A])
assert_type(Store().read(1), Ok[bytes] | Err[A])
assert_type(Store.make(1), Ok[bytes] | Err[A])


async def awaited() -> None:
    assert_type(await fetch(1), Ok[str] | Err[A | B])
    assert_type(await judged_later(1), Ok[str] | Err[A])
    assert_type(await Store.ping(1), Ok[bytes] | Err[A])


def connect() -> Result[int, A]:
    return Ok(1)


in_place: Callable[[], Result[int, A]] = retry(on=A)(connect)
pool = Resource.make(retry(on=is_busy, attempts=3)(connect), lambda value, exit: None)
assert_type(pool, Resource[int, A])
assert_type(retry(on=lambda error: error.status > 1)(connect)(), Ok[int] | Err[A])
assert_type(retry(on=A)(lambda: connect())(), Ok[int] | Err[A])

load("1")  # error
retry(A)  # error
retry(attempts=3)  # error
retry(on=A("x"))  # error
retry(on=A, attempts=1.5)  # error
retry(on=A)(len)  # error
retry(on=is_busy)(len)  # error
