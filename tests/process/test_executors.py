"""A pool of processes survives whatever error its workers have."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest
from tests import travellers
from tests.children import lives, pids_in, until
from tests.process.programs import UNMEASURED, Program
from tests.travellers import ERRORS, KeywordError, give, give_caught, give_either
from tests.workers import connect, die_at, half, is_connected, notes, use

from resultflow import Err, Ok, Result, traverse
from resultflow.errors import ItemLost

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(name="pool")
def fixture_pool() -> Iterator[ProcessPoolExecutor]:
    """Give a pool whose workers import what they need, as they do on every platform."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool


@pytest.fixture(name="context", params=["fork", "spawn", "forkserver"])
def fixture_context(request: pytest.FixtureRequest) -> BaseContext:
    """Start workers in each way that there is."""
    method: str = request.param
    return multiprocessing.get_context(method)


@pytest.fixture(name="environment")
def fixture_environment() -> dict[str, str]:
    """Have programs unmeasured that signals are sent to."""
    return UNMEASURED


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


def test_a_killed_worker_is_an_err(context: BaseContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed costs what was not ready, and raises nothing.

    The others of its pool end with it, so that every item that follows is lost as well.
    """
    for name in os.environ.keys() - UNMEASURED.keys():
        monkeypatch.delenv(name)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        results = list(traverse(pool, die_at, range(8), ahead=1))
    assert results[:5] == [half(number) for number in range(5)]
    assert len(results) == 8
    for index, result in enumerate(results[5:], 5):
        lost = failed(result).error
        assert isinstance(lost, ItemLost)
        assert lost.index == index
        assert lost.reason.startswith("BrokenProcessPool: ")


def test_an_err_tells_the_lines_of_its_worker(context: BaseContext) -> None:
    """However the workers are started: trace, context and the causes of an `Err` arrive."""
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        keyword, local = traverse(pool, give, ["keyword", "local"])
        caught = next(traverse(pool, _give_caught, [0]))
    for result in (keyword, local):
        report = failed(result).report()
        assert {frame.file for frame in report.trace} == {travellers.__file__}
        assert [frame.function for frame in report.trace] == ["made", "give"]
        assert report.context == ("giving",)
    assert "caused by FrozenError" in str(failed(caught).report())


def _give_caught(_: int) -> Result[int, object]:
    return give_caught()


def test_what_a_worker_opens_is_released(context: BaseContext, tmp_path: Path) -> None:
    """By the end of an item, `Ok`, `Err` or an exception, its resources are released."""
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        results = traverse(pool, use, [(tmp_path, ending) for ending in ("ok", "err", "raise")])
        assert [next(results), next(results)] == [Ok("ok"), Err("err")]
        with pytest.raises(ZeroDivisionError, match="a bug") as caught:
            next(results)
    assert "in interrupted" in caught.value.__notes__[0]
    ends = [note.split()[1] for note in notes(tmp_path)]
    assert ends == ["acquired"] * 3 + ["Failed", "Raised", "Succeeded"]


def test_what_a_worker_holds_is_released_when_its_pool_ends(
    context: BaseContext, tmp_path: Path
) -> None:
    """What an initializer allocates is released by each worker, before it ends."""
    pool = ProcessPoolExecutor(2, mp_context=context, initializer=connect, initargs=(tmp_path,))
    with pool:
        pids = {result.unwrap() for result in traverse(pool, is_connected, range(20))}
        assert [note.split()[1] for note in notes(tmp_path)] == ["acquired"] * len(notes(tmp_path))
    acquired = [note.split()[2] for note in notes(tmp_path) if "acquired" in note]
    released = [note.split()[2] for note in notes(tmp_path) if "Cancelled" in note]
    assert acquired == released
    assert {str(pid) for pid in pids} <= set(acquired)


POOL = """
    from concurrent.futures import ProcessPoolExecutor
    import itertools

    with ProcessPoolExecutor(2) as pool:
        for result in traverse(pool, work, itertools.count()):
            ignore(result, reason="they never end")
    return Ok(None)
"""

WORK = """
def work(number):
    pathlib.Path({folder!r}, str(os.getpid())).touch()
    {wait}
    return Ok(number)

run(main, grace={grace})
"""


@pytest.mark.parametrize(
    ("wait", "grace", "signum", "kill", "prefix"),
    [
        ("time.sleep(0.5)", 60, signal.SIGINT, os.killpg, ["setsid"]),
        ("time.sleep(0.1)", 60, signal.SIGTERM, os.kill, []),
        ("time.sleep(600)", 1, signal.SIGTERM, os.kill, []),
    ],
    ids=["Ctrl-C reaches the workers", "items end", "items do not end"],
)
def test_a_signal_ends_a_program_and_its_pool(  # noqa: PLR0913, PLR0917 - a row of the table
    start: Callable[..., Program],
    tmp_path: Path,
    wait: str,
    grace: float,
    signum: signal.Signals,
    kill: Callable[[int, int], None],
    prefix: list[str],
) -> None:
    """What no worker has taken is cancelled, the pool shuts down, and nobody is left."""
    folder = tmp_path / "workers"
    folder.mkdir()
    ending = WORK.format(folder=str(folder), wait=wait, grace=grace)
    program = start(POOL, ending, prefix)
    until(lambda: len(pids_in(folder)) == 2, "both workers at work", 60)
    kill(program.process.pid, signum)
    assert program.end() == -signum, program.err
    until(lambda: not any(map(lives, pids_in(folder))), "the workers are gone")
