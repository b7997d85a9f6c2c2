"""A Result is not a condition."""

from typing import Any

from base import Lost, load, load_many, maybe
from resultflow import Result, is_ok


def if_(r: Result[int, Lost]) -> None:
    if r:  # E: result-truth
        print()


def elif_(r: Result[int, Lost], flag: bool) -> None:
    if flag:
        print()
    elif r:  # E: result-truth
        print()


def if_not(r: Result[int, Lost]) -> None:
    if not r:  # E: result-truth
        print()


def while_(r: Result[int, Lost]) -> None:
    while r:  # E: result-truth
        print()


def assert_(r: Result[int, Lost]) -> None:
    assert r  # E: result-truth


def ternary(r: Result[int, Lost]) -> int:
    return 1 if r else 2  # E: result-truth


def and_(r: Result[int, Lost], flag: bool) -> None:
    if r and flag:  # E: result-truth
        print()


def right_of_and(r: Result[int, Lost], flag: bool) -> None:
    if flag and r:  # E: result-truth
        print()


def or_as_a_default(r: Result[int, Lost]) -> object:
    return r or 1  # E: result-truth


def a_call() -> None:
    if load():  # E: result-truth
        print()


def optional() -> None:
    if maybe():  # E: result-truth
        print()


def in_a_comprehension() -> list[object]:
    return [r for r in load_many() if r]  # E: result-truth


def in_a_dict_comprehension() -> dict[int, object]:
    return {1: r for r in load_many() if r}  # E: result-truth


def a_guard(r: Result[int, Lost], n: int) -> None:
    match n:
        case 1 if r:  # E: result-truth
            print()
        case _:
            pass


def bool_(r: Result[int, Lost]) -> bool:
    return bool(r)  # E: result-truth


def all_() -> bool:
    return all(load_many())  # E: result-truth


def any_() -> bool:
    return any(load() for _ in range(3))  # E: result-truth


def filter_() -> object:
    return filter(None, load_many())  # E: result-truth


# Right


def asked(r: Result[int, Lost]) -> None:
    if is_ok(r) and not r.is_err():
        print()


def compared(r: Result[bool, Lost]) -> bool:
    return r == load() or r.unwrap_or(False)


def is_none() -> bool:
    return maybe() is None


def all_asked() -> bool:
    return all(is_ok(r) for r in load_many()) and any([1]) and bool(1)


def of_anything(many: Any) -> bool:
    return any(many) or any([load().is_ok()])


def filtered() -> object:
    return filter(is_ok, load_many())


def a_list_of_them() -> bool:
    return bool(load_many())


def all_of_a_display(a: Result[int, Lost], b: Result[int, Lost]) -> None:
    all([a, b])  # E: result-truth
    any((a, b))  # E: result-truth
    any({a, b})  # E: result-truth
    all([one for one in (a, b)])  # E: result-truth
    any({one for one in (a, b)})  # E: result-truth
    any([is_ok(a), is_ok(b)])
