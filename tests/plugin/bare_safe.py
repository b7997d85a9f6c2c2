"""The exact errors of a bare `@safe`."""

import functools
import json
import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar, assert_type

from base import Gone, Late, Lost, TooLate, raises_lost
from resultflow import Err, Ok, Result, aio, safe


@safe
def raises_two(flag: bool) -> int:
    if flag:
        raise Gone
    raises_lost()
    return 1


def both() -> None:
    assert_type(raises_two(flag=True), Ok[int] | Err[Gone | Lost])


def matched() -> int:
    match raises_two(flag=True):
        case Ok(v):
            return v
        case Err(Gone()):
            return 1
        case Err(Lost()):
            return 2


def one_is_left_out() -> int:
    match raises_two(flag=True):  # E: exhaustive-match, unhandled-error leaves out Err(Lost):
        case Ok(v):
            return v
        case Err(Gone()):
            return 1
    return 2


@safe
def raises_nothing(number: int) -> str:
    return str(number)


def nothing() -> None:
    assert_type(raises_nothing(1), Ok[str])


@safe
def catches(flag: bool) -> int:
    try:
        return raises_two(flag).or_raise() + int(flag)
    except Exception as exc:
        return len(exc.args)


def caught() -> None:
    assert_type(catches(flag=True), Ok[int])


@safe
def reads(text: str) -> object:
    return json.loads(text)


def of_the_library() -> None:
    assert_type(reads("1"), Ok[object] | Err[json.JSONDecodeError])


@safe
def parses(text: str) -> int:
    return int(text)


def of_a_builtin() -> None:
    assert_type(parses("1"), Ok[int] | Err[ValueError])


@safe
def of_a_base_and_below(flag: bool) -> int:
    raise Late if flag else TooLate


def of_a_base() -> None:
    assert_type(of_a_base_and_below(flag=True), Ok[int] | Err[Late])


class Store:
    @safe
    def save(self) -> int:
        return self._save()

    def _save(self) -> int:
        raise Lost

    @classmethod
    @safe
    def make(cls) -> int:
        raise Gone

    @staticmethod
    @safe
    def drop() -> int:
        raise Gone


def methods() -> None:
    assert_type(Store().save(), Ok[int] | Err[Lost])
    assert_type(Store.make(), Ok[int] | Err[Gone])
    assert_type(Store.drop(), Ok[int] | Err[Gone])


@aio.safe
async def waits() -> int:
    raise Lost


async def asynchronous() -> None:
    assert_type(await waits(), Ok[int] | Err[Lost])


@safe
def exits() -> int:
    raise SystemExit(1)


def no_failure() -> None:
    assert_type(exits(), Ok[int])


# What is not known


@safe
def calls_anything(action: Any) -> int:
    action()
    return 1


def anything() -> None:
    assert_type(calls_anything(print), Ok[int] | Err[Exception])


def in_a_function() -> None:
    @safe
    def inner() -> int:
        raise Lost

    assert_type(inner(), Ok[int] | Err[Exception])


def in_place() -> None:
    assert_type(safe(raises_lost)(), Ok[None] | Err[Exception])


def named() -> None:
    assert_type(safe(Lost)(raises_lost)(), Ok[None] | Err[Lost])


Part = TypeVar("Part")


class Broken(Exception, Generic[Part]):
    def __init__(self, part: Part) -> None:
        self.part = part


@safe
def breaks(flag: bool) -> int:
    if flag:
        raise ExceptionGroup("all", [Gone()])
    raise Broken(1)


def generic() -> None:
    assert_type(breaks(flag=True), Ok[int] | Err[ExceptionGroup[Any] | Broken[Any]])


def part() -> int:
    match breaks(flag=True):
        case Ok(v):
            return v
        case Err(ExceptionGroup()):
            return 0
        case Err(broken):
            assert_type(broken.part, Any)
            return 1
