"""What checkers know of the two variants: taking apart, narrowing, variance, immutability."""

from typing import Never, TypeAlias, assert_never, assert_type

from resultflow import Err, Ok, Result, ignore, is_err, is_ok


class Lost(Exception): ...


class Gone(Exception): ...


def made(result: Result[int, Lost], text: str) -> None:
    assert_type(result, Ok[int] | Err[Lost])
    assert_type(Ok(text), Ok[str])
    assert_type(Err(Lost()), Err[Lost])
    assert_type(Ok(None), Ok[None])


def returned(number: int) -> Result[int, Lost | Gone]:
    if number == 0:
        return Err(Lost())
    if number == 1:
        return Err(Gone())
    if number == 2:
        return Err("x")  # error
    if number == 3:
        return Ok("x")  # error
    if number == 4:
        return number  # error
    return Ok(number)


# Taking apart


def match_binds(result: Result[int, Lost]) -> None:
    match result:
        case Ok(v):
            assert_type(v, int)
        case Err(e):
            assert_type(e, Lost)


def match_by_keyword(result: Result[int, Lost]) -> None:
    match result:
        case Ok(value=v):
            assert_type(v, int)
        case Err(error=e):
            assert_type(e, Lost)


def match_is_exhaustive(result: Result[int, Lost]) -> int:
    match result:
        case Ok(v):
            return v
        case Err(_):
            return 0


def match_forgets_err(result: Result[int, Lost]) -> int:  # error
    match result:  # weak: twice
        case Ok(v):
            return v


def match_forgets_ok(result: Result[int, Lost]) -> int:  # error
    match result:  # weak: twice
        case Err(_):
            return 0


def match_of_an_inner_union(result: Result[int, Lost | Gone]) -> int:
    match result:
        case Ok(v):
            return v
        case Err(e):
            match e:
                case Lost():
                    return 1
                case Gone():
                    return 2


def match_of_an_inner_union_forgets(result: Result[int, Lost | Gone]) -> int:  # error
    match result:
        case Ok(v):
            return v
        case Err(e):
            match e:  # weak: twice
                case Lost():
                    return 1


def assert_never_accepts_the_rest(result: Result[int, Lost]) -> int:
    if is_ok(result):
        return result.value
    if is_err(result):
        return 0
    assert_never(result)


# Narrowing


def guard_ok(result: Result[int, Lost]) -> None:
    if is_ok(result):
        assert_type(result, Ok[int])
        assert_type(result.value, int)
    else:
        assert_type(result, Err[Lost])
        assert_type(result.error, Lost)


def guard_err(result: Result[int, Lost]) -> int:
    if is_err(result):
        assert_type(result.error, Lost)
        return 0
    return result.value


def narrowed_by_isinstance(result: Result[int, Lost]) -> int:
    if isinstance(result, Err):
        assert_type(result.error, Lost)
        return 0
    return result.value


def a_field_of_the_other_variant(result: Result[int, Lost]) -> None:
    print(result.value)  # error
    print(result.error)  # error


# Variance


def wider(result: Result[int, Lost]) -> Result[int | str, Lost | Gone]:
    return result


def narrower(result: Result[int | str, Lost | Gone]) -> Result[int, Lost]:
    return result  # error


def never_fails(result: Result[int, Never]) -> Result[int, Lost]:
    return result


# Immutability and use


def assigned(ok: Ok[int], err: Err[str]) -> None:
    ok.value = 2  # error
    err.error = "x"  # error


def no_content() -> None:
    print(Ok())  # error
    print(Err())  # error


def condition(result: Result[int, Lost]) -> None:
    if result:  # error, weak: condition
        print("always")


def dropped(result: Result[int, Lost]) -> None:
    ignore(result, reason="nobody looks")
    ignore(result)  # error
    ignore(3, reason="no Result")  # error


Named: TypeAlias = Result[int, Lost]


def alias(result: Named) -> None:
    assert_type(result.ok(), int | None)
