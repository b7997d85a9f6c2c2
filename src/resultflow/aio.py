"""The asynchronous forms, under the same names: `aio.safe` and `aio.do`.

They work on every event loop, since they only await; importing this loads none.

>>> from resultflow import aio
>>> @aio.safe(ValueError)
... async def port(text: str) -> int:
...     return int(text)
>>> import asyncio
>>> asyncio.run(port("80"))
Ok(80)
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from resultflow._do import Token, held, position_of
from resultflow._result import Err, Ok, name_of
from resultflow._safe import check, checked, dressed, failed, is_async
from resultflow.errors import EarlyReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from resultflow._do import Bind

__all__ = ["Safe", "do", "safe"]

C = TypeVar("C")
P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E")
F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)
X = TypeVar("X", bound=BaseException)
X1 = TypeVar("X1", bound=BaseException)
X2 = TypeVar("X2", bound=BaseException)
X3 = TypeVar("X3", bound=BaseException)
X4 = TypeVar("X4", bound=BaseException)
X5 = TypeVar("X5", bound=BaseException)
X6 = TypeVar("X6", bound=BaseException)


class Safe(Generic[F_co]):
    """The decorator that `aio.safe(...)` makes; `F` is the error type of its Results.

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_into", "_kinds")

    def __init__(
        self, kinds: tuple[type[BaseException], ...], into: Callable[[Any], F_co] | None = None
    ) -> None:
        self._kinds = kinds
        self._into = into

    @overload
    def __call__(
        self, func: classmethod[C, P, Coroutine[Any, Any, T]], /
    ) -> classmethod[C, P, Coroutine[Any, Any, Ok[T] | Err[F_co]]]: ...
    @overload
    def __call__(
        self, func: staticmethod[P, Coroutine[Any, Any, T]], /
    ) -> staticmethod[P, Coroutine[Any, Any, Ok[T] | Err[F_co]]]: ...
    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Callable[P, Coroutine[Any, Any, Ok[T] | Err[F_co]]]: ...
    def __call__(self, func: Any, /) -> Any:
        """Wrap `func`: what it returns becomes `Ok`, the named exceptions become `Err`."""
        if isinstance(func, classmethod | staticmethod):
            method = cast("classmethod[Any, ..., Any]", func)
            return type(method)(self._wrap(method.__func__))
        return self._wrap(func)

    def _wrap(self, func: Callable[..., Any]) -> Callable[..., Any]:
        check(func)
        if not is_async(func):
            raise TypeError(
                f"aio.safe wraps coroutine functions, not {name_of(func)}: use resultflow.safe"
            )
        kinds, into = self._kinds, self._into

        async def call(*args: object, **kwargs: object) -> Ok[Any] | Err[Any]:
            try:
                return Ok(await func(*args, **kwargs))
            except kinds as exc:
                if isinstance(exc, EarlyReturn):  # BaseException was named; this one is not meant
                    raise
                caught = exc
            return failed(caught, into)

        return dressed(call, func)


@overload
def safe(kind: type[X], /) -> Safe[X]: ...
@overload
def safe(kind1: type[X1], kind2: type[X2], /) -> Safe[X1 | X2]: ...
@overload
def safe(kind1: type[X1], kind2: type[X2], kind3: type[X3], /) -> Safe[X1 | X2 | X3]: ...
@overload
def safe(
    kind1: type[X1], kind2: type[X2], kind3: type[X3], kind4: type[X4], /
) -> Safe[X1 | X2 | X3 | X4]: ...
@overload
def safe(
    kind1: type[X1], kind2: type[X2], kind3: type[X3], kind4: type[X4], kind5: type[X5], /
) -> Safe[X1 | X2 | X3 | X4 | X5]: ...
@overload
def safe(
    kind1: type[X1],
    kind2: type[X2],
    kind3: type[X3],
    kind4: type[X4],
    kind5: type[X5],
    kind6: type[X6],
    /,
) -> Safe[X1 | X2 | X3 | X4 | X5 | X6]: ...
@overload
def safe(kind: type[X], other: type[X], /, *kinds: type[X]) -> Safe[X]: ...
@overload
def safe(kind1: type[X1], kind2: type[X2], /, *, into: Callable[[X1 | X2], F]) -> Safe[F]: ...
@overload
def safe(
    kind1: type[X1], kind2: type[X2], kind3: type[X3], /, *, into: Callable[[X1 | X2 | X3], F]
) -> Safe[F]: ...
@overload
def safe(*, into: Callable[[Exception], F]) -> Safe[F]: ...
@overload
def safe(*kinds: type[X], into: Callable[[X], F]) -> Safe[F]: ...
@overload
def safe(
    func: classmethod[C, P, Coroutine[Any, Any, T]], /
) -> classmethod[C, P, Coroutine[Any, Any, Ok[T] | Err[Exception]]]: ...
@overload
def safe(
    func: staticmethod[P, Coroutine[Any, Any, T]], /
) -> staticmethod[P, Coroutine[Any, Any, Ok[T] | Err[Exception]]]: ...
@overload
def safe(
    func: Callable[P, Coroutine[Any, Any, T]], /
) -> Callable[P, Coroutine[Any, Any, Ok[T] | Err[Exception]]]: ...
def safe(*kinds: Any, into: Callable[[Any], Any] | None = None) -> Any:
    """Return `Ok` of what a coroutine function returns, and `Err` of the exceptions named.

    It is `resultflow.safe` for `async def`: the exceptions are those that rise when the
    coroutine is awaited. A cancellation is a `BaseException` and passes.

    Raises:
        TypeError: at decoration, for what `resultflow.safe` refuses, and for functions that
            are no coroutine functions.

    >>> import asyncio
    >>> @safe(OSError, into=lambda exc: exc.strerror)
    ... async def read(path: str) -> str:
    ...     with open(path) as file:
    ...         return file.read()
    >>> asyncio.run(read("no/such/file"))
    Err('No such file or directory')

    .. versionadded:: 0.1.0
    """
    if len(kinds) == 1 and into is None and not isinstance(kinds[0], type):
        return Safe[Exception]((Exception,))(
            cast("Callable[..., Coroutine[Any, Any, Any]]", kinds[0])
        )
    return Safe(checked(kinds, into), into)


@overload
def do(
    func: classmethod[C, Concatenate[Bind[E], P], Coroutine[Any, Any, T]], /
) -> classmethod[C, P, Coroutine[Any, Any, Ok[T] | Err[E]]]: ...
@overload
def do(
    func: staticmethod[Concatenate[Bind[E], P], Coroutine[Any, Any, T]], /
) -> staticmethod[P, Coroutine[Any, Any, Ok[T] | Err[E]]]: ...
@overload
def do(
    func: Callable[Concatenate[Bind[E], P], Coroutine[Any, Any, T]], /
) -> Callable[P, Coroutine[Any, Any, Ok[T] | Err[E]]]: ...
@overload
def do(
    func: Callable[Concatenate[S, Bind[E], P], Coroutine[Any, Any, T]], /
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, Ok[T] | Err[E]]]: ...
def do(func: Any, /) -> Any:
    """Let a coroutine function leave early with an `Err`: `Ok` of what it returns, or that.

    It is `resultflow.do` for `async def`: await first, then bind. The token belongs to the
    task that runs the call; another task that the call starts returns its Result instead.

    Raises:
        TypeError: at decoration, when `func` has no parameter `bind: Bind[E]`, or is no
            coroutine function.
        RuntimeError: when the function swallowed the early return.

    >>> import asyncio
    >>> from resultflow import Result
    >>> async def ask(host: str) -> Result[int, str]:
    ...     return Ok(len(host)) if host else Err("no host")
    >>> @do
    ... async def both(bind: Bind[str], first: str, second: str) -> int:
    ...     return bind(await ask(first)) + bind(await ask(second))
    >>> asyncio.run(both("a", "bc")), asyncio.run(both("a", ""))
    (Ok(3), Err('no host'))

    .. versionadded:: 0.1.0
    """
    if isinstance(func, classmethod | staticmethod):
        method = cast("classmethod[Any, ..., Any]", func)
        return type(method)(do(method.__func__))
    position = position_of(func)
    if not inspect.iscoroutinefunction(func):
        raise TypeError(
            f"aio.do wraps coroutine functions, not {name_of(func)}: use resultflow.do"
        )

    async def call(*args: object, **kwargs: object) -> Ok[Any] | Err[Any]:
        token = Token()
        try:
            value = await func(*args[:position], token.bind, *args[position:], **kwargs)
        except EarlyReturn as exc:
            return token.outcome(exc)
        return Ok(value) if token.left is None else token.swallowed(func)

    return held(call, func)
