"""`unprotected-yield`: teardown after a `yield` that an exception in the `with` block skips.

`contextmanager` throws what the block raised into the generator at its `yield`. What stands after
a bare `yield` runs only on success: right for a commit, wrong for a release. This module tells
one from the other, on plain syntax trees, so that it needs no types and reads any tree fast.

A statement after the yield is taken for teardown when it undoes what was done before the yield
(an attribute, item or global gets a saved or constant value back, a counter goes down again, a
function is called again with a saved value, `enable` is followed by `disable`), or when it calls
something whose name says so by itself (`close`, `release`, `unlink`, ...).
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from resultflow.check.settings import Settings

__all__ = ["CODE", "Unprotected", "parsed", "unprotected_yields", "unprotected_yields_in"]

CODE = "unprotected-yield"

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # what has statements in it
Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Unprotected(NamedTuple):
    """A `yield` after which an exception skips teardown."""

    place: ast.expr
    message: str
    what: str  # the same when lines move: the function, and the first statement skipped


# The first word of a function's name, when it alone says that something is given back.
_RELEASES = frozenset(
    [
        "aclose",
        "cancel",
        "clean",
        "cleanup",
        "close",
        "deactivate",
        "delete",
        "deregister",
        "destroy",
        "detach",
        "disarm",
        "disconnect",
        "dispose",
        "drop",
        "free",
        "kill",
        "logout",
        "pop",
        "release",
        "remove",
        "reset",
        "restore",
        "revert",
        "rmdir",
        "rmtree",
        "shutdown",
        "stop",
        "tear",
        "teardown",
        "terminate",
        "umount",
        "uninstall",
        "uninstrument",
        "unlink",
        "unload",
        "unlock",
        "unmock",
        "unmount",
        "unpatch",
        "unregister",
        "unset",
        "unsubscribe",
        "untoggle",
        "unwatch",
    ]
)
# Its first word, when the second was called before the yield.
_OPPOSITES = {
    "block": "unblock",
    "clear": "add fill load push set",
    "dec": "inc",
    "decrement": "increment",
    "disable": "enable",
    "enable": "disable",
    "end": "begin start",
    "exit": "enter",
    "finish": "begin start",
    "hide": "show",
    "leave": "enter join",
    "pause": "resume",
    "quit": "start",
    "resume": "pause suspend stop",
    "show": "hide",
    "start": "stop",
    "unblock": "block",
    "unfreeze": "freeze",
}
# They measure success only, or hold nothing that outlives them.
_HARMLESS = re.compile(r"timer|stopwatch|timing|StringIO|BytesIO", re.IGNORECASE)
_OUTCOME = re.compile(r"success|succeed|ok$|done|complete|finish|result|passed|fail|error")
# A word in the name of what makes files that its `with` takes away, and what takes files away.
_TEMPORARY = re.compile(r"te?mp(?:orary)?(?:dir|directory|file|folder|path)?|isolated")
_REMOVALS = frozenset(["delete", "remove", "rmdir", "rmtree", "unlink"])
_LIFESPAN = re.compile(r"lifespan|lifetime", re.IGNORECASE)
# What is set one way and then the other.
_SWITCH = re.compile(r"\b(?:on|off|true|false|(?:en|dis)abled?)\b")
_TELLS = frozenset(
    ["critical", "debug", "echo", "error", "info", "log", "print", "warning", "write"]
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def unprotected_yields(
    source: bytes, settings: Settings, folders: Sequence[str] = ()
) -> Iterator[Unprotected]:
    """Find them in a module, by its imports.

    Args:
        source: its text.
        settings: which decorators make context managers.
        folders: the names of those that the module is in, for its relative imports: one that
            is above all packages does no harm.

    Raises:
        SyntaxError: when `source` is no Python, or newer than the interpreter.
        ValueError: when it has null bytes, or is not of its encoding.
        RecursionError: when it is nested too deeply, as `MemoryError` is.
    """
    tree = parsed(source)
    names = _Names(tree, folders)
    for function in _functions(tree):
        if _is_manager(function, names, settings):
            yield from _check(function)


def unprotected_yields_in(
    source: bytes, managers: Iterable[tuple[str, int]]
) -> Iterator[Unprotected]:
    """Find them in the functions of a module that are known to be context managers.

    Args:
        source: the text of the module.
        managers: the name of each, with the number of a line from its `def` on to that name.

    Raises:
        SyntaxError: as `unprotected_yields` does, with all the others.
    """
    functions = list(_functions(parsed(source)))
    for name, line in managers:
        # The last that begins there or before: one of that name may be in another.
        above = [one for one in functions if one.name == name and one.lineno <= line]
        for function in sorted(above, key=lambda one: one.lineno)[-1:]:
            yield from _check(function)


def _functions(tree: ast.Module) -> Iterator[Function]:
    """Give all functions of a module, going through its statements only."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        for name in _BLOCKS:
            todo += getattr(node, name, ())


def parsed(source: bytes) -> ast.Module:
    """Parse a module; what Python warns of in it is no concern of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


class _Names:
    """What a module's names may stand for, by what it imports at any depth."""

    def __init__(self, tree: ast.Module, folders: Sequence[str]) -> None:
        self._folders = folders
        self._known: dict[str, list[str]] = {}
        self._stars: list[str] = []
        self._own: set[str] = set()  # which no import with a star gives
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._known[name] = [alias.name if alias.asname else name]
            elif isinstance(node, ast.ImportFrom):
                modules = self._modules(node)
                for alias in node.names:
                    if alias.name == "*":
                        self._stars += modules
                    else:
                        found = [f"{module}.{alias.name}" for module in modules]
                        self._known[alias.asname or alias.name] = found
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._own.add(node.id)

    def _modules(self, node: ast.ImportFrom) -> list[str]:
        """Name the module that is imported from, for each folder that may be the outermost."""
        if not node.level:
            return [node.module or ""]
        above = list(self._folders[: max(0, len(self._folders) - node.level + 1)])
        below = [node.module] if node.module else []
        return [".".join([*above[start:], *below]) for start in range(len(above) + 1)]

    def of(self, name: str) -> list[str]:
        """Give the full names that a dotted name may stand for."""
        first, dot, rest = name.partition(".")
        found = self._known.get(first)
        if found is None and first not in self._own:
            found = [f"{module}.{first}" for module in self._stars]
        return [one + dot + rest for one in found or ()]


def _is_manager(function: Function, names: _Names, settings: Settings) -> bool:
    return any(
        # Also where it was imported from a module that passes it on.
        name.rpartition(".")[2] in {"contextmanager", "asynccontextmanager"}
        or settings.is_context_manager(name)
        for decorator in function.decorator_list
        for name in names.of(
            ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
        )
    )


def _is_lifespan(function: Function) -> bool:
    """A server's lifespan: nothing but its own end is thrown into it."""
    parameters = [*function.args.posonlyargs, *function.args.args]
    return isinstance(function, ast.AsyncFunctionDef) and (
        bool(_LIFESPAN.search(function.name))
        or (len(parameters) == 1 and parameters[0].arg in {"app", "_app", "application"})
    )


class _Yield(NamedTuple):
    """A yield, with what surrounds it from the function's body down to its statement."""

    place: ast.expr
    # Each a list of statements and the position in it that leads to the yield.
    blocks: list[tuple[list[ast.stmt], int]]
    around: list[ast.stmt]
    is_protected: bool  # by a `try` that sees what is raised here


def _yields(body: list[ast.stmt], *, above: _Yield | None = None) -> Iterator[_Yield]:
    _, outer, around, is_protected = above or _Yield(ast.Constant(None), [], [], False)  # noqa: FBT003 - a field
    for position, statement in enumerate(body):
        blocks = [*outer, (body, position)]
        inner = [
            (name, value)
            for name in _BLOCKS
            for value in [getattr(statement, name, None)]
            if value
        ]
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            continue
        for name, part in inner:
            below = _Yield(
                ast.Constant(None),
                # `else` and `finally` come after all of the body.
                [*blocks, (statement.body, len(statement.body))]
                if isinstance(statement, _TRIES) and name in {"orelse", "finalbody"}
                else blocks,
                [*around, statement],
                is_protected or _protects(statement, name),
            )
            for block in [part] if isinstance(part[0], ast.stmt) else [one.body for one in part]:
                yield from _yields(block, above=below)
        for node in _own(statement):
            if isinstance(node, (ast.Yield, ast.YieldFrom)):
                yield _Yield(node, blocks, around, is_protected)


_TRIES = (ast.Try, ast.TryStar)


def _protects(statement: ast.stmt, part: str) -> bool:
    """Tell whether a statement is a `try` that sees what is raised in a part of it."""
    return isinstance(statement, _TRIES) and (
        part == "body" or (part != "finalbody" and bool(statement.finalbody))
    )


def _swallows(statement: ast.stmt) -> bool:
    """Tell whether what follows a statement runs whatever was raised in it."""
    return isinstance(statement, (ast.With, ast.AsyncWith)) and any(
        isinstance(call, ast.Call)
        and _words(call.func) == ["suppress"]
        and any(_text(kind) in {"Exception", "BaseException"} for kind in call.args)
        for call in (item.context_expr for item in statement.items)
    )


def _own(statement: ast.stmt) -> Iterator[ast.expr]:
    """Give the expressions of a statement, without those of statements and functions in it."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        todo += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case, *_FUNCTIONS))
        ]
        if isinstance(node, ast.expr):
            yield node


def _check(function: Function) -> Iterator[Unprotected]:
    if _is_lifespan(function):
        return
    for found in _yields(function.body):
        if found.is_protected:
            continue
        before = _Before(found)
        for statement in _after(found):
            if before.is_undone_by(statement):
                skipped = ast.unparse(statement).partition("\n")[0]
                yield Unprotected(
                    found.place,
                    f'an exception in the "with" block skips {skipped!r} in line '
                    f'{statement.lineno}: put this yield into "try" and that into "finally"',
                    f"{function.name}: {skipped}",
                )
                break


def _after(found: _Yield) -> Iterator[ast.stmt]:
    """Give the simple statements that run only when nothing was raised."""
    for block, position in reversed(found.blocks):
        if any(map(_swallows, block[position : position + 1])):
            return
        for statement in block[position + 1 :]:
            yield from _simple(statement)
            if isinstance(statement, (ast.Return, ast.Raise)):
                return


def _simple(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Give a statement, or those in it when it is a compound one."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return
    inner = [
        child
        for child in ast.walk(statement)
        if isinstance(child, ast.stmt) and not hasattr(child, "body")
    ]
    yield from sorted(inner, key=lambda one: (one.lineno, one.col_offset))


def _text(node: ast.AST | None) -> str:
    """Give the text of an expression, to compare it with another."""
    return "" if node is None else ast.unparse(node)


class _Before:
    """What a generator did before its yield."""

    def __init__(self, found: _Yield) -> None:
        self.set: dict[str, ast.expr | None] = {}  # what was assigned
        self.counted: dict[str, type[ast.operator]] = {}
        self.called: dict[str, set[str]] = {}  # with the names that were handed over
        self.switched: set[tuple[str, str]] = set()  # what was called with a constant
        self.words: set[tuple[str, str]] = set()  # what a method's receiver was told
        self.shared = {
            name
            for block, _ in found.blocks
            for statement in block
            if isinstance(statement, (ast.Global, ast.Nonlocal))
            for name in statement.names
        }
        # What a surrounding `with` gave is released by that `with`.
        self.entered = {
            name
            for statement in found.around
            if isinstance(statement, (ast.With, ast.AsyncWith))
            for item in statement.items
            for name in _stored(item.optional_vars)
        }
        self.owned: set[str] = set()  # what was made by it, as a task by its group
        self._whole = found.blocks[0][0]
        self._around = found.around
        for block, position in found.blocks:
            for statement in block[:position]:
                for one in _simple(statement):
                    self._note(one)
        last, position = found.blocks[-1]
        self._note(last[position])

    def _note(self, statement: ast.stmt) -> None:
        for target, value in _assigned(statement):
            self.set[_text(target)] = value
            if value is not None:
                self._note_owner(_text(target), value)
        if isinstance(statement, ast.AugAssign):
            self.counted[_text(statement.target)] = type(statement.op)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                self.called.setdefault(_text(node.func), set()).update(names)
                self.switched.add((_text(node.func), _constants(node)))
                for word in _words(node.func):
                    self.words.add((_receiver(node.func), word))

    def _note_owner(self, target: str, value: ast.expr) -> None:
        if _text(value) in self.entered:
            self.entered.add(target)
        elif any(
            isinstance(node, ast.Call) and _is_part(_receiver(node.func), self.entered)
            for node in ast.walk(value)
        ):
            self.owned.add(target)

    def is_undone_by(self, statement: ast.stmt) -> bool:
        """Tell whether a statement after the yield takes back what was done before it."""
        if isinstance(statement, ast.Delete):
            return any(
                isinstance(target, (ast.Attribute, ast.Subscript)) for target in statement.targets
            )
        if isinstance(statement, ast.AugAssign):
            ops = {self.counted.get(_text(statement.target)), type(statement.op)}
            return ops == {ast.Add, ast.Sub} and self._is_lasting(statement.target)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            return any(self._is_restored(*pair) for pair in _assigned(statement))
        if isinstance(statement, ast.Expr):
            value = statement.value
            call = value.value if isinstance(value, ast.Await) else value
            return isinstance(call, ast.Call) and self._is_release(call)
        return False

    def _is_lasting(self, target: ast.expr) -> bool:
        """Tell whether something outlives the generator."""
        if isinstance(target, ast.Name):
            return target.id in self.shared
        return isinstance(target, (ast.Attribute, ast.Subscript))

    def _is_restored(self, target: ast.expr, value: ast.expr | None) -> bool:
        text = _text(target)
        if value is None or not self._is_lasting(target) or _OUTCOME.search(text.lower()):
            return False
        if isinstance(value, ast.Name):
            # old = x.y ... x.y = old, also when `old` came by another way
            return _text(self.set.get(value.id)) == text or (
                value.id in self.set and text in self.set
            )
        old = self.set.get(text)
        return (
            old is not None
            and isinstance(value, ast.Constant)
            and (value.value is None or isinstance(value.value, bool))
            and _text(old) != _text(value)
        )

    def _is_release(self, call: ast.Call) -> bool:
        receiver = _receiver(call.func)
        root = receiver.partition(".")[0]
        words = _words(call.func)
        if (
            not words
            or _is_part(receiver, self.entered)
            or (words[0] == "cancel" and _is_part(receiver, self.owned))
            or _HARMLESS.search(_text(call.func))
            or _HARMLESS.search(_text(self.set.get(root)))
            or (words[0] in _REMOVALS and self._is_temporary(call))
        ):
            return False
        return (
            words[0] in _RELEASES
            or "".join(words) in _RELEASES
            or self._is_opposite(call, words[0])
            or (self._is_switched_back(call) and words[-1] not in _TELLS)
            or self._is_called_again(call)
        )

    def _is_temporary(self, call: ast.Call) -> bool:
        """Tell whether a surrounding `with` takes away what a call removes."""
        derived = list(_derived(self._whole))
        temporary = {
            name
            for statement in self._around
            if isinstance(statement, (ast.With, ast.AsyncWith))
            for item in statement.items
            if _is_temporary(self.set.get(_text(item.context_expr)) or item.context_expr)
            for name in (_text(item.context_expr), *_stored(item.optional_vars))
        } | {
            target
            for target, value in derived
            if isinstance(value, ast.Call)
            and _receiver(value.func) in self.entered  # of an exit stack
            and any(map(_is_temporary, value.args))
        }
        # What is made of a temporary path is a path below it, in whatever order that is written.
        size = 0
        while size < len(temporary):
            size = len(temporary)
            for target, value in derived:
                if _mentions(value, temporary):
                    temporary.add(target)
        removed = call.args[0] if call.args else call.func
        return _mentions(removed, temporary)

    def _is_opposite(self, call: ast.Call, word: str) -> bool:
        """`x.enable()` and `x.disable()`."""
        receiver = _receiver(call.func)
        return any((receiver, one) in self.words for one in _OPPOSITES.get(word, "").split())

    def _is_switched_back(self, call: ast.Call) -> bool:
        """`x("keys = off")` and `x("keys = on")`."""
        name, given = _text(call.func), _constants(call)
        return any(
            name == other and given != before and _SWITCH.sub("", given) == _SWITCH.sub("", before)
            for other, before in self.switched
        )

    def _is_called_again(self, call: ast.Call) -> bool:
        """`x(new)` and `x(old)`."""
        name = _text(call.func)
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        names = [one.value if isinstance(one, ast.Starred) else one for one in given]
        return name in self.called and any(
            isinstance(one, ast.Name) and one.id in self.set and one.id not in self.called[name]
            for one in names
        )


def _assigned(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Give what a statement assigns, with its value where there is one for it alone."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _paired(target, statement.value)
    elif isinstance(statement, ast.AnnAssign):
        yield statement.target, statement.value


def _paired(
    target: ast.expr, value: ast.expr | None
) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if not isinstance(target, (ast.Tuple, ast.List)):
        yield target, value
        return
    values: Iterable[ast.expr | None] = [None] * len(target.elts)
    if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
        values = value.elts
    for one, its in zip(target.elts, values, strict=True):
        yield from _paired(one, its)


def _stored(target: ast.expr | None) -> Iterator[str]:
    """Give the names and attributes that a target binds."""
    for node in ast.walk(target) if target is not None else ():
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield _text(node)


def _is_temporary(manager: ast.expr) -> bool:
    """Tell whether a context manager takes away the files that it makes."""
    return (
        isinstance(manager, ast.Call)
        and any(map(_TEMPORARY.fullmatch, _words(manager.func)))
        and not any(
            one.arg == "delete" and isinstance(one.value, ast.Constant) and not one.value.value
            for one in manager.keywords
        )
    )


def _derived(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Give what is bound in some statements, each with what it is made of."""
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            for name in _stored(target):
                yield name, value


def _mentions(expr: ast.expr, names: set[str]) -> bool:
    """Tell whether an expression is made of some names, or of something in one."""
    return any(
        isinstance(node, (ast.Name, ast.Attribute)) and _text(node) in names
        for node in ast.walk(expr)
    )


def _constants(call: ast.Call) -> str:
    """Give the arguments of a call that has nothing but constants for them."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not all(isinstance(one, ast.Constant) for one in given):
        return ""
    return ", ".join(map(_text, [*call.args, *call.keywords])).lower()


def _receiver(func: ast.expr) -> str:
    return _text(func.value) if isinstance(func, ast.Attribute) else ""


def _is_part(name: str, owners: set[str]) -> bool:
    """Tell whether a dotted name is one of some, or something in one."""
    return any(name == one or name.startswith(f"{one}.") for one in owners)


def _words(func: ast.expr) -> list[str]:
    """Split a function's name: `removeObserver`, `_tear_down` and `__exit__` alike."""
    name = func.attr if isinstance(func, ast.Attribute) else _text(func)
    return [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
