"""Results through pydantic: in models, in a `TypeAdapter`, and wherever FastAPI uses these.

Nothing has to be imported from here: pydantic asks `Ok` and `Err`, which ask this module.

>>> from attrs import frozen
>>> from pydantic import BaseModel
>>> from resultflow import Err, Ok, Result
>>> @frozen
... class JobGone:
...     job: int
>>> class Reply(BaseModel):
...     outcome: Result[int, JobGone]
>>> Reply(outcome=Err(JobGone(3))).model_dump_json()
'{"outcome":{"Err":{"JobGone":{"job":3}}}}'
>>> Reply.model_validate_json('{"outcome": {"Ok": 1}}')
Reply(outcome=Ok(1))

pydantic makes the schema of each member of a union by itself. Two things follow: what fits
neither variant is reported for each, and of `Ok[int] | Err[A] | Err[B]` nobody sees whether `A`
and `B` can be told apart. Write `Result[int, A | B]`.
"""

from __future__ import annotations

from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    NotRequired,
    TypeVar,
    Union,
    cast,
    get_args,
)

import attrs
from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Tag,
    TypeAdapter,
)
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticCustomError, PydanticSerializationUnexpectedValue, core_schema
from typing_extensions import TypedDict

from resultflow._result import Err, Ok, err_with, history_of
from resultflow.interop._wire import (
    UNIONS,
    as_object,
    bare,
    expected,
    name_of,
    origin_of,
    shown,
    with_items,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import SchemaSerializer
    from pydantic_core.core_schema import CoreSchema

    from resultflow.interop._wire import Form

    Check = Callable[[Mapping[str, object]], dict[str, object]]

__all__ = ["schema_of", "serializer_of"]


def schema_of(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Make pydantic's schema of `Ok[...]` or `Err[...]`, which pydantic asks for by itself.

    Raises:
        TypeError: when errors of this type could not be told apart when they are read.

    >>> from pydantic import TypeAdapter
    >>> from resultflow import Result
    >>> TypeAdapter(Result[int, str]).dump_python(Err("no port"))
    {'Err': 'no port'}

    .. versionadded:: 0.1.0
    """
    variant: Form = origin_of(source) or source
    (content,) = get_args(source) or (Any,)
    # What a bare `Err` and a model that is still generic hold is known to nobody yet.
    is_known = get_args(source) and not _is_open(content)
    if variant is Ok:
        content = _known(content)
    elif is_known:
        content = _Error.marked(content)
    else:
        content = Annotated[content, PlainSerializer(_by_class)]
    # Named, since pydantic's errors would show the kinds of our validators otherwise.
    return handler.generate_schema(
        Annotated[Any, _Variant(variant, content), Tag(variant.__name__)]
    )


@cache
def serializer_of(variant: type[Ok[object] | Err[object]]) -> SchemaSerializer:
    """Make what writes an `Ok` or an `Err` where no annotation tells what it holds.

    pydantic asks for it by itself, as it asks the class of a model inside `Any`, for example.

    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(object).dump_json([Ok(1), Err("no port")])
    b'[{"Ok":1},{"Err":"no port"}]'

    .. versionadded:: 0.1.0
    """
    return TypeAdapter(variant).serializer


def _by_class(error: object) -> object:
    """Put an error of which no annotation tells what it may be under the name of its class."""
    if type(error) is list or type(error) is tuple:
        return [_by_class(item) for item in cast("list[object]", error)]
    name = name_of(type(error))
    return error if name is None else {name: error}


@attrs.frozen(eq=False)
class _Variant:
    """Marks, in `Annotated`, an `Ok` or an `Err` of a content."""

    variant: type
    content: Form

    def __get_pydantic_core_schema__(
        self, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        variant, name = self.variant, self.variant.__name__
        content = handler.generate_schema(self.content)
        shape = _one_key({name: content}, handler)

        def from_python(given: object, check: Check) -> object:
            if not isinstance(given, variant):
                return from_json(check(as_object(given) or _refuse({name})))
            result = cast("Ok[object] | Err[object]", given)
            before = _content(result)
            (after,) = check({name: before}).values()
            if after is before:
                return result
            return Ok(after) if isinstance(result, Ok) else err_with(after, history_of(result))

        def from_json(checked: dict[str, object]) -> object:
            (after,) = checked.values()
            # An Err without a history: the places that it passed are not in the JSON.
            return Ok(after) if variant is Ok else err_with(after, None)

        def to_json(
            result: Ok[object] | Err[object], write: Callable[[object, str], object]
        ) -> object:
            if not isinstance(result, variant):
                raise PydanticSerializationUnexpectedValue(f"expected {name}, not {result!r}")
            return {name: write(_content(result), name)}

        python = core_schema.no_info_wrap_validator_function(from_python, shape)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(from_json, shape),
            python_schema=core_schema.lax_or_strict_schema(
                lax_schema=python,
                strict_schema=core_schema.chain_schema(
                    [core_schema.is_instance_schema(variant), python]
                ),
            ),
            # By hand, since `exclude_none` would take `Ok(None)` out of a typed dictionary.
            serialization=core_schema.wrap_serializer_function_ser_schema(to_json, schema=content),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return _one_of(schema, handler)


@attrs.frozen(eq=False)
class _Error:
    """Marks, in `Annotated`, an error of a type."""

    type: Form

    @classmethod
    def marked(cls, form: Form) -> Form:
        """Give a type that pydantic reads as that of errors."""
        return Annotated[Any, cls(form)]

    def __get_pydantic_core_schema__(
        self, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        shape = written(self.type)
        forms: list[Form] = [_known(with_items(plain.type, self.marked)) for plain in shape.plain]
        if shape.classes:
            names = " | ".join(shape.classes)
            forms.append(Annotated[Any, _Classes(shape.classes), Tag(names)])
        return handler.generate_schema(Union[tuple(forms)])  # noqa: UP007  # of how many, nobody knows


@attrs.frozen(eq=False)
class _Classes:
    """Marks, in `Annotated`, errors that are written under the names of their classes."""

    classes: dict[str, Form]

    def __get_pydantic_core_schema__(
        self, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        names = {bare(form): name for name, form in self.classes.items()}
        contents = {
            name: handler.generate_schema(_known(form)) for name, form in self.classes.items()
        }
        shape = _one_key(contents, handler)

        def named(given: object) -> dict[str, object] | None:
            for base in type(given).__mro__:
                if base in names:
                    return {names[base]: given}
            return None

        def from_python(given: object, check: Check) -> object:
            return from_json(check(named(given) or as_object(given) or _refuse(contents)))

        def from_json(checked: dict[str, object]) -> object:
            (error,) = checked.values()
            return error

        def to_json(error: object) -> object:
            under = named(error)
            if under is None:
                raise PydanticSerializationUnexpectedValue(
                    f"expected {' | '.join(contents)}, not {error!r}"
                )
            return under

        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(from_json, shape),
            python_schema=core_schema.no_info_wrap_validator_function(from_python, shape),
            serialization=core_schema.plain_serializer_function_ser_schema(
                to_json, return_schema=shape
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return _one_of(schema, handler)


class _Fields:
    """Marks, in `Annotated`, an attrs class, which pydantic does not know by itself.

    It is read by its fields, and an instance is made by its class, so that the converters and the
    validators of attrs run as well.
    """

    def __get_pydantic_core_schema__(
        self, source: Form, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        kind = bare(source)
        shape = handler.generate_schema(_twin(source))
        parameters = {
            field.name: field.alias or field.name for field in attrs.fields(kind) if field.init
        }

        def from_python(given: object, check: Check) -> object:
            return given if isinstance(given, kind) else from_json(check(cast("Any", given)))

        def from_json(checked: dict[str, object]) -> object:
            # With `extra="allow"` there may be more, which an attrs class has no place for.
            given = {
                parameter: checked[name]
                for name, parameter in parameters.items()
                if name in checked
            }
            try:
                return kind(**given)
            except (TypeError, ValueError) as exc:
                # The validators of attrs raise either, with the field and more after the text.
                is_theirs = any(isinstance(one, attrs.Attribute) for one in exc.args)
                if isinstance(exc, ValueError) and not is_theirs:
                    raise
                raise ValueError(exc.args[0] if is_theirs else str(exc)) from exc

        def to_json(instance: object) -> dict[str, object]:
            if not isinstance(instance, kind):
                raise PydanticSerializationUnexpectedValue(
                    f"expected {shown(source)}, not {instance!r}"
                )
            return {name: getattr(instance, name) for name in parameters}

        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(from_json, shape),
            python_schema=core_schema.lax_or_strict_schema(
                lax_schema=core_schema.no_info_wrap_validator_function(from_python, shape),
                strict_schema=core_schema.is_instance_schema(kind),
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(
                to_json, return_schema=shape
            ),
        )


_FIELDS = _Fields()


@cache
def _twin(source: Form) -> Form:
    """Make a typed dictionary with the fields of an attrs class: that kind pydantic knows.

    There is one for each class, since pydantic tells definitions apart by their identity.
    """
    fields = {
        field.name: form if field.default is attrs.NOTHING else NotRequired[form]
        for field, form in _fields(source)
    }
    twin: Form = cast("Any", TypedDict)(shown(source), fields)
    twin.__module__, twin.__doc__ = bare(source).__module__, bare(source).__doc__
    return twin


def _fields(source: Form) -> Iterator[tuple[attrs.Attribute[object], Form]]:
    """Give what the class is made from, each with its type."""
    kind = bare(source)
    try:
        attrs.resolve_types(kind)
    except NameError as exc:  # pydantic tries again later, when the class may be defined
        raise PydanticUndefinedAnnotation.from_name_error(exc) from exc
    parameters: tuple[object, ...] = getattr(kind, "__parameters__", ())
    arguments = dict(zip(parameters, get_args(source), strict=False))
    for field in attrs.fields(kind):
        if field.init:
            form: Form = Any if field.type is None else field.type
            if isinstance(form, TypeVar):
                form = arguments.get(form, form)
            elif open_ones := getattr(form, "__parameters__", ()):
                form = form[tuple(arguments.get(one, one) for one in open_ones)]
            yield field, _known(form)


def _known(form: Form) -> Form:
    """Mark every attrs class in a type, so that pydantic knows it."""
    if isinstance(form, TypeVar):
        return form if _is_open(form) else _known(form.__bound__)
    kind = bare(form)
    origin, args = origin_of(form), get_args(form)
    if origin is Annotated:
        return Annotated[(_known(args[0]), *args[1:])]
    if attrs.has(kind) and not hasattr(kind, "__get_pydantic_core_schema__"):
        return Annotated[form, _FIELDS]
    if origin in {None, Literal, Ok, Err, type}:
        return form
    known = tuple(map(_known, args))
    if known == args:
        return form
    return Union[known] if origin in UNIONS else origin[known]  # noqa: UP007  # as above


def _is_open(form: Form) -> bool:
    return isinstance(form, TypeVar) and form.__bound__ is None


def _content(result: Ok[object] | Err[object]) -> object:
    return result.value if isinstance(result, Ok) else result.error


def _one_key(contents: dict[str, CoreSchema], handler: GetCoreSchemaHandler) -> CoreSchema:
    """Check that there is an object with one of these keys and no other."""

    def count(checked: dict[str, Any]) -> dict[str, Any]:
        return checked if len(checked) == 1 else _refuse(contents)

    return core_schema.no_info_after_validator_function(
        count,
        core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(content, required=False)
                for name, content in contents.items()
            },
            extras_schema=core_schema.no_info_plain_validator_function(
                lambda _: _refuse(contents)
            ),
            extra_behavior="allow",
            config=_settings(handler),
        ),
    )


def _settings(handler: GetCoreSchemaHandler) -> core_schema.CoreConfig | None:
    """Give the settings of the model around: a typed dictionary hands on its own alone."""
    # A new class for each, since pydantic would remember with which settings it first met it.
    empty: Form = cast("Any", TypedDict)("Empty", {})
    schema = handler.resolve_ref_schema(handler.generate_schema(empty))
    return cast("core_schema.TypedDictSchema", schema).get("config")


def _refuse(names: Collection[str]) -> NoReturn:
    rule: Any = f"{expected(names)}, and no other"
    raise PydanticCustomError("one_key", rule)


def _one_of(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """Write in JSON schema what `_one_key` checks."""
    shape = cast("Any", schema)["json_schema"]["schema"]["schema"]
    fields: dict[str, core_schema.TypedDictField] = shape["fields"]
    forms: list[JsonSchemaValue] = [
        {
            "type": "object",
            # Through a list: given the schema itself, the handler skips its own functions.
            "properties": {name: handler(core_schema.list_schema(field["schema"]))["items"]},
            "required": [name],
            "additionalProperties": False,
        }
        for name, field in fields.items()
    ]
    return {"oneOf": forms} if len(forms) > 1 else forms[0]
