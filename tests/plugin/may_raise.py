"""Functions that return a Result and may raise, and those that keep their promise."""

import asyncio
import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from base import Gone, Late, Lost, TooLate, load, raises_lost
from resultflow import Bind, Err, Ok, Result, aio, do, safe

T = TypeVar("T")


class Session:
    def commit(self) -> None:
        raise Gone

    def close(self) -> None: ...


# Wrong


def raises() -> Result[int, Gone]:  # E: may-raise may raise all the same: raises: Lost
    raise Lost


def calls(session: Session) -> Result[int, Lost]:  # E: may-raise calls -> Session.commit: Gone
    session.commit()
    return Ok(1)


def calls_more(session: Session) -> Result[int, Lost]:  # E: may-raise commit_all -> Session.commit
    commit_all(session)
    return Ok(1)


def commit_all(*sessions: Session) -> None:
    for session in sessions:
        session.commit()


def calls_another_module() -> Result[int, Gone]:  # E: may-raise -> raises_lost: Lost
    raises_lost()
    return Ok(1)


def calls_the_system(path: str) -> Result[int, Gone]:  # E: may-raise -> os.unlink: OSError
    os.unlink(path)
    return Ok(1)


def opens(path: str) -> Result[str, Gone]:  # E: may-raise opens -> open: OSError
    with open(path) as file:
        return Ok(file.readline())


def several(flag: bool) -> Result[int, str]:  # E: may-raise Gone; several: Late; several: Lost
    if flag:
        raise Lost
    raise Gone if not flag else Late


def of_a_subclass() -> Result[int, Late]:  # E: may-raise TooLate
    raise TooLate


def handles_another() -> Result[int, str]:  # E: may-raise Lost
    try:
        raises_lost()
    except Gone:
        return Err("gone")
    return Ok(1)


def raises_again() -> Result[int, str]:  # E: may-raise Lost
    try:
        raises_lost()
    except Lost:
        print("lost")
        raise
    return Ok(1)


def raises_another() -> Result[int, str]:  # E: may-raise raises_another: Gone
    try:
        raises_lost()
    except Lost as exc:
        raise Gone from exc
    return Ok(1)


def in_a_handler() -> Result[int, str]:  # E: may-raise Lost
    try:
        os.getcwd()
    except OSError:
        raises_lost()
    return Ok(1)


async def asynchronous() -> Result[int, str]:  # E: may-raise asynchronous -> wait: Lost
    await wait()
    return Ok(1)


async def wait() -> None:
    await asyncio.sleep(0)
    raise Lost


class Store:
    session = Session()

    def save(self) -> Result[int, Lost]:  # E: may-raise Store.save -> Session.commit: Gone
        self.session.commit()
        return Ok(1)

    @classmethod
    def make(cls) -> Result[int, Gone]:  # E: may-raise Lost
        raise Lost

    @staticmethod
    def drop() -> Result[int, Gone]:  # E: may-raise Lost
        raise Lost

    @property
    def state(self) -> Result[int, Gone]:  # E: may-raise Lost
        raise Lost


@do
def in_a_do_block(bind: Bind[Gone]) -> int:  # E: may-raise in_a_do_block -> raises_lost: Lost
    raises_lost()
    return 1


@safe(Gone)
def safe_from_another() -> int:  # E: may-raise Lost
    raises_lost()
    return 1


@functools.cache
def decorated() -> Result[int, Gone]:  # E: may-raise Lost
    raise Lost


@contextlib.contextmanager
def held() -> Iterator[None]:
    yield
    raise Lost


def in_a_with() -> Result[int, Gone]:  # E: may-raise Lost
    with held():
        return Ok(1)


# Right


def returns() -> Result[int, Lost]:
    return Err(Lost())


def catches() -> Result[int, Lost]:
    try:
        raises_lost()
    except Lost as exc:
        return Err(exc)
    return Ok(1)


def catches_a_base() -> Result[int, Late]:
    try:
        raise TooLate
    except Late as exc:
        return Err(exc)


def suppresses() -> Result[int, Lost]:
    with contextlib.suppress(Lost):
        raises_lost()
    return Ok(1)


@safe(Lost)
def is_safe() -> int:
    raises_lost()
    return 1


def calls_what_is_safe() -> Result[int, Lost]:
    return is_safe()


def has_a_bug(number: int) -> Result[int, Lost]:
    assert number
    if number > 1:
        raise TypeError(number)
    return Ok([1][number])


def not_of_the_project(text: str) -> Result[object, Lost]:
    return Ok(json.loads(text))


def returns_none() -> None:
    raise Lost


def returns_a_function() -> Callable[[], Result[int, Lost]]:
    raise Lost


def closes(session: Session) -> Result[int, Lost]:
    session.close()
    return load()


def unannotated(value):  # type: ignore[no-untyped-def]
    raise Gone


def silenced() -> Result[int, Lost]:  # type: ignore[may-raise]
    raise Gone


def has_one_inside() -> None:
    def inner() -> Result[int, Lost]:
        raise Gone

    print(inner)


@aio.safe(Lost)
async def is_safe_later() -> int:
    await wait()
    return 1
