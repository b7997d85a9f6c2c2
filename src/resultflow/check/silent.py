"""`silent-catch`: a failure that is turned into a success, or forgotten on the way.

In a function that returns a Result an `except Exception` that only logs is a hole in its type:
what fails there comes out as an `Ok`. So do `.ok()` whose value nobody takes, and `Ok(r.ok())`;
`map_err` with a function that does not look at the error forgets which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mypy import nodes
from mypy.types import (
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    UninhabitedType,
    get_proper_type,
)

from resultflow.check import patterns
from resultflow.check.tree import blocks, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy.types import Type

    from resultflow.check.typed import Types

__all__ = ["CODE", "check_call", "check_discarded", "check_function"]

CODE = "silent-catch"

Report: TypeAlias = "Callable[[nodes.Context, str, str], object]"
Statements: TypeAlias = "Sequence[nodes.Statement]"

_BROAD = {"builtins.Exception", "builtins.BaseException"}
# What only says that something went wrong.
_TELLS = {
    "capture_exception",
    "critical",
    "debug",
    "echo",
    "error",
    "exception",
    "fatal",
    "info",
    "log",
    "print",
    "print_exc",
    "print_exception",
    "secho",
    "warn",
    "warning",
}
# The methods of a Result that give neither it nor its error on, nor raise it.
_SILENCES = {
    "err",
    "is_err",
    "is_ok",
    "iter",
    "map_or",
    "map_or_default",
    "ok",
    "unwrap_or",
    "unwrap_or_default",
}
_LEAVES = (nodes.FuncDef, nodes.ClassDef, nodes.Decorator, nodes.OverloadedFuncDef)


# What is caught


class _Rest(NamedTuple):
    """What runs after a place in a function, from the innermost block outwards."""

    here: list[Statements]
    done: list[Statements]  # after a `break` here
    again: list[Statements]  # after a `continue`, when there is no further round

    def then(self, statements: Iterable[nodes.Statement]) -> _Rest:
        """Put statements in front of what follows."""
        return self._replace(here=[list(statements), *self.here])


class _Swallow(NamedTuple):
    """A block whose exceptions are forgotten, and what then runs."""

    place: nodes.Context
    body: nodes.Block
    handler: Statements
    rest: _Rest


def check_function(function: nodes.FuncDef, types: Types, report: Report) -> None:
    """Report what is swallowed in a function that, decorated, returns a Result."""
    if function.is_generator or function.is_async_generator:
        return
    ways = _Ways(function, types)
    for one in _swallows(function.body.body, _Rest([], [], []), types):
        lines = ways.successes(one)
        calls = [node for node in walk(one.body) if isinstance(node, nodes.CallExpr)]
        if lines is None or not calls:
            continue
        first = min(calls, key=lambda call: (call.line, call.column))
        then = f"an Ok follows in line {lines[0]}" if lines else "the function goes on to its end"
        report(
            one.place,
            f"whatever is raised from line {first.line} on looks like success, since {then}: "
            "return an Err, or catch only what may be forgotten",
            CODE,
        )


def _swallows(body: Statements, rest: _Rest, types: Types) -> Iterator[_Swallow]:
    """Give the blocks whose exceptions are forgotten, at any depth."""
    for position, node in enumerate(body):
        after = rest.then(body[position + 1 :])
        if isinstance(node, nodes.TryStmt):
            yield from _caught(node, after.then(_body(node.finally_body)), types)
        elif isinstance(node, nodes.WithStmt):
            suppressing = next(filter(_is_suppressing, node.expr), None)
            if suppressing is not None:
                yield _Swallow(suppressing, node.body, [], after)
            yield from _swallows(node.body.body, after, types)
        elif isinstance(node, (nodes.ForStmt, nodes.WhileStmt)):
            again = after.then(_body(node.else_body))
            inner = _Rest(again.here, after.here, again.here)
            yield from _swallows(node.body.body, inner, types)
            yield from _swallows(_body(node.else_body), after, types)
        elif not isinstance(node, _LEAVES):
            for block in _blocks(node):
                yield from _swallows(block.body, after, types)


def _caught(node: nodes.TryStmt, then: _Rest, types: Types) -> Iterator[_Swallow]:
    for kind, name, handler in zip(node.types, node.vars, node.handlers, strict=True):
        if _is_broad(kind) and all(_is_quiet(one, name, types) for one in handler.body):
            yield _Swallow(kind or handler.body[0], node.body, handler.body, then)
        yield from _swallows(handler.body, then, types)
    yield from _swallows(node.body.body, then.then(_body(node.else_body)), types)
    yield from _swallows(_body(node.else_body), then, types)
    # What a `finally` swallows has no say in how the function ends.


def _blocks(node: nodes.Statement) -> list[nodes.Block]:
    return [block for block in blocks(node) if isinstance(block, nodes.Block)]


def _body(block: nodes.Block | None) -> Statements:
    return block.body if block else []


def _is_broad(kind: nodes.Expression | None) -> bool:
    """Tell whether a handler catches every failure."""
    if isinstance(kind, nodes.TupleExpr):
        return any(map(_is_broad, kind.items))
    return kind is None or (isinstance(kind, nodes.RefExpr) and kind.fullname in _BROAD)


def _is_suppressing(manager: nodes.Expression) -> bool:
    return (
        isinstance(manager, nodes.CallExpr)
        and isinstance(manager.callee, nodes.RefExpr)
        and manager.callee.fullname == "contextlib.suppress"
        and any(map(_is_broad, manager.args))
    )


def _is_quiet(node: nodes.Statement, name: nodes.NameExpr | None, types: Types) -> bool:
    """Tell whether a statement in a handler keeps nothing of what was raised, and caught as."""
    if isinstance(node, nodes.ReturnStmt):
        return name is None or not any(
            isinstance(one, nodes.NameExpr) and one.name == name.name for one in walk(node)
        )
    if isinstance(node, nodes.ExpressionStmt):
        expr = node.expr.expr if isinstance(node.expr, nodes.AwaitExpr) else node.expr
        if not isinstance(expr, nodes.CallExpr):
            return isinstance(expr, (nodes.EllipsisExpr, nodes.StrExpr))
        callee = expr.callee
        return (
            isinstance(callee, (nodes.MemberExpr, nodes.NameExpr))
            and callee.name in _TELLS
            # As that of argparse, which ends the program.
            and not isinstance(get_proper_type(types.of(expr)), UninhabitedType)
        )
    return isinstance(node, (nodes.BreakStmt, nodes.ContinueStmt, nodes.PassStmt))


class _Ways:
    """How a function may end."""

    def __init__(self, function: nodes.FuncDef, types: Types) -> None:
        self._types = types
        declared = get_proper_type(function.type)
        returned = declared.ret_type if isinstance(declared, CallableType) else None
        # A function that a decorator makes return a Result: what it returns is in the `Ok`.
        self._is_plain = not types.mention(returned)

    def successes(self, swallow: _Swallow) -> list[int] | None:
        """Give the lines of the `Ok`s that follow; None when the failure may still be seen."""
        oks: list[int] = []
        last = swallow.handler[-1] if swallow.handler else None
        rest = swallow.rest.here
        if isinstance(last, nodes.ReturnStmt):
            rest = [[last]]
        elif isinstance(last, nodes.BreakStmt):
            rest = swallow.rest.done
        elif isinstance(last, nodes.ContinueStmt):
            rest = swallow.rest.again
        told = _bound_in(swallow.body)
        goes_on = True
        for statements in rest:
            if any(
                isinstance(node, nodes.NameExpr) and node.name in told
                for statement in statements
                for node in walk(statement)
            ):
                return None  # what the block would have set tells whether it came so far
            found = self._leave(statements)
            if found is None:
                return None
            lines, goes_on = found
            oks += lines
            if not goes_on:
                break
        if goes_on and not self._is_plain:
            return oks or None
        return oks

    def _leave(self, statements: Statements) -> tuple[list[int], bool] | None:
        """Give the lines of the `Ok`s, and whether what follows runs; None for another end."""
        oks: list[int] = []
        for node in statements:
            if isinstance(node, nodes.RaiseStmt):
                return None
            if isinstance(node, nodes.ReturnStmt):
                return ([*oks, node.line], False) if self._is_success(node) else None
            if isinstance(node, _LEAVES):
                continue
            for block in _blocks(node):
                found = self._leave(block.body)
                if found is None:
                    return None
                oks += found[0]
        return oks, True

    def _is_success(self, node: nodes.ReturnStmt) -> bool:
        if self._is_plain:
            return True
        given = self._types.of(node.expr) if node.expr is not None else None
        return given is not None and all(
            isinstance(item, Instance) and item.type.fullname == patterns.OK
            for item in patterns.items_of(given)
        )


def _bound_in(block: nodes.Block) -> set[str]:
    """Give the names that are bound in a block."""
    return {
        below.name
        for node in walk(block)
        for target in _targets(node)
        for below in walk(target)
        if isinstance(below, nodes.NameExpr)
    }


def _targets(node: nodes.Node) -> list[nodes.Node]:
    if isinstance(node, nodes.AssignmentStmt):
        return list(node.lvalues)
    if isinstance(node, nodes.OperatorAssignmentStmt):
        return [node.lvalue]
    if isinstance(node, nodes.AssignmentExpr):
        return [node.target]
    if isinstance(node, nodes.ForStmt):
        return [node.index]
    return []


# What is called


def check_call(call: nodes.CallExpr, types: Types, module: str, report: Report) -> None:
    """Report a call that forgets an error: `r.map_err(lambda _: x)`, and `Ok(r.ok())`."""
    callee = call.callee
    if isinstance(callee, nodes.RefExpr) and callee.fullname == patterns.OK:
        for arg in call.args:
            if _method(arg, types) == "ok":
                report(
                    arg,
                    "a failure looks like success here, as an Ok of None: use map, and_then or "
                    "match",
                    CODE,
                )
    elif call.args and _method(call, types) == "map_err":
        assert isinstance(callee, nodes.MemberExpr)  # noqa: S101 - else it is no method
        given = types.of(callee.expr)
        errors = patterns.errors_of(given) if given is not None else None
        if (
            _is_forgetful(call.args[0], module)
            and errors is not None
            and not _is_one_value(errors)
        ):
            report(
                call.args[0],
                "this forgets which error it was: take it into the new one, as "
                "map_err(lambda error: Other(error)) does",
                CODE,
            )


def check_discarded(expr: nodes.Expression, types: Types, report: Report) -> None:
    """Report a statement that asks a Result for something, and takes nothing."""
    name = _method(expr, types)
    if name in _SILENCES:
        report(
            expr,
            f"{name}() silences the failure: match on the Result, return it, or write "
            'ignore(..., reason="...")',
            CODE,
        )


def _method(expr: nodes.Expression, types: Types) -> str | None:
    """Name the method of a Result that an expression calls."""
    if isinstance(expr, nodes.CallExpr) and isinstance(expr.callee, nodes.MemberExpr):
        given = types.of(expr.callee.expr)
        if given is not None and types.is_result(given):
            return expr.callee.name
    return None


def _is_forgetful(mapper: nodes.Expression, module: str) -> bool:
    """Tell whether a function does not look at what it is called with."""
    function: nodes.FuncItem | None = mapper if isinstance(mapper, nodes.LambdaExpr) else None
    if isinstance(mapper, nodes.RefExpr) and isinstance(mapper.node, nodes.FuncDef):
        # The body of one from another module is not there when that comes from the cache.
        is_own = mapper.node.fullname == f"{module}.{mapper.node.name}"
        function = mapper.node if is_own else None
    if function is None or len(function.arguments) != 1:
        return False
    (argument,) = function.arguments
    name = argument.variable.name
    return not any(
        isinstance(node, nodes.NameExpr) and node.name == name for node in walk(function.body)
    )


def _is_one_value(errors: Type) -> bool:
    """Tell whether a type has one value at most, which says no more than that it failed."""
    items = patterns.items_of(errors)
    return len(items) == 1 and isinstance(items[0], (LiteralType, NoneType, UninhabitedType))
