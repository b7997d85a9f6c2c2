"""Many to one: values and errors of what goes in are in what comes out."""

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import assert_type

from resultflow import (
    Err,
    Ok,
    Result,
    collect,
    collect_all,
    combine,
    combine_all,
    first_ok,
    partition,
    traverse,
)
from resultflow.errors import ItemLost


class A(Exception): ...


class B(Exception): ...


def get(number: int) -> Result[int, A]:
    return Ok(number)


def other(number: int) -> Result[str, B]:
    return Ok(str(number))


def only_ok() -> Ok[bytes]:
    return Ok(b"")


def gather(many: list[Result[int, A]], numbers: list[int], lazy: Iterator[Result[int, A]]) -> None:
    assert_type(collect(many), Ok[list[int]] | Err[A])
    assert_type(collect(lazy), Ok[list[int]] | Err[A])
    assert_type(collect(get(n) for n in numbers), Ok[list[int]] | Err[A])
    assert_type(collect([get(n) for n in numbers]), Ok[list[int]] | Err[A])
    assert_type(collect(map(get, numbers)), Ok[list[int]] | Err[A])
    assert_type(collect({"a": get(1)}.values()), Ok[list[int]] | Err[A])
    assert_type(collect_all(many), Ok[list[int]] | Err[list[A]])
    assert_type(partition(many), tuple[list[int], list[A]])
    assert_type(first_ok(many), Ok[int] | Err[list[A]])


def gather_a_literal() -> None:
    mixed = [Ok(1), Err("x")]
    assert_type(collect(mixed), Ok[list[int]] | Err[str])
    assert_type(partition(mixed), tuple[list[int], list[str]])


def gather_several_types() -> None:
    gathered = collect([get(1), other(1)])
    assert_type(gathered, Ok[list[int | str]] | Err[A | B])  # weak: join


def gather_what_is_no_result(numbers: list[int], result: Result[int, A]) -> None:
    collect(numbers)  # error
    partition(numbers)  # error
    collect(result)  # error
    first_ok(5)  # error


def combined() -> None:
    assert_type(combine(get(1)), Ok[tuple[int]] | Err[A])
    assert_type(combine(get(1), other(1)), Ok[tuple[int, str]] | Err[A | B])
    assert_type(combine(get(1), only_ok()), Ok[tuple[int, bytes]] | Err[A])  # weak: unsolved
    eight = combine(get(1), other(1), get(1), other(1), get(1), other(1), get(1), other(1))
    assert_type(eight, Ok[tuple[int, str, int, str, int, str, int, str]] | Err[A | B])
    assert_type(combine_all(get(1), other(1)), Ok[tuple[int, str]] | Err[list[A | B]])
    combine(get(1), 5)  # error


def combined_of_many(many: list[Result[int, A]]) -> None:
    assert_type(combine(*many), Ok[tuple[int, ...]] | Err[A])  # weak: star


def traversed(executor: Executor, numbers: list[int]) -> None:
    results = traverse(executor, get, numbers)
    assert_type(results, Iterator[Ok[int] | Err[A | ItemLost]])
    assert_type(collect(results), Ok[list[int]] | Err[A | ItemLost])
    traverse(executor, get, ["x"])  # error
    traverse(executor, str, numbers)  # error
