"""Ask the same questions of resultflow and of its peers, and write the answers down as tables.

Every cell of docs/explanation/comparison.md is what a program said: type checkers about pairs of
programs that differ in one mistake, the libraries in an environment of their own, `.bench/peers`,
and processes that are interrupted or killed. `--write` puts the tables into the page; the tests
compare what can be had from the development environment alone with what stands there.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Never, NoReturn

from returns.io import IOFailure, IOResult, IOSuccess, impure_safe

from bench.injection import Case, Job, rows_of, untyped
from bench.pages import write_table
from bench.peers import NONE, PEERS, PROBES, QUESTIONS, LostError, answers, definitions, programs
from resultflow import Err, Exit, Ok, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

FOLDER = Path(".bench", "peers")
PAGE = Path("docs", "explanation", "comparison.md")
PINS = (
    "result==0.17.0",
    "returns==0.30.0",
    "expression==5.8.0",
    "corrode==1.0.0",
    "safe-result==4.0.3",
    "poltergeist==0.10.0",
    "outcome==1.3.0.post0",
)
# Those that the development environment has: their cells are checked by the tests.
HERE = ("resultflow", "result", "returns", "outcome", "exceptions")

# Type checkers

PLUGIN = "mypy with its plugin"
STATIC = ("mypy", "pyright", "ty", "pyrefly")
# Checks that strict mode leaves off and that find one of the mistakes: the cell names them.
OPTIONS = {"mypy": "truthy-bool", "pyright": "reportUnusedCallResult"}
REPORTED = re.compile(r"^(?:ERROR |(?=.*\berror[:\[])).*?(\w+)\.py:\d+(.*)$", re.MULTILINE)


def checkers(python: str, folder: Path) -> dict[str, list[str]]:
    """Give the command of each checker; the plugins each look at their own library only."""
    scripts = Path(sys.executable).parent
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
            "--enable-error-code", OPTIONS["mypy"], "--python-executable", python,
            "--cache-dir", os.devnull]  # fmt: skip
    commands = {
        "mypy": [*mypy, "--config-file="],
        "pyright": [sys.executable, "-m", "pyright", "--pythonpath", python, "-p", str(folder)],
        "ty": [str(scripts / "ty"), "check", "--python", python, "--output-format", "concise",
               "--color", "never"],
        "pyrefly": [str(scripts / "pyrefly"), "check", "--python-interpreter-path", python,
                    "--config", str(folder / "pyrefly.toml"), "--output-format", "min-text",
                    "--color", "never"],
    }  # fmt: skip
    config = folder / "plugins.ini"
    plugins = ", ".join(peer.plugin for peer in PEERS.values() if peer.plugin)
    config.write_text(f"[mypy]\nplugins = {plugins}\n", encoding="utf-8")
    return {**commands, PLUGIN: [*mypy, "--config-file", str(config)]}


def written(folder: Path, names: Iterable[str]) -> dict[tuple[str, str], tuple[str, str] | str]:
    """Write the programs down; give their names, or the reason why there are none."""
    asked: dict[tuple[str, str], tuple[str, str] | str] = {}
    for name in names:
        stem = name.replace("-", "_")
        (folder / f"defs_{stem}.py").write_text(definitions(name), encoding="utf-8")
        for number, question in enumerate(QUESTIONS):
            pair = programs(name, question)
            if isinstance(pair, str):
                asked[question, name] = pair
                continue
            asked[question, name] = files = f"{stem}_{number}_good", f"{stem}_{number}_bad"
            for file, text in zip(files, pair, strict=True):
                (folder / f"{file}.py").write_text(text, encoding="utf-8")
    # The programs of a peer have the same imports; one that is not needed is no mistake.
    settings = {
        "typeCheckingMode": "strict",
        "reportUnusedImport": False,
        OPTIONS["pyright"]: True,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "pyrefly.toml").touch()
    return asked


def checked(python: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Ask the checkers; give a cell for each question and each peer."""
    cells: dict[str, dict[str, str]] = {question: {} for question in QUESTIONS}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        asked = written(folder, names)
        commands = checkers(python, folder)

        def refused(checker: str) -> tuple[set[str], set[str]]:
            """Give the files in which a checker finds something, and those by an option alone."""
            files = [
                str(file)
                for name in names
                if checker != PLUGIN or PEERS[name].plugin
                for file in sorted(folder.glob(f"{name.replace('-', '_')}_*.py"))
            ]
            said = subprocess.run(
                [*commands[checker], *files],
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
                timeout=300,
            )
            reports: list[tuple[str, str]] = REPORTED.findall(said.stdout + said.stderr)
            by_option = {one for one in reports if any(map(one[1].count, OPTIONS.values()))}
            strict = {file for file, _ in set(reports) - by_option}
            return strict, {file for file, _ in by_option} - strict

        with ThreadPoolExecutor(2) as executor:
            found = dict(zip(commands, executor.map(refused, commands), strict=True))
    for (question, name), pair in asked.items():
        if isinstance(pair, str):
            cells[question][name] = f"{NONE} ({pair})"
        else:
            cells[question][name] = who(pair, found)
    return cells


def who(pair: tuple[str, str], found: dict[str, tuple[set[str], set[str]]]) -> str:
    """Say which checkers tell the programs apart, and which refuse them both."""
    good, bad = pair
    told = [one for one, (those, _) in found.items() if bad in those and good not in those]
    both = [one for one in STATIC if {good, bad} <= found[one][0]]
    if PLUGIN in told and "mypy" not in told:
        both = [one for one in both if one != "mypy"]
    elif PLUGIN in told:
        told.remove(PLUGIN)
    told += [
        f"{one} with `{rule}`"
        for one, rule in OPTIONS.items()
        if one not in told and bad in found[one][1] and good not in found[one][1]
    ]
    if not both:
        return _listed(told) or "nobody"
    refuse = f"{_listed(both)} {'refuses' if len(both) == 1 else 'refuse'} both programs"
    return f"{_listed(told)} ({refuse})" if told else refuse


def _listed(told: list[str]) -> str:
    return "all four" if told == list(STATIC) else ", ".join(told)


# What holds things

HOLDERS = {
    "`Resource.use`": "Resource.use",
    "`try`, `finally`": "try, finally by hand",
    "a class with `__exit__`": "with, a class",
    "`@contextmanager`": "with, a @contextmanager",
    "`ExitStack`": "ExitStack.enter_context",
    "`managed` of returns": "returns.pipeline.managed",
}


def _leaks(case: Case) -> Callable[[str], str]:
    def count(implementation: str) -> str:
        """Interrupt at every place where a signal's handler can run; count what stays held."""
        (row,) = rows_of(Job(implementation, case, ("signal",), 0, 0))
        if "leak" in row.uninterrupted:
            return "yes, with no signal at all"
        leaks = row.faults["leak"]
        return f"at {leaks} of {row.points} places" if leaks else "never"

    return count


class _Told:
    """What a release was told, and what was raised where."""

    def __init__(self, *, body: str) -> None:
        self.body = body
        self.exits: list[object] = []

    def work(self) -> Err[str]:
        """Fail as the case wants it."""
        if self.body == "raises":
            raise LostError("the body failed")
        return Err("the body failed")

    def release(self, exit: object, name: str) -> NoReturn:  # noqa: A002 - as a release's parameter
        """Note how the scope ended, and fail."""
        self.exits.append(exit)
        raise OSError(f"release {name} failed")


class _Manager:
    def __init__(self, told: _Told, name: str) -> None:
        self._told, self._name = told, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, exc: object, trace: object) -> None:
        self._told.release(exc, self._name)


@contextmanager
def _generated(told: _Told, name: str) -> Generator[None, None, None]:
    seen: BaseException | None = None
    try:
        yield
    except BaseException as exc:
        seen = exc
        raise
    finally:
        told.release(seen, name)


def _by_resource(told: _Told) -> object:
    def released(name: str, exit: Exit) -> None:  # noqa: A002 - as above
        told.release(exit, name)

    def acquired(name: str) -> Resource[str, Never]:
        return Resource.make(lambda: Ok(name), released)

    return acquired("a").both(acquired("b")).use(lambda _: told.work())


def _by_finally(told: _Told) -> object:
    try:
        try:
            return told.work()
        finally:
            told.release(None, "b")
    finally:
        told.release(None, "a")


def _by_class(told: _Told) -> object:
    with _Manager(told, "a"), _Manager(told, "b"):
        return told.work()


def _by_generator(told: _Told) -> object:
    with _generated(told, "a"), _generated(told, "b"):
        return told.work()


def _by_stack(told: _Told) -> object:
    with ExitStack() as stack:
        stack.enter_context(_Manager(told, "a"))
        stack.enter_context(_Manager(told, "b"))
        return told.work()


def _by_managed(told: _Told) -> object:
    def body(_: object) -> IOResult[object, object]:
        return IOFailure(told.work().error)

    def inner(_: object) -> IOResult[object, object]:
        made: IOResult[object, object] = untyped(body, released("b"))(IOSuccess(None))
        return made

    def released(name: str) -> Callable[[object, object], IOResult[Never, Exception]]:
        return lambda _, exit: impure_safe(told.release)(exit, name)  # noqa: A006 - as above

    return untyped(inner, released("a"))(IOSuccess(None))


SCOPES: dict[str, Callable[[_Told], object]] = dict(
    zip(
        HOLDERS,
        (_by_resource, _by_finally, _by_class, _by_generator, _by_stack, _by_managed),
        strict=True,
    )
)


def _kept(body: str) -> Callable[[str], str]:
    def count(holder: str) -> str:
        """Fail in the body and in both releases; count what the text of the outcome still has."""
        told = _Told(body=body)
        try:
            outcome: object = SCOPES[holder](told)
        except Exception as exc:  # noqa: BLE001 - whatever comes out is the outcome
            text = "".join(traceback.format_exception(exc))
            first = str(exc)
        else:
            text = str(outcome.report()) if isinstance(outcome, Err) else repr(outcome)
            first = text.partition("\n")[0]
        kept = sum(f"{what} failed" in text for what in ("the body", "release a", "release b"))
        if not told.exits:
            return f"{kept} of 3, no release runs"
        own = "the body's" if "the body" in first else "a release's"
        return f"{kept} of 3, {own} in front"

    return count


def _told(holder: str) -> str:
    if holder == "`try`, `finally`":
        return f"{NONE} (it is what one writes)"
    told = _Told(body="returns")
    with suppress(Exception):
        SCOPES[holder](told)
    # The first: one that comes later may be told of a release that failed before it.
    return "yes" if "the body failed" in repr(told.exits[0]) else "no"


def held(names: Iterable[str] = HOLDERS) -> dict[str, dict[str, str]]:
    """Ask what holds things; give a cell for each question and each holder."""
    asked: dict[str, Callable[[str], str]] = {
        "leaks when a signal's handler raises": lambda one: _leaks("all goes well")(HOLDERS[one]),
        "leaks when that happens and the body raises": lambda one: _leaks("body raises")(
            HOLDERS[one]
        ),
        "errors kept when the body raises and both releases fail": _kept("raises"),
        "errors kept when the body returns a failure and both releases fail": _kept("returns"),
        "a release is told that the body returned a failure": _told,
    }
    return {question: {holder: ask(holder) for holder in names} for question, ask in asked.items()}


# Processes

WATCHED = 5.0
PLAIN = "standard library"
# What the documentation of the two tells one to write where the first program does not do.
DAEMON = "a daemon thread"
SHIELDED = "`asyncio.shield`"
SCOPED = "a scope with `shield=True`"
CHILD = {
    "resultflow": """
from resultflow import Ok, subprocess_child
import time
def body(child):
    print(child.pid, flush=True)
    time.sleep(600)
    return Ok(None)
subprocess_child(["sleep", "600"]).use(body)
""",
    PLAIN: """
import subprocess, time
with subprocess.Popen(["sleep", "600"]) as child:
    print(child.pid, flush=True)
    time.sleep(600)
""",
    "anyio": """
import anyio
async def main():
    async with await anyio.open_process(["sleep", "600"], stdout=None) as child:
        print(child.pid, flush=True)
        await anyio.sleep(600)
anyio.run(main)
""",
}
STUCK = {
    "resultflow": """
import threading, time
from resultflow import Err, run
def main():
    threading.Thread(target=time.sleep, args=(600,)).start()
    return Err("over")
run(main, exit_code=lambda error: 3, grace=1)
""",
    PLAIN: """
import sys, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
sys.exit(3)
""",
    DAEMON: """
import sys, threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
sys.exit(3)
""",
    "anyio": """
import sys, time
from functools import partial
import anyio
async def main():
    async with anyio.create_task_group() as group:
        wait = partial(anyio.to_thread.run_sync, abandon_on_cancel=True)
        group.start_soon(wait, time.sleep, 600)
        await anyio.sleep(0.1)
        sys.exit(3)
anyio.run(main)
""",
}
CANCELLED = {
    "resultflow": """
from resultflow import Ok, aio
import anyio
async def acquire():
    return Ok(1)
async def release(value, exit):
    await anyio.sleep(0.5)
    print("released", flush=True)
async def body(value):
    await anyio.sleep(600)
    return Ok(None)
async def main():
    with anyio.move_on_after(0.05):
        await aio.Resource.make(acquire, release).use(body)
anyio.run(main, backend="asyncio")
""",
    PLAIN: """
import asyncio
async def work():
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.5)
        print("released", flush=True)
async def main():
    task = asyncio.create_task(work())
    for _ in range(2):
        await asyncio.sleep(0.02)
        task.cancel()
    await asyncio.wait([task])
asyncio.run(main())
""",
    SHIELDED: """
import asyncio
async def release():
    await asyncio.sleep(0.5)
    print("released", flush=True)
async def work():
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.shield(release())
async def main():
    task = asyncio.create_task(work())
    for _ in range(2):
        await asyncio.sleep(0.02)
        task.cancel()
    await asyncio.wait([task])
asyncio.run(main())
""",
    "anyio": """
from contextlib import AsyncExitStack
import anyio
async def release():
    await anyio.sleep(0.5)
    print("released", flush=True)
async def main():
    with anyio.move_on_after(0.05):
        async with AsyncExitStack() as stack:
            stack.push_async_callback(release)
            await anyio.sleep(600)
anyio.run(main)
""",
    SCOPED: """
from contextlib import AsyncExitStack
import anyio
async def release():
    with anyio.CancelScope(shield=True):
        await anyio.sleep(0.5)
        print("released", flush=True)
async def main():
    with anyio.move_on_after(0.05):
        async with AsyncExitStack() as stack:
            stack.push_async_callback(release)
            await anyio.sleep(600)
anyio.run(main)
""",
}


def _started(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[str]) -> None:
    """Leave nothing behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _is_alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in {"Z", "X"}


def orphan(program: str) -> str:
    """Does the child end when its parent is killed?"""
    process = _started(program)
    try:
        assert process.stdout  # noqa: S101 - for the types
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        end = time.monotonic() + WATCHED
        while _is_alive(child) and time.monotonic() < end:
            time.sleep(0.01)
        if not _is_alive(child):
            return "yes"
        os.kill(child, signal.SIGKILL)
        return f"no ({WATCHED:.0f} s watched)"
    finally:
        _ended(process)


def stuck(program: str) -> str:
    """Does the process end with status 3 while a thread does not?"""
    process = _started(program)
    try:
        status = process.wait(WATCHED)
    except subprocess.TimeoutExpired:
        return f"no ({WATCHED:.0f} s watched)"
    finally:
        _ended(process)
    return f"yes, with status {status}"


def cancelled(program: str) -> str:
    """Is what is printed at the end of the release printed?"""
    process = _started(program)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        _ended(process)
    return "yes" if "released" in said else "no"


def run_processes() -> dict[str, dict[str, str]]:
    """Ask what becomes of processes and tasks."""
    columns = ("resultflow", PLAIN, "anyio")
    ends = {name: stuck(STUCK[name]) for name in columns}
    ends[PLAIN] += f"; {DAEMON}: {stuck(STUCK[DAEMON])}"
    released = {name: cancelled(CANCELLED[name]) for name in columns}
    released[PLAIN] += f"; in {SHIELDED}: {cancelled(CANCELLED[SHIELDED])}"
    released["anyio"] += f"; in {SCOPED}: {cancelled(CANCELLED[SCOPED])}"
    return {
        "children end when the parent is killed with SIGKILL": {
            name: orphan(CHILD[name]) for name in columns
        },
        "the process ends in time while a thread does not": ends,
        "a release that awaits ends, though its task is cancelled again": released,
    }


# What it costs

TIMED = (
    "make an Ok",
    "map of an Err",
    "and_then, ten times",
    "safe, success",
    "five steps, all Ok",
    "five steps, the third an Err",
)


def dependencies(distribution: str) -> int:
    """Count the distributions that are installed with one, without extras."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    todo = [distribution]
    while todo:
        for text in importlib.metadata.requires(todo.pop()) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if (
                marker is None or marker.evaluate({"extra": ""})
            ) and requirement.name not in found:
                found.add(requirement.name)
                todo.append(requirement.name)
    return len(found)


def oldest(distribution: str) -> str:
    """Give the oldest Python that a distribution says it runs on."""
    said = importlib.metadata.metadata(distribution)["Requires-Python"]
    return said.partition(">=")[2].partition(",")[0].strip() or said


def import_seconds(imports: str) -> float:
    """Time some imports in fresh interpreters; the fastest counts."""
    clock = "time.process_time()"
    code = f"import time; start = {clock}\n{imports}\nprint({clock} - start)"
    return min(
        float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(20)
    )


def costs() -> dict[str, dict[str, str]]:
    """Measure what the peers cost, in the environment that has them all."""
    from bench.values import OPERATIONS, timed

    unit = import_seconds("import attrs")
    real = {name: peer for name, peer in PEERS.items() if peer.distribution}
    cells: dict[str, dict[str, str]] = {
        "version": {
            name: importlib.metadata.version(one.distribution) for name, one in real.items()
        },
        "oldest Python": {name: oldest(one.distribution) for name, one in real.items()},
        "dependencies at run time": {
            name: str(dependencies(one.distribution)) for name, one in real.items()
        },
        "import of all that is used here, in times of attrs": {
            name: f"{import_seconds(one.imports) / unit:.1f}" for name, one in real.items()
        },
    }
    for operation in OPERATIONS:
        if operation.title in TIMED:
            known = [name for name in PEERS if name.lower() in operation.rivals]
            ns = timed({n: operation.rivals[n] for n in ("bare", *map(str.lower, known))}, 20)
            cells[f"{operation.title}, in times of bare tuples"] = {
                name: f"{ns[name.lower()] / ns['bare']:.1f}" for name in known
            }
    return cells


# The tables


def runtime(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Ask the libraries themselves."""
    by_name = {name: answers(name) for name in names}
    return {question: {name: by_name[name][question] for name in by_name} for question in PROBES}


def here() -> dict[str, dict[str, dict[str, str]]]:
    """Fill what needs no other environment than this one, and nobody to watch the clock.

    On another Python than that of the page, resultflow alone is asked: it must say the same.
    """
    here = ".".join(map(str, sys.version_info[:2]))
    is_same = f"Measured on CPython {here}" in PAGE.read_text(encoding="utf-8")
    names = HERE if is_same else HERE[:1]
    return {
        "checkers": checked(sys.executable, names),
        "run time": runtime(names),
        "scopes": held(HOLDERS if is_same else ["`Resource.use`"]),
    }


def interpreter() -> str:
    """Give the Python of an environment that has all the peers; made once."""
    folder = FOLDER / f"{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    if not (folder / "made").exists():
        subprocess.run(
            [*uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True
        )
        subprocess.run(
            [
                *uv,
                "pip",
                "install",
                "-q",
                "--python",
                python,
                "attrs",
                "setuptools",
                "packaging",
                *PINS,
            ],
            check=True,
        )
        (folder / "made").touch()
    subprocess.run(
        [*uv, "pip", "install", "-q", "--offline", "--no-build-isolation", "--no-deps",
         "--python", python, "--editable", "."],
        check=True,
    )  # fmt: skip
    return str(python)


def layout(cells: dict[str, dict[str, str]], columns: Iterable[str]) -> str:
    """Lay a table out in Markdown."""
    names = list(columns)
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [
        f"| {question} | {' | '.join(row.get(name, NONE) for name in names)} |"
        for question, row in cells.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the tables, or what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.comparison",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument(
        "--here", action="store_true", help="what needs no other environment: JSON"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(here()))
        return 0
    if given.inside:
        print(json.dumps({"run time": runtime(PEERS), "cost": costs()}))
        return 0
    python = interpreter()
    inside = subprocess.check_output([python, "-m", "bench.comparison", "--inside"], text=True)
    tables: dict[str, dict[str, dict[str, str]]] = {
        "checkers": checked(str(Path(python).absolute()), PEERS),
        **json.loads(inside),
        "scopes": held(),
        "processes": run_processes(),
    }
    for name, cells in tables.items():
        columns = dict.fromkeys(column for row in cells.values() for column in row)
        order = [one for one in (*PEERS, *HOLDERS, PLAIN, "anyio") if one in columns]
        text = layout(cells, order)
        print(f"{name}\n\n{text}")
        if given.write:
            write_table(PAGE, name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
