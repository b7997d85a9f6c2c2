"""A resource that a worker of a Dask cluster holds for all its tasks.

`resultflow.traverse` needs nothing from here: it runs on `client.get_executor()`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from resultflow._result import Err, Ok
from resultflow.resource import Resource, check_seconds, node_of

if TYPE_CHECKING:
    from distributed import Worker

    from resultflow.exits import Exit
    from resultflow.resource import Close

__all__ = ["WorkerResource"]

T = TypeVar("T")
E = TypeVar("E")


class WorkerResource(WorkerPlugin, Generic[T, E]):
    """A resource that each worker acquires once, `Ok` or `Err`, and its tasks share.

    Register it with the client, and use `shared` in what runs on the workers. A worker acquires
    when a task first asks; a task that gets an `Err` can ask again, and so can the next. The
    release runs once, when the worker closes or the plugin is taken away: when the tasks that
    use the resource have ended, or after `grace` if they have not.

    A worker that is killed releases nothing. Several threads of a worker share one value.

    Args:
        resource: how to acquire and release it; it is sent to the workers.
        name: what the worker knows it by; another one of that name replaces it.
        grace: how many seconds a worker that closes waits for its tasks. Dask kills a worker
            that takes more than four seconds to close.

    Raises:
        TypeError: when `resource` is no Resource, or `name` no text.
        ValueError: when `grace` is no time to wait.

    >>> from distributed import Client
    >>> from resultflow import Ok, Resource, traverse
    >>> connect = Resource.make(lambda: Ok("db"), lambda db, exit: print("close", db))
    >>> database = WorkerResource(connect, name="database")
    >>> def read(key):
    ...     return database.shared.use(lambda db: Ok(f"{key} of {db}"))
    >>> with Client(n_workers=1, processes=False, dashboard_address=":0") as client:
    ...     _ = client.register_plugin(database)
    ...     print(list(traverse(client.get_executor(), read, ["a", "b"])))
    [Ok('a of db'), Ok('b of db')]
    close db

    .. versionadded:: 0.1.0
    """

    def __init__(self, resource: Resource[T, E], *, name: str, grace: float = 2.0) -> None:
        node_of(resource, "WorkerResource takes")
        if not (isinstance(cast("object", name), str) and name):
            msg = f"name must be text, but is {name!r}: say what the worker knows it by"
            raise TypeError(msg)
        check_seconds(grace, "0 or longer", "grace")
        self.name = name
        self.grace = grace
        self._resource = resource

    @property
    def shared(self) -> Resource[T, E]:
        """What the worker holds: acquiring borrows it, `Ok` or `Err`, releasing gives it back.

        The acquire raises a `LookupError` when nobody registered this, when it is called
        elsewhere than in a task, and when it has been released.

        .. versionadded:: 0.1.0
        """
        return Resource.make(self._borrow, _give_back).map(_value_of)

    def _borrow(self) -> Ok[tuple[_Held[T, E], T]] | Err[E]:
        try:
            held = _holdings[get_worker().id, self.name]
        except (KeyError, ValueError):
            msg = (
                f"this is no worker that holds the resource {self.name!r}: use it in a task, "
                "after client.register_plugin(...)"
            )
            raise LookupError(msg) from None
        return held.borrow()

    def setup(self, worker: Worker) -> None:
        """Begin to hold it, as Dask asks when the worker or the plugin is new."""
        _holdings[worker.id, self.name] = _Held(self._resource)

    async def teardown(self, worker: Worker) -> None:
        """Release it, as Dask asks when the worker closes or the plugin is taken away.

        Raises:
            BaseException: what a release raised, or `resultflow.errors.UnwrapError` with the
                report of what failed; Dask logs that.
        """
        held = _holdings.pop((worker.id, self.name))
        await asyncio.to_thread(held.close, self.grace)


class _Held(Generic[T, E]):
    """What one worker holds, and how many tasks use it now."""

    def __init__(self, resource: Resource[T, E]) -> None:
        self._resource = resource
        self._kept: tuple[T, Close] | None = None
        self._borrowers = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def borrow(self) -> Ok[tuple[_Held[T, E], T]] | Err[E]:
        with self._changed:
            if self._is_closed:  # a task had found it before it was taken away
                msg = "the resource was released: its worker closes, or the plugin was taken away"
                raise LookupError(msg)
            if self._kept is None:
                acquired = self._resource.allocated()
                if isinstance(acquired, Err):
                    return acquired
                self._kept = acquired.value
            self._borrowers += 1
            return Ok((self, self._kept[0]))

    def give_back(self) -> None:
        with self._changed:
            self._borrowers -= 1
            self._changed.notify()

    def close(self, grace: float) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._borrowers, grace)
            kept, self._kept = self._kept, None
        if kept is not None:
            kept[1]().unwrap()


def _give_back(borrowed: tuple[_Held[T, E], T], exit: Exit) -> None:  # noqa: A002, ARG001 - Release's shape
    borrowed[0].give_back()


def _value_of(borrowed: tuple[_Held[T, E], T]) -> T:
    return borrowed[1]


_holdings: dict[tuple[str, str], _Held[Any, Any]] = {}
"""By the ids of workers, of which one process can have several, and the names."""
