"""A pool of processes survives whatever error its workers have."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from tests.travellers import ERRORS, KeywordError, give, give_caught, give_either

from resultflow import Err, Ok, Result, traverse
from resultflow.errors import ItemLost


@pytest.fixture(name="pool")
def fixture_pool() -> Iterator[ProcessPoolExecutor]:
    """Give a pool whose workers import what they need, as they do on every platform."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool


def failed(result: Result[object, object]) -> Err[object]:
    """Give what must be an `Err`."""
    assert isinstance(result, Err)
    return result


def test_a_pool_survives_every_error_and_the_trace_arrives(pool: ProcessPoolExecutor) -> None:
    """Each error arrives with its trace, and the pool still works after all of them."""
    assert pool.submit(give, "keyword").result(60).is_err()
    for name in ERRORS:
        report = failed(pool.submit(give, name).result(60)).report()
        assert [frame.function for frame in report.trace] == ["made", "give"], name
        assert report.context == ("giving",)
    error = failed(pool.submit(give, "homesick").result(60)).error
    assert "far from home" in repr(error)
    caught = failed(pool.submit(give_caught).result(60))
    assert isinstance(caught.error, KeywordError)
    assert caught.error.job == 3
    assert "caused by FrozenError" in str(caught.report())


def test_traverse_over_processes(pool: ProcessPoolExecutor) -> None:
    """Values, errors and what cannot be sent come each in its place; the pool goes on."""
    items = ["a", "fail keyword", "lock", "fail lock", "b"]
    a, keyword, lost, locked, b = traverse(pool, give_either, items)
    assert (a, b) == (Ok("a"), Ok("b"))
    assert isinstance(failed(keyword).error, KeywordError)
    assert failed(lost).error == ItemLost(2, "TypeError: cannot pickle '_thread.lock' object")
    assert "kind='_thread.lock'" in repr(failed(locked).error)


def test_traverse_raises_what_a_worker_raised(pool: ProcessPoolExecutor) -> None:
    """A bug is raised whatever it holds, says where it arose, and does not break the pool."""
    results = traverse(pool, give_either, ["a", "raise keyword"])
    assert next(results) == Ok("a")
    with pytest.raises(KeywordError) as caught:
        next(results)
    assert "in give_either" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="a worker of traverse raised Unpicklable"):
        next(traverse(pool, give_either, ["raise local"]))
    assert next(traverse(pool, give_either, ["b"])) == Ok("b")


def test_a_dead_worker_is_an_err(pool: ProcessPoolExecutor) -> None:
    """A worker that dies costs Results, and raises nothing."""
    results = list(traverse(pool, give_either, ["a", "die", "b"], ahead=1))
    assert results[0] == Ok("a")
    for index, result in enumerate(results[1:], 1):
        lost = failed(result).error
        assert isinstance(lost, ItemLost)
        assert lost.index == index
        assert lost.reason.startswith("BrokenProcessPool: ")
