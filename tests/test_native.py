"""The compiled build against the pure one: same outcomes, same words, and nothing leaks."""

import copy
import gc
import importlib.util
import inspect
import os
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resultflow
from resultflow import Bind, Err, Ok, Result, collect, do, safe
from resultflow._build import native

compiled_only = pytest.mark.skipif(native is None, reason="this is the pure build")


def imported(pure: str) -> ModuleType:
    """Import the package once more, in the build that is asked for, and hide it again."""
    names = [name for name in sys.modules if name.partition(".")[0] == "resultflow"]
    shown = {name: sys.modules.pop(name) for name in names}
    before = os.environ.get("RESULTFLOW_PURE")
    os.environ["RESULTFLOW_PURE"] = pure
    try:
        twin = importlib.import_module("resultflow")
        for name in ("_build", "_collect", "_do", "_result", "_safe", "errors"):
            importlib.import_module(f"resultflow.{name}")
        for name in twin.__all__:
            getattr(twin, name)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "resultflow"]:
            del sys.modules[name]
        sys.modules.update(shown)
        if before is None:
            del os.environ["RESULTFLOW_PURE"]
        else:
            os.environ["RESULTFLOW_PURE"] = before
    return twin


PURE: Any = imported("1")
BUILT: Any = imported("0")
# What is done to them here no checker would let pass.
AnyOk: Any = Ok
AnyErr: Any = Err
BUILDS = (PURE, BUILT)


def told(work: Callable[[], object]) -> object:
    """Tell what came of it: what is shown of a value, or the class and the words of an error."""
    try:
        value: Any = work()
        if type(value).__name__ == "Err":
            return repr(value), value.report().as_dict(), value.suppressed
        return type(value).__name__, repr(value)
    except Exception as exc:  # noqa: BLE001 - whatever it is, both must raise it
        return type(exc).__name__, str(exc), [type(exc.__cause__).__name__]


def both(work: Callable[[Any], object]) -> object:
    """Do the same in both builds, which must tell the same."""
    first, second = (told(partial(work, build)) for build in BUILDS)
    assert first == second
    return first


def test_the_builds_are_two() -> None:
    """The variable leaves the fast paths aside, and "0" does not."""
    assert PURE.collect.__globals__["native"] is None
    built = importlib.util.find_spec("resultflow._native") is not None
    assert (BUILT.collect.__globals__["native"] is not None) == built


# Random work, done twice


class Odd:
    """An object that breaks wherever it can."""

    def __eq__(self, other: object) -> bool:
        raise LookupError("no ==")

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # as lists

    def __repr__(self) -> str:
        return "Odd()"


class Unsure:
    """Equality that gives what has no truth."""

    def __eq__(self, other: object) -> Any:  # noqa: ANN401 - as numpy's does
        return Odd

    def __hash__(self) -> int:
        raise ValueError("no hash")

    def __repr__(self) -> str:
        raise OSError("no repr")


class DetailedError(ValueError):
    """An exception that holds another one."""

    def __init__(self, held: object) -> None:
        super().__init__("detailed")
        self.held = held


def raise_it(exc: BaseException, depth: int = 0) -> Any:  # noqa: ANN401 - never returns
    """Raise, from so many calls further down."""
    if depth:
        return raise_it(exc, depth - 1)
    raise exc


def while_handling(exc: BaseException, call: Callable[..., object], *arguments: object) -> object:
    """Call it while an exception is being handled."""
    try:
        raise exc
    except type(exc):
        return call(*arguments)


def cause_it(exc: BaseException, cause: BaseException) -> None:
    """Raise with a cause."""
    raise exc from cause


def context_it(exc: BaseException, context: BaseException) -> None:
    """Raise while another one is handled."""
    try:
        raise context
    finally:
        raise exc


def giving(value: object) -> Callable[[object], Any]:
    """Make a function that gives this, whatever it takes."""
    return lambda _: value


def keep(made: list[Any], work: Callable[[], object]) -> object:
    """Do it, and keep what was made."""
    made.append(work())
    return made[0]


nan = float("nan")
odd, unsure = Odd(), Unsure()
VALUES: list[Any] = [*range(-3, 4), None, "x", (), (1,), nan, odd, unsure, int, [1], {"a": [2]}]
# By their places: some of them break what Hypothesis does with what it draws.
values = st.integers(0, len(VALUES) - 1)
exceptions: st.SearchStrategy[Any] = st.sampled_from(
    [
        lambda: ValueError("bad"),
        lambda: ValueError(ValueError("within")),
        lambda: KeyError("key"),
        lambda: DetailedError(1),
        lambda: DetailedError(KeyError("held")),
        lambda: ExceptionGroup("many", [ValueError("one"), KeyError("two")]),
    ]
)
STEPS: list[Callable[[Any, Any, Any], Any]] = [
    lambda build, r, v: r.map(giving(v)),
    lambda build, r, v: r.map(len),
    lambda build, r, v: r.map_err(giving(v)),
    lambda build, r, v: r.map(build.Ok),
    lambda build, r, v: r.and_then(giving(build.Err(v))),
    lambda build, r, v: r.and_then(giving(build.Ok(v))),
    lambda build, r, v: r.and_then(giving(v)),
    lambda build, r, v: r.and_then(int),
    lambda build, r, v: r.or_else(giving(build.Ok(v))),
    lambda build, r, v: r.or_else(giving(v)),
    lambda build, r, v: r.flatten(),
    lambda build, r, v: r.transpose() or r,
    lambda build, r, v: r.and_(build.Ok(v)),
    lambda build, r, v: r.or_(v),
    lambda build, r, v: r.context("words").context(type(v).__name__),
    lambda build, r, v: build.Ok(r),
    lambda build, r, v: build.Err(r),
    lambda build, r, v: r.catch(int, giving(v)),
    lambda build, r, v: copy.copy(r),
    lambda build, r, v: copy.deepcopy(r),
    lambda build, r, v: build.combine(r, build.Ok(v), r),
    lambda build, r, v: build.collect_all([r, build.Err(v), r]),
    lambda build, r, v: build.collect(iter([build.Ok(v), r])),
    lambda build, r, v: build.collect([r, v]),
    lambda build, r, v: build.first_ok([build.Err(v), r]),
    lambda build, r, v: build.collect(r),
]
ENDS: list[Callable[[Any, Any, Any], Any]] = [
    lambda build, r, v: r.is_ok(),
    lambda build, r, v: r.is_err(),
    lambda build, r, v: build.is_ok(r),
    lambda build, r, v: r.unwrap(),
    lambda build, r, v: r.unwrap_err(),
    lambda build, r, v: r.unwrap_or(v),
    lambda build, r, v: r.expect("words"),
    lambda build, r, v: r.or_raise(),
    lambda build, r, v: hash(r) == hash(copy.copy(r)),
    lambda build, r, v: r == build.Ok(v),
    lambda build, r, v: r != build.Err(v),
    lambda build, r, v: build.Ok(v) == r,
    lambda build, r, v: r == v,
    lambda build, r, v: r < build.Ok(v),
    lambda build, r, v: r == copy.copy(r),
    lambda build, r, v: bool(r),
    lambda build, r, v: list(r),
    lambda build, r, v: setattr(r, "value", v),
    lambda build, r, v: setattr(r, "new", v),
    lambda build, r, v: delattr(r, "error"),
    lambda build, r, v: r.nothing,
    lambda build, r, v: r.map(),
    lambda build, r, v: r.map(f=build.Ok),
    lambda build, r, v: r.map(build.Ok, g=v),
    lambda build, r, v: r.and_then(f=build.Err),
    lambda build, r, v: r.and_then(build.Err, v),
    lambda build, r, v: r.map(v),
    lambda build, r, v: type(r)(),
    lambda build, r, v: type(r)(value=v),
    lambda build, r, v: type(r)(error=v),
    lambda build, r, v: type(r)(v, v),
    lambda build, r, v: build.partition([r, build.Ok(v), r]),
    lambda build, r, v: build.ignore(r, reason=""),
    lambda build, r, v: [type(r).__name__, r.__match_args__, type(r).__mro__[1].__name__],
    lambda build, r, v: weakref.ref(r),
]


@given(values, st.lists(st.tuples(st.sampled_from(STEPS), values), max_size=6), values)
def test_both_builds_tell_the_same(
    start: int, steps: list[tuple[Callable[..., Any], int]], last: int
) -> None:
    """Whatever is done with a Result, values, errors, reports and words are the same."""

    def way(build: Any) -> Iterator[object]:  # noqa: ANN401 - a package
        for result in (build.Ok(VALUES[start]), build.Err(VALUES[start])):
            for step, value in steps:
                made: list[Any] = []
                yield told(partial(keep, made, partial(step, build, result, VALUES[value])))
                if made and isinstance(made[0], build.Ok | build.Err):
                    result = made[0]  # noqa: PLW2901 - the next step goes on from here
            for end in ENDS:
                yield told(partial(end, build, result, VALUES[last]))

    for pure, built in zip(*map(way, BUILDS), strict=True):
        assert pure == built


@given(
    st.tuples(exceptions, exceptions),
    st.sampled_from([0, 1, 2, 30]),
    st.sampled_from([raise_it, cause_it, context_it]),
    st.booleans(),
    st.booleans(),
)
def test_safe_tells_the_same(
    raised: tuple[Callable[[], Exception], Callable[[], Exception]],
    depth: int,
    how: Callable[..., Any],
    handling: bool,  # noqa: FBT001 - drawn
    into: bool,  # noqa: FBT001 - drawn
) -> None:
    """The Err of an exception has the same history, whatever the exception holds."""

    def work(build: Any) -> object:  # noqa: ANN401 - a package
        extra = {"into": repr} if into else {}
        call = build.safe(ValueError, ExceptionGroup, **extra)(how)
        exc, held = (make() for make in raised)
        arguments = (exc, depth if how is raise_it else held)
        err: Any = while_handling(held, call, *arguments) if handling else call(*arguments)
        assert exc.__traceback__ is None
        return err if into else [err, exc.__context__, exc.__cause__, err.report().as_dict()]

    both(work)


def test_arguments_reach_a_safe_function_as_they_are() -> None:
    """Positions, keywords, methods and what is wrong with them: all as in the pure build."""

    def work(build: Any) -> object:  # noqa: ANN401 - a package
        def named(cls: type, text: str) -> object:
            return cls.__name__, int(text)

        some, any_at_all = build.safe(ValueError), build.safe

        class Counter:
            def add(self, first: int, *rest: int, by: int = 1, **more: int) -> object:
                """Add."""
                return [first, rest, by, more]

            add = some(add)
            made = some(classmethod(named))
            parsed = staticmethod(any_at_all(int))

        cls: Any = Counter
        counter, add = cls(), cls.add
        return [
            *(counter.add(1), counter.add(1, 2, by=3, other=4), add(counter, 1)),
            *(cls.made("1"), counter.made("x"), cls.parsed("2"), counter.parsed("y")),
            *(told(counter.add), told(lambda: add(counter))),
            *(add.__name__, add.__doc__, add.__qualname__, str(inspect.signature(add))),
            *(inspect.unwrap(add).__name__, inspect.isroutine(add), copy.copy(add) is add),
        ]

    both(work)


# What only C could get wrong


def test_a_deep_nest_is_freed() -> None:
    """A million Results inside one another need no stack for each when they go."""
    gc.disable()
    for wrap in (AnyOk, AnyErr):
        nest: Any = None
        for _ in range(1_000_000):
            nest = wrap(nest)
        del nest
    gc.enable()


@pytest.mark.parametrize("wrap", [AnyOk, AnyErr])
@pytest.mark.parametrize("what", [hash, repr])
def test_a_nest_that_is_too_deep_says_so(
    wrap: Callable[[Any], Any], what: Callable[[Any], object]
) -> None:
    """Recursion ends in a `RecursionError`, not in a crash."""
    nest, other = wrap(None), wrap(None)
    for _ in range(100_000):
        nest, other = wrap(nest), wrap(other)
    with pytest.raises(RecursionError):
        what(nest)
    with pytest.raises(RecursionError):
        assert nest == other


def mapped(held: object) -> object:
    """Give an Err with a history, which holds the error before it, too."""
    return Err([held]).map_err(lambda _: held)


@pytest.mark.parametrize("wrap", [AnyOk, AnyErr, mapped])
def test_a_cycle_is_collected(wrap: Callable[[Any], Any]) -> None:
    """A Result in a cycle with what it holds goes when nobody has it any more."""

    class Held:
        result: object

    held = Held()
    held.result = wrap(held)
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_a_cycle_through_a_safe_function_is_collected() -> None:
    """The wrapper of a recursive function goes with its scope."""

    def scope() -> weakref.ref[Any]:
        @safe(ValueError)
        def down(depth: int) -> object:
            return down(depth - 1) if depth else None

        assert down(2).is_ok()
        return weakref.ref(down)

    gone = scope()
    gc.collect()
    assert gone() is None


@safe(ValueError)
def number(text: str) -> int:
    """Parse."""
    return int(text)


@do
def added(bind: Bind[ValueError], first: str, second: str) -> int:
    """Add."""
    return bind(number(first)) + bind(number(second))


def fail(_: object) -> Result[int, str]:
    """Give an Err."""
    return Err("no")


WORK: dict[str, Callable[[], Any]] = {
    "Ok": lambda: AnyOk([1]).map(list).and_then(AnyOk).unwrap(),
    "Err": lambda: AnyOk(1).and_then(fail).map_err(list).context("x").report(),
    "safe": lambda: [AnyOk(number(text)).is_ok() for text in "1x"],
    "do": lambda: [added("1", second).is_ok() for second in "2x"],
    "collect": lambda: AnyOk(collect([AnyOk([1]), AnyOk(2), AnyErr(3)])).is_ok(),
    "refused": lambda: [told(AnyOk), told(lambda: AnyOk(1).and_then(int))],
    "equal": lambda: [AnyOk(nan) == AnyOk(nan), hash(AnyOk((1, 2))), {AnyOk(1): 2}],
}


@pytest.mark.parametrize("name", WORK)
def test_nothing_is_left_behind(name: str) -> None:
    """What has been done a thousand times leaves no more memory after three thousand more."""
    work = WORK[name]

    def held_after(times: int) -> int:
        for _ in range(times):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = held_after(1_000)
        after = held_after(3_000)
    finally:
        tracemalloc.stop()
    assert after - before < 3_000  # less than a byte for each


def test_singletons_keep_their_count() -> None:
    """What is borrowed is given back: the counts of the objects used do not move."""
    value = object()

    def same(made: Any) -> Any:  # noqa: ANN401 - whatever it is
        return made

    watched = [value, same, fail.__code__, AnyOk, AnyErr]
    before = [sys.getrefcount(it) for it in watched]
    for _ in range(1_000):
        made = AnyOk(value).map(same).and_then(AnyOk).map(same)
        assert AnyOk(made).and_then(same) is made
        assert AnyOk(value).and_then(fail).map_err(same).is_err()
        assert collect([AnyOk(value)] * 3).is_ok()
    after = [sys.getrefcount(it) for it in watched]
    assert all(abs(new - old) < 100 for new, old in zip(after, before, strict=True))


@compiled_only
def test_what_holds_nothing_is_no_work_for_the_collector() -> None:
    """The collector walks only over Results that could be part of a cycle."""
    assert not gc.is_tracked(Ok(1))
    assert not gc.is_tracked(Err("x"))
    assert gc.is_tracked(Ok([]))
    assert gc.is_tracked(Err([]))


@compiled_only
def test_there_is_no_way_around_the_constructor() -> None:
    """No subclass, no empty instance, no second initialisation, no setter."""
    for kind in (AnyOk, AnyErr):
        with pytest.raises(TypeError, match="not an acceptable base type"):
            type("Sub", (kind,), {})
        with pytest.raises(TypeError, match="not safe"):
            object.__new__(kind)
        with pytest.raises(TypeError, match="needs its value"):
            kind.__new__(kind)
    made = Ok(1)
    AnyOk.__init__(made, 2)
    assert made == Ok(1)
    with pytest.raises(AttributeError):
        object.__setattr__(made, "value", 2)


class Cutter:
    """Garbage that takes a traceback apart when it is collected."""

    def __init__(self, exc: BaseException) -> None:
        self.cycle = (self, exc)

    def __del__(self) -> None:
        self.cycle[1].__traceback__ = None


def cut(depth: int, threshold: int) -> object:
    """Raise, with garbage that goes at that many allocations from here."""
    if depth:
        return cut(depth - 1, threshold)
    exc = ValueError("cut")
    Cutter(exc)
    gc.set_threshold(threshold)
    raise exc


def test_a_traceback_may_go_while_it_is_read() -> None:
    """A collection at any moment of a capture, whatever its finalizers do, breaks nothing."""
    call: Any = safe(ValueError)(cut)
    before = gc.get_threshold()
    kept: list[object] = []  # what CPython keeps for new tuples is used up
    try:
        for threshold in range(1, 50):
            gc.set_threshold(0)
            kept.append([(threshold, number) for number in range(2500)])
            gc.collect(0)
            trace = call(8, threshold).report().trace
            assert {place.function for place in trace} <= {"cut"}
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("error", [1, [1]], ids=["plain", "container"])
def test_an_err_survives_a_finalizer_that_keeps_it(error: object) -> None:
    """Tests give the class one: it runs once, and what it keeps is as good as new."""
    kept: list[Err[object]] = []

    def finalizer(err: Err[object]) -> None:
        kept.append(err)

    setattr(Err, "__del__", finalizer)  # noqa: B010 - checkers take methods for constants
    try:
        made = [Err(error), Err(error)]
        made.clear()
        assert [err.error for err in kept] == [error, error]
        # CPython's debug build insists.
        assert all(map(gc.is_tracked, kept))
        del kept[0]
        assert len(kept) == 1
    finally:
        delattr(Err, "__del__")
    kept.clear()
    made.append(Err(error))
    made.clear()
    assert not kept


LATE = """
import builtins, gc, sys
from resultflow import Ok
class Late:
    def __init__(self, result):
        self.result = result
    def __del__(self):
        self.result.map(str)
late = Late(Ok([1]))
late.cycle = builtins.late = late
sys.late = Late(Ok([2]))
gc.disable()
"""
REMOVED = """
import sys
import resultflow._result
resultflow._result.held = [resultflow._result.Ok([resultflow._result])]
for name in [name for name in sys.modules if name.startswith("resultflow")]:
    del sys.modules[name]
del resultflow
"""


@pytest.mark.parametrize("program", [LATE, REMOVED])
def test_what_outlives_the_package_is_freed(program: str, unmeasured: dict[str, str]) -> None:
    """An Ok that the collector frees after the types themselves does not crash the end."""
    done = subprocess.run([sys.executable, "-c", program], env=unmeasured, check=False)
    assert done.returncode == 0


TRAVEL = """
import pickle, sys
from resultflow import _build, Ok, Err
from tests.test_native import added, number
sent = [Ok([1]), Err("x").context("sending"), added("1", "x"), Ok(Err(2)), number, added]
if sys.argv[1] == "send":
    sys.stdout.buffer.write(pickle.dumps([_build.native is None, sent]))
else:
    pure, came = pickle.loads(sys.stdin.buffer.read())
    assert pure != (_build.native is None) or sys.argv[2] == "same"
    assert [repr(r) for r in came] == [repr(r) for r in sent], came
    assert came[2].report().as_dict()["trace"] == sent[2].report().as_dict()["trace"]
    assert came[1].report().context == ("sending",)
    assert came[4] is number and came[5] is added
"""


@pytest.mark.parametrize(("sender", "receiver"), [("0", "1"), ("1", "0")])
def test_pickles_travel_between_the_builds(
    sender: str, receiver: str, unmeasured: dict[str, str]
) -> None:
    """What one build has pickled, the other one opens, with all its history."""

    def run(pure: str, what: str, data: bytes = b"") -> bytes:
        built = importlib.util.find_spec("resultflow._native") is not None
        same = "" if built else "same"
        return subprocess.run(
            [sys.executable, "-c", TRAVEL, what, same],
            env={**unmeasured, "RESULTFLOW_PURE": pure},
            input=data,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    run(receiver, "receive", run(sender, "send"))


def test_threads_share_results() -> None:
    """Results are made, read and freed by several threads at once."""
    shared = [Ok(number) for number in range(100)]
    wrong: list[object] = []

    def work() -> None:
        for turn in range(200):
            made = [result.map(lambda v: v + 1).and_then(Ok) for result in shared]
            if collect(made) != Ok(list(range(1, 101))) or number("x").is_ok():
                wrong.append(turn)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_an_endless_iterable_can_be_interrupted() -> None:
    """`collect` over what never ends lets signal handlers run, though no Python runs in it."""
    program = (
        "import itertools, resource, signal\n"
        "from resultflow import Ok, collect\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "try:\n"
        "    collect(itertools.repeat(Ok(1)))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert done.stdout == "interrupted\n"


def test_matching_and_generic_names() -> None:
    """A `match` by position and by name, and `Ok[int]`, are as with any class."""

    def both_ways(result: Result[int, str]) -> object:
        match result:
            case Ok(value=v):
                return v
            case Err(e):
                return e

    assert (both_ways(Ok(1)), both_ways(Err("x"))) == (1, "x")
    assert AnyOk[int](1) == Ok(1)
    assert AnyOk[int].__args__ == (int,)
    assert isinstance(AnyOk(1), AnyOk | AnyErr)


def test_the_classes_are_documented_alike() -> None:
    """The two builds have the same documentation, the same methods and the same names."""
    for name in ("Ok", "Err"):
        pure, built = (getattr(build, name) for build in BUILDS)
        assert inspect.getdoc(pure) == inspect.getdoc(built)
        for method in (None, "is_ok", "is_err", "unwrap", "unwrap_err", "map", "and_then"):
            shown = [
                list(inspect.signature(getattr(kind, method) if method else kind).parameters)
                for kind in (pure, built)
            ]
            assert shown[0] == shown[1]
            assert inspect.getdoc(getattr(getattr(resultflow, name), method or "map"))
        assert {key for key in dir(pure) if not key.startswith("_")} == {
            key for key in dir(built) if not key.startswith("_")
        }
    assert (Ok.__module__, Ok.__qualname__) == ("resultflow._result", "Ok")
    assert resultflow.Ok is Ok


def test_memory_is_as_small_as_can_be() -> None:
    """An Ok is no larger than a tuple of one."""
    assert sys.getsizeof(Ok(1)) <= sys.getsizeof((1,))
