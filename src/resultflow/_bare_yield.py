"""Find the `yield` of a context manager's generator that no `try` or `with` protects."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

__all__ = ["BareYield", "find"]


class BareYield(NamedTuple):
    """A bare `yield`, and the first statement that an exception raised there skips."""

    line: int
    skipped: int


@cache
def find(code: CodeType) -> BareYield | None:
    """Look for a bare `yield` in a generator function, by its source; None without a source."""
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError):
        return None
    (statement,) = tree.body
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return None  # pragma: no cover (a lambda)
    ast.increment_lineno(statement, first - 1)
    return next(_bare(statement.body, []), None)


def _bare(body: list[ast.stmt], after: list[ast.stmt]) -> Iterator[BareYield]:
    """Find the bare yields of a block; `after` is what runs next when the block has ended."""
    for index, statement in enumerate(body):
        rest = [*body[index + 1 :], *after]
        match statement:
            case ast.If(_, first, second):
                yield from _bare(first, rest)
                yield from _bare(second, rest)
            case ast.For(body=first, orelse=second) | ast.While(body=first, orelse=second):
                yield from _bare(first, rest)
                yield from _bare(second, rest)
            case ast.Match(cases=cases):
                for it in cases:
                    yield from _bare(it.body, rest)
            case ast.Try(orelse=first, finalbody=[]):
                yield from _bare(first, rest)
            case (
                ast.Expr(ast.Yield())
                | ast.Assign(value=ast.Yield())
                | ast.AnnAssign(value=ast.Yield())
            ):
                skipped = _first_skipped(rest)
                if skipped is not None:
                    yield BareYield(statement.lineno, skipped)
            case _:
                pass  # in a try or with, the author has thought of exceptions


def _first_skipped(rest: list[ast.stmt]) -> int | None:
    """Find the line of the first statement whose being skipped matters."""
    for statement in rest:
        if _does_something(statement):
            return statement.lineno
        if isinstance(statement, ast.Return):
            return None
    return None


def _does_something(statement: ast.stmt) -> bool:
    """Tell whether skipping a statement changes anything."""
    match statement:
        case ast.Pass() | ast.Assert() | ast.Return(None) | ast.Expr(ast.Constant()):
            return False
        case ast.Break() | ast.Continue():
            return False
        case ast.Delete(targets=targets):
            return not all(isinstance(target, ast.Name) for target in targets)
        case _:
            return True
