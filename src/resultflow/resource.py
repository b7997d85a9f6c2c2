"""`Resource`: acquire, use, release, where the release cannot be skipped."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar, cast, overload

from resultflow import _signals
from resultflow._result import Err, Ok, ResultBase, err_with, extended
from resultflow._safe import failed
from resultflow._trace import Report, Suppressed, chain
from resultflow.errors import EarlyReturn, ReleaseFailed
from resultflow.exits import Cancelled, Failed, Raised, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType, TracebackType
    from typing import Any, Never, TypeAlias

    from resultflow.exits import Exit

__all__ = ["Resource"]

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


class _Closable(Protocol):
    def close(self) -> object: ...


C = TypeVar("C", bound=_Closable)

Release: TypeAlias = "Callable[[Any, Exit], object]"
_Failure: TypeAlias = "tuple[str, Err[object] | BaseException]"


# A resource is a tree of these. It is walked with a list of what is still to do, never by
# recursion, so a chain of any length costs the same per link.


class _Make(NamedTuple):
    acquire: Callable[[], ResultBase[Any, Any]]
    release: Release
    label: str


class _Pure(NamedTuple):
    value: object


class _Map(NamedTuple):
    source: _Node
    f: Callable[[Any], object]


class _AndThen(NamedTuple):
    source: _Node
    f: Callable[[Any], Resource[Any, Any]]


class _All(NamedTuple):
    sources: tuple[_Node, ...]
    build: Callable[[list[Any]], object]


class _Gathering(NamedTuple):
    """An `_All` under way: what is still to acquire, and the values so far."""

    rest: Iterator[_Node]
    values: list[Any]
    build: Callable[[list[Any]], object]


_Node: TypeAlias = "_Make | _Pure | _Map | _AndThen | _All"


class Resource(Generic[T_co, E_co]):
    """How to acquire a value and how to release it: a value itself, which does nothing yet.

    `use` acquires, runs a body and releases; `open` does so for a `with` block. For each
    acquire that gave an `Ok`, its release runs exactly once, in reverse order of acquisition,
    whether the body returns an `Ok` or an `Err`, raises, leaves by `bind`, or a signal handler
    raises at any point; a release that fails does not stop the others. In acquire and
    release, signal handlers wait; they run at the start of the body or after the last release.

    Nothing is lost and nothing is replaced. When the body failed, its `Err` or exception stays
    and what failed after it is `suppressed` on it (for an exception: notes, and the attribute
    `__suppressed__`). When the body succeeded, a release that returned an `Err` makes the whole
    `Err(ReleaseFailed(...))`, and one that raised is a bug, whose exception propagates.

    What cannot be promised: SIGKILL, `os._exit`, a crash of the interpreter, a signal whose
    action is the system's default (`resultflow.run` gives the usual ones a handler), and
    exceptions that a debugger or `PyThreadState_SetAsyncExc` puts into a function.

    >>> from resultflow import Result
    >>> def connect(name: str) -> Resource[str, str]:
    ...     def acquire() -> Result[str, str]:
    ...         return Err("no route") if name == "moon" else Ok(name)
    ...
    ...     return Resource.make(acquire, lambda name, exit: print("close", name))
    >>> connect("a").both(connect("b")).use(lambda pair: Ok("+".join(pair)))
    close b
    close a
    Ok('a+b')
    >>> connect("a").both(connect("moon")).use(lambda pair: Ok("+".join(pair)))
    close a
    Err('no route')

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_node",)

    def __init__(self, node: _Node) -> None:
        self._node = node

    # Making

    @overload
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]],
        release: Callable[[T, Exit], ResultBase[object, R]],
    ) -> Resource[T, E | ReleaseFailed[R]]: ...
    @overload
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]], release: Callable[[T, Exit], None]
    ) -> Resource[T, E]: ...
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]], release: Callable[[T, Exit], object]
    ) -> Resource[T, Any]:
        """Describe a resource by two functions.

        Args:
            acquire: gives `Ok` of the value, or an `Err` when there is nothing to release.
            release: is given the value and how the scope ended (`Succeeded`, `Failed`,
                `Raised` or `Cancelled`). It returns None, or a Result when it can fail, and
                then the error type of the resource includes `ReleaseFailed`.

        >>> log = []
        >>> resource = Resource.make(lambda: Ok("db"), lambda db, exit: log.append(exit))
        >>> resource.use(lambda db: Ok(db.upper()))
        Ok('DB')
        >>> log
        [Succeeded(value='DB')]

        .. versionadded:: 0.1.0
        """
        return Resource(_Make(acquire, release, _label(release)))

    @staticmethod
    def pure(value: T) -> Resource[T, Never]:
        """Give a value that needs no release the shape of a resource.

        >>> Resource.pure(3).use(lambda n: Ok(n + 1))
        Ok(4)

        .. versionadded:: 0.1.0
        """
        return Resource(_Pure(value))

    @staticmethod
    def closing(acquire: Callable[[], ResultBase[C, E]]) -> Resource[C, E]:
        """Release by the value's own `close()`.

        >>> from resultflow import safe
        >>> Resource.closing(lambda: safe(OSError)(open)("no/such/file")).use(Ok)
        Err(FileNotFoundError(2, 'No such file or directory'))

        .. versionadded:: 0.1.0
        """

        def close(value: _Closable, exit: Exit) -> None:  # noqa: A002, ARG001 - Release's shape
            value.close()

        return Resource(_Make(acquire, close, f"{_label(acquire)}.close"))

    @staticmethod
    def from_context_manager(
        factory: Callable[[], AbstractContextManager[T, Any]],
    ) -> Resource[T, Never]:
        """Use a context manager as a resource: `__enter__` acquires, `__exit__` releases.

        `__exit__` sees an exception exactly when the scope was left by one; for an `Err` it is
        called as after success, since it could not be told. An exception that it would swallow
        propagates.

        >>> from contextlib import nullcontext
        >>> Resource.from_context_manager(lambda: nullcontext(3)).use(Ok)
        Ok(3)

        .. versionadded:: 0.1.0
        """

        def acquire() -> Ok[tuple[AbstractContextManager[T, Any], T]]:
            manager = factory()
            return Ok((manager, manager.__enter__()))

        def release(held: tuple[AbstractContextManager[T, Any], T], exit: Exit) -> None:  # noqa: A002 - Release's shape
            match exit:
                case Raised(exc) | Cancelled(exc):
                    held[0].__exit__(type(exc), exc, exc.__traceback__)
                case Succeeded() | Failed():  # pragma: no branch (there are no other exits)
                    held[0].__exit__(None, None, None)

        source: _Node = _Make(acquire, release, f"{_label(factory)}.__exit__")
        return Resource(_Map(source, _second))

    # Composing

    def map(self, f: Callable[[T_co], U]) -> Resource[U, E_co]:
        """Change the value that the body sees; the release still gets the original.

        >>> Resource.pure(3).map(str).use(Ok)
        Ok('3')

        .. versionadded:: 0.1.0
        """
        return Resource(_Map(self._node, f))

    def and_then(self, f: Callable[[T_co], Resource[U, F]]) -> Resource[U, E_co | F]:
        """Acquire this, then the resource that `f` makes of its value; release in reverse.

        >>> Resource.pure(3).and_then(lambda n: Resource.pure(n + 1)).use(Ok)
        Ok(4)

        .. versionadded:: 0.1.0
        """
        return Resource(_AndThen(self._node, f))

    def both(self, other: Resource[U, F]) -> Resource[tuple[T_co, U], E_co | F]:
        """Acquire this, then `other`; the body sees both values.

        >>> Resource.pure(1).both(Resource.pure("a")).use(Ok)
        Ok((1, 'a'))

        .. versionadded:: 0.1.0
        """
        return Resource(_All((self._node, other._node), tuple))

    @staticmethod
    def node_of(made: object, maker: object) -> _Node:
        """Look into what a user's function made; private to this module."""
        if isinstance(made, Resource):
            return cast("Resource[object, object]", made)._node  # noqa: SLF001 - its own class
        msg = f"{_label(maker)} must return a Resource, not {made!r}: see Resource.make and .pure"
        raise TypeError(msg)

    @staticmethod
    def all_of(resources: Iterable[Resource[T, E]]) -> Resource[list[T], E]:
        """Acquire each in order; the body sees the list of their values.

        >>> Resource.all_of(Resource.pure(n) for n in range(3)).use(Ok)
        Ok([0, 1, 2])

        .. versionadded:: 0.1.0
        """
        return Resource(
            _All(
                tuple(resource._node for resource in resources),  # noqa: SLF001 - its own class
                list,
            )
        )

    # Using

    @_signals.critical
    def use(self, body: Callable[[T_co], ResultBase[U, F]]) -> Ok[U] | Err[E_co | F]:
        """Acquire, run `body` on the value, release; give what `body` gave.

        `Ok`: what `body` returned, when every release went well. `Err`: that of the acquire
        which failed, or of the body with failed releases `suppressed` on it, or
        `ReleaseFailed` when only releases failed.

        Raises:
            TypeError: when `body` returns no Result, after the releases.

        >>> Resource.pure(3).use(lambda n: Err("odd") if n % 2 else Ok(n))
        Err('odd')

        .. versionadded:: 0.1.0
        """
        scope = _Scope()
        outcome: ResultBase[Any, Any] | None = None
        try:
            try:
                acquired = scope.acquire(self._node)
                if isinstance(acquired, Ok):
                    outcome = _checked(_run_body(body, acquired.value), body)
                else:
                    outcome = acquired
            except BaseException as exc:
                scope.release_after(exc)
                raise
            outcome = scope.settle(outcome)
            return cast("Ok[U] | Err[E_co | F]", outcome)
        finally:
            scope.end(_signals.caller(1), outcome)

    def open(self) -> AbstractContextManager[T_co, None]:
        """Acquire for a `with` block; release when it ends, however it ends.

        Prefer `use`: a `with` block cannot see an `Err` that the function returns from inside
        it, so the release is told `Succeeded(None)` then.

        Raises:
            UnwrapError: from the `with` statement, when the acquire gave an `Err` (which it
                reports), or when only releases failed.

        >>> with Resource.pure(3).open() as n:
        ...     print(n)
        3

        .. versionadded:: 0.1.0
        """
        return _Opened(self._node)


class _Scope:
    """One run of acquire, body and release."""

    __slots__ = ("_gated", "_generation", "_held")

    @_signals.critical
    def __init__(self) -> None:
        self._held: list[tuple[Release, object, str]] = []
        self._generation = _signals.generation()
        self._gated: list[tuple[int, _signals.Gate]] = []
        _signals.enter(self._gated)

    @_signals.critical
    def acquire(self, node: _Node) -> ResultBase[Any, Any]:
        """Walk the tree; what is acquired is held at once. An `Err` is where it stopped."""
        todo: list[_Map | _AndThen | _Gathering] = []
        while True:
            leaf = _descend(node, todo)
            if isinstance(leaf, _Make):
                result = _checked(leaf.acquire(), leaf.acquire)
                if not isinstance(result, Ok):
                    return result
                self._held.append((leaf.release, result.value, leaf.label))
                node = _ascend(result.value, todo)
            else:
                node = _ascend(leaf.value, todo)
            if isinstance(node, _Pure) and not todo:
                return Ok(node.value)

    @_signals.critical
    def _release_all(self, exit: Exit) -> list[_Failure]:  # noqa: A002 - the public word
        _signals.enter(self._gated)
        failures: list[_Failure] = []
        if self._generation != _signals.generation():
            return failures  # this is a forked child: what is held is its parent's to release
        while self._held:
            release, value, label = self._held.pop()
            try:
                made = _run_release(release, value, exit)
            except BaseException as exc:  # noqa: BLE001 - kept, and the others still run
                failures.append((label, _without_first_frame(exc)))
            else:
                if isinstance(made, Err):
                    failures.append((label, cast("Err[object]", made)))
        try:
            return failures
        finally:
            del failures  # a traceback's frames hold this one, as the frame that called them

    @_signals.critical
    def release_after(self, exc: BaseException) -> None:
        """Release after an exception, and put on it what failed."""
        failures = _suppressed(self._release_all(_exit_of(exc)), but=exc)
        if not failures:
            return
        if isinstance(exc, EarlyReturn):
            exc.err = extended(cast("Err[Any]", exc.err), *failures)
        else:
            attach(exc, failures)

    @_signals.critical
    def settle(self, outcome: ResultBase[Any, Any]) -> ResultBase[Any, Any]:
        """Release after a Result, and tell what the scope gives."""
        if isinstance(outcome, Err):
            failures = self._release_all(Failed(outcome.error))
            stop = _control_flow(failures)
            outcome = extended(outcome, *_suppressed(failures, but=stop))
            if stop is not None:
                attach(stop, [Suppressed(outcome, "the scope")])
                try:
                    raise stop
                finally:
                    del stop, failures  # the traceback holds this frame
            return outcome
        value = cast("Ok[Any]", outcome).value
        failures = self._release_all(Succeeded(value))
        if not failures:
            return outcome
        raised: list[BaseException] = [
            failure for _, failure in failures if not isinstance(failure, Err)
        ]
        if raised:
            first = _control_flow(failures) or raised[0]
            attach(first, _suppressed(failures, but=first))
            try:
                raise first
            finally:
                del first, raised, failures  # the traceback holds this frame
        errors = tuple(failure.error for _, failure in failures if isinstance(failure, Err))
        return err_with(ReleaseFailed(value, errors), chain(None, _suppressed(failures)))

    @_signals.critical
    def end(self, frame: FrameType, outcome: ResultBase[Any, Any] | None) -> None:
        """Put the handlers back and run those that waited; keep an `Err` they would hide."""
        try:
            try:
                _signals.leave(self._gated)
            finally:
                _signals.deliver(frame)
        except BaseException as exc:
            if isinstance(outcome, Err):
                attach(exc, [Suppressed(outcome, "the scope")])
            raise


class _Opened(Generic[T_co]):
    """The context manager that `Resource.open` gives."""

    __slots__ = ("_node", "_scope")

    def __init__(self, node: _Node) -> None:
        self._node = node
        self._scope: _Scope | None = None

    @_signals.critical
    def __enter__(self) -> T_co:
        if self._scope is not None:
            msg = "this open() is in use already: call open() again for another scope"
            raise RuntimeError(msg)
        scope = _Scope()
        frame = _signals.caller(1)
        try:
            acquired = scope.acquire(self._node)
            if isinstance(acquired, Err):
                scope.settle(acquired).unwrap()
            self._scope = scope
            value: T_co = cast("Ok[T_co]", acquired).value
            # A handler that waited runs here, where what it raises still releases.
            _signals.deliver(frame)
        except BaseException as exc:
            self._scope = None
            scope.release_after(exc)
            scope.end(frame, None)
            raise
        return value

    @_signals.critical
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope = cast("_Scope", self._scope)
        self._scope = None
        try:
            if exc is None:
                scope.settle(Ok(None)).unwrap()
            else:
                scope.release_after(exc)
        finally:
            scope.end(_signals.caller(1), None)


@_signals.body
def _run_body(body: Callable[[T], U], value: T) -> U:
    _signals.deliver(_signals.caller(0))
    return body(value)


@_signals.release
def _run_release(release: Release, value: object, exit: Exit) -> object:  # noqa: A002 - the public word
    return release(value, exit)


def _second(pair: tuple[object, T]) -> T:
    return pair[1]


def _label(function: object) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _checked(made: object, maker: object) -> ResultBase[object, object]:
    if isinstance(made, ResultBase):
        return cast("ResultBase[object, object]", made)
    msg = f"{_label(maker)} must return a Result, not {made!r}: wrap it in Ok(...) or Err(...)"
    raise TypeError(msg)


def _descend(node: _Node | None, todo: list[_Map | _AndThen | _Gathering]) -> _Make | _Pure:
    """Go down to the first leaf, noting on the way what is to be done with its value."""
    while True:
        match node:
            case _Make() | _Pure():
                return node
            case _Map(source) | _AndThen(source):
                todo.append(node)
                node = source
            case _All(sources, build):
                rest = iter(sources)
                first = next(rest, None)
                if first is None:
                    return _Pure(build([]))
                todo.append(_Gathering(rest, [], build))
                node = first
            case _:
                msg = f"Resource({node!r}) describes nothing: see Resource.make and Resource.pure"
                raise TypeError(msg)


def _ascend(value: Any, todo: list[_Map | _AndThen | _Gathering]) -> _Node:  # noqa: ANN401 - any value
    """Do with a value what was noted, up to the next node; at the end that is a `_Pure`."""
    while todo:
        match todo[-1]:
            case _Map(_, f):
                todo.pop()
                value = f(value)
            case _AndThen(_, f):
                todo.pop()
                return Resource.node_of(f(value), f)
            case _Gathering(
                rest, values, build
            ):  # pragma: no branch (there is nothing else to do)
                values.append(value)
                following = next(rest, None)
                if following is not None:
                    return following
                todo.pop()
                value = build(values)
    return _Pure(value)


def _exit_of(exc: BaseException) -> Exit:
    if isinstance(exc, EarlyReturn):
        return Failed(cast("Err[Any]", exc.err).error)
    if isinstance(exc, KeyboardInterrupt):
        signum = getattr(exc, "signum", None)
        return Cancelled(exc, int(signum) if isinstance(signum, int) else int(signal.SIGINT))
    # Asked without importing asyncio, which costs more than this whole package.
    asyncio = sys.modules.get("asyncio.exceptions")
    if asyncio is not None and isinstance(exc, asyncio.CancelledError):
        return Cancelled(exc)
    return Raised(exc)


def _control_flow(failures: list[_Failure]) -> BaseException | None:
    """Find what left a release and may not be held back in an `Err`, such as a `SystemExit`."""
    for _, failure in failures:
        if not isinstance(failure, Err | Exception):
            return failure
    return None


def _without_first_frame(exc: BaseException) -> BaseException:
    return exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next)


def _suppressed(failures: list[_Failure], but: BaseException | None = None) -> list[Suppressed]:
    suppressed: list[Suppressed] = []
    for label, failure in failures:
        if failure is not but:
            err: Err[object] = failure if isinstance(failure, Err) else failed(failure, None)
            suppressed.append(Suppressed(err, label))
    return suppressed


def attach(exc: BaseException, failures: list[Suppressed]) -> None:
    """Put failures on an exception that goes on its way: readable as notes, and as objects."""
    if not failures:
        return
    for line in str(Report("", tuple(failures))).splitlines()[1:]:
        exc.add_note(line)
    earlier: tuple[object, ...] = getattr(exc, "__suppressed__", ())
    vars(exc)["__suppressed__"] = (*earlier, *(failure.failure for failure in failures))
