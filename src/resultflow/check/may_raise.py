"""`may-raise`, and the exact errors of a bare `@safe`: what mypy's trees ask the raises engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mypy import nodes
from mypy.typeops import make_simplified_union
from mypy.types import CallableType, Instance, Type, UnionType, get_proper_type
from mypy.typevars import fill_typevars_with_any

from resultflow.check.answers import Question
from resultflow.check.patterns import ERR, RESULTS, caught, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy.build import BuildManager
    from mypy.plugin import FunctionContext
    from mypy.types import ProperType

    from resultflow.check.answers import Answer

__all__ = [
    "CODE",
    "Asked",
    "Known",
    "check",
    "inferred",
    "is_bare_safe",
    "modules_of",
    "questions",
]

CODE = "may-raise"
_SAFE = {"resultflow._safe.safe", "resultflow.aio.safe"}

Report: TypeAlias = "Callable[[nodes.Context, str, str], object]"
_EXCEPTION = "builtins.Exception"


Asked: TypeAlias = "Mapping[Question, nodes.FuncDef | nodes.Decorator]"


def questions(file: nodes.MypyFile, *, is_reported: bool) -> Asked:
    """Give what is to be asked of a module's functions.

    Args:
        file: the module, whose signatures are known.
        is_reported: whether it is asked what may leave those that return a Result.
    """
    asked: dict[Question, nodes.FuncDef | nodes.Decorator] = {}
    for fullname, symbol, _ in file.local_definitions():
        node = symbol.node
        if isinstance(node, nodes.Decorator):
            declared = node.type
            if not isinstance(get_proper_type(declared), CallableType):
                declared = node.func.type  # an object that is called like the function
            if is_bare_safe(node):
                asked[Question(fullname, is_bare=True)] = node
            elif is_reported and _returns_result(declared):
                asked[Question(fullname, *_without(node, file))] = node
        elif is_reported and isinstance(node, nodes.FuncDef) and _returns_result(node.type):
            asked[Question(fullname)] = node
    return asked


def _without(node: nodes.Decorator, file: nodes.MypyFile) -> tuple[bool, tuple[str, ...]]:
    """Tell whether a function is under `@safe(...)`, and what that catches, if it can be told."""
    for one in node.original_decorators:
        if isinstance(one, nodes.CallExpr) and _is_safe(one.callee):
            kinds = [
                kind
                for arg, name in zip(one.args, one.arg_names, strict=True)
                if name is None
                for kind in caught(arg, file) or ()
            ]
            return True, tuple(kind.type.fullname for kind in kinds) or (_EXCEPTION,)
    return False, ()


def _is_safe(decorator: nodes.Expression) -> bool:
    return isinstance(decorator, nodes.RefExpr) and decorator.fullname in _SAFE


def is_bare_safe(node: nodes.Decorator) -> bool:
    """Tell whether a function is decorated with `@safe` itself, not with `@safe(...)`."""
    return any(map(_is_safe, node.original_decorators))


def _returns_result(declared: Type | None) -> bool:
    """Tell whether a function gives a Result, at once or awaited."""
    return any(
        isinstance(item, Instance) and item.type.fullname in RESULTS
        for item in _returned(declared)
    )


def _returned(declared: Type | None) -> list[ProperType]:
    """Give what a function may give, at once or awaited."""
    proper = get_proper_type(declared)
    if not isinstance(proper, CallableType):
        return []
    returned = get_proper_type(proper.ret_type)
    if isinstance(returned, Instance) and returned.type.fullname == "typing.Coroutine":
        returned = get_proper_type(returned.args[-1])
    return items_of(returned)


def check(asked: Asked, answers: Mapping[Question, Answer], report: Report, note: Report) -> None:
    """Report the functions that return a Result and may raise, and the bare `@safe`s to name."""
    for question, node in asked.items():
        answer = answers[question]
        function = node.func if isinstance(node, nodes.Decorator) else node
        if question.is_bare and not question.without:
            if not answer.is_known:
                note(
                    function,
                    "something that this calls cannot be resolved, so that its error is taken for "
                    "any Exception: name what it raises, as in @safe(OSError)",
                    CODE,
                )
            continue
        ways = [
            f"{one.path}: {one.kinds[0].rpartition('.')[2]}"
            for one in answer.found
            if one.is_expected
        ]
        if ways:
            report(
                function,
                f"this returns a Result, and may raise all the same: {'; '.join(ways)}",
                CODE,
            )


def inferred(ctx: FunctionContext, answer: Answer, manager: BuildManager, module: str) -> Type:
    """Give the type of a function under a bare `@safe`: with what can leave it, and no more."""
    declared = get_proper_type(ctx.default_return_type)
    if not answer.is_known or not isinstance(declared, CallableType):
        return declared
    known = Known(manager, module)
    errors = [known.nearest(one.kinds) for one in answer.found]
    return declared.copy_modified(  # pyright: ignore[reportUnknownMemberType]  # mypy's
        ret_type=_with_errors(declared.ret_type, errors)
    )


def _with_errors(returned: Type, errors: list[Instance]) -> Type:
    proper = get_proper_type(returned)
    if isinstance(proper, Instance) and proper.type.fullname == "typing.Coroutine":
        *others, last = proper.args
        return Instance(proper.type, [*others, _with_errors(last, errors)])
    items: list[Type] = []
    for item in items_of(proper):
        if not isinstance(item, Instance) or item.type.fullname != ERR:
            items.append(item)
        elif errors:
            items.append(Instance(item.type, [make_simplified_union(list(errors))]))
    return UnionType.make_union(items)


class Known:
    """The classes that a module may speak of: those of what it imports, at any distance.

    Others may be there or not, by what mypy has read before, and in which process.
    """

    def __init__(self, manager: BuildManager, module: str) -> None:
        self._manager = manager
        self._modules: set[str] = set()
        todo = [module, "builtins"]
        while todo:
            one = todo.pop()
            if one not in self._modules:
                self._modules.add(one)
                todo += manager.import_map.get(one, ())

    def nearest(self, kinds: tuple[str, ...]) -> Instance:
        """Give a class, or the nearest of its bases that is known here."""
        return next(found for kind in (*kinds, _EXCEPTION) for found in self._found(kind))

    def _found(self, kind: str) -> Iterator[Instance]:
        module, name = kind, ""
        while module and module not in self._modules:
            module, _, last = module.rpartition(".")
            name = f"{last}.{name}" if name else last
        node: nodes.SymbolNode | None = self._manager.modules.get(module)
        for part in name.split("."):
            names = node.names if isinstance(node, (nodes.MypyFile, nodes.TypeInfo)) else None
            symbol = names.get(part) if names is not None else None
            node = symbol.node if symbol else None
        if isinstance(node, nodes.TypeInfo):
            found = fill_typevars_with_any(node)  # as a name in an `except` stands for
            if isinstance(found, Instance):  # pragma: no branch (no exception is a tuple)
                yield found


def modules_of(asked: Asked) -> set[str]:
    """Give the modules that the errors of functions under a bare `@safe` are defined in."""
    return {
        error.type.module_name
        for question, node in asked.items()
        if question.is_bare
        for item in _returned(node.type)
        if isinstance(item, Instance) and item.type.fullname == ERR
        for error in items_of(item.args[0])
        if isinstance(error, Instance)
    }
