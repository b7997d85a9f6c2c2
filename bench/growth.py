"""Compose more and more resources, and tell what one of them costs: time and memory.

Time and memory per resource must not grow with their number; nor may a chain meet the recursion
limit. The verdict compares the largest number with the smallest, in one run.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from time import process_time

from resultflow import Ok, Resource, Result

SIZES = (500, 5_000, 50_000)
ROUNDS = 5
BOUND = 1.5


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
    """Print the table; 1 when something grows."""
    print(f"{'per resource, of':<18}" + "".join(f"{size:>14,}" for size in SIZES) + "  growth")
    grown = False
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
