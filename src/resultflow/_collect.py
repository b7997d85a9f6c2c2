"""Many Results become one; one function runs over many items on an executor."""

from __future__ import annotations

import os
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast, overload

from resultflow._build import native
from resultflow._result import Err, Ok, ResultBase, err_with, joined, name_of
from resultflow._trace import add_notes, capture
from resultflow._travel import pack, text_of, unpack
from resultflow.errors import ItemLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future
    from typing import Any

    from resultflow._trace import RawFrame
    from resultflow._travel import Parcel

__all__ = [
    "collect",
    "collect_all",
    "combine",
    "combine_all",
    "first_ok",
    "partition",
    "traverse",
]

A = TypeVar("A")
T = TypeVar("T")
E = TypeVar("E")
T1 = TypeVar("T1")
E1 = TypeVar("E1")
T2 = TypeVar("T2")
E2 = TypeVar("E2")
T3 = TypeVar("T3")
E3 = TypeVar("E3")
T4 = TypeVar("T4")
E4 = TypeVar("E4")
T5 = TypeVar("T5")
E5 = TypeVar("E5")
T6 = TypeVar("T6")
E6 = TypeVar("E6")
T7 = TypeVar("T7")
E7 = TypeVar("E7")
T8 = TypeVar("T8")
E8 = TypeVar("E8")

_LOOK_SECONDS: Final = 1.0

_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


def collect(results: Iterable[ResultBase[T, E]]) -> Ok[list[T]] | Err[E]:
    """`Ok` of all values when every Result is an `Ok`; else the first `Err`, as it is.

    Nothing is pulled from `results` after that `Err`, so it may be endless.

    Args:
        results: an iterable of Results; of one error type, or `combine` is the better fit.

    Raises:
        TypeError: when an item is no Result, or `results` is itself one.

    >>> collect([Ok(1), Ok(2)])
    Ok([1, 2])
    >>> collect(Ok(n) if n < 3 else Err(f"{n} is too much") for n in range(10))
    Err('3 is too much')

    .. versionadded:: 0.1.0
    """
    return _collected(results, "collect")


def collect_all(results: Iterable[ResultBase[T, E]]) -> Ok[list[T]] | Err[list[E]]:
    """`Ok` of all values when every Result is an `Ok`; else `Err` of all errors, in order.

    The report of that `Err` has the reports of all.

    Raises:
        TypeError: when an item is no Result, or `results` is itself one.

    >>> collect_all([Ok(1), Ok(2)])
    Ok([1, 2])
    >>> collect_all([Err("no host"), Ok(2), Err("no port")])
    Err(['no host', 'no port'])

    .. versionadded:: 0.1.0
    """
    values, errs = _split(results, "collect_all")
    return joined(errs, _caller()) if errs else Ok(values)


def partition(results: Iterable[ResultBase[T, E]]) -> tuple[list[T], list[E]]:
    """Split: the values of every `Ok`, and the errors of every `Err`, each in order.

    Raises:
        TypeError: when an item is no Result, or `results` is itself one.

    >>> partition([Ok(1), Err("no port"), Ok(2)])
    ([1, 2], ['no port'])

    .. versionadded:: 0.1.0
    """
    values, errs = _split(results, "partition")
    return values, [err.error for err in errs]


def first_ok(results: Iterable[ResultBase[T, E]]) -> Ok[T] | Err[list[E]]:
    """Give the first `Ok`, as it is; `Err` of all errors, in order, when there is none.

    Nothing is pulled from `results` after that `Ok`: what is lazy is tried only while needed.

    Raises:
        TypeError: when an item is no Result, or `results` is itself one.

    >>> first_ok(Ok(n) if n > 2 else Err(f"{n} is not enough") for n in range(10))
    Ok(3)
    >>> first_ok([Err("no host"), Err("no port")])
    Err(['no host', 'no port'])

    .. versionadded:: 0.1.0
    """
    errs: list[Err[E]] = []
    for result in _several(results, "first_ok"):
        if isinstance(result, Ok):
            return result
        if not isinstance(result, Err):
            raise _not_a_result(result, "first_ok")
        errs.append(result)
    return joined(errs, _caller())


@overload
def combine(result1: Ok[T1] | Err[E1], /) -> Ok[tuple[T1]] | Err[E1]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1], result2: Ok[T2] | Err[E2], /
) -> Ok[tuple[T1, T2]] | Err[E1 | E2]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1], result2: Ok[T2] | Err[E2], result3: Ok[T3] | Err[E3], /
) -> Ok[tuple[T1, T2, T3]] | Err[E1 | E2 | E3]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    /,
) -> Ok[tuple[T1, T2, T3, T4]] | Err[E1 | E2 | E3 | E4]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5]] | Err[E1 | E2 | E3 | E4 | E5]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6]] | Err[E1 | E2 | E3 | E4 | E5 | E6]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    result7: Ok[T7] | Err[E7],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6, T7]] | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
@overload
def combine(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    result7: Ok[T7] | Err[E7],
    result8: Ok[T8] | Err[E8],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6, T7, T8]] | Err[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8]: ...
@overload
def combine(*results: ResultBase[T, E]) -> Ok[tuple[T, ...]] | Err[E]: ...
def combine(*results: ResultBase[Any, Any]) -> Ok[tuple[Any, ...]] | Err[Any]:
    """`Ok` of the tuple of values when every Result is an `Ok`; else the first `Err`, as it is.

    Values and errors may each be of another type; up to eight are told apart.

    Raises:
        TypeError: when an argument is no Result.

    >>> combine(Ok(1), Ok("two"))
    Ok((1, 'two'))
    >>> combine(Ok(1), Err("no port"), Err("no host"))
    Err('no port')

    .. versionadded:: 0.1.0
    """
    return _collected(results, "combine").map(tuple)


@overload
def combine_all(result1: Ok[T1] | Err[E1], /) -> Ok[tuple[T1]] | Err[list[E1]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1], result2: Ok[T2] | Err[E2], /
) -> Ok[tuple[T1, T2]] | Err[list[E1 | E2]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1], result2: Ok[T2] | Err[E2], result3: Ok[T3] | Err[E3], /
) -> Ok[tuple[T1, T2, T3]] | Err[list[E1 | E2 | E3]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    /,
) -> Ok[tuple[T1, T2, T3, T4]] | Err[list[E1 | E2 | E3 | E4]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5]] | Err[list[E1 | E2 | E3 | E4 | E5]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6]] | Err[list[E1 | E2 | E3 | E4 | E5 | E6]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    result7: Ok[T7] | Err[E7],
    /,
) -> Ok[tuple[T1, T2, T3, T4, T5, T6, T7]] | Err[list[E1 | E2 | E3 | E4 | E5 | E6 | E7]]: ...
@overload
def combine_all(
    result1: Ok[T1] | Err[E1],
    result2: Ok[T2] | Err[E2],
    result3: Ok[T3] | Err[E3],
    result4: Ok[T4] | Err[E4],
    result5: Ok[T5] | Err[E5],
    result6: Ok[T6] | Err[E6],
    result7: Ok[T7] | Err[E7],
    result8: Ok[T8] | Err[E8],
    /,
) -> (
    Ok[tuple[T1, T2, T3, T4, T5, T6, T7, T8]] | Err[list[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8]]
): ...
@overload
def combine_all(*results: ResultBase[T, E]) -> Ok[tuple[T, ...]] | Err[list[E]]: ...
def combine_all(*results: ResultBase[Any, Any]) -> Ok[tuple[Any, ...]] | Err[list[Any]]:
    """`Ok` of the tuple of values when every Result is an `Ok`; else `Err` of all errors.

    Raises:
        TypeError: when an argument is no Result.

    >>> combine_all(Ok(1), Ok("two"))
    Ok((1, 'two'))
    >>> combine_all(Ok(1), Err("no port"), Err("no host"))
    Err(['no port', 'no host'])

    .. versionadded:: 0.1.0
    """
    values, errs = _split(results, "combine_all")
    return joined(errs, _caller()) if errs else Ok(tuple(values))


def traverse(
    executor: Executor,
    f: Callable[[A], Ok[T] | Err[E]],
    items: Iterable[A],
    *,
    ahead: int | None = None,
) -> Iterator[Ok[T] | Err[E | ItemLost]]:
    """Call `f` on every item by an executor: `Ok` or `Err` for each, in the order of the items.

    Any `concurrent.futures.Executor` will do: threads, processes, and with them those of Dask
    or MPI. `collect`, `partition` and their kin make one of what is given:
    `collect(traverse(executor, f, items))`.

    An item that the executor gives no Result for is an `Err` too: its worker died, it or its
    value cannot be sent, the executor is closed. (A `ProcessPoolExecutor` gives up all its
    workers when one dies, Dask tries again.) Whatever error it has, an `Err` arrives from
    another process, with its trace. `items` is pulled only as far as there is room for work, so
    it may be endless; what is still waiting when the iterator is closed is cancelled.

    Args:
        executor: what runs `f`; it is not shut down.
        f: gives a Result. What it raises is a bug: it is raised here when its turn comes, and
            what is still waiting is cancelled.
        items: what `f` is called on.
        ahead: how many items may be on their way at once; by default twice the number of
            workers.

    Raises:
        TypeError: when `executor` is no executor or `f` no function, and, when its turn comes,
            when `f` gives no Result.
        ValueError: when `ahead` is no whole number from 1 on.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> def half(n: int) -> Result[int, str]:
    ...     return Err(f"{n} is odd") if n % 2 else Ok(n // 2)
    >>> from resultflow import Result
    >>> with ThreadPoolExecutor(2) as executor:
    ...     print(list(traverse(executor, half, [2, 3, 4])))
    [Ok(1), Err('3 is odd'), Ok(2)]

    .. versionadded:: 0.1.0
    """
    from concurrent.futures import Executor

    if not isinstance(executor, Executor):
        raise TypeError(
            f"executor={executor!r} is no concurrent.futures.Executor: of a Dask client, "
            "client.get_executor() is one"
        )
    if not callable(f):
        raise TypeError(f"f must be callable, but is {f!r}: give the function itself")
    if ahead is None:
        ahead = 2 * _workers_of(executor)
    if not (isinstance(cast("object", ahead), int) and 1 <= ahead <= sys.maxsize):
        raise ValueError(
            f"ahead must be a whole number from 1 on, but is {ahead!r}: 1 is one item at a time"
        )
    return _traversed(executor, f, iter(items), ahead, _caller())


def _collected(results: Iterable[ResultBase[T, E]], taker: str) -> Ok[list[T]] | Err[E]:
    values: list[T] = []
    stopped = _take(_several(results, taker), values, None)
    if stopped is None:
        return Ok(values)
    if isinstance(stopped[0], Err):
        return stopped[0]
    raise _not_a_result(stopped[0], taker)


def _split(results: Iterable[ResultBase[T, E]], taker: str) -> tuple[list[T], list[Err[E]]]:
    values: list[T] = []
    errs: list[Err[E]] = []
    stopped = _take(_several(results, taker), values, errs)
    if stopped is not None:
        raise _not_a_result(stopped[0], taker)
    return values, errs


def _take(
    results: Iterable[ResultBase[T, E]], values: list[T], errs: list[Err[E]] | None
) -> tuple[ResultBase[T, E]] | None:
    """Append the value of each `Ok`, and each `Err` where there is a list for it.

    Give the first item that could not be taken, in a tuple; None at the end of all.
    """
    for result in results:
        if isinstance(result, Ok):
            values.append(result.value)
        elif isinstance(result, Err) and errs is not None:
            errs.append(result)
        else:
            return (result,)
    return None


if not TYPE_CHECKING and native:
    _take = native.take


def _several(
    results: Iterable[ResultBase[T, E]], taker: str
) -> Iterable[Ok[T] | Err[E] | ResultBase[T, E]]:
    """Refuse a single Result, which can be iterated: as nothing, if it is an `Err`."""
    if isinstance(results, ResultBase):
        raise TypeError(f"{taker} takes an iterable of Results, not {results!r}: put it in a list")
    return results


def _not_a_result(item: object, taker: str) -> TypeError:
    return TypeError(f"{taker} takes Results, not {item!r}: wrap it in Ok(...) or Err(...)")


def _caller() -> RawFrame:
    """Give the place where a function of this module was called."""
    frame = _frame_at(2)
    return frame.f_code, frame.f_lasti


class _Raised:
    """What `f` raised in a worker; what a future raises is then the executor's own failure."""

    __slots__ = ("exception",)

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception

    def __reduce__(self) -> tuple[object, ...]:
        return _raised, (pack(self.exception),)


def _raised(parcel: Parcel) -> _Raised:
    exception = unpack(parcel)
    if not isinstance(exception, BaseException):
        exception = RuntimeError(f"a worker of traverse raised {exception}")
    return _Raised(exception)


class _Task(Generic[A]):
    """`f` as a worker calls it: what it raises is handed over, not raised there."""

    def __init__(self, f: Callable[[A], object], client: object) -> None:
        self._f = f
        self._is_for_dask = client is not None
        self.__name__: str = getattr(f, "__name__", type(f).__name__)  # what Dask shows

    def __call__(self, item: A) -> object:
        raised: BaseException | None = None
        made: object = None
        try:
            made = self._f(item)
        except BaseException as exc:  # noqa: BLE001 - whoever iterates gets it
            raised = exc
        if raised is not None:
            made = _handed_over(raised)
            del raised  # its traceback holds this frame
        return _pickled(made) if self._is_for_dask else made

    def __dask_tokenize__(self) -> object:
        """Be another one each time: of equal calls Dask makes one, and shares what it gave."""
        return os.urandom(16).hex()


def _handed_over(exc: BaseException) -> _Raised:
    import traceback

    # The traceback would hold the frames of the worker, and one of these the exception.
    add_notes(exc, ["in a worker of traverse:\n" + "".join(traceback.format_exception(exc))])
    capture(exc, None)
    return _Raised(exc)


def _pickled(made: object) -> bytes | str:
    """Make bytes, or tell why not: for a value that does not travel Dask asks for ever."""
    from distributed.protocol.pickle import dumps

    try:
        return dumps(made)
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        return text_of(exc)


def _unpickled(sent: bytes | str, index: int) -> object:
    import pickle

    if isinstance(sent, str):
        return ItemLost(index, sent)
    try:
        return pickle.loads(sent)  # noqa: S301 - what Dask would do
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        return ItemLost(index, text_of(exc))


def _submit(executor: Executor, task: _Task[A], item: A) -> Future[object] | Exception:
    try:
        return executor.submit(task, item)
    except Exception as exc:  # noqa: BLE001 - it is broken or closed, or cannot send the item
        return exc.with_traceback(None)


def _client_of(executor: Executor) -> Any:  # noqa: ANN401 - of a library that need not be here
    """Give the client of Dask behind an executor, None for others'."""
    is_dasks = type(executor).__module__.startswith("distributed.")
    return getattr(executor, "_client", None) if is_dasks else None


def _workers_of(executor: Executor) -> int:
    """Tell how many items an executor works on at once; none says so in public."""
    client = _client_of(executor)
    if client is None:
        workers: int | None = getattr(executor, "_max_workers", None)
    else:
        try:
            workers = sum(client.nthreads().values())
        except Exception:  # noqa: BLE001 - it is closed, which each item will tell
            workers = None
    return workers or os.cpu_count() or 1


def _delivered(future: Future[object] | Exception, index: int, client: Any) -> object:  # noqa: ANN401 - as above
    """Wait for what an executor gives for an item: what `f` made, or else an `ItemLost`."""
    from concurrent.futures import CancelledError

    if isinstance(future, Exception):
        return ItemLost(index, text_of(future))
    while True:
        # A cluster that closes under its client leaves futures that are pending for ever.
        is_over = client is not None and client.status == "closed"
        try:
            # `result()` would raise, and exception, traceback, frame and future hold one another.
            failure = future.exception(0 if is_over else _LOOK_SECONDS)
        except CancelledError:
            return ItemLost(index, "it was cancelled")
        except TimeoutError:
            if is_over:
                return ItemLost(index, "the client is closed")
        else:
            if failure is not None:
                return ItemLost(index, text_of(failure))
            made = future.result()
            return made if client is None else _unpickled(cast("bytes | str", made), index)


def _traversed(
    executor: Executor,
    f: Callable[[A], Ok[T] | Err[E]],
    items: Iterator[A],
    ahead: int,
    caller: RawFrame,
) -> Iterator[Ok[T] | Err[E | ItemLost]]:
    waiting: deque[Future[object] | Exception] = deque()
    client = _client_of(executor)
    task = _Task(f, client)
    index = 0
    try:
        while True:
            for item in islice(items, ahead - len(waiting)):
                waiting.append(_submit(executor, task, item))
            if not waiting:
                return
            made = _delivered(waiting[0], index, client)
            waiting.popleft()  # only now: who is interrupted before cancels this one, too
            if isinstance(made, Ok | Err):
                yield cast("Ok[T] | Err[E]", made)
            elif isinstance(made, ItemLost):
                yield err_with(made, (None, caller))
            elif isinstance(made, _Raised):
                bug, made = made.exception, None
                try:
                    raise bug
                finally:
                    del bug  # its traceback holds this frame
            else:
                raise _not_a_result(made, f"traverse({name_of(f)})")
            index += 1
    finally:
        for future in waiting:
            if not isinstance(future, Exception):
                future.cancel()
