"""`@safe`: the exceptions that a function is known to raise become values."""

from __future__ import annotations

import functools
import inspect
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar, cast, get_overloads, overload

from resultflow._build import native
from resultflow._result import Err, Ok, err_with, name_of
from resultflow._trace import Cause, capture
from resultflow.errors import EarlyReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

__all__ = ["Safe", "safe"]

C = TypeVar("C")
P = ParamSpec("P")
T = TypeVar("T")
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
    """The decorator that `safe(...)` makes; `F` is the error type of its Results.

    >>> os_safe: Safe[OSError] = safe(OSError)
    >>> os_safe(open)("no/such/file").map_err(type)
    Err(<class 'FileNotFoundError'>)

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_into", "_kinds")

    def __init__(
        self, kinds: tuple[type[BaseException], ...], into: Callable[[Any], F_co] | None = None
    ) -> None:
        self._kinds = kinds
        self._into = into

    @overload
    def __call__(self, func: classmethod[C, P, T], /) -> classmethod[C, P, Ok[T] | Err[F_co]]: ...
    @overload
    def __call__(self, func: staticmethod[P, T], /) -> staticmethod[P, Ok[T] | Err[F_co]]: ...
    @overload
    def __call__(self, func: Callable[P, T], /) -> Callable[P, Ok[T] | Err[F_co]]: ...
    def __call__(self, func: Any, /) -> Any:
        """Wrap `func`: what it returns becomes `Ok`, the named exceptions become `Err`."""
        if isinstance(func, classmethod | staticmethod):
            method = cast("classmethod[Any, ..., Any]", func)
            return type(method)(self._wrap(method.__func__))
        return self._wrap(func)

    def _wrap(self, func: Callable[..., Any]) -> Callable[..., Any]:
        check(func)
        if is_async(func):
            raise TypeError(
                f"safe cannot wrap the coroutine function {name_of(func)}, which raises when it "
                "is awaited, not when it is called: use resultflow.aio.safe"
            )
        kinds, into = self._kinds, self._into
        if not TYPE_CHECKING and native:
            return dressed(native.safe(func, kinds, into), func)

        def call(*args: object, **kwargs: object) -> Ok[Any] | Err[Any]:
            try:
                return Ok(func(*args, **kwargs))
            except kinds as exc:
                if isinstance(exc, EarlyReturn):  # BaseException was named; this one is not meant
                    raise
                caught = exc
            return failed(caught, into)

        return dressed(call, func)


def dressed(call: Callable[P, T], func: Callable[..., object]) -> Callable[P, T]:
    """Give a wrapper the name, the documentation and the signature of what it wraps."""
    # The `__dict__` of a class or of an object that can be called is not for its wrapper.
    updated = ("__dict__",) if inspect.isfunction(func) else ()
    return functools.update_wrapper(call, func, updated=updated)


def failed(exc: BaseException, into: Callable[[Any], F] | None) -> Err[F]:
    """Make the `Err` of an exception that a wrapper one frame up has just caught."""
    traceback = exc.__traceback__
    return _failed_at(exc, traceback and traceback.tb_next, into)


def _failed_at(
    exc: BaseException, traceback: TracebackType | None, into: Callable[[Any], F] | None
) -> Err[F]:
    history = capture(exc, traceback)
    if into is None:
        return err_with(cast("F", exc), history)
    return err_with(into(exc), (history, Cause(exc)))


if not TYPE_CHECKING and native:
    native.adopt_call(_failed_at, EarlyReturn)


def check(func: Callable[..., Any]) -> None:
    """Refuse what cannot keep the promise, at decoration.

    Raises:
        TypeError: when `func` cannot be called, or is a generator function or the
            implementation of overloads.
    """
    if not callable(func):
        raise TypeError(
            f"safe cannot wrap {func!r}: it takes exception classes, as in @safe(OSError), "
            "or a function"
        )
    for made in (func, getattr(type(func), "__call__", None)):  # noqa: B004 - how, not whether
        if inspect.isgeneratorfunction(made) or inspect.isasyncgenfunction(made):
            raise TypeError(
                f"safe cannot wrap the generator function {name_of(func)}, which raises while it "
                "is iterated, not when it is called: wrap the function that consumes it"
            )
    if isinstance(func, FunctionType) and get_overloads(func) and not _is_defined(func):
        raise TypeError(
            f"safe cannot wrap the implementation of the overloaded {name_of(func)}: callers "
            "would still be shown its overloads, which return no Result; wrap a function that "
            "calls it"
        )


def is_async(func: object) -> bool:
    """Whether calling it makes a coroutine: a coroutine function, a partial or object of one."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(type(func), "__call__", None)  # noqa: B004 - how, not whether
    )


def _is_defined(func: FunctionType) -> bool:
    """Whether a function has its name already: it is called in place, not being decorated."""
    found: object = sys.modules.get(func.__module__)
    for name in func.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is func


@overload
def safe(kind: type[X], /) -> Safe[X]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]  # a class is callable too
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
def safe(func: classmethod[C, P, T], /) -> classmethod[C, P, Ok[T] | Err[Exception]]: ...
@overload
def safe(func: staticmethod[P, T], /) -> staticmethod[P, Ok[T] | Err[Exception]]: ...
@overload
def safe(func: Callable[P, T], /) -> Callable[P, Ok[T] | Err[Exception]]: ...
def safe(*kinds: Any, into: Callable[[Any], Any] | None = None) -> Any:
    """Return `Ok` of what a function returns, and `Err` of the exceptions named.

    Anything else that it raises is a bug, and propagates. The exception in an `Err` has no
    traceback (it would keep every local alive); the `Err` has a trace of the same places.

    Args:
        *kinds: the exception classes that are expected failures. Bare `@safe` means
            `Exception`; a `BaseException` such as `SystemExit` is caught only when named.
        into: makes the caller's own error out of the exception, which stays visible in the
            report as its cause.

    Raises:
        TypeError: at decoration, for something that is neither an exception class nor
            callable, and for generator functions, coroutine functions (for which there is
            `resultflow.aio.safe`) and implementations of overloads, whose exceptions or types
            it could not honour.

    >>> @safe(ValueError)
    ... def port(text: str) -> int:
    ...     return int(text)
    >>> port("80")
    Ok(80)
    >>> port("http")
    Err(ValueError("invalid literal for int() with base 10: 'http'"))
    >>> safe(OSError, into=lambda exc: exc.strerror)(open)("no/such/file")
    Err('No such file or directory')

    .. versionadded:: 0.1.0
    """
    if len(kinds) == 1 and into is None and not isinstance(kinds[0], type):
        return Safe[Exception]((Exception,))(cast("Callable[..., Any]", kinds[0]))
    return Safe(checked(kinds, into), into)


def checked(kinds: tuple[object, ...], into: object) -> tuple[type[BaseException], ...]:
    """Refuse what are no exception classes; nothing named, but `into=`, means `Exception`."""
    if not kinds and into is None:
        raise TypeError("safe() names no exception: write @safe(OSError), or @safe with no call")
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(
                f"safe takes exception classes, not {kind!r}: write safe(OSError)(function)"
            )
    return cast("tuple[type[BaseException], ...]", kinds) or (Exception,)
