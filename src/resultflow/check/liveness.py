"""Which names that get a Result are never read.

A backward analysis over the statements of a function: a name is live where a later statement may
read what it holds. In doubt a name is live: what a nested function, a lambda or a class reads or
sets, what is declared global or nonlocal, and all of a function that calls `locals()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mypy import nodes, patterns

from resultflow.check.tree import children, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from mypy.types import Type

__all__ = ["Binding", "headers", "unread"]

Binding: TypeAlias = "tuple[nodes.NameExpr, Type]"
Names: TypeAlias = "frozenset[str]"

_NONE: Names = frozenset()
_SEES_ALL = {"builtins.locals", "builtins.vars", "builtins.eval", "builtins.exec"}
_INNER = (nodes.FuncDef, nodes.LambdaExpr, nodes.ClassDef)


def unread(function: nodes.FuncDef | None, bindings: list[Binding]) -> Iterator[Binding]:
    """Give the bindings whose value nobody reads.

    Outside of functions other modules may read a name, so only `_` counts there.
    """
    if function is None:
        yield from ((name, given) for name, given in bindings if name.name == "_")
        return
    shared = _shared(function)
    if shared is None:
        return
    flow = _Flow({name for name, _ in bindings})
    flow.block(function.body, _NONE, _Exits())
    for name, given in bindings:
        if flow.dead.get(name, False) and name.name not in shared:
            yield name, given


def _shared(function: nodes.FuncDef) -> set[str] | None:
    """Give the names that others than the function itself may read; None for all of them."""
    shared: set[str] = set()
    for node in walk(function.body):
        if isinstance(node, (nodes.GlobalDecl, nodes.NonlocalDecl)):
            shared.update(node.names)
        elif isinstance(node, nodes.NameExpr):
            if node.fullname in _SEES_ALL:
                return None
        elif isinstance(node, _INNER):
            shared.update(one.name for one in walk(node) if isinstance(one, nodes.NameExpr))
    return shared


def headers(statement: nodes.Node) -> Iterator[nodes.Node]:
    """Give what a statement evaluates itself, without the blocks in it."""
    if isinstance(statement, (nodes.FuncDef, nodes.ClassDef, nodes.MypyFile, nodes.Block)):
        return
    for below in children(statement):
        if not isinstance(below, (nodes.Block, nodes.FuncDef)):
            yield below


class _Exits(NamedTuple):
    """What is live at the places where control may jump to."""

    stops: Names = _NONE  # break
    goes_on: Names = _NONE  # continue
    raises: Names = _NONE
    returns: Names = _NONE

    def through(self, after: Names) -> _Exits:
        """Put a `finally` in front of each."""
        return _Exits(*(place | after for place in self))


class _Flow:
    """The analysis of one function; `dead` says of each binding whether it is read."""

    def __init__(self, bound: set[nodes.NameExpr]) -> None:
        self.bound = bound
        self.dead: dict[nodes.NameExpr, bool] = {}

    def block(self, block: nodes.Block | None, after: Names, exits: _Exits) -> Names:
        """Give what is live before a block."""
        for statement in reversed(block.body if block else []):
            after = self.statement(statement, after, exits)
        return after

    def statement(self, node: nodes.Statement, after: Names, exits: _Exits) -> Names:
        """Give what is live before a statement: it may also leave by an exception."""
        before: Callable[[_Flow, Any, Names, _Exits], Names]
        before = _BEFORE.get(type(node), _Flow.simple)
        return before(self, node, after | exits.raises, exits) | exits.raises

    def simple(self, node: nodes.Statement, after: Names, exits: _Exits) -> Names:
        """An expression, or a jump."""
        if isinstance(node, nodes.ReturnStmt):
            after = exits.returns
        elif isinstance(node, nodes.RaiseStmt):
            after = exits.raises
        elif isinstance(node, nodes.BreakStmt):
            after = exits.stops
        elif isinstance(node, nodes.ContinueStmt):
            after = exits.goes_on
        return self.read(list(headers(node)), after)

    def assignment(self, node: nodes.AssignmentStmt, after: Names, _: _Exits) -> Names:
        """The targets are bound after the value was read."""
        return self.read([node.rvalue], self.set(node.lvalues, after))

    def delete(self, node: nodes.DelStmt, after: Names, _: _Exits) -> Names:
        """To delete a name is not to read it."""
        return self.set([node.expr], after)

    def branch(self, node: nodes.IfStmt, after: Names, exits: _Exits) -> Names:
        """Any of the blocks may run."""
        before = self.block(node.else_body, after, exits)
        for body in node.body:
            before |= self.block(body, after, exits)
        return self.read(node.expr, before)

    def with_(self, node: nodes.WithStmt, after: Names, exits: _Exits) -> Names:
        """A context manager may swallow what its block raises, and go on after it."""
        inner = exits._replace(raises=exits.raises | after)
        before = self.block(node.body, after, inner)
        targets = [target for target in node.target if target is not None]
        return self.read(node.expr, self.set(targets, before))

    def match(self, node: nodes.MatchStmt, after: Names, exits: _Exits) -> Names:
        """Any of the cases may run, or none."""
        before = after
        for body in node.bodies:
            before |= self.block(body, after, exits)
        guards = [guard for guard in node.guards if guard is not None]
        return self.read([node.subject, *node.patterns, *guards], before)

    def loop(self, node: nodes.WhileStmt | nodes.ForStmt, after: Names, exits: _Exits) -> Names:
        done = self.block(node.else_body, after, exits)
        head = done
        while True:
            inner = exits._replace(stops=after, goes_on=head)
            before = self.block(node.body, head, inner)
            if isinstance(node, nodes.ForStmt):
                before = self.set([node.index], before | exits.raises)
            else:
                before = self.read([node.expr], before | done)
            if before <= head:
                break
            head |= before
        return self.read([node.expr], head) if isinstance(node, nodes.ForStmt) else head

    def try_(self, node: nodes.TryStmt, after: Names, exits: _Exits) -> Names:
        if node.finally_body is not None:
            everywhere = frozenset[str]().union(after, *exits)
            after = self.block(node.finally_body, everywhere, exits)
            exits = exits.through(after)
        caught = exits.raises
        for handler in node.handlers:
            caught |= self.block(handler, after, exits)
        caught = self.read([kind for kind in node.types if kind is not None], caught)
        then = self.block(node.else_body, after, exits)
        return self.block(node.body, then, exits._replace(raises=caught))

    def set(self, targets: Iterable[nodes.Node], after: Names) -> Names:
        """Bind names: what they held before is read no more."""
        for target in targets:
            if isinstance(target, nodes.NameExpr):
                if target in self.bound:
                    self.dead[target] = target.name not in after
                after -= {target.name}
            elif isinstance(target, nodes.StarExpr):
                after = self.set([target.expr], after)
            elif isinstance(target, (nodes.TupleExpr, nodes.ListExpr)):
                after = self.set(target.items, after)
            else:
                after |= _names([target])
        return after

    def read(self, exprs: Iterable[nodes.Node], after: Names) -> Names:
        """Evaluate expressions: all names in them are read, but those that they bind."""
        exprs = list(exprs)
        live = after | _names(exprs)
        for expr in exprs:
            for node in walk(expr):
                if isinstance(node, nodes.AssignmentExpr) and node.target in self.bound:
                    self.dead[node.target] = node.target.name not in live
        return live


_BEFORE: dict[type[nodes.Node], Callable[[_Flow, Any, Names, _Exits], Names]] = {
    nodes.AssignmentStmt: _Flow.assignment,
    nodes.Block: _Flow.block,
    nodes.DelStmt: _Flow.delete,
    nodes.ForStmt: _Flow.loop,
    nodes.IfStmt: _Flow.branch,
    nodes.MatchStmt: _Flow.match,
    nodes.TryStmt: _Flow.try_,
    nodes.WhileStmt: _Flow.loop,
    nodes.WithStmt: _Flow.with_,
}


def _names(exprs: Iterable[nodes.Node]) -> Names:
    """Give the names that expressions read."""
    found: set[str] = set()
    todo = list(exprs)
    while todo:
        node = todo.pop()
        if isinstance(node, nodes.NameExpr):
            found.add(node.name)
        elif isinstance(node, patterns.AsPattern):
            todo += [node.pattern] if node.pattern else []  # the name is bound
        elif isinstance(node, nodes.AssignmentExpr):
            todo.append(node.value)
        elif isinstance(node, (nodes.GeneratorExpr, nodes.DictionaryComprehension)):
            # Its own names live in it alone.
            own = {one.name for one in walk(*node.indices) if isinstance(one, nodes.NameExpr)}
            found |= _names(below for below in children(node) if below not in node.indices) - own
        else:
            todo += children(node)
    return frozenset(found)
