"""Retry functions that return Results, by the library `stamina`: by error class, never on bugs.

`retry` is `stamina.retry` for errors that are values. What calls again, waits and tells its
hooks is stamina itself, so `stamina.set_active`, `stamina.set_testing` and
`stamina.instrumentation` work here too.

>>> from resultflow import Err, Ok, Result
>>> answers = iter([Err("busy"), Err("busy"), Ok(3)])
>>> @retry(on=str, wait_initial=0, wait_jitter=0)
... def ask() -> Result[int, str]:
...     return next(answers)
>>> ask()
Ok(3)
"""

from __future__ import annotations

import inspect
import math
import threading
from collections import deque
from datetime import timedelta
from functools import cache, partial
from typing import (
    TYPE_CHECKING,
    Final,
    ParamSpec,
    TypedDict,
    TypeVar,
    cast,
    get_origin,
    overload,
)

import stamina

from resultflow._result import Err, Ok, ResultBase, extended
from resultflow._safe import dressed, is_async
from resultflow._trace import Context, Suppressed
from resultflow.errors import EarlyReturn
from resultflow.resource import attach, checked, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from types import TracebackType
    from typing import Any, Never, TypeAlias

    _Seconds: TypeAlias = float | timedelta

__all__ = ["ErrReturned", "Retry", "retry"]

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")

_KEPT: Final = 10
"""How many errors of a call are kept, the last included: attempts may be without number."""


class ErrReturned(Exception):  # noqa: N818 - not an error of the program, but the bearer of one
    """What stamina's hooks see as `details.caused_by`: an `Err` after which a retry follows.

    Its class is one of its own, named after the class of the error: logs and metrics tell
    exceptions apart by the names of their classes.

    Attributes:
        err: the `Err`.
        verdict: what `on` said of it: True, or the seconds to wait.

    >>> from stamina.instrumentation import set_on_retry_hooks
    >>> seen = []
    >>> set_on_retry_hooks([lambda details: seen.append(details.caused_by)])
    >>> answers = iter([Err(KeyError("a")), Ok(3)])
    >>> retry(on=KeyError, wait_initial=0, wait_jitter=0)(lambda: next(answers))()
    Ok(3)
    >>> [(cause.err, type(cause).__name__) for cause in seen]
    [(Err(KeyError('a')), 'KeyError')]
    >>> set_on_retry_hooks(None)

    .. versionadded:: 0.1.0
    """

    def __init__(self, err: Err[object], verdict: bool | _Seconds) -> None:  # noqa: FBT001 - stamina's
        super().__init__(err, verdict)
        self.err = err
        self.verdict = verdict

    def __str__(self) -> str:
        return str(self.err.report())

    def __repr__(self) -> str:
        return repr(self.err)


@cache
def _named_after(kind: type) -> type[ErrReturned]:
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (ErrReturned,), names)


class _Options(TypedDict):
    attempts: int | None
    timeout: float | None
    wait_initial: float
    wait_max: float
    wait_jitter: float
    wait_exp_base: float


class Retry:
    """The decorator that `retry(...)` makes.

    >>> patient: Retry = retry(on=OSError)
    >>> patient(lambda: Err(KeyError("a")))()
    Err(KeyError('a'))

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_judge", "_options")

    def __init__(self, judge: Callable[[Any], bool | _Seconds], options: _Options) -> None:
        self._judge = judge
        self._options = options

    @overload
    def __call__(self, func: Callable[P, ResultBase[T, E]], /) -> Callable[P, Ok[T] | Err[E]]: ...
    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, ResultBase[T, E]]], /
    ) -> Callable[P, Coroutine[Any, Any, Ok[T] | Err[E]]]: ...
    def __call__(self, func: Any, /) -> Any:
        """Wrap `func`: it is called again while it gives an `Err` that `on` names."""
        if not callable(func) or isinstance(func, staticmethod):
            raise TypeError(
                f"retry wraps functions, not {func!r}: put @retry(...) right above the def, "
                "below @classmethod or @staticmethod"
            )
        return dressed(self._async(func) if is_async(func) else self._sync(func), func)

    def _sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            tries = _Tries(func, self._judge)

            def attempt(*args: object, **kwargs: object) -> None:
                try:
                    made = func(*args, **kwargs)
                except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                    tries.raised(exc)
                else:
                    tries.gave(made)

            with tries:
                self._by_stamina(attempt, func)(*args, **kwargs)
            return tries.outcome()

        return call

    def _async(self, func: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: object, **kwargs: object) -> object:
            tries = _Tries(func, self._judge)

            async def attempt(*args: object, **kwargs: object) -> None:
                try:
                    made = await func(*args, **kwargs)
                except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                    tries.raised(exc)
                else:
                    tries.gave(made)

            with tries:
                await self._by_stamina(attempt, func)(*args, **kwargs)
            return tries.outcome()

        return call

    def _by_stamina(self, attempt: Callable[P, T], func: Callable[..., Any]) -> Callable[P, T]:
        """Have stamina repeat one call's attempts, under the name of the function.

        Once for each call, since stamina (26.1) keeps the context managers of its hooks in one
        list for all the calls of what it decorates.
        """
        named = _named(func)
        attempt.__qualname__ = label_of(named)
        attempt.__module__ = getattr(named, "__module__", None) or "<unknown>"
        return stamina.retry(on=_verdict, **self._options)(attempt)


def _named(func: object) -> object:
    """Look into a `partial`: hooks count calls by name, and its own shows what it was given."""
    while isinstance(func, partial):
        func = cast("partial[object]", func).func
    return func


def _verdict(exc: Exception) -> bool | _Seconds:
    return exc.verdict if isinstance(exc, ErrReturned) else False


class _Tries:
    """One call of a function, attempt by attempt.

    What the function raises never enters stamina, in whose loops a `StopIteration` and a
    `StopAsyncIteration` have a meaning of their own.
    """

    def __init__(self, func: Callable[..., Any], judge: Callable[[Any], bool | _Seconds]) -> None:
        self._func = func
        self._judge = judge
        self._number = 0
        self._failed: deque[Suppressed] = deque(maxlen=_KEPT)
        self._last: ResultBase[object, object] | None = None
        self._bug: BaseException | None = None

    def raised(self, exc: BaseException) -> None:
        """Note what the function raised: the end, and for stamina no failure."""
        self._bug = exc

    def gave(self, made: object) -> None:
        """Note what the function gave; raise `ErrReturned` where it is to be called again."""
        try:
            _refuse_coroutine(made, self._func)
            self._last = checked(made, self._func)
            self._number += 1
            verdict = isinstance(self._last, Err) and self._verdict_on(self._last)
        except BaseException as exc:  # noqa: BLE001 - as what the function raises
            self.raised(exc)
        else:
            if verdict is not False:
                err = cast("Err[object]", self._last)
                kind: type = type(err.error)
                raise _named_after(kind)(err, verdict)

    def _verdict_on(self, err: Err[Any]) -> bool | float:
        label = f"attempt {self._number} of {label_of(_named(self._func))}"
        self._failed.append(Suppressed(err, label))
        verdict = self._judge(err.error)
        if isinstance(verdict, bool):
            return verdict
        if isinstance(verdict, float | int | timedelta):
            return _seconds("on", verdict)
        raise TypeError(
            f"on={label_of(self._judge)} must give True, False or the seconds to wait, not "
            f"{verdict!r}: it says whether to try again after {err.error!r}"
        )

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Keep the last `Err`, which stamina raised; what else comes out hides no error."""
        if isinstance(exc, ErrReturned) and exc.err is self._last:
            return True
        if exc is not None:
            _put_on(exc, self._failed)
        return False

    def outcome(self) -> ResultBase[object, object]:
        """Give what the last attempt gave, or raise what it raised."""
        if self._bug is not None:
            bug, self._bug = self._bug, None
            _put_on(bug, self._failed)
            try:
                raise bug
            finally:
                del bug  # its traceback holds this frame
        last = cast("ResultBase[object, object]", self._last)
        if isinstance(last, Err) and self._number > 1:
            *earlier, now = self._failed
            return extended(last, Context(f"in {now.label}"), *earlier)
        return last


def _refuse_coroutine(made: object, maker: object) -> None:
    if inspect.iscoroutine(made):
        made.close()
        raise TypeError(
            f"{label_of(maker)} gave a coroutine, and is no coroutine function: give retry one "
            "that is made by 'async def'"
        )


def _put_on(exc: BaseException, failed: Iterable[Suppressed]) -> None:
    """Put on an exception the errors of the attempts before it, which it would hide."""
    if isinstance(exc, EarlyReturn):
        exc.err = extended(cast("Err[object]", exc.err), *failed)
    else:
        attach(exc, list(failed))


def retry(  # noqa: PLR0913 - those of stamina.retry
    *,
    on: type[object] | tuple[type[object], ...] | Callable[[Never], bool | float | timedelta],
    attempts: int | None = 10,
    timeout: float | timedelta | None = 45.0,
    wait_initial: float | timedelta = 0.1,
    wait_max: float | timedelta = 5.0,
    wait_jitter: float | timedelta = 1.0,
    wait_exp_base: float = 2,
) -> Retry:
    """Call a function again after an `Err` that `on` names; `Ok` and any other `Err` are final.

    The function is a plain one or a coroutine function (asyncio and trio). What it raises is a
    bug and propagates at once, whatever `on` names: expected failures are values here, and
    `safe` makes values of the exceptions that are expected.

    When there are no more attempts, or the time is over, the last `Err` comes back. If it was
    not the first, its report says at which attempt it came, and the errors of the attempts
    before it (the latest nine) are `suppressed` on it, as they are on an exception that ends
    the attempts. An `Ok` leaves nothing behind of what went before it; stamina's hooks have
    seen it all.

    Args:
        on: the classes of the errors after which the function is called again: one, a tuple,
            or a function that is given the error and says whether. That one may also give the
            seconds to wait, for an error that knows them, which `wait_max` and `timeout` do not
            limit. There is no default: to retry what cannot get better only takes time.
        attempts: how many calls there may be in all; `None`: any number.
        timeout: an attempt that fails so many seconds after the first began, or later, is the
            last; `None`: none is. It cuts no attempt short.
        wait_initial: seconds before the second attempt. The wait doubles each time.
        wait_max: the most seconds to wait between two attempts.
        wait_jitter: up to so many seconds, at random, are added to each wait.
        wait_exp_base: what the wait is multiplied by each time, in place of 2.

    Raises:
        TypeError: when `on` names no error; at decoration, for what is no function; at the
            call, when the function gives no Result, or `on` neither a bool nor seconds.
        ValueError: when an option is out of its range.

    >>> attempts = []
    >>> @retry(on=OSError, attempts=3, wait_initial=0, wait_jitter=0)
    ... def connect() -> Result[int, OSError]:
    ...     attempts.append("connect")
    ...     return Err(TimeoutError(len(attempts)))
    >>> failed = connect()
    >>> failed, failed.suppressed
    (Err(TimeoutError(3)), (Err(TimeoutError(1)), Err(TimeoutError(2))))
    >>> failed.report().context
    ('in attempt 3 of connect',)

    .. versionadded:: 0.1.0
    """
    if not (attempts is None or (type(attempts) is int and attempts > 0)):
        raise ValueError(
            f"attempts={attempts!r} is no number of calls: give 1 or more, or None for any number"
        )
    if timeout is not None and not (timeout := _seconds("timeout", timeout)):
        raise ValueError("timeout=0 leaves no time for a retry: use attempts=1, or None")
    if not (_is_number(wait_exp_base) and 0 < wait_exp_base < math.inf):
        raise ValueError(f"wait_exp_base={wait_exp_base!r} is no factor: give a number above 0")
    return Retry(
        _judge_of(on),
        _Options(
            attempts=attempts,
            timeout=timeout,
            wait_initial=_seconds("wait_initial", wait_initial),
            wait_max=_seconds("wait_max", wait_max),
            wait_jitter=_seconds("wait_jitter", wait_jitter),
            wait_exp_base=wait_exp_base,
        ),
    )


def _judge_of(on: object) -> Callable[[Any], bool | _Seconds]:
    # `A[int]` can be called, and is no class.
    if callable(on) and not isinstance(on, type) and get_origin(on) is None:
        return cast("Callable[[Any], bool | _Seconds]", on)
    kinds = cast("tuple[object, ...]", on if isinstance(on, tuple) else (on,))
    if kinds and all(map(_is_kind, kinds)):
        return lambda error: isinstance(error, cast("tuple[type, ...]", kinds))
    raise TypeError(
        f"on={on!r} names no error: give the class of the errors to try again after, a tuple of "
        "such classes, or a function that takes an error"
    )


def _is_kind(given: object) -> bool:
    if not isinstance(given, type) or issubclass(given, ResultBase):
        return False
    try:
        isinstance(None, given)
    except TypeError:  # `Any`, a TypedDict, a protocol that is for checkers alone
        return False
    return True


def _seconds(name: str, given: float | timedelta) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if _is_number(seconds) and 0 <= seconds < threading.TIMEOUT_MAX:
        return seconds
    raise ValueError(f"{name}={given!r} is no time to wait: give seconds, 0 or more")


def _is_number(given: object) -> bool:
    return isinstance(given, float | int) and not isinstance(given, bool)
