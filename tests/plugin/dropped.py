"""Callables whose Result the receiver drops."""

import atexit
import functools
import inspect
import signal
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from threading import Thread, Timer
from typing import Any, Protocol, TypeVar

from base import Lost, Store, fetch, load, plain
from resultflow import Err, Ok, Resource, Result, safe

F = TypeVar("F", bound=Callable[..., Any])


def run(action: Callable[[], object]) -> None:
    action()


def run_named(*, action: Callable[..., object]) -> None:
    action()


def run_all(*actions: Callable[[], object]) -> None: ...
async def run_async(action: Callable[[], Awaitable[object]]) -> None: ...
def kept(action: F) -> F:
    return action


def an_argument() -> None:
    run(load)  # E: dropped-result


def a_keyword() -> None:
    run_named(action=load)  # E: dropped-result


def many() -> None:
    run_all(plain, load)  # E: dropped-result


def a_lambda() -> None:
    run(lambda: load())  # E: dropped-result


def a_partial() -> None:
    run(partial(load))  # E: dropped-result


def a_method(store: Store[int]) -> None:
    run(store.save)  # E: dropped-result


def an_object(store: Store[int]) -> None:
    run(store)  # E: dropped-result


async def a_coroutine_function() -> None:
    await run_async(fetch)  # E: dropped-result


def a_thread() -> None:
    Thread(target=load).start()  # E: dropped-result


def a_timer() -> None:
    Timer(1, load).start()  # E: dropped-result


def at_exit() -> None:
    atexit.register(load)  # E: dropped-result


def an_exit_stack() -> None:
    with ExitStack() as stack:
        stack.callback(load)  # E: dropped-result


def a_loop(loop: AbstractEventLoop) -> None:
    loop.call_soon(load)  # E: dropped-result


def handle(number: int, frame: object) -> Result[int, Lost]:
    return Ok(number)


def a_signal_handler() -> None:
    signal.signal(signal.SIGTERM, handle)  # E: dropped-result


def an_overload(of: Overloads) -> None:
    of.run(load)  # E: dropped-result


class Overloads(Protocol):
    def run(self, action: Callable[[], object]) -> None: ...


class Holder:
    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action


def a_constructor() -> None:
    Holder(load)  # E: dropped-result


def an_attribute(holder: Holder) -> None:
    holder.action = load  # E: dropped-result


def a_name() -> None:
    action: Callable[[], object] = load  # E: dropped-result
    action()


def a_list() -> None:
    actions: list[Callable[[], object]] = [plain, load]  # E: dropped-result
    print(actions)


def a_dict() -> None:
    actions: dict[str, Callable[[], object]] = {"x": load}  # E: dropped-result
    print(actions)


def a_return() -> Callable[[], object]:
    return load  # E: dropped-result


def a_choice(flag: bool) -> Callable[[], object]:
    return load if flag else plain  # E: dropped-result


def an_item(receivers: list[Callable[[Callable[[], object]], None]]) -> None:
    receivers[0](load)  # E: dropped-result the receiver drops


class Base:
    def save(self) -> object:
        return None

    async def fetch(self) -> object:
        return None


class Override(Base):
    def save(self) -> Result[int, Lost]:  # E: dropped-result
        return load()

    async def fetch(self) -> Result[int, Lost]:  # E: dropped-result
        return await fetch()


def inspected() -> Result[int, Lost]:
    return load().inspect(lambda _: load())  # E: dropped-result


# Right


def not_a_result() -> None:
    run(plain)


def its_result_is_kept(executor: Executor) -> list[object]:
    return [executor.submit(load).result(), *map(safe(ValueError)(int), ["1"])]


def it_is_looked_at() -> object:
    return inspect.signature(load)


def decorated() -> object:
    return kept(load)


def chained() -> object:
    return load().and_then(lambda _: load()).or_else(lambda _: load())


def a_resource() -> object:
    return Resource.make(load, lambda value, exit: Err("not closed"))


def typed() -> Callable[[], Result[int, Lost]]:
    actions: list[Callable[[], Result[int, Lost]]] = [load]
    return actions[0]


def dynamic(receiver: Callable[..., Any], any_: Any) -> None:
    receiver(load)
    any_(load)


class Slot:
    @property
    def action(self) -> Callable[[], Result[int, Lost]]:
        return load

    @action.setter
    def action(self, action: Callable[[], object]) -> None: ...


def an_object_that_holds_them(slot: Slot) -> object:
    many: object = [load]
    named: object = {"x": load}
    slot.action = load
    return many, named


def a_class() -> bool:
    return isinstance(load(), Ok) or issubclass(Ok, Ok)


def finalizes(o: Store[int]) -> None:
    weakref.finalize(o, load)  # E: dropped-result
    weakref.finalize(o, print)


@atexit.register
def at_the_end() -> Result[int, Lost]:  # E: dropped-result
    return Ok(1)


@atexit.register
def at_the_end_of_all() -> None: ...


def registers(action: Callable[[], object]) -> Callable[[], object]:
    return action


@registers
def is_registered() -> Result[int, Lost]:  # E: dropped-result
    return Ok(1)


@functools.cache
def is_kept() -> Result[int, Lost]:
    return Ok(1)


class Described:
    @property
    def state(self) -> object:
        return 1

    @functools.cached_property
    def last(self) -> object:
        return 1


class DescribedByResults(Described):
    @property
    def state(self) -> Result[int, Lost]:
        return Ok(1)

    @functools.cached_property
    def last(self) -> Result[int, Lost]:
        return Ok(1)
