"""`@safe`: the exact union of what is named, on whatever it stands."""

import json
from functools import partial
from typing import Any, assert_type, overload

from resultflow import Err, Ok, safe


class A(Exception): ...


class B(Exception): ...


class C(Exception): ...


@safe(A)
def one(x: int, *, y: str = "") -> str:
    return y * x


@safe(A, B)
def two(x: int) -> str:
    return str(x)


@safe(A, B, C, OSError, ValueError, KeyError)
def six(x: int) -> str:
    return str(x)


@safe
def bare(x: int) -> str:
    return str(x)


def functions() -> None:
    assert_type(one(1, y="a"), Ok[str] | Err[A])
    assert_type(two(1), Ok[str] | Err[A | B])
    assert_type(six(1), Ok[str] | Err[A | B | C | OSError | ValueError | KeyError])
    assert_type(bare(1), Ok[str] | Err[Exception])
    one("x")  # error
    one(1, z=2)  # error
    two()  # error


def told(exc: A | B) -> int:
    return len(exc.args)


@safe(A, into=lambda exc: exc.args)
def into_lambda(x: int) -> str:
    return str(x)


@safe(A, B, into=told)
def into_function(x: int) -> str:
    return str(x)


@safe(into=repr)
def into_bare(x: int) -> str:
    return str(x)


def mapped() -> None:
    assert_type(into_lambda(1), Ok[str] | Err[tuple[Any, ...]])
    assert_type(into_function(1), Ok[str] | Err[int])
    assert_type(into_bare(1), Ok[str] | Err[str])
    safe(C, into=told)  # error


class Methods:
    @safe(A)
    def method(self, x: int) -> str:
        return str(x)

    @safe
    def bare(self, x: int) -> str:
        return str(x)

    @safe(A)
    @classmethod
    def class_above(cls, x: int) -> str:
        return str(x)

    @classmethod
    @safe(A)
    def class_below(cls, x: int) -> str:
        return str(x)

    @safe(A)
    @staticmethod
    def static_above(x: int) -> str:
        return str(x)

    @staticmethod
    @safe(A)
    def static_below(x: int) -> str:
        return str(x)

    @safe
    @classmethod
    def bare_class(cls, x: int) -> str:
        return str(x)

    @property
    @safe(A)
    def value(self) -> str:
        return ""


def methods(m: Methods) -> None:
    assert_type(m.method(1), Ok[str] | Err[A])
    assert_type(m.bare(1), Ok[str] | Err[Exception])
    assert_type(m.class_below(1), Ok[str] | Err[A])
    assert_type(Methods.class_below(1), Ok[str] | Err[A])
    assert_type(m.static_below(1), Ok[str] | Err[A])
    assert_type(Methods.static_below(1), Ok[str] | Err[A])
    assert_type(m.value, Ok[str] | Err[A])
    m.method("x")  # error
    assert_type(m.class_above(1), Ok[str] | Err[A])  # weak: above
    assert_type(Methods.class_above(1), Ok[str] | Err[A])  # weak: above
    assert_type(m.static_above(1), Ok[str] | Err[A])  # weak: above
    assert_type(Methods.static_above(1), Ok[str] | Err[A])  # weak: above
    assert_type(m.bare_class(1), Ok[str] | Err[Exception])  # weak: above


@overload
def shout(text: str) -> str: ...
@overload
def shout(text: bytes) -> bytes: ...
def shout(text: str | bytes) -> str | bytes:
    return text.upper()


def in_place(path: str) -> None:
    assert_type(safe(ValueError)(int)("1"), Ok[int] | Err[ValueError])
    assert_type(safe(ValueError)(json.loads)("1"), Ok[Any] | Err[ValueError])
    assert_type(safe(A)(lambda: [path])(), Ok[list[str]] | Err[A])
    assert_type(safe(OSError)(path.encode)(), Ok[bytes] | Err[OSError])
    assert_type(safe(A)(partial(one, 1))(), Ok[Ok[str] | Err[A]] | Err[A])
    assert_type(safe(A)(shout)("x"), Ok[str] | Err[A])  # weak: overload
    safe("x")  # error
    safe(5)  # error
    safe()  # error
