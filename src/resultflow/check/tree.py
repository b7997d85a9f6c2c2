"""A walk over mypy's syntax trees: its own visitors are compiled and cannot be subclassed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mypy import nodes, patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["blocks", "children", "walk"]

# Where a node keeps the nodes below it: attributes that hold one, none, or a list of them.
_BELOW: dict[type[nodes.Node], tuple[str, ...]] = {
    nodes.MypyFile: ("defs",),
    nodes.Block: ("body",),
    nodes.FuncDef: ("arguments", "body"),
    nodes.LambdaExpr: ("arguments", "body"),
    nodes.Argument: ("initializer",),
    # The items of an overload, its implementation included.
    nodes.OverloadedFuncDef: ("items", "impl"),
    nodes.Decorator: ("decorators", "func"),
    nodes.ClassDef: ("decorators", "base_type_exprs", "metaclass", "defs"),
    nodes.ExpressionStmt: ("expr",),
    nodes.AssignmentStmt: ("rvalue", "lvalues"),
    nodes.OperatorAssignmentStmt: ("rvalue", "lvalue"),
    nodes.WhileStmt: ("expr", "body", "else_body"),
    nodes.ForStmt: ("expr", "index", "body", "else_body"),
    nodes.ReturnStmt: ("expr",),
    nodes.AssertStmt: ("expr", "msg"),
    nodes.DelStmt: ("expr",),
    nodes.IfStmt: ("expr", "body", "else_body"),
    nodes.RaiseStmt: ("expr", "from_expr"),
    nodes.TryStmt: ("body", "types", "vars", "handlers", "else_body", "finally_body"),
    nodes.WithStmt: ("expr", "target", "body"),
    nodes.MatchStmt: ("subject", "patterns", "guards", "bodies"),
    nodes.MemberExpr: ("expr",),
    nodes.YieldFromExpr: ("expr",),
    nodes.YieldExpr: ("expr",),
    nodes.CallExpr: ("callee", "args"),
    nodes.OpExpr: ("left", "right"),
    nodes.ComparisonExpr: ("operands",),
    nodes.SliceExpr: ("begin_index", "end_index", "stride"),
    nodes.CastExpr: ("expr",),
    nodes.AssertTypeExpr: ("expr",),
    nodes.RevealExpr: ("expr",),
    nodes.AssignmentExpr: ("target", "value"),
    nodes.UnaryExpr: ("expr",),
    nodes.ListExpr: ("items",),
    nodes.TupleExpr: ("items",),
    nodes.SetExpr: ("items",),
    nodes.IndexExpr: ("base", "index"),
    nodes.GeneratorExpr: ("sequences", "indices", "condlists", "left_expr"),
    nodes.DictionaryComprehension: ("sequences", "indices", "condlists", "key", "value"),
    nodes.ListComprehension: ("generator",),
    nodes.SetComprehension: ("generator",),
    nodes.ConditionalExpr: ("cond", "if_expr", "else_expr"),
    nodes.TypeApplication: ("expr",),
    nodes.StarExpr: ("expr",),
    nodes.AwaitExpr: ("expr",),
    nodes.SuperExpr: ("call",),
    nodes.DictExpr: ("items",),
    nodes.TemplateStrExpr: ("items",),
    patterns.AsPattern: ("pattern", "name"),
    patterns.OrPattern: ("patterns",),
    patterns.ValuePattern: ("expr",),
    patterns.SequencePattern: ("patterns",),
    patterns.StarredPattern: ("capture",),
    patterns.MappingPattern: ("keys", "values", "rest"),
    patterns.ClassPattern: ("class_ref", "positionals", "keyword_values"),
}
# The attributes of a statement that hold statements.
_BLOCKS = {
    kind: tuple(
        name
        for name in names
        if name in {"body", "else_body", "finally_body", "handlers", "bodies", "defs"}
    )
    for kind, names in _BELOW.items()
}
_BLOCKS[nodes.Decorator] = ("func",)
_BLOCKS[nodes.OverloadedFuncDef] = ("items", "impl")


def children(node: nodes.Node) -> list[nodes.Node]:
    """Give the nodes right below one."""
    return _held(node, _BELOW.get(type(node), ()))


def walk(*roots: nodes.Node) -> Iterator[nodes.Node]:
    """Give nodes and all that is below them, in no promised order."""
    todo = list(roots)
    while todo:
        node = todo.pop()
        yield node
        todo += children(node)


def blocks(statement: nodes.Node) -> list[nodes.Node]:
    """Give the statements and blocks right below a statement, without its expressions."""
    return _held(statement, _BLOCKS.get(type(statement), ()))


def _held(node: nodes.Node, names: tuple[str, ...]) -> list[nodes.Node]:
    found: list[nodes.Node] = []
    for name in names:
        value = getattr(node, name)
        if isinstance(value, (list, tuple)):
            _add(cast("Iterable[object]", value), found)
        elif value is not None:
            found.append(value)
    return found


def _add(values: Iterable[object], found: list[nodes.Node]) -> None:
    for value in values:
        if isinstance(value, nodes.Node):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            _add(cast("Iterable[object]", value), found)
