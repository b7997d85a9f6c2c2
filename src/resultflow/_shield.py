"""Run a coroutine to its end though its task is cancelled, on asyncio and on trio.

On trio a shielded cancel scope does that. On asyncio it holds back only anyio's own
cancellations, and `Task.cancel()` still cuts the coroutine; a task of its own would not do
either, since the loop cancels that one too when it ends, and since cancel scopes and task groups
have to be left in the task that entered them. So the coroutine is driven by hand, in its own
task: each future that it waits for is replaced by a stand-in, which takes the cancellation.

One that comes from inside (a timeout or a task group that the coroutine itself has entered) is
meant for the coroutine. It is known by its context: what is scheduled from inside runs in a copy
of the context that it was scheduled in, and that is marked.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from contextvars import ContextVar
from types import coroutine
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from resultflow import _signals
from resultflow._trace import frames_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator
    from typing import Any

    import anyio

    from resultflow._trace import RawFrame

__all__ = ["Cut", "closing", "cut_short", "is_trio", "limited", "shielded"]

T = TypeVar("T")

_inside: ContextVar[_Mark | None] = ContextVar("resultflow._shield", default=None)
# What can be cut short though it is shielded: inside which shield it is, and in which thread.
_limits: dict[anyio.CancelScope, tuple[_Mark | None, int]] = {}


def is_trio() -> bool:
    """Tell whether trio runs here; otherwise it is asyncio."""
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_run()


def cut_short() -> None:
    """Cut every acquire and release that this thread's loop is at: somebody asked three times."""
    for limit, (_, thread) in list(_limits.items()):
        if thread == get_ident():  # pragma: no branch (another thread's loop)
            limit.cancel()


@_signals.critical
async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine to its end; a cancellation that came meanwhile is raised after it.

    On trio, and from a cancel scope of anyio, it is raised by the next checkpoint.
    """
    import anyio

    made: list[T] = []
    try:
        with anyio.CancelScope(shield=True):
            if not is_trio():
                made.append(await _drive(work))
            elif _is_trios_main_task():
                # Trio would raise a KeyboardInterrupt in here, shield or not.
                section = _Section()
                _signals.hold(section)
                try:
                    made.append(await work)
                finally:
                    _signals.let_go(section)
            else:
                made.append(await work)
    except RuntimeError as exc:
        closed = closing(exc)
        if closed is not None:
            raise closed from None
        raise
    return made[0]


def closing(exc: BaseException | None) -> GeneratorExit | None:
    """Find the closing of a coroutine whose loop is gone, so that it cannot leave its scopes."""
    import asyncio

    if is_trio() or asyncio._get_running_loop() is not None:  # noqa: SLF001 - get_running_loop raises
        return None
    while exc is not None and not isinstance(exc, GeneratorExit):
        exc = exc.__context__
    return exc


class Cut(NamedTuple):
    """What `limited` gives for what it cut short: where that was, the innermost frame first."""

    where: tuple[RawFrame, ...]


@_signals.critical
async def limited(work: Coroutine[Any, Any, T], seconds: float) -> T | Cut:
    """Await what is shielded, but cancel it after so many seconds, or when it is to be cut."""
    import anyio

    where: tuple[RawFrame, ...] = ()
    with anyio.CancelScope(deadline=anyio.current_time() + seconds) as limit:
        _limits[limit] = _inside.get(), get_ident()
        try:
            return await work
        except BaseException as exc:
            where = tuple(frames_of(exc.__traceback__))
            raise
        finally:
            del _limits[limit]
    return Cut(where)


class _Section:
    """A stretch of a task in which signals wait, although it is suspended now and then."""

    __slots__ = ("__weakref__",)


def _is_trios_main_task() -> bool:
    import trio

    nursery = trio.lowlevel.current_task().parent_nursery
    return nursery is not None and nursery.parent_task is trio.lowlevel.current_root_task()


class _Mark:
    """Stands for one shielded coroutine, inside another one or none."""

    __slots__ = ("outer",)

    def __init__(self, outer: _Mark | None) -> None:
        self.outer = outer


def _is_within(mark: _Mark | None, outer: _Mark) -> bool:
    while mark is not None and mark is not outer:
        mark = mark.outer
    return mark is not None


@coroutine
def _drive(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Run a coroutine to its end in this task, and raise then the cancellation that was kept."""
    kept = _Kept()
    outside = _inside.get()
    mark = _Mark(outside)
    _inside.set(mark)
    error: BaseException | None = None
    made: list[T] = []
    try:
        while not made:
            try:
                waited_for = work.send(None) if error is None else work.throw(error)
            except StopIteration as stop:
                made.append(stop.value)
            else:
                error = yield from _wait(waited_for, mark, kept)
    except GeneratorExit:
        work.close()
        raise  # pragma: no cover (closing it has raised, see `shielded`)
    except Exception:
        kept.raise_it()  # or who asked for it would wait for ever: a timeout around a retry
        raise
    finally:
        _inside.set(outside)
    kept.raise_it()
    return made[0]


def _wait(
    waited_for: asyncio.Future[Any] | None, mark: _Mark, kept: _Kept
) -> Generator[Any, Any, BaseException | None]:
    """Wait as the task would; give the cancellation that is to go in, if there is one."""
    import asyncio

    if waited_for is not None:
        waited_for._asyncio_future_blocking = False  # noqa: SLF001 - a task does so with what it gets
    while True:
        proxy = _stand_ins()(waited_for, mark)
        try:
            yield proxy
            proxy.result()  # that of an inner shield is resumed, though it is cancelled
        except asyncio.CancelledError as exc:
            if not proxy.is_meant:
                kept.keep(exc)
            elif waited_for is None or not waited_for.cancel(*exc.args):
                return exc
        finally:
            proxy.forget()
        if waited_for is None or waited_for.done():
            return None


class _Kept:
    """The cancellation of this task that came meanwhile."""

    __slots__ = ("_count", "_exc", "_task")

    def __init__(self) -> None:
        import asyncio

        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._exc: asyncio.CancelledError | None = None
        self._count = 0

    def keep(self, exc: asyncio.CancelledError) -> None:
        """Keep one that counts: the first that nobody takes back."""
        if self._exc is None or self._task.cancelling() < self._count:
            self._exc, self._count = exc, self._task.cancelling()

    def raise_it(self) -> None:
        """Raise it, unless whoever asked for it (a task group, a timeout) took it back."""
        if self._exc is not None and self._task.cancelling() >= self._count:
            try:
                raise self._exc
            finally:
                self._exc = None  # its traceback holds this frame


def _stand_ins() -> Any:  # noqa: ANN401 - a class, made where asyncio is known to be there
    """Make the class of the stand-ins, once."""
    global _stand_in  # noqa: PLW0603 - made on demand
    if _stand_in is None:
        _stand_in = _made_stand_in()
    return _stand_in


_stand_in: Any = None


def _made_stand_in() -> Any:  # noqa: ANN401, C901 - as above; it has methods, not branches
    import asyncio

    class StandIn(asyncio.Future[None]):
        """What a task waits for in place of a future, or of the next turn of the loop."""

        def __init__(self, stands_for: asyncio.Future[Any] | None, mark: _Mark) -> None:
            super().__init__()
            self._asyncio_future_blocking = True
            self._stands_for = stands_for
            self._mark = mark
            self._task = asyncio.current_task()
            self.is_meant = False
            if stands_for is None:
                self.get_loop().call_soon(self._go_on)
            else:
                stands_for.add_done_callback(self._go_on)

        def _go_on(self, _: object = None) -> None:
            if not self.done():
                self.set_result(None)

        def cancel(self, msg: Any = None) -> bool:  # noqa: ANN401 - as in asyncio
            """Take a cancellation, and note whether it came from inside."""
            # Not what the task was told while it ran (by a handler, say): that comes to be
            # delivered here in its own step, and so in the marked context.
            if asyncio.current_task(self.get_loop()) is not self._task:
                self.judge(_inside.get())
            return super().cancel(msg)

        def judge(self, asker: _Mark | None) -> None:
            """Tell whether a cancellation is meant for the coroutine, here and further in."""
            limits = list(_limits.items())
            self.is_meant = _is_within(asker, self._mark) or any(
                limit.cancel_called for limit, (mark, _) in limits if _is_within(mark, self._mark)
            )
            if isinstance(self._stands_for, StandIn):
                self._stands_for.judge(asker)

        def forget(self) -> None:
            """Have done with the future."""
            if self._stands_for is not None:
                self._stands_for.remove_done_callback(self._go_on)

    return StandIn
