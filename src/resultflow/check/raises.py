"""Which exceptions can leave a function, and by which way."""

from __future__ import annotations

import heapq
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resultflow.check.raises_files import Files
from resultflow.check.raises_program import Value, World, in_order
from resultflow.check.raises_solve import Contribution, Solver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resultflow.check.settings import Settings

__all__ = ["UNDECORATED", "Escape", "Program", "Skipped", "Step"]

UNDECORATED = "def "

_GUESS = 8  # the cost of a step that is guessed
_BUGS = (
    "builtins.TypeError",
    "builtins.AttributeError",
    "builtins.NameError",
    "builtins.AssertionError",
    "builtins.KeyError",
    "builtins.IndexError",
    "builtins.RuntimeError",
    "builtins.StopIteration",
    "builtins.StopAsyncIteration",
    "builtins.ImportError",
    "builtins.SyntaxError",
    "builtins.MemoryError",
    "builtins.SystemError",
    "builtins.BufferError",
    "builtins.ReferenceError",
    "builtins.GeneratorExit",
    "builtins.Warning",
)


class Step(NamedTuple):
    """One step of a path, from the asked function to the `raise`.

    The place is that of the call, or of the `raise`, in `function`; line 0 stands for one of which
    the table of compiled functions speaks.
    """

    function: str
    path: str
    line: int
    column: int
    yields: tuple[Skipped, ...] = ()


class Skipped(NamedTuple):
    """A `yield` that the exception is thrown in at, on its way, and that skips teardown."""

    function: str
    path: str
    line: int
    skips: str


class Escape(NamedTuple):
    """An exception that can leave a function, with a shortest path to where it is raised."""

    exception: str
    steps: tuple[Step, ...]


class Program:
    """The modules of a program, and what can leave their functions.

    Nothing is imported: a module is read where it is found, in the folders of the project first,
    then in those of the interpreter.

    Args:
        search: the project's folders.
        settings: what the project says of functions, and of bugs.
        cache: a folder to keep on disk what was read.
        workers: the number of processes that read a large package for the first time.

    >>> from resultflow.check.settings import Settings
    >>> program = Program([], Settings())
    >>> [escape.exception for escape in program.escapes("json.loads")]
    ['json.decoder.JSONDecodeError']

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        search: Sequence[Path],
        settings: Settings,
        cache: Path | None = None,
        *,
        workers: int = 1,
    ) -> None:
        self.settings = settings
        self.files: Files = Files(search, cache, workers)
        self.world: World = World(self.files, settings)
        self.solver: Solver = Solver(self.world)
        self._answers: dict[str, tuple[Escape, ...]] = {}

    def save(self) -> None:
        """Write what was read to the cache."""
        self.files.save()

    def module_at(self, path: Path) -> str | None:
        """Give the dotted name of the module in a file; None when it is in no folder searched."""
        return self.files.module_at(path)

    def entries(self, function: str) -> list[Value]:
        """Give what a dotted name stands for, when that can be called or run.

        `def pkg.f` stands for what `pkg.f` is without its decorators.
        """
        if function.startswith(UNDECORATED):
            return [Value("function", function.removeprefix(UNDECORATED))]
        flat: set[Value] = set()
        for one in self.world.dotted(function):
            inner = one.items if one.kind in {"static", "classmethod", "property"} else {one}
            flat |= inner
        if not flat and self.world.function(function) is not None:
            flat.add(Value("function", function))  # in another function: not to be had by its name
        return [one for one in in_order(flat) if one.kind != "none"]

    def is_there(self, function: str) -> bool:
        """Tell whether there is such a function, class, module or object that can be called."""
        return any(
            one.name in self.world.known
            if one.kind == "external"
            else one.kind not in {"instance", "items"} or self.solver.entered(one)
            for one in self.entries(function)
        )

    def begins(self, function: str) -> list[str]:
        """Give the functions that calling something by its name runs first."""
        return [place.callee for place in self._begin(function)]

    def known(self, name: str) -> list[str]:
        """Give what the table says that a function raises."""
        return sorted(map(self.solver.canonical, self.world.known.get(name, ())))

    def _begin(self, function: str) -> list[Contribution]:
        """Call a function from nowhere, and give what comes back."""
        places: list[Contribution] = []
        for value in self.entries(function):
            for target in self.solver.entered(value):
                places += [
                    Contribution(0, 0, name, mask, mask)
                    for name, mask in self.solver.outside(target)
                ]
        return places

    def escapes(self, function: str) -> tuple[Escape, ...]:
        """Give what can leave a function, sorted by the exceptions' names.

        Args:
            function: its dotted name; that of a module stands for its body.
        """
        if function not in self._answers:
            places = self._begin(function)
            mask = 0
            for place in places:
                mask |= place.left
            found = [
                Escape(name.partition("[")[0], self._path(function, places, self.solver.bit(name)))
                for name in self.solver.exceptions(mask)
            ]
            merged: dict[str, Escape] = {}
            for one in found:
                known = merged.get(one.exception)
                if known is None or len(one.steps) < len(known.steps):
                    merged[one.exception] = one
            self._answers[function] = tuple(merged[name] for name in sorted(merged))
        return self._answers[function]

    def _path(self, function: str, begin: list[Contribution], bit: int) -> tuple[Step, ...]:
        """Follow an exception from a function to a nearest place where it is raised."""
        starts = [place.callee for place in begin if place.left & bit and place.callee]
        return self._follow(starts, bit) or (self.step(function, None),)

    def ways(self, function: str, exception: str) -> list[tuple[Step, ...]]:
        """Give every place of a function by which an exception leaves it, each with a path."""
        bits = [
            self.solver.bit(name)
            for name in self.solver.names
            if name.partition("[")[0] == exception
        ]
        begin = [place.callee for place in self._begin(function)]
        found: dict[tuple[str, int, int], tuple[Step, ...]] = {}
        for name in dict.fromkeys([*begin, function]):
            for place in self.solver.places(name):
                for bit in bits:
                    if not place.left & bit:
                        continue
                    rest = self._follow([place.callee], bit) if place.callee else ()
                    path = (self.step(name, place), *rest)
                    key = (name, place.line, place.column)
                    if key not in found or len(path) < len(found[key]):
                        found[key] = path
        return sorted(found.values(), key=lambda path: (path[0].function != function, path))

    def _follow(self, starts: list[str], bit: int) -> tuple[Step, ...]:
        """Find a shortest way from some functions to where an exception is raised.

        A step that is only guessed counts for several, so that a way without is preferred.
        """
        before: dict[str, tuple[str, Contribution] | None] = {}
        todo: list[tuple[int, str, str, Contribution | None]] = [
            (0, name, "", None) for name in starts
        ]
        while todo:
            cost, name, above, way = heapq.heappop(todo)
            if name in before:
                continue
            before[name] = None if way is None else (above, way)
            if self.world.function(name) is None or name in self.world.known:
                return self._steps(name, None, before)
            for place in self.solver.places(name):
                if not place.left & bit:
                    continue
                if not place.callee:
                    return self._steps(name, place, before)
                if place.callee not in before:
                    further = cost + (_GUESS if place.is_guess else 1)
                    heapq.heappush(todo, (further, place.callee, name, place))
        return ()

    def _steps(
        self,
        name: str,
        place: Contribution | None,
        before: dict[str, tuple[str, Contribution] | None],
    ) -> tuple[Step, ...]:
        steps = [self.step(name, place)]
        above = before[name]
        while above is not None:
            name, place = above
            steps.append(self.step(name, place))
            above = before[name]
        return tuple(reversed(steps))

    def step(self, function: str, place: Contribution | None) -> Step:
        """Give a place of a function as a step."""
        path = self.path_of(function)
        if place is None:
            return Step(function, path, 0, 0)
        yields = tuple(
            Skipped(name, self.path_of(name), line, skips)
            for name in place.through
            for found in [self.world.function(name)]
            if found is not None
            for line, skips in found[1].unprotected
        )
        return Step(function, path, place.line, place.column, yields)

    def path_of(self, function: str) -> str:
        """Give the file that a function is in; nothing for one of the table."""
        found = self.world.function(function)
        return "" if found is None else self.files.read.get(found[0].name, "")

    def leaving(self, function: str) -> frozenset[str]:
        """Give what leaves the body of a function itself, its decorators left aside.

        What it does with its parameters is taken from what its package passes for them.
        """
        self.solver.solve(function)
        return frozenset(
            name.partition("[")[0] for name in self.solver.exceptions(self.solver.body(function))
        )

    def functions_of(self, package: str) -> list[str]:
        """Give the functions of a package, without those of its tests."""
        return self.files.functions(package)

    def is_known(self, function: str) -> bool:
        """Tell whether all that a function calls could be resolved, where it matters.

        A call that could not, in a `try` that catches every `Exception`, does not count.
        """
        self.escapes(function)
        return not any(place.left & self.solver.unknown for place in self._begin(function))

    def depends_on(self, function: str) -> frozenset[Path]:
        """Give the project's files whose change can change the answer for a function."""
        self.escapes(function)
        return frozenset(
            Path(path) for module, path in self.files.read.items() if self.files.is_project(module)
        )

    def is_failure(self, exception: str) -> bool:
        """Tell whether an exception is a failure, which a caller should expect, and not a bug."""
        order = self.world.order(exception)
        for patterns, is_failure in ((self.settings.failures, True), (self.settings.bugs, False)):
            if any(fnmatchcase(one, pattern) for one in order for pattern in patterns):
                return is_failure
        if exception.rpartition(".")[2].endswith("InternalError"):
            return False
        return not any(self.world.is_below(exception, bug) for bug in _BUGS)
