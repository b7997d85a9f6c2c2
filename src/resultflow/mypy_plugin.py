"""The mypy plugin: `plugins = ["resultflow.mypy_plugin"]` in mypy's configuration.

It makes a Result that nobody looks at, and an error that nobody handles, errors of mypy. See
`docs/reference/checks/` for its error codes and `docs/how-to/ci.md` for putting it to work.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from mypy.errorcodes import ErrorCode
from mypy.errors import CompileError
from mypy.nodes import Decorator, Expression
from mypy.plugin import Plugin

from resultflow.check import codes, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeGuard

    from mypy.build import BuildManager
    from mypy.checker import TypeChecker
    from mypy.nodes import Context, MypyFile
    from mypy.options import Options
    from mypy.plugin import (
        AttributeContext,
        FunctionContext,
        MethodContext,
        MethodSigContext,
        ReportConfigContext,
    )
    from mypy.types import FunctionLike, Type

    from resultflow.check.answers import Answer, Answers, Question
    from resultflow.check.may_raise import Asked
    from resultflow.check.patterns import Before

__all__ = ["ResultPlugin", "plugin"]

# What checks is imported when there is something to check: a warm run takes all from the cache.

# mypy makes a cache worthless when this changes; it looks at this one file alone, so the files
# that do the work are in it.
__version__: Final = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).with_name("check").glob("*.py")))
).hexdigest()

# The releases whose inside this was tested with.
OLDEST, NEWEST = (2, 4), (2, 4)


def plugin(version: str) -> type[Plugin]:
    """Give the plugin to mypy, which calls this.

    Raises:
        CompileError: for a release of mypy that is not known to work, and for a mistake in
            `[tool.resultflow]`: mypy prints it and exits 2.

    .. versionadded:: 0.1.0
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or not OLDEST <= (int(found[1]), int(found[2])) <= NEWEST:
        first, last = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
        message = (
            f"resultflow.mypy_plugin: error: mypy {version} is not known to work: install "
            f"one from {first} to {last}.*, or a newer resultflow"
        )
        raise CompileError([message])
    return ResultPlugin


class _Asked(NamedTuple):
    """What was asked of a module."""

    file: MypyFile
    is_reported: bool
    functions: Asked
    answers: Mapping[Question, Answer]
    digest: str | None


class ResultPlugin(Plugin):
    """What resultflow adds to mypy.

    .. versionadded:: 0.1.0
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        try:
            self._settings = settings.load(_root(options))
        except settings.SettingsError as exc:
            raise CompileError([str(exc)]) from exc
        self._codes = {
            code.name: ErrorCode(
                code.name,
                code.title,
                "resultflow",
                default_enabled=self._settings.strict or not code.strict,
            )
            for code in codes.CODES
        }
        self._is_served = options.num_workers > 0 or options.fine_grained_incremental
        self._keep_types = options.export_types or options.fine_grained_incremental
        # mypy then keeps the type of every expression until its module is done.
        options.export_types = True
        self._manager: BuildManager | None = None
        self._told = self._settings.as_data()
        self._folder = _cache(options)
        # Else nothing was ever asked, and a warm run need not know what answers are.
        self._has_answers = self._folder is not None and self._folder.is_dir()
        self._asked: dict[str, _Asked] = {}
        self._before: tuple[MypyFile, Before] | None = None

    def set_modules(self, modules: dict[str, MypyFile]) -> None:
        """Learn of the modules, and of the object that has them where that cannot wait."""
        super().set_modules(modules)
        if self._is_served:
            # A worker freezes the collector's objects right after this: now or never. The daemon
            # takes the option back after each run.
            self._managing().options.export_types = True

    def _managing(self) -> BuildManager:
        """Find the one object that has the types and the errors; mypy does not hand it out.

        A warm run has no use for it, and this looks at every object that there is.
        """
        manager, modules = self._manager, self._modules
        if manager is None or manager.modules is not modules:
            manager = next(filter(_is_manager, gc.get_referrers(modules)), None)
            if manager is None:
                message = (
                    "resultflow.mypy_plugin: error: this mypy keeps its modules elsewhere: "
                    "install one that is not patched"
                )
                raise CompileError([message])
            self._manager = manager
        return manager

    def report_config_data(self, ctx: ReportConfigContext) -> object:
        """Let a change of the settings make the cache worthless, or one of what may be raised."""
        if ctx.is_check:
            digest = self._answers.digest(ctx.id) if self._has_answers else None
        else:
            manager = self._managing()
            file = manager.modules[ctx.id]
            # A comment in the module may say otherwise, but mypy does not tell of it here.
            digest = self._ask(file, manager, manager.options.clone_for_module(ctx.id)).digest
        return {**self._told, "raises": digest}

    @cached_property
    def _answers(self) -> Answers:
        from resultflow.check.answers import Answers

        return Answers(self._settings, self._folder)

    def _ask(self, file: MypyFile, manager: BuildManager, options: Options) -> _Asked:
        """Ask what can leave the functions of a module, once for each time it is checked."""
        is_reported = (
            self._settings.is_computed(file.fullname)
            and self._codes["may-raise"] not in options.disabled_error_codes
        )
        known = self._asked.get(file.fullname)
        if known is not None and known.file is file and known.is_reported == is_reported:
            return known
        asked = _Asked(file, is_reported, {}, {}, None)
        if not file.is_stub and file.path not in manager.errors.ignored_files:
            from resultflow.check import may_raise

            functions = may_raise.questions(file, is_reported=is_reported)
            if functions:
                search = _search(manager)
                answers, digest = self._answers.ask(file.fullname, functions, search)
                asked = _Asked(file, is_reported, functions, answers, digest)
        self._asked[file.fullname] = asked
        return asked

    def get_additional_indirect_deps(self, file: MypyFile) -> set[str]:
        """Check a module: mypy calls this when it has done so, before it keeps the errors."""
        from resultflow.check.tree import walk

        manager = self._managing()
        self._before = None
        found = manager.all_types
        try:
            if not file.is_stub and file.path not in manager.errors.ignored_files:
                if self._keep_types:
                    found = {
                        one: found[one]
                        for one in walk(file)
                        if isinstance(one, Expression) and one in found
                    }
                return self._check(file, found, manager)
        finally:
            if not self._keep_types:
                manager.all_types.clear()
        return set()

    def _check(
        self, file: MypyFile, found: Mapping[Expression, Type], manager: BuildManager
    ) -> set[str]:
        """Report what is wrong with a module; give those that its types are from, besides."""
        from resultflow.check.typed import Module

        report = manager.errors.report

        def tell(node: Context, message: str, code: str, severity: str = "error") -> None:
            end = node.end_line or node.line
            report(
                node.line,
                node.column,
                message,
                code=self._codes[code],
                severity=severity,
                end_line=end,
                end_column=node.end_column,
                origin_span=range(node.line, end + 1) if isinstance(node, Expression) else None,
            )

        Module(file, found, tell, manager.errors.options, self._settings).check()
        self._check_yields(file, manager)
        asked = self._ask(file, manager, manager.errors.options)
        if not asked.functions:
            return set()
        from resultflow.check import may_raise

        may_raise.check(asked.functions, asked.answers, tell, partial(tell, severity="note"))
        return may_raise.modules_of(asked.functions)

    def _check_yields(self, file: MypyFile, manager: BuildManager) -> None:
        """Find the unprotected yields, with the decorators that mypy has resolved."""
        try:
            source = Path(manager.maybe_swap_for_shadow_path(file.path)).read_bytes()
        except OSError:  # the text of -c, which is in no file
            return
        if not any(word in source for word in self._settings.manager_words()):
            return
        from resultflow.check.typed import managers_in
        from resultflow.check.yields import CODE, unprotected_yields_in

        decorated = [(one.name, one.line) for one in managers_in(file, self._settings)]
        if not decorated:
            return
        try:
            unprotected = list(unprotected_yields_in(source, decorated))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            # Newer than the Python that mypy runs with, or too deep for it: mypy could read it.
            return
        for found in unprotected:
            place = found.place
            end = place.end_lineno or place.lineno
            manager.errors.report(
                place.lineno,
                place.col_offset,
                found.message,
                code=self._codes[CODE],
                end_line=end,
                end_column=place.end_col_offset,
                origin_span=range(place.lineno, end + 1),
            )

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Narrow what is in an `Ok` or `Err` by the cases before."""
        return self._narrowed if fullname in _FIELDS else None

    def _narrowed(self, ctx: AttributeContext) -> Type:
        from resultflow.check import patterns

        file = cast("TypeChecker", ctx.api).tree
        if self._before is None or self._before[0] is not file:
            self._before = (file, patterns.previous(file))
        return patterns.narrowed(ctx.default_attr_type, ctx.context, self._before[1])

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Take what `catch` catches out of the type."""
        return _uncaught if fullname == _CATCH else None

    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Give the handler of several errors the union of them, where mypy joins them."""
        return _handling if fullname in {_CATCH, "resultflow._result.Ok.catch"} else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Keep the errors of `collect` and `safe` apart, where mypy joins them."""
        return self._guarded if fullname in _SAFE else _EXACT.get(fullname)

    def _guarded(self, ctx: FunctionContext) -> Type:
        from resultflow.check import exact

        node = ctx.context
        manager = self._managing()
        module = cast("TypeChecker", ctx.api).tree.fullname
        # What is defined in a function has no name that others could ask for.
        if isinstance(node, Decorator) and node.func.fullname.startswith(f"{module}."):
            from resultflow.check import may_raise
            from resultflow.check.answers import Question

            question = Question(node.func.fullname, is_bare=True)
            answers = self._answers.solve([question], _search(manager))
            return may_raise.inferred(ctx, answers[question], manager, module)
        return exact.guarded(ctx)


def _is_manager(found: object) -> TypeGuard[BuildManager]:
    return type(found).__name__ == "BuildManager"


_FIELDS = {"resultflow._result.Ok.value", "resultflow._result.Err.error"}


_CATCH = "resultflow._result.Err.catch"


def _uncaught(ctx: MethodContext) -> Type:
    from resultflow.check import exact

    return exact.uncaught(ctx)


def _handling(ctx: MethodSigContext) -> FunctionLike:
    from resultflow.check import exact

    return exact.handling(ctx)


def _collected(ctx: FunctionContext) -> Type:
    from resultflow.check import exact

    return exact.collected(ctx)


_EXACT = {"resultflow._collect.collect": _collected}
_SAFE = {"resultflow._safe.safe", "resultflow.aio.safe"}


def _search(manager: BuildManager) -> tuple[str, ...]:
    """Give the folders that modules are looked for in, as mypy does."""
    paths = manager.search_paths
    return (*paths.python_path, *paths.mypy_path, *paths.package_path)


def _cache(options: Options) -> Path | None:
    """Give the folder for what is kept between runs, beside mypy's own."""
    if not options.incremental or options.cache_dir == os.devnull:
        return None
    return Path(options.cache_dir) / "resultflow"


def _root(options: Options) -> Path:
    """Give the folder whose `pyproject.toml` counts: mypy's configuration is in it."""
    return Path(options.config_file or ".").resolve().parent
