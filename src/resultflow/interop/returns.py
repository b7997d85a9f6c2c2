"""Conversion from and to the containers of the library `returns`, with nothing lost.

| `returns`        | here                          | functions                                |
|------------------|-------------------------------|------------------------------------------|
| `Result[T, E]`   | `Result[T, E]`                | `from_result`, `to_result`               |
| `Maybe[T]`       | `Result[T, None]`             | `from_maybe`, `to_maybe`                 |
| `IOResult[T, E]` | `Result[T, E]`                | `from_io_result`, `to_io_result`         |
| `FutureResult`   | a coroutine of `Result[T, E]` | `from_future_result`, `to_future_result` |

In a `@do` block a container is bound in one call: `bind(from_result(container))`.

>>> from returns.result import Failure, Result as ReturnsResult
>>> from resultflow import Bind, do
>>> def parse(text: str) -> ReturnsResult[int, str]:
...     return Failure(f"{text!r} is no number")
>>> @do
... def double(bind: Bind[str], text: str) -> int:
...     return 2 * bind(from_result(parse(text)))
>>> double("two")
Err("'two' is no number")
"""

from __future__ import annotations

from inspect import FrameInfo
from typing import TYPE_CHECKING, TypeVar, cast

from returns.future import FutureResult
from returns.io import IOResult
from returns.maybe import Maybe, Nothing, Some
from returns.result import Failure, Result, Success
from returns.unsafe import unsafe_perform_io

from resultflow._result import Err, Ok, err_with, history_of
from resultflow._trace import Frame, chain, resolved

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import FrameType

    from returns.io import IO

    from resultflow._trace import History

__all__ = [
    "from_future_result",
    "from_io_result",
    "from_maybe",
    "from_result",
    "to_future_result",
    "to_io_result",
    "to_maybe",
    "to_result",
]

T = TypeVar("T")
E = TypeVar("E")


class _Trace(list[FrameInfo]):
    """What the `trace` of a `Failure` is when it comes from an `Err`: it brings all back."""

    def __init__(self, history: History | None) -> None:
        frames = [entry for entry in resolved(history) if isinstance(entry, Frame)]
        nowhere = cast("FrameType", None)
        super().__init__(
            FrameInfo(nowhere, frame.file, frame.line, frame.function, None, None)
            for frame in frames
        )
        self.history = history


def from_result(container: Result[T, E]) -> Ok[T] | Err[E]:
    """`Success(v)`: `Ok(v)`. `Failure(e)`: `Err(e)`; what `returns` traced is in its report.

    >>> from_result(Success(1)), from_result(Failure("no port"))
    (Ok(1), Err('no port'))

    .. versionadded:: 0.1.0
    """
    if isinstance(container, Success):
        value: T = container.unwrap()
        return Ok(value)
    error = container.failure()
    trace = container.trace
    if trace is None:
        return Err(error)
    if isinstance(trace, _Trace):
        return err_with(error, trace.history)
    frames = [Frame(line.filename, line.lineno, line.function) for line in trace]
    return err_with(error, chain(None, frames))


def to_result(result: Ok[T] | Err[E]) -> Result[T, E]:
    """`Ok(v)`: `Success(v)`. `Err(e)`: `Failure(e)`, whose `trace` is where it came from.

    `from_result` gives context and suppressed failures back as well.

    >>> to_result(Ok(1)), to_result(Err("no port"))
    (<Success: 1>, <Failure: no port>)

    .. versionadded:: 0.1.0
    """
    if isinstance(result, Ok):
        return Success(result.value)
    failure: Result[T, E] = Failure(result.error)
    object.__setattr__(failure, "_trace", _Trace(history_of(result)))
    return failure


def from_maybe(container: Maybe[T]) -> Ok[T] | Err[None]:
    """`Some(v)`: `Ok(v)`, even of None. `Nothing`: `Err(None)`.

    Where there is no `Some(None)`, `container.value_or(None)` is the shorter way.

    >>> from_maybe(Some(1)), from_maybe(Some(None)), from_maybe(Nothing)
    (Ok(1), Ok(None), Err(None))

    .. versionadded:: 0.1.0
    """
    if isinstance(container, Some):
        value: T = container.unwrap()
        return Ok(value)
    return Err(None)


def to_maybe(result: Ok[T] | Err[None]) -> Maybe[T]:
    """`Ok(v)`: `Some(v)`. `Err(None)`: `Nothing`.

    Raises:
        TypeError: on an `Err` with another error, which `Nothing` has no room for.

    >>> to_maybe(Ok(1)), to_maybe(Err(None))
    (<Some: 1>, <Nothing>)

    .. versionadded:: 0.1.0
    """
    if isinstance(result, Ok):
        return Some(result.value)
    if result.error is not None:
        raise TypeError(f"to_maybe would lose the error of {result!r}: drop it by map_err first")
    return cast("Maybe[T]", Nothing)


def from_io_result(container: IOResult[T, E]) -> Ok[T] | Err[E]:
    """`IOSuccess(v)`: `Ok(v)`. `IOFailure(e)`: `Err(e)`. What did the input or output is over.

    >>> from returns.io import IOFailure, IOSuccess
    >>> from_io_result(IOSuccess(1)), from_io_result(IOFailure("no port"))
    (Ok(1), Err('no port'))

    .. versionadded:: 0.1.0
    """
    # An `IOResult` is an `IO` of a `Result`, but not for checkers.
    return from_result(unsafe_perform_io(cast("IO[Result[T, E]]", container)))


def to_io_result(result: Ok[T] | Err[E]) -> IOResult[T, E]:
    """`Ok(v)`: `IOSuccess(v)`. `Err(e)`: `IOFailure(e)`.

    >>> to_io_result(Ok(1)), to_io_result(Err("no port"))
    (<IOResult: <Success: 1>>, <IOResult: <Failure: no port>>)

    .. versionadded:: 0.1.0
    """
    return IOResult.from_result(to_result(result))


async def from_future_result(container: FutureResult[T, E]) -> Ok[T] | Err[E]:
    """Await a `FutureResult`: `Ok` of what it succeeds with, `Err` of what it fails with.

    >>> import asyncio
    >>> asyncio.run(from_future_result(FutureResult.from_value(1)))
    Ok(1)

    .. versionadded:: 0.1.0
    """
    return from_io_result(await container)


def to_future_result(result: Awaitable[Ok[T] | Err[E]]) -> FutureResult[T, E]:
    """Make a `FutureResult` that succeeds with an `Ok` and fails with an `Err`, when awaited.

    >>> import asyncio
    >>> async def load() -> Ok[int]:
    ...     return Ok(1)
    >>> async def main():
    ...     return await to_future_result(load())
    >>> asyncio.run(main())
    <IOResult: <Success: 1>>

    .. versionadded:: 0.1.0
    """

    async def converted() -> Result[T, E]:
        return to_result(await result)

    return FutureResult(converted())
