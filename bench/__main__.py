"""Time scopes and the start of an interpreter: resultflow, bare Python and what else there is.

What is done with values is timed by `bench.values`. Figures of one run compare; figures of two
runs or two machines do not. Within a group the rivals take turns, so that a busy moment of the
machine hits them alike, and the fastest round of each counts: noise only ever adds.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from timeit import Timer
from types import TracebackType
from typing import Self

import attrs

from resultflow import Ok, Resource, Result

ROUND_SECONDS = 0.02


@attrs.frozen
class Rival:
    """One way to do the work of a group.

    Attributes:
        bound: how many times the first rival's time it may take; None: it is only shown.
    """

    name: str
    work: Callable[[], object]
    bound: float | None = None


class Lock:
    """A thing to acquire and release, as a context manager too."""

    held = False

    def __enter__(self) -> Self:
        """Acquire it."""
        self.held = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release it."""
        self.held = False


LOCK = Lock()


def acquired() -> Result[Lock, str]:
    """Acquire the lock."""
    LOCK.held = True
    return Ok(LOCK)


def released(lock: Lock, exit: object) -> None:  # noqa: A002, ARG001 - the shape of a release
    """Release the lock."""
    lock.held = False


resource = Resource.make(acquired, released)


def body(lock: Lock) -> Result[bool, str]:
    """Use the lock."""
    return Ok(lock.held)


def scope_by_hand() -> Result[bool, str]:
    """Acquire, use and release with `try` and `finally`."""
    lock = LOCK
    lock.held = True
    try:
        return body(lock)
    finally:
        lock.held = False


def scope_by_class() -> Result[bool, str]:
    """Acquire, use and release with a class that is a context manager."""
    with LOCK as lock:
        return body(lock)


@contextmanager
def locked() -> Generator[Lock]:
    """Hold the lock."""
    LOCK.held = True
    try:
        yield LOCK
    finally:
        LOCK.held = False


def scope_by_generator() -> Result[bool, str]:
    """Acquire, use and release with a generator that is a context manager."""
    with locked() as lock:
        return body(lock)


def scope_by_stack() -> Result[bool, str]:
    """Acquire, use and release with an `ExitStack`."""
    with ExitStack() as stack:
        return body(stack.enter_context(LOCK))


def scope_by_open() -> Result[bool, str]:
    """Acquire, use and release with `Resource.open`."""
    with resource.open() as lock:
        return body(lock)


ten = Resource.all_of([resource] * 10)


def ten_by_resource() -> object:
    """Hold ten by one `Resource`."""
    return ten.use(lambda locks: body(locks[0]))


def ten_by_stack() -> object:
    """Hold ten by one `ExitStack`."""
    with ExitStack() as stack:
        locks = [stack.enter_context(LOCK) for _ in range(10)]
        return body(locks[0])


def ten_by_class() -> object:
    """Hold ten by ten context managers."""
    with LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK as lock:
        return body(lock)


GROUPS = {
    "acquire, use, release": [
        Rival("try, finally", scope_by_hand),
        Rival("Resource.use", lambda: resource.use(body)),
        Rival("with, a class", scope_by_class),
        Rival("with, a @contextmanager", scope_by_generator),
        Rival("with, an ExitStack", scope_by_stack),
        Rival("with, Resource.open", scope_by_open),
    ],
    "ten of them": [
        Rival("with, a class", ten_by_class),
        Rival("Resource.all_of, use", ten_by_resource),
        Rival("with, an ExitStack", ten_by_stack),
    ],
}


def fastest(rivals: list[Rival], rounds: int) -> list[float]:
    """Give the seconds that one call of each rival takes, in its fastest round."""
    timers = [Timer(rival.work) for rival in rivals]
    calls = [max(1, int(ROUND_SECONDS / (timer.timeit(1000) / 1000))) for timer in timers]
    seconds = [
        [timer.timeit(count) / count for timer, count in zip(timers, calls, strict=True)]
        for _ in range(rounds)
    ]
    return [min(column) for column in zip(*seconds, strict=True)]


def start_seconds(statement: str, rounds: int) -> float:
    """Give the seconds that an interpreter takes to start, run a statement and end."""
    seconds: list[float] = []
    for _ in range(rounds):
        started = perf_counter()
        subprocess.run([sys.executable, "-I", "-c", statement], check=True)
        seconds.append(perf_counter() - started)
    return min(seconds)


def row(name: str, microseconds: float, ratio: float, bound: float | None) -> str:
    """Lay out one line of the table."""
    verdict = "" if bound is None else f"  at most {bound}: {'ok' if ratio <= bound else 'MISSED'}"
    return f"  {name:<32} {microseconds:>12,.2f} µs {ratio:>7.2f}{verdict}"


def main() -> int:
    """Print every group; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="make scopes SCOPES=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each (default: 15)")
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds must be at least 1, but is {rounds}")
    missed = False
    for title, rivals in GROUPS.items():
        print(title)
        seconds = fastest(rivals, rounds)
        for rival, taken in zip(rivals, seconds, strict=True):
            ratio = taken / seconds[0]
            missed |= rival.bound is not None and ratio > rival.bound
            print(row(rival.name, taken * 1e6, ratio, rival.bound), flush=True)
    print("python -I -c")
    first = start_seconds("pass", rounds)
    for statement in ("pass", "import attrs", "import resultflow", "import returns.result"):
        taken = start_seconds(statement, rounds)
        print(row(statement, taken * 1e6, taken / first, None), flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
