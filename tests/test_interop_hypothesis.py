"""Hypothesis makes Results of any type that an annotation can name."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Never, TypeVar

import attrs
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, NoSuchExample

from resultflow import Err, Ok, Result, is_err, is_ok
from resultflow.interop.hypothesis import register, results

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
# Type forms as Hypothesis is given them, at run time; checkers read annotations only.
Form: Any = Result
List: Any = list


@attrs.frozen
class Lost:
    """An error as this package's users write it."""

    dsn: str


@attrs.frozen
class Gone:
    """Another one."""

    job: int


Tree: Any = Form[List["Tree"], "Lost"]
GENERATED = settings(phases=[Phase.generate], max_examples=100, database=None, derandomize=True)


def draws(kind: Any, is_wanted: Callable[[Any], bool]) -> bool:  # noqa: ANN401 - a type form
    """Tell whether a value as wanted is among those of a type."""
    try:
        find(st.from_type(kind), is_wanted, settings=GENERATED)
    except NoSuchExample:
        return False
    return True


def test_hypothesis_knows_results_by_itself() -> None:
    """Whoever has both packages needs no import of this one's for Hypothesis."""
    program = (
        "import sys, hypothesis.strategies as st\n"
        "from hypothesis import find\n"
        "from resultflow import Ok, Result, is_ok\n"
        "print(find(st.from_type(Result[int, str]), is_ok))\n"
        "print([name for name in ('asyncio', 'resultflow.resource') "
        "if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("Ok(0)\n[]\n", "")


def test_this_module_may_be_imported_first() -> None:
    """Hypothesis, as it is imported, finds in the module what it comes for."""
    program = (
        "import resultflow.interop.hypothesis as ours\n"
        "from hypothesis import find, strategies as st\n"
        "print(find(ours.results(st.just(1), st.none()), lambda result: True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("Ok(1)\n", "")


@given(...)
def test_contents_are_of_the_types_named(result: Result[list[bytes], Lost | Gone]) -> None:
    """The values are of the value's type, the errors of the error's."""
    match result:
        case Ok(values):
            assert type(values) is list
            assert all(type(value) is bytes for value in values)
        case Err(error):
            assert type(error) in {Lost, Gone}


@given(...)
def test_results_nest(result: Result[list[Result[int, str]], Err[Ok[bool]]]) -> None:
    """A Result may hold others, at any depth."""
    match result:
        case Ok(inner):
            assert all(
                type(it.value) is int if is_ok(it) else type(it.error) is str for it in inner
            )
        case Err(Err(Ok(flag))):
            assert type(flag) is bool


def test_both_variants_are_drawn() -> None:
    """A Result is sometimes an `Ok` and sometimes an `Err`, with each of its errors."""
    kind = Form[int, Lost | Gone]
    assert draws(kind, is_ok)
    assert draws(kind, lambda result: is_err(result) and isinstance(result.error, Lost))
    assert draws(kind, lambda result: is_err(result) and isinstance(result.error, Gone))


@pytest.mark.parametrize("variant", [Ok, Err])
def test_a_variant_alone_is_drawn(variant: Any) -> None:  # noqa: ANN401 - a class and a type form
    """`Ok[int]` and bare `Ok` are always an `Ok`, and `Err` likewise."""
    for kind in (variant[int], variant):
        assert draws(kind, lambda result: type(result) is variant)
        assert not draws(kind, lambda result: type(result) is not variant)


def holds(kind: type, ok: Ok[object]) -> bool:
    """Tell whether a value is of this very type."""
    return type(ok.value) is kind


def test_a_bare_variant_holds_what_can_be_hashed() -> None:
    """Where no type is named, contents are of several types, and none of them a surprise."""
    for kind in (type(None), bool, int, str, tuple):
        assert draws(Ok, partial(holds, kind))
    assert not draws(Ok, lambda ok: not isinstance(hash(ok), int) or ok != Ok(ok.value))


def test_a_type_variable_stands_for_any_type() -> None:
    """A generic function is tested as it is annotated."""
    assert draws(Form[T, str], is_ok)
    assert draws(Form[T, str], is_err)


def test_a_type_may_be_named_by_a_string() -> None:
    """A forward reference is followed, also one that leads back to the type itself."""
    assert draws(Form["Lost", str], lambda it: is_ok(it) and isinstance(it.value, Lost))
    assert draws(Tree, lambda tree: is_ok(tree) and any(map(is_ok, tree.value)))


def test_an_error_may_be_an_exception() -> None:
    """Errors that are exceptions are made like any other."""
    assert draws(Form[int, OSError], lambda it: is_err(it) and isinstance(it.error, OSError))


def test_an_error_that_cannot_be_is_refused() -> None:
    """For `Never` nothing can be drawn, and Hypothesis says which type it was."""
    with pytest.raises(InvalidArgument, match="Never"):
        draws(Form[int, Never], is_err)


def test_registering_twice_changes_nothing() -> None:
    """`register` may be called by hand where entry points are switched off."""
    register()
    assert draws(Form[int, str], is_ok)


def double_all(numbers: Result[list[int], Lost]) -> Result[list[int], Lost]:
    """Be a function with a fault: it takes a long list for a lost connection."""
    if is_err(numbers):
        return numbers
    if len(numbers.value) > 2:
        return Err(Lost("by mistake"))
    return Ok([2 * n for n in numbers.value])


def test_a_failing_property_is_shrunk() -> None:
    """What Hypothesis shows in the end is the smallest Result that fails."""
    failed: list[Result[list[int], Lost]] = []

    @settings(database=None, derandomize=True)
    @given(...)
    def doubling_keeps_the_variant(numbers: Result[list[int], Lost]) -> None:
        if is_ok(double_all(numbers)) != is_ok(numbers):
            failed.append(numbers)
            raise AssertionError

    with pytest.raises(AssertionError) as caught:
        doubling_keeps_the_variant()
    assert failed[-1] == Ok([0, 0, 0])
    assert "numbers=Ok([0, 0, 0])" in "".join(caught.value.__notes__)


def test_results_shrink_to_an_ok() -> None:
    """Every `Err` that is left in a shrunk example of `results` is needed for the failure."""
    many = st.lists(results(st.integers(), st.text()))
    assert find(many, lambda them: len(them) > 1) == [Ok(0), Ok(0)]
    assert find(many, lambda them: any(map(is_err, them))) == [Err("")]
    # Even where the error is simpler than the value.
    assert find(results(st.text(min_size=3), st.just(0)), lambda _: True) == Ok("000")


def test_results_draw_from_the_strategies_given() -> None:
    """Contents that no type can express come from strategies."""
    ports = results(st.integers(1, 65535), st.just("no port"))
    assert find(ports, lambda port: port.unwrap_or(0) > 9) == Ok(10)
    assert find(ports, is_err) == Err("no port")
    with pytest.raises(NoSuchExample):
        find(ports, lambda port: port.unwrap_or(1) < 1)
