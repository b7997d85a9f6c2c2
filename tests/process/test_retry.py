"""A signal during the wait between two attempts, in a real process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.process.programs import UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.process.programs import Program

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

CONNECT = """
    from stamina.instrumentation import set_on_retry_hooks
    from resultflow.interop.stamina import retry

    def waits(details):
        say('waits', details.retry_num)

    set_on_retry_hooks([waits])

    def connect():
        say('connect')
        return Err('refused')
"""


@pytest.fixture
def environment() -> dict[str, str]:
    """Let nothing but the signal come between the instructions of the program."""
    return UNMEASURED


@pytest.mark.parametrize("signum", STOPPING, ids=lambda signum: signum.name)
def test_a_signal_ends_the_wait(start: Callable[..., Program], signum: signal.Signals) -> None:
    """The process dies by it at once, what is held is released, and the error is told."""
    program = start(
        CONNECT
        + """
    again = retry(on=str, wait_initial=600, wait_max=600)
    return told().use(lambda _: again(connect)())
    """
    )
    program.read_until("waits 1")
    program.process.send_signal(signum)
    assert program.end() == -signum
    assert program.out.splitlines() == [
        *("connect", "waits 1"),
        f"released Cancelled {signum}",
    ]
    assert "then attempt 1 of main.<locals>.connect failed: 'refused'" in program.err


def test_a_signal_waits_for_retries_in_an_acquire(start: Callable[..., Program]) -> None:
    """Inside an acquire every attempt is made before the signal counts."""
    program = start(
        CONNECT
        + """
    def waits_for_the_test(details):
        waits(details)
        if details.retry_num == 1:
            sys.stdin.readline()

    set_on_retry_hooks([waits_for_the_test])
    again = retry(on=str, attempts=4, wait_initial=0.1, wait_jitter=0, wait_exp_base=1)
    held = Resource.make(again(connect), tell)
    return told().and_then(lambda _: held).use(lambda _: Ok(say('used')))
    """
    )
    program.read_until("waits 1")
    program.process.send_signal(signal.SIGTERM)
    program.answer()
    assert program.end() == -signal.SIGTERM
    assert program.out.split("\n") == [
        *("connect", "waits 1", "connect", "waits 2", "connect", "waits 3", "connect"),
        "released Failed ",
        "",
    ]


def test_a_signal_ends_retries_around_a_scope(start: Callable[..., Program]) -> None:
    """With `use` inside the retry, the wait is outside of the acquire."""
    program = start(
        CONNECT
        + """
    held = Resource.make(connect, tell)
    again = retry(on=str, wait_initial=600, wait_max=600)
    return again(lambda: held.use(lambda _: Ok(say('used'))))()
    """
    )
    program.read_until("waits 1")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert program.out.splitlines() == ["connect", "waits 1"]


def test_the_bound_holds_in_an_acquire(start: Callable[..., Program]) -> None:
    """Retries inside an acquire cannot hold the process for longer than `grace`."""
    program = start(
        CONNECT
        + """
    again = retry(on=str, wait_initial=600, wait_max=600)
    return Resource.make(again(connect), tell).use(lambda _: Ok(say('used')))
    """,
        "run(main, grace=0.2)",
    )
    program.read_until("waits 1")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "thread 'MainThread' is at" in program.err
    assert "tenacity" in program.err


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_signal_ends_the_wait_of_a_task(start: Callable[..., Program], backend: str) -> None:
    """The same in a task, under `aio.run`."""
    program = start(
        CONNECT
        + f"""
    from resultflow import aio

    async def later():
        return connect()

    again = retry(on=str, wait_initial=600, wait_max=600)

    async def work(_):
        return await again(later)()

    async def tasks():
        return await aio.Resource.of(told()).use(work)

    return aio.run(tasks, backend={backend!r})
    """
    )
    program.read_until("waits 1")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert program.out.splitlines()[2].startswith("released Cancelled")
