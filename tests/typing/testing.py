"""The assertions give the value of the `Ok`, and the error, narrowed to the class that is given."""

from typing import assert_type

from resultflow import Err, Ok, Result
from resultflow.testing import assert_err, assert_ok


class Lost(Exception): ...


class Gone(Exception): ...


class LostForGood(Lost):
    day: int


def value(result: Result[int, Lost], sure: Ok[bytes]) -> None:
    assert_type(assert_ok(result), int)
    assert_type(assert_ok(sure), bytes)
    print(assert_ok(result) + 1)


def error(result: Result[int, Lost | Gone], sure: Err[Lost]) -> None:
    assert_type(assert_err(result), Lost | Gone)
    assert_type(assert_err(sure), Lost)


def narrowed(result: Result[int, Lost | Gone]) -> None:
    assert_type(assert_err(result, Lost), Lost)
    assert_type(assert_err(result, LostForGood), LostForGood)
    print(assert_err(result, LostForGood).day)
    print(assert_err(result, Lost).day)  # error


def one_of_several(result: Result[int, Lost | Gone]) -> None:
    assert_type(assert_err(result, (LostForGood, LostForGood)), LostForGood)


def misused(result: Result[int, Lost]) -> None:
    assert_ok(3)  # error
    assert_err(None)  # error
    assert_err(result, "Lost")  # error
    assert_err(result, Lost())  # error


async def waiting() -> Result[int, Lost]:
    return Ok(1)


async def not_awaited() -> None:
    assert_ok(waiting())  # error
    assert_type(assert_ok(await waiting()), int)
