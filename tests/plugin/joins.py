"""Errors that stay apart where mypy joins them."""

from typing import Never, assert_type

from base import Gone, Late, Lost, generic, load
from resultflow import Err, Ok, Result, collect, is_ok
from resultflow import aio, safe


def late() -> Result[str, Late]:
    return Err(Late())


def gone() -> Result[int, Gone]:
    return Err(Gone())


def collect_a_list() -> None:
    assert_type(collect([load(), gone()]), Ok[list[int]] | Err[Lost | Gone])


def collect_a_tuple() -> None:
    assert_type(collect((load(), gone())), Ok[list[int]] | Err[Lost | Gone])


def collect_values_of_two_types() -> None:
    both = collect([load(), late()])
    assert_type(both, Ok[list[int | str]] | Err[Lost | Late])


def collect_into_a_declared_list() -> Result[list[object], Exception]:
    result: Result[list[object], Exception] = collect([load(), late()])
    return result if is_ok(result) else collect([load(), late()])


def collect_one() -> None:
    assert_type(collect([load()]), Ok[list[int]] | Err[Lost])


def collect_variants() -> None:
    assert_type(collect([Err(Lost()), Err(Gone())]), Ok[list[Never]] | Err[Lost | Gone])


def collect_and_handle() -> int:
    match collect([load(), gone()]):
        case Ok(many):
            return len(many)
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2


def collect_into_a_declared_type() -> Result[list[int], Exception]:
    return collect([load(), gone()])


def collect_a_variable(many: list[Result[int, Lost]]) -> None:
    assert_type(collect(many), Ok[list[int]] | Err[Lost])


def collect_a_variable_of_unions(many: list[Result[int, Lost] | Result[str, Gone]]) -> None:
    both = collect(many)
    assert_type(both, Ok[list[int | str]] | Err[Lost | Gone])
    assert_type(collect(tuple(many)), Ok[list[int | str]] | Err[Lost | Gone])


def collect_a_generator_of_unions(many: list[Result[int, Lost] | Result[str, Gone]]) -> None:
    found = collect(one for one in many)
    assert_type(found, Ok[list[int | str]] | Err[Lost | Gone])
    assert_type(collect([one for one in many]), Ok[list[int | str]] | Err[Lost | Gone])


def collect_a_tuple_of_two(two: tuple[Result[int, Lost], Result[str, Gone]]) -> None:
    assert_type(collect(two), Ok[list[int | str]] | Err[Lost | Gone])


def collect_one_of_two(
    many: list[Result[int, Lost]] | set[Result[str, Gone]], none: list[Result[int, Lost]] | None
) -> object:
    assert_type(collect(many), Ok[list[int | str]] | Err[Lost | Gone])
    return collect(none)  # E: arg-type


def collect_a_union_into_a_declared_type(
    many: list[Result[int, Lost] | Result[str, Gone]],
) -> Result[list[object], Exception]:
    return collect(many)


def collect_a_star_of_unions(many: list[Result[int, Lost] | Result[str, Gone]]) -> None:
    assert_type(collect([*many, late()]), Ok[list[int | str]] | Err[Lost | Gone | Late])


def collect_with_a_star(many: list[Result[int, Lost]]) -> None:
    assert_type(collect([*many, load()]), Ok[list[int]] | Err[Lost])


def collect_what_is_none() -> object:
    return collect([1])  # E: arg-type


def collect_nothing() -> object:
    return collect()  # E: call-arg


def safe_of_two() -> None:
    assert_type(safe(KeyError, OSError)(int)("1"), Ok[int] | Err[KeyError | OSError])


@safe(KeyError, OSError, EOFError, NameError, TypeError, ValueError, Lost)
def of_seven() -> int:
    return 1


def safe_of_seven() -> None:
    assert_type(
        of_seven(),
        Ok[int] | Err[KeyError | OSError | EOFError | NameError | TypeError | ValueError | Lost],
    )


def safe_into() -> None:
    assert_type(safe(KeyError, OSError, into=str)(int)("1"), Ok[int] | Err[str])


def safe_of_a_variable(kinds: type[OSError]) -> None:
    assert_type(safe(kinds, KeyError)(int)("1"), Ok[int] | Err[OSError | KeyError])


def safe_of_a_function() -> None:
    assert_type(safe(load)(), Ok[Result[int, Lost]] | Err[Exception])


@aio.safe(KeyError, OSError)
async def of_two() -> int:
    return 1


async def safe_of_a_coroutine_function() -> None:
    assert_type(await of_two(), Ok[int] | Err[KeyError | OSError])


def combined() -> object:
    return generic(late(), Lost)
