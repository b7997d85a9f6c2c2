"""Conversion from and to `returns` keeps both types."""

from typing import assert_type

from returns.future import FutureResult
from returns.io import IOResult
from returns.maybe import Maybe
from returns.result import Result as Container

from resultflow import Bind, Err, Ok, Result, do
from resultflow.interop import returns


class A(Exception): ...


def here(container: Container[int, A], io_result: IOResult[int, A], maybe: Maybe[int]) -> None:
    assert_type(returns.from_result(container), Ok[int] | Err[A])
    assert_type(returns.from_io_result(io_result), Ok[int] | Err[A])
    assert_type(returns.from_maybe(maybe), Ok[int] | Err[None])


async def later(future: FutureResult[int, A]) -> None:
    assert_type(await returns.from_future_result(future), Ok[int] | Err[A])


async def load() -> Result[int, A]:
    return Ok(1)


def there(result: Result[int, A], maybe: Result[int, None]) -> None:
    assert_type(returns.to_result(result), Container[int, A])
    assert_type(returns.to_io_result(result), IOResult[int, A])
    assert_type(returns.to_maybe(maybe), Maybe[int])
    assert_type(returns.to_future_result(load()), FutureResult[int, A])
    returns.to_maybe(result)  # error
    returns.to_result(5)  # error


@do
def bound(bind: Bind[A], container: Container[int, A]) -> int:
    return bind(returns.from_result(container))


@do
def undeclared(bind: Bind[str], container: Container[int, A]) -> int:
    return bind(returns.from_result(container))  # error
