"""`run` and `entrypoint`: an `exit_code` covers every error of its `main`."""

from typing import Never, assert_type

from resultflow import Err, Ok, Result, entrypoint, run
from resultflow.process_edge import Entrypoint


class DbLost: ...


class JobGone: ...


def main() -> Result[None, DbLost | JobGone]:
    return Ok(None)


def safe_main() -> Ok[None]:
    return Ok(None)


def code_of(error: DbLost | JobGone) -> int:
    return 1


def code_of_lost(error: DbLost) -> int:
    return 1


def code_of_anything(error: object) -> int:
    return 1


def runs(which: int) -> None:
    if which == 1:
        run(main)
    if which == 2:
        run(main, exit_code=code_of, grace=3)
    if which == 3:
        run(main, exit_code=code_of_anything)
    if which == 4:
        run(main, exit_code=code_of_lost)  # error
    if which == 5:
        run(main())  # error
    if which == 6:
        run(main, exit_code=3)  # error
    if which == 7:
        run(main, report=print)
    if which == 8:
        run(main, report=code_of_lost)  # error


@entrypoint
def bare() -> Result[None, DbLost]:
    return Ok(None)


@entrypoint(grace=3, report=print)
def plain() -> Result[int, DbLost]:
    return Ok(1)


@entrypoint(exit_code=code_of)
def covered() -> Result[None, DbLost | JobGone]:
    return Ok(None)


@entrypoint(exit_code=code_of)
def covered_in_part() -> Result[None, DbLost]:
    return Ok(None)


@entrypoint(exit_code=code_of_lost)  # error
def uncovered() -> Result[None, DbLost | JobGone]:
    return Ok(None)


@entrypoint(exit_code=3)  # error
def no_function() -> Result[None, DbLost]:
    return Ok(None)


@entrypoint  # error
def no_result() -> int:
    return 1


def originals() -> None:
    assert_type(bare, Entrypoint[None, DbLost])
    assert_type(bare.__wrapped__(), Ok[None] | Err[DbLost])
    assert_type(plain.__wrapped__(), Ok[int] | Err[DbLost])
    assert_type(covered.__wrapped__(), Ok[None] | Err[DbLost | JobGone])


def ends() -> Never:
    bare()
