"""pydantic knows Results by itself: in models, adapters, JSON schema, and with attrs classes."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from typing import Annotated, Any, Generic, TypeVar

import attrs
import pytest
from attrs import field, frozen
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from resultflow import Err, Ok, Result

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


class Job(BaseModel):
    """A model."""

    number: int


class NotAllowed(BaseModel):
    """An error that is a model."""

    model_config = ConfigDict(frozen=True)
    user: str


class Reply(BaseModel):
    """A model that has a Result."""

    outcome: Result[int, DbGone | JobGone]


def told(given: object, form: Any = Reply) -> list[tuple[str, str]]:  # noqa: ANN401
    """List what pydantic says of the input, each with its place."""
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(form).validate_python(given)
    return [(".".join(map(str, one["loc"])), one["msg"]) for one in raised.value.errors()]


def test_models_are_values_and_errors() -> None:
    """Models and dataclasses inside a Result go pydantic's own way; an error has its name."""
    adapter: TypeAdapter[Result[Job, NotAllowed]] = TypeAdapter(R[Job, NotAllowed])
    refused: Result[Job, NotAllowed] = Err(NotAllowed(user="eve"))
    assert adapter.dump_python(refused) == {"Err": {"NotAllowed": {"user": "eve"}}}
    assert adapter.validate_json(adapter.dump_json(refused)) == refused
    assert adapter.validate_python({"Ok": {"number": "3"}}) == Ok(Job(number=3))


def test_an_err_keeps_its_history() -> None:
    """Validation gives the very `Err`, or one that goes on with its history."""
    err: Result[int, DbGone] = Err(DbGone("x")).context("reading")
    assert Reply(outcome=err).outcome is err
    changed: Any = TypeAdapter(R[int, int]).validate_python(Err("3").context("counting"))
    assert changed == Err(3)
    assert changed.report().context == ("counting",)


def test_what_a_result_holds_is_validated() -> None:
    """An instance of `Ok` or `Err` is no proof that its content has the right type."""
    assert TypeAdapter(R[int, str]).validate_python(Ok("3")) == Ok(3)
    assert told(Ok("x"), R[int, str]) == [
        ("Ok.Ok", "Input should be a valid integer, unable to parse string as an integer"),
        ("Err", "write an object with the one key 'Err', and no other"),
    ]


NOTHING: list[Any] = [{}, [1], "Ok", None]
NO_OK = "write an object with the one key 'Ok', and no other"
NO_ERR = "write an object with the one key 'Err', and no other"
NO_CLASS = "write an object with the one key 'DbGone' or 'JobGone', and no other"


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        *((given, [("outcome.Ok", NO_OK), ("outcome.Err", NO_ERR)]) for given in NOTHING),
        ({"ok": 1}, [("outcome.Ok.ok", NO_OK), ("outcome.Err.ok", NO_ERR)]),
        (
            {"Ok": 1, "Err": {"JobGone": {"job": 1}}},
            [("outcome.Ok.Err", NO_OK), ("outcome.Err.Ok", NO_ERR)],
        ),
        (
            {"Err": {"Nope": {}}},
            [("outcome.Ok.Err", NO_OK), ("outcome.Err.Err.Nope", NO_CLASS)],
        ),
        ({"Err": 3}, [("outcome.Ok.Err", NO_OK), ("outcome.Err.Err", NO_CLASS)]),
        (
            {"Err": {"DbGone": {}}},
            [("outcome.Ok.Err", NO_OK), ("outcome.Err.Err.DbGone.dsn", "Field required")],
        ),
        (
            {"Err": {"DbGone": {"dsn": "x"}, "JobGone": {"job": 1}}},
            [("outcome.Ok.Err", NO_OK), ("outcome.Err.Err", NO_CLASS)],
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(
    given: object, lines: list[tuple[str, str]]
) -> None:
    """The error is pydantic's own; each line has the place, the rule and the way out."""
    assert told({"outcome": given}) == lines


def test_a_mixture_names_the_part_that_did_not_fit() -> None:
    """Where an error may be plain, too, the classes are one of the choices."""
    assert told({"Err": {"Nope": {}}}, R[int, DbGone | str]) == [
        ("Ok.Err", NO_OK),
        ("Err.Err.str", "Input should be a valid string"),
        ("Err.Err.DbGone.Nope", "write an object with the one key 'DbGone', and no other"),
    ]


def test_strict_means_instances_in_python_and_no_conversion() -> None:
    """As for pydantic's dataclasses: JSON has objects, Python has instances."""
    adapter: TypeAdapter[Any] = TypeAdapter(R[int, DbGone])
    assert adapter.validate_json('{"Err": {"DbGone": {"dsn": "x"}}}', strict=True).is_err()
    assert adapter.validate_python(Err(DbGone("x")), strict=True).is_err()
    for given in ({"Ok": 1}, {"Err": {"DbGone": {"dsn": "x"}}}, Err({"DbGone": {"dsn": "x"}})):
        with pytest.raises(ValidationError, match=r"Input should be an instance of"):
            adapter.validate_python(given, strict=True)
    for text in ('{"Ok": "1"}', '{"Err": {"DbGone": {"dsn": 1}}}'):
        with pytest.raises(ValidationError, match="Input should be a valid"):
            adapter.validate_json(text, strict=True)


def test_what_is_left_out_is_no_part_of_the_form() -> None:
    """`exclude_none` and `exclude` go to the fields inside, and leave `Ok(None)` whole."""

    class Answer(BaseModel):
        done: Result[None, DbGone]
        job: Result[dict[str, int], JobGone]

    answer = Answer(done=Ok(None), job=Ok({"a": 1, "b": 2}))
    assert answer.model_dump(exclude_none=True, exclude={"job": {"Ok": {"a"}}}) == {
        "done": {"Ok": None},
        "job": {"Ok": {"b": 2}},
    }
    assert answer.model_dump_json(exclude_none=True, exclude={"job"}) == '{"done":{"Ok":null}}'


def test_what_does_not_belong_there_is_written_with_a_warning() -> None:
    """Only by going round validation can a model hold it; pydantic warns, as it does elsewhere."""
    for outcome in (3, Err("x")):
        with pytest.warns(UserWarning, match="Pydantic serializer warnings"):
            Reply.model_construct(outcome=outcome).model_dump()


def test_no_annotation_is_needed_to_write() -> None:
    """Inside `Any`, with `serialize_as_any`, or bare: an error has the name of its class."""
    error, name = NotAllowed(user="eve"), {"NotAllowed": {"user": "eve"}}
    errors: Any = Err([error, (error, "x")])
    anything: TypeAdapter[Any] = TypeAdapter(Any)
    bare: TypeAdapter[Any] = TypeAdapter(R)
    whole: dict[str, Any] = {"a": Ok(errors), "b": Ok(None)}
    listed = {"Err": [name, [name, "x"]]}
    assert anything.dump_python(whole) == {"a": {"Ok": listed}, "b": {"Ok": None}}
    assert bare.dump_python(errors) == listed
    adapter: TypeAdapter[Any] = TypeAdapter(R[int, NotAllowed])
    assert adapter.dump_python(Err(error), serialize_as_any=True) == {"Err": name}


def test_who_looks_at_every_attribute_needs_no_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    """What writes a Result for pydantic is there for pydantic alone."""
    assert hasattr(Ok(1), "__pydantic_serializer__")
    monkeypatch.delitem(sys.modules, "pydantic_core")
    assert not hasattr(Ok(1), "__pydantic_serializer__")


def test_what_cannot_be_written_is_said() -> None:
    """The reason is that of the content, though pydantic tries both variants."""
    adapter: TypeAdapter[Any] = TypeAdapter(R[bytes, str])
    with pytest.raises(PydanticSerializationError, match="invalid utf-8"):
        adapter.dump_json(Ok(b"\xff"))


def test_the_json_schema_is_exact() -> None:
    """Each variant and each class is an object with one key, the same read and written."""

    def one(name: str, form: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {name: form},
            "required": [name],
            "additionalProperties": False,
        }

    def ref(name: str) -> dict[str, Any]:
        return one(name, {"$ref": f"#/$defs/{name}"})

    errors = {"oneOf": [ref("DbGone"), ref("JobGone")]}
    for mode in ("validation", "serialization"):
        schema = Reply.model_json_schema(mode=mode)
        assert schema["properties"]["outcome"] == {
            "anyOf": [one("Ok", {"type": "integer"}), one("Err", errors)],
            "title": "Outcome",
        }
        assert schema["$defs"]["JobGone"] == {
            "description": "There is no such job.",
            "properties": {"job": {"title": "Job", "type": "integer"}},
            "required": ["job"],
            "title": "JobGone",
            "type": "object",
        }
    single = TypeAdapter(R[None, str | None]).json_schema()
    assert single == {
        "anyOf": [
            one("Ok", {"type": "null"}),
            one("Err", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ]
    }


class Level(enum.IntEnum):
    """Numbers in JSON."""

    LOW = 1


class Page(BaseModel, Generic[T, E]):
    """A generic model."""

    first: Result[T, E | None]


def test_generic_models_are_read_by_their_arguments() -> None:
    """A type variable is what it stands for; while it stands for nothing, it is anything."""
    page = Page[Job, DbGone](first=Err(DbGone("x")))
    assert page.model_dump() == {"first": {"Err": {"DbGone": {"dsn": "x"}}}}
    assert Page[Job, DbGone].model_validate_json(page.model_dump_json()) == page
    anything: Any = Page
    assert anything.model_validate({"first": {"Err": [1]}}).first == Err([1])
    bare: TypeAdapter[Any] = TypeAdapter(R)
    assert [bare.validate_python({name: [1]}) for name in ("Ok", "Err")] == [Ok([1]), Err([1])]
    with pytest.raises(TypeError, match=r"Level \| None is ambiguous"):
        Page[Job, int | Level]


class Problem(BaseModel, Generic[T]):
    """A generic error."""

    detail: T


D = TypeVar("D", bound=DbGone)


class Bound(BaseModel, Generic[D]):
    """A generic model whose errors have a base."""

    first: Result[list[D], D]
    second: Result[int, D | None]


def test_generic_errors_have_the_name_of_their_class() -> None:
    """Arguments are not part of the name, and a bound stands for what is not known."""
    form: Any = R[int, Problem[int] | None]
    assert TypeAdapter(form).dump_python(Err(Problem[int](detail=1))) == {
        "Err": {"Problem": {"detail": 1}}
    }
    with pytest.raises(TypeError, match="two classes of the name 'Problem'"):
        TypeAdapter(R[int, Problem[int] | Problem[str]])
    kinds: list[Any] = [Bound, Bound[DbGone]]
    for kind in kinds:
        bound = kind(first=Err(DbGone("x")), second=Err(None))
        text = '{"first":{"Err":{"DbGone":{"dsn":"x"}}},"second":{"Err":null}}'
        assert bound.model_dump_json() == text
        assert kind.model_validate_json(text) == bound


def test_constraints_inside_a_result_hold() -> None:
    """What is said in `Annotated` of a value, of an error or of a field is not lost."""
    short: Any = Annotated[str, Field(max_length=2)]
    form = R[Annotated[int, Field(gt=0)], short | None]
    lines = told({"Ok": 0}, form) + told({"Err": "abc"}, form)
    assert ("Ok.Ok", "Input should be greater than 0") in lines
    assert ("Err.Err", "String should have at most 2 characters") in lines


# attrs


def even(_: object, __: object, value: int) -> None:
    """Validate as attrs' own validators do."""
    if value % 2:
        raise TypeError(f"{value!r} is odd: give an even number")


def upper(text: str) -> str:
    """Convert as attrs' own converters do."""
    return text.upper()


@frozen
class Part:
    """Nested in others."""

    name: str = field(converter=upper)


@frozen
class Rich(Generic[T]):
    """Has most of what a class of attrs can have."""

    number: int = field(validator=even)
    _hidden: str = "h"
    parts: list[Part] = field(factory=list[Part])
    chosen: Part | dict[str, Part] | None = None
    made: int = field(init=False, default=7)
    cause: Rich[T] | None = None
    noted: Annotated[int, Field(gt=0)] = 1
    other: T | None = None
    last: T | None = field(default=None, kw_only=True)
    inner: Result[Part, DbGone] | None = None
    kind: type[Part] | None = None


def test_a_class_of_attrs_is_made_by_itself() -> None:
    """Types, converters, validators, defaults, aliases and generic arguments all count."""
    adapter: TypeAdapter[Any] = TypeAdapter(R[Rich[JobGone], str])
    text = json.dumps(
        {
            "Ok": {
                "number": 2,
                "_hidden": "x",
                "parts": [{"name": "a"}],
                "chosen": {"k": {"name": "b"}},
                "cause": {"number": 4},
                "other": {"job": 1},
                "last": {"job": 2},
                "inner": {"Err": {"DbGone": {"dsn": "x"}}},
            }
        }
    )
    value: Rich[JobGone] = Rich(
        2,
        "x",
        [Part("a")],
        {"k": Part("b")},
        Rich(4),
        1,
        JobGone(1),
        last=JobGone(2),
        inner=Err(DbGone("x")),
    )
    assert adapter.validate_json(text) == Ok(value)
    assert adapter.validate_python(adapter.dump_python(Ok(value))) == Ok(value)
    assert adapter.validate_python(Ok(value)).value is value
    assert "made" not in adapter.dump_python(Ok(value))["Ok"]
    assert ("Ok.Ok", "Value error, 3 is odd: give an even number") in told(
        {"Ok": {"number": 3}}, R[Rich[JobGone], str]
    )
    assert ("Ok.Ok.noted", "Input should be greater than 0") in told(
        {"Ok": {"number": 2, "noted": 0}}, R[Rich[JobGone], str]
    )
    assert adapter.json_schema()["$defs"].keys() >= {"Part", "JobGone"}


@frozen
class Checked:
    """Has validators of attrs, and one of its own."""

    number: int = field(default=0, validator=attrs.validators.in_([0, 2]))
    anything: Any = field(default=0, validator=attrs.validators.instance_of(int))

    def __attrs_post_init__(self) -> None:
        """Validate both."""
        if self.anything < self.number:
            raise ValueError(f"{self.anything!r} is too small", self.number)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"number": 3}, "'number' must be in [0, 2] (got 3)"),
        ({"anything": "x"}, "'anything' must be <class 'int'> (got 'x' that is a <class 'str'>)."),
        ({"number": 2}, "('0 is too small', 2)"),
    ],
)
def test_what_validators_of_attrs_say_is_shown(given: dict[str, object], line: str) -> None:
    """Of what attrs raises with, the text alone is for the reader."""
    assert ("Ok.Ok", f"Value error, {line}") in told({"Ok": given}, R[Checked, str])


@frozen
class Quoted:
    """Mentions what comes later."""

    parts: list["Later"]  # noqa: UP037  # the quotes are what is tested


class Early(BaseModel):
    """Cannot be complete yet."""

    outcome: Result[int, Quoted]


@frozen
class Later:
    """Comes after the model that needs it."""

    name: str


def test_a_class_may_be_defined_after_the_model() -> None:
    """As elsewhere in pydantic, the model is completed at its first use."""
    text = '{"outcome":{"Err":{"Quoted":{"parts":[{"name":"x"}]}}}}'
    early = Early.model_validate_json(text)
    assert early.outcome == Err(Quoted([Later("x")]))
    assert early.model_dump_json() == text


def test_settings_of_the_model_reach_the_fields_of_an_error() -> None:
    """As for pydantic's dataclasses; without any, what is too much is passed over."""

    class Closed(BaseModel, extra="forbid", strict=True):
        outcome: Result[int, JobGone]

    class Open(BaseModel, extra="allow"):
        outcome: Result[int, JobGone]

    def given(error: dict[str, object]) -> str:
        return json.dumps({"outcome": {"Err": {"JobGone": error}}})

    for kind in (Reply, Open):  # an instance of JobGone has no place for more, though allowed
        assert kind.model_validate_json(given({"job": "1", "x": 1})).outcome == Err(JobGone(1))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Closed.model_validate_json(given({"job": 1, "x": 1}))
    with pytest.raises(ValidationError, match="Input should be a valid integer"):
        Closed.model_validate_json(given({"job": "1"}))


def test_settings_of_the_model_reach_what_a_result_holds() -> None:
    """Each model's own, and without a change to the form."""

    class Inner(BaseModel):
        outcome: Result[int, str]

    class Outer(
        BaseModel,
        strict=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        alias_generator=str.upper,
        extra="allow",
    ):
        first: Inner
        outcome: Result[bytes, int]
        last: Inner

    def given(outcome: str) -> str:
        inner = '{"outcome":{"Ok":1}}'
        return f'{{"FIRST":{inner},"OUTCOME":{outcome},"LAST":{inner}}}'

    outer = Outer.model_validate_json(given('{"Ok":"_w=="}').replace("1", '"1"'))
    assert (outer.first.outcome, outer.outcome, outer.last.outcome) == (Ok(1), Ok(b"\xff"), Ok(1))
    assert outer.model_dump_json(by_alias=True) == given('{"Ok":"_w=="}')
    with pytest.raises(ValidationError, match="Input should be a valid integer"):
        Outer.model_validate_json(given('{"Err":"1"}'))
    with pytest.raises(ValidationError, match="with the one key 'Err', and no other"):
        Outer.model_validate_json(given('{"Err":1,"Ok":"_w=="}'))


def test_a_class_that_tells_pydantic_itself_is_asked() -> None:
    """A schema of the class's own comes before its fields."""

    @frozen
    class Own:
        number: int

        @classmethod
        def __get_pydantic_core_schema__(cls, _source: object, handler: Any) -> Any:  # noqa: ANN401
            return handler(str)

    assert TypeAdapter(R[int, Own]).validate_python({"Err": {"Own": "x"}}) == Err("x")


def test_attrs_classes_inside_a_dataclass_are_left_to_pydantic() -> None:
    """Only what stands in a Result, or in attrs classes there, is read by its fields."""

    @dataclasses.dataclass
    class Outer:
        part: Part

    with pytest.raises(PydanticSchemaGenerationError, match="Unable to generate"):
        TypeAdapter(R[Outer, str])


def test_a_field_without_a_type_may_hold_anything() -> None:
    """An annotation is not asked for by attrs."""
    loose = attrs.make_class("Loose", ["anything"])
    adapter: TypeAdapter[Any] = TypeAdapter(R[int, loose])
    assert adapter.validate_json('{"Err": {"Loose": {"anything": [1]}}}') == Err(loose([1]))


def test_a_forgotten_class_is_written_with_a_warning() -> None:
    """An attrs instance where another was annotated: as for pydantic's own, a warning tells."""
    wrong: Any = Reply.model_construct(outcome=Ok(Part("x")))
    with pytest.warns(UserWarning, match="Pydantic serializer warnings"):
        wrong.model_dump()
    adapter: TypeAdapter[Any] = TypeAdapter(R[Part, str])
    with pytest.warns(UserWarning, match=r"expected Part, not DbGone\(dsn='x'\)"):
        adapter.dump_python(Ok(DbGone("x")))
