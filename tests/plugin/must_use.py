"""Results that are thrown away, and Results that are not."""

import asyncio
import concurrent.futures
import functools
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import Executor
from threading import Lock
from typing import AnyStr, TypedDict, TypeVar, assert_type, cast

import pytest

from base import Lost, Saves, Store, awaitable, fetch, generic, load, load_many, maybe, opened
from base import opened_async, results
from resultflow import Err, Ok, Result, collect, ignore, is_ok, safe

T = TypeVar("T")
R = TypeVar("R", bound=Result[int, Lost])


# A statement


def call() -> None:
    load()  # E: unused-result


def call_of_ok() -> None:
    Ok(1)  # E: unused-result


def call_of_err() -> None:
    Err("x")  # E: unused-result


def call_of_optional() -> None:
    maybe()  # E: unused-result


def call_of_method(store: Store[int]) -> None:
    store.save()  # E: unused-result


def call_of_classmethod() -> None:
    Store.make()  # E: unused-result


def call_of_staticmethod() -> None:
    Store.drop()  # E: unused-result


class CallOfSuper(Store[int]):
    def save(self) -> Result[int, Lost]:
        super().save()  # E: unused-result
        return super().save()


def call_of_protocol(thing: Saves) -> None:
    thing.save()  # E: unused-result


def call_of_partial() -> None:
    functools.partial(generic, 1, Lost)()  # E: unused-result


def call_of_generic() -> None:
    generic("x", Lost)  # E: unused-result


def call_of_safe() -> None:
    safe(OSError)(open)("x")  # E: unused-result


@functools.lru_cache
def cached(key: int) -> Result[int, Lost]:
    return Ok(key)


def call_of_cached() -> None:
    cached(1)  # E: unused-result


def call_of_variable(action: Callable[[], Result[int, Lost]]) -> None:
    action()  # E: unused-result


def call_from_dict(actions: dict[str, Callable[[], Result[int, Lost]]]) -> None:
    actions["x"]()  # E: unused-result


def call_of_object(store: Store[int]) -> None:
    store()  # E: unused-result


def call_of_attribute(store: Store[int]) -> None:
    store.action()  # E: unused-result


def call_of_type_variable(action: Callable[[], R]) -> None:
    action()  # E: unused-result


def call_of_chain() -> None:
    load().map(str)  # E: unused-result


def call_of_chain_over_lines() -> None:
    (
        load()  # E: unused-result
        .map(str)
        .map_err(repr)
    )


def call_of_and_then() -> None:
    load().and_then(lambda v: generic(v, Lost))  # E: unused-result


def call_of_inspect() -> None:
    load().inspect_err(print)  # E: unused-result


def call_in_nested() -> Callable[[], None]:
    def inner() -> None:
        load()  # E: unused-result

    return inner


class CallInClass:
    load()  # E: unused-result


load()  # E: unused-result


def call_in_generator() -> Generator[int]:
    load()  # E: unused-result
    yield 1


def call_in_finally() -> None:
    try:
        print()
    finally:
        load()  # E: unused-result


def call_in_case(result: Result[int, Lost]) -> None:
    match result:
        case Ok(_):
            load()  # E: unused-result
        case Err(_):
            pass


def call_with_constraints(text: AnyStr) -> AnyStr:
    load()  # E: unused-result
    return text


class Text(Store[AnyStr]):
    def call_in_constrained_class(self) -> None:
        self.save()  # E: unused-result


def property_(store: Store[int]) -> None:
    store.state  # E: unused-result


def attribute(store: Store[int]) -> None:
    store.last  # E: unused-result


def bare_name(result: Result[int, Lost]) -> None:
    result  # E: unused-result


def operator_plus(store: Store[int]) -> None:
    store + 1  # E: unused-result


def operator_minus(store: Store[int]) -> None:
    -store  # E: unused-result


def operator_item(store: Store[int]) -> None:
    store[0]  # E: unused-result


def operator_equal(store: Store[int]) -> None:
    store == store  # E: unused-result


async def awaited() -> None:
    await fetch()  # E: unused-result


async def not_awaited() -> None:
    awaitable()  # E: unused-awaitable, unused-result


async def a_task() -> None:
    asyncio.create_task(fetch())  # E: unused-awaitable, unused-result


async def gathered() -> None:
    await asyncio.gather(fetch(), fetch())  # E: unused-result


async def waited_for() -> None:
    await asyncio.wait_for(fetch(), 1)  # E: unused-result


async def task_of_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fetch())  # E: unused-result


def comprehension() -> None:
    [load() for _ in range(3)]  # E: unused-result


def a_tuple() -> None:
    load(), 1  # E: unused-result


def a_dict() -> None:
    {"x": load()}  # E: unused-result


def ternary(flag: bool) -> None:
    load() if flag else None  # E: unused-result


def after_and(flag: bool) -> None:
    flag and load()  # E: unused-result


def after_or(flag: bool) -> None:
    flag or load()  # E: unused-result


def list_of_map() -> None:
    list(map(cached, [1, 2]))  # E: unused-result


def submitted(executor: Executor) -> None:
    executor.submit(load)  # E: unused-result


def set_default(known: dict[str, Result[int, Lost]]) -> None:
    known.setdefault("x", load())


def popped(queue: list[Result[int, Lost]]) -> None:
    queue.pop()  # E: unused-result


def cast_and_dropped(value: object) -> None:
    cast("Result[int, Lost]", value)  # E: unused-result


# A name that nobody reads


def underscore() -> None:
    _ = load()  # E: unused-result


_ = load()  # E: unused-result


def never_read() -> None:
    result = load()  # E: unused-result


def overwritten() -> Result[int, Lost]:
    result = load()  # E: unused-result
    result = load()
    return result


def unpacked() -> int:
    first, second = load(), 1  # E: unused-result
    return second


def unpacked_from_a_call(pair: tuple[Result[int, Lost], int]) -> int:
    _, second = pair  # E: unused-result
    return second


def starred() -> Result[int, Lost]:
    first, *others = load_many()  # E: unused-result
    return first


def deleted() -> None:
    result = load()  # E: unused-result
    del result


def walrus() -> None:
    print(1 if isinstance(result := load(), Ok) else 2)  # E: unused-result


def loop() -> None:
    for result in load_many():  # E: unused-result
        pass


async def async_loop(many: AsyncIterator[Result[int, Lost]]) -> None:
    async for _ in many:  # E: unused-result
        pass


def entered() -> None:
    with opened() as result:  # E: unused-result
        pass


async def entered_async() -> None:
    async with opened_async() as result:  # E: unused-result
        pass


def read_in_one_branch_only_before(flag: bool) -> None:
    result = load()
    if flag:
        print(result)
    result = load()  # E: unused-result


def of_a_coroutine() -> None:
    task = awaitable()  # E: unused-result


def widened() -> None:
    result: object = load()  # E: unused-result


def kept_on_every_turn() -> None:
    while True:
        result = load()  # E: unused-result


def before_a_raise() -> None:
    result = load()  # E: unused-result
    raise ValueError


def hidden_by_a_comprehension() -> list[int]:
    _ = load()  # E: unused-result
    return [_ for _ in range(3)]


def in_a_typed_dict() -> None:
    Pair(first=load(), second=1)  # E: unused-result


class Pair(TypedDict):
    first: Result[int, Lost]
    second: int


# Right


def returned() -> Result[int, Lost]:
    return load()


def matched() -> int:
    match load():
        case Ok(v):
            return v
        case Err(_):
            return 0


def ignored() -> None:
    ignore(load(), reason="it is only a hint")


def asked() -> bool:
    return load().is_ok()


def default_taken() -> None:
    load().unwrap_or(1)  # E: silent-catch unwrap_or() silences


def raised() -> None:
    with pytest.raises(ValueError):
        load()


def read_on_the_next_turn() -> None:
    result = load()
    while True:
        print(result)
        result = load()


def read_in_finally() -> None:
    result = load()
    try:
        print()
    finally:
        print(result)


def read_in_handler() -> None:
    result = load()
    try:
        result = load()
        print()
    except ValueError:
        print(result)


def read_after_suppressed() -> None:
    with opened() as first:
        print(first)
        first = load()
        print()
    print(first)


def read_after_break() -> None:
    result = load()
    while True:
        result = load()
        break
    print(result)


def read_after_continue(flag: bool) -> None:
    result: Result[int, Lost] | None = None
    while True:
        if flag:
            result = load()
            continue
        print(result)


def read_in_a_case(number: int) -> None:
    result = load()
    other = load()  # E: unused-result
    match number:
        case 1 | 2 as found if result.is_ok():
            print(found)
        case [*_] | {"x": _}:
            pass
        case _:
            print(result)


def read_by_a_nested_function() -> Callable[[], bool]:
    result = load()
    return lambda: result.is_ok()


def set_for_others() -> None:
    global shared
    shared = load()


shared = load()
collected = collect(load_many())


class Kept:
    result = load()

    def keep(self) -> None:
        self.result = load()


def seen_by_locals() -> dict[str, object]:
    result = load()
    return locals()


def stored(known: dict[str, Result[int, Lost]], many: list[Result[int, Lost]]) -> None:
    known["x"] = load()
    many.append(load())
    many += [load()]


def yielded() -> Generator[Result[int, Lost], Result[int, Lost]]:
    yield load()
    yield from results()


def asserted() -> None:
    assert_type(load(), Result[int, Lost])


def walrus_read() -> Result[int, Lost] | None:
    return result if is_ok(result := load()) else None


def no_result_at_all(values: dict[str, int]) -> None:
    values.setdefault("x", 1)
    [1]
    "text"


def a_unpacked_pair_read() -> tuple[object, object]:
    first, (second, *rest) = load(), (1, *load_many())
    return first, [second, rest]


def unreachable() -> None:
    return
    load()  # E: unreachable, unused-result


def set_beside(store: Store[int]) -> None:
    result = store.last = load()
    print(result)


def entered_by_name(lock: Lock) -> Result[int, Lost]:
    with lock:
        result = load()
    return result


def too_deep_to_look(
    many: list[list[list[list[list[list[list[list[list[list[Result[int, Lost]]]]]]]]]]],
) -> None:
    many


def silenced() -> None:
    load()  # type: ignore[unused-result]


async def waits_for_what_is_read_later() -> list[Result[int, Lost]]:
    tasks = [asyncio.create_task(fetch()) for _ in range(3)]
    await asyncio.wait(tasks)
    await asyncio.wait(tasks, timeout=1)
    await asyncio.gather(*tasks)
    done, _ = await asyncio.wait(tasks)
    return [task.result() for task in tasks]


async def waits_for_all() -> list[Result[int, Lost]]:
    tasks = [asyncio.create_task(fetch()) for _ in range(3)]
    done, _ = await asyncio.wait(tasks)
    return [task.result() for task in done]


async def waits_for_some() -> list[Result[int, Lost]]:
    tasks = [asyncio.create_task(fetch()) for _ in range(3)]
    done, _ = await asyncio.wait(tasks, timeout=1)  # E: unused-result
    return [task.result() for task in done]


async def waits_and_reads_nothing() -> None:
    tasks = [asyncio.create_task(fetch()) for _ in range(3)]
    await asyncio.wait(tasks)  # E: unused-result


async def waits_for_all_and_reads_nothing() -> None:
    tasks = [asyncio.create_task(fetch()) for _ in range(3)]
    done, _ = await asyncio.wait(tasks)  # E: unused-result


async def waits_for_what_nobody_has() -> None:
    await asyncio.gather(fetch(), fetch())  # E: unused-result


def waits_for_futures(pool: Executor) -> list[Result[int, Lost]]:
    futures = [pool.submit(load) for _ in range(3)]
    concurrent.futures.wait(futures)
    return [future.result() for future in futures]


class Batch(list[Result[int, Lost]]):
    tasks: list[asyncio.Task[Result[int, Lost]]]

    def add(self, result: Result[int, Lost]) -> "Batch":
        self.append(result)
        return self

    async def wait(self) -> None:
        await asyncio.wait(self.tasks)


def gives_itself(batch: Batch) -> None:
    batch.add(load())
    batch.add(load()).add(load())
    Batch().add(load())  # E: unused-result


def goes_through_what_stays(
    known: dict[str, Result[int, Lost]], many: list[Result[int, Lost]]
) -> list[object]:
    keys: list[object] = []
    for key, _ in known.items():
        keys.append(key)
    for position, _ in enumerate(many):
        keys.append(position)
    for _ in known.values():
        keys.append(1)
    for number, _ in zip(range(3), many):
        keys.append(number)
    return keys


def goes_through_what_is_gone(many: Generator[Result[int, Lost]]) -> None:
    for _ in many:  # E: unused-result
        print()
    for position, _ in enumerate(load_many()):  # E: unused-result
        print(position)
