"""What a `match` on a Result leaves over, and what `catch` takes away.

mypy 2.4 narrows a class by a pattern, but never a type argument by a sub-pattern: after
`case Err(DbGone())` it still takes every error for possible. Here a type is cut down exactly:
`Ok` and `Err` have one field each, so what is left of `Err[A | B]` after `Err(A())` is `Err[B]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import nodes, patterns
from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.subtypes import is_subtype
from mypy.typeops import (
    try_expanding_sum_type_to_union,
    try_getting_str_literals_from_type,
    tuple_fallback,
)
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    TupleType,
    Type,
    TypedDictType,
    TypeOfAny,
    TypeVarId,
    TypeVarType,
    UninhabitedType,
    UnionType,
    flatten_nested_unions,
    get_proper_type,
)
from mypy.typevars import fill_typevars_with_any

from resultflow.check.tree import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy.patterns import Pattern
    from mypy.types import ProperType

__all__ = [
    "ERR",
    "OK",
    "RESULTS",
    "VARIANTS",
    "Before",
    "caught",
    "check_match",
    "errors_of",
    "is_possible",
    "item_of",
    "items_of",
    "name_variants",
    "narrowed",
    "previous",
    "remaining",
    "uncaught_of",
    "values_of",
]

OK = "resultflow._result.Ok"
ERR = "resultflow._result.Err"
VARIANTS = frozenset({OK, ERR})
RESULTS = VARIANTS | {"resultflow._result.ResultBase"}

# The builtins whose one positional sub-pattern stands for the whole value (PEP 634).
_WHOLE = frozenset(
    f"builtins.{name}"
    for name in (
        *("bool", "bytearray", "bytes", "dict", "float", "frozenset"),
        *("int", "list", "set", "str", "tuple"),
    )
)
_ANYTHING = patterns.AsPattern(None, None)
_HELD = {"value", "error"}  # the field of a variant that its type argument is for

Place = tuple[type[nodes.Context], int, int, int | None, int | None]
Before = dict[Place, list["Pattern"]]
Key = tuple[type[object], object]
_VALUES = (patterns.SingletonPattern, patterns.ValuePattern)


def items_of(given: Type) -> list[ProperType]:
    """Give the members of a union, or the one type.

    A type variable that is bound to a union is split into one for each of its members.
    """
    proper = get_proper_type(given)
    if isinstance(proper, UnionType):
        return [one for item in flatten_nested_unions(proper.items) for one in items_of(item)]
    if isinstance(proper, TypeVarType):
        bounds = items_of(proper.upper_bound)
        if len(bounds) > 1:
            return [_bounded(proper, bound) for bound in bounds]
    return [proper]


def _bounded(variable: TypeVarType, bound: Type) -> TypeVarType:
    return variable.copy_modified(upper_bound=bound)  # pyright: ignore[reportUnknownMemberType]  # mypy's


def _bound_of(item: ProperType) -> ProperType:
    """Give what every value of a type is: the bound, for a type variable."""
    return get_proper_type(item.upper_bound) if isinstance(item, TypeVarType) else item


def item_of(given: Type | None) -> Type | None:
    """Give the type of what one gets by going through a value, if it is known."""
    proper = get_proper_type(given)
    if isinstance(proper, UnionType):
        several = [item_of(item) for item in proper.items]
        found = [item for item in several if item is not None]
        return UnionType.make_union(found) if len(found) == len(several) else None
    if isinstance(proper, TupleType):
        proper = tuple_fallback(proper)
    if isinstance(proper, Instance):
        for base in proper.type.mro:
            if base.fullname == "typing.Iterable":
                return map_instance_to_supertype(proper, base).args[0]
    return None


def _union(parts: list[Type]) -> Type:
    """Join what is left; nothing is `Never`, and a type variable that was split is one again."""
    found = [part for part in parts if not _is_nothing(part)]
    bounds: dict[TypeVarId, list[Type]] = {}
    for part in found:
        if isinstance(part, TypeVarType):
            bounds.setdefault(part.id, []).append(part.upper_bound)
    # To mypy its parts are subtypes of each other: it would keep one of them alone.
    whole = dict.fromkeys(
        _bounded(part, UnionType.make_union(bounds[part.id]))
        if isinstance(part, TypeVarType)
        else part
        for part in found
    )
    return UnionType.make_union(list(whole)) if found else UninhabitedType()


def _is_nothing(given: Type) -> bool:
    return isinstance(get_proper_type(given), UninhabitedType)


def remaining(given: Type, pattern: Pattern) -> Type:
    """Give the part of a type that a pattern does not surely take."""
    if isinstance(pattern, _VALUES):
        return _without_values(given, {_key_of(pattern)})
    items = items_of(given)
    if len(items) != 1:
        return _union([remaining(item, pattern) for item in items])
    item = items[0]
    left: Type = item
    if isinstance(pattern, patterns.AsPattern):
        left = remaining(item, pattern.pattern) if pattern.pattern else UninhabitedType()
    elif isinstance(pattern, patterns.OrPattern):
        for alternative in pattern.patterns:
            left = remaining(left, alternative)
    elif isinstance(pattern, patterns.ClassPattern):
        left = _without_class(item, pattern)
    elif isinstance(pattern, patterns.SequencePattern):
        left = UninhabitedType() if _is_whole_sequence(item, pattern.patterns) else item
    return left


def _without_class(item: ProperType, pattern: patterns.ClassPattern) -> Type:
    info = class_of(pattern)
    fields = [*pattern.positionals, *pattern.keyword_values]
    if info is None or not _is_instance(item, info):
        return item
    if not fields:
        return UninhabitedType()
    if isinstance(item, Instance) and info.fullname in VARIANTS:
        inside = _inside_of(pattern, info)
        if inside is None:
            return item
        left = remaining(item.args[0], inside)
        return left if _is_nothing(left) else Instance(item.type, [left])
    if info.fullname in _WHOLE and len(pattern.positionals) == 1:
        return remaining(item, fields[0])
    covered = all(
        _is_nothing(remaining(_field_type(item, name), field))
        for name, field in zip(_field_names(info, pattern), fields, strict=True)
    )
    return UninhabitedType() if covered else item


def _held_in(pattern: patterns.ClassPattern) -> list[Pattern]:
    """Give what a pattern for a variant asks of the value or error in it, if anything."""
    named = zip(pattern.keyword_keys, pattern.keyword_values, strict=True)
    return [*pattern.positionals, *(field for name, field in named if name in _HELD)]


def _inside_of(pattern: patterns.ClassPattern, variant: nodes.TypeInfo) -> Pattern | None:
    """Give what decides whether a pattern takes a variant; None when another field does, too."""
    item = get_proper_type(fill_typevars_with_any(variant))
    named = zip(pattern.keyword_keys, pattern.keyword_values, strict=True)
    if not all(
        name in _HELD or _is_nothing(remaining(_field_type(item, name), field))
        for name, field in named
    ):
        return None
    return next(iter(_held_in(pattern)), _ANYTHING)


def class_of(pattern: patterns.ClassPattern) -> nodes.TypeInfo | None:
    """Give the class that a pattern asks for."""
    node = pattern.class_ref.node
    if isinstance(node, nodes.TypeAlias):
        target = get_proper_type(node.target)
        return target.type if isinstance(target, Instance) else None
    return node if isinstance(node, nodes.TypeInfo) else None


def _nominal(item: ProperType) -> Instance | None:
    """Give the class whose instances a type's values are."""
    if isinstance(item, LiteralType):
        return item.fallback
    if isinstance(item, TupleType):
        return item.partial_fallback
    if isinstance(item, CallableType):
        return item.fallback
    if isinstance(item, TypeVarType):
        return _nominal(get_proper_type(item.upper_bound))
    return item if isinstance(item, Instance) else None


def _is_instance(item: ProperType, info: nodes.TypeInfo) -> bool:
    """Tell whether every value of a type passes `isinstance` for a class."""
    if isinstance(item, TypeVarType):
        return all(_is_instance(bound, info) for bound in items_of(item.upper_bound))
    if isinstance(item, NoneType):
        return info.fullname in {"types.NoneType", "builtins.object"}
    found = _nominal(item)
    if found is None:
        return False
    return found.type.has_base(info.fullname) or (
        info.is_protocol and is_subtype(found, fill_typevars_with_any(info))
    )


def _field_names(info: nodes.TypeInfo, pattern: patterns.ClassPattern) -> list[str | None]:
    symbol = info.get("__match_args__")
    declared = get_proper_type(symbol.type) if symbol and symbol.type else None
    names: list[str | None] = [None] * len(pattern.positionals)
    if isinstance(declared, TupleType):
        for position, item in enumerate(declared.items[: len(names)]):
            found = try_getting_str_literals_from_type(item)
            names[position] = found[0] if found else None
    return [*names, *pattern.keyword_keys]


def _field_type(item: ProperType, name: str | None) -> Type:
    """Give the type of a field; one that is not known is `Any`, which only a capture covers."""
    owner = _nominal(item)
    symbol = owner.type.get(name) if owner and name else None
    if owner and symbol and isinstance(symbol.node, nodes.Var) and symbol.node.type:
        base = map_instance_to_supertype(owner, symbol.node.info)
        return expand_type_by_instance(symbol.node.type, base)
    if (
        symbol
        and isinstance(symbol.node, nodes.Decorator)
        and symbol.node.func.is_property
        and isinstance(getter := get_proper_type(symbol.node.func.type), CallableType)
    ):
        return getter.ret_type
    return AnyType(TypeOfAny.special_form)


def _key_of(pattern: patterns.SingletonPattern | patterns.ValuePattern) -> Key:
    """Give what a pattern compares with, so that 1 is not True: an enum's member by its name."""
    value = _value_of(pattern)
    return type(value), value


def _value_of(pattern: patterns.SingletonPattern | patterns.ValuePattern) -> object:
    """Give what a pattern compares with: a literal, or an enum's member as `(enum, name)`."""
    if isinstance(pattern, patterns.SingletonPattern):
        return pattern.value
    expr = pattern.expr
    if isinstance(expr, nodes.MemberExpr) and isinstance(expr.expr, nodes.RefExpr):
        owner = expr.expr.node
        return (owner.fullname, expr.name) if owner is not None else NotImplemented
    if isinstance(expr, nodes.UnaryExpr) and isinstance(expr.expr, nodes.IntExpr):
        return -expr.expr.value
    if isinstance(expr, (nodes.IntExpr, nodes.StrExpr, nodes.BytesExpr)):
        return expr.value
    return NotImplemented


def _without_values(given: Type, values: set[Key]) -> Type:
    """Give the part of a type that is none of some values."""
    items = items_of(given)
    left = [part for item in items for part in _unequal(item, values)]
    return given if left == items else _union(list(left))


def _unequal(item: ProperType, values: set[Key]) -> list[ProperType]:
    if isinstance(item, NoneType):
        return [] if (type(None), None) in values else [item]
    if isinstance(item, TypeVarType):
        bounds = _unequal(get_proper_type(item.upper_bound), values)
        return [_bounded(item, bound) for bound in bounds]
    # Also a bool or an enum that is known to be one of its members.
    if isinstance(item, Instance) and (item.type.is_enum or item.type.fullname == "builtins.bool"):
        members = items_of(try_expanding_sum_type_to_union(item, item.type.fullname))
        left = [member for member in members if not _is_literal(member, values)]
        is_sum = all(isinstance(member, LiteralType) for member in members)
        return left if is_sum and len(left) < len(members) else [item]
    return [] if _is_literal(item, values) else [item]


def _is_literal(item: ProperType, values: set[Key]) -> bool:
    """Tell whether a type is for one value, which is among some."""
    if not isinstance(item, LiteralType):
        return False
    if item.is_enum_literal():
        name = (item.fallback.type.fullname, item.value)
        return (tuple, name) in values and not _has_own_eq(item.fallback)
    return (type(item.value), item.value) in values


def _has_own_eq(enum: Instance) -> bool:
    """Tell whether members of an enum may differ from what they are compared with."""
    found = enum.type.get_containing_type_info("__eq__")
    return found is not None and found.module_name.partition(".")[0] not in {"builtins", "enum"}


def _is_whole_sequence(item: ProperType, patterns_: Sequence[Pattern]) -> bool:
    wanted = list(patterns_)
    stars = [at for at, one in enumerate(wanted) if isinstance(one, patterns.StarredPattern)]
    if len(wanted) == 1 and stars:
        found = _nominal(item)
        return found is not None and found.type.fullname in {"builtins.list", "builtins.tuple"}
    if not isinstance(item, TupleType) or item.partial_fallback.type.fullname != "builtins.tuple":
        return False
    if stars:
        width = len(item.items) - len(wanted) + 1
        if width < 0:
            return False
        wanted = [*wanted[: stars[0]], *[_ANYTHING] * width, *wanted[stars[0] + 1 :]]
    return len(wanted) == len(item.items) and all(
        _is_nothing(remaining(one, pattern))
        for one, pattern in zip(item.items, wanted, strict=True)
    )


# Narrowing for mypy itself


def place_of(node: nodes.Context) -> Place:
    """Name a node by where it stands: mypy checks some functions on copies of their nodes."""
    return type(node), node.line, node.column, node.end_line, node.end_column


def previous(file: nodes.MypyFile) -> Before:
    """Map each pattern inside an `Ok(...)` or `Err(...)` to those that were tried before it."""
    before: Before = {}
    todo: list[nodes.Node] = [file]
    while todo:
        statement = todo.pop()
        todo.extend(blocks(statement))
        if isinstance(statement, nodes.MatchStmt):
            tried: list[Pattern] = []
            for pattern, guard in zip(statement.patterns, statement.guards, strict=True):
                _note(pattern, tried, before)
                if guard is None:
                    tried = [*tried, pattern]
    return before


def _note(pattern: Pattern, tried: list[Pattern], before: Before) -> None:
    if isinstance(pattern, patterns.AsPattern) and pattern.pattern:
        _note(pattern.pattern, tried, before)
    elif isinstance(pattern, patterns.OrPattern):
        for position, alternative in enumerate(pattern.patterns):
            _note(alternative, [*tried, *pattern.patterns[:position]], before)
    elif isinstance(pattern, patterns.ClassPattern):
        info = class_of(pattern)
        is_variant = info is not None and info.fullname in VARIANTS
        held = _held_in(pattern) if is_variant else []
        for field in (*pattern.positionals, *pattern.keyword_values):
            # Inside any other class nothing is known of what was tried on the same field.
            inner = (
                [sub for one in tried for sub in _inside(one, info)]
                if info and any(field is one for one in held)
                else []
            )
            if is_variant:
                before[place_of(field)] = inner
            _note(field, inner, before)


def _inside(pattern: Pattern, variant: nodes.TypeInfo) -> list[Pattern]:
    """Give what a pattern asks of the value in a variant; nothing when it is for the other."""
    if isinstance(pattern, patterns.AsPattern):
        return _inside(pattern.pattern, variant) if pattern.pattern else [_ANYTHING]
    if isinstance(pattern, patterns.OrPattern):
        return [sub for one in pattern.patterns for sub in _inside(one, variant)]
    if isinstance(pattern, patterns.ClassPattern):
        info = class_of(pattern)
        if info is not None and variant.has_base(info.fullname):
            inside = _inside_of(pattern, variant)
            return [] if inside is None else [inside]
    return []


def narrowed(given: Type, pattern: nodes.Context, before: Before) -> Type:
    """Give what is left of a field's type when a pattern inside a variant is tried."""
    tried = list(_flat(before.get(place_of(pattern), ())))
    # All at once, as an enum may have hundreds.
    left = _without_values(given, {_key_of(one) for one in tried if isinstance(one, _VALUES)})
    for one in tried:
        if not isinstance(one, _VALUES):
            left = remaining(left, one)
    if _is_nothing(left) or _may_take(left, pattern):
        return left
    # mypy takes a class whose sub-pattern cannot match for one that is done with: a case that
    # comes too late would hide those after it. Of a type variable no subclass could match.
    return UnionType.make_union(list(map(_bound_of, items_of(given))))


def _flat(tried: Iterable[Pattern]) -> Iterator[Pattern]:
    for one in tried:
        if isinstance(one, patterns.OrPattern):
            yield from _flat(one.patterns)
        else:
            yield one


def _may_take(given: Type, pattern: nodes.Context) -> bool:
    """Tell whether a pattern may match a value of a type."""
    if isinstance(pattern, patterns.AsPattern):
        return pattern.pattern is None or _may_take(given, pattern.pattern)
    if isinstance(pattern, patterns.OrPattern):
        return any(_may_take(given, one) for one in pattern.patterns)
    if isinstance(pattern, patterns.ClassPattern):
        info = class_of(pattern)
        return info is None or is_possible(given, info)
    if isinstance(pattern, (patterns.SingletonPattern, patterns.ValuePattern)):
        values = {_key_of(pattern)}
        return any(
            not isinstance(item, LiteralType) or _is_literal(item, values)
            for item in items_of(given)
        )
    return True


# The verdicts on a match


def check_match(
    match: nodes.MatchStmt,
    given: Type,
    report: Callable[[nodes.Context, str, str], object],
) -> None:
    """Report what is wrong with a `match` on a Result of a given type."""
    left = given
    for pattern, guard in zip(match.patterns, match.guards, strict=True):
        _check_pattern(pattern, given, left, report)
        if guard is None:
            left = remaining(left, pattern)
    missing = [item for item in items_of(left) if not isinstance(item, UninhabitedType)]
    if missing:
        report(
            match,
            f"this match leaves out {', '.join(name_variants(missing))}: "
            "add a case for each, or one that takes the rest",
            "unhandled-error",
        )


def _check_pattern(
    pattern: Pattern,
    given: Type,
    left: Type,
    report: Callable[[nodes.Context, str, str], object],
) -> None:
    if isinstance(pattern, patterns.AsPattern) and pattern.pattern:
        _check_capture(pattern.name, given, report)
        _check_pattern(pattern.pattern, given, left, report)
    elif isinstance(pattern, patterns.OrPattern):
        for alternative in pattern.patterns:
            _check_pattern(alternative, given, left, report)
            left = remaining(left, alternative)
    elif isinstance(pattern, patterns.ClassPattern):
        info = class_of(pattern)
        if info and info.fullname in VARIANTS:
            for field in _held_in(pattern):
                inner = _union(list(_held(given, info.fullname)))
                if not _is_nothing(inner):
                    rest = _union(list(_held(left, info.fullname)))
                    _check_held(field, info, (inner, rest), report)
                    _check_pattern(field, inner, rest, report)


def _held(given: Type, variant: str) -> Iterator[Type]:
    for item in items_of(given):
        if isinstance(item, Instance) and item.type.fullname == variant:
            yield item.args[0]


def _check_held(
    pattern: Pattern,
    variant: nodes.TypeInfo,
    types: tuple[Type, Type],
    report: Callable[[nodes.Context, str, str], object],
) -> None:
    """Report a class that a variant cannot hold, or no longer."""
    inner, rest = types
    for one in _alternatives(pattern):
        info = class_of(one)
        if info is None or info.fullname in RESULTS:
            continue
        name = f"{variant.name}({info.name})"
        if not is_possible(inner, info):
            has = ", ".join(_names(variant.name, inner))
            report(one, f"{name} cannot be there: this Result has {has}", "unreachable-handler")
        elif not is_possible(rest, info):
            report(one, f"{name} was taken by an earlier case", "unreachable-handler")
        rest = remaining(rest, one)


def _alternatives(pattern: Pattern) -> Iterator[patterns.ClassPattern]:
    if isinstance(pattern, patterns.AsPattern) and pattern.pattern:
        yield from _alternatives(pattern.pattern)
    elif isinstance(pattern, patterns.OrPattern):
        for one in pattern.patterns:
            yield from _alternatives(one)
    elif isinstance(pattern, patterns.ClassPattern):
        yield pattern


def is_possible(given: Type, info: nodes.TypeInfo) -> bool:
    """Tell whether a value of a type may be an instance of a class."""
    target = fill_typevars_with_any(info)
    return any(
        (_nominal(item) is None and not isinstance(item, NoneType))
        # A subclass of both may exist where one is there to be mixed in.
        or (info.is_protocol or (isinstance(item, Instance) and item.type.is_protocol))
        or is_subtype(item, target)
        or is_subtype(target, item, ignore_type_params=True)
        for item in map(_bound_of, items_of(given))
        if not isinstance(item, UninhabitedType)
    )


def _check_capture(
    name: nodes.NameExpr | None,
    given: Type,
    report: Callable[[nodes.Context, str, str], object],
) -> None:
    """Report `case Err() as x`, for which mypy (until 2.4 at least) makes up an `Any`."""
    var = name.node if name else None
    if name is None or not isinstance(var, nodes.Var) or var.type is None:
        return  # in dead code
    for item in items_of(var.type):
        if isinstance(item, Instance) and item.type.fullname in VARIANTS:
            held = list(_held(given, item.type.fullname))
            if _is_any(item.args[0]) and held and not any(map(_is_any, held)):
                short = item.type.name
                report(
                    name,
                    f"mypy takes {name.name!r} for {short}[Any]: capture what is in it, or match "
                    "on a name and use that name, which is narrowed",
                    "result-any",
                )


def _is_any(given: Type) -> bool:
    return isinstance(get_proper_type(given), AnyType)


def name_variants(items: list[ProperType]) -> list[str]:
    """Spell the parts of a Result: `Ok(int)`, `Err(Timeout)`."""
    named: list[str] = []
    for item in items:
        if isinstance(item, Instance) and item.type.fullname in VARIANTS:
            named += _names(item.type.name, item.args[0])
        else:
            named.append(_name(item))
    return list(dict.fromkeys(named))


def _names(variant: str, inner: Type) -> list[str]:
    return [f"{variant}({name})" for name in name_variants(items_of(inner))]


def _name(item: ProperType) -> str:
    if isinstance(item, Instance):
        return item.type.name
    if isinstance(item, LiteralType):
        if item.is_enum_literal():
            return f"{item.fallback.type.name}.{item.value}"
        return repr(item.value)
    if isinstance(item, TypedDictType):
        return item.fallback.type.name
    if isinstance(item, TypeVarType) and not _is_object(item.upper_bound):
        return ", ".join(map(_name, items_of(item.upper_bound)))
    return str(item)


def _is_object(given: Type) -> bool:
    proper = get_proper_type(given)
    return isinstance(proper, Instance) and proper.type.fullname == "builtins.object"


# catch


def caught(kind: nodes.Expression, tree: nodes.MypyFile) -> list[Instance] | None:
    """Give the classes that `catch(kind, ...)` surely catches.

    A variable may hold a class below the one of its type, so only classes that are named count,
    by themselves or in a tuple; None says that there is another. A `Final` name counts for what
    this module gives it.
    """
    if isinstance(kind, nodes.TupleExpr):
        several = [caught(item, tree) for item in kind.items]
        if any(one is None for one in several):
            return None
        return [one for found in several if found for one in found]
    if not isinstance(kind, nodes.RefExpr):
        return None
    named = kind.node
    if isinstance(named, nodes.Var) and named.is_final and isinstance(kind, nodes.NameExpr):
        value = _value_of_final(named, tree)
        return None if value is None else caught(value, tree)
    return _class_named(kind)


def _class_named(kind: nodes.RefExpr) -> list[Instance] | None:
    named = kind.node
    # What is read from an instance, or from `cls`, may be another in a class below.
    if isinstance(kind, nodes.MemberExpr) and not (
        isinstance(kind.expr, nodes.RefExpr)
        and isinstance(kind.expr.node, (nodes.MypyFile, nodes.TypeInfo))
    ):
        return None
    if isinstance(named, nodes.TypeAlias):
        target = get_proper_type(named.target)
        named = target.type if isinstance(target, Instance) else None
    if isinstance(named, nodes.TypeInfo):
        made = fill_typevars_with_any(named)
        return [made if isinstance(made, Instance) else made.partial_fallback]
    return None


def _value_of_final(var: nodes.Var, tree: nodes.MypyFile) -> nodes.Expression | None:
    todo: list[nodes.Node] = [tree]
    while todo:
        node = todo.pop()
        todo += blocks(node)
        if isinstance(node, nodes.AssignmentStmt) and node.is_final_def:
            (target,) = node.lvalues
            if isinstance(target, nodes.NameExpr) and target.node is var:
                return node.rvalue
    return None


def uncaught_of(errors: Type, kinds: list[Instance]) -> Type:
    """Give the errors that are left when some classes were caught."""
    return _union(
        [
            item
            for item in items_of(errors)
            if not any(_is_instance(item, kind.type) for kind in kinds)
        ]
    )


def values_of(given: Type) -> Type:
    """Give the values that a Result may hold."""
    return _union(list(_held(given, OK)))


def errors_of(given: Type) -> Type:
    """Give the errors that a Result may hold."""
    return _union(list(_held(given, ERR)))
