"""Map over executors: what `traverse` costs beside their own `map`, with more and more items.

The processor's time of the calling process counts, with all its threads and, for Dask, its
scheduler: that is what sets how many items a second can be handed out at the most, and other
work on the machine hardly changes it. The function does nothing. The two take turns, and of each
the fastest round counts. The ratio must not grow with the number of items.
"""

import argparse
import logging
import multiprocessing
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from time import process_time

from distributed import Client, LocalCluster

from resultflow import Ok, Result, collect, traverse

WORKERS = 2
ROUNDS = 3
BATCH = 100
SIZES = (100, 1_000, 10_000)
BOUND = 2.0


def up(number: int) -> Result[int, str]:
    """Do nothing that takes time."""
    return Ok(number + 1)


def ups(numbers: range) -> Result[list[int], str]:
    """Do so for many."""
    return collect(map(up, numbers))


def mapped(executor: Executor, size: int) -> Iterable[Result[int, str]]:
    """Do it by the executor's own."""
    return executor.map(up, range(size))


def traversed(executor: Executor, size: int) -> Iterable[object]:
    """Do it by ours."""
    return traverse(executor, up, range(size))


def traversed_ahead(executor: Executor, size: int) -> Iterable[object]:
    """Do it by ours, with more items on their way."""
    return traverse(executor, up, range(size), ahead=BATCH)


def mapped_in_batches(executor: Executor, size: int) -> Iterable[Result[int, str]]:
    """Do it by the executor's own, many items at a time."""
    return executor.map(up, range(size), chunksize=BATCH)


def traversed_in_batches(executor: Executor, size: int) -> Iterable[object]:
    """Do it by ours, many items at a time."""
    batches = [range(start, min(start + BATCH, size)) for start in range(0, size, BATCH)]
    return traverse(executor, ups, batches)


def seconds(work: Callable[[Executor, int], Iterable[object]], of: Executor, size: int) -> float:
    """Time one round."""
    started = process_time()
    for _ in work(of, size):
        pass
    return process_time() - started


def row(
    name: str,
    executor: Executor,
    rival: Callable[[Executor, int], Iterable[object]],
    ours: Callable[[Executor, int], Iterable[object]],
    sizes: tuple[int, ...],
) -> bool:
    """Print a row; whether the ratio grew beyond its bound."""
    shown = ""
    ratios: list[float] = []
    for size in sizes:
        rounds = [
            (seconds(rival, executor, size), seconds(ours, executor, size)) for _ in range(ROUNDS)
        ]
        theirs, own = (min(times) / size * 1e6 for times in zip(*rounds, strict=True))
        ratios.append(own / theirs)
        shown += f"{theirs:>9,.1f}{own:>9,.1f}{ratios[-1]:>6.2f}"
    has_grown = ratios[-1] > BOUND * max(ratios[0], 1)
    print(f"{name:<28}{shown}{'  GREW' if has_grown else ''}", flush=True)
    return has_grown


def main() -> int:
    """Print the table; 1 when a ratio grows."""
    parser = argparse.ArgumentParser(prog="make executors EXECUTORS=...", description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number of items")
    most: int = parser.parse_args().most
    sizes = tuple(size for size in SIZES if size <= most)
    if not sizes:
        parser.error(f"--most must be at least {SIZES[0]}, but is {most}")
    print(f"{'µs an item: map, traverse, x':<28}" + "".join(f"{size:>24,}" for size in sizes))
    grown = False
    with ThreadPoolExecutor(WORKERS) as threads:
        grown |= row("threads", threads, mapped, traversed, sizes)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as processes:
        grown |= row("processes", processes, mapped, traversed, sizes)
        grown |= row("processes, ahead=100", processes, mapped, traversed_ahead, sizes)
        grown |= row(
            "processes, 100 at a time",
            processes,
            mapped_in_batches,
            traversed_in_batches,
            sizes,
        )
    with ExitStack() as stack:
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=WORKERS,
                threads_per_worker=1,
                dashboard_address=":0",
                silence_logs=logging.ERROR,
            )
        )
        client = stack.enter_context(Client(cluster))
        dask = client.get_executor(pure=False)
        few = sizes[:2]  # an item takes milliseconds
        grown |= row("Dask", dask, mapped, traversed, few)
        grown |= row("Dask, ahead=100", dask, mapped, traversed_ahead, few)
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
