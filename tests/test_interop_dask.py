"""On a Dask cluster in this very process: what a worker holds, and a cluster that is lost."""

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import pytest
from distributed import Client, LocalCluster
from tests.children import until
from tests.workers import half, noted, notes

from resultflow import Err, Ok, Resource, Result, traverse
from resultflow.errors import ItemLost
from resultflow.interop.dask import (
    WorkerResource,
    _Held,  # pyright: ignore[reportPrivateUsage]  # to stop a task in it
)


@pytest.fixture(name="cluster")
def fixture_cluster() -> Iterator[LocalCluster]:
    """Run two workers with two threads each."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=False,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(name="client")
def fixture_client(cluster: LocalCluster) -> Iterator[Client]:
    """Be its client."""
    with Client(cluster) as client:
        yield client


def lost(result: Result[object, object]) -> ItemLost:
    """Give what became of an item that has no Result."""
    assert isinstance(result, Err)
    assert isinstance(result.error, ItemLost)
    return result.error


@pytest.mark.parametrize("what", ["the client", "the cluster", "the scheduler"])
def test_a_lost_cluster_is_an_err_for_each_item(cluster: LocalCluster, what: str) -> None:
    """Whatever closes while items are on their way: they are lost, and nothing hangs."""
    address = cluster.scheduler_address if what == "the scheduler" else cluster
    with Client(address, timeout=2) as client:
        results = traverse(client.get_executor(), half, count(), ahead=40)
        assert list(islice(results, 10)) == [half(number) for number in range(10)]
        (client if what == "the client" else cluster).close()
        later = list(islice(results, 60))
    known = [half(number) for number in range(10, 70)]
    assert [
        result if result == known[index] else lost(result).index - 10
        for index, result in enumerate(later)
    ] == [result if result == known[index] else index for index, result in enumerate(later)]
    assert all(lost(result).reason for result in later[-20:])
    left = traverse(client.get_executor(), half, range(2))
    assert [lost(result).index for result in left] == [0, 1]


def test_traverse_takes_its_measure_from_the_cluster(client: Client) -> None:
    """By default two items are on their way for each thread of the workers."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = traverse(client.get_executor(), half, items())
    assert next(results) == Ok(0)
    assert len(taken) == 8


def test_what_only_the_sender_can_open_is_an_err(client: Client) -> None:
    """A value that cannot be opened here costs its item."""

    def open_elsewhere(_: int) -> Ok[object]:
        return Ok(Elsewhere())

    reason = lost(next(traverse(client.get_executor(), open_elsewhere, [1]))).reason
    assert reason == "RuntimeError: not here"


def test_what_cannot_be_sent_is_an_err(client: Client) -> None:
    """A value that cannot be pickled costs its item, where Dask would ask for it for ever."""

    def lock(number: int) -> Ok[object]:
        return Ok(threading.Lock() if number == 1 else number)

    zero, locked, two = traverse(client.get_executor(), lock, range(3))
    assert (zero, two) == (Ok(0), Ok(2))
    assert lost(locked).reason == "TypeError: cannot pickle '_thread.lock' object"


class Elsewhere:
    """Cannot be opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Be opened by what raises."""
        return _refuse, ()


def _refuse() -> None:
    raise RuntimeError("not here")


def read(database: WorkerResource[int, Any]) -> Callable[[int], Result[int, object]]:
    """Make the function that uses what its worker holds."""

    def reader(_: int) -> Result[int, object]:
        return database.shared.use(Ok)

    return reader


def test_each_worker_acquires_once(client: Client, tmp_path: Path) -> None:
    """All items of a worker share one value, which is released when the cluster closes."""
    database = WorkerResource(noted(tmp_path), name="database")
    client.register_plugin(database)
    results = list(traverse(client.get_executor(), read(database), range(40)))
    assert results == [Ok(os.getpid())] * 40
    held = len(notes(tmp_path))
    assert held in {1, 2}
    client.unregister_worker_plugin("database")
    assert [note.split()[1] for note in notes(tmp_path)] == ["acquired"] * held + [
        "Succeeded"
    ] * held


def test_an_acquire_that_fails_is_the_err_of_its_item(client: Client, tmp_path: Path) -> None:
    """The next one tries again."""
    ready = tmp_path / "ready"

    def acquire() -> Result[int, str]:
        return Ok(1) if ready.exists() else Err("no database")

    database = WorkerResource(Resource.make(acquire, lambda value, exit: None), name="database")
    client.register_plugin(database)
    executor = client.get_executor()
    assert list(traverse(executor, read(database), range(4))) == [Err("no database")] * 4
    ready.touch()
    assert list(traverse(executor, read(database), range(4))) == [Ok(1)] * 4


@pytest.mark.parametrize("grace", [60, 0])
def test_the_release_waits_for_who_uses_it(
    cluster: LocalCluster, client: Client, tmp_path: Path, grace: float
) -> None:
    """It comes after the items that use the resource have ended, or after `grace`."""
    folder = tmp_path / "notes"
    folder.mkdir()
    database = WorkerResource(noted(folder), name="database", grace=grace)
    begun, go_on = tmp_path / "begun", tmp_path / "go on"

    def body(value: int) -> Ok[int]:
        begun.touch()
        until(go_on.exists, "the word to go on")
        return Ok(value)

    def released() -> bool:
        return any("Succeeded" in note for note in notes(folder))

    client.register_plugin(database)
    future = client.submit(lambda: database.shared.use(body))
    until(begun.exists, "the item")
    closing = threading.Thread(target=client.unregister_worker_plugin, args=("database",))
    closing.start()
    workers = cluster.workers.values()
    until(lambda: not any("database" in worker.plugins for worker in workers), "the beginning")
    if grace:
        assert not released()
    else:
        until(released, "the release")
    go_on.touch()
    closing.join(30)
    assert released()
    assert future.result() == Ok(os.getpid())


def test_another_one_of_that_name_replaces_it(client: Client, tmp_path: Path) -> None:
    """The first is released before the second is there."""
    for name in ("one", "two"):
        database = WorkerResource(noted(tmp_path, name), name="database")
        client.register_plugin(database)
        assert next(traverse(client.get_executor(), read(database), [0])).is_ok()
    assert [note.split()[:2] for note in notes(tmp_path)] == [
        ["one", "acquired"],
        ["two", "acquired"],
        ["one", "Succeeded"],
    ]


def test_who_does_not_hold_it_is_told_so(client: Client) -> None:
    """To forget the registration is a bug, and so is to ask outside of a task."""
    database: WorkerResource[int, str] = WorkerResource(Resource.pure(1), name="database")
    with pytest.raises(LookupError, match="no worker that holds the resource 'database': use it"):
        list(traverse(client.get_executor(), read(database), [0]))
    with pytest.raises(LookupError, match=r"in a task, after client\.register_plugin"):
        read(database)(0)


def test_what_was_released_is_not_acquired_again(client: Client, tmp_path: Path) -> None:
    """A task that had found it before it was taken away gets an error, not a new one."""
    database = WorkerResource(noted(tmp_path), name="database")
    client.register_plugin(database)
    found, go_on = threading.Event(), threading.Event()
    borrow = cast("Any", _Held).borrow

    def late(held: object) -> object:
        found.set()
        assert go_on.wait(30)
        return borrow(held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Held, "borrow", late)
        future = client.submit(lambda: database.shared.use(Ok))
        assert found.wait(30)
        client.unregister_worker_plugin("database")
        go_on.set()
        with pytest.raises(LookupError, match="released: its worker closes, or the plugin"):
            future.result()
    assert not notes(tmp_path)


def test_a_release_that_fails_is_logged(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is there to take the `Err`, so Dask's log has its report."""
    resource = Resource.make(lambda: Ok(1), lambda value, exit: Err("not flushed"))
    database = WorkerResource(resource, name="database")
    client.register_plugin(database)
    assert next(traverse(client.get_executor(), read(database), [0])) == Ok(1)
    monkeypatch.setattr(logging.getLogger("distributed.worker"), "level", logging.ERROR)
    with pytest.raises(Exception, match="not flushed"):
        client.unregister_worker_plugin("database")


def test_it_is_a_plain_value_that_is_checked() -> None:
    """It travels before it is used; what is no resource, or no time, is refused at once."""
    database: WorkerResource[int, str] = WorkerResource(Resource.pure(1), name="a", grace=3)
    assert pickle.loads(pickle.dumps(database)).grace == 3  # noqa: S301 - just made
    with pytest.raises(TypeError, match="WorkerResource takes a Resource, not 'database'"):
        WorkerResource(cast("Any", "database"), name="a")
    for name in (None, ""):
        with pytest.raises(TypeError, match=f"name must be text, but is {name!r}: say what"):
            WorkerResource(Resource.pure(1), name=cast("Any", name))
    for grace in (-1, float("nan"), float("inf"), "3", None):
        with pytest.raises(ValueError, match=f"grace={grace!r} is no time to wait: give seconds"):
            WorkerResource(Resource.pure(1), name="a", grace=cast("Any", grace))
