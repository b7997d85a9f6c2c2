"""Nothing is lost on the way to `returns` and back, and `returns`' own laws hold for a Result."""

import asyncio
import types
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.contrib.hypothesis.laws import check_all_laws  # pyright: ignore[reportUnknownVariableType]  # generics without arguments
from returns.future import FutureResult
from returns.interfaces.specific.result import ResultBasedN
from returns.io import IOFailure, IOResult, IOSuccess
from returns.maybe import Maybe, Nothing, Some
from returns.primitives.container import BaseContainer
from returns.primitives.hkt import SupportsKind2
from returns.primitives.tracing import collect_traces
from returns.result import Failure, Success
from returns.result import Result as Container

from resultflow import Bind, Err, Ok, Resource, Result, aio, do
from resultflow.interop.returns import (
    from_future_result,
    from_io_result,
    from_maybe,
    from_result,
    to_future_result,
    to_io_result,
    to_maybe,
    to_result,
)

contents = st.one_of(st.none(), st.integers(), st.text(), st.builds(Ok, st.none()))
results = st.one_of(st.builds(Ok, contents), st.builds(Err, contents))
containers = st.one_of(st.builds(Success, contents), st.builds(Failure, contents))


@given(results)
def test_results_come_back(result: Result[Any, Any]) -> None:
    """A Result is the same after each way there and back."""
    assert from_result(to_result(result)) == result
    assert from_io_result(to_io_result(result)) == result


@given(containers)
def test_containers_come_back(container: Container[Any, Any]) -> None:
    """A container is the same after each way here and back."""
    assert to_result(from_result(container)) == container
    io_result = IOResult.from_result(container)
    assert to_io_result(from_io_result(io_result)) == io_result


@settings(max_examples=25)  # each starts an event loop
@given(results)
def test_futures_come_back(result: Result[Any, Any]) -> None:
    """A Result that comes later is the same after the way there and back."""

    async def later() -> Result[Any, Any]:
        return result

    async def main() -> Result[Any, Any]:
        return await from_future_result(to_future_result(later()))

    assert asyncio.run(main()) == result


@given(contents)
def test_maybes_come_back(value: object) -> None:
    """`Some(None)` is not `Nothing`, on neither side."""
    some: Maybe[object] = Some(value)
    for container in (some, Nothing):
        assert to_maybe(from_maybe(container)) == container
    fine: Result[object, None] = Ok(value)
    failed: Result[object, None] = Err(None)
    for result in (fine, failed):
        assert from_maybe(to_maybe(result)) == result


def test_the_variants_correspond() -> None:
    """Success is `Ok`, failure is `Err`."""
    assert [to_result(Ok(1)), to_result(Err("x"))] == [Success(1), Failure("x")]
    assert [to_io_result(Ok(1)), to_io_result(Err("x"))] == [IOSuccess(1), IOFailure("x")]
    assert [to_maybe(Ok(1)), to_maybe(Err(None))] == [Some(1), Nothing]


def test_to_maybe_loses_no_error() -> None:
    """`Nothing` has no room for an error, so there must be none."""
    lost: Any = Err("x")
    with pytest.raises(TypeError, match=r"to_maybe would lose the error of Err\('x'\)"):
        to_maybe(lost)


def load() -> Result[int, str]:
    """Fail."""
    return Err("x")


@do
def work(bind: Bind[str]) -> int:
    """Pass the failure on."""
    return bind(load().context("loading"))


def test_the_history_comes_back() -> None:
    """Trace, context and suppressed failures survive the way there and back."""
    flaky = Resource.make(lambda: Ok(1), lambda _, __: Err("not closed"))
    err = flaky.use(lambda _: work())
    back = from_result(to_result(err))
    assert isinstance(err, Err)
    assert isinstance(back, Err)
    assert str(back.report()) == str(err.report())
    assert back.suppressed == (Err("not closed"),)


def test_the_trace_is_visible_there() -> None:
    """`Failure.trace` lists the places from which the `Err` came."""
    trace = to_result(work()).trace
    assert trace is not None
    assert [(line.filename, line.function) for line in trace] == [
        (__file__, "load"),
        (__file__, "work"),
    ]


def test_a_trace_from_there_is_in_the_report() -> None:
    """What `collect_traces` saw is the trace of the `Err`."""
    with collect_traces():
        container: Container[int, str] = Failure("x")
    err = from_result(container)
    assert isinstance(err, Err)
    assert container.trace is not None
    assert [frame.line for frame in err.report().trace] == [
        line.lineno for line in container.trace
    ]


def test_bind_takes_a_converted_container() -> None:
    """A `@do` block binds any container in one call."""

    def stock(name: str) -> Container[int, str]:
        return Success(3) if name == "nut" else Failure("no such part")

    @do
    def total(bind: Bind[str | None], name: str, price: Maybe[int]) -> int:
        return bind(from_result(stock(name))) * bind(from_maybe(price))

    assert total("nut", Some(2)) == Ok(6)
    assert total("nut", Nothing) == Err(None)
    assert total("bolt", Some(2)) == Err("no such part")


def test_bind_takes_a_converted_future() -> None:
    """An `aio.do` block binds what a `FutureResult` gives."""

    @aio.do
    async def total(bind: Bind[str]) -> int:
        one: FutureResult[int, str] = FutureResult.from_value(1)
        two: FutureResult[int, str] = FutureResult.from_failure("x")
        return bind(await from_future_result(one)) + bind(await from_future_result(two))

    assert asyncio.run(total()) == Err("x")


class Methods:
    """The methods of a Result under the names of `returns`."""

    __slots__ = ()

    _inner_value: Result[Any, Any]

    @property
    def result(self) -> Result[Any, Any]:
        """Give the Result."""
        return self._inner_value

    @classmethod
    def from_value(cls, inner_value: object) -> object:
        """Make an `Ok`."""
        return Adaptor(Ok(inner_value))

    @classmethod
    def from_failure(cls, inner_value: object) -> object:
        """Make an `Err`."""
        return Adaptor(Err(inner_value))

    @classmethod
    def from_result(cls, inner_value: Container[object, object]) -> object:
        """Convert a container."""
        return Adaptor(from_result(inner_value))

    def equals(self, other: object) -> bool:
        """`==`."""
        return self == other

    def map(self, function: Callable[[object], object]) -> object:
        """`map`."""
        return Adaptor(self.result.map(function))

    def bind(self, function: Callable[[object], "Methods"]) -> object:
        """`and_then`."""
        return Adaptor(self.result.and_then(lambda value: function(value).result))

    def bind_result(self, function: Callable[[object], Container[object, object]]) -> object:
        """`and_then`, of a container."""
        return Adaptor(self.result.and_then(lambda value: from_result(function(value))))

    def apply(self, container: "Methods") -> object:
        """`map`, by a function that is in a Result itself."""
        return Adaptor(container.result.and_then(self.result.map))

    def alt(self, function: Callable[[object], object]) -> object:
        """`map_err`."""
        return Adaptor(self.result.map_err(function))

    def lash(self, function: Callable[[object], "Methods"]) -> object:
        """`or_else`."""
        return Adaptor(self.result.or_else(lambda error: function(error).result))

    def swap(self) -> object:
        """The other variant."""
        return Adaptor(self.result.map_or_else(Ok, Err))

    def unwrap(self) -> object:
        """`unwrap`."""
        return self.result.unwrap()

    def failure(self) -> object:
        """`unwrap_err`."""
        return self.result.unwrap_err()


# The interfaces of `returns` have types for its own mypy plugin alone; its laws are for all.
Adaptor: Any = types.new_class("Adaptor", (Methods, BaseContainer, SupportsKind2, ResultBasedN))
check_all_laws(Adaptor, settings_kwargs={"max_examples": settings().max_examples})
