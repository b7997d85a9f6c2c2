"""The checks that need mypy's types, run on a module that mypy has just checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import nodes
from mypy.argmap import map_actuals_to_formals
from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.messages import format_type_bare
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    NoneType,
    TupleType,
    TypedDictType,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from resultflow.check import liveness, patterns, silent
from resultflow.check.patterns import RESULTS, place_of
from resultflow.check.settings import is_test
from resultflow.check.tree import blocks, children, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from mypy.options import Options
    from mypy.types import ProperType, Type

    from resultflow.check.settings import Settings

    Report = Callable[[nodes.Context, str, str], object]
    Checks = dict[type[nodes.Node], Callable[[Any], object]]

__all__ = ["Module", "managers_in"]

# What hands on the values it is made of: throwing it away throws them away.
_HOLDERS = (
    "typing.Iterable",
    "typing.Awaitable",
    "typing.Mapping",
    "concurrent.futures._base.Future",
    "_asyncio.Future",
    "asyncio.futures.Future",
)
# Receivers whose type hides that they drop what the callable returns.
_SINKS = {
    "_weakref.finalize",
    "atexit.register",
    "contextlib.AsyncExitStack.callback",
    "contextlib.AsyncExitStack.push_async_callback",
    "contextlib.ExitStack.callback",
    "contextlib._BaseExitStack.callback",
    "sched.scheduler.enter",
    "sched.scheduler.enterabs",
    "signal.signal",
    "weakref.finalize",
}
# They wait for what others hold, and give it back.
_WAITS = {"asyncio.tasks.gather", "asyncio.tasks.wait", "concurrent.futures._base.wait"}
# They give what a container holds.
_VIEWS = {"items", "keys", "values"}
_PASSES_ON = {"builtins.enumerate", "builtins.reversed", "builtins.sorted", "builtins.zip"}
_ITERATORS = ("typing.Iterator", "typing.AsyncIterator")
_UNWRAPS = {"unwrap", "expect", "unwrap_err", "expect_err"}
_DEEPEST = 8
# The statements that bind names, but for those with a walrus in them.
_BINDING = (nodes.AssignmentStmt, nodes.ForStmt, nodes.WithStmt)


class Types:
    """What mypy found out about the expressions of one module."""

    def __init__(self, found: Mapping[nodes.Expression, Type]) -> None:
        self.found = found
        self._by_place: dict[patterns.Place, Type] | None = None
        self._mentions: dict[Type, bool] = {}
        self._holders: dict[nodes.TypeInfo, list[nodes.TypeInfo]] = {}

    def of(self, expr: nodes.Expression) -> Type | None:
        """Give the type of an expression; None where mypy did not look, as in dead code."""
        found = self.found.get(expr)
        if found is not None:
            return found
        # A function with a constrained type variable is checked on copies, one for each type.
        if self._by_place is None:
            self._by_place = {}
            for one, type_ in self.found.items():
                place = place_of(one)
                other = self._by_place.get(place)
                self._by_place[place] = UnionType([other, type_]) if other else type_
        return self._by_place.get(place_of(expr))

    def mention(self, given: Type | None, depth: int = 0) -> bool:
        """Tell whether a type has a Result in it that goes when the value goes."""
        if given is None or depth > _DEEPEST:
            return False
        known = self._mentions.get(given)
        if known is None:
            self._mentions[given] = False  # what a recursive type finds on its way
            known = self._mentions[given] = self._mention(get_proper_type(given), depth + 1)
        return known

    def _mention(self, given: ProperType, depth: int) -> bool:
        if isinstance(given, Instance):
            if given.type.fullname in RESULTS:
                return True
            return any(
                self.mention(arg, depth)
                for holder in self._holders_of(given.type)
                for arg in map_instance_to_supertype(given, holder).args
            )
        if isinstance(given, (UnionType, TupleType)):
            return any(self.mention(item, depth) for item in given.items)
        if isinstance(given, TypeVarType):
            return any(self.mention(one, depth) for one in (given.upper_bound, *given.values))
        if isinstance(given, TypedDictType):
            return any(self.mention(item, depth) for item in given.items.values())
        return False

    def _holders_of(self, info: nodes.TypeInfo) -> list[nodes.TypeInfo]:
        found = self._holders.get(info)
        if found is None:
            found = [base for base in info.mro if base.fullname in _HOLDERS]
            self._holders[info] = found
        return found

    def is_result(self, given: Type | None) -> bool:
        """Tell whether a value may itself be a Result."""
        return given is not None and any(
            isinstance(item, Instance) and item.type.fullname in RESULTS
            for item in patterns.items_of(given)
        )


class Module:
    """One module, and where to report what is wrong with it."""

    def __init__(
        self,
        file: nodes.MypyFile,
        found: Mapping[nodes.Expression, Type],
        report: Report,
        options: Options,
        settings: Settings,
    ) -> None:
        self.file = file
        self.types: Types = Types(found)
        self.report = report
        self.options = options
        self.settings = settings
        self._is_test = is_test(file.fullname, file.path)
        self._raising: set[nodes.Statement] = set()  # from which no Result can come
        self._callables: set[Type] = set()  # whose call gives a Result
        self._scope: nodes.Node = file  # the function that is looked at, if any
        self._has_walrus = any(isinstance(one, nodes.AssignmentExpr) for one in found)

    def check(self) -> None:
        """Report every finding in the module."""
        self._check_overrides()
        types = set(self.types.found.values())
        self._callables = {one for one in types if self._gives_result(one)}
        if not self._callables and not any(map(self.types.mention, types)):
            return
        self._check_statements()
        checks: Checks = {
            nodes.CallExpr: self._check_call,
            nodes.ConditionalExpr: lambda expr: self._check_truth(expr.cond),
            nodes.DictionaryComprehension: self._check_comprehension,
            nodes.GeneratorExpr: self._check_comprehension,
            nodes.ListComprehension: lambda expr: self._check_comprehension(expr.generator),
            nodes.OpExpr: self._check_operator,
            nodes.SetComprehension: lambda expr: self._check_comprehension(expr.generator),
            nodes.UnaryExpr: self._check_operator,
        }
        for expr in list(self.types.found):
            check = checks.get(type(expr))
            if check is not None:
                check(expr)

    def show(self, given: Type) -> str:
        """Spell a type as mypy does."""
        return format_type_bare(given, self.options)

    # Statements

    def _check_statements(self) -> None:
        checks: Checks = {
            nodes.AssertStmt: self._check_condition,
            nodes.AssignmentStmt: self._check_assignment,
            nodes.Decorator: self._check_decorators,
            nodes.ExpressionStmt: self._check_expression_statement,
            nodes.FuncDef: self._check_returns,
            nodes.IfStmt: self._check_if,
            nodes.MatchStmt: self._check_match,
            nodes.WhileStmt: self._check_condition,
            nodes.WithStmt: self._note_raising,
        }
        # What is looked at, and the function that it is in, if any.
        todo: list[tuple[nodes.Node, nodes.FuncDef | None]] = [(self.file, None)]
        bound: dict[nodes.FuncDef | None, list[liveness.Binding]] = {}
        while todo:
            node, function = todo.pop()
            self._scope = function or self.file
            check = checks.get(type(node))
            if check is not None:
                check(node)
            if self._has_walrus or isinstance(node, _BINDING):
                for binding in self._bindings(node):
                    bound.setdefault(function, []).append(binding)
            if isinstance(node, nodes.FuncDef):
                function = node
                if not node.is_decorated:
                    self._check_silent(node, node.type)
            elif isinstance(node, nodes.Decorator):
                self._check_silent(node.func, node.type)
            todo += [(below, function) for below in blocks(node)]
        for scope, bindings in bound.items():
            for name, given in liveness.unread(scope, bindings):
                self.report(
                    name,
                    f"{name.name!r} gets {self.show(given)}, which is never read from it: use it, "
                    'or write ignore(..., reason="...")',
                    "unused-result",
                )

    def _check_expression_statement(self, node: nodes.ExpressionStmt) -> None:
        if node not in self._raising:
            self._check_discarded(node.expr)

    def _check_silent(self, function: nodes.FuncDef, declared: Type | None) -> None:
        """Look at what is swallowed in a function that, decorated, gives a Result."""
        proper = get_proper_type(declared)
        if isinstance(proper, CallableType) and not self._is_test:
            returned = get_proper_type(proper.ret_type)
            if isinstance(returned, Instance) and returned.type.fullname == "typing.Coroutine":
                returned = get_proper_type(returned.args[-1])
            if self.types.is_result(returned):
                silent.check_function(function, self.types, self.report)

    def _note_raising(self, node: nodes.WithStmt) -> None:
        if any(map(_wants_exception, node.expr)):
            self._raising.add(node.body.body[-1])

    def _check_match(self, node: nodes.MatchStmt) -> None:
        given = self.types.of(node.subject)
        if given is not None and self.types.is_result(given):
            patterns.check_match(node, given, self.report)
        for guard in node.guards:
            self._check_truth(guard)

    def _check_if(self, node: nodes.IfStmt) -> None:
        for condition in node.expr:
            self._check_truth(condition)

    def _check_condition(self, node: nodes.WhileStmt | nodes.AssertStmt) -> None:
        self._check_truth(node.expr)

    def _check_assignment(self, node: nodes.AssignmentStmt) -> None:
        for target in node.lvalues:
            if isinstance(target, (nodes.NameExpr, nodes.MemberExpr)):
                declared = self._declared(target)
                if declared is not None and not self.settings.may_drop(target.fullname):
                    self._check_given(node.rvalue, declared, target.name)

    def _check_discarded(self, expr: nodes.Expression) -> None:
        if isinstance(expr, nodes.CallExpr) and expr.analyzed is not None:
            expr = expr.analyzed  # reveal_type(...), assert_type(...), cast(...)
        if isinstance(expr, nodes.ConditionalExpr):
            self._check_discarded(expr.if_expr)
            self._check_discarded(expr.else_expr)
        elif isinstance(expr, nodes.OpExpr) and expr.op in {"and", "or"}:
            self._check_discarded(expr.right)
        elif isinstance(
            expr,
            (
                nodes.AssertTypeExpr,
                nodes.AssignmentExpr,
                nodes.RevealExpr,
                nodes.YieldExpr,
            ),
        ):
            return
        else:
            given = self.types.of(expr)
            if given is not None and self.types.mention(given) and not self._is_kept(expr):
                self.report(
                    expr,
                    f"this {self.show(given)} is dropped: match on it, return it, or write "
                    'ignore(..., reason="...")',
                    "unused-result",
                )
            elif not self._is_test:
                silent.check_discarded(expr, self.types, self.report)

    # Values that somebody else has, too

    def _is_kept(self, expr: nodes.Expression) -> bool:
        """Tell whether all that an expression gives is still where it came from."""
        call = expr.expr if isinstance(expr, nodes.AwaitExpr) else expr
        if not isinstance(call, nodes.CallExpr):
            return False
        callee = call.callee
        if isinstance(callee, nodes.RefExpr) and callee.fullname in _WAITS:
            return all(self._is_read_later(arg) for arg in call.args)
        return call is expr and isinstance(callee, nodes.MemberExpr) and self._is_own(call, callee)

    def _waits_for_all(self, expr: nodes.Expression) -> bool:
        """Tell whether an expression gives what is done, and what is not, which is nothing."""
        call = expr.expr if isinstance(expr, nodes.AwaitExpr) else expr
        return (
            isinstance(call, nodes.CallExpr)
            and isinstance(call.callee, nodes.RefExpr)
            and call.callee.fullname in _WAITS - {"asyncio.tasks.gather"}
            and len(call.args) == 1
        )

    def _is_own(self, call: nodes.CallExpr, callee: nodes.MemberExpr) -> bool:
        """Tell whether a method gives what its receiver keeps, or the receiver itself."""
        given = get_proper_type(self.types.of(callee.expr))
        if not isinstance(given, Instance) or self.types.is_result(given):
            return False
        if callee.name == "setdefault":
            return given.type.has_base("typing.MutableMapping")
        made = get_proper_type(self.types.of(call))
        return made == given and (
            isinstance(callee.expr, (nodes.NameExpr, nodes.MemberExpr))
            or self._is_kept(callee.expr)
        )

    def _is_read_later(self, expr: nodes.Expression) -> bool:
        if isinstance(expr, nodes.NameExpr):
            here = (expr.line, expr.column)
            return any(
                one.node is expr.node and (one.line, one.column) > here
                for one in walk(self._scope)
                if isinstance(one, nodes.NameExpr) and one in self.types.found
            )
        # An attribute outlives the function; a number or a flag is no Result.
        return isinstance(expr, nodes.MemberExpr) or not self.types.mention(self.types.of(expr))

    def _is_container(self, expr: nodes.Expression) -> bool:
        """Tell whether to go through a value leaves all that is in it where it is."""
        if isinstance(expr, nodes.CallExpr):
            callee = expr.callee
            if isinstance(callee, nodes.MemberExpr) and callee.name in _VIEWS and not expr.args:
                return self._is_container(callee.expr)
            return (
                isinstance(callee, nodes.RefExpr)
                and callee.fullname in _PASSES_ON
                and all(
                    self._is_container(arg) or not self.types.mention(self.types.of(arg))
                    for arg in expr.args
                )
            )
        proper = get_proper_type(self.types.of(expr))
        return (
            isinstance(expr, (nodes.NameExpr, nodes.MemberExpr))
            and isinstance(proper, (Instance, TupleType))
            and not (isinstance(proper, Instance) and any(map(proper.type.has_base, _ITERATORS)))
        )

    # Names that are bound and not read

    def _bindings(self, node: nodes.Node) -> Iterator[liveness.Binding]:
        if isinstance(node, nodes.AssignmentStmt) and not self._is_kept(node.rvalue):
            for target in node.lvalues:
                if isinstance(target, nodes.TupleExpr) and self._waits_for_all(node.rvalue):
                    yield from self._bound(target.items[0], None, None)
                else:
                    yield from self._bound(target, node.rvalue, None)
        elif isinstance(node, nodes.ForStmt) and not self._is_container(node.expr):
            yield from self._bound(node.index, None, node.inferred_item_type)
        elif isinstance(node, nodes.WithStmt):
            for entered in node.target:
                if entered is not None:
                    yield from self._bound(entered, None, None)
        if self._has_walrus:
            yield from self._walruses(node)

    def _walruses(self, node: nodes.Node) -> Iterator[liveness.Binding]:
        for below in walk(*liveness.headers(node)):
            if isinstance(below, nodes.AssignmentExpr):
                yield from self._bound(below.target, below.value, None)

    def _bound(
        self, target: nodes.Node, value: nodes.Expression | None, given: Type | None
    ) -> Iterator[liveness.Binding]:
        """Give the names in a target that get a Result, from a value or of a type."""
        if isinstance(target, (nodes.TupleExpr, nodes.ListExpr)):
            yield from self._unpacked(target.items, value, given)
        elif isinstance(target, nodes.StarExpr):
            yield from self._bound(target.expr, None, given)
        elif isinstance(target, nodes.NameExpr):
            if given is None and value is not None:
                given = self.types.of(value)
            # What mypy inferred for the name; for `_` it infers nothing.
            if given is None and isinstance(target.node, nodes.Var):
                given = self.types.of(target) or target.node.type
            if given is not None and self.types.mention(given):
                yield target, given

    def _unpacked(
        self, targets: list[nodes.Expression], value: nodes.Expression | None, given: Type | None
    ) -> Iterator[liveness.Binding]:
        values: list[nodes.Expression | None] = [None] * len(targets)
        types: list[Type | None] = [None] * len(targets)
        has_star = any(isinstance(one, nodes.StarExpr) for one in targets)
        if isinstance(value, (nodes.TupleExpr, nodes.ListExpr)):
            if not has_star and len(value.items) == len(targets):
                values = list(value.items)
        else:
            proper = get_proper_type(given if value is None else self.types.of(value))
            if isinstance(proper, TupleType) and not has_star:
                types = list(proper.items)
        for target, one, item in zip(targets, values, types, strict=False):
            yield from self._bound(target, one, item)

    # Expressions

    def _check_operator(self, expr: nodes.OpExpr | nodes.UnaryExpr) -> None:
        if expr.op in {"and", "or", "not"}:
            self._check_truth(expr.expr if isinstance(expr, nodes.UnaryExpr) else expr.left)

    def _check_comprehension(
        self, expr: nodes.GeneratorExpr | nodes.DictionaryComprehension
    ) -> None:
        for conditions in expr.condlists:
            for condition in conditions:
                self._check_truth(condition)

    def _check_truth(self, condition: nodes.Expression | None) -> None:
        if condition is None:
            return
        if isinstance(condition, nodes.OpExpr) and condition.op in {"and", "or"}:
            self._check_truth(condition.right)  # the left one is a condition wherever it stands
            return
        given = self.types.of(condition)
        if self.types.is_result(given):
            self.report(
                condition,
                "a Result is not a condition, an Err is as true as an Ok: "
                'write "is_ok(result)", "is_err(result)" or "match result"',
                "result-truth",
            )

    def _check_call(self, call: nodes.CallExpr) -> None:
        callee = call.callee
        given = self.types.of(callee.expr) if isinstance(callee, nodes.MemberExpr) else None
        if isinstance(callee, nodes.MemberExpr) and given and self.types.is_result(given):
            if callee.name in _UNWRAPS:
                self._check_unwrap(call, callee)
            elif callee.name == "catch" and call.args:
                self._check_catch(call, given)
        elif isinstance(callee, nodes.NameExpr) and callee.fullname in {
            "builtins.bool",
            "builtins.all",
            "builtins.any",
            "builtins.filter",
        }:
            self._check_builtin(call, callee.name)
        if not self._is_test:
            silent.check_call(call, self.types, self.file.fullname, self.report)
        self._check_callbacks(call)

    def _check_builtin(self, call: nodes.CallExpr, name: str) -> None:
        """`bool(r)`, `all(rs)`, `any(rs)`, `filter(None, rs)`."""
        if name == "bool" and call.args:
            self._check_truth(call.args[0])
        elif (
            call.args
            and (name != "filter" or isinstance(self._first_type(call), NoneType))
            and any(map(self.types.is_result, self._items_in(call.args[-1])))
        ):
            self.report(
                call,
                f"{name}() takes each Result for a condition, and an Err is as true as an Ok: "
                'write "is_ok(result) for result in ..."',
                "result-truth",
            )

    def _first_type(self, call: nodes.CallExpr) -> ProperType | None:
        return get_proper_type(self.types.of(call.args[0]))

    def _items_in(self, many: nodes.Expression) -> list[Type | None]:
        """Give the types of what an expression goes through.

        The type of a display or generator is what its receiver wants, and any() wants objects.
        """
        if isinstance(many, (nodes.ListExpr, nodes.TupleExpr, nodes.SetExpr)):
            return [self.types.of(one) for one in many.items]
        if isinstance(many, (nodes.ListComprehension, nodes.SetComprehension)):
            many = many.generator
        if isinstance(many, nodes.GeneratorExpr):
            return [self.types.of(many.left_expr)]
        return [patterns.item_of(self.types.of(many))]

    def _check_unwrap(self, call: nodes.CallExpr, callee: nodes.MemberExpr) -> None:
        if not self.settings.may_unwrap(self.file.fullname, self.file.path):
            self.report(
                call,
                f"{callee.name}() turns a value that was checked back into an exception that is "
                'not: match on it, bind it in a @do block, or use "unwrap_or"',
                "unwrap",
            )

    def _check_catch(self, call: nodes.CallExpr, given: Type) -> None:
        errors = patterns.errors_of(given)
        for one in patterns.caught(call.args[0], self.file) or []:
            if not patterns.is_possible(errors, one.type):
                has = ", ".join(patterns.name_variants(patterns.items_of(given)))
                self.report(
                    call,
                    f"catch({one.type.name}, ...) catches nothing: this Result has {has}",
                    "unreachable-handler",
                )

    # Callables whose Result nobody gets

    def _check_callbacks(self, call: nodes.CallExpr) -> None:
        sources = [self.types.of(arg) for arg in call.args]
        if self._callables.isdisjoint(sources):
            return
        name = self._receiver(call.callee)
        if name is None or self.settings.may_drop(name):
            return
        signatures = self._signatures(self.types.of(call.callee))
        fitting = [formals for one in signatures if (formals := self._formals(call, one))]
        for position, (arg, source) in enumerate(zip(call.args, sources, strict=True)):
            wanted = [formals[position] for formals in fitting if position in formals]
            if (
                source is not None
                and self._gives_result(source)
                and self._is_dropped(source, name, wanted)
            ):
                self._report_dropped(arg, source, name.rpartition(".")[2] or "the receiver")

    def _check_decorators(self, node: nodes.Decorator) -> None:
        """A decorator is called with the function below it."""
        source = node.func.type  # half made in dead code
        if not isinstance(source, CallableType) or not self.types.mention(source.ret_type):
            return
        for decorator in node.original_decorators:
            name = self._receiver(decorator)
            if name and not self.settings.may_drop(name):
                wanted = [
                    one.arg_types[0]
                    for one in self._signatures(self.types.of(decorator))
                    if one.arg_types
                ]
                if self._is_dropped(source, name, wanted):
                    self._report_dropped(node.func, source, name.rpartition(".")[2])

    def _receiver(self, callee: nodes.Expression) -> str | None:
        """Name what is called; None for a method of a Result, which says what it does."""
        if isinstance(callee, nodes.MemberExpr):
            given = self.types.of(callee.expr)
            if self.types.is_result(given):
                return callee.name if callee.name in {"inspect", "inspect_err"} else None
            if callee.fullname:
                return callee.fullname
            owner = get_proper_type(given)
            if isinstance(owner, Instance):
                found = owner.type.get_containing_type_info(callee.name) or owner.type
                return f"{found.fullname}.{callee.name}"
            return callee.name
        if isinstance(callee, nodes.RefExpr):
            return callee.fullname
        return ""

    def _gives_result(self, source: Type | None) -> bool:
        proper = get_proper_type(source)
        if isinstance(proper, FunctionLike) and proper.is_type_obj():
            return False  # a class is rather looked at than called
        return any(self.types.mention(one.ret_type) for one in self._signatures(source))

    def _signatures(self, given: Type | None) -> list[CallableType]:
        """Give the signatures of something that can be called, in all its overloads."""
        proper = get_proper_type(given)
        if isinstance(proper, FunctionLike):
            return list(proper.items)
        if isinstance(proper, UnionType):
            return [found for item in proper.items for found in self._signatures(item)]
        if isinstance(proper, Instance) and proper.type.fullname != "builtins.type":
            symbol = proper.type.get("__call__")
            if symbol is not None and symbol.type is not None:
                return self._bound_call(proper, symbol)
        return []

    def _bound_call(self, owner: Instance, symbol: nodes.SymbolTableNode) -> list[CallableType]:
        node = symbol.node
        info = node.info if isinstance(node, (nodes.FuncBase, nodes.Decorator)) else owner.type
        base = map_instance_to_supertype(owner, info)
        found = self._signatures(symbol.type)
        return [
            expanded
            for one in found
            if isinstance(
                expanded := get_proper_type(expand_type_by_instance(one, base)), CallableType
            )
        ]

    def _formals(self, call: nodes.CallExpr, callee: CallableType) -> dict[int, Type]:
        """Map the arguments of a call to what they are declared to be."""
        mapped = map_actuals_to_formals(
            call.arg_kinds,
            call.arg_names,
            callee.arg_kinds,
            callee.arg_names,
            lambda at: self.types.of(call.args[at]) or AnyType(0),
        )
        return {
            actual: callee.arg_types[formal]
            for formal, actuals in enumerate(mapped)
            for actual in actuals
        }

    def _is_dropped(self, source: Type, name: str, wanted: list[Type]) -> bool:
        """Tell whether a receiver, declared in one way or several, drops what a callable gives."""
        if name in _SINKS:
            # Not what it is called with, or for, which may be an object that can be called.
            items = [item for one in wanted for item in patterns.items_of(one)]
            return any(isinstance(item, CallableType) for item in items)
        return bool(wanted) and all(self._drops(source, one) for one in wanted)

    def _drops(self, source: Type, wanted: Type) -> bool:
        """Tell whether a callable that gives a Result is taken for one that gives nothing."""
        if not self._gives_result(source):
            return False
        receivers = [one for item in patterns.items_of(wanted) for one in self._signatures(item)]
        return bool(receivers) and all(_is_dropping(one.ret_type) for one in receivers)

    def _report_dropped(self, where: nodes.Context, source: Type, receiver: str) -> None:
        given = next(
            one.ret_type for one in self._signatures(source) if self.types.mention(one.ret_type)
        )
        self.report(
            where,
            f"{receiver} drops the {self.show(given)} that this returns: give it a function that "
            "looks at the Result and returns None",
            "dropped-result",
        )

    def _check_given(self, value: nodes.Expression, wanted: Type, receiver: str) -> None:
        """Look at a value that is put where a declared type says what becomes of it."""
        if isinstance(value, (nodes.ListExpr, nodes.TupleExpr, nodes.SetExpr)):
            # The items of a tuple are wanted one by one, not as what they have in common.
            is_tuple = isinstance(get_proper_type(wanted), TupleType)
            item = None if is_tuple else patterns.item_of(wanted)
            for one in value.items:
                if item is not None:
                    self._check_given(one, item, receiver)
        elif isinstance(value, nodes.DictExpr):
            target = get_proper_type(wanted)
            if isinstance(target, Instance) and target.args:
                for _, one in value.items:
                    self._check_given(one, target.args[-1], receiver)
        elif isinstance(value, nodes.ConditionalExpr):
            self._check_given(value.if_expr, wanted, receiver)
            self._check_given(value.else_expr, wanted, receiver)
        else:
            source = self.types.of(value)
            if source is not None and self._drops(source, wanted):
                self._report_dropped(value, source, receiver)

    def _declared(self, target: nodes.NameExpr | nodes.MemberExpr) -> Type | None:
        """Give the type that an assigned name or attribute was declared with."""
        if isinstance(target, nodes.NameExpr) and isinstance(target.node, nodes.Var):
            return None if target.node.is_inferred else target.node.type
        if isinstance(target, nodes.MemberExpr):
            owner = get_proper_type(self.types.of(target.expr))
            symbol = owner.type.get(target.name) if isinstance(owner, Instance) else None
            if symbol and isinstance(symbol.node, nodes.Var):
                return symbol.node.type
        return None

    def _check_returns(self, function: nodes.FuncDef) -> None:
        declared = get_proper_type(function.type)
        if not isinstance(declared, CallableType) or not self._signatures(declared.ret_type):
            return
        todo: list[nodes.Node] = [function.body]
        while todo:
            node = todo.pop()
            if isinstance(node, nodes.ReturnStmt) and node.expr is not None:
                self._check_given(node.expr, declared.ret_type, "the caller")
            if not isinstance(node, (nodes.FuncDef, nodes.Decorator, nodes.ClassDef)):
                todo += blocks(node)

    def _check_overrides(self) -> None:
        """Look for methods that give a Result where the base says `object`.

        Not for properties: whoever reads one does so for its value.
        """
        for _, symbol, info in self.file.local_definitions():
            method = symbol.node
            if info is not None and isinstance(method, (nodes.FuncDef, nodes.Decorator)):
                function = method.func if isinstance(method, nodes.Decorator) else method
                if not function.is_property:
                    self._check_override(method, info)

    def _check_override(
        self, method: nodes.FuncDef | nodes.Decorator, info: nodes.TypeInfo
    ) -> None:
        found = get_proper_type(method.type)
        if not isinstance(found, CallableType) or not self.types.mention(found.ret_type):
            return
        for base in info.mro[1:]:
            symbol = base.names.get(method.name)
            above = get_proper_type(symbol.type) if symbol else None
            if isinstance(above, CallableType) and _is_dropping(above.ret_type):
                self.report(
                    method.func if isinstance(method, nodes.Decorator) else method,
                    f"{base.name}.{method.name} is declared to return an object, so whoever calls "
                    f"it drops this {self.show(found.ret_type)}: look at the Result here",
                    "dropped-result",
                )
                return


def managers_in(file: nodes.MypyFile, settings: Settings) -> Iterator[nodes.FuncDef]:
    """Give the functions that become context managers, if a yield in them is bare."""
    todo: list[nodes.Node] = [file]
    while todo:
        node = todo.pop()
        todo += blocks(node)
        if isinstance(node, nodes.Decorator):
            for decorator in node.original_decorators:
                named = decorator.callee if isinstance(decorator, nodes.CallExpr) else decorator
                if isinstance(named, nodes.RefExpr) and settings.is_context_manager(
                    named.fullname
                ):
                    if _has_bare_yield(node.func):
                        yield node.func
                    break


def _has_bare_yield(function: nodes.FuncDef) -> bool:
    """Tell whether a `yield` is in the body of no `try`: most managers have none such."""
    todo: list[nodes.Node] = [function.body]
    while todo:
        node = todo.pop()
        if isinstance(node, (nodes.YieldExpr, nodes.YieldFromExpr)):
            return True
        below = children(node)
        if isinstance(node, nodes.TryStmt):
            below.remove(node.body)
        todo += below
    return False


def _is_dropping(returned: Type) -> bool:
    """Tell whether a declared return type says that nobody looks at what is returned.

    `Any` does not say so: whoever takes it rather wants all there is.
    """
    proper = get_proper_type(returned)
    if not isinstance(proper, Instance):
        return isinstance(proper, NoneType)
    if proper.type.fullname in {"typing.Awaitable", "typing.Coroutine"}:
        return _is_dropping(proper.args[-1])
    return proper.type.fullname == "builtins.object"


def _wants_exception(manager: nodes.Expression) -> bool:
    """Tell whether a `with` is there for the exception that its last statement raises."""
    if not isinstance(manager, nodes.CallExpr):
        return False
    callee = manager.callee
    return isinstance(callee, (nodes.NameExpr, nodes.MemberExpr)) and (
        callee.fullname in {"pytest.raises", "_pytest.raises.raises"}
        or callee.name in {"assertRaises", "assertRaisesRegex"}
    )
