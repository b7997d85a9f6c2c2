"""`@do`: the early return, its token, and what it refuses."""

import contextlib
import inspect
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, cast
from unittest import mock

import pytest

from resultflow import Bind, Err, Ok, Result, do


def parse(text: str) -> Result[int, str]:
    """Parse a number."""
    return Ok(int(text)) if text.isdigit() else Err(f"{text!r} is no number")


@do
def add(bind: Bind[str], first: str, second: str, *, scale: int = 1) -> int:
    """Add two numbers."""
    return (bind(parse(first)) + bind(parse(second))) * scale


class Calculator:
    """Holds the same block in each form that a class knows."""

    base = 1

    @do
    def method(self, bind: Bind[str], text: str) -> int:
        """Add in a method."""
        return bind(parse(text)) + self.base

    @do
    @classmethod
    def above_class(cls, bind: Bind[str], text: str) -> int:
        """Add in a class method, from above."""
        return bind(parse(text)) + cls.base

    @classmethod
    @do
    def below_class(cls, bind: Bind[str], text: str) -> int:
        """Add in a class method, from below."""
        return bind(parse(text)) + cls.base

    @do
    @staticmethod
    def above_static(bind: Bind[str], text: str) -> int:
        """Add in a static method, from above."""
        return bind(parse(text)) + 1

    @staticmethod
    @do
    def below_static(bind: Bind[str], text: str) -> int:
        """Add in a static method, from below."""
        return bind(parse(text)) + 1


def test_a_block_gives_ok_of_what_it_returns() -> None:
    """Where every bound Result is an `Ok`, the block runs like any function."""
    assert add("1", "2") == Ok(3)
    assert add("1", second="2", scale=10) == Ok(30)


def test_bind_leaves_with_the_first_err() -> None:
    """The block ends at the first `Err`, and that is its Result."""
    assert add("x", "y") == Err("'x' is no number")


def test_methods() -> None:
    """Methods, class methods and static methods work in either order."""
    calculator = Calculator()
    for call in (
        calculator.method,
        calculator.above_class,
        Calculator.above_class,
        calculator.below_class,
        Calculator.below_class,
        calculator.above_static,
        Calculator.above_static,
        calculator.below_static,
        Calculator.below_static,
    ):
        assert call("1") == Ok(2)
        assert call("x") == Err("'x' is no number")


def test_a_bug_propagates() -> None:
    """An exception of the block is no early return."""

    @do
    def block(bind: Bind[str]) -> int:
        return bind(Ok(1)) // 0

    with pytest.raises(ZeroDivisionError):
        block()


def test_finally_and_with_run_at_once() -> None:
    """What must happen on the way out has happened when the caller gets the `Err`."""
    seen: list[str] = []

    @contextlib.contextmanager
    def session() -> Generator[None]:
        try:
            yield
        finally:
            seen.append("closed")

    @do
    def block(bind: Bind[str]) -> int:
        try:
            with session():
                return bind(parse("x"))
        finally:
            seen.append("finally")

    assert block() == Err("'x' is no number")
    assert seen == ["closed", "finally"]


def test_except_exception_does_not_catch_the_early_return() -> None:
    """A handler of exceptions, and `suppress`, let it pass."""

    @do
    def block(bind: Bind[str]) -> int:
        with contextlib.suppress(Exception):
            try:
                return bind(parse("x"))
            except Exception:  # noqa: BLE001 - what is tested
                return 1
        return 2

    assert block() == Err("'x' is no number")


def test_an_early_return_that_is_swallowed_is_told() -> None:
    """A bare `except` that goes on is a bug in the block, and an error that says so."""

    @do
    def block(bind: Bind[str]) -> int:
        try:
            return bind(parse("x"))
        except BaseException:  # noqa: BLE001 - what is tested
            return 1

    with pytest.raises(RuntimeError) as caught:
        block()
    assert str(caught.value).endswith(
        "went on after bind(Err(\"'x' is no number\")) had left it: "
        "a bare 'except:' or 'except BaseException' there must end in 'raise'"
    )


def test_nested_blocks_leave_by_their_own_token() -> None:
    """`bind` of the outer block leaves both, that of the inner one only the inner."""

    @do
    def outer(bind: Bind[str], which: str) -> str:
        mine = bind

        @do
        def inner(bind: Bind[str]) -> str:
            (mine if which == "outer" else bind)(parse("x"))
            raise AssertionError

        return f"inner gave {inner()!r}"

    assert outer("outer") == Err("'x' is no number")
    assert outer("inner") == Ok("inner gave Err(\"'x' is no number\")")


def test_recursion_keeps_the_tokens_apart() -> None:
    """Each call of a recursive block has its own token."""

    @do
    def down(bind: Bind[str], depth: int, outer: Bind[str]) -> int:
        if depth == 0:
            return outer(parse("x"))
        return down(depth - 1, bind if depth == 2 else outer).unwrap_or(99)

    @do
    def start(bind: Bind[str]) -> int:
        return bind(down(3, bind))

    assert start() == Ok(99)


def test_a_thousand_nested_blocks() -> None:
    """An `Err` goes up through 1,000 blocks and collects a line in each."""

    @do
    def down(bind: Bind[str], depth: int) -> int:
        return bind(down(depth - 1) if depth else parse("x"))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        result = down(999)
    finally:
        sys.setrecursionlimit(limit)
    assert isinstance(result, Err)
    assert len(result.report().trace) == 1_001


def test_a_token_works_in_what_the_block_calls() -> None:
    """`bind` may be handed down: to a function, and to a generator that runs inside."""

    @do
    def block(bind: Bind[str], texts: list[str]) -> int:
        return sum(bind(parse(text)) for text in texts)

    assert block(["1", "2"]) == Ok(3)
    assert block(["1", "x"]) == Err("'x' is no number")


def test_a_token_whose_call_has_ended_says_so() -> None:
    """Used later, `bind` gives values, and refuses to leave what is left already."""
    kept: list[Bind[str]] = []

    @do
    def block(bind: Bind[str]) -> None:
        kept.append(bind)

    assert block() == Ok(None)
    assert kept[0](Ok(1)) == 1
    with pytest.raises(RuntimeError, match="cannot leave its @do function, whose call has ended"):
        kept[0](Err("x"))


def test_a_token_in_another_thread_says_so() -> None:
    """An early return cannot cross threads, so `bind` refuses it there."""
    raised: list[Exception] = []

    @do
    def block(bind: Bind[str]) -> int:
        def work() -> None:
            try:
                bind(Err("x"))
            except RuntimeError as exc:
                raised.append(exc)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)
        return 1

    assert block() == Ok(1)
    assert "runs in another thread or task" in str(raised[0])


def test_the_token_is_found_by_name_or_annotation() -> None:
    """A token of another name needs its annotation."""

    def named(bind: Any, text: str) -> int:  # noqa: ANN401 - no annotation to go by
        return int(bind(parse(text)))

    def annotated(q: Bind[str], text: str) -> int:
        return q(parse(text))

    class Method:
        @do
        def annotated(self, q: "Bind[str]", text: str) -> int:
            return q(parse(text))

    for block in (do(named), do(annotated), Method().annotated):
        assert block("1") == Ok(1)
        assert block("x").is_err()


def test_a_block_that_is_wrapped_already() -> None:
    """A decorator below `@do` that keeps the signature is no obstacle."""

    def twice(func: Callable[[Bind[str], str], int]) -> Callable[[Bind[str], str], int]:
        def call(bind: Bind[str], text: str) -> int:
            return 2 * func(bind, text)

        call.__wrapped__ = func  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
        return call

    @do
    @twice
    def block(bind: Bind[str], text: str) -> int:
        return bind(parse(text))

    assert block("2") == Ok(4)


def test_the_wrapper_looks_like_the_function() -> None:
    """Name and documentation are those of the function."""
    assert (add.__name__, add.__doc__) == ("add", "Add two numbers.")
    assert inspect.unwrap(add) is not add


def test_the_signature_is_the_callers() -> None:
    """What calls a block by its signature or its annotations is not asked for a token."""

    class Method:
        @do
        def first(self, bind: Bind[str], text: str, *rest: str, least: int = 0) -> int:
            return bind(parse(text)) + len(rest) + least

    assert list(inspect.signature(add).parameters) == ["first", "second", "scale"]
    assert list(inspect.signature(Method.first).parameters) == ["self", "text", "rest", "least"]
    assert list(inspect.signature(Method().first).parameters) == ["text", "rest", "least"]
    assert list(add.__annotations__) == ["first", "second", "scale", "return"]
    assert "bind" in inspect.unwrap(add).__annotations__
    assert mock.create_autospec(add, return_value=Ok(3))("1", second="2") == Ok(3)


def test_every_shape_of_parameters_is_passed_on() -> None:
    """Defaults, keywords, and whatever else a function takes, arrive as they were given."""
    none: Any = None

    @do
    def defaults(bind: Bind[str] = none, first: int = 1, second: int = 2) -> object:
        return bind(Ok(first)), second

    @do
    def positional(bind: Bind[str], first: int, /, second: int = 2) -> object:
        return bind(Ok(first)), second

    @do
    def keywords(bind: Bind[str], /, *, first: int, **more: int) -> object:
        return bind(Ok(first)), more

    @do
    def names(bind: Bind[str], token: int, value: int, exc: int = 3) -> object:
        return bind(Ok(token)), value, exc

    class Method:
        @do
        def rest(self, bind: Bind[str], *rest: int) -> object:
            return bind(Ok(rest))

        @do
        def first(self, bind: Bind[str], /, first: int = 1) -> object:
            return bind(Ok(first))

    assert (defaults(), defaults(3), defaults(second=4)) == (Ok((1, 2)), Ok((3, 2)), Ok((1, 4)))
    assert (positional(1), positional(1, second=3)) == (Ok((1, 2)), Ok((1, 3)))
    assert keywords(first=1, second=2) == Ok((1, {"second": 2}))
    assert (names(1, 2), names(token=1, value=2, exc=4)) == (Ok((1, 2, 3)), Ok((1, 2, 4)))
    assert (Method().rest(1, 2), Method().first(), Method().first(first=2)) == (
        Ok((1, 2)),
        Ok(1),
        Ok(2),
    )
    with pytest.raises(TypeError, match="positional-only"):
        cast("Any", positional)(first=1)


def test_arguments_are_checked_by_the_function() -> None:
    """A missing argument is the function's own `TypeError`."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'second'"):
        add("1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# Bad input


@pytest.mark.parametrize("given", [5, None, "x"])
def test_bind_refuses_what_is_no_result(given: object) -> None:
    """`bind(5)` is a `TypeError` that names the value and what to write."""

    @do
    def block(bind: Bind[str]) -> object:
        return bind(cast("Any", given))

    with pytest.raises(TypeError) as caught:
        block()
    assert str(caught.value) == (
        f"bind takes a Result, not {given!r}: leave bind away, or write Ok(...)"
    )


def numbers(bind: Bind[str]) -> Iterator[int]:
    """Generate."""
    yield bind(Ok(1))


async def number(bind: Bind[str]) -> int:
    """Come later."""
    return bind(Ok(1))


def none(text: str) -> str:
    """Take no token."""
    return text


def keyword(*, bind: Bind[str]) -> int:
    """Take a token where there is none."""
    return bind(Ok(1))


@pytest.mark.parametrize(
    ("func", "text"),
    [
        (numbers, "do cannot wrap the generator function numbers, which could not give"),
        (number, "do cannot wrap the coroutine function number: use resultflow.aio.do"),
        (none, "do found no token in none(text): its first parameter, after self or cls, must be"),
        (keyword, "do found no token in keyword()"),
        (int, "do wraps functions, not <class 'int'>: put @do right above the def"),
    ],
)
def test_what_can_be_no_block_is_refused(func: Callable[..., Any], text: str) -> None:
    """Each is a `TypeError` at decoration, with the way out."""
    with pytest.raises(TypeError) as caught:
        do(func)
    assert str(caught.value).startswith(text)
