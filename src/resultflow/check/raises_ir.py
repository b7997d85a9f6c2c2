"""What a module's source says about exceptions: its names, and what each function does.

Nothing is resolved here. A `Module` depends on its own text alone, so that it can be kept on
disk: the names that it binds, and for each function a tree of `Effect`s (raise, call, `try`,
`with`, ...) whose operands are `Ref`s, which say where a value comes from ("attribute `x` of what
calling the global `f` gives").
"""

from __future__ import annotations

import ast
import operator
import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from resultflow.check.yields import parsed, unprotected_yields_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Block", "Class", "Effect", "Function", "Handler", "Module", "Ref", "extract"]


class Ref(NamedTuple):
    """Where a value comes from.

    One class for all kinds: `NamedTuple`s of different classes with equal fields are equal.
    """

    kind: str
    name: str = ""
    owner: str = ""  # the function or class whose name it is
    parts: tuple[Ref, ...] = ()
    names: tuple[str, ...] = ()  # of a call's arguments: "", "*", "**" or a keyword


class Effect(NamedTuple):
    """Something in a function that can let an exception out, or hold it back."""

    kind: str
    line: int = 0
    column: int = 0
    ref: Ref | None = None
    body: Block = ()
    handlers: tuple[Handler, ...] = ()
    orelse: Block = ()
    final: Block = ()
    name: str = ""  # the operator; how a `try` ends
    depth: int = 0  # of the handler that is left again


class Handler(NamedTuple):
    """An `except`; without types it takes everything."""

    types: tuple[Ref, ...]
    line: int
    body: Block


Block: TypeAlias = "tuple[Effect, ...]"


class Function(NamedTuple):
    """A function, a lambda, or the body of a module."""

    name: str
    line: int
    kind: str
    owner: str  # the class whose method it is
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    star: str
    double: str
    types: dict[str, Ref]
    defaults: dict[str, Ref]
    returned: Ref | None  # as it is declared
    returns: tuple[Ref, ...]  # as it is done
    yields: tuple[Ref, ...]
    is_generator: bool
    is_async: bool
    decorators: tuple[Ref, ...]
    locals: dict[str, tuple[Ref, ...]]
    body: Block
    calls: tuple[str, ...]  # the last names of what it calls
    unprotected: tuple[tuple[int, str], ...]  # yields, with the teardown that is skipped


class Class(NamedTuple):
    """A class: its bases, and what its attributes are bound to."""

    name: str
    line: int
    bases: tuple[Ref, ...]
    attributes: dict[str, tuple[Ref, ...]]
    decorators: tuple[Ref, ...]


class Module(NamedTuple):
    """A module; with a fault, and nothing else, when it cannot be read."""

    name: str
    names: dict[str, tuple[Ref, ...]]
    stars: tuple[str, ...]
    functions: dict[str, Function]
    classes: dict[str, Class]
    fault: str = ""


UNKNOWN = Ref("unknown")
_NONE = Ref("none")
_MOST = 24  # alternatives of one name; more tell nothing

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.BitAnd: "and",
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.USub: "neg",
    ast.UAdd: "pos",
    ast.Invert: "invert",
}
_VERSION = ".".join(map(str, sys.version_info[:2]))
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_MANAGERS = frozenset(["contextmanager", "asynccontextmanager"])


def extract(source: bytes, name: str, *, is_package: bool) -> Module:
    """Read a module; one that cannot be read has a fault that says why.

    Args:
        source: its text.
        name: its dotted name.
        is_package: relative imports start at the module itself.
    """
    try:
        tree = parsed(source)
        return _Extract(name, source, is_package=is_package).module(tree)
    except (SyntaxError, ValueError) as exc:
        return Module(name, {}, (), {}, {}, f"is no Python {_VERSION} that can be read: {exc}")
    except (RecursionError, MemoryError):
        return Module(name, {}, (), {}, {}, "is nested too deeply")


class _Scope:
    """A function, a class or the module, while it is read."""

    def __init__(self, kind: str, name: str, outer: _Scope | None) -> None:
        self.kind = kind
        self.name = name
        self.outer = outer
        self.bound: set[str] = set()
        self.parameters: set[str] = set()
        self.shared: set[str] = set()  # declared `global` or `nonlocal`
        self.values: dict[str, list[Ref]] = {}
        self.returns: list[Ref] = []
        self.yields: list[Ref] = []
        self.is_generator = False
        self.calls: set[str] = set()
        self.receiver = ""  # `self`, in a method
        self.owner = ""
        self.caught: list[str] = []  # names of the handlers that are open


def _bound(roots: Iterable[ast.AST]) -> Iterator[str]:
    """Give the names that some statements bind, those in nested scopes left out."""
    todo = list(roots)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        todo += ast.iter_child_nodes(node)


def _declared(roots: Iterable[ast.AST]) -> Iterator[str]:
    todo = list(roots)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        elif isinstance(node, ast.stmt) and not isinstance(node, _SCOPES):
            todo += ast.iter_child_nodes(node)
        elif isinstance(node, (ast.ExceptHandler, ast.match_case)):
            todo += node.body


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a block always ends in a `return`, or a `break` out of it."""
    return any(isinstance(one, (ast.Return, ast.Break, ast.Continue)) for one in body)


def _truth(test: ast.expr) -> bool | None:
    """Tell what a condition is on this interpreter, when that can be read off."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    text = ast.unparse(test)
    if text in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING"}:
        return False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        compare = _COMPARED.get(type(test.ops[0]))
        here = _HERE.get(ast.unparse(test.left))
        right = test.comparators[0]
        if compare is not None and here is not None:
            try:
                return compare(here, ast.literal_eval(right))
            except (TypeError, ValueError):
                return None
    return None


_HERE: dict[str, object] = {
    "sys.version_info": tuple(sys.version_info),
    "version_info": tuple(sys.version_info),
    "sys.version_info[0]": sys.version_info[0],
    "sys.version_info.major": sys.version_info[0],
    "sys.platform": sys.platform,
    "os.name": os.name,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class _Extract:
    """One walk over a module's tree."""

    def __init__(self, name: str, source: bytes, *, is_package: bool) -> None:
        self.name = name
        self.source = source
        self.package = name if is_package else name.rpartition(".")[0]
        self.scope = _Scope("module", name, None)
        self.top = self.scope
        self.stars: list[str] = []
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, Class] = {}
        self.attributes: dict[str, dict[str, list[Ref]]] = {}
        self.blocks: list[list[Effect]] = [[]]
        self.managers: list[tuple[str, int, str]] = []
        self.dispatch: dict[type[ast.AST], Callable[..., Ref]] = {
            kind: getattr(self, f"_{kind.__name__.lower()}")
            for kind in (
                ast.Constant,
                ast.Name,
                ast.Attribute,
                ast.Call,
                ast.Await,
                ast.Yield,
                ast.YieldFrom,
                ast.Lambda,
                ast.BoolOp,
                ast.IfExp,
                ast.BinOp,
                ast.UnaryOp,
                ast.Compare,
                ast.Subscript,
                ast.JoinedStr,
                ast.Dict,
                ast.Starred,
                ast.NamedExpr,
            )
        }
        self.dispatch.update(dict.fromkeys((ast.List, ast.Tuple, ast.Set), self._items))
        self.dispatch.update(dict.fromkeys(_COMPREHENSIONS, self._comprehension))

    def module(self, tree: ast.Module) -> Module:
        """Read all of it."""
        self.scope.bound.update(_bound(tree.body))
        self._block(tree.body)
        self.functions[self.name] = self._made(
            "module", 1, ast.arguments([], [], None, [], [], None, []), None, ()
        )
        self._mark()
        classes = {
            name: one._replace(
                attributes={key: tuple(refs) for key, refs in self.attributes[name].items()}
            )
            for name, one in self.classes.items()
        }
        names = {key: tuple(refs) for key, refs in self.scope.values.items()}
        return Module(self.name, names, tuple(self.stars), self.functions, classes)

    def _mark(self) -> None:
        """Note which context managers skip their teardown."""
        if not self.managers:
            return
        for name, line, dotted in self.managers:
            found = tuple(
                (one.place.lineno, one.what.partition(": ")[2])
                for one in unprotected_yields_in(self.source, [(name, line)])
            )
            if found:
                self.functions[dotted] = self.functions[dotted]._replace(unprotected=found)

    # --- effects

    def _emit(self, kind: str, node: ast.expr | ast.stmt, ref: Ref, name: str = "") -> None:
        self.blocks[-1].append(Effect(kind, node.lineno, node.col_offset, ref, name=name))

    def _apart(self, body: Iterable[ast.stmt]) -> Block:
        """Read statements into a block of their own."""
        self.blocks.append([])
        self._block(body)
        return tuple(self.blocks.pop())

    # --- names

    def _bind(self, name: str, ref: Ref) -> None:
        scope = self.scope
        if name in scope.shared:
            scope = self.top
        if scope.kind == "class":
            refs = self.attributes[scope.name].setdefault(name, [])
        else:
            refs = scope.values.setdefault(name, [])
        if len(refs) < _MOST and ref not in refs:
            refs.append(ref)

    def _named(self, name: str) -> Ref:
        scope: _Scope | None = self.scope
        while scope is not None:  # pragma: no branch (the module's own scope ends it)
            if scope.kind == "class":
                if scope is self.scope and name in scope.bound:
                    return Ref("member", name, scope.name)
            elif scope.kind == "module" or name in scope.shared:
                break
            elif name in scope.parameters:
                if name in scope.bound:
                    both = Ref("local", name, scope.name), Ref("parameter", name, scope.name)
                    return Ref("either", parts=both)
                return Ref("parameter", name, scope.name)
            elif name in scope.bound:
                return Ref("local", name, scope.name)
            scope = scope.outer
        return Ref("global", name)

    def _unique(self, name: str, known: Iterable[str]) -> str:
        """Tell apart what is defined twice."""
        dotted, number = f"{self.scope.name}.{name}", 2
        while dotted in known:
            dotted, number = f"{self.scope.name}.{name}#{number}", number + 1
        return dotted

    # --- statements

    def _block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            visit = self.statements.get(type(statement))
            if visit is not None:
                visit(self, statement)

    def _expression(self, node: ast.Expr) -> None:
        self._read(node.value)

    def _assignment(self, node: ast.Assign) -> None:
        ref = self._read(node.value)
        for target in node.targets:
            self._assign(target, ref)

    def _annotated(self, node: ast.AnnAssign) -> None:
        declared = self._type(node.annotation)
        ref = declared
        if node.value is not None:
            value = self._read(node.value)
            ref = value if declared is None else Ref("either", parts=(declared, value))
        self._assign(node.target, ref or UNKNOWN)

    def _augmented(self, node: ast.AugAssign) -> None:
        left = self._read(_loaded(node.target))
        self._read(node.value)
        self._emit("operator", node, left, f"__{_OPERATORS[type(node.op)]}__")

    def _assign(self, target: ast.expr, ref: Ref) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, ref)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target, ref)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, UNKNOWN)
        elif isinstance(target, ast.Attribute):
            base = self._read(target.value)
            self._emit("store", target, Ref("attribute", target.attr, parts=(base,)))
            method = self._method()
            if (
                method is not None
                and isinstance(target.value, ast.Name)
                and target.value.id == method.receiver
            ):
                refs = self.attributes[method.owner].setdefault(target.attr, [])
                if len(refs) < _MOST and ref not in refs:
                    refs.append(ref)
        elif isinstance(target, ast.Subscript):  # pragma: no branch (there is nothing else)
            base = self._read(target.value)
            self._read(target.slice)
            self._emit("operator", target, base, "__setitem__")

    def _unpack(self, target: ast.Tuple | ast.List, ref: Ref) -> None:
        each = ref.parts if ref.kind == "items" and ref.name != "dict" else ()
        if len(each) == len(target.elts):
            for one, part in zip(target.elts, each, strict=True):
                self._assign(one, part)
        else:
            for number, one in enumerate(target.elts):
                self._assign(one, Ref("index", str(number), parts=(ref,)))

    def _method(self) -> _Scope | None:
        """Give the method that is being read, also from a function in it."""
        scope: _Scope | None = self.scope
        while scope is not None and not scope.owner:
            scope = scope.outer
        return scope

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        ref = self._read(node.iter)
        self._emit("use", node.iter, ref)
        self._assign(node.target, Ref("item", parts=(ref,)))
        self._block(node.body)
        self._block(node.orelse)

    def _while(self, node: ast.While) -> None:
        self._read(node.test)
        self._block(node.body)
        self._block(node.orelse)

    def _if(self, node: ast.If) -> None:
        truth = _truth(node.test)
        self._read(node.test)
        if truth is not False:
            self._block(node.body)
        elif "TYPE_CHECKING" in ast.unparse(node.test):
            # Its names are those of annotations.
            self._apart(node.body)
        if truth is not True:
            self._block(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        self._items_of_with(list(node.items), node.body)

    def _items_of_with(self, items: list[ast.withitem], body: list[ast.stmt]) -> None:
        if not items:
            self._block(body)
            return
        first = items[0]
        ref = self._read(first.context_expr)
        if first.optional_vars is not None:
            self._assign(first.optional_vars, Ref("enter", parts=(ref,)))
        self.blocks.append([])
        self._items_of_with(items[1:], body)
        inner = tuple(self.blocks.pop())
        place = first.context_expr
        self.blocks[-1].append(Effect("with", place.lineno, place.col_offset, ref, inner))

    def _raise(self, node: ast.Raise) -> None:
        if node.cause is not None:
            self._read(node.cause)
        caught = self.scope.caught
        if node.exc is None:
            if caught:
                self._leave_again(node, 0)
            return
        name = _bound_exception(node.exc)
        if name in caught:
            self._read(node.exc)
            self._leave_again(node, caught[::-1].index(name))
            return
        self._emit("raise", node, self._read(node.exc))

    def _leave_again(self, node: ast.stmt, depth: int) -> None:
        self.blocks[-1].append(Effect("again", node.lineno, node.col_offset, depth=depth))

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        body = self._apart(node.body)
        handlers: list[Handler] = []
        for handler in node.handlers:
            kinds = self._kinds(handler.type)
            self.scope.caught.append(handler.name or "")
            if handler.name:
                self._bind(handler.name, Ref("instances", parts=kinds))
            handlers.append(Handler(kinds, handler.lineno, self._apart(handler.body)))
            self.scope.caught.pop()
        orelse, final = self._apart(node.orelse), self._apart(node.finalbody)
        ends = [
            "star" if isinstance(node, ast.TryStar) else "",
            "swallow" if _leaves(node.finalbody) else "",
        ]
        self.blocks[-1].append(
            Effect(
                "try",
                node.lineno,
                node.col_offset,
                None,
                body,
                tuple(handlers),
                orelse,
                final,
                " ".join(filter(None, ends)),
            )
        )

    def _kinds(self, node: ast.expr | None) -> tuple[Ref, ...]:
        if node is None:
            return ()
        if isinstance(node, ast.Tuple):
            return tuple(self._read(one) for one in node.elts) or (_NONE,)
        return (self._read(node),)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.scope.returns.append(self._read(node.value))

    def _assert(self, node: ast.Assert) -> None:
        self._read(node.test)
        if node.msg is not None:
            self._read(node.msg)
        self._emit("raise", node, Ref("global", "AssertionError", "builtins"))

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                self._emit("operator", target, self._read(target.value), "__delitem__")
                self._read(target.slice)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._bind(alias.asname, Ref("module", alias.name))
            else:
                first = alias.name.partition(".")[0]
                self._bind(first, Ref("module", first))

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parts = self.package.split(".")
            above = parts[: len(parts) - node.level + 1]
            module = ".".join(filter(None, [*above, module]))
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                self._bind(alias.asname or alias.name, Ref("from", alias.name, module))

    def _match(self, node: ast.Match) -> None:
        subject = self._read(node.subject)
        for case in node.cases:
            self._pattern(case.pattern, subject)
            if case.guard is not None:
                self._read(case.guard)
            self._block(case.body)

    def _pattern(self, pattern: ast.pattern, subject: Ref) -> None:
        if isinstance(pattern, ast.MatchAs):
            inner = subject
            if isinstance(pattern.pattern, ast.MatchClass):
                inner = Ref("instances", parts=(self._read(pattern.pattern.cls),))
            if pattern.pattern is not None:
                self._pattern(pattern.pattern, subject)
            if pattern.name is not None:
                self._bind(pattern.name, inner)
            return
        for node in ast.iter_child_nodes(pattern):
            if isinstance(node, ast.pattern):
                self._pattern(node, UNKNOWN)

    def _class(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self._read(decorator)
        bases = tuple(self._read(base) for base in node.bases)
        for keyword in node.keywords:
            self._read(keyword.value)
        dotted = self._unique(node.name, self.classes)
        self._bind(node.name, Ref("class", dotted))
        outer = self.scope
        self.scope = _Scope("class", dotted, outer)
        self.scope.bound.update(_bound(node.body))
        self.attributes[dotted] = {}
        decorators = tuple(map(self._silent, node.decorator_list))
        self.classes[dotted] = Class(dotted, node.lineno, bases, {}, decorators)
        self._block(node.body)
        self.scope = outer

    def _silent(self, node: ast.expr) -> Ref:
        """Read an expression for its value alone."""
        self.blocks.append([])
        ref = self._read(node)
        self.blocks.pop()
        return ref

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        words = [ast.unparse(one) for one in node.decorator_list]
        if any(word in {"overload", "typing.overload", "t.overload"} for word in words):
            return
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._read(default)
        decorators = tuple(self._read(one) for one in node.decorator_list)
        dotted = self._unique(node.name, self.functions)
        self._bind(node.name, Ref("function", dotted))
        if any(word.partition("(")[0].rpartition(".")[2] in _MANAGERS for word in words):
            self.managers.append((node.name, node.lineno, dotted))
        is_static = any(word == "staticmethod" for word in words) and node.name != "__new__"
        self._inside(node, dotted, node.body, decorators, is_static=is_static)

    def _inside(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        dotted: str,
        body: list[ast.stmt],
        decorators: tuple[Ref, ...],
        *,
        is_static: bool,
    ) -> None:
        outer, arguments = self.scope, node.args
        scope = _Scope("function", dotted, outer)
        scope.parameters = {one.arg for one in _parameters(arguments)}
        scope.shared = set(_declared(body))
        scope.bound = set(_bound(body)) - scope.shared
        kind = "lambda" if isinstance(node, ast.Lambda) else "function"
        if outer.kind == "class":
            kind = "method"
            scope.owner = outer.name
            first = [*arguments.posonlyargs, *arguments.args]
            scope.receiver = first[0].arg if first and not is_static else ""
        # Reserved, so that what is nested in it cannot take its name.
        returned = None
        if not isinstance(node, ast.Lambda) and node.returns is not None:
            returned = self._type(node.returns)
        types = {
            one.arg: declared
            for one in _parameters(arguments)
            if one.annotation is not None
            for declared in [self._type(one.annotation)]
            if declared is not None
        }
        defaults = self._defaults(arguments)
        self.scope = scope
        self.functions[dotted] = _EMPTY
        self.blocks.append([])
        self._block(body)
        made = self._made(kind, node.lineno, arguments, returned, decorators)
        self.blocks.pop()
        self.scope = outer
        self.functions[dotted] = made._replace(
            types=types,
            defaults=defaults,
            is_async=isinstance(node, ast.AsyncFunctionDef),
        )

    def _defaults(self, arguments: ast.arguments) -> dict[str, Ref]:
        positional = [*arguments.posonlyargs, *arguments.args]
        count = len(arguments.defaults)
        pairs: list[tuple[ast.arg, ast.expr | None]] = [
            *zip(positional[len(positional) - count :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        return {one.arg: self._silent(value) for one, value in pairs if value is not None}

    def _made(
        self,
        kind: str,
        line: int,
        arguments: ast.arguments,
        returned: Ref | None,
        decorators: tuple[Ref, ...],
    ) -> Function:
        scope = self.scope
        return Function(
            name=scope.name,
            line=line,
            kind=kind,
            owner=scope.owner,
            positional=tuple(one.arg for one in [*arguments.posonlyargs, *arguments.args]),
            keyword=tuple(one.arg for one in arguments.kwonlyargs),
            star=arguments.vararg.arg if arguments.vararg else "",
            double=arguments.kwarg.arg if arguments.kwarg else "",
            types={},
            defaults={},
            returned=returned,
            returns=tuple(dict.fromkeys(scope.returns))[:_MOST],
            yields=tuple(dict.fromkeys(scope.yields))[:_MOST],
            is_generator=scope.is_generator,
            is_async=False,
            decorators=decorators,
            locals={}
            if kind == "module"
            else {key: tuple(refs) for key, refs in scope.values.items()},
            body=tuple(self.blocks[-1]),
            calls=tuple(sorted(scope.calls)),
            unprotected=(),
        )

    # --- annotations

    def _type(self, node: ast.expr) -> Ref | None:
        """Read an annotation: what an instance of it is."""
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, str):
                return _NONE if node.value is None else None
            try:
                return self._type(ast.parse(node.value, mode="eval").body)
            except (SyntaxError, ValueError):
                return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            parts = [part for one in (node.left, node.right) if (part := self._type(one))]
            return Ref("either", parts=tuple(parts))
        if isinstance(node, ast.Subscript):
            inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            parts = [self._type(one) or UNKNOWN for one in inside]
            return Ref("typed", parts=(self._silent(node.value), *parts))
        if isinstance(node, (ast.Name, ast.Attribute)):
            return Ref("typed", parts=(self._silent(node),))
        return None

    # --- expressions

    def _read(self, node: ast.expr) -> Ref:
        """Note what evaluating an expression does, and give where its value comes from."""
        read = self.dispatch.get(type(node))
        if read is not None:
            return read(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):  # pragma: no branch (for type checkers)
                self._read(child)
        return UNKNOWN

    def _constant(self, node: ast.Constant) -> Ref:
        if node.value is None:
            return _NONE
        kind = type(node.value).__name__
        return Ref("constant", kind, str(node.value) if kind == "bool" else "")

    def _name(self, node: ast.Name) -> Ref:
        return self._named(node.id)

    def _attribute(self, node: ast.Attribute) -> Ref:
        ref = Ref("attribute", node.attr, parts=(self._read(node.value),))
        self._emit("load", node, ref)
        return ref

    def _call(self, node: ast.Call) -> Ref:
        func = node.func
        if isinstance(func, ast.Name) and func.id == "super":
            return self._super(node)
        if isinstance(func, ast.Attribute):
            callee = Ref("attribute", func.attr, parts=(self._read(func.value),))
            self.scope.calls.add(func.attr)
        else:
            callee = self._read(func)
            if isinstance(func, ast.Name):
                self.scope.calls.add(func.id)
        parts, names = [callee], [""]
        for argument in node.args:
            is_star = isinstance(argument, ast.Starred)
            parts.append(self._read(argument))
            names.append("*" if is_star else "")
        for keyword in node.keywords:
            parts.append(self._read(keyword.value))
            names.append(keyword.arg or "**")
        ref = Ref("call", parts=tuple(parts), names=tuple(names))
        self._emit("call", node, ref)
        return ref

    def _super(self, node: ast.Call) -> Ref:
        for argument in node.args:
            self._read(argument)
        method = self._method()
        return UNKNOWN if method is None else Ref("super", owner=method.owner)

    def _await(self, node: ast.Await) -> Ref:
        ref = self._read(node.value)
        self._emit("use", node, ref)
        return Ref("await", parts=(ref,))

    def _yield(self, node: ast.Yield) -> Ref:
        if node.value is not None:
            self.scope.yields.append(self._read(node.value))
        self.scope.is_generator = True
        self._emit("yield", node, UNKNOWN)
        return UNKNOWN

    def _yieldfrom(self, node: ast.YieldFrom) -> Ref:
        ref = self._read(node.value)
        self.scope.is_generator = True
        self.scope.yields.append(Ref("item", parts=(ref,)))
        self._emit("use", node, ref)
        self._emit("yield", node, UNKNOWN)
        return Ref("await", parts=(ref,))

    def _lambda(self, node: ast.Lambda) -> Ref:
        dotted = self._unique("<lambda>", self.functions)
        body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node.body)]
        self._inside(node, dotted, body, (), is_static=True)
        return Ref("function", dotted)

    def _boolop(self, node: ast.BoolOp) -> Ref:
        return Ref("either", parts=tuple(self._read(one) for one in node.values))

    def _ifexp(self, node: ast.IfExp) -> Ref:
        self._read(node.test)
        return Ref("either", parts=(self._read(node.body), self._read(node.orelse)))

    def _binop(self, node: ast.BinOp) -> Ref:
        left, right = self._read(node.left), self._read(node.right)
        name = f"__{_OPERATORS[type(node.op)]}__"
        if left.kind != "constant":
            self._emit("operator", node, left, name)
            return Ref("operated", name, parts=(left, right))
        return left

    def _unaryop(self, node: ast.UnaryOp) -> Ref:
        ref = self._read(node.operand)
        if isinstance(node.op, ast.Not):
            return Ref("constant", "bool")
        return ref

    def _compare(self, node: ast.Compare) -> Ref:
        left = self._read(node.left)
        for op, right in zip(node.ops, node.comparators, strict=True):
            other = self._read(right)
            if isinstance(op, (ast.In, ast.NotIn)):
                self._emit("operator", node, other, "__contains__")
            elif type(op) in _OPERATORS and left.kind not in {"constant", "none"}:
                self._emit("operator", node, left, f"__{_OPERATORS[type(op)]}__")
            left = other
        return Ref("constant", "bool")

    def _subscript(self, node: ast.Subscript) -> Ref:
        base = self._read(node.value)
        index = node.slice
        self._read(index)
        self._emit("operator", node, base, "__getitem__")
        name = ""
        if isinstance(index, ast.Constant) and isinstance(index.value, int):
            name = str(index.value)
        return Ref("index", name, parts=(base,))

    def _joinedstr(self, node: ast.JoinedStr) -> Ref:
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                self._emit("operator", one, self._read(one.value), "__str__")
        return Ref("constant", "str")

    def _items(self, node: ast.List | ast.Tuple | ast.Set) -> Ref:
        parts = tuple(self._read(one) for one in node.elts)
        return Ref("items", type(node).__name__.lower(), parts=parts[:_MOST])

    def _dict(self, node: ast.Dict) -> Ref:
        for key in node.keys:
            if key is not None:
                self._read(key)
        parts = tuple(self._read(one) for one in node.values)
        return Ref("items", "dict", parts=parts[:_MOST])

    def _starred(self, node: ast.Starred) -> Ref:
        ref = self._read(node.value)
        self._emit("use", node, ref)
        return Ref("item", parts=(ref,))

    def _namedexpr(self, node: ast.NamedExpr) -> Ref:
        ref = self._read(node.value)
        self._assign(node.target, ref)
        return ref

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> Ref:
        for one in node.generators:
            ref = self._read(one.iter)
            self._emit("use", one.iter, ref)
            self._assign(one.target, Ref("item", parts=(ref,)))
            for test in one.ifs:
                self._read(test)
        if isinstance(node, ast.DictComp):
            self._read(node.key)
            return Ref("items", "dict", parts=(self._read(node.value),))
        kinds: dict[type[ast.AST], str] = {ast.ListComp: "list", ast.SetComp: "set"}
        return Ref("items", kinds.get(type(node), "generator"), parts=(self._read(node.elt),))

    statements: ClassVar[dict[type[ast.stmt], Callable[..., None]]] = {
        ast.Expr: _expression,
        ast.Assign: _assignment,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.If: _if,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Raise: _raise,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.Return: _return,
        ast.Assert: _assert,
        ast.Delete: _delete,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.Match: _match,
        ast.ClassDef: _class,
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
    }


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*named, *(one for one in (arguments.vararg, arguments.kwarg) if one is not None)]


def _loaded(target: ast.expr) -> ast.expr:
    """Give the target of `x += 1` as what is read."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    return target


def _bound_exception(node: ast.expr) -> str:
    """Give the name in `raise name`, or in `raise name.with_traceback(...)`."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "with_traceback"
    ):
        node = node.func.value
    return node.id if isinstance(node, ast.Name) else "-"


_EMPTY = Function(
    name="",
    line=0,
    kind="",
    owner="",
    positional=(),
    keyword=(),
    star="",
    double="",
    types={},
    defaults={},
    returned=None,
    returns=(),
    yields=(),
    is_generator=False,
    is_async=False,
    decorators=(),
    locals={},
    body=(),
    calls=(),
    unprotected=(),
)
