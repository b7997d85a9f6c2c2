"""What the peers call things, and the programs that `bench.comparison` asks its questions with.

A question to the type checkers is a pair of programs that differ in one mistake: a checker answers
it when it accepts the first and refuses the second. A question to the running program is a
function below, called in an environment that has the peer.
"""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from inspect import iscoroutine, isgenerator
from multiprocessing import get_context
from string import Template
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

NONE = "-"


class Peer(NamedTuple):
    """A library, by the words with which the programs are written; empty: it has no such thing."""

    distribution: str
    imports: str
    ok: str = "Ok"
    err: str = "Err"
    type: str = "Result"
    case_ok: str = "Ok(value)"
    case_err: str = "Err(error)"
    chain: str = "f(n).and_then(h)"
    do: str = ""
    safe: str = ""  # the function `raw`, decorated with two classes
    safe_one: str = ""  # the same with one class, where two take two decorators
    plugin: str = ""
    collect: str = ""
    condition: str = "r.is_ok()"
    where: str = ""  # an expression for the text that says where the Err in `r` was made

    def spell(self, text: str, **more: str) -> str:
        """Write a program in the words of this library."""
        return Template(text).substitute(self._asdict(), **more)


_GENERATED = """
def both(n: int) -> $type[int, $declared]:
    return do($made for x in f(n) for y in h(n))
"""
PEERS = {
    "resultflow": Peer(
        distribution="resultflow",
        imports="from resultflow import Bind, Err, Ok, Result, collect, do, safe",
        do="""
@do
def both(bind: Bind[$declared], n: int) -> int:
    return bind(f(n)) + bind(h(n))
""",
        safe="safe(A, B)(raw)",
        plugin="resultflow.mypy_plugin",
        collect="collect(many)",
        where="str(r.report())",
    ),
    "result": Peer(
        distribution="result",
        imports="from result import Err, Ok, Result, as_result, do",
        do=_GENERATED.replace("$made", "Ok(x + y)"),
        safe="as_result(A, B)(raw)",
    ),
    "returns": Peer(
        distribution="returns",
        imports="""
from returns.iterables import Fold
from returns.pipeline import is_successful
from returns.primitives.tracing import collect_traces
from returns.result import Failure, Result, Success, safe
""",
        ok="Success",
        err="Failure",
        case_ok="Success(value)",
        case_err="Failure(error)",
        chain="f(n).bind(h)",
        do=_GENERATED.replace("do($made", "Result.do(x + y"),
        safe="safe(exceptions=(A, B))(raw)",
        plugin="returns.contrib.mypy.returns_plugin",
        collect="Fold.collect(many, Success(()))",
        condition="is_successful(r)",
        where="str(traced(make).trace)",
    ),
    "Expression": Peer(
        distribution="expression",
        imports="""
from collections.abc import Generator
from expression import Error, Ok, Result, effect
from expression.collections import Block
from expression.extra.result import catch, sequence
""",
        err="Error",
        case_ok="Result(tag='ok', ok=value)",
        case_err="Result(tag='error', error=error)",
        chain="f(n).bind(h)",
        do="""
@effect.result[int, $declared]()
def both(n: int) -> Generator[int, int, int]:
    x = yield from f(n)
    y = yield from h(n)
    return x + y
""",
        safe="catch(exception=B)(catch(exception=A)(raw))",
        safe_one="catch(exception=A)(raw)",
        collect="sequence(Block.of_seq(many))",
    ),
    "corrode": Peer(
        distribution="corrode",
        imports="""
from corrode import Err, Ok, Result, as_result, do
from corrode.iterator import collect
""",
        do=_GENERATED.replace("$made", "Ok(x + y)"),
        safe="as_result(A, B)(raw)",
        collect="collect(many)",
    ),
    "safe-result": Peer(
        distribution="safe-result",
        imports="from safe_result import Err, Ok, Result, safe_with",
        safe="safe_with(A, B)(raw)",
    ),
    "poltergeist": Peer(
        distribution="poltergeist",
        imports="from poltergeist import Err, Ok, Result, catch",
        chain="",
        safe="catch(A, B)(raw)",
        condition="r.err() is None",
    ),
    "outcome": Peer(
        distribution="outcome",
        imports="""
from functools import partial
from outcome import Error, Maybe, Value, capture
""",
        ok="Value",
        err="Error",
        type="Maybe",
        case_ok="Value(value)",
        case_err="Error(error)",
        chain="",
        safe="partial(capture, raw)",
        condition="isinstance(r, Value)",
    ),
    "exceptions": Peer(distribution="", imports="", chain="h(f(n))"),
}

# To the type checkers. `defs` is a module of its own, so that what it needs counts nowhere.

_DEFINITIONS = """
$imports
class A(Exception): ...
class B(Exception): ...
def raw(n: int) -> int:
    return n
def f(n: int) -> $f:
    if n:
        return $ok(n)
    return $err(A())
def h(n: int) -> $h:
    if n:
        return $ok(n)
    return $err(B())
def g(n: int) -> $g:
    if n:
        return $ok(n)
    if n > 1:
        return $err(A())
    return $err(B())
"""
_RAISING = """
class A(Exception): ...
class B(Exception): ...
def f(n: int) -> int:
    raise A
def h(n: int) -> int:
    raise B
def g(n: int) -> int:
    raise A if n else B
"""
_HANDLED = """
def use(n: int) -> int:
    match f(n):
        case $case_ok:
            return value
$mistake
"""
_ONE_BY_ONE = """
def use(n: int) -> int:
    match g(n):
        case $case_ok:
            return value
        case $case_err:
            match error:
                case A():
                    return 1
$mistake
"""
# What is asked for, the program, and what stands for `$mistake` when it is right and when not.
QUESTIONS = {
    "a failure that is not handled": (
        _HANDLED,
        "        case $case_err:\n            print(error)\n            return 0",
        "",
    ),
    "one class of errors that is not handled": (
        _ONE_BY_ONE,
        "                case B():\n                    return 2",
        "",
    ),
    "a result that is thrown away": (
        "def use(n: int) -> None:\n    $mistake\n",
        "print(f(n))",
        "f(n)",
    ),
    "an error class that a chain lets out": (
        "def both(n: int) -> $type[int, $mistake]:\n    return $chain\n",
        "A | B",
        "A",
    ),
    "an error class that a `do` block lets out": ("$block", "A | B", "A"),
    "an error class that a decorator lets out": (
        "call = $safe\n\ndef use(n: int) -> $type[int, $mistake]:\n    return call(n)\n",
        "A | B",
        "A",
    ),
    "a result used as a condition": (
        "def use(n: int) -> int:\n    r = f(n)\n    return 1 if $mistake else 0\n",
        "$condition",
        "r",
    ),
}
_NEEDS = {
    "an error class that a chain lets out": ("chain", "has no chaining"),
    "an error class that a `do` block lets out": ("do", "has no such form"),
}
# Exceptions are not in types: their programs say the same by `try`, or in the docstring.
_TRY = "def use(n: int) -> int:\n    try:\n        return %s\n    except %s:\n        return 0\n"
_PROMISE = 'def both(n: int) -> int:\n    """Raise %s."""\n    return h(f(n))\n'
_EXCEPTIONS = {
    "a failure that is not handled": (
        _TRY % ("f(n)", "A"),
        "def use(n: int) -> int:\n    return f(n)\n",
    ),
    "one class of errors that is not handled": (
        _TRY % ("g(n)", "(A, B)"),
        _TRY % ("g(n)", "A"),
    ),
    "an error class that a chain lets out": (_PROMISE % "A or B", _PROMISE % "A"),
}


def definitions(name: str) -> str:
    """Write the module that the programs of a peer import."""
    peer = PEERS[name]
    if name == "exceptions":
        return _RAISING
    # That of outcome has no type for errors.
    kinds = {
        key: f"{peer.type}[int]" if name == "outcome" else f"{peer.type}[int, {errors}]"
        for key, errors in (("f", "A"), ("h", "B"), ("g", "A | B"))
    }
    return peer.spell(_DEFINITIONS, **kinds)


def programs(name: str, question: str) -> tuple[str, str] | str:
    """Write the program that is right and the one with the mistake, or say why there is none."""
    peer = PEERS[name]
    if name == "exceptions":
        if question not in _EXCEPTIONS:
            return "no value"
        head = "from defs_exceptions import A, B, f, g, h\n"
        good, bad = _EXCEPTIONS[question]
        return head + good, head + bad
    if question in _NEEDS and not getattr(peer, _NEEDS[question][0]):
        return _NEEDS[question][1]
    if name == "outcome" and ("one class" in question or "decorator" in question):
        return "errors have no type"
    text, good, bad = QUESTIONS[question]
    head = f"{peer.imports}\nfrom defs_{name.replace('-', '_')} import A, B, f, g, h, raw\n\n"
    body = [
        peer.spell(
            text,
            mistake=peer.spell(mistake),
            block=peer.spell(peer.do, declared=mistake) if "$block" in text else "",
        )
        for mistake in (good, bad)
    ]
    return head + body[0], head + body[1]


# To the running program. Each gives the text of a cell.


class LostError(Exception):
    """A failure of the programs below."""


class KeywordOnlyError(Exception):
    """An exception that is made with an argument by name: pickle calls it with none."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Held:
    """What a local variable holds; its end can be seen."""


class Words:
    """A peer's names, imported."""

    def __init__(self, name: str) -> None:
        self.name, self.peer = name, PEERS[name]
        self.names: dict[str, Any] = {"A": LostError, "B": KeyError}
        exec(self.peer.imports, self.names)  # noqa: S102 - this module's own text

    def err(self, error: object) -> Any:  # noqa: ANN401 - of any library
        """Make a failure."""
        return self.names[self.peer.err](error)

    def guard(self, function: Callable[..., object]) -> Callable[..., Any]:
        """Decorate a function as the library does."""
        made: Callable[..., Any] = self.given(self.peer.safe_one or self.peer.safe, raw=function)
        return made

    def given(self, text: str, **more: object) -> Any:  # noqa: ANN401 - as above
        """Evaluate one of the peer's expressions."""
        return eval(text, {**self.names, **more})  # noqa: S307 - as above


def truth(words: Words) -> str:
    """What is the truth of a failure?"""
    if words.name == "exceptions":
        return NONE
    try:
        return "true" if words.err(LostError("it")) else "false"
    except TypeError:
        return "`TypeError`"


def unwrapping(words: Words) -> str:
    """What does `unwrap` raise, does its text have the error, and does it lead to it?"""
    if words.name == "exceptions":
        return NONE
    error = LostError("the disk is full")
    result = words.err(error)
    if not hasattr(result, "unwrap"):
        return f"{NONE} (has none)"
    try:
        result.unwrap()
    except BaseException as exc:  # noqa: BLE001 - what it raises is the question
        if exc is error:
            return "the error itself"
        says = "with its text" if "the disk is full" in str(exc) else "without its text"
        leads = "as cause" if exc.__cause__ is error else "no cause"
        return f"`{type(exc).__name__}`, {says}, {leads}"
    return "nothing"


def _made(words: Words, function: Callable[..., object]) -> str:
    """Tell what a decorated function gives that fails when its work is done."""
    try:
        decorated = words.guard(function)
    except TypeError:
        return "refused"
    given = decorated()
    inner = next(
        found
        for name in ("_value", "_inner_value", "value", "ok")
        if isgenerator(found := getattr(given, name, None)) or iscoroutine(found)
    )
    inner.close()
    return "a success"


def asynchronous(words: Words) -> str:
    """What does the decorator make of a coroutine function that fails?"""

    async def function() -> int:
        raise LostError

    return NONE if words.name == "exceptions" else _made(words, function)


def generating(words: Words) -> str:
    """What does the decorator make of a generator function that fails?"""

    def function() -> Generator[int, None, None]:
        yield 1
        raise LostError

    return NONE if words.name == "exceptions" else _made(words, function)


def pinned(words: Words) -> str:
    """Does a caught exception keep the locals of the function that failed?"""
    held: list[weakref.ref[Held]] = []

    def fail() -> int:
        local = Held()
        held.append(weakref.ref(local))
        raise LostError(type(local).__name__)

    def caught() -> object:
        if words.name != "exceptions":
            return words.guard(fail)()
        try:
            return fail()
        except LostError as exc:
            return exc

    gc.collect()
    gc.disable()
    try:
        kept: object = caught()
        if held[0]() is None:
            return "no"
        del kept
        return "until the collector runs" if held[0]() else "as long as the failure"
    finally:
        gc.enable()


def where(words: Words) -> str:
    """Can a failure that is no exception say where it was made?"""
    if words.name == "exceptions":
        return NONE

    def make() -> Any:  # noqa: ANN401 - any library's
        return words.err("no exception")

    def traced(function: Callable[[], object]) -> object:
        with words.names["collect_traces"]():
            return function()

    if not words.peer.where:
        return "no"
    says = words.given(words.peer.where, r=make(), traced=traced, make=make)
    if "peers.py" not in says:
        return "no"
    return "in `collect_traces`" if "traced" in words.peer.where else "yes"


def fail_elsewhere(name: str) -> object:
    """Fail, in another process, with an exception that pickle cannot make anew."""
    error = KeywordOnlyError(code=7)
    if name == "exceptions":
        raise error
    return Words(name).err(error)


def travel(words: Words) -> str:
    """Does such a failure come back from a pool of processes?"""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        future = pool.submit(fail_elsewhere, words.name)
        try:
            future.result(300)
        except BrokenProcessPool:
            return "breaks the pool"
        except KeywordOnlyError:
            return "arrives"
    return "arrives"


def growth(words: Words) -> str:
    """How does the time to collect grow with the number of results?"""
    if not words.peer.collect:
        return NONE
    seconds: list[float] = []
    for count in (1_000, 10_000):
        many = [words.names[words.peer.ok](one) for one in range(count)]
        best = float("inf")
        for _ in range(3):
            start = process_time()
            try:
                words.given(words.peer.collect, many=many)
            except RecursionError:
                return "`RecursionError`"
            best = min(best, process_time() - start)
        seconds.append(best)
    # Ten times the work: 5 to 13 is what is linear, 50 what is quadratic but for a small part.
    return "linear" if seconds[1] / seconds[0] < 25 else "quadratic"  # noqa: PLR2004 - between them


PROBES: dict[str, Callable[[Words], str]] = {
    "the truth of a failure": truth,
    "`unwrap` of a failure raises": unwrapping,
    "the decorator, on a coroutine function that fails": asynchronous,
    "the decorator, on a generator that fails": generating,
    "a caught exception keeps the locals of its function": pinned,
    "a failure that is no exception says where it was made": where,
    "an exception with keyword-only arguments, from a process pool": travel,
    "time to collect 10,000 results": growth,
}


def answers(name: str) -> dict[str, str]:
    """Run all questions on a peer that can be imported."""
    words = Words(name)
    return {question: probe(words) for question, probe in PROBES.items()}
