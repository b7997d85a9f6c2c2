"""A converter of cattrs reads and writes Results wherever they are, and says what does not fit."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Generic, TypedDict, TypeVar

import pytest
from attrs import field, frozen
from cattrs import BaseConverter, Converter, transform_error
from cattrs.errors import ClassValidationError, StructureHandlerNotFoundError
from cattrs.preconf import json, msgpack

from resultflow import Err, Ok, Result
from resultflow.interop.cattrs import register

T = TypeVar("T")
E = TypeVar("E")
# mypy takes no `Result[...]` for a value.
R: Any = Result


@frozen
class DbGone:
    """The database does not answer."""

    dsn: str


@frozen
class JobGone:
    """There is no such job."""

    job: int


@frozen
class Reply:
    """Has Results in most places."""

    outcome: Result[int, DbGone | JobGone]
    others: list[Result[int, str]] = field(factory=list["Result[int, str]"])
    last: Result[None, DbGone] | None = None
    by_name: dict[str, Ok[int] | Err[str]] = field(factory=dict[str, "Result[int, str]"])


@frozen
class Box(Generic[T, E]):
    """Is generic."""

    content: Result[T, E]


@frozen
class Node:
    """Mentions itself."""

    next: Result[Node, str]


class Details(TypedDict):
    """An object without a name."""

    code: int


def registered(**options: Any) -> Converter:  # noqa: ANN401
    """Make a converter that knows Results."""
    converter = Converter(**options)
    register(converter)
    return converter


PLACES: list[tuple[Any, Any]] = [
    (
        Reply,
        Reply(
            Err(JobGone(1)), [Ok(1), Err("x")], Err(DbGone("x")), {"a": Ok(1), "b": Err("no port")}
        ),
    ),
    (Reply, Reply(Ok(1))),
    (Box[int, DbGone], Box(Err(DbGone("x")))),
    (Box[list[int], DbGone | JobGone], Box(Ok([1]))),
    (Node, Node(Ok(Node(Err("x"))))),
    (R[int, Details | None], Err({"code": 1})),
]


@pytest.mark.parametrize(
    "converter",
    [
        registered(),
        registered(detailed_validation=False, forbid_extra_keys=True),
        registered(omit_if_default=True),
        json.make_converter(),
        msgpack.make_converter(),
    ],
)
@pytest.mark.parametrize(("form", "value"), PLACES)
def test_results_come_back_from_any_place(form: Any, value: object, converter: Converter) -> None:  # noqa: ANN401
    """Fields, lists, dictionaries, options, generic and recursive classes may hold Results."""
    register(converter)
    assert converter.structure(converter.unstructure(value, form), form) == value
    if isinstance(converter, json.JsonConverter | msgpack.MsgpackConverter):
        data: Any = converter.dumps(value, form)
        assert converter.loads(data, form) == value


def test_a_value_needs_no_annotation_to_be_written() -> None:
    """`unstructure(value)` writes what the annotated form does."""
    converter = registered()
    errors = [DbGone("x"), JobGone(1)]
    written = [{"DbGone": {"dsn": "x"}}, {"JobGone": {"job": 1}}]
    assert converter.unstructure([Ok(None), Err(errors[0])]) == [{"Ok": None}, {"Err": written[0]}]
    assert converter.unstructure(Err(errors)) == {"Err": written}
    assert converter.unstructure(Err(tuple(errors))) == {"Err": written}
    assert converter.unstructure(Ok(Err(errors[1]))) == {"Ok": {"Err": written[1]}}
    assert converter.unstructure(Err("x"), R) == {"Err": "x"}
    assert converter.unstructure(Err(errors[0]), R[int, Any]) == {"Err": written[0]}
    assert converter.unstructure(Err(errors[0]), R[int, E | None]) == {"Err": written[0]}
    with pytest.raises(TypeError, match=r"OSError as an error's type is an exception"):
        converter.unstructure(Err(OSError("x")))


def test_the_hooks_of_the_converter_are_used() -> None:
    """What is inside a Result is read and written as the converter does elsewhere."""
    converter = json.make_converter()
    register(converter)
    when = dt.datetime(2023, 7, 1, tzinfo=dt.UTC)
    form = R[dt.datetime, DbGone]
    assert converter.unstructure(Ok(when), form) == {"Ok": when.isoformat()}
    converter.register_unstructure_hook(DbGone, lambda error: error.dsn)
    converter.register_structure_hook(DbGone, lambda dsn, _: DbGone(dsn))
    assert converter.dumps(Err(DbGone("x")), form) == '{"Err": {"DbGone": "x"}}'
    assert converter.loads('{"Err": {"DbGone": "x"}}', form) == Err(DbGone("x"))


class Elementwise:
    """A note that cannot be compared, as an array of numpy cannot."""

    def __eq__(self, other: object) -> bool:
        """Give no answer."""
        raise ValueError("the truth value is ambiguous")

    __hash__ = object.__hash__


def test_notes_in_annotations_are_not_looked_into() -> None:
    """Whatever an annotation says besides, the error has the name of its class."""
    form: Any = R[int, Annotated[JobGone, Elementwise()]]
    written = {"Err": {"JobGone": {"job": 1}}}
    assert registered().unstructure(Err(JobGone(1)), form) == written
    assert registered().structure(written, form) == Err(JobGone(1))


def test_registering_again_changes_nothing() -> None:
    """What was registered in between stays in force, for the converter and for its copies."""
    converter = registered()
    copied = converter.copy()
    for one in (converter, copied):
        # By a predicate: of these, the one that was registered last is asked first.
        one.register_unstructure_hook_func(lambda form: form is Ok, lambda ok: ["mine", ok.value])
        register(one)
        assert one.unstructure(Ok(1)) == ["mine", 1]
        assert one.unstructure(Err("x")) == {"Err": "x"}
    assert converter.copy().structure({"Ok": 1}, Ok[int]) == Ok(1)


def test_register_refuses_what_cannot_do() -> None:
    """A `BaseConverter` writes the items of a list without looking at their type."""
    converter: Any = BaseConverter()
    with pytest.raises(TypeError, match=r"needs a converter of cattrs, not <.*>: make a Conv"):
        register(converter)


INT = "invalid value for type, expected int"
EITHER = "is no Ok[int] | Err[DbGone | JobGone]: write an object with the one key 'Ok' or 'Err'"
WRONG: list[tuple[Any, Any, str, str]] = [
    (Reply, {"outcome": {"Ok": "x"}}, INT, "$.outcome.Ok"),
    (
        Reply,
        {"outcome": {"Err": {"DbGone": {}}}},
        "required field missing",
        "$.outcome.Err.DbGone.dsn",
    ),
    (
        Reply,
        {"outcome": {"Err": {"Nope": {}}}},
        "is no DbGone | JobGone: write an object with the one key 'DbGone' or 'JobGone'",
        "$.outcome.Err",
    ),
    *(
        (Reply, {"outcome": given}, f"{given!r} {EITHER}", "$.outcome")
        for given in ({}, {"ok": 1}, {"Ok": 1, "Err": 2}, [1], "Ok", None, {1: 2})
    ),
    (
        Reply,
        {"outcome": {"Ok": 1}, "others": [{"Ok": 1}, {"Ok": "x"}]},
        INT,
        "$.others[1].Ok",
    ),
    (
        R[int, list[JobGone]],
        {"Err": [{"JobGone": {"job": 1}}, {"JobGone": {"job": "x"}}]},
        INT,
        "$.Err[1].JobGone.job",
    ),
    (
        R[int, JobGone | str | None],
        {"Err": 3},
        "3 is no JobGone | str | None: write an object with the one key 'JobGone' or a string or",
        "$.Err",
    ),
    (R[int, None], {"Err": 3}, "3 is no None: write null", "$.Err"),
    (Ok[None], None, "None is no Ok[None]: write an object with the one key 'Ok'", "$"),
    (R[None, str], {"Ok": 3}, "3 is no None: write null", "$.Ok"),
    (Ok[int], 1, "1 is no Ok[int]: write an object with the one key 'Ok'", "$"),
]


@pytest.mark.parametrize(("form", "given", "words", "path"), WRONG)
def test_what_does_not_fit_is_named_with_its_path(
    form: Any,  # noqa: ANN401
    given: object,
    words: str,
    path: str,
) -> None:
    """The error of cattrs leads to the place, the value, the rule and the way out."""
    with pytest.raises(ClassValidationError) as raised:
        registered().structure(given, form)
    (line,) = transform_error(raised.value)
    assert words in line
    assert line.endswith(f" @ {path}")


def test_without_details_the_first_error_comes_as_it_is() -> None:
    """`detailed_validation=False` wraps nothing."""
    converter = registered(detailed_validation=False)
    with pytest.raises(Exception, match=r"\{\} is no Ok\[int\] \| Err\[str\]: write an object"):
        converter.structure({}, R[int, str])
    with pytest.raises(ValueError, match="invalid literal for int"):
        converter.structure({"Ok": "x"}, R[int, str])


def test_an_error_that_the_type_does_not_have_is_not_written() -> None:
    """Whoever reads it could not know what it is."""
    with pytest.raises(TypeError, match=r"'x' is no DbGone \| None: add its class to the error's"):
        registered().unstructure(Err("x"), R[int, DbGone | None])


@pytest.mark.parametrize(
    ("form", "given"), [(Ok[int], Err("x")), (R[int, str], 3), (R[int, str], None)]
)
def test_what_is_not_annotated_is_not_written(form: Any, given: object) -> None:  # noqa: ANN401
    """Neither the other variant, nor what is no Result: it could not be read back."""
    with pytest.raises(TypeError, match=r"is no Ok\[int\].*: give one, or annotate what it is"):
        registered().unstructure(given, form)


def test_a_value_that_may_be_no_result_is_left_to_cattrs() -> None:
    """A union with anything but None beside Results has no form that could be read."""
    with pytest.raises(StructureHandlerNotFoundError, match="Unsupported type"):
        registered().get_structure_hook(R[int, str] | int)
    assert registered().unstructure(Ok(1), R[int, str] | int) == {"Ok": 1}
