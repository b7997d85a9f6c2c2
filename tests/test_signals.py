"""The gate: a signal never cuts an acquire or a release, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from resultflow import Cancelled, Child, Err, Ok, Resource, Result, child_process, ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from resultflow import Exit


class Interrupt(BaseException):
    """What the handler of these tests raises."""


@pytest.fixture
def received() -> Iterator[list[int]]:
    """A handler for SIGUSR1 that only counts."""
    signals: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda signum, _: signals.append(signum))
    yield signals
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def raising() -> Iterator[None]:
    """A handler for SIGUSR2 that raises."""

    def handler(signum: int, frame: FrameType | None) -> None:
        raise Interrupt(signum)

    before = signal.signal(signal.SIGUSR2, handler)
    yield
    signal.signal(signal.SIGUSR2, before)


def exit_five(signum: int, frame: FrameType | None) -> None:
    """Handle a signal so that it shows."""
    os._exit(5)


def do_nothing(signum: int, frame: FrameType | None) -> None:
    """Handle a signal so that it is lost."""


def signalling(
    events: list[str], *, acquire: bool = False, release: bool = False, signum: int
) -> Resource[str, str]:
    """A resource that is sent a signal in its acquire or its release."""

    def get() -> Result[str, str]:
        if acquire:
            os.kill(os.getpid(), signum)
        events.append("acquired")
        return Ok("value")

    def put(value: str, exit: Exit) -> None:
        events.append("releasing")
        if release:
            os.kill(os.getpid(), signum)
        events.append(f"released after {type(exit).__name__}")

    return Resource.make(get, put)


def test_a_signal_in_acquire_waits_for_the_body(received: list[int]) -> None:
    """The handler runs at the body's start, before its first line, not in the acquire."""
    seen_in: list[int] = []

    def get() -> Result[str, str]:
        os.kill(os.getpid(), signal.SIGUSR1)
        seen_in.append(len(received))
        return Ok("value")

    def body(_: str) -> Result[None, str]:
        seen_in.append(len(received))
        return Ok(None)

    assert Resource.make(get, lambda v, exit: None).use(body) == Ok(None)
    assert seen_in == [0, 1]


def test_a_signal_in_release_waits_for_its_end(received: list[int]) -> None:
    """The handler runs after the last release."""
    seen_in: list[int] = []

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        seen_in.append(len(received))

    both = Resource.make(lambda: Ok("a"), put).both(Resource.make(lambda: Ok("b"), put))
    assert both.use(lambda _: Ok(None)) == Ok(None)
    assert seen_in == [0, 0]
    assert len(received) == 2


def test_a_signal_in_the_body_is_delivered_at_once(received: list[int]) -> None:
    """A body is ordinary code: the handler runs right there."""

    def body(_: int) -> Result[int, str]:
        os.kill(os.getpid(), signal.SIGUSR1)
        return Ok(len(received))

    assert Resource.pure(1).use(body) == Ok(1)


@pytest.mark.usefixtures("raising")
def test_a_handler_that_raises_cannot_cut_an_acquire() -> None:
    """What was acquired meanwhile is released, and the exception comes out."""
    events: list[str] = []
    with pytest.raises(Interrupt):
        signalling(events, acquire=True, signum=signal.SIGUSR2).use(Ok)
    assert events == ["acquired", "releasing", "released after Raised"]


@pytest.mark.usefixtures("raising")
def test_a_handler_that_raises_cannot_cut_a_release() -> None:
    """The release runs to its end, and the exception comes out."""
    events: list[str] = []
    with pytest.raises(Interrupt):
        signalling(events, release=True, signum=signal.SIGUSR2).use(Ok)
    assert events == ["acquired", "releasing", "released after Succeeded"]


@pytest.mark.usefixtures("raising")
def test_an_err_is_not_lost_to_a_signal_in_its_release() -> None:
    """The exception of the handler leaves the scope, with the body's Err on it."""
    events: list[str] = []
    with pytest.raises(Interrupt) as caught:
        signalling(events, release=True, signum=signal.SIGUSR2).use(lambda _: Err("full"))
    assert vars(caught.value)["__suppressed__"] == (Err("full"),)


@pytest.mark.usefixtures("raising")
def test_with_blocks_are_gated_too() -> None:
    """open() holds a signal back in acquire and release, and runs it inside the scope."""
    events: list[str] = []
    with (
        pytest.raises(Interrupt),
        signalling(events, acquire=True, signum=signal.SIGUSR2).open(),
    ):
        pytest.fail("the block ran")
    assert events == ["acquired", "releasing", "released after Raised"]
    events.clear()
    with (
        pytest.raises(Interrupt),
        signalling(events, release=True, signum=signal.SIGUSR2).open(),
    ):
        pass
    assert events == ["acquired", "releasing", "released after Succeeded"]


@pytest.mark.usefixtures("raising")
def test_a_scope_inside_a_release_is_part_of_it() -> None:
    """A release that itself uses a resource is not cut in that resource's body."""
    events: list[str] = []

    def inner(_: int) -> Result[None, str]:
        os.kill(os.getpid(), signal.SIGUSR2)
        events.append("inner body finished")
        return Ok(None)

    def put(value: str, exit: Exit) -> None:
        assert Resource.pure(1).use(inner) == Ok(None)
        events.append("released")

    with pytest.raises(Interrupt):
        Resource.make(lambda: Ok("a"), put).use(Ok)
    assert events == ["inner body finished", "released"]


@pytest.mark.usefixtures("raising")
def test_a_nested_scope_delivers_into_the_outer_body() -> None:
    """A signal in an inner release interrupts the outer body, whose release sees it."""
    events: list[str] = []
    inner = signalling(events, release=True, signum=signal.SIGUSR2)
    exits: list[Exit] = []
    outer = Resource.make(lambda: Ok(1), lambda v, exit: exits.append(exit))
    with pytest.raises(Interrupt):
        outer.use(lambda _: inner.use(Ok).and_then(lambda _: Ok(pytest.fail("went on"))))
    assert [type(seen).__name__ for seen in exits] == ["Raised"]


def test_handlers_are_put_back() -> None:
    """After the outermost scope, and only then, every handler is what it was."""
    before = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
    inside = Resource.pure(1).use(
        lambda _: Resource.pure(2).use(Ok).map(lambda _: signal.getsignal(signal.SIGINT))
    )
    assert inside != Ok(before[signal.SIGINT])
    after = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
    assert after == before


def test_a_handler_installed_in_the_body_stays(received: list[int]) -> None:
    """A new handler is the program's wish: gated in the release, and kept afterwards."""
    later: list[int] = []

    def new(signum: int, frame: FrameType | None) -> None:
        later.append(signum)

    seen_in: list[int] = []

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        seen_in.append(len(later))

    def body(_: str) -> Result[None, str]:
        signal.signal(signal.SIGUSR1, new)
        return Ok(None)

    assert Resource.make(lambda: Ok("a"), put).use(body) == Ok(None)
    assert signal.getsignal(signal.SIGUSR1) is new
    assert (seen_in, later, received) == ([0], [signal.SIGUSR1], [])


def test_a_handler_saved_and_restored_in_a_scope_is_itself() -> None:
    """What a body saves, replaces for a while and restores goes on as if it had not."""
    came: list[str] = []

    def first(signum: int, frame: FrameType | None) -> None:
        came.append("first")

    def second(signum: int, frame: FrameType | None) -> None:
        came.append("second")

    before = signal.signal(signal.SIGUSR1, first)
    try:
        with Resource.pure(1).open():
            saved = signal.signal(signal.SIGUSR1, second)
            assert Resource.pure(2).use(Ok) == Ok(2)
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.signal(signal.SIGUSR1, saved)
            os.kill(os.getpid(), signal.SIGUSR1)
        assert came == ["second", "first"]
        assert signal.getsignal(signal.SIGUSR1) is first
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    ("action", "arrives"), [(signal.SIG_IGN, False), (signal.default_int_handler, True)]
)
def test_what_waits_goes_to_the_handler_of_the_moment(
    action: Callable[[int, FrameType | None], object] | signal.Handlers, *, arrives: bool
) -> None:
    """A signal that waited meets the action that is set when it is delivered."""

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        signal.signal(signal.SIGINT, action)

    before = signal.getsignal(signal.SIGINT)
    try:
        if arrives:
            with pytest.raises(KeyboardInterrupt):
                Resource.make(lambda: Ok("a"), put).use(Ok)
        else:
            assert Resource.make(lambda: Ok("a"), put).use(Ok) == Ok("a")
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_waits_may_meet_the_systems_action() -> None:
    """A release that gives SIGTERM back to the system: the signal that waited ends the process."""
    code = (
        "import os, signal\n"
        "from resultflow import Ok, Resource\n"
        "def put(value, exit):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "    print('released', flush=True)\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "Resource.make(lambda: Ok(1), put).use(Ok)\n"
        "print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "released\n")


@pytest.mark.usefixtures("raising")
def test_several_raising_handlers_are_chained() -> None:
    """Two signals that waited both run; neither exception is lost."""
    events: list[str] = []

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGINT)
        events.append("released")

    with pytest.raises((Interrupt, KeyboardInterrupt)) as caught:
        Resource.make(lambda: Ok("a"), put).use(Ok)
    chain: list[type] = []
    exc: BaseException | None = caught.value
    while exc is not None:
        chain.append(type(exc))
        exc = exc.__context__
    assert {Interrupt, KeyboardInterrupt} <= set(chain)
    assert events == ["released"]


@pytest.mark.usefixtures("raising")
def test_handlers_that_raise_after_an_exception_are_chained() -> None:
    """The body's exception, and what each of two handlers raised: all can be reached."""

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGINT)

    def body(_: str) -> Result[None, str]:
        msg = "bug"
        raise ValueError(msg)

    with pytest.raises((Interrupt, KeyboardInterrupt)) as caught:
        Resource.make(lambda: Ok("a"), put).use(body)
    chain: list[type] = []
    exc: BaseException | None = caught.value
    while exc is not None:
        chain.append(type(exc))
        exc = exc.__context__
    assert sorted(kind.__name__ for kind in chain) == [
        "Interrupt",
        "KeyboardInterrupt",
        "ValueError",
    ]


@pytest.mark.parametrize("kind", ["own context", "the same"])
def test_what_handlers_raise_is_chained_once(kind: str) -> None:
    """Behind what an exception was raised from, and never in a circle."""
    same = Interrupt()

    def handler(signum: int, frame: FrameType | None) -> None:
        if kind == "the same":
            raise same
        nothing: dict[int, int] = {}
        try:
            nothing[signum] += 1
        except KeyError:
            raise Interrupt from None

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)

    before = [
        (signum, signal.signal(signum, handler)) for signum in (signal.SIGUSR1, signal.SIGUSR2)
    ]
    try:
        with pytest.raises(Interrupt) as caught:
            Resource.make(lambda: Ok("a"), put).use(Ok)
    finally:
        for signum, handled in before:
            signal.signal(signum, handled)
    chain: list[str] = []
    exc: BaseException | None = caught.value
    while exc is not None:
        chain.append(type(exc).__name__)
        exc = exc.__context__
    assert chain == (["Interrupt"] if kind == "the same" else ["Interrupt", "KeyError"] * 2)


def test_thousands_of_signals_may_wait(received: list[int]) -> None:
    """However many wait, each is delivered, and no recursion limit is met."""

    def get() -> Result[int, str]:
        for _ in range(3000):
            signal.raise_signal(signal.SIGUSR1)
        return Ok(len(received))

    assert Resource.make(get, lambda value, exit: None).use(Ok) == Ok(0)
    assert len(received) == 3000


def test_a_scope_may_end_in_another_thread() -> None:
    """Only the main thread can put handlers back; elsewhere the release runs all the same."""
    released: list[str] = []
    opened = Resource.make(lambda: Ok("a"), lambda value, exit: released.append(value)).open()
    before = signal.getsignal(signal.SIGINT)
    opened.__enter__()
    thread = threading.Thread(target=opened.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert released == ["a"]
    signal.signal(signal.SIGINT, before)


def test_the_third_signal_cuts_an_acquire_that_hangs() -> None:
    """As with a release; what was acquired before is released."""
    over = threading.Event()
    released: list[str] = []
    main = threading.get_ident()

    def send() -> None:
        while not over.wait(0.4):
            signal.pthread_kill(main, signal.SIGINT)

    def hang() -> Result[str, str]:
        threading.Event().wait(60)
        return Ok("b")

    sender = threading.Thread(target=send)
    both = Resource.make(lambda: Ok("a"), lambda v, exit: released.append(v)).both(
        Resource.make(hang, lambda v, exit: released.append(v))
    )
    sender.start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            both.use(Ok)
    finally:
        over.set()
        sender.join()
    assert time.monotonic() - begun < 30
    assert released == ["a"]


def test_an_equal_handler_is_another_one() -> None:
    """Handlers are told apart by what they are, not by what they compare equal to."""

    class Equal:
        def __init__(self) -> None:
            self.came = 0

        def __call__(self, signum: int, frame: FrameType | None) -> None:
            self.came += 1

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

    before = signal.getsignal(signal.SIGUSR1)
    try:
        for _ in range(2):
            handler = Equal()
            signal.signal(signal.SIGUSR1, handler)
            assert Resource.pure(1).use(Ok) == Ok(1)
            assert signal.getsignal(signal.SIGUSR1) is handler
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_is_not_kept() -> None:
    """What a handler holds is freed with it."""

    class Holder:
        def handle(self, signum: int, frame: FrameType | None) -> None:
            pass

    holder = Holder()
    kept = weakref.ref(holder)
    before = signal.signal(signal.SIGUSR1, holder.handle)
    assert Resource.pure(1).use(Ok) == Ok(1)
    signal.signal(signal.SIGUSR1, before)
    del holder
    assert kept() is None


@pytest.mark.parametrize("deadline", [None, 600.0])
def test_the_third_signal_cuts_a_release_that_hangs(deadline: float | None) -> None:
    """Two signals wait; a third, a second after the first, is let into the user's release.

    One that has a deadline, and so a thread of its own, is left behind.
    """
    cut: list[str] = []
    released: list[str] = []
    hanging, over = threading.Event(), threading.Event()
    main = threading.get_ident()

    def hang(value: str, exit: Exit) -> None:
        hanging.set()
        try:
            threading.Event().wait(60)
        except KeyboardInterrupt:
            over.set()
            cut.append("hang")
            raise

    def send() -> None:
        hanging.wait()
        # More than three: one that arrives just before the main thread blocks wakes it only with
        # the next. To that thread: sent to the process, another one may take it, and wake nobody.
        while not over.wait(0.4):
            signal.pthread_kill(main, signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    hanging_one: Resource[str, object] = Resource.make(lambda: Ok("b"), hang)
    if deadline is not None:
        hanging_one = hanging_one.release_within(deadline)
    both = Resource.make(lambda: Ok("a"), lambda v, exit: released.append("other")).both(
        hanging_one
    )
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            both.use(lambda _: Ok(None))
    finally:
        over.set()
        sender.join()
    assert time.monotonic() - begun < 30
    assert (cut, released) == (["hang"] if deadline is None else [], ["other"])


@pytest.mark.parametrize("name", ["SIGCHLD", "SIGIO", "SIGWINCH", "SIGALRM", "SIGPROF"])
def test_every_handler_waits(name: str) -> None:
    """Whichever signal a handler is for, it does not run inside an acquire."""
    signum = signal.Signals[name]
    came: list[int] = []
    before = signal.signal(signum, lambda signum, _: came.append(signum))
    seen_in: list[int] = []

    def get() -> Result[str, str]:
        os.kill(os.getpid(), signum)
        seen_in.append(len(came))
        return Ok("value")

    try:
        assert Resource.make(get, lambda v, exit: None).use(Ok) == Ok("value")
    finally:
        signal.signal(signum, before)
    assert (seen_in, came) == ([0], [signum])


def test_a_timer_does_not_cut_a_release(received: list[int]) -> None:
    """Only signals that ask the program to end are counted: a hundred others wait."""
    cut: list[str] = []

    def put(value: str, exit: Exit) -> None:
        end = time.monotonic() + 1.2
        os.kill(os.getpid(), signal.SIGINT)
        while time.monotonic() < end:
            os.kill(os.getpid(), signal.SIGUSR1)
            threading.Event().wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        cut.append("to its end")

    with pytest.raises(KeyboardInterrupt):
        Resource.make(lambda: Ok("a"), put).use(Ok)
    assert cut == ["to its end"]
    assert len(received) > 5


def test_signals_of_an_earlier_stretch_do_not_count() -> None:
    """Two signals that waited and were delivered are not added to the next one, later."""
    events: list[str] = []

    def put(value: str, exit: Exit) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        events.append("released")

    resource = Resource.make(lambda: Ok("a"), put)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            resource.use(Ok)
        threading.Event().wait(0.6)
    with pytest.raises(KeyboardInterrupt):
        resource.use(Ok)
    assert events == ["released"] * 3


def test_a_child_forked_in_an_acquire_can_be_terminated() -> None:
    """A child that starts on its parent's critical stack does not hold SIGTERM back."""
    reader, writer = os.pipe()

    def fork() -> Result[int, str]:
        pid = os.fork()
        if pid == 0:
            # The child has a scope of its own, as any child that uses the library would.
            scope = Resource.pure(1)
            ended = scope.use(lambda _: Ok(os.write(writer, b"up")).and_then(lambda _: rest()))
            ignore(ended, reason="the process ends in it")
        return Ok(pid)

    def rest() -> Result[None, str]:
        threading.Event().wait(60)
        os._exit(0)

    before = signal.signal(signal.SIGTERM, exit_five)
    try:
        resource = Resource.make(fork, lambda pid, exit: None)

        def body(pid: int) -> Result[int, str]:
            assert os.read(reader, 2) == b"up"
            os.kill(pid, signal.SIGTERM)
            return Ok(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        assert resource.use(body) == Ok(5)
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(reader)
        os.close(writer)


def test_a_child_process_starts_with_the_systems_actions() -> None:
    """A forked child of ours dies by SIGTERM though its parent has a handler for it."""
    before = signal.signal(signal.SIGTERM, do_nothing)
    try:
        sleeper = child_process(time.sleep, [60], start_method="fork")

        def body(child: Child) -> Result[int | None, str]:
            os.kill(child.pid, signal.SIGTERM)
            return Ok(child.wait(20))

        assert sleeper.use(body) == Ok(-signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


# The handler disarms itself before it raises, so that no interrupt hits the harness's own
# `except`: every one that raises has to go through the scopes.
STORM = """
import os, random, signal, sys, threading, time
from resultflow import Ok, Resource

pool, hits, runs = list(range(4)), 0, 0
def token():
    return Resource.make(lambda: Ok(pool.pop()), lambda value, exit: pool.append(value))
def nested(_):
    return token().use(Ok)
three = token().both(token()).and_then(lambda _: token())
armed = storming = False
def handler(signum, frame):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, handler)
def storm():
    while storming:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(random.random() * 0.001)
sender = threading.Thread(target=storm)
sys.setswitchinterval(1e-4)
storming = True
sender.start()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        armed = True
        for _ in range(1000):
            three.use(nested)
            with three.open():
                pass
            runs += 1
        armed = False
    except KeyboardInterrupt:
        hits += 1
storming = False
sender.join()
print(runs > 0, hits > 100, sorted(pool))
"""


def test_a_storm_of_signals_leaks_nothing(unmeasured: dict[str, str]) -> None:
    """Hundreds of real Ctrl-C at random times in a tight loop: every token is back."""
    done = subprocess.run(
        [sys.executable, "-c", STORM, "3"],
        capture_output=True,
        text=True,
        env=unmeasured,
        timeout=120,
        check=False,
    )
    assert (done.stdout.split(" ", 2), done.returncode) == (["True", "True", "[0, 1, 2, 3]\n"], 0)


def test_the_exit_of_an_interrupt_names_the_signal() -> None:
    """A Ctrl-C that waited is Cancelled by SIGINT for the releases of its scope."""
    exits: list[Exit] = []

    def get() -> Result[str, str]:
        os.kill(os.getpid(), signal.SIGINT)
        return Ok("a")

    with pytest.raises(KeyboardInterrupt):
        Resource.make(get, lambda v, exit: exits.append(exit)).use(Ok)
    assert isinstance(exits[0], Cancelled)
    assert exits[0].signum == signal.SIGINT
