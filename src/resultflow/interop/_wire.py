"""What a Result looks like as JSON: the rules that `cattrs` and `pydantic` here share.

`Ok(v)` is `{"Ok": v}` and `Err(e)` is `{"Err": e}`. An error that is an instance of a class with
fields is an object with the class's name as its one key, also where only one class is possible: so
a second class changes nothing for the first. Any other error stands for itself.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from enum import Enum, Flag
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    Never,
    NoReturn,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    is_typeddict,
)

import attrs

__all__ = [
    "UNIONS",
    "Form",
    "Plain",
    "Written",
    "as_object",
    "bare",
    "expected",
    "members",
    "name_of",
    "origin_of",
    "shown",
    "with_items",
    "written",
]

Form: TypeAlias = Any
"""A type as it is annotated, in any of the forms that `typing` has."""

UNIONS = (Union, types.UnionType)

KINDS: dict[object, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
}


@attrs.frozen
class Plain:
    """An error's type that is written as it is, without its name.

    Attributes:
        type: the type as it was annotated.
        kind: which kind of JSON it is: null, boolean, number, string, array or object; None where
            that is not known here, or where it has only `values`.
        values: the values that a literal or an enumeration consists of, as they are in JSON.
    """

    type: Form
    kind: str | None = None
    values: tuple[object, ...] = ()

    def overlaps(self, other: Plain) -> bool:
        """Tell whether something in JSON may be meant for both, as far as is known here."""
        if self.values and other.values:
            return any(map(self.accepts, other.values))
        ours, theirs = self.kinds(), other.kinds()
        return None in ours | theirs or not ours.isdisjoint(theirs)

    def kinds(self) -> set[str | None]:
        """Give every kind of JSON that it may be."""
        return {_kind_of(value) for value in self.values} or {self.kind}

    def accepts(self, given: object) -> bool:
        """Tell whether what was read from JSON, or is to be written, is meant for this type."""
        given = given.value if isinstance(given, Enum) else given
        if self.values:
            return any(type(given) is type(value) and given == value for value in self.values)
        return self.kind == _kind_of(given)


@attrs.frozen
class Written:
    """How the errors of a type are written: classes under their names, and the others."""

    classes: dict[str, Form]
    plain: tuple[Plain, ...]


def written(error: Form) -> Written:
    """Work out how the errors of a type are written.

    Raises:
        TypeError: when they could not be read back: two classes of one name, types that look the
            same in JSON, exceptions that have no fields, and types that say nothing.
    """
    classes: dict[str, Form] = {}
    plain: list[Plain] = []
    for member in members(error):
        form = bare(member)
        _check_says_something(form)
        name = name_of(form)
        if name is None:
            plain.append(_plain(member, form))
        elif classes.setdefault(name, member) != member:
            raise TypeError(
                f"{shown(error)} has two classes of the name {name!r}, which is how each is "
                "written in JSON: rename one, or map it to another class by map_err"
            )
    _check_distinct(error, classes, plain)
    return Written(classes, tuple(plain))


def members(form: Form) -> list[Form]:
    """List what a union consists of, or the one type that it is, each once."""
    if isinstance(form, TypeVar) and form.__bound__ is not None:
        return members(form.__bound__)
    origin = origin_of(form)
    if origin is Annotated:
        inner, *notes = get_args(form)
        return [Annotated[(member, *notes)] for member in members(inner)]
    if (alias := getattr(origin or form, "__value__", None)) is not None:  # a `type` statement's
        return members(alias if origin is None else alias[get_args(form)])
    if origin not in UNIONS:
        return [form]
    found: list[Form] = []
    for part in get_args(form):
        found += [member for member in members(part) if member not in found]
    return found


def bare(form: Form) -> Form:
    """Give the class that a type is at run time, or what stands in for one."""
    if origin_of(form) is Annotated:
        return bare(get_args(form)[0])
    if (base := getattr(form, "__supertype__", None)) is not None:
        return bare(base)
    origin = origin_of(form)
    return form if origin is None or origin is Literal else origin


def origin_of(form: Form) -> Form:
    """Call `get_origin`, whose overloads do not know every form."""
    origin: Form = get_origin(form)
    return origin


def name_of(form: Form) -> str | None:
    """Give the name of an attrs class, a dataclass or a pydantic model; of other types, None."""
    marks = ("__attrs_attrs__", "__dataclass_fields__", "__pydantic_fields__")
    if not isinstance(form, type) or not any(hasattr(form, mark) for mark in marks):
        return None
    return form.__name__.partition("[")[0]  # pydantic makes a class Page[int] of a class Page


def with_items(form: Form, mark: Callable[[Form], Form]) -> Form:
    """Mark the items of a list, tuple or set of errors as errors themselves."""
    if origin_of(form) is Annotated:
        inner, *notes = get_args(form)
        return Annotated[(with_items(inner, mark), *notes)]
    origin, items = origin_of(form), get_args(form)
    if not _is_subclass(origin, Collection) or _is_subclass(origin, Mapping):
        return form
    return origin[tuple(item if item is ... else mark(item) for item in items)]


def as_object(given: object) -> Mapping[str, object] | None:
    """Give what was read if it is an object of JSON, None if it is not."""
    return cast("Mapping[str, object]", given) if isinstance(given, Mapping) else None


def _kind_of(given: object) -> str | None:
    """Name the kind of JSON that a value read from it is."""
    if isinstance(given, Mapping):
        return "object"
    if isinstance(given, list | tuple):
        return "array"
    return next((KINDS[base] for base in type(given).__mro__ if base in KINDS), None)


def expected(classes: Collection[str], plain: Collection[Plain] = ()) -> str:
    """Say what to write, for an error's text."""
    forms = [f"an object with the one key {' or '.join(map(repr, classes))}"] if classes else []
    for one in plain:
        article = {"null": "", "array": "an ", "object": "an "}.get(str(one.kind), "a ")
        forms += map(repr, one.values) if one.values else [f"{article}{one.kind}"]
    return "write " + " or ".join(forms)


def shown(form: Form) -> str:
    """Write a type as short as its reader would, for an error's text."""
    origin, args = origin_of(form), get_args(form)
    if origin in UNIONS:
        return " | ".join(map(shown, args))
    if origin is Annotated:
        return shown(args[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if args:
        return f"{shown(origin)}[{', '.join(map(shown, args))}]"
    if form is type(None) or form is ...:
        return "None" if form is type(None) else "..."
    return form.__qualname__ if isinstance(form, type) else repr(form)


def _plain(member: Form, form: Form) -> Plain:
    if origin_of(form) is Literal:
        return Plain(
            member,
            values=tuple(arg.value if isinstance(arg, Enum) else arg for arg in get_args(form)),
        )
    if _is_subclass(form, Flag):
        return Plain(member, "number")  # of its members' combinations, too
    if _is_subclass(form, Enum):
        return Plain(member, values=tuple(one.value for one in form))
    if is_typeddict(form) or _is_subclass(form, Mapping):
        return Plain(member, "object")
    return Plain(member, "array" if _is_subclass(form, list, tuple) else KINDS.get(form))


def _is_subclass(form: Form, *kinds: type) -> bool:
    return isinstance(form, type) and issubclass(form, kinds)


def _check_says_something(form: Form) -> None:
    if form in {Any, object, Never, NoReturn}:
        raise TypeError(
            f"{shown(form)} as an error's type does not say how the error is written in JSON: "
            "name its classes, or annotate with Ok[...] alone where no error can be"
        )
    if isinstance(form, str | ForwardRef):
        raise TypeError(
            f"{form!r} as an error's type is a name that nobody has looked up: write the class, "
            "or the whole annotation as a string"
        )
    if _is_subclass(form, BaseException) and name_of(form) is None:
        raise TypeError(
            f"{shown(form)} as an error's type is an exception, which cannot be read back from "
            "JSON: map it to a class of your own by safe(..., into=...) or map_err"
        )


def _check_distinct(error: Form, classes: dict[str, Form], plain: list[Plain]) -> None:
    tagged = [Plain(Union[tuple(classes.values())], "object")] if classes else []  # noqa: UP007  # of how many, nobody knows
    # What a type variable stands for is looked at when it is known.
    told = tagged + [one for one in plain if not isinstance(one.type, TypeVar)]
    for at, one in enumerate(told):
        for other in told[:at]:
            if one.overlaps(other):
                raise TypeError(
                    f"{shown(error)} is ambiguous: in JSON, {shown(other.type)} may look like "
                    f"{shown(one.type)}: make one of them a class with fields, which is written "
                    "with its name"
                )
