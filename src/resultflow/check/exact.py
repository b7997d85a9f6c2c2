"""Types that plain typing cannot write down: errors taken out, and errors kept apart.

mypy solves a type variable that several arguments determine by a join, so that two errors become
`Exception`. Where the arguments stand in the call itself, their union is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mypy.nodes import ArgKind, ListExpr, SetExpr, StarExpr, TupleExpr
from mypy.typeops import make_simplified_union
from mypy.types import (
    CallableType,
    FunctionLike,
    Instance,
    Type,
    UninhabitedType,
    UnionType,
    get_proper_type,
)

from resultflow.check.patterns import (
    ERR,
    OK,
    VARIANTS,
    caught,
    errors_of,
    item_of,
    items_of,
    uncaught_of,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy.checker import TypeChecker
    from mypy.nodes import Expression, MypyFile
    from mypy.plugin import FunctionContext, MethodContext, MethodSigContext

__all__ = ["collected", "guarded", "handling", "uncaught"]


def uncaught(ctx: MethodContext) -> Type:
    """Give the return type of `catch`: without what it catches."""
    given = get_proper_type(ctx.type)
    kinds = caught(ctx.args[0][0], _tree(ctx)) if ctx.args and ctx.args[0] else None
    if not kinds or not isinstance(given, Instance):
        return ctx.default_return_type
    return _with_errors(ctx.default_return_type, uncaught_of(given.args[0], kinds))


def handling(ctx: MethodSigContext) -> FunctionLike:
    """Give the signature of `catch`: a handler of several errors takes their union."""
    signature = ctx.default_signature
    kind = ctx.args[0][0] if ctx.args and ctx.args[0] else None
    if not isinstance(kind, TupleExpr):
        return signature
    kinds = caught(kind, _tree(ctx))
    handler = get_proper_type(signature.arg_types[1])
    if not kinds or not isinstance(handler, CallableType):
        return signature
    several = UnionType.make_union(list(kinds))
    anything = ctx.api.named_generic_type("builtins.object", [])
    wanted = handler.copy_modified(arg_types=[several])  # pyright: ignore[reportUnknownMemberType]  # mypy's
    return signature.copy_modified(arg_types=[anything, wanted])  # pyright: ignore[reportUnknownMemberType]  # as above


def collected(ctx: FunctionContext) -> Type:
    """Give the return type of `collect`: with every error of the Results that it goes through."""
    if not ctx.args or not ctx.args[0]:
        return ctx.default_return_type
    values: list[Type] = []
    errors: list[Type] = []
    for given in _collected_from(ctx, ctx.args[0][0]):
        if given is None or not _is_result(given):
            return ctx.default_return_type
        values.append(values_of(given))
        errors.append(errors_of(given))
    made = _with_errors(ctx.default_return_type, make_simplified_union(errors))
    if ctx.api.type_context[-1] is not None:
        return made  # a list is invariant, and has the type that is asked for
    found = ctx.api.named_generic_type("builtins.list", [make_simplified_union(values)])
    return UnionType.make_union(
        [
            Instance(item.type, [found])
            if isinstance(item, Instance) and item.type.fullname == OK
            else item
            for item in items_of(made)
        ]
    )


def _collected_from(ctx: FunctionContext, many: Expression) -> Iterator[Type | None]:
    """Give the types of what `collect` goes through; None where one is not known."""
    if isinstance(many, (ListExpr, SetExpr, TupleExpr)):
        for item in many.items:
            if isinstance(item, StarExpr):
                yield item_of(ctx.api.get_expression_type(item.expr))
            else:
                yield ctx.api.get_expression_type(item)
    else:
        given = item_of(ctx.arg_types[0][0])
        # What is made in the call itself was made as what `collect` takes: joined.
        yield given if _is_result(given) else item_of(ctx.api.get_expression_type(many))


def guarded(ctx: FunctionContext) -> Type:
    """Give the return type of `safe(A, B, ...)`, which is exact in itself up to six classes."""
    made = get_proper_type(ctx.default_return_type)
    if not isinstance(made, Instance) or _names(ctx, "into"):
        return made
    given = [one for exprs in ctx.args for one in exprs]
    if any(kind is not ArgKind.ARG_POS for kinds in ctx.arg_kinds for kind in kinds):
        return made
    found = [caught(one, _tree(ctx)) for one in given]
    kinds = [kind for several in found if several for kind in several]
    if len(kinds) != len(given) or not kinds:
        return made
    return Instance(made.type, [UnionType.make_union(list(kinds))])


def _tree(ctx: FunctionContext | MethodContext | MethodSigContext) -> MypyFile:
    return cast("TypeChecker", ctx.api).tree


def _names(ctx: FunctionContext, name: str) -> bool:
    return any(name in names for names in ctx.arg_names)


def _is_result(given: Type | None) -> bool:
    return given is not None and all(
        isinstance(item, Instance) and item.type.fullname in VARIANTS for item in items_of(given)
    )


def _with_errors(result: Type, errors: Type) -> Type:
    """Put other errors into a Result; without any its `Err` goes."""
    items: list[Type] = []
    for item in items_of(result):
        if isinstance(item, Instance) and item.type.fullname == ERR:
            if not isinstance(get_proper_type(errors), UninhabitedType):
                items.append(Instance(item.type, [errors]))
        else:
            items.append(item)
    return UnionType.make_union(items)
