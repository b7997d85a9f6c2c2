"""The codemod: what it changes means the same under both libraries, what it leaves is listed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from resultflow import cli
from resultflow.migrate import LIBRARIES, Left, MigrationError, main, migrated

# Library, before, after. Both are run, and `main` must give the same.
CASES = {
    "values": (
        "result",
        """
from result import Err, Ok, Result

def half(number: int) -> Result[int, str]:
    # Odd numbers have none.
    return Ok(number // 2) if number % 2 == 0 else Err(value="odd")

def main() -> object:
    return half(4).ok_value, half(3).err_value, half(4).and_then(half).unwrap_or(7)
""",
        """
from resultflow import Err, Ok, Result

def half(number: int) -> Result[int, str]:
    # Odd numbers have none.
    return Ok(number // 2) if number % 2 == 0 else Err(error="odd")

def main() -> object:
    return half(4).value, half(3).error, half(4).and_then(half).unwrap_or(7)
""",
    ),
    "patterns": (
        "result",
        """
from result import Err, Ok

def told(given):
    match given:
        case Ok(ok_value=7): return "seven"
        case Ok(value): return value
        case Err(err_value=error): return error

def main() -> object:
    return [told(each) for each in (Ok(7), Ok(1), Err("no"))]
""",
        """
from resultflow import Err, Ok

def told(given):
    match given:
        case Ok(value=7): return "seven"
        case Ok(value): return value
        case Err(error=error): return error

def main() -> object:
    return [told(each) for each in (Ok(7), Ok(1), Err("no"))]
""",
    ),
    "decorators": (
        "result",
        """
import asyncio
from result import (
    as_async_result,
    as_result,  # from exceptions
    is_err, is_ok,
)

@as_result(ValueError, KeyError)
def number(text: str) -> int:
    return int(text)

@as_async_result(OSError)
async def read(path: str) -> str:
    with open(path) as file:
        return file.read()

def main() -> object:
    lost = asyncio.run(read("no/such/file"))
    return number("1").unwrap(), is_err(number("x")), is_ok(lost), type(lost.err_value)
""",
        """
import asyncio
from resultflow import (
    aio,
    safe,  # from exceptions
    is_err, is_ok,
)

@safe(ValueError, KeyError)
def number(text: str) -> int:
    return int(text)

@aio.safe(OSError)
async def read(path: str) -> str:
    with open(path) as file:
        return file.read()

def main() -> object:
    lost = asyncio.run(read("no/such/file"))
    return number("1").unwrap(), is_err(number("x")), is_ok(lost), type(lost.error)
""",
    ),
    "methods": (
        "result",
        """
from result import Err, Ok, UnwrapError

def main() -> object:
    told = []
    try:
        Err("no").unwrap_or_raise(ValueError)
    except ValueError as exc:
        told.append(str(exc))
    try:
        Err("no").unwrap()
    except UnwrapError:
        told.append("unwrapped")
    for each in (Ok(1), Err("no")):
        told.append(each.map_or_else(lambda: 0, lambda value: value + 1))
        told.append(each.map_or_else(lambda : 0, str))
    return told, Ok(3).unwrap_or_raise(ValueError)
""",
        """
from resultflow import Err, Ok, UnwrapError

def main() -> object:
    told = []
    try:
        Err("no").map_err(ValueError).or_raise()
    except ValueError as exc:
        told.append(str(exc))
    try:
        Err("no").unwrap()
    except UnwrapError:
        told.append("unwrapped")
    for each in (Ok(1), Err("no")):
        told.append(each.map_or_else(lambda _: 0, lambda value: value + 1))
        told.append(each.map_or_else(lambda _ : 0, str))
    return told, Ok(3).map_err(ValueError).or_raise()
""",
    ),
    "names that mean something else": (
        "result",
        """
from result import Err as Bad, as_result
from result.result import Ok

safe = "mine"

@as_result(ValueError)
def number(Ok: str) -> int:
    return int(Ok)

def main() -> object:
    def inner(as_result): return as_result
    return safe, Bad(1).err_value, Ok(2).ok_value, number("3").unwrap(), inner(4)
""",
        """
from resultflow import Err as Bad, safe as as_result
from resultflow import Ok

safe = "mine"

@as_result(ValueError)
def number(Ok: str) -> int:
    return int(Ok)

def main() -> object:
    def inner(as_result): return as_result
    return safe, Bad(1).error, Ok(2).value, number("3").unwrap(), inner(4)
""",
    ),
    "names that are exported": (
        "result",
        """
import asyncio; from result import as_async_result, as_result, Ok

__all__ = ["as_result", "as_async_result"]

def main() -> object:
    return as_result(ValueError)(int)("1").unwrap() + Ok(1).unwrap()
""",
        """
import asyncio; from resultflow import Ok, safe as as_result
from resultflow.aio import safe as as_async_result

__all__ = ["as_result", "as_async_result"]

def main() -> object:
    return as_result(ValueError)(int)("1").unwrap() + Ok(1).unwrap()
""",
    ),
    "returns": (
        "returns",
        """
from returns.result import Failure, Result, ResultE, Success, safe
from returns.pipeline import is_successful
from returns.methods import partition

@safe(exceptions=(ValueError, KeyError))
def number(text: str) -> int:
    return int(text)

@safe(exceptions=(ValueError,))
def small(text: str) -> int:
    return int(text)

@safe
def half(value: int) -> float:
    return 1 / value

def checked(value: int) -> ResultE[int]:
    return Success(value) if value else Failure(ValueError("zero"))

def told(given: Result[int, str]) -> object:
    match given:
        case Success(value): return value
        case Failure(error): return error

def main() -> object:
    chained = Success(1).bind(checked).map(str).alt(str)
    return (
        chained.unwrap(), number("x").value_or(3), checked(0).lash(lambda _: Success(5)).unwrap(),
        is_successful(half(0)), str(half(0).failure()), told(Success(1)), told(Failure("no")),
        partition([Success(1), Failure(2)]), is_successful(small("y")),
    )
""",
        """
from resultflow import Err, Ok, Result, safe
from resultflow import is_ok
from resultflow import partition

@safe(ValueError, KeyError)
def number(text: str) -> int:
    return int(text)

@safe(ValueError)
def small(text: str) -> int:
    return int(text)

@safe
def half(value: int) -> float:
    return 1 / value

def checked(value: int) -> Result[int, Exception]:
    return Ok(value) if value else Err(ValueError("zero"))

def told(given: Result[int, str]) -> object:
    match given:
        case Ok(value): return value
        case Err(error): return error

def main() -> object:
    chained = Ok(1).and_then(checked).map(str).map_err(str)
    return (
        chained.unwrap(), number("x").unwrap_or(3), checked(0).or_else(lambda _: Ok(5)).unwrap(),
        is_ok(half(0)), str(half(0).unwrap_err()), told(Ok(1)), told(Err("no")),
        partition([Ok(1), Err(2)]), is_ok(small("y")),
    )
""",
    ),
}


def ran(source: str) -> object:
    """Run a module, and give what its `main` does."""
    names: dict[str, object] = {}
    exec(compile(source, "case", "exec"), names)  # noqa: S102 - the cases are code
    told = names["main"]
    assert callable(told)
    return told()


def lefts(source: str, library: str = "result") -> list[str]:
    """Give line and reason of what is left in a source, which is not changed but for that."""
    _, left = migrated(source.encode(), library)
    return [f"{one.line}: {one.reason}" for one in left]


@pytest.mark.parametrize("case", CASES)
def test_source_is_migrated(case: str) -> None:
    """The new source is as a person would have written it, with all comments and layout."""
    library, before, after = CASES[case]
    new, left = migrated(before.encode(), library)
    assert new.decode() == after
    assert left == ()


@pytest.mark.parametrize("case", CASES)
def test_new_source_does_the_same(case: str) -> None:
    """Before and after, run against the two libraries, give the same."""
    _, before, after = CASES[case]
    assert ran(before) == ran(str(after))


@pytest.mark.parametrize("case", CASES)
def test_migrating_again_changes_nothing(case: str) -> None:
    """What was migrated stays as it is."""
    library, _, after = CASES[case]
    assert migrated(str(after).encode(), library) == (str(after).encode(), ())


@pytest.mark.parametrize(
    "source",
    [
        b"from result import Ok\r\nx = Ok( 1 ).ok_value # a\r\n",
        b"# -*- coding: latin-1 -*-\nfrom result import Ok # \xe9\nif 1:\n\tx = Ok(1).ok_value",
        b"\xef\xbb\xbffrom result import Ok\nx = Ok(1).ok_value\n\n\n",
    ],
)
def test_bytes_that_are_not_concerned_stay(source: bytes) -> None:
    """Line ends, tabs, encoding and a missing last line end are as they were."""
    new, _ = migrated(source, "result")
    plain = source.replace(b"from result ", b"from resultflow ").replace(b"ok_value", b"value")
    assert new == plain


IMPORTED = "from returns.result import Success\n"
STRANGER = "1: '.ok_value': write '.value' if it is of result, which this file does not import"


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("from result import *\n", "1: from result import *: import by name, and migrate again"),
        ("import result\n", "1: import result: import by name, and migrate again"),
        ("print(given.ok_value)\n", STRANGER),
        (
            "from result import (\n    Ok,\n    do,  # why\n)\n",
            "1: split this import, whose comments would be lost, and migrate again",
        ),
        (
            "from result import (\n    Ok,  # why\n    do,\n)\n",
            "1: split this import, whose comments would be lost, and migrate again",
        ),
    ],
)  # fmt: skip
def test_file_that_cannot_be_known_is_not_touched(source: str, left: str) -> None:
    """Where a change might be wrong, the file stays as it is, and the reason is told."""
    assert migrated(source.encode(), "result")[0] == source.encode()
    assert lefts(source) == [left]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Failure, Result, Success, safe", "Err, Ok, Result, safe"),
        ("Failure, Result, safe, Success", "Err, Ok, Result, safe"),
        ("Success, Failure", "Ok, Err"),
        ("(\n    Failure,\n    Result,\n    Success,\n)", "(\n    Err,\n    Ok,\n    Result,\n)"),
        (
            "(\n    Failure,\n    Result,  # both\n    Success,\n)",
            "(\n    Err,\n    Result,  # both\n    Ok,\n)",
        ),
    ],
)
def test_sorted_import_stays_sorted(old: str, new: str) -> None:
    """A list of names that was sorted is sorted afterwards, where no comment would move."""
    uses = "\nSuccess(1)\nFailure(2)\nResult\nsafe\n"
    made = migrated(f"from returns.result import {old}{uses}".encode(), "returns")[0].decode()
    assert made.partition(" import ")[2].startswith(f"{new}\n")


def test_example_with_old_names_is_told() -> None:
    """An example in a docstring is text: its place is told, and it is not changed."""
    source = (
        "from returns.result import Success\n"
        "def f():\n"
        "    'f.  >>> f() is <Success: 1>'\n"
        "    return Success(1)\n"
    )
    assert b"<Success: 1>" in migrated(source.encode(), "returns")[0]
    assert lefts(source, "returns") == ["3: 'Success' in an example: write Ok"]
    assert lefts(source.replace(">>>", ""), "returns") == []


def test_file_with_modules_of_returns_is_left() -> None:
    """What is reached through a module is not renamed, so that no method is either."""
    source = (
        "from returns import maybe, result\nresult.Success(1).bind(f)\nmaybe.Some(1).bind(f)\n"
    )
    assert migrated(source.encode(), "returns")[0] == source.encode()
    told = "1: modules from returns: import by name, and migrate again"
    assert lefts(source, "returns") == [told]


@pytest.mark.parametrize(
    ("library", "source", "left"),
    [
        ("result", "f().unwrap_or_raise(E)", "write .map_err(...).or_raise()"),
        ("result", "f().map_async(g)", "write a function with @aio.do"),
        ("returns", "f().value_or(1)", "write '.unwrap_or'"),
        ("returns", "f().failure()", "write '.unwrap_err'"),
    ],
)
def test_method_is_told_where_nothing_is_imported(library: str, source: str, left: str) -> None:
    """A file that only calls what gives a Result need not import the library: it is told."""
    assert migrated(source.encode(), library)[0] == source.encode()
    name = source[4:].partition("(")[0]
    told = f"1: '.{name}': {left} if it is of {library}, which this file does not import"
    assert lefts(source, library) == [told]
    assert lefts(source.replace("f()", "self"), library) == []


def test_failure_is_told_only_as_a_call_of_no_argument() -> None:
    """Many a thing has a `failure` that is read, or is told something."""
    assert lefts("f.failure\nf.failure(1)\nf(x.failure, g())\n# failure()\n", "returns") == []


@pytest.mark.parametrize(
    "module", ["returns.maybe", "returns.io", "returns.future", "returns.context.base", "socket"]
)
def test_files_with_other_containers_are_left(module: str) -> None:
    """`bind` of a Maybe, or of a socket, is not that of a Result: the file is left whole."""
    source = f"from {module} import x\nfrom returns.result import Success\nSuccess(1).bind(x)\n"
    assert migrated(source.encode(), "returns")[0] == source.encode()
    assert lefts(source, "returns") == [
        f"1: {module} has methods of the same names: migrate this file by hand"
    ]


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("do\ndo(Ok(x) for x in y)\n", ["2: 'do': write a function with @do"] * 2),
        ("isinstance(x, OkErr)\n", ["2: 'OkErr': write (Ok, Err)"]),
        ("async def f():\n    await x.map_async(g)\n",
         ["3: '.map_async': write a function with @aio.do"]),
        ("x.map_or_else(f, g)\n",
         ["2: '.map_or_else' gives the error to its first function"]),
        ("x.map_or_else(lambda y=1: y, g)\n",
         ["2: '.map_or_else' gives the error to its first function"]),
        ("x.map_or_else(lambda *y: y, g)\n",
         ["2: '.map_or_else' gives the error to its first function"]),
        ("x.map_or_else(lambda _: 0, g)\n", []),
        ("from os import *\n", []),
        ("x.map_or_else(default_op=f, op=g)\n", ["2: '.map_or_else' with arguments by name"]),
        ("x.unwrap_or_raise(e=E)\n", ["2: '.unwrap_or_raise' with arguments by name"]),
        ("def f(x: 'as_result'): ...\n", ["2: 'as_result' in a string: write safe"]),
        ("x = y  # type: as_result\n", ["2: 'as_result' in a comment: write safe"]),
        ("x.map_or_else(lambda: _('none'), g)\n",
         ["2: '.map_or_else' gives the error to its first function"]),
        ("raising = x.unwrap_or_raise\n",
         ["2: '.unwrap_or_raise': write .map_err(...).or_raise()"]),
        ("map(Ok.map_async, x)\n", ["2: '.map_async': write a function with @aio.do"]),
        ("print(x._value)\n", ["2: '._value': write '.value' or '.error' if it is of a Result"]),
        ("class A:\n    def __init__(self): self._value = 1\n", []),
        ("getattr(x, 'ok_value')\n",
         ["2: 'ok_value': write 'value' if it names the attribute"]),
        ("class A:\n    def f(self): return self.ok_value\n",
         ["3: '.ok_value': write '.value' if it is of a Result"]),
        ("class A:\n    ok_value = 1\n    err_value: int = 2\nprint(a.ok_value, a.err_value)\n",
         ["5: '.ok_value': write '.value' if it is of a Result",
          "5: '.err_value': write '.error' if it is of a Result"]),
        ("class A(Ok): ...\n", ["2: no class can be derived from Ok"]),
        ("print(raised.value.result, future.result())\n",
         ["2: '.result': write '.report.error' if it is of an UnwrapError"]),
    ],
)  # fmt: skip
def test_places_of_result_that_are_left(source: str, left: list[str]) -> None:
    """What has no like here, or would need a type to be known, is told with its line."""
    names = "Ok, OkErr, UnwrapError, do"
    expected = [line.replace("2: 'do'", f"{2 + at}: 'do'") for at, line in enumerate(left)]
    assert lefts(f"from result import {names}\n{source}") == expected
    new, _ = migrated(f"from result import {names}\n{source}".encode(), "result")
    assert new.decode() == (
        "from resultflow import Ok, UnwrapError\nfrom result import OkErr, do\n" + source
    )


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("flow(1, f)\n", "'flow': write methods, or a function with @do"),
        ("Result.do(x for x in y)\n", "'do': write a function with @do"),
        ("Result.from_value(1)\n", "'from_value': write Ok(...)"),
        ("x = Result.map\n", "'map': Result is a union here, and has no attributes"),
        ("isinstance(x, Result)\n", "'Result' is a union: write (Ok, Err)"),
        ("isinstance(x, (int, Result))\n", "'Result' is a union: write (Ok, Err)"),
        ("x.alt(raise_exception).unwrap()\n",
         "'raise_exception': write .or_raise() for .alt(...).unwrap()"),
        ("x.swap()\n", "'.swap': write .map_or_else(Ok, Err)"),
        ("x.apply(y)\n", "'.apply': use combine"),
        ("issubclass(x, Result)\n", "'Result' is a union: write (Ok, Err)"),
        ("class A(B, Result[int, str]): ...\n", "no class can be derived from Result"),
        ("f = x.lash\n", "'.lash': write '.or_else' if it is of a Result"),
        ("safe((A,), add_note_on_failure=True)\n",
         "'safe' takes the classes one by one: safe(A, B)"),
        ("safe(exceptions=THESE)\n", "'safe' takes the classes one by one: safe(A, B)"),
        ("safe(exceptions=(A,  # first\n    B))\n",
         "'safe' takes the classes one by one: safe(A, B)"),
    ],
)  # fmt: skip
def test_places_of_returns_that_are_left(source: str, left: str) -> None:
    """What has no like here is told with its line."""
    head = (
        "from returns.result import Result, safe\nfrom returns.pipeline import flow\n"
        "from returns.functions import raise_exception\n"
    )
    assert lefts(head + source, "returns") == [f"4: {left}"]


@pytest.mark.parametrize(
    ("call", "source"),
    [
        (1, "@as_result()\ndef f(): ..."),
        (1, "@as_result('no class')\ndef f(): ..."),
        (0, "as_result(ValueError)(int)('1')"),
    ],
)
def test_misuse_is_told(call: int, source: str) -> None:
    """What is refused by both may be tested for its words, which are others here."""
    told = "2: 'as_result' of no classes: it is refused in other words"
    assert lefts(f"from result import as_result\n{source}\n") == [told] * call


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "as_result\n__all__: list[str] = ['as_result']",
        "as_result\n__all__ += ('as_result',)",
        "as_result\n__all__.append('as_result')",
        "as_result\nas_result = None",
        "try:\n    as_result\nexcept NameError:\n    from mine import as_result",
    ],
)
def test_name_stays_where_more_than_its_uses_is_meant(rest: str) -> None:
    """A name that others import from the file, or that is bound twice, is still there."""
    new, left = migrated(f"from result import as_result\n{rest}\n".encode(), "result")
    assert new.decode() == f"from resultflow import safe as as_result\n{rest}\n"
    assert left == ()


@pytest.mark.parametrize(
    "source",
    ["Injected.bind(f)", "di.Injected.bind(f)", "self.bind(f)", "cls.bind(f)", "queue.bind(f)"],
)
def test_method_of_what_is_no_value_stays(source: str) -> None:
    """A class, a module and `self` are no Results, whatever their methods are called."""
    new, left = migrated(f"import queue\n{IMPORTED}{source}\nSuccess\n".encode(), "returns")
    assert new.decode() == f"import queue\nfrom resultflow import Ok\n{source}\nOk\n"
    assert left == ()
    for receiver in ("given", "self.given", "find(1)", "given[0]", "(yield)"):
        new, _ = migrated(f"{IMPORTED}{receiver}.bind(f)\n".encode(), "returns")
        assert f"{receiver}.and_then(f)" in new.decode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from result import Ok, OkErr; OkErr\n",
         "from resultflow import Ok; from result import OkErr; OkErr\n"),
        ("if x: from result import Ok, OkErr\n",
         "if x: from resultflow import Ok; from result import OkErr\n"),
        ("if x: from result import as_result; as_result\n",
         "if x: from resultflow import safe; safe\n"),
        ("from result import Err\nErr(1).value\n", "from resultflow import Err\nErr(1).error\n"),
    ],
)  # fmt: skip
def test_one_line_is_still_one(source: str, expected: str) -> None:
    """What follows on the line of an import can use all that is imported."""
    assert migrated(source.encode(), "result")[0].decode() == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@safe((ValueError,))\ndef f(): ...", "@safe(ValueError)\ndef f(): ..."),
        ("safe(len)((1, 2))", "safe(len)((1, 2))"),
        ("x: ResultE[\n    int,  # why\n]", "x: Result[\n    int, Exception,  # why\n]"),
    ],
)
def test_tuple_of_classes_is_that_of_safe(source: str, expected: str) -> None:
    """Classes are taken out of a tuple that `safe` is given, and comments stay in their place."""
    start = "from returns.result import ResultE, safe\nsafe, ResultE[int]\n"
    new, _ = migrated(f"{start}{source}\n".encode(), "returns")
    assert new.decode().endswith(f"\n{expected}\n")


def test_unknown_name_is_told_once() -> None:
    """A name that is not of the interface is told where it is imported, and imported as before."""
    source = b"from result.result import T, Ok\ndef f(x: T) -> T: return Ok(x)\n"
    new, left = migrated(source, "result")
    assert new == (
        b"from resultflow import Ok\nfrom result.result import T\ndef f(x: T) -> T: return Ok(x)\n"
    )
    assert left == (Left(1, 27, "'T' of result.result: there is no such name here"),)
    assert lefts("from returns.curry import curry\n", "returns") == [
        "1: 'curry' of returns.curry: there is no such name here"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "from .result import Ok\nOk(1).value\n",
        "from . import result\nresult.Ok(1)\n",
        "from results import Ok\nOk(1)\n",
        "result = compute()\nprint(result.value)\n",
        "print('nothing at all')\n",
    ],
)
def test_what_is_spelt_alike_is_another(source: str) -> None:
    """A module of the project that is called alike is not the library."""
    assert migrated(source.encode(), "result") == (source.encode(), ())


@pytest.mark.parametrize("source", [b"from result import (\n", b"# coding: none\nresult\n"])
def test_source_that_is_not_python_is_refused(source: bytes) -> None:
    """What cannot be parsed or decoded is an error of its own."""
    with pytest.raises(MigrationError):
        migrated(source, "result")


def test_every_name_is_there() -> None:
    """Each name that is written in place of another can be imported."""
    import resultflow
    from resultflow import aio

    for library in LIBRARIES.values():
        for new in library.names.values():
            assert hasattr(aio if "." in new else resultflow, new.rpartition(".")[2])
        for new in (*library.methods.values(), *library.attributes.values()):
            assert hasattr(resultflow.Ok, new) or hasattr(resultflow.Err, new)


# The command


def test_command_shows_a_patch(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without --write nothing is written, and what is printed can be applied."""
    before = b"from result import Ok\nprint(Ok(1).ok_value)"
    (tmp_path / "a.py").write_bytes(before)
    assert main(["result", str(tmp_path)]) == 1
    printed = capfdbinary.readouterr()
    assert (tmp_path / "a.py").read_bytes() == before
    assert b"1 file would be changed" in printed.err
    applied = subprocess.run(
        ["git", "apply", "--unsafe-paths", "--directory=/", "-"],
        cwd=tmp_path,
        input=printed.out,
        capture_output=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    assert (tmp_path / "a.py").read_bytes() == b"from resultflow import Ok\nprint(Ok(1).value)"


@pytest.mark.parametrize("name", [b"a b.py", b"\xff.py"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" # \x0c\n"])
def test_patch_can_be_applied(
    tmp_path: Path, name: bytes, end: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Whatever a file is called, and however its lines end, its patch can be applied."""
    folder = os.fsencode(tmp_path)
    file = os.path.join(folder, name)  # noqa: PTH118 - bytes
    old = end.join([b"from result import Ok", b"x = Ok('''\r''').ok_value", b""])
    Path(os.fsdecode(file)).write_bytes(old)
    assert main(["result", str(tmp_path)]) == 1
    patch = capfdbinary.readouterr().out
    command = ["git", "apply", "--unsafe-paths", "--directory=/", "-"]
    subprocess.run(command, cwd=tmp_path, input=patch, check=True)
    new = end.join([b"from resultflow import Ok", b"x = Ok('''\r''').value", b""])
    assert Path(os.fsdecode(file)).read_bytes() == new


def test_command_outlives_the_reader_of_its_patch(tmp_path: Path) -> None:
    """Where the patch is read in part, as by head, what is left is told to its end."""
    source = "from result import Ok, do\ndo()\n"
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(source, encoding="utf-8")
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "resultflow.migrate", "result", str(tmp_path)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("left to you: 'do'") == 2


def test_command_reads_files_only(tmp_path: Path) -> None:
    """A folder and a broken link are no files, whatever they are called."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to("nowhere")
    assert main(["result", str(tmp_path)]) == 0


def test_command_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --write files are changed, what is hidden excepted; a second run has nothing to do."""
    (tmp_path / ".venv").mkdir()
    for path in (tmp_path / "a.py", tmp_path / ".venv" / "b.py", tmp_path / "c.txt"):
        path.write_text("from result import Ok\n", encoding="utf-8")
    assert main(["result", "--write", str(tmp_path), str(tmp_path / "a.py")]) == 0
    assert "1 file is changed" in capsys.readouterr().err
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "from resultflow import Ok\n"
    assert "resultflow" not in (tmp_path / ".venv" / "b.py").read_text(encoding="utf-8")
    assert main(["result", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "resultflow migrate: 0 files would be changed\n")


def test_command_lists_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each place that is left has its file, line, column and reason, and the status is 1."""
    (tmp_path / "a.py").write_text("from result import do\ndo(x)\n", encoding="utf-8")
    assert main(["result", "--write", str(tmp_path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith("a.py:2:1: left to you: 'do': write a function with @do")


def test_command_goes_on_after_a_broken_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is told, the others are migrated, and the status is 2."""
    (tmp_path / "a.py").write_text("from result import (\n", encoding="utf-8")
    (tmp_path / "b.py").write_text("from result import Ok\n", encoding="utf-8")
    assert main(["result", "--write", str(tmp_path)]) == 2
    assert re.search(r"error: .*a\.py: cannot be migrated: ", capsys.readouterr().err)
    assert "resultflow" in (tmp_path / "b.py").read_text(encoding="utf-8")
    assert main(["result", str(tmp_path / "none")]) == 2
    assert "is not there: name files or folders" in capsys.readouterr().err


def test_migrate_is_a_subcommand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resultflow migrate` is the command, and says what to install where libcst is not there."""
    (tmp_path / "a.py").write_text("from result import Ok\n", encoding="utf-8")
    assert cli.main(["migrate", "result", str(tmp_path)]) == 1
    assert "+from resultflow import Ok" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "libcst", None)
    monkeypatch.delitem(sys.modules, "resultflow.migrate")
    assert cli.main(["migrate", "result", str(tmp_path)]) == 2
    assert "install resultflow[migrate]" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "resultflow.migrate", None)
    with pytest.raises(ModuleNotFoundError, match=r"resultflow\.migrate"):
        cli.main(["migrate", "result", str(tmp_path)])


def test_module_is_a_command(tmp_path: Path) -> None:
    """`python -m resultflow.migrate` is the command."""
    (tmp_path / "a.py").write_text("from result import Ok\n", encoding="utf-8")
    ran_it = subprocess.run(
        [sys.executable, "-m", "resultflow.migrate", "result", "--write", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert (ran_it.returncode, ran_it.stdout) == (0, b"")
