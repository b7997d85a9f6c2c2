"""Many Results become one, lazily and in linear time; executors are used with care."""

import gc
import itertools
import pickle
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, cast

import pytest

from resultflow import (
    Err,
    Ok,
    Result,
    collect,
    collect_all,
    combine,
    combine_all,
    first_ok,
    ignore,
    partition,
    traverse,
)
from resultflow._collect import _raised, _Task  # pyright: ignore[reportPrivateUsage]
from resultflow.errors import ItemLost


def half(number: int) -> Result[int, str]:
    """Halve an even number."""
    return Err(f"{number} is odd") if number % 2 else Ok(number // 2)


FINE: list[Result[int, str]] = [Ok(1), Ok(2)]
MIXED: list[Result[int, str]] = [Ok(1), Err("x"), Ok(2), Err("y")]
LOST: list[Result[int, str]] = [Err("x"), Err("y")]
NONE: list[Result[int, str]] = []


def test_collect_gives_all_values_or_the_first_err() -> None:
    """The first `Err` wins, and is given as it is."""
    assert [collect(each) for each in (NONE, FINE)] == [Ok([]), Ok([1, 2])]
    assert collect(MIXED) is MIXED[1]


def test_collect_all_gives_all_values_or_all_errors() -> None:
    """Every error counts, in order."""
    assert [collect_all(each) for each in (NONE, FINE, MIXED)] == [
        Ok([]),
        Ok([1, 2]),
        Err(["x", "y"]),
    ]


def test_partition_splits() -> None:
    """Values and errors keep their order."""
    assert [partition(each) for each in (NONE, MIXED)] == [([], []), ([1, 2], ["x", "y"])]


def test_first_ok_gives_the_first_ok_or_all_errors() -> None:
    """The first `Ok` wins, and is given as it is."""
    assert first_ok(MIXED) is MIXED[0]
    assert [first_ok(each) for each in (LOST, NONE)] == [Err(["x", "y"]), Err([])]


def test_combine_gives_a_tuple_or_the_first_err() -> None:
    """Any number of Results is combined, of any types."""
    assert [combine(), combine(Ok(1)), combine(*[Ok(n) for n in range(9)])] == [
        Ok(()),
        Ok((1,)),
        Ok(tuple(range(9))),
    ]
    assert combine(Ok("a"), *MIXED) is MIXED[1]


def test_combine_all_gives_a_tuple_or_all_errors() -> None:
    """Every error counts, in order."""
    assert combine_all(Ok(1), Ok("a")) == Ok((1, "a"))
    assert combine_all(*MIXED) == Err(["x", "y"])


def test_nothing_is_pulled_after_the_answer_is_known() -> None:
    """`collect` stops at the first `Err`, `first_ok` at the first `Ok`: both take endless ones."""
    assert collect(half(n) for n in itertools.count()) == Err("1 is odd")
    assert first_ok(half(n) for n in itertools.count(1)) == Ok(1)


def test_a_gathered_err_is_from_where_it_was_gathered() -> None:
    """The trace of a new `Err` starts at the caller, not in the library."""
    gathered: list[Result[object, list[str]]] = [
        collect_all(LOST),
        first_ok(LOST),
        combine_all(*LOST),
    ]
    for result in gathered:
        assert isinstance(result, Err)
        assert [frame.file for frame in result.report().trace] == [__file__]


def test_a_million_results() -> None:
    """1,000,000 Results take time and memory in proportion to their number."""
    many = 1_000_000
    fine: Result[int, str] = Ok(1)
    lost: Result[int, str] = Err("x")
    spent: list[float] = []
    for count in (many // 10, many):
        start = time.process_time()
        assert collect(itertools.repeat(fine, count)).map(len) == Ok(count)
        assert collect_all(itertools.repeat(lost, count)).map_err(len) == Err(count)
        assert first_ok(itertools.repeat(lost, count)).map_err(len) == Err(count)
        values, errors = partition(itertools.islice(itertools.cycle([fine, lost]), count))
        assert len(values) == len(errors) == count // 2
        spent.append(time.process_time() - start)
    # Linear is 10; a quadratic one would be 100.
    assert spent[1] / spent[0] < 40


def test_a_lazy_iterable_is_never_held_as_a_whole() -> None:
    """The memory that `collect` takes is that of its list."""
    count = 50_000
    tracemalloc.start()
    try:
        result = collect(Ok(None) for _ in range(count))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.is_ok()
    assert peak < count * 8 * 2.5


# Bad input

TAKERS: dict[str, Callable[[Any], object]] = {
    "collect": collect,
    "collect_all": collect_all,
    "partition": partition,
    "first_ok": first_ok,
    "combine": lambda results: combine(*results),
    "combine_all": lambda results: combine_all(*results),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_what_is_no_result_is_refused(taker: str) -> None:
    """An item that is no Result is a `TypeError` that names it and says what to write."""
    with pytest.raises(TypeError) as caught:
        TAKERS[taker]([Err("x"), 5] if taker == "first_ok" else [Ok(1), 5])
    assert str(caught.value) == f"{taker} takes Results, not 5: wrap it in Ok(...) or Err(...)"


@pytest.mark.parametrize("taker", ["collect", "collect_all", "partition", "first_ok"])
def test_a_single_result_is_refused(taker: str) -> None:
    """An `Err` yields nothing when it is iterated, so it must not be taken for an empty list."""
    with pytest.raises(TypeError) as caught:
        TAKERS[taker](Err("x"))
    text = f"{taker} takes an iterable of Results, not Err('x'): put it in a list"
    assert str(caught.value) == text


# On an executor


class Here(Executor):
    """Runs at once what is submitted, and counts."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Run it."""
        self.submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as exc:  # noqa: BLE001 - as executors do
            future.set_exception(exc)
        return future


class Losing(Here):
    """Gives something else for the second item."""

    def __init__(self, other: Future[Any]) -> None:
        super().__init__()
        self.other = other

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Run it, or lose it."""
        future = super().submit(fn, *args, **kwargs)
        return self.other if self.submitted == 2 else future


def test_traverse_keeps_the_order() -> None:
    """The Results come in the order of the items, whichever is ready first."""
    released = threading.Event()

    def work(number: int) -> Result[int, str]:
        if number:
            released.set()
        else:
            assert released.wait(30)
        return half(number)

    with ThreadPoolExecutor(2) as executor:
        assert list(traverse(executor, work, range(4))) == [
            Ok(0),
            Err("1 is odd"),
            Ok(1),
            Err("3 is odd"),
        ]


def test_traverse_and_collect() -> None:
    """What is given fits the functions that make one of many."""
    assert collect(traverse(Here(), half, [0, 2, 4])) == Ok([0, 1, 2])
    assert partition(traverse(Here(), half, [0, 1])) == ([0], ["1 is odd"])


def test_traverse_pulls_no_further_than_there_is_room() -> None:
    """Of an endless iterable only `ahead` items are on their way at once."""
    executor = Here()
    results = traverse(executor, half, itertools.count(), ahead=3)
    assert executor.submitted == 0
    assert next(results) == Ok(0)
    assert executor.submitted == 3
    assert next(results) == Err("1 is odd")
    assert executor.submitted == 4


def test_traverse_takes_its_measure_from_the_executor() -> None:
    """By default two items are on their way for each worker, or each processor."""
    with ThreadPoolExecutor(3) as executor:
        started: list[int] = []

        def work(number: int) -> Ok[int]:
            started.append(number)
            return Ok(number)

        results = traverse(executor, work, itertools.count())
        assert next(results) == Ok(0)
        cast("Any", results).close()
    assert len(started) <= 6
    here = Here()
    assert next(traverse(here, half, itertools.count())) == Ok(0)
    assert here.submitted >= 2


def test_traverse_that_is_left_early_cancels_what_waits() -> None:
    """Closing the iterator leaves no work behind that has not begun."""
    begun = threading.Event()
    go_on = threading.Event()
    seen: list[int] = []

    def work(number: int) -> Result[int, str]:
        seen.append(number)
        if number == 1:
            begun.set()
            assert go_on.wait(30)
        return half(number)

    with ThreadPoolExecutor(1) as executor:
        results = traverse(executor, work, range(9), ahead=9)
        assert next(results) == Ok(0)
        assert begun.wait(30)
        cast("Any", results).close()
        go_on.set()
    assert seen == [0, 1]


def test_a_bug_in_traverse_is_raised_in_its_turn() -> None:
    """What `f` raises comes out when the item's turn comes, and says where it arose."""

    def work(number: int) -> Result[float, str]:
        return Ok(1 / (2 - number))

    with ThreadPoolExecutor(2) as executor:
        results = traverse(executor, work, range(4))
        assert [next(results), next(results)] == [Ok(0.5), Ok(1.0)]
        with pytest.raises(ZeroDivisionError) as caught:
            next(results)
    assert "in work" in caught.value.__notes__[0]


def test_a_bug_in_traverse_leaves_no_cycle() -> None:
    """The exception dies without the collector."""

    class BugError(Exception):
        pass

    def work(_: int) -> Result[int, str]:
        raise BugError

    def caller(executor: Executor) -> weakref.ref[BaseException]:
        try:
            ignore(next(traverse(executor, work, [1])), reason="it raises")
        except BugError as exc:
            return weakref.ref(exc)
        raise AssertionError

    gc.disable()
    try:
        assert caller(Here())() is None
        with ThreadPoolExecutor(1) as executor:
            gone = caller(executor)
        assert gone() is None
    finally:
        gc.enable()


def test_traverse_needs_results() -> None:
    """A function that gives something else is refused by name, an exception included."""
    for made in (5, KeyError("x")):
        with pytest.raises(TypeError, match=r"^traverse\(.*echo\) takes Results, not "):
            next(traverse(Here(), cast("Any", _echo), [made]))


def _echo(item: object) -> object:
    return item


@pytest.mark.parametrize("ahead", [0, -1, 2.5, "3", 2**64])
def test_traverse_needs_room(ahead: Any) -> None:  # noqa: ANN401 - wrong ones, too
    """`ahead` is checked at the call, not at the first item."""
    with pytest.raises(ValueError, match=f"ahead must be a whole .* from 1 on, but is {ahead!r}"):
        traverse(Here(), half, [], ahead=ahead)


def test_traverse_needs_an_executor_and_a_function() -> None:
    """What is neither is refused at the call, and told what it might have been."""
    with pytest.raises(TypeError, match=r"executor=3 is no concurrent.*client.get_executor\(\)"):
        traverse(cast("Any", 3), half, [])
    with pytest.raises(TypeError, match="f must be callable, but is 3: give the function itself"):
        traverse(Here(), cast("Any", 3), [])


def test_an_executor_that_is_shut_down_is_an_err_for_each_item() -> None:
    """What was on its way comes, and what it no longer takes is lost, one by one."""
    with ThreadPoolExecutor(1) as executor:
        results = traverse(executor, half, itertools.count(), ahead=2)
        assert next(results) == Ok(0)
    reason = "RuntimeError: cannot schedule new futures after shutdown"
    assert list(itertools.islice(results, 3)) == [
        Err("1 is odd"),
        Err(ItemLost(2, reason)),
        Err(ItemLost(3, reason)),
    ]


def test_traverse_calls_what_has_no_name() -> None:
    """A callable object will do."""
    assert list(traverse(Here(), partial(half), [2])) == [Ok(1)]


def test_a_cancelled_item_is_an_err() -> None:
    """Whoever else cancels a future, it costs its item only."""
    lost: Future[Any] = Future()
    lost.cancel()
    results = list(traverse(Losing(lost), half, [0, 2, 4]))
    assert results == [Ok(0), Err(ItemLost(1, "it was cancelled")), Ok(2)]
    err = results[1]
    assert isinstance(err, Err)
    assert [frame.file for frame in err.report().trace] == [__file__]


def test_who_is_interrupted_leaves_nothing_that_waits() -> None:
    """The item whose turn it is may not have begun either, and it is cancelled like the others."""

    class Interrupting(Future[Any]):
        def exception(self, timeout: float | None = None) -> NoReturn:
            raise KeyboardInterrupt

    waited_for = Interrupting()
    results = traverse(Losing(waited_for), half, [0, 2, 4])
    assert next(results) == Ok(0)
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert waited_for.cancelled()


def test_a_failure_of_the_executor_is_an_err() -> None:
    """What the executor itself raises for an item is that item's `Err`."""
    lost: Future[Any] = Future()
    lost.set_exception(OSError("no worker"))
    results = list(traverse(Losing(lost), half, [0, 2, 4]))
    assert results == [Ok(0), Err(ItemLost(1, "OSError: no worker")), Ok(2)]


def test_a_broken_executor_is_an_err_for_each_item() -> None:
    """An executor that takes no more work costs the items that it did not take."""

    def refuse() -> NoReturn:
        raise CancelledError

    with ThreadPoolExecutor(1, initializer=refuse) as executor:
        results = list(traverse(executor, half, [0, 2, 4, 6, 8], ahead=1))
        left_early = traverse(executor, half, itertools.count(), ahead=3)
        assert next(left_early).is_err()
        cast("Any", left_early).close()
    assert [result.map_err(lambda lost: cast("ItemLost", lost).index) for result in results] == [
        Err(index) for index in range(5)
    ]


def test_what_is_raised_in_a_process_arrives_with_its_place() -> None:
    """An exception that crosses a pipe says where it was raised; a stand-in is raised too."""

    def fail(text: str) -> NoReturn:
        raise KeyError(text, lambda: 0)

    arrived = pickle.loads(pickle.dumps(_Task(fail, None)("x")))  # noqa: S301 - just made
    assert type(arrived.exception) is KeyError
    assert __file__ in arrived.exception.__notes__[0]
    stand_in = _raised((b"", "jobs.JobError", "JobError()"))
    assert isinstance(stand_in.exception, RuntimeError)
    assert "kind='jobs.JobError'" in str(stand_in.exception)
