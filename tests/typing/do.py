"""`@do`: callers see the value and every error, and no error gets out undeclared."""

from typing import assert_type

from resultflow import Bind, Err, Ok, Result, do


class A(Exception): ...


class B(Exception): ...


def get() -> Result[int, A]:
    return Ok(1)


def half(number: int) -> Result[str, B]:
    return Ok(str(number))


@do
def both(bind: Bind[A | B], x: int, *, y: str = "") -> str:
    number = bind(get())
    assert_type(number, int)
    assert_type(bind(half(number)), str)
    assert_type(bind(Ok(y)), str)
    return bind(half(x + number))


@do
def undeclared(bind: Bind[A]) -> str:
    return bind(half(1))  # error


@do
def no_result(bind: Bind[A]) -> int:
    return bind(5)  # error


@do
def nested(bind: Bind[A | B]) -> str:
    return bind(both(1)) + bind(both(bind(get())))


def callers() -> None:
    assert_type(both(1), Ok[str] | Err[A | B])
    assert_type(both(1, y="x"), Ok[str] | Err[A | B])
    assert_type(nested(), Ok[str] | Err[A | B])
    both("x")  # error
    both(1, 2)  # error
    both()  # error


class Methods:
    base = 1

    @do
    def method(self, bind: Bind[A], x: int) -> int:
        return bind(get()) + x + self.base

    @classmethod
    @do
    def class_below(cls, bind: Bind[A], x: int) -> int:
        return bind(get()) + x + cls.base

    @staticmethod
    @do
    def static_below(bind: Bind[A], x: int) -> int:
        return bind(get()) + x

    @do
    @classmethod
    def class_above(cls, bind: Bind[A], x: int) -> int:
        return bind(get()) + x + cls.base

    @do
    @staticmethod
    def static_above(bind: Bind[A], x: int) -> int:
        return bind(get()) + x


def methods(m: Methods) -> None:
    assert_type(m.method(1), Ok[int] | Err[A])
    assert_type(m.class_below(1), Ok[int] | Err[A])
    assert_type(Methods.class_below(1), Ok[int] | Err[A])
    assert_type(m.static_below(1), Ok[int] | Err[A])
    assert_type(Methods.static_below(1), Ok[int] | Err[A])
    m.method("x")  # error
    assert_type(m.class_above(1), Ok[int] | Err[A])  # weak: above
    assert_type(Methods.class_above(1), Ok[int] | Err[A])  # weak: above
    assert_type(m.static_above(1), Ok[int] | Err[A])  # weak: above
    assert_type(Methods.static_above(1), Ok[int] | Err[A])  # weak: above


def a_token_allows_less(bind: Bind[A | B]) -> Bind[A]:
    return bind


def a_token_allows_more(bind: Bind[A]) -> Bind[A | B]:
    return bind  # error
