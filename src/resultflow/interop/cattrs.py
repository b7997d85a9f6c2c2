"""Results through cattrs: `register(converter)`, and it reads and writes them wherever they are.

>>> from attrs import frozen
>>> from cattrs.preconf.json import make_converter
>>> from resultflow import Err, Ok, Result
>>> @frozen
... class JobGone:
...     job: int
>>> converter = make_converter()
>>> register(converter)
>>> converter.dumps([Ok(1), Err(JobGone(3))], list[Result[int, JobGone]])
'[{"Ok": 1}, {"Err": {"JobGone": {"job": 3}}}]'
>>> converter.loads('{"Err": {"JobGone": {"job": 3}}}', Result[int, JobGone])
Err(JobGone(job=3))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, cast, get_args

from cattrs import Converter, errors
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    StructureHandlerNotFoundError,
)

from resultflow._result import Err, Ok, err_with
from resultflow.interop._wire import (
    UNIONS,
    as_object,
    bare,
    expected,
    members,
    origin_of,
    shown,
    with_items,
    written,
)

if TYPE_CHECKING:
    from resultflow.interop._wire import Form, Plain

__all__ = ["register"]

# What cattrs raises for values that do not fit; it had no class of its own before 26.2.
NotFitting: type[Exception] = getattr(errors, "CattrsError", Exception)

Structure = Callable[[Any, Any], Any]
Unstructure = Callable[[Any], Any]


class _Error:
    """Marks, in `Annotated`, a type as that of errors."""


_ERROR = _Error()


class _Registered:
    """A type that only converters with our hooks unstructure, and these by `id`."""


def register(converter: Converter) -> None:
    """Teach a converter `Ok` and `Err`: alone, in a `Result`, and inside any other type.

    A second call for the same converter, or for a copy of it, does nothing. What the converter
    does with the types inside stays its own business. A type whose errors could not be told apart
    when they are read is refused at its first use: by `StructureHandlerNotFoundError` of cattrs
    for reading, by a TypeError for writing.

    Raises:
        TypeError: for a bare `BaseConverter`, which does not look at the type of a list's items.

    >>> from cattrs import Converter
    >>> converter = Converter()
    >>> register(converter)
    >>> converter.unstructure({"first": Ok(1), "second": Err("no port")})
    {'first': {'Ok': 1}, 'second': {'Err': 'no port'}}

    .. versionadded:: 0.1.0
    """
    if not isinstance(converter, Converter):
        raise TypeError(
            f"register() needs a converter of cattrs, not {converter!r}: make a Converter"
        )
    if converter.get_unstructure_hook(_Registered) is id:
        return
    converter.register_unstructure_hook(_Registered, id)
    converter.register_structure_hook_factory(_is_ours, _structuring)
    converter.register_unstructure_hook_factory(_is_ours, _unstructuring)


def _is_ours(form: Form) -> bool:
    return _is_error(form) or bool(_contents(form))


def _is_error(form: Form) -> bool:
    return origin_of(form) is Annotated and get_args(form)[-1] is _ERROR


def _contents(form: Form) -> dict[str, Form]:
    """Give the types of what `Ok` and `Err` hold; nothing where a value may be something else.

    A chain of `and_then` has the type `Ok[int] | Err[A] | Err[B]`, which is one of `Err[A | B]`.
    """
    found: dict[str, Form] = {}
    for member in get_args(form) if origin_of(form) in UNIONS else (form,):
        variant = origin_of(member) or member
        if variant is Ok or variant is Err:
            name = variant.__name__
            content = (get_args(member) or (Any,))[0]
            found[name] = Union[found.get(name, content), content]  # noqa: UP007  # not of classes only
        elif member is not type(None):
            return {}
    return found


def _is_optional(form: Form) -> bool:
    return origin_of(form) in UNIONS and type(None) in get_args(form)


# Reading


def _structuring(form: Form, converter: Converter) -> Structure:
    if _is_error(form):
        return _structuring_error(_unmarked(form), converter)
    contents = _contents(form)
    if "Err" in contents:
        contents["Err"] = _marked(contents["Err"])
    read = _structuring_one_key(form, contents, (), converter)
    optional = _is_optional(form)

    def structure(given: object, _: object = None) -> object:
        if optional and given is None:
            return None
        name, content = read(given)
        # An Err without a history: the places that it passed are not in the JSON.
        return Ok(content) if name == "Ok" else err_with(content, None)

    return structure


def _structuring_error(form: Form, converter: Converter) -> Structure:
    """Make what reads an error: by the name of its class, or by the kind of JSON that it is."""
    try:
        shape = written(form)
    except TypeError as exc:
        raise StructureHandlerNotFoundError(str(exc), form) from None
    forms = [with_items(plain.type, _marked) for plain in shape.plain]
    hooks = [_structure_hook(item, converter) for item in forms]
    if not shape.classes and len(hooks) == 1:
        (hook,), (item,) = hooks, forms
        return lambda given, _: hook(given, item)
    read = _structuring_one_key(form, shape.classes, shape.plain, converter)

    def structure(given: object, _: object = None) -> object:
        for plain, item, hook in zip(shape.plain, forms, hooks, strict=True):
            if plain.accepts(given):
                return hook(given, item)
        return read(given)[1]

    return structure


def _structuring_one_key(
    form: Form, contents: dict[str, Form], others: tuple[Plain, ...], converter: Converter
) -> Callable[[Any], tuple[str, Any]]:
    """Make what reads an object of one key, and gives the key and what is under it."""
    hooks = {name: _structure_hook(content, converter) for name, content in contents.items()}

    def read(given: object) -> tuple[str, Any]:
        found = as_object(given) or {}
        if len(found) != 1 or not found.keys() <= hooks.keys():
            refused = NotFitting(f"{given!r} is no {shown(form)}: {expected(contents, others)}")
            raise _failed(form, refused) if converter.detailed_validation else refused
        ((name, content),) = found.items()
        try:
            return name, hooks[name](content, contents[name])
        except Exception as exc:
            if not converter.detailed_validation:
                raise
            where = f"Structuring {shown(form)} @ key {name}"
            exc.add_note(AttributeValidationNote(where, name, contents[name]))
            raise _failed(form, exc) from None

    return read


def _failed(form: Form, exc: Exception) -> ClassValidationError:
    words = f"While structuring {shown(form)}"
    return ClassValidationError(words, [exc], form)  # pyright: ignore[reportCallIssue]  # its __new__ takes the class


def _structure_hook(form: Form, converter: Converter) -> Structure:
    return _structure_null if form is type(None) else converter.get_structure_hook(form)


def _structure_null(given: object, _: object) -> None:
    """Read None, which cattrs reads only as a part of a union."""
    if given is not None:
        raise NotFitting(f"{given!r} is no None: write null")


# Writing


def _unstructuring(form: Form, converter: Converter) -> Unstructure:
    if _is_error(form):
        return _unstructuring_error(_unmarked(form), converter)
    contents = _contents(form)
    optional = _is_optional(form)
    hooks: dict[type, Unstructure] = {}
    if "Ok" in contents:
        hooks[Ok] = converter.get_unstructure_hook(contents["Ok"])
    if "Err" in contents:
        hooks[Err] = converter.get_unstructure_hook(_marked(contents["Err"]))

    def unstructure(given: Ok[object] | Err[object] | None) -> object:
        if optional and given is None:
            return None
        if given is None or type(given) not in hooks:
            raise TypeError(f"{given!r} is no {shown(form)}: give one, or annotate what it is")
        content = given.value if isinstance(given, Ok) else given.error
        return {type(given).__name__: hooks[type(given)](content)}

    return unstructure


def _unstructuring_error(form: Form, converter: Converter) -> Unstructure:
    """Make what writes an error: a class with fields under its name, any other as it is."""
    if form is Any or TypeVar in map(type, members(form)):
        return partial(_unstructure_by_class, converter)
    shape = written(form)
    hooks = [
        converter.get_unstructure_hook(with_items(plain.type, _marked)) for plain in shape.plain
    ]
    if not shape.classes and len(hooks) == 1:
        return hooks[0]
    classes = {
        bare(member): (name, converter.get_unstructure_hook(member))
        for name, member in shape.classes.items()
    }

    def unstructure(error: object) -> object:
        for base in type(error).__mro__:
            if base in classes:
                name, hook = classes[base]
                return {name: hook(error)}
        for plain, hook in zip(shape.plain, hooks, strict=True):
            if plain.accepts(error):
                return hook(error)
        raise TypeError(f"{error!r} is no {shown(form)}: add its class to the error's type")

    return unstructure


def _unstructure_by_class(converter: Converter, error: object) -> object:
    """Write an error of which no annotation tells what it may be."""
    if type(error) is list or type(error) is tuple:
        return [_unstructure_by_class(converter, item) for item in cast("list[object]", error)]
    return converter.get_unstructure_hook(_marked(type(error)))(error)


def _marked(form: Form) -> Form:
    return Annotated[form, _ERROR]


def _unmarked(form: Form) -> Form:
    inner, *notes, _ = get_args(form)
    return Annotated[(inner, *notes)] if notes else inner
