"""A Result looks the same in JSON for cattrs and for pydantic, and comes back as it was."""

from __future__ import annotations

import dataclasses
import enum
import json
import subprocess
import sys
from typing import Annotated, Any, Generic, Literal, Never, NewType, TypedDict, TypeVar, Union

import pytest
from attrs import field, frozen
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.preconf.json import make_converter
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from typing_extensions import TypeAliasType

from resultflow import Err, Ok, Result
from resultflow.interop.cattrs import register

T = TypeVar("T")


@frozen
class DbGone:
    """The database does not answer."""

    dsn: str


@frozen
class JobGone:
    """There is no such job."""

    job: int
    hosts: list[Host] = field(factory=list["Host"])


@frozen
class Host:
    """A part of errors and of values."""

    name: str
    port: int | None = None


@dataclasses.dataclass(frozen=True)
class Late:
    """A dataclass."""

    seconds: float


@frozen
class Wrapped(Generic[T]):
    """A generic class."""

    cause: T
    causes: list[T]


@frozen
class Deep:
    """A class that mentions itself."""

    cause: Deep | None = None


@frozen
class Refused(Exception):  # noqa: N818  # named as an error is
    """An exception that has fields."""

    reason: str


class Colour(enum.Enum):
    """Errors that are strings in JSON."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """Errors that are numbers in JSON."""

    LOW = 1
    HIGH = 2


class Rights(enum.Flag):
    """Errors that are numbers in JSON, alone and combined."""

    READ = 1
    WRITE = 2


class Details(TypedDict):
    """An object without a name."""

    code: int


class Elsewhere:
    """Has another class of the same name."""

    @frozen
    class DbGone:
        """The other one."""

        port: int


converter = make_converter()
register(converter)

# mypy takes no `Result[...]` for a value.
R: Any = Result
EITHER: Any = DbGone | JobGone
alias: Any = TypeAliasType  # for what a `type` statement makes, which this syntax has not yet
Named = alias("Named", EITHER)
Either = alias("Either", T | JobGone, type_params=(T,))
Port = NewType("Port", int)
unhashable: Any = enum.Enum  # whose members have values that cannot be hashed
Shape = unhashable("Shape", {"EMPTY": [], "LISTED": [1]})
WRITTEN: list[tuple[Any, Any, str]] = [
    (R[int, str], Ok(1), '{"Ok": 1}'),
    (R[int, str], Err("no port"), '{"Err": "no port"}'),
    (R[None, DbGone], Ok(None), '{"Ok": null}'),
    (R[None, DbGone], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (R[None, EITHER], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (R[None, EITHER], Err(JobGone(1)), '{"Err": {"JobGone": {"job": 1, "hosts": []}}}'),
    (
        R[Host, JobGone],
        Err(JobGone(1, [Host("a", 2)])),
        '{"Err": {"JobGone": {"job": 1, "hosts": [{"name": "a", "port": 2}]}}}',
    ),
    (R[Host, JobGone], Ok(Host("a")), '{"Ok": {"name": "a", "port": null}}'),
    (R[int, Late | str | None], Err(Late(0.5)), '{"Err": {"Late": {"seconds": 0.5}}}'),
    (R[int, Late | str | None], Err("x"), '{"Err": "x"}'),
    (R[int, Late | str | None], Err(None), '{"Err": null}'),
    (R[int, None], Err(None), '{"Err": null}'),
    (R[int, Colour], Err(Colour.RED), '{"Err": "red"}'),
    (R[int, Colour | Level | None], Err(Colour.RED), '{"Err": "red"}'),
    (R[int, Colour | Level | None], Err(Level.LOW), '{"Err": 1}'),
    (R[int, Rights | None], Err(Rights.READ | Rights.WRITE), '{"Err": 3}'),
    (R[int, Shape | Literal["gone"]], Err(Shape.LISTED), '{"Err": [1]}'),
    (R[int, Colour | Literal["gone", 3]], Err("gone"), '{"Err": "gone"}'),
    (R[int, Colour | Literal["gone", 3]], Err(3), '{"Err": 3}'),
    (R[int, bool | int], Err(not 1), '{"Err": false}'),
    (R[int, bool | int], Err(1), '{"Err": 1}'),
    (R[int, dict[str, int] | str], Err({"code": 1}), '{"Err": {"code": 1}}'),
    # What `collect_all` gives: each error has its name.
    (
        R[list[int], list[EITHER]],
        Err([DbGone("x"), JobGone(1)]),
        '{"Err": [{"DbGone": {"dsn": "x"}}, {"JobGone": {"job": 1, "hosts": []}}]}',
    ),
    (
        R[int, tuple[DbGone, ...] | str],
        Err((DbGone("x"),)),
        '{"Err": [{"DbGone": {"dsn": "x"}}]}',
    ),
    (R[R[int, str], DbGone], Ok(Err("x")), '{"Ok": {"Err": "x"}}'),
    (R[int, str] | None, None, "null"),
    (R[int, str] | None, Ok(1), '{"Ok": 1}'),
    (list[R[int, str]], [Ok(1), Err("x")], '[{"Ok": 1}, {"Err": "x"}]'),
    # What a chain of `and_then` gives.
    (R[int, DbGone] | Err[str], Err("x"), '{"Err": "x"}'),
    (R[int, DbGone] | Err[str], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (Ok[int], Ok(1), '{"Ok": 1}'),
    (Err[DbGone], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (R[int, Named], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (R[int, Either[DbGone]], Err(DbGone("x")), '{"Err": {"DbGone": {"dsn": "x"}}}'),
    (R[int, Port | None], Err(Port(80)), '{"Err": 80}'),
    (R[int, Annotated[DbGone | str, "a note"]], Err("x"), '{"Err": "x"}'),
    (
        R[int, Wrapped[DbGone] | str],
        Err(Wrapped(DbGone("x"), [DbGone("y")])),
        '{"Err": {"Wrapped": {"cause": {"dsn": "x"}, "causes": [{"dsn": "y"}]}}}',
    ),
    (
        R[int, Deep],
        Err(Deep(Deep())),
        '{"Err": {"Deep": {"cause": {"cause": null}}}}',
    ),
]


@pytest.mark.parametrize(("form", "value", "text"), WRITTEN)
def test_both_write_the_same_and_read_it_back(form: Any, value: object, text: str) -> None:  # noqa: ANN401
    """Variant, name of the class and fields are in the JSON, and nothing is lost."""
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    assert converter.dumps(value, form) == text
    assert json.loads(adapter.dump_json(value)) == json.loads(text)
    assert converter.loads(text, form) == value
    assert adapter.validate_json(text) == value
    assert adapter.validate_json(text, strict=True) == value
    # In Python itself, too.
    assert converter.structure(converter.unstructure(value, form), form) == value
    assert adapter.validate_python(adapter.dump_python(value)) == value
    assert adapter.validate_python(value, strict=True) == value


def test_an_exception_with_fields_is_a_class_like_any_other() -> None:
    """An attrs exception goes under its name; exceptions are equal only to themselves."""
    text = '{"Err": {"Refused": {"reason": "x"}}}'
    form: Any = R[int, Refused | str]
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    back: Result[int, Refused]
    for back in (converter.loads(text, form), adapter.validate_json(text)):
        assert back.map_err(lambda error: (type(error), error.reason)) == Err((Refused, "x"))
        assert json.loads(converter.dumps(back, form)) == json.loads(text)
        assert json.loads(adapter.dump_json(back)) == json.loads(text)


@frozen
class Sub(DbGone):
    """A subclass that no annotation names."""

    port: int = 0


def test_a_subclass_is_written_as_the_class_that_is_annotated() -> None:
    """What is read back has to be one of the classes in the type."""
    form: Any = R[int, EITHER]
    text = '{"Err": {"DbGone": {"dsn": "x"}}}'
    assert converter.dumps(Err(Sub("x", 1)), form) == text
    assert json.loads(TypeAdapter(form).dump_json(Err(Sub("x", 1)))) == json.loads(text)


def test_what_was_read_has_no_history() -> None:
    """The report is not part of the JSON, and the reader's own places are not shown for it."""
    form: Any = R[int, str]
    for back in (
        converter.loads('{"Err": "x"}', form),
        TypeAdapter(form).validate_json('{"Err": "x"}'),
        TypeAdapter(form).validate_python({"Err": "x"}),
    ):
        assert back.report().trace == ()


REFUSED: list[tuple[Any, str]] = [
    (R[int, OSError], "OSError as an error's type is an exception, .* into="),
    (R[int, list[OSError]], "OSError as an error's type is an exception"),
    (R[int, Any], "Any as an error's type does not say how .* name its classes"),
    (R[int, object], "object as an error's type does not say"),
    (R[int, Never], r"Never as an error's type does not say .* Ok\[...\] alone"),
    (R[int, "DbGone"], r"ForwardRef\('DbGone'\) as an error's type is a name"),
    (
        R[int, DbGone | Elsewhere.DbGone],
        r"DbGone \| Elsewhere.DbGone has two classes of the name 'DbGone', .* map_err",
    ),
    (
        R[int, Wrapped[int] | Wrapped[str]],
        r"Wrapped\[int\] \| Wrapped\[str\] has two classes of the name 'Wrapped'",
    ),
    (R[int, str | Colour], r"str \| Colour is ambiguous: .* a class with fields"),
    (R[int, Annotated[str, "a note"] | Colour], r"str \| Colour is ambiguous"),
    (R[int, Level | Literal[1]], r"Level \| Literal\[1\] is ambiguous"),
    (R[int, Rights | Level], r"Rights may look like Level"),
    (R[int, int | float], r"int may look like float"),
    (R[int, list[int] | list[str]], r"list\[int\] may look like list\[str\]"),
    (R[int, list[int] | tuple[int, ...]], r"list\[int\] may look like tuple\[int, ...\]"),
    (R[int, DbGone | dict[str, int]], r"DbGone may look like dict\[str, int\]"),
    (R[int, Details | DbGone], "DbGone may look like Details"),
    (R[int, bytes | None], "bytes may look like None"),
]


@pytest.mark.parametrize(("form", "rule"), REFUSED)
def test_both_refuse_what_could_not_be_read_back(form: Any, rule: str) -> None:  # noqa: ANN401
    """A type whose errors cannot be told apart is refused at once, with the way out."""
    with pytest.raises(TypeError, match=rule):
        TypeAdapter(form)
    with pytest.raises(StructureHandlerNotFoundError, match=rule):
        converter.get_structure_hook(form)
    if form != R[int, Any] and form != R[int, object]:
        with pytest.raises(TypeError, match=rule):
            converter.get_unstructure_hook(form)


VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**60), 2**60),
    str: st.text(),
    bool: st.booleans(),
    type(None): st.none(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Host: st.builds(Host, st.text(), st.none() | st.integers(0, 9)),
    Late: st.builds(Late, st.floats(0, 9)),
}
VALUES[list[Host]] = st.lists(VALUES[Host], max_size=3)
VALUES[dict[str, int]] = st.dictionaries(st.text(), VALUES[int], max_size=3)
VALUES[tuple[int, str]] = st.tuples(VALUES[int], VALUES[str])
# At most one of each row: of two in a row, nobody could tell which was meant.
ERRORS: list[dict[Any, st.SearchStrategy[Any]]] = [
    {DbGone: st.builds(DbGone, st.text())},
    {JobGone: st.builds(JobGone, VALUES[int], VALUES[list[Host]])},
    {Late: VALUES[Late]},
    {Deep: st.builds(Deep, st.none() | st.builds(Deep))},
    {str: st.text(), Colour: st.sampled_from(Colour), Literal["gone"]: st.just("gone")},
    {int: VALUES[int], Level: st.sampled_from(Level), float: VALUES[float]},
    {type(None): st.none()},
    {bool: st.booleans()},
    {list[EITHER]: st.lists(st.builds(DbGone, st.text()) | st.builds(JobGone, VALUES[int]))},
]


@st.composite
def typed_results(draw: st.DrawFn, depth: int = 2) -> tuple[Any, Any]:
    """Draw a type of Results, and a Result of it."""
    rows = draw(st.lists(st.sampled_from(ERRORS), min_size=1, max_size=4, unique_by=id))
    errors = {form: row[form] for row in rows for form in [draw(st.sampled_from(list(row)))]}
    if depth and draw(st.integers(0, 3)) == 0:
        form, value = draw(typed_results(depth=depth - 1))
    else:
        form = draw(st.sampled_from(list(VALUES)))
        value = draw(VALUES[form])
    error: Any = Union[tuple(errors)]  # noqa: UP007  # of how many, the draw decides
    failed = draw(st.booleans())
    result = Err(draw(st.one_of(*errors.values()))) if failed else Ok(value)
    return R[form, error], result


@settings(max_examples=min(settings().max_examples, 1_000))  # each has schemas made for it
@given(typed_results())
def test_any_result_comes_back(typed: tuple[Any, Any]) -> None:
    """Through either library a Result is what it was, and its JSON is the same for both."""
    form, result = typed
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    text = converter.dumps(result, form)
    assert json.loads(adapter.dump_json(result)) == json.loads(text)
    assert converter.loads(text, form) == result
    assert adapter.validate_json(text) == result
    assert adapter.validate_python(json.loads(text)) == result
    assert adapter.validate_python(result) == result


LOADED = """
import inspect
import sys
from resultflow import *
import resultflow.interop
inspect.getmembers(Ok(1))
print([name for name in ("cattrs", "pydantic", "pydantic_core") if name in sys.modules])
"""


def test_who_uses_neither_imports_neither(unmeasured: dict[str, str]) -> None:
    """That pydantic knows a Result costs nobody else anything, nor does looking at one."""
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", LOADED],
        env=unmeasured,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert loaded.stdout == "[]\n"
