"""Rewrite code that uses `result` or `returns`; what cannot be known is left to a person.

A name is rewritten where it means what was imported, not where it is spelt alike, and an attribute
only in a file that imports the library. A place that cannot be rewritten without knowing a type
stays as it is, and is listed with the reason.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

import libcst as cst
import libcst.matchers as m
from libcst.helpers import get_full_name_for_node_or_raise
from libcst.metadata import (
    BaseMetadataProvider,
    CodeRange,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    QualifiedName,
    QualifiedNameProvider,
    QualifiedNameSource,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["LIBRARIES", "Left", "MigrationError", "main", "migrated"]

UNFINISHED, MISUSED = 1, 2


class MigrationError(Exception):
    """A source that cannot be read as Python."""


class Left(NamedTuple):
    """One place that is left to a person; line and column count from 1."""

    line: int
    column: int
    reason: str


class _Library(NamedTuple):
    """What is known of a library; names are dotted, without that of the package."""

    package: str
    names: Mapping[str, str]  # what means the same here
    by_hand: Mapping[str, str]  # what does not, and what to write
    attributes: Mapping[str, str]
    private: str  # the attribute behind them
    methods: Mapping[str, str]  # that are called with one argument, or with none
    methods_by_hand: Mapping[str, str]
    telling: Collection[str]  # methods that hardly anything else has; with (): as called so
    keywords: Mapping[tuple[str, str], str]  # of a class, in calls and patterns
    foreign: Collection[str]  # modules whose classes have methods of the same names


_SAFE_OF_A_TUPLE = m.Call(
    args=[
        m.Arg(keyword=m.Name("exceptions")) | m.Arg(m.Tuple(), keyword=None),
        m.ZeroOrMore(m.Arg()),
    ]
)
_MISUSE = m.Call(args=[]) | m.Call(args=[m.Arg(m.SimpleString())])
_TYPE_COMMENT = re.compile(r"# *type:(?! *ignore)")
_CLASS_TEST = m.Name("isinstance") | m.Name("issubclass")
_BY_NAME = "{}: import by name, and migrate again"
_DO = "write a function with @do"
_AIO = "write a function with @aio.do"
_FLOW = "write methods, or a function with @do"

LIBRARIES = {
    "result": _Library(
        package="result",
        names={
            "Err": "Err",
            "Ok": "Ok",
            "Result": "Result",
            "UnwrapError": "UnwrapError",
            "as_async_result": "aio.safe",
            "as_result": "safe",
            "is_err": "is_err",
            "is_ok": "is_ok",
        },
        by_hand={"OkErr": "write (Ok, Err)", "do": _DO, "do_async": _AIO},
        attributes={"ok_value": "value", "err_value": "error"},
        private="_value",
        methods={},
        methods_by_hand={
            "and_then_async": _AIO,
            "map_async": _AIO,
            "map_or_else": "it gives the error to its first function",
            "unwrap_or_raise": "write .map_err(...).or_raise()",
        },
        telling=("and_then_async", "map_async", "unwrap_or_raise"),
        keywords={
            ("Err", "err_value"): "error",
            ("Err", "value"): "error",
            ("Ok", "ok_value"): "value",
        },
        foreign=(),
    ),
    "returns": _Library(
        package="returns",
        names={
            "methods.partition": "partition",
            "pipeline.is_successful": "is_ok",
            "result.Failure": "Err",
            "result.Result": "Result",
            "result.ResultE": "Result",
            "result.Success": "Ok",
            "result.safe": "safe",
        },
        by_hand={
            "functions.raise_exception": "write .or_raise() for .alt(...).unwrap()",
            "iterables.Fold": "use collect or combine",
            "pipeline.UnwrapFailedError": "it is UnwrapError, with a report",
            "pipeline.flow": _FLOW,
            "pipeline.pipe": _FLOW,
            "primitives.exceptions.UnwrapFailedError": "it is UnwrapError, with a report",
            "result.Result.do": _DO,
            "result.Result.from_failure": "write Err(...)",
            "result.Result.from_result": "a Result needs no such call",
            "result.Result.from_value": "write Ok(...)",
            "result.attempt": "use @safe(..., into=...)",
        },
        attributes={},
        private="_inner_value",
        methods={
            "alt": "map_err",
            "bind": "and_then",
            "failure": "unwrap_err",
            "lash": "or_else",
            "value_or": "unwrap_or",
        },
        methods_by_hand={"apply": "use combine", "swap": "write .map_or_else(Ok, Err)"},
        telling=("failure()", "lash", "value_or"),
        keywords={},
        foreign=("returns.context", "returns.future", "returns.io", "returns.maybe", "socket"),
    ),
}


def migrated(source: bytes, library: str) -> tuple[bytes, tuple[Left, ...]]:
    r"""Give a file's new source, which may be the old one, and what is left to a person in it.

    Comments and layout stay. What was migrated once is not changed again.

    Args:
        source: the file.
        library: `"result"` or `"returns"`.

    Raises:
        MigrationError: when the source is not Python.

    >>> migrated(b"from result import Ok\nprint(Ok(1).ok_value)\n", "result")
    (b'from resultflow import Ok\nprint(Ok(1).value)\n', ())

    .. versionadded:: 0.1.0
    """
    known = LIBRARIES[library]
    words = (known.package, *known.attributes, *known.telling)
    if not any(word.encode() in source for word in words):
        return source, ()
    try:
        wrapper = MetadataWrapper(cst.parse_module(source))
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError) as exc:
        raise MigrationError(str(exc).replace("\n", " ")) from exc
    survey = _Survey(known)
    wrapper.visit(survey)
    if survey.left or not survey.is_user:
        left = survey.left if survey.is_user else survey.strangers
        return source, tuple(sorted(set(left)))
    uses = _Uses(known, survey)
    tree = wrapper.visit(uses)
    tree = tree.visit(_Imports(known, uses))
    return tree.bytes, tuple(sorted({*uses.left, *survey.unknown}))


def _is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _words(text: cst.CSTNode) -> set[str]:
    """Give the names in a string or a comment."""
    return set(re.findall(r"\w+", cast("cst.SimpleString | cst.Comment", text).value))


def _is_self(receiver: cst.BaseExpression) -> bool:
    return m.matches(receiver, m.Name("self") | m.Name("cls"))


class _Reader(cst.MetadataDependent):
    """What the first two passes ask of the tree."""

    METADATA_DEPENDENCIES: ClassVar[Collection[type[BaseMetadataProvider[object]]]] = (
        ParentNodeProvider,
        PositionProvider,
        QualifiedNameProvider,
    )

    def __init__(self, library: _Library) -> None:
        super().__init__()
        self.library = library
        self.left: list[Left] = []

    def meanings(self, node: cst.CSTNode) -> set[str]:
        """Give what a name means in the library: dotted names, mostly one or none."""
        found = self.names_of(node)
        start = f"{self.library.package}."
        meant = {
            one.name.removeprefix(start)
            for one in found
            if one.source is QualifiedNameSource.IMPORT and one.name.startswith(start)
        }
        # The names of `result` are those of its module `result.result` too.
        return {one.removeprefix("result.") for one in meant} if start == "result." else meant

    def names_of(self, node: cst.CSTNode) -> Collection[QualifiedName]:
        """Give what a name may refer to."""
        nothing: Collection[QualifiedName] = ()
        return self.get_metadata(QualifiedNameProvider, node, nothing)

    def is_reference(self, node: cst.Name) -> bool:
        """Tell whether a name is looked up: not that of an attribute, or of an argument."""
        parent = self.get_metadata(ParentNodeProvider, node, None)
        return not (
            (isinstance(parent, cst.Attribute) and parent.attr is node)
            or (isinstance(parent, cst.Arg) and parent.keyword is node)
            or (isinstance(parent, cst.MatchKeywordElement) and parent.key is node)
        )

    def place(self, node: cst.CSTNode) -> tuple[int, int]:
        """Give line and column."""
        start = cast("CodeRange", self.get_metadata(PositionProvider, node)).start  # type: ignore[redundant-cast]  # for pyright
        return start.line, start.column + 1

    def leave_it(self, node: cst.CSTNode, reason: str) -> None:
        """Leave a place to a person."""
        self.left.append(Left(*self.place(node), reason))


class _Survey(_Reader, cst.CSTVisitor):
    """The first pass: what a file imports and binds."""

    def __init__(self, library: _Library) -> None:
        super().__init__(library)
        self.is_user = False
        self.names: set[str] = set()  # that have nothing to do with the library
        self.exported: set[str] = set()
        self.used: set[str] = set()
        self.own: set[str] = set()  # attributes of the file's own classes
        self.strangers: list[Left] = []  # what may be the library's, in a file without it
        self.imported: set[str] = set()
        self.unknown: list[Left] = []  # imports that nothing is known of

    def visit_Attribute(self, node: cst.Attribute) -> None:
        known = self.library
        name = node.attr.value
        parent = self.get_metadata(ParentNodeProvider, node)
        is_bare = isinstance(parent, cst.Call) and not parent.args
        spelt = {name, f"{name}()"} if is_bare else {name}
        is_told = not spelt.isdisjoint(known.telling) and not _is_self(node.value)
        if name in known.attributes or is_told:
            new = known.attributes.get(name) or known.methods.get(name)
            what = f"write '.{new}'" if new else known.methods_by_hand[name]
            why = f"{what} if it is of {known.package}, which this file does not import"
            self.strangers.append(Left(*self.place(node), f"'.{name}': {why}"))

    def visit_Name(self, node: cst.Name) -> None:
        if not self.is_reference(node):
            return
        (self.used if self.meanings(node) else self.names).add(node.value)

    def visit_Annotation(self, node: cst.Annotation) -> None:
        for text in m.findall(node, m.SimpleString()):
            self.used |= _words(text)

    def visit_Comment(self, node: cst.Comment) -> None:
        if _TYPE_COMMENT.match(node.value):
            self.used |= _words(node)

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        if m.findall(node, m.Name("__all__")):
            for text in m.findall(node, m.SimpleString()):
                self.exported.add(str(cast("cst.SimpleString", text).evaluated_value))

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        for statement in node.body.body:
            if isinstance(statement, cst.FunctionDef):
                self.own.add(statement.name.value)
            else:
                targets = m.AssignTarget(m.Name()) | m.AnnAssign(m.Name())
                for target in m.findall(statement, targets):
                    named = cast("cst.AssignTarget | cst.AnnAssign", target).target
                    self.own.add(cst.ensure_type(named, cst.Name).value)

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            self._note(node, alias.evaluated_name)
            if _is_of(alias.evaluated_name, self.library.package):
                self.leave_it(node, _BY_NAME.format(f"import {alias.evaluated_name}"))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        module = _module(node)
        self._note(node, module)
        is_ours = _is_of(module, self.library.package)
        if isinstance(node.names, cst.ImportStar):
            if is_ours:
                self.leave_it(node, _BY_NAME.format(f"from {module} import *"))
        elif module == "returns" == self.library.package:
            self.leave_it(node, _BY_NAME.format(f"modules from {module}"))
        elif not is_ours:
            self.names |= {alias.evaluated_alias or alias.evaluated_name for alias in node.names}
        elif not self._can_split(node.names, _members(self.library, module)):
            self.leave_it(
                node, "split this import, whose comments would be lost, and migrate again"
            )
        else:
            self._note_names(node.names, module)
        return False

    def _note_names(self, aliases: Sequence[cst.ImportAlias], module: str) -> None:
        inner = module.removeprefix(self.library.package).removeprefix(".")
        for alias in aliases:
            name = alias.evaluated_name
            full = name if self.library.package == "result" else f"{inner}.{name}".lstrip(".")
            self.imported.add(full)
            if full not in self.library.names and full not in self.library.by_hand:
                reason = f"{name!r} of {module}: there is no such name here"
                self.unknown.append(Left(*self.place(alias), reason))

    def _can_split(self, aliases: Sequence[cst.ImportAlias], members: Mapping[str, str]) -> bool:
        """Tell whether names that go elsewhere can leave a list with no comment lost."""
        goes = ["." in members.get(alias.evaluated_name, ".") for alias in aliases]
        stay = [alias for alias, is_gone in zip(aliases, goes, strict=True) if not is_gone]
        at_risk = [alias for alias, is_gone in zip(aliases, goes, strict=True) if is_gone]
        if goes[-1]:
            at_risk += stay[-1:]
        return not any(m.findall(alias, m.Comment()) for alias in at_risk)

    def _note(self, node: cst.CSTNode, module: str) -> None:
        self.is_user |= _is_of(module, self.library.package)
        if any(_is_of(module, foreign) for foreign in self.library.foreign):
            self.leave_it(
                node, f"{module} has methods of the same names: migrate this file by hand"
            )


class _Uses(_Reader, cst.CSTTransformer):
    """The second pass: names, attributes and calls, wherever they are used."""

    def __init__(self, library: _Library, survey: _Survey) -> None:
        super().__init__(library)
        self._survey = survey
        self._knows_unwrap_error = "UnwrapError" in survey.imported

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        del node
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        del node
        return False

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        meaning = self._one_meaning(original_node)
        if meaning is None or not self.is_reference(original_node):
            return updated_node
        new = self.library.names.get(meaning)
        if new is None:
            if meaning in self.library.by_hand:
                self._leave_name(original_node, meaning)
            return updated_node
        old = meaning.rpartition(".")[2]
        if original_node.value != old or new == old or self.must_keep(old, new):
            return updated_node
        return _dotted(new, updated_node)

    def visit_Annotation(self, node: cst.Annotation) -> None:
        for text in m.findall(node, m.SimpleString()):
            self._leave_old_names(text, "a string")

    def visit_Comment(self, node: cst.Comment) -> None:
        if _TYPE_COMMENT.match(node.value):
            self._leave_old_names(node, "a comment")

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        new = self.library.attributes.get(node.raw_value)
        if new:
            self.leave_it(node, f"{node.raw_value!r}: write {new!r} if it names the attribute")
        if ">>>" in node.value:
            self._leave_old_names(node, "an example")

    def _leave_old_names(self, node: cst.CSTNode, where: str) -> None:
        words = _words(node)
        for meaning, new in self.library.names.items():
            old = meaning.rpartition(".")[2]
            if old != new and old in words and not self.must_keep(old, new):
                self.leave_it(node, f"{old!r} in {where}: write {new}")

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        for base in node.bases:
            of = base.value.value if isinstance(base.value, cst.Subscript) else base.value
            new = self.library.names.get(self._one_meaning(of) or "")
            if new in {"Err", "Ok", "Result"}:
                self.leave_it(base, f"no class can be derived from {new}")

    def must_keep(self, old: str, new: str) -> bool:
        """Tell whether a name stays: others import it, or either means something else too."""
        if new == old:
            return False
        known = self._survey
        is_for_others = old in known.exported or old not in known.used
        return is_for_others or not known.names.isdisjoint({old, new.partition(".")[0]})

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        meaning = self._one_meaning(original_node)
        old = original_node.attr.value
        new = self.library.attributes.get(old)
        if meaning is not None and meaning.startswith("result.Result."):
            self._leave_name(original_node, meaning)
        if new and (_is_self(original_node.value) or old in self._survey.own):
            self.leave_it(original_node, f"'.{old}': write '.{new}' if it is of a Result")
            return updated_node
        if old == "value" and isinstance(original_node.value, cst.Call):
            new = self._keywords(self._one_meaning(original_node.value.func) or "").get(old)
        return updated_node.with_changes(attr=cst.Name(new)) if new else updated_node

    def leave_Subscript(
        self, original_node: cst.Subscript, updated_node: cst.Subscript
    ) -> cst.Subscript:
        if self._one_meaning(original_node.value) != "result.ResultE":
            return updated_node
        error = cst.SubscriptElement(cst.Index(cst.Name("Exception")))
        value = updated_node.slice[0]
        error = error.with_changes(comma=value.comma)
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        return updated_node.with_changes(slice=[value.with_changes(comma=comma), error])

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        meaning = self._one_meaning(original_node.func) or ""
        if m.matches(original_node, m.Call(_CLASS_TEST, [m.Arg(), m.Arg()])):
            for name in m.findall(original_node.args[1], m.Name()):
                if self._one_meaning(name) == "result.Result":
                    self.leave_it(name, "'Result' is a union: write (Ok, Err)")
        keyword = self._keywords(meaning)
        if keyword:
            args = [
                arg.with_changes(keyword=cst.Name(keyword[arg.keyword.value]))
                if arg.keyword and arg.keyword.value in keyword
                else arg
                for arg in updated_node.args
            ]
            updated_node = updated_node.with_changes(args=args)
        if meaning == "result.safe" and m.matches(original_node, _SAFE_OF_A_TUPLE):
            return self._safe(original_node, updated_node)
        if meaning in {"as_async_result", "as_result"} and m.matches(original_node, _MISUSE):
            self.leave_it(
                original_node, f"{meaning!r} of no classes: it is refused in other words"
            )
        if not isinstance(original_node.func, cst.Attribute) or meaning in self.library.by_hand:
            return updated_node
        return self._method(original_node, updated_node)

    def leave_MatchClass(
        self, original_node: cst.MatchClass, updated_node: cst.MatchClass
    ) -> cst.MatchClass:
        keyword = self._keywords(self._one_meaning(original_node.cls) or "")
        kwds = [
            one.with_changes(key=cst.Name(keyword.get(one.key.value, one.key.value)))
            for one in updated_node.kwds
        ]
        return updated_node.with_changes(kwds=kwds)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        parent = self.get_metadata(ParentNodeProvider, node)
        if isinstance(parent, cst.Call) and parent.func is node:
            return
        name = node.attr.value
        if self._knows_unwrap_error and name == "result":
            self.leave_it(node, "'.result': write '.report.error' if it is of an UnwrapError")
        if name == self.library.private and not _is_self(node.value):
            self.leave_it(node, f"'.{name}': write '.value' or '.error' if it is of a Result")
        by_hand = self.library.methods_by_hand.get(name)
        new = self.library.methods.get(name)
        reason = f"write '.{new}' if it is of a Result" if new else by_hand
        if reason and (self.meanings(node.value) or not self._is_no_value(node.value)):
            self.leave_it(node, f"'.{name}': {reason}")

    def _one_meaning(self, node: cst.CSTNode) -> str | None:
        if isinstance(node, cst.Call):
            return None  # libcst gives it the name of what is called
        found = self.meanings(node)
        return found.pop() if len(found) == 1 else None

    def _keywords(self, meaning: str) -> dict[str, str]:
        return {old: new for (of, old), new in self.library.keywords.items() if of == meaning}

    def _leave_name(self, node: cst.CSTNode, meaning: str) -> None:
        what = self.library.by_hand.get(meaning, "Result is a union here, and has no attributes")
        self.leave_it(node, f"'{meaning.rpartition('.')[2]}': {what}")

    def _safe(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Give `safe(A, B)` for `safe(exceptions=(A, B))`."""
        value = updated.args[0].value
        is_plain = len(original.args) == 1 and not m.findall(original, m.Comment())
        if not isinstance(value, cst.Tuple) or not is_plain:
            self.leave_it(original, "'safe' takes the classes one by one: safe(A, B)")
            return updated
        args = [cst.Arg(element.value, comma=element.comma) for element in value.elements]
        if len(args) == 1:
            args = [args[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
        return updated.with_changes(args=args)

    def _method(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        func = cst.ensure_type(updated.func, cst.Attribute)
        name = func.attr.value
        args = updated.args
        if self._is_no_value(cst.ensure_type(original.func, cst.Attribute).value):
            return updated
        is_plain = all(arg.keyword is None and not arg.star for arg in args)
        if name in self.library.methods and len(args) == (name != "failure") and is_plain:
            new = cst.Name(self.library.methods[name])
            return updated.with_changes(func=func.with_changes(attr=new))
        is_result = self.library.package == "result"
        if name == "unwrap_or_raise" and is_result and len(args) == 1 and is_plain:
            mapped = updated.with_changes(func=func.with_changes(attr=cst.Name("map_err")))
            return cst.Call(cst.Attribute(mapped, cst.Name("or_raise")))
        if name == "map_or_else" and is_result and len(args) == 2 and is_plain:  # noqa: PLR2004 - both of them
            return self._map_or_else(original, updated)
        if name in {"unwrap_or_raise", "map_or_else"} and is_result:
            self.leave_it(original, f"'.{name}' with arguments by name")
        elif name in self.library.methods_by_hand:
            self.leave_it(original, f"'.{name}': {self.library.methods_by_hand[name]}")
        return updated

    def _is_no_value(self, receiver: cst.BaseExpression) -> bool:
        """Tell whether it is a class, a module or the object itself, by how it is called."""
        if isinstance(receiver, cst.Attribute):
            return receiver.attr.value[:1].isupper()
        if not isinstance(receiver, cst.Name):
            return False
        sources = {one.source for one in self.names_of(receiver)}
        is_imported = QualifiedNameSource.IMPORT in sources
        return is_imported or receiver.value in {"cls", "self"} or receiver.value[:1].isupper()

    def _map_or_else(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Let the first function take the error, as it does here."""
        first = updated.args[0]
        takes_one = m.Param(default=None, star="")
        if m.matches(first.value, m.Lambda(params=m.Parameters(params=[takes_one]))):
            return updated  # it was migrated before: it could not be called there
        if (
            not isinstance(first.value, cst.Lambda)
            or first.value.params.children
            or m.findall(first.value, m.Name("_"))
        ):
            self.leave_it(original, "'.map_or_else' gives the error to its first function")
            return updated
        ignored = cst.Parameters([cst.Param(cst.Name("_"))])
        function = first.value.with_changes(
            params=ignored, whitespace_after_lambda=cst.SimpleWhitespace(" ")
        )
        return updated.with_changes(args=[first.with_changes(value=function), updated.args[1]])


class _Imports(cst.CSTTransformer):
    """The third pass: imports, when it is known which names are still used."""

    def __init__(self, library: _Library, uses: _Uses) -> None:
        super().__init__()
        self._library = library
        self._uses = uses

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        del original_node
        body = self._body(updated_node.body)
        # What follows on the line may use what is imported.
        end = len(body) - len(self._body(updated_node.body[-1:])) + 1
        others = [cst.SimpleStatementLine([other]) for other in body[end:]]
        return cst.FlattenSentinel([updated_node.with_changes(body=body[:end]), *others])

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.BaseSuite:
        del original_node
        return updated_node.with_changes(body=self._body(updated_node.body))

    def _body(self, statements: Sequence[cst.BaseSmallStatement]) -> list[cst.BaseSmallStatement]:
        """Give the statements of a line with their imports split."""
        body: list[cst.BaseSmallStatement] = []
        for statement in statements:
            if (
                isinstance(statement, cst.ImportFrom)
                and not isinstance(statement.names, cst.ImportStar)
                and _is_of(_module(statement), self._library.package)
            ):
                new, others = self._split(statement, statement.names)
                body += [new, *others] if new else others
            else:
                body.append(statement)
        return body

    def _split(
        self, statement: cst.ImportFrom, aliases: Sequence[cst.ImportAlias]
    ) -> tuple[cst.ImportFrom | None, list[cst.ImportFrom]]:
        """Give what is imported from here, in the old layout, and what else is."""
        module = _module(statement)
        here: dict[str, cst.ImportAlias] = {}
        there: list[cst.ImportAlias] = []
        aio: list[cst.ImportAlias] = []
        for alias in aliases:
            name = alias.evaluated_name
            new = _members(self._library, module).get(name)
            if new is None:
                there.append(alias)
            elif alias.asname is None and not self._uses.must_keep(name, new):
                # `aio.safe` is reached through `aio`.
                new = new.partition(".")[0]
                here.setdefault(new, alias.with_changes(name=cst.Name(new)))
            else:
                asname = alias.asname or (_as(name) if new.rpartition(".")[2] != name else None)
                named = alias.with_changes(name=cst.Name(new.rpartition(".")[2]), asname=asname)
                if "." in new:
                    aio.append(named)
                else:
                    here.setdefault(f"{new} as {alias.evaluated_alias or name}", named)
        others = [
            cst.ImportFrom(module=source, names=_listed(names))
            for source, names in (
                (statement.module, there),
                (_dotted("resultflow.aio"), aio),
            )
            if names
        ]
        if not here:
            return None, others
        names = _in_order(list(here.values()), aliases)
        if len(names) < len(aliases):
            names = [*names[:-1], names[-1].with_changes(comma=aliases[-1].comma)]
        return statement.with_changes(module=cst.Name("resultflow"), names=names), others


def _in_order(
    names: Sequence[cst.ImportAlias], old: Sequence[cst.ImportAlias]
) -> list[cst.ImportAlias]:
    """Sort names if the old ones were sorted; commas and line breaks stay where they are."""
    for key in (_by_kind, _by_letters):
        if list(old) == sorted(old, key=key) and not any(
            m.findall(one, m.Comment()) for one in names
        ):
            return [
                place.with_changes(name=one.name, asname=one.asname)
                for place, one in zip(names, sorted(names, key=key), strict=True)
            ]
    return list(names)


def _by_kind(alias: cst.ImportAlias) -> tuple[bool, str]:
    """Give the place among sorted imports: classes first, then what is written small."""
    name = alias.evaluated_name
    return name[:1].islower(), name.lower()


def _by_letters(alias: cst.ImportAlias) -> str:
    return alias.evaluated_name.lower()


def _members(library: _Library, module: str) -> dict[str, str]:
    """Give what can be imported from a module of the library, and what it is here."""
    inner = module.removeprefix(library.package).removeprefix(".")
    if library.package == "result":
        return dict(library.names) if inner in {"", "result"} else {}
    return {
        name.removeprefix(f"{inner}."): new
        for name, new in library.names.items()
        if name.startswith(f"{inner}.")
    }


def _module(statement: cst.ImportFrom) -> str:
    """Give the module that is imported from; none when it is a relative one."""
    if statement.module is None or statement.relative:
        return ""
    return get_full_name_for_node_or_raise(statement.module)


def _dotted(name: str, like: cst.Name | None = None) -> cst.Name | cst.Attribute:
    start, _, last = name.rpartition(".")
    lpar, rpar = (like.lpar, like.rpar) if like else ((), ())
    if not start:
        return cst.Name(last, lpar, rpar)
    return cst.Attribute(_dotted(start), cst.Name(last), lpar=lpar, rpar=rpar)


def _as(name: str) -> cst.AsName:
    return cst.AsName(cst.Name(name))


def _listed(names: Sequence[cst.ImportAlias]) -> list[cst.ImportAlias]:
    """Give names that follow each other in one line."""
    return [name.with_changes(comma=cst.MaybeSentinel.DEFAULT) for name in names]


# The command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is done, 1 when something is to be done, 2 for wrong usage.

    Args:
        argv: the arguments, instead of those that the process was started with.

    >>> main(["result", "no/such/folder"])
    2

    .. versionadded:: 0.1.0
    """
    given = _parser().parse_args(argv)
    is_broken = is_unfinished = False
    changed = 0
    for name in given.paths:
        if not os.path.exists(name):  # noqa: PTH110 - that of Path raises for some (until 3.14)
            _say(f"error: {name!r} is not there: name files or folders")
            return MISUSED
    for path in _files(given.paths):
        try:
            old = path.read_bytes()
            new, left = migrated(old, given.library)
            if new != old and given.write:
                path.write_bytes(new)
        except (OSError, MigrationError, RecursionError) as exc:
            _say(f"error: {path}: cannot be migrated: {exc}")
            is_broken = True
            continue
        changed += new != old
        if new != old and not given.write:
            _show(path, old, new)
        for one in left:
            _say(f"{path}:{one.line}:{one.column}: left to you: {one.reason}")
        is_unfinished |= bool(left) or (new != old and not given.write)
    files = "1 file" if changed == 1 else f"{changed} files"
    verb = "would be" if not given.write else "is" if changed == 1 else "are"
    _say(f"{files} {verb} changed")
    return MISUSED if is_broken else UNFINISHED if is_unfinished else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="resultflow migrate",
        description="Rewrite code that uses another library; show it only, without --write.",
        epilog="exit status: 0 nothing is left to do, 1 something is (a change that is only "
        "shown, or a place that is left to you), 2 wrong usage or an unreadable file",
    )
    parser.add_argument("library", choices=sorted(LIBRARIES), help="what the code uses now")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder to search")
    parser.add_argument("--write", action="store_true", help="change the files")
    return parser


def _files(paths: Sequence[str]) -> Iterator[Path]:
    """Give the Python files below some paths, in order, each once."""
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        below = [path] if path.is_file() else sorted(path.rglob("*.py"))
        seen = (one for one in below if one.is_file() and not _is_hidden(one.relative_to(path)))
        found |= dict.fromkeys(seen)
    yield from found


def _is_hidden(path: Path) -> bool:
    return any(
        part.startswith(".") or part in {"site-packages", "__pycache__"} for part in path.parts
    )


def _show(path: Path, old: bytes, new: bytes) -> None:
    """Print a change as a patch that can be applied."""
    before, after = (BytesIO(text).readlines() for text in (old, new))
    # As git writes it: a tab ends a name with a space in it.
    name = os.fsencode(path.as_posix().lstrip("/")) + (b"\t" if " " in path.as_posix() else b"")
    diff = difflib.diff_bytes(difflib.unified_diff, before, after, b"a/" + name, b"b/" + name)
    try:
        for line in diff:
            sys.stdout.buffer.write(
                line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
            )
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough of the patch; what is left to a person is told elsewhere.
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path of a user
            os.dup2(nothing.fileno(), sys.stdout.fileno())


def _say(text: str) -> None:
    print(f"resultflow migrate: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
