"""The injector finds what is wrong with teardown, and only that."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resultflow import Err, Ok, Resource, ignore
from resultflow.errors import ReleaseFailed, UnwrapError
from resultflow.resource import open_resources
from resultflow.testing import Ledger, Point, assert_err, assert_ok, inject

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import CodeType, FrameType, TracebackType

    from resultflow import Exit
    from resultflow.testing import Token


class Interrupt(BaseException):
    """What a handler of these tests raises."""


class Manager:
    """A context manager as everybody writes it."""

    def __init__(self, token: Token) -> None:
        self.token = token

    def __enter__(self) -> None:
        self.token.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.token.release()


@contextmanager
def managed(token: Token) -> Generator[None]:
    """Another one."""
    token.acquire()
    try:
        yield
    finally:
        token.release()


def by_class(ledger: Ledger) -> object:
    """Leak in `__enter__` after the acquire, and in `__exit__` before the release."""
    with Manager(ledger.token("a")):
        return Ok(len("work"))


def by_token(ledger: Ledger) -> object:
    """Leak in the same way: a token is a context manager too."""
    with ledger.token("a"):
        return Ok(len("work"))


def by_callback(ledger: Ledger) -> object:
    """Leak between the acquire and the call of `callback`, and inside that."""
    token = ledger.token("a")
    with ExitStack() as stack:
        token.acquire()
        stack.callback(token.release)
        return Ok(len("work"))


def by_generator(ledger: Ledger) -> object:
    """Leak between the acquire and the try, and in `contextlib` before and after."""
    with managed(ledger.token("a")):
        return Ok(len("work"))


def by_hand(ledger: Ledger) -> object:
    """Leak between the acquire and the try."""
    token = ledger.token("a")
    token.acquire()
    try:
        return Ok(len("work"))
    finally:
        token.release()


def release_twice(ledger: Ledger) -> object:
    """Release in an except clause and in the finally clause too."""
    token = ledger.token("a")
    try:
        token.acquire()
        len("work")
    except BaseException:
        token.release()
        raise
    finally:
        token.release()
    return Ok(1)


def release_in_order(ledger: Ledger) -> object:
    """Release what was acquired first, first."""
    first, second = ledger.token("a"), ledger.token("b")
    first.acquire()
    second.acquire()
    try:
        return Ok(len("work"))
    finally:
        first.release()
        second.release()


def swallow(ledger: Ledger) -> object:
    """Take Ctrl-C for the end of the work."""
    with suppress(KeyboardInterrupt):
        len("work")
    return Ok(1)


def replace(ledger: Ledger) -> object:
    """Forget the body's error for that of the release."""
    token = ledger.token("a")
    failed = False
    try:
        token.acquire()
        raise ledger.error(ValueError("body"))
    except ValueError:
        failed = True
    finally:
        token.release()
    if failed:
        raise ledger.error(OSError("release"))
    return Ok(1)


def replace_err(ledger: Ledger) -> object:
    """Forget an Err for another."""
    ignore(ledger.error(Err("body")), reason="what inject() is to find")
    return ledger.error(Err("release"))


def ignore_signals(ledger: Ledger) -> object:
    """Ignore SIGINT for a while."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return Ok(len("work"))
    finally:
        signal.signal(signal.SIGINT, before)


def handle_signals(ledger: Ledger) -> object:
    """Put the handler back, but not always."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    len("work")
    signal.signal(signal.SIGINT, before)
    return Ok(1)


class Finalized:
    """Does some work when it is freed."""

    def __del__(self) -> None:
        len("work")


class BadlyFinalized:
    """Has a bug there."""

    def __del__(self) -> None:
        raise ZeroDivisionError


def finalize(ledger: Ledger) -> object:
    """Let an interrupt come in a finalizer, where exceptions go nowhere."""
    Finalized()
    return Ok(1)


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        (by_class, "leak"),
        (by_token, "leak"),
        (by_callback, "leak"),
        (by_generator, "leak"),
        (by_hand, "leak"),
        (release_twice, "double release"),
        (release_in_order, "wrong order"),
        (swallow, "lost error"),
        (replace, "lost error"),
        (replace_err, "lost error"),
        (ignore_signals, "lost signal"),
        (handle_signals, "lost handler"),
        (finalize, "lost error"),
    ],
)
def test_finds_what_is_wrong(scenario: Callable[[Ledger], object], kind: str) -> None:
    """Each well-known fault is found, and `check` fails with it."""
    report = inject(scenario)
    found = {fault.kind for point in report.bad for fault in point.faults}
    found |= {fault.kind for fault in report.uninterrupted}
    assert kind in found
    assert not report.is_clean
    with pytest.raises(AssertionError, match=kind):
        report.check()


def test_names_the_place() -> None:
    """The report says after which instruction the interrupt came, and what it left."""
    report = inject(by_hand)
    [point] = report.bad
    [place] = point.places
    assert place.file == __file__
    assert place.function == "by_hand"
    assert place.line == by_hand.__code__.co_firstlineno + 3
    head, where, what = str(report).splitlines()
    assert head.startswith(f"1 of {len(report.points)} points are bad (mode signal, ")
    assert where == f"  {__file__}:{place.line} by_hand +{place.offset}"
    assert what.strip() == "leak: 'a'"
    assert report.count("leak") == 1


def test_a_fault_without_interrupts_is_told_apart() -> None:
    """What is wrong anyway is reported as such."""
    report = inject(replace_err)
    assert [str(fault) for fault in report.uninterrupted] == ["lost error: 'body'"]
    assert "without an interrupt" in str(report)


def both(ledger: Ledger) -> Resource[tuple[Token, Token], object]:
    """Make two resources one."""
    return ledger.resource("a").both(ledger.resource("b"))


def use(ledger: Ledger) -> object:
    """Use both."""
    return both(ledger).use(lambda _: Ok(len("work")))


def use_and_fail(ledger: Ledger) -> object:
    """Use both, and fail."""
    return both(ledger).use(lambda _: ledger.error(Err("full")))


def use_and_fail_twice(ledger: Ledger) -> object:
    """Use both, and fail to release one."""
    token = ledger.token("c")

    def acquire() -> Ok[None]:
        token.acquire()
        return Ok(None)

    def release(_: None, exit: Exit) -> None:
        token.release()
        raise ledger.error(OSError("release"))

    third = Resource.make(acquire, release)
    return both(ledger).and_then(lambda _: third).use(lambda _: ledger.error(Err("full")))


def use_and_raise(ledger: Ledger) -> object:
    """Use both, and raise."""

    def body(_: object) -> Ok[int]:
        raise ledger.error(ValueError("full"))

    return both(ledger).use(body)


def use_in_a_block(ledger: Ledger) -> object:
    """Use both for a `with` block."""
    with both(ledger).open():
        len("work")
    return Ok(1)


@pytest.mark.parametrize(
    "scenario", [use, use_and_fail, use_and_fail_twice, use_and_raise, use_in_a_block]
)
def test_finds_nothing_wrong_with_a_resource(scenario: Callable[[Ledger], object]) -> None:
    """Whatever a scope does, no single signal leaves anything wrong."""
    report = inject(scenario)
    report.check()
    assert len(report.points) > 100
    assert report.runs > len(report.points)


def test_raises_before_every_instruction_if_asked() -> None:
    """Mode opcode needs no signal, and by default looks at this package's own code."""
    report = inject(use, mode="opcode")
    files = {Path(place.file).name for point in report.points for place in point.places}
    assert "resource.py" in files
    assert not files & {"testing.py", Path(__file__).name}
    chosen = inject(by_hand, mode="opcode", where=lambda code: code is by_hand.__code__)
    assert len(chosen.points) > len(inject(by_hand).points)
    assert chosen.count("leak") > inject(by_hand).count("leak")


FAILED_ACQUIRE = """
from resultflow import Ok, Resource, _signals, resource
from resultflow.testing import inject

def refuse():
    raise ConnectionRefusedError

def scenario(ledger):
    token = ledger.token("a")
    acquired = Resource.make(lambda: Ok(token.acquire()), lambda _, exit: token.release())
    both = acquired.and_then(lambda _: Resource.make(refuse, print))
    {enter}

files = resource.__file__, _signals.__file__
report = inject(scenario, mode="opcode", where=lambda code: code.co_filename in files)
print(len(report.points) > 1000, report.count("leak"))
"""


@pytest.mark.parametrize("enter", ["both.use(Ok)", "both.open().__enter__()", "both.allocated()"])
def test_no_instruction_is_one_at_which_a_failed_acquire_leaks(
    enter: str, unmeasured: dict[str, str]
) -> None:
    """An acquire that raises has those before it released, whatever is raised on the way."""
    # In a process of its own: what no signal does leaves gates behind.
    code = FAILED_ACQUIRE.format(enter=enter)
    done = subprocess.run(
        [sys.executable, "-c", code], env=unmeasured, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True 0\n", "")


@pytest.mark.parametrize("scenario", [by_hand, by_class, by_generator, by_callback])
def test_no_real_signal_comes_where_none_was_tried(scenario: Callable[[Ledger], object]) -> None:
    """The kernel's signals hit no line that mode signal leaves out, but a function's entry."""
    rain = inject(scenario, mode="timer", hits=500)
    assert len(rain.points) == 500
    assert rain.runs > 500
    assert rain.count("leak")
    hit = {(place.function, place.line) for point in rain.points for place in point.places}
    tried = inject(scenario).points
    places = {(place.function, place.line) for point in tried for place in point.places}
    # Nothing has happened there yet.
    assert hit <= places | {(scenario.__name__, scenario.__code__.co_firstlineno)}


def test_a_timer_finds_nothing_wrong_with_a_resource() -> None:
    """Nor do the kernel's signals leave anything wrong in a scope."""
    inject(use, mode="timer", hits=500).check()


@pytest.mark.parametrize("stride", [1, 3])
def test_a_second_signal_finds_what_one_does_not(stride: int) -> None:
    """Pairs find a cleanup that stands one interrupt only."""
    held: list[str] = []

    def scenario(ledger: Ledger) -> object:
        try:
            held.append("a")
            len("work")
        except BaseException:
            for _ in range(3):
                len("cleanup")
            held.clear()
            raise
        held.clear()
        return Ok(1)

    def leaks() -> list[str]:
        found = held.copy()
        held.clear()
        return found

    inject(scenario, leaks=leaks).check()
    report = inject(
        scenario, leaks=leaks, pairs=stride, where=lambda code: code is scenario.__code__
    )
    assert {fault.kind for point in report.bad for fault in point.faults} == {"leak"}
    assert all(len(point.places) == 2 for point in report.bad)
    assert ", then " in str(report)


def test_finds_leaks_of_ones_own() -> None:
    """`leaks` is compared before and after each run."""
    opened: list[int] = []

    def scenario(_: Ledger) -> object:
        opened.append(os.open(os.devnull, os.O_RDONLY))
        try:
            return Ok(os.isatty(opened[-1]))
        finally:
            os.close(opened.pop())

    def leaks() -> int:
        before = len(list(Path("/proc/self/fd").iterdir()))
        while opened:
            os.close(opened.pop())
        return before

    report = inject(scenario, leaks=leaks)
    assert report.count("leak")
    assert "before, " in str(report)


def test_any_signal_whose_handler_raises_will_do() -> None:
    """It need not be SIGINT; what its handler raises is expected in the end."""

    def handler(signum: int, frame: FrameType | None) -> None:
        raise Interrupt(signum)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        report = inject(by_hand, signum=signal.SIGUSR1)
        inject(use, signum=signal.SIGUSR1).check()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert report.count("leak") == 1
    assert report.count("lost error") == 0


def test_a_handler_that_returns_is_no_fault() -> None:
    """A signal that only sets a flag interrupts nothing."""
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda signum, _: received.append(signum))
    try:
        inject(by_hand, signum=signal.SIGUSR1).check()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert received


def test_a_forked_child_is_left_alone() -> None:
    """A child that the scenario forks off counts on, but no interrupt comes in it."""

    def work() -> int:
        return len("work") + len("more")

    children: list[int] = []

    def scenario(_: Ledger) -> object:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except KeyboardInterrupt:
                os._exit(1)
            os._exit(0)
        children.append(pid)
        return Ok(work())

    # Elsewhere an interrupt would hit what this package itself does around a fork.
    assert inject(scenario, where=lambda code: code is work.__code__).points
    # Each by its number: this process has other children, which do not end.
    assert {os.waitpid(pid, 0)[1] for pid in children} == {0}


def test_puts_everything_back() -> None:
    """Handlers, hooks, tracer and collector are afterwards what they were before."""

    def state() -> list[object]:
        return [
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTRAP),
            sys.unraisablehook,
            sys.gettrace(),
            gc.isenabled(),
        ]

    before = state()
    inject(by_hand)
    assert state() == before
    gc.disable()
    try:
        inject(by_hand)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_others_cannot_raise_is_still_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a finalizer that no interrupt caused goes where it always went."""
    unraisable: list[BaseException | None] = []

    def hook(unraised: sys.UnraisableHookArgs) -> None:
        unraisable.append(unraised.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", hook)

    def scenario(_: Ledger) -> object:
        BadlyFinalized()
        return Ok(1)

    inject(scenario)
    assert any(isinstance(exc, ZeroDivisionError) for exc in unraisable)
    assert not any(isinstance(exc, KeyboardInterrupt) for exc in unraisable)


def acquire_in(log: str) -> Ledger:
    """Do what a word says: a capital acquires, a small letter releases."""
    ledger = Ledger()
    for letter in log:
        token = ledger.token(letter.lower())
        (token.acquire if letter.isupper() else token.release)()
    return ledger


@pytest.mark.parametrize(
    ("log", "faults"),
    [
        ("", []),
        ("ABba", []),
        ("ABbCca", []),
        ("AB", ["leak: 'a', 'b'"]),
        ("ABa", ["leak: 'b'"]),
        ("Aaa", ["double release: 'a'"]),
        ("a", ["double release: 'a'"]),
        ("ABab", ["wrong order: 'a' before 'b'"]),
    ],
)
def test_ledger_keeps_account(log: str, faults: list[str]) -> None:
    """Leaks, double releases and a wrong order are told apart."""
    assert [str(fault) for fault in acquire_in(log).faults()] == faults


def caught(raised: BaseException, behind: BaseException | None = None) -> BaseException:
    """Raise and catch an exception, so that it has been raised."""
    with pytest.raises(type(raised)) as info:
        raise raised from behind
    return info.value


def with_context(raised: BaseException, behind: BaseException) -> BaseException:
    """Give an exception the context that it gets while another is handled."""
    raised.__context__ = behind
    return raised


def suppressing(failure: object) -> BaseException:
    """Put a failure on an exception as a scope does."""
    exc = KeyboardInterrupt()
    vars(exc)["__suppressed__"] = (failure,)
    return exc


def unwrapped(err: Err[object]) -> BaseException:
    """Give what `unwrap` raises."""
    with pytest.raises(UnwrapError) as raised:
        err.unwrap()
    return raised.value


def outcomes(error: BaseException) -> Iterator[object]:
    """List the ways in which an error can still be there in the end."""
    yield error
    yield caught(KeyError(), error)
    yield with_context(KeyError(), error)
    yield ExceptionGroup("both", [ValueError(), KeyError(error)])
    yield BaseExceptionGroup("both", [error])
    yield suppressing(Err(error))
    yield Err(error)
    yield Err([error])
    yield Err("port").map_err(lambda _: error)
    yield Err(error).map_err(lambda _: "port")
    yield Resource.make(lambda: Ok(1), lambda _, exit: Err(error)).use(lambda _: Err("port"))
    yield Err(ReleaseFailed(1, (error,)))
    yield Ok(ReleaseFailed(1, (error,)))
    yield unwrapped(Err("port").map_err(lambda _: (error,)))


def test_an_error_is_kept_wherever_it_is_reachable() -> None:
    """Cause, context, group, note, suppressed and wrapped: all of them are not lost."""
    error = caught(OSError("release"))
    found = list(outcomes(error))
    assert len(found) == 14
    ledger = Ledger()
    assert ledger.error(error) is error
    assert [str(fault) for fault in ledger.faults(Ok(1))] == [f"lost error: {error!r}"]
    for outcome in found:
        assert list(ledger.faults(outcome)) == [], outcome


def test_an_err_is_kept_by_its_error() -> None:
    """A scope gives another `Err` than the body did, with the same error."""
    ledger = Ledger()
    err = ledger.error(Err(["full"]))
    assert [str(fault) for fault in ledger.faults()] == ["lost error: ['full']"]
    assert list(ledger.faults(Err(err.error))) == []


def test_a_resource_of_the_ledger_is_accounted_for() -> None:
    """Its value is the token, held in the body and not after it."""
    ledger = Ledger()

    def body(token: Token) -> Ok[list[str]]:
        return Ok([token.name, *map(str, ledger.faults())])

    assert ledger.resource("a").use(body) == Ok(["a", "leak: 'a'"])
    assert list(ledger.faults()) == []


def test_an_exception_counts_from_when_it_is_raised() -> None:
    """One that was made and not raised has not happened."""
    ledger = Ledger()
    ledger.error(ValueError())
    assert list(ledger.faults()) == []


def test_is_for_the_main_thread() -> None:
    """Elsewhere no signal handler runs, and the error says so."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            inject(by_hand)
        except RuntimeError as exc:
            raised.append(exc)

    thread = threading.Thread(target=call, name="worker")
    thread.start()
    thread.join()
    assert str(raised[0]).startswith("inject was called in 'worker', but Python runs")


def test_does_not_nest() -> None:
    """An inject inside a scenario is refused, and leaves the outer one working."""
    raised: list[str] = []

    def scenario(_: Ledger) -> object:
        try:
            inject(by_hand)
        except RuntimeError as exc:
            raised.append(str(exc))
        return Ok(1)

    inject(scenario, where=lambda code: code is scenario.__code__)
    assert raised[0] == "inject was called by a scenario of inject: call it on its own"


def test_may_run_while_a_resource_is_open() -> None:
    """What is open around it changes nothing, and its own handlers are gated again afterwards."""
    before = signal.getsignal(signal.SIGINT)

    def scenario(ledger: Ledger) -> object:
        return ledger.resource("a").use(Ok)

    def where(code: CodeType) -> bool:
        return code.co_name in {"gate", "put_back", "scenario"}

    alone = inject(scenario, where=where)
    with Resource.make(lambda: Ok(1), lambda value, exit: None).open():
        gated = signal.getsignal(signal.SIGINT)
        report = inject(scenario, where=where)
        assert signal.getsignal(signal.SIGINT) is gated
        assert len(open_resources()) == 1
    report.check()
    assert len(report.points) == len(alone.points)
    assert signal.getsignal(signal.SIGINT) is before is not gated


def nothing(code: CodeType) -> bool:
    """Select no code at all."""
    return False


def test_says_what_it_cannot_do() -> None:
    """Bad arguments are refused, with what to write instead."""
    with pytest.raises(ValueError, match="mode must be 'signal', 'opcode' or 'timer', but is"):
        inject(by_hand, mode="random")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the error
    with pytest.raises(ValueError, match="pairs is a stride for mode 'signal', but is 3 for 'tim"):
        inject(by_hand, mode="timer", pairs=3)
    with pytest.raises(ValueError, match="pairs is a stride for mode 'signal', but is -1"):
        inject(by_hand, pairs=-1)
    with pytest.raises(ValueError, match="SIGUSR1 has no handler that could raise: install one"):
        inject(by_hand, signum=signal.SIGUSR1)
    with pytest.raises(ValueError, match="inject needs SIGTRAP for itself: choose another signal"):
        inject(by_hand, signum=signal.SIGTRAP)
    with pytest.raises(ValueError, match="no interrupt reached the scenario"):
        inject(by_hand, where=nothing)


def test_a_scenario_must_end() -> None:
    """One that runs for ever is ended at the limit."""

    def scenario(_: Ledger) -> object:
        while True:
            pass

    with pytest.raises(RuntimeError, match="more than 1000 places: make it end"):
        inject(scenario, limit=1000)
    inject(use).check()


def test_a_scenario_must_do_the_same_each_time() -> None:
    """One that takes longer in each run would never be done."""
    runs: list[int] = []

    def scenario(ledger: Ledger) -> object:
        runs.append(1)
        for _ in runs:
            len("work")
        return Ok(1)

    with pytest.raises(RuntimeError, match="more than 50 runs"):
        inject(scenario, limit=50)


def test_a_point_shows_where_and_what() -> None:
    """A point without places is the run that nothing interrupted."""
    assert str(Point((), ())) == "without an interrupt"


if sys.version_info >= (3, 12):  # pragma: no cover (not before)

    def test_says_who_has_the_tools() -> None:
        """Both tool ids may be taken; then the error names their owners."""
        for tool in (3, 4):
            sys.monitoring.use_tool_id(tool, f"tool {tool}")
        try:
            with pytest.raises(RuntimeError, match="3 is taken by 'tool 3' and 4 by 'tool 4'"):
                inject(by_hand)
        finally:
            for tool in (3, 4):
                sys.monitoring.free_tool_id(tool)


# The assertions


def refused(work: Callable[[], object]) -> str:
    """Give the words of the assertion that fails."""
    with pytest.raises(AssertionError) as caught:
        work()
    return str(caught.value)


def not_read() -> Err[ValueError]:
    """Fail as a program does: with an exception, a note, and words from further up."""
    error = ValueError("no port")
    error.add_note("line 3")
    return Err(error).context("reading the settings")


def test_assert_ok_gives_the_value() -> None:
    """`assert_ok` gives what the `Ok` holds, also where that is nothing."""
    assert assert_ok(Ok(3)) == 3
    assert assert_ok(Ok(None)) is None


def test_assert_ok_fails_with_the_whole_report() -> None:
    """Of an `Err` all is told that is known: the error, its notes, its way and its context."""
    said = refused(lambda: assert_ok(not_read())).splitlines()
    assert said[:3] == ["expected an Ok, got an Err", "ValueError: no port", "  note: line 3"]
    assert said[3].endswith("not_read")
    assert said[4:] == ["  while reading the settings"]


def test_assert_ok_tells_what_failed_later() -> None:
    """A release that failed after the error is told, too."""
    flaky = Resource.make(lambda: Ok(1), lambda value, exit: Err("not closed"))
    said = refused(lambda: assert_ok(flaky.use(lambda _: Err("disk full"))))
    assert "disk full" in said
    assert "not closed" in said


def test_assert_err_gives_the_error() -> None:
    """`assert_err` gives the very error, when it is of the class or of one of the classes."""
    error = KeyError("a")
    assert assert_err(Err(error)) is error
    assert assert_err(Err(error), LookupError) is error
    assert assert_err(Err(error), (OSError, KeyError)) is error


def test_assert_err_fails_on_an_ok() -> None:
    """What an `Ok` holds is shown, and which errors were wanted."""
    assert refused(lambda: assert_err(Ok(3))) == "expected an Err, got Ok(3)"
    said = refused(lambda: assert_err(Ok(3), (OSError, KeyError)))
    assert said == "expected an Err of OSError or KeyError, got Ok(3)"


def test_assert_err_fails_on_another_error_with_its_report() -> None:
    """An error of another class comes with all that is known about it."""
    said = refused(lambda: assert_err(not_read(), KeyError))
    assert said.startswith("expected an Err of KeyError, got an Err\nValueError: no port\n")
    assert said.endswith("  while reading the settings")


@pytest.mark.parametrize("check", [assert_ok, assert_err])
@pytest.mark.parametrize("given", [None, 3, ValueError("x")])
def test_assertions_refuse_what_is_no_result(
    check: Callable[[object], object], given: object
) -> None:
    """A value that is no Result is a mistake in the test, and is not taken for a failure."""
    with pytest.raises(TypeError, match=r"takes a Result, not .*: for plain values there is"):
        check(given)


@pytest.mark.parametrize("check", [assert_ok, assert_err])
def test_assertions_name_a_coroutine_that_was_not_awaited(
    check: Callable[[object], object],
) -> None:
    """The usual mistake in asynchronous tests gets its own way out."""

    async def load() -> Ok[int]:
        return Ok(3)

    given = load()
    with pytest.raises(TypeError, match=r"takes a Result, not <coroutine .*: await it first"):
        check(given)
    given.close()


@pytest.mark.parametrize("kind", ["KeyError", None, (), (KeyError, 3), KeyError | OSError])
def test_assert_err_refuses_what_is_no_class(kind: type[object]) -> None:
    """What is given for a class is checked before the Result is looked at."""
    with pytest.raises(TypeError, match="is no class of errors: give one, or a tuple of them"):
        assert_err(Ok(3), kind)


@pytest.mark.parametrize(("check", "given"), [(assert_ok, Err("x")), (assert_err, Ok(3))])
def test_assertions_hide_themselves_in_the_traceback(
    check: Callable[[object], object], given: object
) -> None:
    """What is shown of a failure ends at the line of the test."""
    with pytest.raises(AssertionError) as caught:
        check(given)
    assert caught.traceback[-1].frame.f_locals["__tracebackhide__"]
