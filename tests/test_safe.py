"""`@safe`: which exceptions become values, on what it works, and what it refuses."""

import copy
import functools
import inspect
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NoReturn, overload

import pytest

from resultflow import Bind, Err, Ok, do, safe


class PortError(Exception):
    """An error of a program."""


@safe(ValueError, OverflowError)
def port(text: str, *, least: int = 1) -> int:
    """Parse a port."""
    number = int(text)
    if number < least:
        raise OverflowError(text)
    return number


class Adder:
    """Adds."""

    def __init__(self) -> None:
        self.note = "mine"

    def __call__(self, text: str) -> int:
        """Add one."""
        return int(text) + 1


class Settings:
    """Holds the same function in each form that a class knows."""

    least = 1

    @safe(ValueError)
    def method(self, text: str) -> int:
        """Parse in a method."""
        return int(text) + self.least

    @safe(ValueError)
    @classmethod
    def above_class(cls, text: str) -> int:
        """Parse in a class method, from above."""
        return int(text) + cls.least

    @classmethod
    @safe(ValueError)
    def below_class(cls, text: str) -> int:
        """Parse in a class method, from below."""
        return int(text) + cls.least

    @safe
    @staticmethod
    def above_static(text: str) -> int:
        """Parse in a static method, from above."""
        return int(text) + 1

    @staticmethod
    @safe(ValueError)
    def below_static(text: str) -> int:
        """Parse in a static method, from below."""
        return int(text) + 1

    @property
    @safe(ValueError)
    def value(self) -> int:
        """Parse in a property."""
        return int("x")


def test_a_value_becomes_an_ok() -> None:
    """What the function returns is in an `Ok`, arguments pass through."""
    assert port("80") == Ok(80)
    assert port(text="80", least=80) == Ok(80)


def test_named_exceptions_become_an_err() -> None:
    """Each exception class that is named, and its subclasses, give an `Err`."""
    assert [type(port(text).err()) for text in ("x", "0")] == [ValueError, OverflowError]
    assert type(safe(LookupError)(dict[str, int]().__getitem__)("x").err()) is KeyError


def test_other_exceptions_are_bugs() -> None:
    """An exception that is not named propagates."""
    with pytest.raises(TypeError):
        port(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_bare_safe_means_exception() -> None:
    """With no class named, every `Exception` is caught, and nothing beyond it."""

    @safe
    def fail(exc: BaseException) -> NoReturn:
        raise exc

    error = ZeroDivisionError()
    assert fail(error) == Err(error)
    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())


def test_a_base_exception_is_caught_when_named() -> None:
    """`SystemExit` becomes a value for whoever asks for it."""

    @safe(SystemExit)
    def leave() -> NoReturn:
        raise SystemExit(3)

    assert leave().map_err(lambda exc: exc.code) == Err(3)


def test_an_early_return_is_no_exception_to_catch() -> None:
    """`bind` leaves its block even through a `@safe(BaseException)` in between."""

    @do
    def block(bind: Bind[str]) -> int:
        @safe(BaseException)
        def inner() -> int:
            return bind(Err("x"))

        raise AssertionError(inner())

    assert block() == Err("x")


def test_into_maps_the_exception() -> None:
    """`into=` makes the caller's own error, and the exception stays as its cause."""

    @safe(ValueError, into=lambda exc: PortError(str(exc)))
    def parse(text: str) -> int:
        return int(text)

    err = parse("x")
    assert isinstance(err, Err)
    assert isinstance(err.error, PortError)
    report = err.report()
    assert [type(cause) for cause in report.causes] == [ValueError]
    assert report.trace[0].function.endswith("parse")


def test_into_alone_maps_every_exception() -> None:
    """With `into=` and no class named, every `Exception` is mapped."""
    assert safe(into=type)(int)("x") == Err(ValueError)


def test_into_that_raises_is_a_bug() -> None:
    """What `into` raises propagates."""
    with pytest.raises(ZeroDivisionError):
        safe(ValueError, into=lambda _: 1 // 0)(int)("x")


def test_methods() -> None:
    """Methods, class methods and static methods work in either order."""
    settings = Settings()
    for call in (
        settings.method,
        settings.above_class,
        Settings.above_class,
        settings.below_class,
        Settings.below_class,
        settings.above_static,
        Settings.above_static,
        settings.below_static,
        Settings.below_static,
    ):
        assert call("1") == Ok(2)
        assert isinstance(call("x"), Err)


def test_properties() -> None:
    """A property gives a Result."""
    assert isinstance(Settings().value, Err)


def test_callables_in_place(tmp_path: Path) -> None:
    """Functions in C, classes, partial calls, bound methods and objects can be called in place."""
    assert safe(OSError)(open)(tmp_path).is_err()
    assert safe(ValueError)(int)("x").is_err()
    assert safe(ValueError)(functools.partial(int, base=2))("11") == Ok(3)
    assert safe(ValueError)("a b".index)("b") == Ok(2)
    adder = safe(ValueError)(Adder())
    assert adder("1") == Ok(2)
    assert adder("x").is_err()
    assert not hasattr(adder, "note")


def test_the_wrapper_looks_like_the_function() -> None:
    """Name, documentation and signature are those of the function."""
    assert (port.__name__, port.__doc__) == ("port", "Parse a port.")
    assert list(inspect.signature(port).parameters) == ["text", "least"]
    assert safe(ValueError)(int).__name__ == "int"
    assert pickle.loads(pickle.dumps(port)) is port  # noqa: S301 - just made


def test_a_wrapped_class_does_not_spread() -> None:
    """The wrapper of a class has the class's name and none of its attributes."""
    wrapped = safe(ValueError)(Settings)
    assert not hasattr(wrapped, "least")


def test_the_trace_starts_where_it_was_raised() -> None:
    """The trace has the places in the function, and not the wrapper."""

    @safe(ValueError)
    def outer(text: str) -> int:
        return inner(text)

    def inner(text: str) -> int:
        return int(text)

    err = outer("x")
    assert isinstance(err, Err)
    assert [frame.function.rpartition(".")[2] for frame in err.report().trace] == [
        "inner",
        "outer",
    ]


# Bad input


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (("x",), "safe cannot wrap 'x': it takes exception classes, as in @safe(OSError)"),
        ((5,), "safe cannot wrap 5: it takes exception classes"),
        ((int,), "safe takes exception classes, not <class 'int'>: write safe(OSError)(function)"),
        ((OSError, 5), "safe takes exception classes, not 5"),
        ((), "safe() names no exception: write @safe(OSError), or @safe with no call"),
    ],
)
def test_what_is_no_exception_class_is_refused(
    given: tuple[type[OSError], ...], rule: str
) -> None:
    """A wrong argument is named, with what to write, when the decorator is made."""
    with pytest.raises(TypeError) as caught:
        safe(*given)
    assert str(caught.value).startswith(rule)


def numbers() -> Iterator[int]:
    """Generate."""
    yield 1


async def more_numbers() -> AsyncIterator[int]:
    """Generate asynchronously."""
    yield 1


async def number() -> int:
    """Come later."""
    return 1


class Numbers:
    """Generates when it is called."""

    def __call__(self) -> Iterator[int]:
        """Generate."""
        yield 1


class Number:
    """Comes later when it is called."""

    async def __call__(self) -> int:
        """Come later."""
        return 1


@pytest.mark.parametrize(
    "func",
    [numbers, more_numbers, Numbers(), staticmethod(numbers), functools.partial(numbers)],
    ids=["sync", "async", "object", "static", "partial"],
)
def test_generators_are_refused(func: Callable[[], object]) -> None:
    """A generator raises while it is iterated, so it cannot be wrapped, and is told so."""
    with pytest.raises(TypeError, match="safe cannot wrap the generator function"):
        safe(ValueError)(func)


@pytest.mark.parametrize("func", [number, Number(), functools.partial(number)])
def test_coroutine_functions_are_sent_to_aio(func: Callable[[], object]) -> None:
    """A coroutine raises when it is awaited; `resultflow.aio.safe` is what to use."""
    with pytest.raises(TypeError, match=r"coroutine function .*: use resultflow\.aio\.safe$"):
        safe(ValueError)(func)


def test_the_implementation_of_overloads_is_refused() -> None:
    """Callers would be shown overloads that return no Result, so decorating is an error."""

    @overload
    def parse(text: str) -> str: ...
    @overload
    def parse(text: bytes) -> bytes: ...
    def parse(text: str | bytes) -> str | bytes:
        return text

    with pytest.raises(TypeError, match="safe cannot wrap the implementation of the overloaded"):
        safe(ValueError)(parse)


@overload
def shout(text: str) -> str: ...
@overload
def shout(text: bytes) -> bytes: ...
def shout(text: str | bytes) -> str | bytes:
    """Write in capitals."""
    return text.upper()


def test_an_overloaded_function_can_be_called_in_place() -> None:
    """Once it has its name, an overloaded function is one like any other."""
    assert safe(ValueError)(shout)("a") == Ok("A")


def test_a_wrapper_without_a_name_is_copied_as_functions_are() -> None:
    """The wrapper of a partial or of an object, in a value that is copied, stays itself."""
    held = {"parse": safe(ValueError)(functools.partial(int, base=2))}
    assert copy.copy(held["parse"]) is held["parse"]
    assert copy.deepcopy(held) == held
