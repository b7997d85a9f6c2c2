"""Do more and more of the same, and tell how the cost grows: time, and memory of resources.

Of what is done with values the exponent is fitted: the time for n of them is like n to that
power, from a hundred to a million. Time and memory per resource must not grow with their number
either; there the verdict compares the largest number with the smallest, in one run.
"""

import argparse
import gc
import sys
import tracemalloc
from collections.abc import Callable
from math import log
from time import process_time

from resultflow import Bind, Err, Ok, Resource, Result, collect, collect_all, do

SIZES = (500, 5_000, 50_000)
ROUNDS = 5
BOUND = 1.5
MANY = (100, 1_000, 10_000, 100_000, 1_000_000)
MOST_SECONDS = 1.0
EXPONENT = 1.05


def up(number: int) -> Result[int, str]:
    """Be a step of a chain."""
    return Ok(number + 1)


def chained(size: int) -> None:
    """Chain so many steps."""
    result = up(0)
    for _ in range(size):
        result = result.and_then(up)
    check(result == Ok(size + 1))


def collected(size: int) -> None:
    """Make one Result of so many."""
    check(collect(up(number) for number in range(size)).is_ok())


def collected_errors(size: int) -> None:
    """Make one Err of so many."""
    check(collect_all(Err(number) for number in range(size)).is_err())


@do
def down(bind: Bind[str], depth: int, last: Result[int, str]) -> int:
    """Nest so many blocks."""
    return bind(down(depth - 1, last)) + 1 if depth else bind(last)


def nested_blocks(size: int) -> None:
    """Return through so many nested blocks."""
    check(down(size, Ok(0)) == Ok(size))


def nested_returns(size: int) -> None:
    """Leave so many nested blocks early."""
    check(down(size, Err("no")) == Err("no"))


def in_context(size: int) -> None:
    """Add so many words, and read them."""
    err = Err("no")
    for _ in range(size):
        err = err.context("trying")
    check(len(err.report().context) == size)


def resources(size: int) -> None:
    """Acquire and release so many."""
    use(all_of(size))


def check(kept: bool) -> None:  # noqa: FBT001 - the one thing it is given
    """Refuse to time what went wrong."""
    if not kept:
        raise AssertionError


def seconds(work: Callable[[int], None], size: int) -> float:
    """Give the processor's time, the best of several rounds where they are short."""
    best = float("inf")
    spent = 0.0
    rounds = 0
    gc.disable()  # its passes over all that is there are not what is asked for
    while rounds < ROUNDS and spent < MOST_SECONDS:
        gc.collect()
        started = process_time()
        work(size)
        taken = process_time() - started
        best, spent, rounds = min(best, taken), spent + taken, rounds + 1
    gc.enable()
    return best


def exponent(times: dict[int, float]) -> float:
    """Fit a line through the logarithms."""
    points = [(log(size), log(taken)) for size, taken in times.items()]
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in points)
    return slope / sum((x - x_mean) ** 2 for x, _ in points)


def values(most: int) -> bool:
    """Print what is done with values; whether an exponent is too large."""
    sizes = [size for size in MANY if size <= most]
    print(f"{'µs for each, of':<18}" + "".join(f"{size:>12,}" for size in sizes) + "  exponent")
    missed = False
    for work in (
        *(chained, collected, collected_errors, nested_blocks, nested_returns, in_context),
        resources,
    ):
        times = {size: seconds(work, size) for size in sizes}
        power = exponent(times)
        missed |= power > EXPONENT
        row = "".join(f"{taken / size * 1e6:>12,.3f}" for size, taken in times.items())
        verdict = "ok" if power <= EXPONENT else "MISSED"
        print(f"{work.__name__:<18}{row}{power:>10.3f}, at most {EXPONENT}: {verdict}", flush=True)
    return missed


def numbered(number: int) -> Resource[int, str]:
    """Make one that costs next to nothing itself."""

    def acquire() -> Result[int, str]:
        return Ok(number)

    def release(_: int, exit: object) -> None:  # noqa: A002 - the shape of a release
        del exit

    return Resource.make(acquire, release)


def all_of(size: int) -> Resource[object, str]:
    """Compose them side by side."""
    return Resource.all_of(numbered(number) for number in range(size))


def and_then(size: int) -> Resource[object, str]:
    """Chain them, each after the one before."""
    chain = numbered(0)
    for _ in range(size - 1):
        chain = chain.and_then(lambda number: numbered(number + 1))
    return chain


def nested(size: int) -> Resource[object, str]:
    """Chain them, each inside the one before."""

    def onward(number: int) -> Resource[int, str]:
        made = numbered(number)
        return made if number == size - 1 else made.and_then(lambda n: onward(n + 1))

    return onward(0)


def mapped(size: int) -> Resource[object, str]:
    """Change the value of one again and again."""
    chain = numbered(0)
    for _ in range(size):
        chain = chain.map(lambda number: number + 1)
    return chain


def use(resource: Resource[object, str]) -> None:
    """Acquire and release what never fails."""
    outcome = resource.use(lambda _: Ok(None))
    if outcome != Ok(None):
        raise AssertionError(outcome)


def microseconds(make: Callable[[int], Resource[object, str]], size: int) -> float:
    """Give the processor's time to compose, acquire and release one of them."""
    best = float("inf")
    gc.disable()  # its passes over all that is there are not what is asked for
    for _ in range(ROUNDS):
        gc.collect()
        started = process_time()
        use(make(size))
        best = min(best, process_time() - started)
    gc.enable()
    return best / size * 1e6


def peak_bytes(make: Callable[[int], Resource[object, str]], size: int) -> float:
    """Give the memory that one of them takes while all are held."""
    gc.collect()
    tracemalloc.start()
    use(make(size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / size


def main() -> int:
    """Print the tables; 1 when something grows."""
    parser = argparse.ArgumentParser(prog="make growth GROWTH=...", description=__doc__)
    parser.add_argument(
        "--most", type=int, default=MANY[-1], help=f"the largest number (default: {MANY[-1]:,})"
    )
    most: int = parser.parse_args().most
    if most < MANY[1]:
        parser.error(f"--most must be at least {MANY[1]}, but is {most}")
    # Blocks nest as deep as functions do, which is as deep as the program lets them.
    sys.setrecursionlimit(4 * most)
    grown = values(most)
    print(f"{'per resource, of':<18}" + "".join(f"{size:>14,}" for size in SIZES) + "  growth")
    for make in (all_of, and_then, nested, mapped):
        for unit, measure in (("µs", microseconds), ("bytes", peak_bytes)):
            costs = [measure(make, size) for size in SIZES]
            growth = costs[-1] / costs[0]
            grown |= growth > BOUND
            row = "".join(f"{cost:>14,.2f}" for cost in costs)
            verdict = "ok" if growth <= BOUND else "MISSED"
            print(f"{make.__name__:<10}{unit:>8}{row}{growth:>8.2f}, at most {BOUND}: {verdict}")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
