"""Teardown after a bare yield, and what is none."""

import contextlib
import contextlib as aliased
import os
import shutil
import signal
import tempfile
import time
from asyncio import TaskGroup
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from contextlib import contextmanager as renamed
from io import StringIO
from pathlib import Path
from sqlite3 import Connection
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, BinaryIO

import pytest

from base import Store


class Thing:
    flag = False
    depth = 0
    data: dict[str, int] = {}
    stack: list[int] = []

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def commit(self) -> None: ...
    def removeObserver(self) -> None: ...
    async def aclose(self) -> None: ...
    def allow(self, *, flag: bool) -> None: ...
    def limit(self, n: int) -> int:
        return n

    @contextmanager
    def method(self) -> Generator[None]:
        self.start()
        yield  # E: unprotected-yield self.stop()
        self.stop()


count = 0


@contextmanager
def closes(path: str) -> Generator[BinaryIO]:
    file = open(path, "rb")
    yield file  # E: unprotected-yield file.close()
    file.close()


@contextlib.contextmanager
def by_the_module(thing: Thing) -> Generator[None]:
    yield  # E: unprotected-yield
    thing.stop()


@aliased.contextmanager
def by_an_alias(thing: Thing) -> Generator[None]:
    yield  # E: unprotected-yield
    thing.stop()


@renamed
def by_another_name(thing: Thing) -> Generator[None]:
    yield  # E: unprotected-yield
    thing.stop()


@asynccontextmanager
async def asynchronous(thing: Thing) -> AsyncGenerator[Thing]:
    yield thing  # E: unprotected-yield
    await thing.aclose()


@contextmanager
def restores_an_attribute(thing: Thing) -> Generator[None]:
    old = thing.flag
    thing.flag = True
    yield  # E: unprotected-yield thing.flag = old
    thing.flag = old


@contextmanager
def sets_a_flag_back(thing: Thing) -> Generator[None]:
    thing.flag = True
    yield  # E: unprotected-yield
    thing.flag = False


@contextmanager
def restores_an_item(thing: Thing) -> Generator[None]:
    saved, thing.data["x"] = thing.data["x"], 1
    yield  # E: unprotected-yield
    thing.data["x"] = saved


@contextmanager
def restores_a_global() -> Generator[None]:
    global count
    before = count
    count = 1
    yield  # E: unprotected-yield
    count = before


@contextmanager
def deletes_an_item(thing: Thing) -> Generator[None]:
    thing.data["x"] = 1
    yield  # E: unprotected-yield
    del thing.data["x"]


@contextmanager
def counts_down_again(thing: Thing) -> Generator[None]:
    thing.depth += 1
    yield  # E: unprotected-yield
    thing.depth -= 1


@contextmanager
def pops(thing: Thing) -> Generator[None]:
    thing.stack.append(1)
    yield  # E: unprotected-yield
    thing.stack.pop()


@contextmanager
def calls_the_opposite(thing: Thing) -> Generator[None]:
    thing.enable()
    yield  # E: unprotected-yield
    thing.disable()


@contextmanager
def calls_again_with_the_old_value() -> Generator[None]:
    old = os.getcwd()
    os.chdir("x")
    yield  # E: unprotected-yield
    os.chdir(old)


@contextmanager
def sets_a_handler_back() -> Generator[None]:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield  # E: unprotected-yield
    signal.signal(signal.SIGINT, old)


@contextmanager
def switches_on_again(connection: Connection) -> Generator[None]:
    connection.execute("PRAGMA foreign_keys=OFF")
    yield  # E: unprotected-yield
    connection.execute("PRAGMA foreign_keys=ON")


@contextmanager
def passes_the_opposite(thing: Thing) -> Generator[None]:
    thing.allow(flag=False)
    yield  # E: unprotected-yield
    thing.allow(flag=True)


@contextmanager
def camel_case(thing: Thing) -> Generator[None]:
    yield  # E: unprotected-yield
    thing.removeObserver()


@contextmanager
def in_a_loop_below(things: list[Thing]) -> Generator[None]:
    yield  # E: unprotected-yield
    for thing in things:
        if thing.flag:
            thing.stop()


@contextmanager
def in_a_branch(thing: Thing | None) -> Generator[None]:
    if thing is not None:
        yield  # E: unprotected-yield
    else:
        yield  # E: unprotected-yield
    os.unlink("x")


@contextmanager
def inside_of_a_with(thing: Thing) -> Generator[None]:
    with suppress(OSError):
        os.mkdir("x")
        yield  # E: unprotected-yield
        os.rmdir("x")


@contextmanager
def with_a_value(thing: Thing) -> Generator[int, object]:
    print((yield thing.depth))  # E: unprotected-yield
    thing.stop()


@contextmanager
def restores_what_was_read_with_its_type(thing: Thing) -> Generator[None]:
    old: bool = thing.flag
    thing.flag = True
    yield  # E: unprotected-yield
    thing.flag = old


@contextmanager
def tries_too_late(thing: Thing) -> Generator[None]:
    yield  # E: unprotected-yield
    try:
        thing.commit()
    finally:
        thing.stop()


# Right


@contextmanager
def protected(thing: Thing) -> Generator[None]:
    try:
        yield
    finally:
        thing.stop()


@contextmanager
def caught(thing: Thing) -> Generator[None]:
    try:
        yield
    except Exception:
        thing.stop()
        raise
    thing.stop()


@contextmanager
def commits(thing: Thing) -> Generator[None]:
    yield
    thing.commit()


@contextmanager
def asserts(thing: Thing) -> Generator[None]:
    thing.flag = False
    yield
    assert thing.flag
    print("fine")


@contextmanager
def measures(thing: Thing) -> Generator[None]:
    started = time.monotonic()
    yield
    thing.data["x"] = int(time.monotonic() - started)


@contextmanager
def says_how_it_went() -> Generator[dict[str, bool]]:
    outcome = {"success": False}
    yield outcome
    outcome["success"] = True


@contextmanager
def of_a_local() -> Generator[StringIO]:
    buffer = StringIO()
    yield buffer
    buffer.close()
    del buffer


@asynccontextmanager
async def of_a_task_group() -> AsyncGenerator[TaskGroup]:
    async with TaskGroup() as group:
        yield group
        group.cancel()  # type: ignore[attr-defined]  # as anyio's and trio's have it


@asynccontextmanager
async def lifespan(thing: Thing) -> AsyncGenerator[None]:
    yield
    await thing.aclose()


@asynccontextmanager
async def of_an_application(app: object) -> AsyncGenerator[None]:
    thing = Thing()
    yield
    await thing.aclose()


@pytest.fixture
def a_fixture() -> Generator[Thing]:
    thing = Thing()
    yield thing
    thing.stop()


def no_manager(thing: Thing) -> Generator[None]:
    yield
    thing.stop()


@contextmanager
def returns_before(thing: Thing | None) -> Generator[None]:
    if thing is None:
        yield
        return
    try:
        yield
    finally:
        thing.stop()


@contextmanager
def a_function_below(thing: Thing) -> Generator[Any]:
    def done() -> None:
        thing.stop()

    yield done


@contextmanager
def nothing_after(store: Store[int]) -> Generator[Store[int]]:
    yield store


@contextmanager
def calls_what_has_no_name(thing: Thing, _: Any) -> Generator[None]:
    first, second = thing.stack
    yield
    _()
    print(first, second)


@contextmanager
def tells() -> Generator[None]:
    print("the light is off")
    yield
    print("the light is on")


@contextmanager
def executes_another(connection: Connection) -> Generator[None]:
    connection.execute("PRAGMA foreign_keys=OFF")
    yield
    connection.execute("PRAGMA optimize=ON")
    connection.execute("BEGIN")


@contextmanager
def waits(thing: Thing) -> Generator[None]:
    wanted = 3
    thing.limit(wanted)
    yield
    thing.limit(wanted)


@contextmanager
def silenced(thing: Thing) -> Generator[None]:
    yield  # type: ignore[unprotected-yield]
    thing.stop()


# What a directory takes with it


@contextmanager
def below_a_temporary_folder() -> Generator[str]:
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        yield path
        os.unlink(path)


@contextmanager
def inside_a_temporary_folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        for one in Path(folder).iterdir():
            one.unlink(missing_ok=True)


@contextmanager
def in_a_temporary_folder_that_has_a_name() -> Generator[None]:
    made = TemporaryDirectory()
    with made:
        path: Path = Path(made.name) / "x"
        yield
        shutil.rmtree(path / "y")


@contextmanager
def in_a_temporary_folder_of_a_stack() -> Generator[Path]:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        yield Path(folder)
        os.remove(f"{folder}/x")


@contextmanager
def a_temporary_file() -> Generator[str]:
    with NamedTemporaryFile() as file:
        yield file.name
        if (name := file.name).startswith("x"):
            os.remove(name)


@contextmanager
def a_temporary_file_that_is_kept() -> Generator[str]:
    with NamedTemporaryFile(delete=False) as file:
        yield file.name  # E: unprotected-yield os.unlink(file.name)
        os.unlink(file.name)


@contextmanager
def beside_a_temporary_folder(path: str) -> Generator[str]:
    with TemporaryDirectory() as folder:
        yield folder  # E: unprotected-yield os.unlink(path)
        os.unlink(path)


@contextmanager
def open_in_a_temporary_folder() -> Generator[BinaryIO]:
    with TemporaryDirectory() as folder:
        file = open(os.path.join(folder, "x"), "rb")
        yield file  # E: unprotected-yield file.close()
        file.close()


@contextmanager
def what_a_file_names(path: Path) -> Generator[str]:
    with path.open() as template:
        name = template.read()
        yield name  # E: unprotected-yield os.unlink(name)
        os.unlink(name)


# The parts of a try


@contextmanager
def in_the_else_of_a_try(thing: Thing) -> Generator[None]:
    try:
        thing.enable()
    except OSError:
        yield
    else:
        yield  # E: unprotected-yield thing.disable()
        thing.disable()


@contextmanager
def in_a_handler(thing: Thing) -> Generator[None]:
    try:
        thing.start()
    except OSError:
        yield  # E: unprotected-yield
        thing.stop()


@contextmanager
def in_a_finally(thing: Thing) -> Generator[None]:
    try:
        thing.start()
    finally:
        yield  # E: unprotected-yield
        thing.stop()


@contextmanager
def in_the_else_before_a_finally(thing: Thing) -> Generator[None]:
    try:
        thing.start()
    except OSError:
        yield
    else:
        yield
    finally:
        thing.stop()


@contextmanager
def in_a_try_around_another(thing: Thing) -> Generator[None]:
    try:
        try:
            thing.start()
        finally:
            yield
    finally:
        thing.stop()


@contextmanager
def all_is_suppressed(thing: Thing) -> Generator[None]:
    with suppress(Exception):
        yield
    thing.stop()


@contextmanager
def all_is_suppressed_too_late(thing: Thing) -> Generator[None]:
    with contextlib.suppress(BaseException):
        yield  # E: unprotected-yield
        thing.stop()


@contextmanager
def something_is_suppressed(thing: Thing) -> Generator[None]:
    with suppress(OSError):
        yield  # E: unprotected-yield
    thing.stop()


# What a group owns


async def poll() -> None: ...


class Server:
    group: Any

    @asynccontextmanager
    async def entered(self) -> AsyncGenerator[None]:
        async with TaskGroup() as self.group:
            yield
            self.group.cancel_scope.cancel()

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        async with TaskGroup() as group:
            self.group = group
            yield
            self.group.cancel_scope.cancel()

    @asynccontextmanager
    async def of_another(self, thing: Thing) -> AsyncGenerator[None]:
        async with TaskGroup() as self.group:
            yield  # E: unprotected-yield thing.stop()
            thing.stop()


@asynccontextmanager
async def of_a_task() -> AsyncGenerator[None]:
    async with TaskGroup() as group:
        task = group.create_task(poll())
        yield
        task.cancel()


@asynccontextmanager
async def of_a_task_of_nobody(loop: Any) -> AsyncGenerator[None]:
    async with TaskGroup():
        task = loop.create_task(poll())
        yield  # E: unprotected-yield
        task.cancel()
