"""On a real Dask cluster every item has its Result, whatever becomes of the workers."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from dask import config as dask_config
from distributed import Client, LocalCluster, get_worker
from tests import travellers
from tests.children import lives, pids_in, until
from tests.process.programs import ROOT, UNMEASURED
from tests.travellers import ERRORS, KeywordError, give, give_caught
from tests.workers import die_at, die_once, half, have_a_child, noted, notes, use

from resultflow import Err, Ok, Result, traverse
from resultflow.errors import ItemLost
from resultflow.interop.dask import WorkerResource


@contextmanager
def cluster_of(workers: int, failures: int = 0) -> Generator[LocalCluster]:
    """Run a cluster whose workers are processes, unmeasured, since some of them are killed.

    A worker has one item at a time, and one that died with its worker is not tried again.
    """
    settings = {"allowed-failures": failures, "worker-saturation": 1.0}
    scheduler = {f"distributed.scheduler.{name}": value for name, value in settings.items()}
    with pytest.MonkeyPatch.context() as patch, dask_config.set(scheduler):
        for name in os.environ.keys() - UNMEASURED.keys():
            patch.delenv(name)
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield cluster


@pytest.fixture(name="cluster", scope="module")
def fixture_cluster() -> Iterator[LocalCluster]:
    """Share one cluster: to start one takes a second."""
    with cluster_of(2) as cluster:
        yield cluster


@pytest.fixture(name="client")
def fixture_client(cluster: LocalCluster) -> Iterator[Client]:
    """Have as many workers as the test needs."""
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def failed(result: Result[object, object]) -> Err[object]:
    """Give what must be an `Err`."""
    assert isinstance(result, Err)
    return result


def pids_of(client: Client) -> dict[str, int]:
    """Tell the process of each worker."""
    pids: dict[str, int] = client.run(os.getpid)
    return pids


def test_every_err_arrives_with_its_trace(client: Client) -> None:
    """Each error arrives, or what is left of it, with the lines of the worker and the causes."""
    for result in traverse(client.get_executor(), give, ERRORS):
        report = failed(result).report()
        assert {frame.file for frame in report.trace} == {travellers.__file__}
        assert [frame.function for frame in report.trace] == ["made", "give"]
        assert report.context == ("giving",)
    caught = failed(next(traverse(client.get_executor(), lambda _: give_caught(), [0])))
    assert isinstance(caught.error, KeywordError)
    assert "caused by FrozenError" in str(caught.report())


def test_an_error_class_without_a_global_name_is_the_same_class(client: Client) -> None:
    """Dask sends a function with the classes that it is made of, and so an `Err` comes back."""

    class LocalError(Exception):
        pass

    def fail(number: int) -> Err[LocalError]:
        return Err(LocalError(number)).context("failing")

    err = failed(next(traverse(client.get_executor(), fail, [1])))
    assert type(err.error) is LocalError
    assert err.error.args == (1,)
    assert err.report().context == ("failing",)


NOTEBOOK = """
import sys
import attrs
from distributed import Client
from resultflow import Err, Ok, traverse

@attrs.frozen
class JobLost:
    job: int

class JobRefused(Exception):
    def __init__(self, *, job):
        super().__init__(f"job {job}")

def run(job):
    if isinstance(job, Err):
        return Ok(type(job.error) is JobLost)
    if job == 2:
        raise JobRefused(job=job)
    return Err(JobLost(job))

with Client(sys.argv[1], set_as_default=False) as client:
    executor = client.get_executor()
    first, second = traverse(executor, run, [1, Err(JobLost(3))])
    assert first == Err(JobLost(1)) and type(first.error) is JobLost, first
    assert second == Ok(True), second
    try:
        list(traverse(executor, run, [2]))
    except JobRefused as exc:
        print(exc)
"""


def test_the_classes_of_a_notebook_arrive_both_ways(cluster: LocalCluster, client: Client) -> None:
    """What `__main__` defines the workers cannot import; it comes and goes all the same."""
    del client  # it waited for the workers
    program = [sys.executable, "-c", NOTEBOOK, cluster.scheduler_address]
    done = subprocess.run(
        program, check=False, env=UNMEASURED, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "job 2\n"), done.stderr


def test_equal_items_are_each_an_item(client: Client) -> None:
    """Dask makes one call of equal ones, and this is not asked for here."""

    def count(_: str) -> Ok[int]:
        worker = cast("Any", get_worker())
        worker.counted = getattr(worker, "counted", 0) + 1
        return Ok(worker.counted)

    counted = [result.unwrap() for result in traverse(client.get_executor(), count, ["a"] * 10)]
    assert len(counted) == 10
    assert sum(1 for number in counted if number == 1) <= 2
    assert max(counted) >= 5


@pytest.mark.parametrize(
    ("word", "out"), [("LocalCluster", "Ok([0, 1, 2, 3, 4])"), ("sqlite3", "Ok([0, 2, 4])")]
)
def test_the_programs_of_the_page_run(tmp_path: Path, word: str, out: str) -> None:
    """What the page shows and cannot run in a test does what it says as a program."""
    page = (ROOT / "docs/how-to/distribute.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    program = tmp_path / "program.py"
    program.write_text(blocks[0] + next(block for block in blocks if word in block))
    done = subprocess.run(
        [sys.executable, program],
        check=False,
        env=UNMEASURED,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, out), done.stderr


def test_a_bug_is_raised(client: Client, tmp_path: Path) -> None:
    """What a worker raises is raised here in its turn, and says where it arose."""
    results = traverse(client.get_executor(), use, [(tmp_path, "ok"), (tmp_path, "raise")])
    assert next(results) == Ok("ok")
    with pytest.raises(ZeroDivisionError, match="a bug") as caught:
        next(results)
    assert "in interrupted" in caught.value.__notes__[0]


def test_what_cannot_be_sent_is_an_err(client: Client) -> None:
    """An item or a value that does not travel costs its item; the others go on."""

    def lock(number: int) -> Ok[object]:
        return Ok(threading.Lock() if number == 1 else number)

    lost = failed(next(traverse(client.get_executor(), Ok, cast("Any", [threading.Lock()]))))
    assert isinstance(lost.error, ItemLost)
    zero, locked, two = traverse(client.get_executor(), lock, range(3))
    assert (zero, two) == (Ok(0), Ok(2))
    assert isinstance(failed(locked).error, ItemLost)


def test_a_killed_worker_costs_its_item_alone(client: Client) -> None:
    """The item that kills its worker is an `Err`; the others have their Results, in order."""
    results = list(traverse(client.get_executor(), die_at, range(20)))
    killed = failed(results[5]).error
    assert isinstance(killed, ItemLost)
    assert killed.index == 5
    assert killed.reason.startswith("KilledWorker: ")
    assert [*results[:5], *results[6:]] == [half(number) for number in range(20) if number != 5]


def test_what_a_killed_worker_held_is_done_by_another(
    cluster: LocalCluster, client: Client, tmp_path: Path
) -> None:
    """Where Dask may try again, as it does by default, a worker that dies costs nothing."""
    cluster.scheduler.allowed_failures = 3
    try:
        results = list(
            traverse(client.get_executor(), die_once, [(tmp_path, n) for n in range(20)])
        )
    finally:
        cluster.scheduler.allowed_failures = 0
    assert (tmp_path / "died").exists()
    assert results == [half(number) for number in range(20)]


def test_what_a_worker_opens_is_released(client: Client, tmp_path: Path) -> None:
    """By the end of an item, `Ok`, `Err` or an exception, its resources are released."""
    results = traverse(client.get_executor(), use, [(tmp_path, "ok"), (tmp_path, "err")])
    assert list(results) == [Ok("ok"), Err("err")]
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(traverse(client.get_executor(), use, [(tmp_path, "raise")]))
    ends = [note.split()[1] for note in notes(tmp_path)]
    assert ends == ["acquired"] * 3 + ["Failed", "Raised", "Succeeded"]


def test_a_child_dies_with_its_worker(client: Client, tmp_path: Path) -> None:
    """A child process that an item started is gone when its worker is killed."""
    folder = tmp_path / "child"
    folder.mkdir()
    with Background(lambda: list(traverse(client.get_executor(), have_a_child, [folder]))) as run:
        until(lambda: bool(pids_in(folder)), "the child")
        (child,) = pids_in(folder)
        worker = int(Path("/proc", str(child), "stat").read_text().rpartition(")")[2].split()[1])
        assert worker in pids_of(client).values()
        os.kill(worker, 9)
        until(lambda: not lives(child), "the child is gone")
        (result,) = run()
    assert isinstance(failed(result).error, ItemLost)


class Background:
    """A function that runs in a thread while the test goes on."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.made: list[Any] = []
        self.thread = threading.Thread(target=lambda: self.made.append(function()))

    def __enter__(self) -> Callable[[], Any]:
        self.thread.start()
        return self.result

    def __exit__(self, *exc_info: object) -> None:
        self.thread.join(60)

    def result(self) -> Any:  # noqa: ANN401 - whatever that is
        """Wait for what it gives."""
        self.thread.join(60)
        return self.made[0]


def test_a_worker_that_retires_loses_nothing(tmp_path: Path) -> None:
    """What it works on ends, and releases; what it holds for all items is released as well."""
    database = WorkerResource(noted(tmp_path, "held"), name="database")

    def work(ending: str) -> Result[str, object]:
        return database.shared.use(lambda _: use((tmp_path, ending)))

    with cluster_of(2, failures=3) as cluster, Client(cluster) as client:
        client.register_plugin(database)
        executor = client.get_executor()
        endings = ["wait", "ok", "ok", "err", "ok"]
        with Background(lambda: list(traverse(executor, work, endings))) as run:
            until((tmp_path / "begun").exists, "an item that waits", 60)
            (tmp_path / "begun").unlink()
            busy = next(
                address
                for address, worker in cluster.scheduler.workers.items()
                if worker.processing
            )
            client.retire_workers([busy])
            (tmp_path / "go on").touch()
            assert run() == [Ok("wait"), Ok("ok"), Ok("ok"), Err("err"), Ok("ok")]
    (tmp_path / "go on").unlink()
    (tmp_path / "begun").unlink(missing_ok=True)
    assert not unreleased(tmp_path)
    held = [note for note in notes(tmp_path) if note.startswith("held acquired")]
    assert len(held) == len(set(held)) == 2


def unreleased(folder: Path) -> int:
    """Count what was acquired and not released."""
    acquired = sum("acquired" in note for note in notes(folder))
    return acquired - (len(notes(folder)) - acquired)


def test_a_worker_without_a_nanny_ends_by_sigterm(tmp_path: Path) -> None:
    """It works on what it has begun, and releases, before it ends; another one does the rest."""
    with cluster_of(0, failures=3) as cluster, Client(cluster) as client:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny"]
        command += ["--nthreads", "1", "--no-dashboard", cluster.scheduler_address]
        workers = [
            subprocess.Popen(command, env=UNMEASURED, cwd=ROOT, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        try:
            client.wait_for_workers(2, timeout=60)
            items = [(tmp_path, ending) for ending in ("wait", "ok", "err")]
            with Background(lambda: list(traverse(client.get_executor(), use, items))) as run:
                until((tmp_path / "begun").exists, "an item that waits", 60)
                acquired = next(note for note in notes(tmp_path) if "acquired" in note)
                busy = next(worker for worker in workers if str(worker.pid) in acquired)
                busy.terminate()
                until(lambda: len(cluster.scheduler.workers) == 1, "it says goodbye")
                (tmp_path / "go on").touch()
                assert busy.wait(60) == 0
                assert run() == [Ok("wait"), Ok("ok"), Err("err")]
        finally:
            for worker in workers:
                worker.terminate()
                worker.wait(60)
    (tmp_path / "go on").unlink()
    (tmp_path / "begun").unlink()
    assert not unreleased(tmp_path)


def test_a_cluster_leaves_nothing_behind() -> None:
    """Processes, ports and threads of a cluster are gone when it is closed."""
    threads = set(threading.enumerate())
    with cluster_of(2) as cluster, Client(cluster) as client:
        assert list(traverse(client.get_executor(), half, range(4))) == [
            half(number) for number in range(4)
        ]
        pids = list(pids_of(client).values())
        port = int(cluster.scheduler_address.rpartition(":")[2])
    until(lambda: not any(map(lives, pids)), "the workers are gone")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    until(lambda: threads.issuperset(threading.enumerate()), "the threads are gone")
