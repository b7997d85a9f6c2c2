"""Each method on the union: what it gives, and which callables it refuses."""

from typing import Never, assert_type

from resultflow import Err, Ok, Result


class Lost(Exception): ...


class Gone(Exception): ...


def half(number: int) -> Result[str, Gone]:
    return Ok("half") if number % 2 == 0 else Err(Gone())


def only_ok(number: int) -> Ok[str]:
    return Ok(str(number))


def only_err(number: int) -> Err[Gone]:
    return Err(Gone(number))


def text(number: int) -> str:
    return str(number)


def length(error: Lost) -> int:
    return len(error.args)


def rescue(error: Lost) -> Result[str, Gone]:
    return Err(Gone(error))


# Querying


def querying(r: Result[int, Lost]) -> None:
    assert_type(r.is_ok_and(lambda n: n > 1), bool)
    assert_type(r.is_err_and(lambda e: e.args == ()), bool)
    r.is_ok_and(length)  # error


# Extracting


def extracting(r: Result[int, Lost], default: str) -> None:
    assert_type(r.ok(), int | None)
    assert_type(r.err(), Lost | None)
    assert_type(r.unwrap(), int)
    assert_type(r.expect("why"), int)
    assert_type(r.unwrap_err(), Lost)
    assert_type(r.expect_err("why"), Lost)
    assert_type(r.or_raise(), int)
    assert_type(r.unwrap_or(default), int | str)
    assert_type(r.unwrap_or(None), int | None)
    assert_type(r.unwrap_or_else(length), int)
    assert_type(r.unwrap_or_else(lambda e: default), int | str)
    assert_type(r.unwrap_or_default(list[str]), int | list[str])
    r.unwrap_or_else(text)  # error


def into(sure: Result[int, Never], lost: Result[Never, Lost], r: Result[int, Lost]) -> None:
    assert_type(sure.into_ok(), int)
    assert_type(lost.into_err(), Lost)
    r.into_ok()  # error
    r.into_err()  # error


def iterating(r: Result[int, Lost]) -> None:
    assert_type(list(r), list[int])
    assert_type(list(r.iter()), list[int])


# Transforming


def transforming(r: Result[int, Lost]) -> None:
    assert_type(r.map(text), Ok[str] | Err[Lost])
    assert_type(r.map(lambda n: [n]), Ok[list[int]] | Err[Lost])  # weak: lambda
    assert_type(r.map(lambda n: str(n)), Ok[str] | Err[Lost])
    assert_type(r.map_err(length), Ok[int] | Err[int])
    assert_type(r.map_err(lambda e: Gone()), Ok[int] | Err[Gone])
    assert_type(r.inspect(print), Ok[int] | Err[Lost])
    assert_type(r.inspect_err(print), Ok[int] | Err[Lost])
    assert_type(r.map_or("x", text), str)
    assert_type(r.map_or_else(length, text), int | str)
    assert_type(r.map_or_else(length, lambda n: [n]), int | list[int])  # weak: lambda
    assert_type(r.map_or_default(text, str), str)
    r.map(length)  # error
    r.map(lambda n: n.foo)  # error, weak: lambda
    r.map_err(text)  # error
    r.map_err(lambda e: e.foo)  # error, weak: lambda


def flattening(inner: Result[Result[int, Lost], Gone], maybe: Result[int | None, Lost]) -> None:
    assert_type(inner.flatten(), Ok[int] | Err[Lost] | Err[Gone])
    assert_type(maybe.transpose(), Ok[int] | Err[Lost] | None)


def flattening_nothing(flat: Result[int, Lost]) -> None:
    flat.flatten()  # error, weak: bound


# Boolean


def chaining(r: Result[int, Lost]) -> None:
    assert_type(r.and_then(half), Ok[str] | Err[Gone] | Err[Lost])
    assert_type(r.and_then(lambda n: half(n)), Ok[str] | Err[Gone] | Err[Lost])
    assert_type(r.and_then(only_ok), Ok[str] | Err[Lost])
    assert_type(r.and_then(only_err), Err[Gone] | Err[Lost])
    assert_type(r.or_else(rescue), Ok[int] | Ok[str] | Err[Gone])
    assert_type(r.or_else(lambda e: rescue(e)), Ok[int] | Ok[str] | Err[Gone])
    assert_type(r.and_(half(1)), Ok[str] | Err[Gone] | Err[Lost])
    assert_type(r.or_(half(1)), Ok[int] | Ok[str] | Err[Gone])
    r.and_then(text)  # error
    r.and_then(lambda n: n)  # error, weak: lambda
    r.and_then(rescue)  # error
    r.or_else(half)  # error
    r.and_(3)  # error


def chain(r: Result[int, Lost]) -> Result[int, Lost | Gone]:
    return r.and_then(half).map(len).inspect(print).context("halving")


def chain_forgets_an_error(r: Result[int, Lost]) -> Result[int, Lost]:
    return r.and_then(half).map(len)  # error


def caught(r: Result[int, Lost], both: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch(Lost, length), Ok[int] | Err[Lost])
    assert_type(both.catch((Lost, Gone), str), Ok[int] | Ok[str] | Err[Lost | Gone])
    both.catch(Lost, lambda e: e.foo)  # error, weak: lambda
    r.catch(3, lambda e: e)  # error
    r.catch(Lost, text)  # error


def in_context(r: Result[int, Lost]) -> None:
    assert_type(r.context("words"), Ok[int] | Err[Lost])
    assert_type(r.with_context(lambda: "words"), Ok[int] | Err[Lost])


def joined_in_a_list() -> None:
    results = [Ok(1), Err("x")]
    for result in results:
        assert_type(result.ok(), int | None)
