"""The asynchronous forms, under the same names: `aio.safe`, `aio.do`, `aio.Resource`, `aio.run`.

`safe` and `do` work on every event loop, since they only await; the others work on asyncio and
trio, through anyio (`pip install resultflow[async]`). Importing this loads none of the three.

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
import signal
import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from resultflow import _signals
from resultflow import resource as sync
from resultflow._do import Token, held, position_of
from resultflow._result import Err, Ok, ResultBase, err_with, extended, name_of
from resultflow._safe import check, checked, dressed, failed, is_async
from resultflow._shield import Cut, closing, cut_short, is_trio, limited, shielded
from resultflow._trace import Suppressed, chain, frames_of, set_context
from resultflow.errors import EarlyReturn, ReleaseFailed, ReleaseTimedOut, TimedOut
from resultflow.exits import Cancelled, Failed, Succeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Any, Literal, Never, Protocol, TypeAlias

    from anyio import CancelScope

    from resultflow._do import Bind
    from resultflow._result import Result
    from resultflow._trace import History
    from resultflow.exits import Exit

    class _Closable(Protocol):
        async def aclose(self) -> object: ...


__all__ = ["Close", "Resource", "Safe", "do", "gather", "race", "run", "safe", "timeout"]

C = TypeVar("C")
P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")
A = TypeVar("A", bound="_Closable")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
E1 = TypeVar("E1")
E2 = TypeVar("E2")
E3 = TypeVar("E3")
E4 = TypeVar("E4")
E5 = TypeVar("E5")
E6 = TypeVar("E6")
E7 = TypeVar("E7")
E8 = TypeVar("E8")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
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

    return held(call, func, position)


_Any: TypeAlias = "Resource[T, E] | sync.Resource[T, E]"


class Resource(Generic[T_co, E_co]):
    """How to acquire a value and how to release it, with coroutine functions.

    It is `resultflow.Resource` for `async def`, on asyncio and trio, with the same promises; and
    where the methods here take a resource they take a synchronous one as well, whose functions
    run in the task, as they are. Acquire and release are shielded: a cancellation that comes
    meanwhile is raised before the body begins, or after the last release. A timeout that an
    acquire or a release sets for itself works as ever.

    The releases of a scope that was cancelled see `Cancelled`. What fails then is put on the
    cancellation, as on any exception; `gather`, `race`, `timeout` and `run` look there, but
    another library's timeout or cancel scope swallows a cancellation with all that is on it.

    Under `aio.run` no signal interrupts the event loop. Without it: `asyncio.run` makes of the
    first Ctrl-C a cancellation; the second one is raised in the loop's own code, and nothing
    can be promised then.

    >>> import asyncio
    >>> from resultflow import Result
    >>> def connect(name: str) -> Resource[str, str]:
    ...     async def acquire() -> Result[str, str]:
    ...         return Err("no route") if name == "moon" else Ok(name)
    ...
    ...     async def release(name: str, exit: object) -> None:
    ...         print("close", name)
    ...
    ...     return Resource.make(acquire, release)
    >>> async def join(pair: tuple[str, str]) -> Result[str, str]:
    ...     return Ok("+".join(pair))
    >>> asyncio.run(connect("a").both(connect("b")).use(join))
    close b
    close a
    Ok('a+b')

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_node",)

    def __init__(self, node: sync.Node) -> None:
        self._node = node

    # Making

    @overload
    @staticmethod
    def make(
        acquire: Callable[[], Awaitable[ResultBase[T, E]]],
        release: Callable[[T, Exit], Awaitable[ResultBase[object, R]]],
    ) -> Resource[T, E | ReleaseFailed[R]]: ...
    @overload
    @staticmethod
    def make(
        acquire: Callable[[], Awaitable[ResultBase[T, E]]],
        release: Callable[[T, Exit], Awaitable[None]],
    ) -> Resource[T, E]: ...
    @staticmethod
    def make(
        acquire: Callable[[], Awaitable[ResultBase[T, E]]],
        release: Callable[[T, Exit], Awaitable[object]],
    ) -> Resource[T, Any]:
        """Describe a resource by two coroutine functions, as `resultflow.Resource.make` does.

        Raises:
            TypeError: when one of the two is not callable.

        .. versionadded:: 0.1.0
        """
        return Resource(_make_node(acquire, release, sync.label_of(release)))

    @staticmethod
    def of(resource: sync.Resource[T, E]) -> Resource[T, E]:
        """Use a synchronous resource where an asynchronous one is asked for.

        >>> import asyncio, resultflow
        >>> async def body(n: int) -> Result[int, str]:
        ...     return Ok(n + 1)
        >>> asyncio.run(Resource.of(resultflow.Resource.pure(3)).use(body))
        Ok(4)

        .. versionadded:: 0.1.0
        """
        return Resource(sync.node_of(resource, "of() takes"))

    @staticmethod
    def pure(value: T) -> Resource[T, Never]:
        """Give a value that needs no release the shape of a resource.

        .. versionadded:: 0.1.0
        """
        return Resource.of(sync.Resource.pure(value))

    @staticmethod
    def closing(acquire: Callable[[], Awaitable[ResultBase[A, E]]]) -> Resource[A, E]:
        """Release by the value's own `aclose()`.

        .. versionadded:: 0.1.0
        """

        async def aclose(value: _Closable, exit: Exit) -> None:  # noqa: A002, ARG001 - Release's shape
            await value.aclose()

        return Resource(_make_node(acquire, aclose, f"{sync.label_of(acquire)}.aclose"))

    @staticmethod
    def from_context_manager(
        factory: Callable[[], AbstractAsyncContextManager[T, Any]],
    ) -> Resource[T, Never]:
        """Use an asynchronous context manager: `__aenter__` acquires, `__aexit__` releases.

        Both run in the task that uses the resource, so a task group will do as well, and neither
        is shielded, since a shield is a cancel scope, which the manager's own could not outlive:
        as in `async with`, a manager has to see to cancellation itself. Otherwise it is
        `resultflow.Resource.from_context_manager`.

        Raises:
            TypeError: when the manager is a generator with a bare `yield`.

        >>> import asyncio
        >>> from contextlib import nullcontext
        >>> async def body(n: int) -> Result[int, str]:
        ...     return Ok(n + 1)
        >>> asyncio.run(Resource.from_context_manager(lambda: nullcontext(3)).use(body))
        Ok(4)

        .. versionadded:: 0.1.0
        """
        sync.check_callable(factory, "factory")
        sync.refuse_bare_yield(factory)

        async def acquire() -> Ok[tuple[AbstractAsyncContextManager[T, Any], T]]:
            manager = factory()
            sync.refuse_bare_yield(manager)
            return Ok((manager, await manager.__aenter__()))

        async def release(
            held: tuple[AbstractAsyncContextManager[T, Any], T],
            exit: Exit,  # noqa: A002 - Release's shape
        ) -> None:
            await held[0].__aexit__(*sync.exc_info_of(exit))

        source: Resource[Any, Never] = Resource(
            _make_node(acquire, release, f"{sync.label_of(factory)}.__aexit__")._replace(
                is_manager=True
            )
        )
        return source.map(sync.second)

    # Composing

    def map(self, f: Callable[[T_co], U]) -> Resource[U, E_co]:
        """Change the value that the body sees; the release still gets the original.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.map_node(self._node, f))

    def and_then(self, f: Callable[[T_co], _Any[U, F]]) -> Resource[U, E_co | F]:
        """Acquire this, then the resource that `f` makes of its value; release in reverse.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.chain_node(self._node, f, _node_of))

    def both(self, other: _Any[U, F]) -> Resource[tuple[T_co, U], E_co | F]:
        """Acquire this, then `other`; the body sees both values.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.both_node(self._node, _node_of(other, "both() takes")))

    @overload
    @staticmethod
    def all_of(resources: Iterable[_Any[T, E]], /) -> Resource[list[T], E]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        /,
    ) -> Resource[tuple[T1, T2], E1 | E2]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        /,
    ) -> Resource[tuple[T1, T2, T3], E1 | E2 | E3]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        resource4: _Any[T4, E4],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4], E1 | E2 | E3 | E4]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        resource4: _Any[T4, E4],
        resource5: _Any[T5, E5],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5], E1 | E2 | E3 | E4 | E5]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        resource4: _Any[T4, E4],
        resource5: _Any[T5, E5],
        resource6: _Any[T6, E6],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5, T6], E1 | E2 | E3 | E4 | E5 | E6]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        resource4: _Any[T4, E4],
        resource5: _Any[T5, E5],
        resource6: _Any[T6, E6],
        resource7: _Any[T7, E7],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5, T6, T7], E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: _Any[T1, E1],
        resource2: _Any[T2, E2],
        resource3: _Any[T3, E3],
        resource4: _Any[T4, E4],
        resource5: _Any[T5, E5],
        resource6: _Any[T6, E6],
        resource7: _Any[T7, E7],
        resource8: _Any[T8, E8],
        /,
    ) -> Resource[
        tuple[T1, T2, T3, T4, T5, T6, T7, T8], E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8
    ]: ...
    @staticmethod
    def all_of(*resources: Any) -> Resource[Any, Any]:
        """Acquire each in order, release in reverse, as `resultflow.Resource.all_of` does.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.all_node(resources, _node_of))

    def attempt(self) -> Resource[Ok[T_co] | Err[E_co], ReleaseFailed[object]]:
        """Give the body the Result of the acquire, as `resultflow.Resource.attempt` does.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.attempt_node(self._node))

    @overload
    def on_exit(
        self, f: Callable[[Exit], Awaitable[ResultBase[object, R]]]
    ) -> Resource[T_co, E_co | ReleaseFailed[R]]: ...
    @overload
    def on_exit(self, f: Callable[[Exit], Awaitable[None]]) -> Resource[T_co, E_co]: ...
    def on_exit(self, f: Callable[[Exit], Awaitable[object]]) -> Resource[T_co, Any]:
        """Call `f` after the release, however the scope ended; also when the acquire failed.

        .. versionadded:: 0.1.0
        """

        async def acquire() -> Ok[None]:
            return Ok(None)

        async def release(_: None, exit: Exit) -> object:  # noqa: A002 - Release's shape
            return await f(exit)

        sync.check_callable(f, "what on_exit() is given")
        node = _make_node(acquire, release, sync.label_of(f))
        return Resource(sync.map_node(sync.both_node(node, self._node), sync.second))

    def release_within(
        self, seconds: float
    ) -> Resource[T_co, E_co | ReleaseFailed[ReleaseTimedOut]]:
        """Give each release of this resource `seconds`; one that takes longer is cancelled.

        The other releases still run, and the failure, `ReleaseTimedOut`, says which one hung and
        where. A release that does not heed the cancellation is waited for; a synchronous one
        holds the loop up for so long. The exit of an asynchronous context manager has no deadline:
        it is not shielded, so a timeout around it will do.

        Raises:
            ValueError: when `seconds` is no time to wait.

        .. versionadded:: 0.1.0
        """
        return Resource(sync.within_node(self._node, seconds))

    # Using

    @_signals.critical
    async def use(
        self, body: Callable[[T_co], Awaitable[ResultBase[U, F]]]
    ) -> Ok[U] | Err[E_co | F]:
        """Acquire, run `body` on the value, release; give what `body` gave.

        `Ok`: what `body` returned, when every release went well. `Err`: that of the acquire
        which failed, or of the body with failed releases `suppressed` on it, or
        `ReleaseFailed` when only releases failed.

        Raises:
            TypeError: when `body` is not callable; when it returns no Result, after the releases.

        .. versionadded:: 0.1.0
        """
        sync.check_callable(body, "the body that use() is given")
        scope = _Scope()
        outcome: Ok[U] | Err[E_co | F]
        try:
            _signals.enter(scope)
            acquired = await scope.acquire_all(self._node)
            if isinstance(acquired, Ok):
                await _run_body(body, acquired.value, scope.outcome)
                sync.check_result(scope.outcome[0], body)
            outcome = await scope.close()
        except BaseException as exc:
            await scope.give_up(exc)
            raise
        finally:
            scope.end(_signals.caller(1))
        return outcome

    def open(self) -> AbstractAsyncContextManager[T_co, None]:
        """Acquire for an `async with` block; release when it ends, however it ends.

        Prefer `use`, as with `resultflow.Resource.open`.

        Raises:
            UnwrapError: from the `async with` statement, when the acquire gave an `Err` (which
                it reports), or when only releases failed.

        .. versionadded:: 0.1.0
        """
        return _Opened(self._node)

    @_signals.critical
    async def allocated(self) -> Ok[tuple[T_co, Close]] | Err[E_co]:
        """Acquire, and give the value with the coroutine function that releases; or the `Err`.

        It is for frameworks with a start and a stop. What is still open when the interpreter
        ends cannot be released: there is no loop any more.

        .. versionadded:: 0.1.0
        """
        scope = _Scope()
        frame = _signals.caller(1)
        outcome: Err[E_co]
        try:
            _signals.enter(scope)
            acquired = await scope.acquire_all(self._node)
            if isinstance(acquired, Ok):
                await _checkpoint()
                kept = Ok((acquired.value, Close(scope)))
                # Last, since what the handlers raise has to release.
                _signals.deliver(frame)
                _signals.leave(scope, frame)
                return kept
            outcome = await scope.close()
        except BaseException as exc:
            await scope.give_up(exc)
            scope.end(frame)
            raise
        scope.end(frame)
        return outcome


class Close:
    """What `aio.Resource.allocated` gives to release by: exactly once, from any task of its loop.

    A second call waits for the first, and has nothing left to do: it gives `Ok(None)`.

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_lock", "_scope")

    def __init__(self, scope: _Scope) -> None:
        import anyio

        self._scope = scope
        self._lock = anyio.Lock()

    @_signals.critical
    async def __call__(self, exit: Exit = Succeeded(None)) -> Result[None, ReleaseFailed[object]]:  # noqa: A002, B008 - the public word; it never changes
        """Release, telling the releases how it ended.

        Args:
            exit: what they are given; by default `Succeeded(None)`.

        Raises:
            TypeError: when `exit` is not one of the four that there are.
            BaseException: what a release raised, as from `Resource.use`.
        """
        sync.check_exit(exit)
        scope = self._scope
        user = _Scope()  # several tasks may be in here
        outcome: Result[None, ReleaseFailed[object]]
        try:
            _signals.enter(user)
            async with self._lock:
                try:
                    scope.outcome[:] = [Ok(None)]
                    outcome = await scope.close(exit)
                except BaseException as exc:
                    await scope.give_up(exc)
                    raise
        finally:
            user.end(_signals.caller(1))
        return outcome


class _Scope(sync.Scope):
    """One run of acquire, body and release, in a task."""

    __slots__ = ("_instead",)

    def __init__(self) -> None:
        super().__init__()
        self._instead: BaseException | None = None

    @_signals.critical
    async def acquire_all(self, node: sync.Node) -> ResultBase[Any, Any]:
        """Walk the tree, as `sync.Scope.acquire` does."""
        walk = sync.Walk()
        while True:
            leaf = walk.descend(node, len(self._held))
            if isinstance(leaf, sync.Make):
                self.expect(leaf, walk.deadline)
                if leaf.is_manager:
                    self._held.append(await leaf.acquire())
                elif leaf.is_async:
                    await shielded(self._acquire(leaf))
                    if len(self._held) != len(self._leaves):
                        await _checkpoint()
                        msg = f"{leaf.label} was cut short in its acquire"
                        raise RuntimeError(msg)
                else:
                    self._held.append(leaf.acquire())
                result = self._held[-1]
                if not isinstance(result, Ok):
                    mark = self.refused(leaf, walk)
                    if mark is None:
                        return result
                    await self.release_all(Failed(cast("Err[Any]", result).error), mark)
                    result = self.attempted()
                value = result.value
            else:
                value = leaf.value
            if not walk.todo:
                return Ok(value)
            node = walk.ascend(value)

    @_signals.critical
    async def _acquire(self, leaf: sync.Make) -> None:
        made = await limited(leaf.acquire(), float("inf"))
        if not isinstance(made, Cut):
            self._held.append(made)

    @_signals.critical
    async def release_all(self, exit: Exit, mark: int = 0) -> None:  # noqa: A002 - the public word
        """Release what is held, down to `mark`, and note what fails."""
        _signals.gate()
        held = self._held
        if self.is_of_parent():
            held.clear()
        while len(held) > mark:
            if self._leaves[len(held) - 1][0].is_manager:
                await self._release_last(exit)
            else:
                await shielded(self._release_run(exit, mark))

    @_signals.critical
    async def _release_run(self, exit: Exit, mark: int) -> None:  # noqa: A002 - the public word
        held = self._held
        while len(held) > mark and not self._leaves[len(held) - 1][0].is_manager:
            await self._release_last(exit)

    @_signals.critical
    async def _release_last(self, exit: Exit) -> None:  # noqa: A002 - the public word
        leaf, deadline = self._leaves[len(self._held) - 1]
        if not leaf.is_async or not isinstance(self._held[-1], Ok):
            self.release(exit, len(self._held) - 1)
            return
        value = cast("Ok[Any]", self._held.pop()).value
        self._releasing = leaf.label
        began = monotonic()
        made: object
        try:
            releasing = cast("Coroutine[Any, Any, object]", leaf.release(value, exit))
            if leaf.is_manager:
                made = await releasing
            else:
                made = await limited(releasing, deadline or float("inf"))
        except BaseException as exc:  # noqa: BLE001 - kept, and the others still run
            closed = closing(exc)
            if closed is not None:
                cut = RuntimeError("the event loop was closed before the release had ended")
                self._failures.append((leaf.label, cut))
                raise closed from None
            self._failures.append((leaf.label, sync.without_first_frame(exc)))
            if leaf.is_manager and isinstance(exit, Cancelled):
                self._instead = exc
        else:
            if isinstance(made, Cut):
                late = ReleaseTimedOut(leaf.label, deadline or monotonic() - began)
                made = err_with(late, chain(None, made.where))
            if isinstance(made, Err):
                self._failures.append((leaf.label, cast("Err[object]", made)))
        self._releasing = None

    @_signals.critical
    async def close(self, exit: Exit | None = None) -> Any:  # noqa: A002, ANN401 - the public word; typed where it is returned
        """Release after a Result, and tell what the scope gives."""
        await self.release_all(exit or self.ended())
        return self.settled()

    @_signals.critical
    async def give_up(self, exc: BaseException) -> None:
        """Release what is left after an exception, and put on it what failed."""
        if isinstance(exc, GeneratorExit):
            self._release_without_loop(exc)
            return
        try:
            await self.release_all(sync.exit_of(exc))
        except BaseException as later:
            # A cancellation that came meanwhile: one exception leaves the task already.
            if not isinstance(sync.exit_of(later), Cancelled):
                raise  # pragma: no cover (the other ones are kept, one by one)
            if isinstance(exc, Exception):
                # Or who asked for it would wait for ever: a timeout around a retry.
                self.attach(later)
                raise
        if self._instead is not None:
            # A task group has taken the cancellation for its own, and says why it asked for it.
            instead, self._instead = self._instead, None
            self.attach(instead)
            try:
                raise instead
            finally:
                del instead  # its traceback holds this frame
        self.attach(exc)

    @_signals.critical
    def _release_without_loop(self, exc: GeneratorExit) -> None:
        """Release what does not have to await, where the loop was closed under its task."""
        exit = sync.exit_of(exc)  # noqa: A001 - the public word
        while self._held:
            leaf, _ = self._leaves[len(self._held) - 1]
            if not leaf.is_async or not isinstance(self._held[-1], Ok):
                self.release(exit, len(self._held) - 1)
                continue
            value = cast("Ok[Any]", self._held.pop()).value
            releasing = cast("Coroutine[Any, Any, object]", leaf.release(value, exit))
            try:
                releasing.send(None)
            except StopIteration as stop:
                given: object = stop.value
                if isinstance(given, Err):
                    self._failures.append((leaf.label, cast("Err[object]", given)))
            except BaseException as failure:  # noqa: BLE001 - kept, and the others still run
                self._failures.append((leaf.label, failure))
            else:
                releasing.close()
                cut = RuntimeError("the event loop was closed before the release could await")
                self._failures.append((leaf.label, cut))
        # Whoever closes a coroutine swallows its GeneratorExit, with all that is put on it.
        self.outcome[:] = [Ok(None)]
        self.unwrap(self.settled())


class _Opened(Generic[T_co]):
    """The context manager that `Resource.open` gives."""

    __slots__ = ("_node", "_scope")

    def __init__(self, node: sync.Node) -> None:
        self._node = node
        self._scope: _Scope | None = None

    @_signals.critical
    async def __aenter__(self) -> T_co:
        if self._scope is not None:
            msg = "this open() is in use already: call open() again for another scope"
            raise RuntimeError(msg)
        scope = _Scope()
        frame = _signals.caller(1)
        try:
            _signals.enter(scope)
            acquired = await scope.acquire_all(self._node)
            if isinstance(acquired, Err):
                scope.unwrap(await scope.close())
            await _checkpoint()
            self._scope = scope
            value: T_co = cast("Ok[T_co]", acquired).value
            # A handler that waited runs here, where what it raises still releases.
            _signals.deliver(frame)
        except BaseException as exc:
            self._scope = None
            await scope.give_up(exc)
            scope.end(frame)
            raise
        return value

    @_signals.critical
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope = self._scope
        if scope is None:
            msg = "this open() is not in use: it is left before it was entered, or twice"
            raise RuntimeError(msg)
        try:
            if exc is None:
                scope.outcome.append(Ok(None))
                scope.unwrap(await scope.close())
            else:
                await scope.give_up(exc)
        except BaseException as new:
            await scope.give_up(new)
            raise
        finally:
            self._scope = None
            scope.end(_signals.caller(1))


@_signals.body
async def _run_body(
    body: Callable[[T], Awaitable[ResultBase[U, E]]], value: T, outcome: list[ResultBase[U, E]]
) -> None:
    _signals.deliver(_signals.caller(0))
    await _checkpoint()
    outcome.append(await body(value))


async def _checkpoint() -> None:
    """Let a cancellation of the scope around be raised."""
    from anyio.lowlevel import checkpoint_if_cancelled

    await checkpoint_if_cancelled()


def _make_node(acquire: Callable[[], Any], release: sync.Release, label: str) -> sync.Make:
    sync.check_callable(acquire, "acquire")
    sync.check_callable(release, "release")
    return sync.Make(acquire, release, label, is_async=True)


def _node_of(made: object, maker: object) -> sync.Node:
    """Look into a resource of either kind."""
    if isinstance(made, Resource):
        return cast("Resource[object, object]", made)._node  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its own class
    return sync.node_of(made, maker)


@overload
async def gather(awaitable1: Awaitable[Ok[T1] | Err[E1]], /) -> Ok[tuple[T1]] | Err[E1]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    /,
) -> Ok[tuple[T1, T2]] | Err[E1 | E2]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    /,
) -> Ok[tuple[T1, T2, T3]] | Err[E1 | E2 | E3]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    /,
) -> Ok[tuple[T1, T2, T3, T4]] | Err[E1 | E2 | E3 | E4]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5]] | Err[E1 | E2 | E3 | E4 | E5]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6]] | Err[E1 | E2 | E3 | E4 | E5 | E6]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    awaitable7: Awaitable[Ok[T7] | Err[E7]],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6, T7]] | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
@overload
async def gather(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    awaitable7: Awaitable[Ok[T7] | Err[E7]],
    awaitable8: Awaitable[Ok[T8] | Err[E8]],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6, T7, T8]] | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8]: ...
@overload
async def gather(*awaitables: Awaitable[ResultBase[T, E]]) -> Ok[tuple[T, ...]] | Err[E]: ...
async def gather(*awaitables: Awaitable[ResultBase[Any, Any]]) -> Ok[tuple[Any, ...]] | Err[Any]:
    """Await all at once: `Ok` of their values, or the first `Err`; that one cancels the rest.

    It returns when the teardown of the rest has been awaited. What failed after the first `Err`,
    teardown included, is `suppressed` on it. An exception (a bug) cancels the rest and
    propagates; several of them as an exception group.

    Raises:
        TypeError: when one of them gives no Result.

    >>> import asyncio
    >>> from resultflow import Result
    >>> async def ask(host: str) -> Result[int, str]:
    ...     return Ok(len(host)) if host else Err("no host")
    >>> async def both(first: str, second: str) -> Result[tuple[int, int], str]:
    ...     return await gather(ask(first), ask(second))
    >>> asyncio.run(both("a", "bc")), asyncio.run(both("a", ""))
    (Ok((1, 2)), Err('no host'))

    .. versionadded:: 0.1.0
    """
    ended = await _run_together(awaitables, lambda result: isinstance(result, Err))
    errs = [result for _, result in ended.results if isinstance(result, Err)]
    if errs:
        first, *others = errs
        return extended(first, *(Suppressed(err) for err in others), *ended.suppressed)
    values = {index: cast("Ok[Any]", result).value for index, result in ended.results}
    return Ok(tuple(values[index] for index in range(len(awaitables))))


@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]], /
) -> Ok[T1] | Err[E1 | ReleaseFailed[object]]: ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    /,
) -> Ok[T1 | T2] | Err[E1 | E2 | ReleaseFailed[object]]: ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    /,
) -> Ok[T1 | T2 | T3] | Err[E1 | E2 | E3 | ReleaseFailed[object]]: ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    /,
) -> Ok[T1 | T2 | T3 | T4] | Err[E1 | E2 | E3 | E4 | ReleaseFailed[object]]: ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    /,
) -> Ok[T1 | T2 | T3 | T4 | T5] | Err[E1 | E2 | E3 | E4 | E5 | ReleaseFailed[object]]: ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    /,
) -> (
    Ok[T1 | T2 | T3 | T4 | T5 | T6] | Err[E1 | E2 | E3 | E4 | E5 | E6 | ReleaseFailed[object]]
): ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    awaitable7: Awaitable[Ok[T7] | Err[E7]],
    /,
) -> (
    Ok[T1 | T2 | T3 | T4 | T5 | T6 | T7]
    | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7 | ReleaseFailed[object]]
): ...
@overload
async def race(
    awaitable1: Awaitable[Ok[T1] | Err[E1]],
    awaitable2: Awaitable[Ok[T2] | Err[E2]],
    awaitable3: Awaitable[Ok[T3] | Err[E3]],
    awaitable4: Awaitable[Ok[T4] | Err[E4]],
    awaitable5: Awaitable[Ok[T5] | Err[E5]],
    awaitable6: Awaitable[Ok[T6] | Err[E6]],
    awaitable7: Awaitable[Ok[T7] | Err[E7]],
    awaitable8: Awaitable[Ok[T8] | Err[E8]],
    /,
) -> (
    Ok[T1 | T2 | T3 | T4 | T5 | T6 | T7 | T8]
    | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8 | ReleaseFailed[object]]
): ...
@overload
async def race(
    *awaitables: Awaitable[ResultBase[T, E]],
) -> Ok[T] | Err[E | ReleaseFailed[object]]: ...
async def race(*awaitables: Awaitable[ResultBase[Any, Any]]) -> Ok[Any] | Err[Any]:
    """Await all at once: what the first to end gave, `Ok` or `Err`; that one cancels the rest.

    It returns when the teardown of the rest has been awaited. What failed there is `suppressed`
    on an `Err`; after an `Ok` a failed teardown makes `Err(ReleaseFailed(...))`. An exception (a
    bug) cancels the rest and propagates.

    Raises:
        TypeError: when one of them gives no Result, or there is none.

    >>> import asyncio
    >>> from resultflow import Result
    >>> async def after(seconds: float) -> Result[float, str]:
    ...     await asyncio.sleep(seconds)
    ...     return Ok(seconds)
    >>> async def quickest() -> Result[float, str]:
    ...     return await race(after(60), after(0.01))
    >>> asyncio.run(quickest())
    Ok(0.01)

    .. versionadded:: 0.1.0
    """
    if not awaitables:
        msg = "race() has nobody to win it: give it at least one awaitable"
        raise TypeError(msg)
    ended = await _run_together(awaitables, lambda _: True)
    (_, first), *others = ended.results
    if isinstance(first, Err):
        late = [Suppressed(it) for _, it in others if isinstance(it, Err)]
        return extended(first, *late, *ended.suppressed)
    for _, it in others:
        if isinstance(it, Err) and isinstance(it.error, ReleaseFailed):
            ended.suppressed.append(Suppressed(it))
    if ended.suppressed:
        failures = tuple(cast("Err[object]", it.failure).error for it in ended.suppressed)
        winner = ReleaseFailed(cast("Ok[Any]", first).value, failures)
        return err_with(winner, chain(None, ended.suppressed))
    return cast("Ok[Any]", first)


class _Ended:
    """How several awaitables ended: their results, the first one first, and what else failed."""

    __slots__ = ("results", "started", "suppressed")

    def __init__(self) -> None:
        self.results: list[tuple[int, ResultBase[Any, Any]]] = []
        self.started: set[int] = set()
        self.suppressed: list[Suppressed] = []


async def _run_together(
    awaitables: tuple[Awaitable[ResultBase[Any, Any]], ...],
    is_last: Callable[[ResultBase[Any, Any]], bool],
) -> _Ended:
    """Await all in tasks of their own; a result that is the last one cancels the others."""
    import anyio

    ended = _Ended()

    async def run_one(index: int, awaitable: Awaitable[ResultBase[Any, Any]]) -> None:
        ended.started.add(index)
        try:
            result = sync.checked(await awaitable, awaitable)
        except BaseException as exc:
            if isinstance(sync.exit_of(exc), Cancelled):
                ended.suppressed.extend(_put_on(exc))
            raise
        ended.results.append((index, result))
        if is_last(result):
            group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for index, awaitable in enumerate(awaitables):
                group.start_soon(run_one, index, awaitable)
    except BaseException as several:  # noqa: BLE001 - raised again, or what is in it
        exc: BaseException = several
        if isinstance(several, BaseExceptionGroup):
            members = cast("BaseExceptionGroup[BaseException]", several).exceptions
            exc = members[0] if len(members) == 1 else exc
        errs = [Suppressed(result) for _, result in ended.results if isinstance(result, Err)]
        sync.attach(exc, [*errs, *ended.suppressed])
        try:
            raise exc from exc.__cause__
        finally:
            del exc  # its traceback holds this frame
    finally:
        for index, awaitable in enumerate(awaitables):
            if index not in ended.started and inspect.iscoroutine(awaitable):
                awaitable.close()  # pragma: no cover (an anyio that does not begin all)
    return ended


def _put_on(exc: BaseException) -> list[Suppressed]:
    """Find what failed in the scopes that an exception left."""
    return [Suppressed(failure) for failure in getattr(exc, "__suppressed__", ())]


async def timeout(
    seconds: float, awaitable: Awaitable[ResultBase[T, E]]
) -> Ok[T] | Err[E | TimedOut]:
    """Await for so many seconds at the most: what it gave, or `Err(TimedOut(seconds))`.

    When the time is over it is cancelled, and its teardown awaited; the report of the `Err` tells
    where it was, and what failed in the teardown is `suppressed`.

    Raises:
        TypeError: when it gives no Result.
        ValueError: when `seconds` is no time to wait.

    >>> import asyncio
    >>> from resultflow import Result
    >>> async def never() -> Result[int, str]:
    ...     await asyncio.sleep(600)
    ...     return Ok(1)
    >>> asyncio.run(timeout(0.01, never()))
    Err(TimedOut(seconds=0.01))

    .. versionadded:: 0.1.0
    """
    import anyio

    try:
        sync.check_seconds(seconds, "0 or longer")
    except ValueError:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise
    history: History | None = None
    with anyio.move_on_after(seconds):
        try:
            return cast("Ok[T] | Err[E]", sync.checked(await awaitable, awaitable))
        except BaseException as exc:
            history = chain(chain(None, frames_of(exc.__traceback__)), _put_on(exc))
            raise
    return err_with(TimedOut(seconds), history)


@_signals.critical
def run(
    main: Callable[[], Awaitable[ResultBase[T, E]]],
    *,
    backend: Literal["asyncio", "trio"] = "asyncio",
) -> Ok[T] | Err[E]:
    """Run an event loop for a coroutine function: give the `Ok` or the `Err` that it returned.

    SIGINT, SIGTERM and SIGHUP do not interrupt the loop: their handlers run as callbacks of it.
    What one raises (Ctrl-C does, and under `resultflow.run` the others do too) cancels `main`;
    when its teardown has been awaited, and the loop is gone, it is raised here. A second signal
    cuts nothing short; a third, a second or more after the first, cancels the releases that are
    under way. The handlers of other signals run as they do in any loop.

    Args:
        main: the program; `resultflow.run(lambda: aio.run(main))` makes a process of it.
        backend: `asyncio` or `trio`.

    Raises:
        TypeError: when `main` is not callable, or gives no Result.

    >>> from resultflow import Result
    >>> async def main() -> Result[int, str]:
    ...     return Ok(3)
    >>> run(main)
    Ok(3)

    .. versionadded:: 0.1.0
    """
    sync.check_callable(main, "what aio.run() is given")
    runner = _Runner(main)
    frame = _signals.caller(1)
    try:
        try:
            _signals.enter(runner)
            if not _signals.is_held(frame):
                _signals.defer(runner.came, runner.ask)
            _run_loop(runner, backend)
        finally:
            try:
                _signals.put_back(_signals.Deferral)
                runner.end()
                _signals.deliver(frame)
            finally:
                _signals.leave(runner, frame)
    except BaseException as exc:
        runner.attach(exc)
        raise
    outcome: Ok[T] | Err[E] = runner.outcome[0]
    return outcome


class _Runner:
    """One event loop under `run`."""

    __slots__ = (
        *("_main", "_raised", "_scope", "_suppressed", "_wake", "came", "outcome"),
        "__weakref__",
    )

    def __init__(self, main: Callable[[], Awaitable[ResultBase[Any, Any]]]) -> None:
        self._main = main
        self._scope: CancelScope | None = None
        self._wake: Callable[[Callable[[], object]], object] | None = None
        self._raised: BaseException | None = None
        self._suppressed: list[Suppressed] = []
        self.came: deque[int] = deque()
        self.outcome: list[Any] = []

    def ask(self, is_forced: bool) -> None:  # noqa: FBT001 - a signal's handler calls it
        """Ask the loop to run the handlers, between any two of its instructions."""
        if self._wake is not None:  # pragma: no branch (the moment before the loop)
            with suppress(RuntimeError):  # the loop is closed: `end` comes next
                self._wake(self._handle)
                if is_forced:
                    self._wake(cut_short)

    def _handle(self) -> None:
        try:
            _signals.handle(self.came)
        except BaseException as exc:  # noqa: BLE001 - raised by `end`
            if self._raised is not None:
                set_context(exc, self._raised)
            self._raised = exc
            if self._scope is not None:  # pragma: no branch (what wakes the loop is made later)
                self._scope.cancel()

    async def main(self) -> None:
        """Run the program so that it can be asked to end."""
        import anyio

        with anyio.CancelScope() as self._scope:
            self._wake = _waker()
            self._handle()
            try:
                self.outcome.append(sync.checked(await self._main(), self._main))
            except BaseException as exc:
                if isinstance(sync.exit_of(exc), Cancelled):
                    self._suppressed = _put_on(exc)
                raise

    def end(self) -> None:
        """Run the handlers of what came last, and raise what one of them has raised."""
        self._wake = None
        self._handle()
        raised, self._raised = self._raised, None
        _signals.raise_again(raised)

    def attach(self, exc: BaseException) -> None:
        """Put on what a handler raised what it would hide."""
        if self.outcome and isinstance(self.outcome[0], Err):
            self._suppressed.append(Suppressed(cast("Err[object]", self.outcome[0]), "main"))
        sync.attach(exc, self._suppressed)


@_signals.body
def _run_loop(runner: _Runner, backend: str) -> None:
    import anyio

    # Trio warns when somebody else has the wakeup descriptor, of which there is one, and
    # `resultflow.run` does.
    is_main = threading.current_thread() is threading.main_thread()
    earlier = signal.set_wakeup_fd(-1) if is_main and backend == "trio" else -1
    try:
        anyio.run(runner.main, backend=backend)
    finally:
        if earlier != -1:
            signal.set_wakeup_fd(earlier)


def _waker() -> Callable[[Callable[[], object]], object]:
    """Find how a signal's handler has something called in this loop."""
    if is_trio():
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe
