"""Interrupt resultflow and its peers at every place, and count what each leaves wrong.

A row is one way to acquire two things, use and release them, with one way for that to fail. Its
cells say at how many of the points there was a leak, a double release, a release in the wrong
order, a lost error, a lost signal, a lost handler. The modes:

signal: a signal at each place where CPython can run its handler;
pairs: a second one after it, at each n-th place;
timer: real signals from the kernel, at random times;
strict: an exception before each instruction of the combinator's own code, which no signal does.

Exits with 1 when a row of resultflow is not all zero. Excused are, in mode strict, all but `use`,
what was in flight at an instruction that no `try` covers, and a gate that such a moment leaves
behind (it is harmless, and gone with the next scope); and an Err that is returned from inside a
`with` block and lost to a signal after it, because no `with` can see it.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Literal, TypeAlias

import attrs
import returns
from returns.io import IOFailure, IOResult, IOSuccess
from returns.pipeline import managed
from returns.result import Result as PeerResult
from returns.result import Success
from returns.unsafe import unsafe_perform_io

from resultflow import Err, Exit, Ok, Resource, Result, _signals, resource
from resultflow.testing import InjectionReport, Kind, Ledger, Token, inject

KINDS: tuple[Kind, ...] = (
    "leak",
    "double release",
    "wrong order",
    "lost error",
    "lost signal",
    "lost handler",
)
MODES = ("signal", "pairs", "timer", "strict")
LIMIT = 10_000_000

Case: TypeAlias = Literal[
    "all goes well",
    "acquire: Err",
    "acquire raises",
    "body: Err",
    "body raises",
    "release: Err",
    "release raises",
]
CASES: tuple[Case, ...] = (
    "all goes well",
    "acquire: Err",
    "acquire raises",
    "body: Err",
    "body raises",
    "release: Err",
    "release raises",
)


class Step:
    """A thing to acquire and to release, each of which may fail.

    `acquire` and `release` are the token's own C code where they do not fail, so that what goes
    wrong is the doing of the code that calls them.
    """

    def __init__(self, ledger: Ledger, case: Case, name: str) -> None:
        self.token: Token = ledger.token(name)
        self.acquire: Callable[[], None] = self.token.acquire
        self.release: Callable[[], None] = self.token.release

        def fail() -> None:
            raise ledger.error(ValueError(f"acquire {name}"))

        def release_and_fail() -> None:
            self.token.release()
            raise ledger.error(ValueError(f"release {name}"))

        def acquire_for_resource() -> Result[str, str]:
            if case == "acquire: Err" and name == "b":
                return ledger.error(Err(f"acquire {name}"))
            self.acquire()
            return Ok(name)

        def release_for_resource(_: str, exit: Exit) -> Result[None, str]:  # noqa: A002, ARG001 - Release's shape
            self.release()
            if case == "release: Err":
                return ledger.error(Err(f"release {name}"))
            return Ok(None)

        if case == "acquire raises" and name == "b":
            self.acquire = fail
        if case == "release raises":
            self.release = release_and_fail
        self.resource = Resource.make(acquire_for_resource, release_for_resource)


class Work:
    """What every implementation is to do: acquire a, acquire b, run the body, release b and a."""

    def __init__(self, ledger: Ledger, case: Case) -> None:
        self._ledger = ledger
        self._case = case
        self.a = Step(ledger, case, "a")
        self.b = Step(ledger, case, "b")

    def body(self, *_: object) -> Result[int, str]:
        """Succeed, or fail in one of two ways."""
        if self._case == "body raises":
            raise self._ledger.error(ValueError("body"))
        if self._case == "body: Err":
            return self._ledger.error(Err("body"))
        return Ok(1)


def use_all(work: Work) -> object:
    """Acquire both in one scope."""
    return Resource.all_of([work.a.resource, work.b.resource]).use(work.body)


def use_nested(work: Work) -> object:
    """Have one scope inside the other."""
    return work.a.resource.use(lambda _: work.b.resource.use(work.body))


def use_composed(work: Work) -> object:
    """Make one resource of both, the second depending on the first."""
    chained = work.a.resource.and_then(lambda a: work.b.resource.map(lambda b: a + b))
    return chained.both(Resource.pure(1)).use(work.body)


def open_both(work: Work) -> object:
    """Acquire both for a `with` block."""
    with work.a.resource.both(work.b.resource).open():
        return work.body()


def open_nested(work: Work) -> object:
    """Have one `with` block inside the other."""
    with work.a.resource.open(), work.b.resource.open():
        return work.body()


def by_hand(work: Work) -> object:
    """Acquire, then try and finally."""
    work.a.acquire()
    try:
        work.b.acquire()
        try:
            return work.body()
        finally:
            work.b.release()
    finally:
        work.a.release()


class Manager:
    """A context manager that is a class."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def __enter__(self) -> None:
        """Acquire."""
        self.step.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release."""
        self.step.release()


def by_class(work: Work) -> object:
    """Have two context managers that are classes."""
    with Manager(work.a), Manager(work.b):
        return work.body()


def generate(step: Step) -> Generator[None]:
    """Acquire, yield in a try, release."""
    step.acquire()
    try:
        yield
    finally:
        step.release()


manage = contextmanager(generate)


def by_generator(work: Work) -> object:
    """Have two context managers that are generators."""
    with manage(work.a), manage(work.b):
        return work.body()


def by_callback(work: Work) -> object:
    """Register each release with an `ExitStack`."""
    with ExitStack() as stack:
        work.a.acquire()
        stack.callback(work.a.release)
        work.b.acquire()
        stack.callback(work.b.release)
        return work.body()


def by_stack(work: Work) -> object:
    """Enter context managers into an `ExitStack`."""
    with ExitStack() as stack:
        stack.enter_context(Manager(work.a))
        stack.enter_context(Manager(work.b))
        return work.body()


def in_container(step: Step) -> IOResult[Step, str]:
    """Acquire as the peer wants it."""
    step.acquire()
    return IOSuccess(step)


def released_container(step: Step, _: object) -> IOResult[None, str]:
    """Release as the peer wants it."""
    step.release()
    return IOSuccess(None)


# Its types hold only with its own mypy plugin.
untyped: Any = managed


def by_managed(work: Work) -> object:
    """Have the peer's pipeline inside another."""

    def body(_: Step) -> IOResult[int, object]:
        # Its failure holds the Err itself, so that the error can be followed.
        made = work.body()
        return IOSuccess(made.value) if isinstance(made, Ok) else IOFailure(made)

    def inner(_: Step) -> IOResult[int, object]:
        made: IOResult[int, object] = untyped(body, released_container)(in_container(work.b))
        return made

    outcome: PeerResult[int, object] = unsafe_perform_io(
        untyped(inner, released_container)(in_container(work.a))
    )
    return outcome.unwrap() if isinstance(outcome, Success) else outcome.failure()


IMPLEMENTATIONS: dict[str, Callable[[Work], object]] = {
    "Resource.use": use_all,
    "Resource.use, nested": use_nested,
    "Resource.use, composed": use_composed,
    "with Resource.open": open_both,
    "with Resource.open, nested": open_nested,
    "try, finally by hand": by_hand,
    "with, a class": by_class,
    "with, a @contextmanager": by_generator,
    "ExitStack.callback": by_callback,
    "ExitStack.enter_context": by_stack,
    "returns.pipeline.managed": by_managed,
}
# Whose results are Results; the others have the cases in which something is raised.
OWN_CASES: dict[bool, tuple[Case, ...]] = {
    True: CASES,
    False: tuple(case for case in CASES if case not in {"acquire: Err", "release: Err"}),
}
# Code of this file that stands for a combinator, as far as mode strict is concerned.
COMBINATORS = frozenset(
    function.__code__
    for function in (
        *(by_hand, by_class, by_generator, by_callback, by_stack, by_managed, generate),
        *(Manager.__enter__, Manager.__exit__),
    )
)
FOLDER = os.path.dirname(returns.__file__)  # noqa: PTH120 - compared with co_filename
# What resultflow runs between the two; an `Ok` that a user's acquire makes is not it.
FILES = frozenset({contextlib.__file__, resource.__file__, _signals.__file__})


def is_of_combinator(code: CodeType) -> bool:
    """Tell code that stands between a user's acquire and a user's release."""
    return code in COMBINATORS or code.co_filename in FILES or code.co_filename.startswith(FOLDER)


@attrs.frozen
class Row:
    """One line of the table."""

    implementation: str
    case: Case
    mode: str
    points: int
    runs: int
    faults: dict[str, int]
    uninterrupted: str
    first_bad: str

    def __str__(self) -> str:
        cells = " ".join(f"{self.faults[kind] or '.':>14}" for kind in KINDS)
        return (
            f"{self.implementation:<26} {self.case:<14} {self.mode:<6} {self.points:>7} {cells}"
            f"{'  BAD' if self.is_bad else ''}"
            f"{'  wrong without any interrupt' if self.uninterrupted else ''}"
        )

    @property
    def is_bad(self) -> bool:
        """Whether resultflow breaks a promise here."""
        if "Resource" not in self.implementation:
            return False
        excused: set[str] = set()
        if "with" in self.implementation:
            if self.mode == "strict":
                return False
            if self.case == "body: Err":
                excused.add("lost error")
        if self.mode == "strict":
            # No Python code can keep what is in flight at an instruction that no `try` covers,
            # such as the last one before a return.
            excused |= {"lost error", "lost handler"}
        return bool(self.uninterrupted) or any(
            count for kind, count in self.faults.items() if kind not in excused
        )


@attrs.frozen
class Job:
    """What one process does: the rows of one implementation in one case."""

    implementation: str
    case: Case
    modes: tuple[str, ...]
    stride: int
    hits: int


def rows_of(job: Job) -> list[Row]:
    """Measure one implementation in one case."""

    def scenario(ledger: Ledger) -> object:
        return IMPLEMENTATIONS[job.implementation](Work(ledger, job.case))

    # Strict comes last: it may leave anything behind in this process.
    arguments: dict[str, Callable[[], InjectionReport]] = {
        "signal": lambda: inject(scenario, limit=LIMIT),
        "pairs": lambda: inject(scenario, pairs=job.stride, limit=LIMIT),
        "timer": lambda: inject(scenario, mode="timer", hits=job.hits, limit=LIMIT),
        "strict": lambda: inject(scenario, mode="opcode", where=is_of_combinator, limit=LIMIT),
    }
    rows: list[Row] = []
    for mode in job.modes:
        report = arguments[mode]()
        rows.append(
            Row(
                job.implementation,
                job.case,
                mode,
                len(report.points),
                report.runs,
                {kind: report.count(kind) for kind in KINDS},
                ", ".join(map(str, report.uninterrupted)),
                str(report.bad[0]) if report.bad else "",
            )
        )
    return rows


def jobs_of(modes: tuple[str, ...], stride: int, hits: int, *, is_quick: bool) -> Iterator[Job]:
    """List what is to be measured; a quick run has pairs for two cases of resultflow only."""
    for name in IMPLEMENTATIONS:
        is_own = "Resource" in name
        for case in OWN_CASES[is_own]:
            has_pairs = not is_quick or (is_own and case in {"all goes well", "body raises"})
            chosen = tuple(mode for mode in modes if has_pairs or mode != "pairs")
            yield Job(name, case, chosen, stride, hits)


def number(text: str) -> int:
    """Read a positive number."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but is {text}")
    return int(text)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.injection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer pairs and hits")
    parser.add_argument("--hits", type=number, help="signals of mode timer, a row (2000; 300)")
    parser.add_argument("--stride", type=number, help="places between pairs (61)")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this; repeatable")
    parser.add_argument("--only", default="", help="only implementations with this in the name")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    parser.add_argument("--summary", action="store_true", help="print one line a mode")
    parser.add_argument("--jobs", type=number, default=os.cpu_count(), help="processes at a time")
    return parser.parse_args()


def main() -> int:
    """Print the table; 1 when resultflow breaks a promise."""
    options = arguments()
    modes = tuple(mode for mode in MODES if not options.mode or mode in options.mode)
    hits: int = options.hits or (300 if options.quick else 2000)
    stride: int = options.stride or 61
    jobs = [
        job
        for job in jobs_of(modes, stride, hits, is_quick=options.quick)
        if options.only in job.implementation
    ]
    version = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{version}; pairs with stride {stride}, {hits} hits of the timer; bad of points")
    print(f"{'':<26} {'':<14} {'':<6} {'points':>7} " + " ".join(f"{k:>14}" for k in KINDS))
    rows: list[Row] = []
    # Every job has a process of its own, in whose main thread it runs.
    with ProcessPoolExecutor(
        options.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as executor:
        for made in executor.map(rows_of, jobs):
            rows += made
            if not options.summary:
                print(*made, sep="\n", flush=True)
    for mode in modes:
        mine = [row for row in rows if row.mode == mode and "Resource" in row.implementation]
        if options.summary and mine:
            points = sum(row.points for row in mine)
            print(f"{mode:<6} {points:>9,} points, {sum(row.is_bad for row in mine)} rows bad")
    bad = [row for row in rows if row.is_bad]
    for row in bad:
        print(f"{row.implementation}, {row.case}, {row.mode}: {row.first_bad}")
    if options.json:
        text = json.dumps({"python": version, "rows": [attrs.asdict(row) for row in rows]})
        options.json.write_text(text + "\n", encoding="utf-8")
    print(f"{len(bad)} rows of resultflow are bad" if bad else "no row of resultflow is bad")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
