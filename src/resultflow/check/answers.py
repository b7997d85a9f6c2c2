"""What can leave the functions of a project, kept from one run of mypy to the next.

mypy checks a module again when its text or an interface that it uses has changed, but a body far
away may change what leaves its functions. So mypy keeps a digest of the answers with each module,
and asks for it again before it takes the module from its cache. Here the answers are kept beside
that cache, with the state of all files that they came from: as long as that is the same, nothing
is read or solved, and the engine is not even imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from resultflow.check.raises import Escape, Program
    from resultflow.check.settings import Settings

__all__ = ["Answer", "Answers", "Found", "Question"]

# What the library's own variants check is for those who run no checker.
_HARMLESS: dict[str, tuple[str, ...]] = {
    "resultflow._result.Ok": (),
    "resultflow._result.Err": (),
}
_OS_ERROR = "builtins.OSError"
_EXCEPTION = "builtins.Exception"


class Question(NamedTuple):
    """A function whose ways out matter.

    Attributes:
        function: its dotted name.
        is_bare: without its decorators.
        without: exceptions that do not matter, with those derived from them.
    """

    function: str
    is_bare: bool = False
    without: tuple[str, ...] = ()


class Found(NamedTuple):
    """An exception that can leave a function."""

    kinds: tuple[str, ...]  # its class, and the bases of that
    path: str
    is_expected: bool  # one that the function's type should tell of


class Answer(NamedTuple):
    """What can leave a function."""

    is_known: bool  # else there may be more
    found: tuple[Found, ...]


class _Record(NamedTuple):
    """What was said of a module."""

    search: tuple[str, ...]
    questions: tuple[Question, ...]
    digest: str


class Answers:
    """The answers for all modules of a project.

    Args:
        settings: what the project says of functions and exceptions.
        folder: where to keep them; None for nowhere.
    """

    def __init__(self, settings: Settings, folder: Path | None) -> None:
        self._settings = settings
        self._folder = folder
        self._records: dict[str, _Record] | None = None
        self._stamps: dict[str, str] = {}
        self._kept: set[str] = set()  # those that are in the file
        self._seen: set[str] = set()  # the modules that they are of
        self._program: Program | None = None
        self._search: tuple[str, ...] = ()
        self._saved = 0

    # What was said

    def digest(self, module: str) -> str | None:
        """Give the digest of what would be said of a module now; None when it was never asked."""
        if self._records is None:
            self._records = self._read()
            # When a file has changed, any answer may have.
            self._kept = set(self._stamps)
            if any(_stamp(path) != stamp for path, stamp in self._stamps.items()):
                self._ask_again(self._records)
        record = self._records.get(module)
        return record and record.digest

    def _file(self) -> Path | None:
        # What the library of another Python can raise may differ.
        return self._folder and self._folder / f"raises-{sys.implementation.cache_tag}.jsonl"

    def _read(self) -> dict[str, _Record]:
        """Read what was said: of each module the last line counts."""
        records: dict[str, _Record] = {}
        file = self._file()
        try:
            text = file.read_text(encoding="utf-8") if file else ""
        except (OSError, ValueError):
            return records
        for line in text.splitlines():
            try:
                name, *rest = json.loads(line)
                if name == "stamps":
                    self._stamps.update(rest[0])
                else:
                    search, questions, digest = rest
                    asked = tuple(
                        Question(name_, is_bare, tuple(without))
                        for name_, is_bare, without in questions
                    )
                    records[name] = _Record(tuple(search), asked, digest)
            except (ValueError, TypeError, IndexError):
                continue  # torn; the module is checked again
        return records

    def _ask_again(self, records: dict[str, _Record]) -> None:
        self._stamps = {}
        self._seen = set()
        for module, record in records.items():
            answers = self.solve(record.questions, record.search)
            records[module] = record._replace(digest=_digest(answers))
        self._kept = set(self._stamps)
        lines = [["stamps", self._stamps], *(_line(*one) for one in records.items())]
        self._write(lines, is_whole=True)
        self._save(is_last=True)

    def _write(self, lines: Iterable[object], *, is_whole: bool = False) -> None:
        file = self._file()
        if file is None:
            return
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if is_whole:
                made = file.with_name(f"{file.name}.{os.getpid()}")
                made.write_text(text, encoding="utf-8")
                made.replace(file)
            else:
                # mypy's workers write to the same file, each line by one call.
                with file.open("ab", buffering=0) as opened:
                    opened.write(text.encode())
        except OSError:
            return  # a cache that cannot be written is none

    # What is asked now

    def ask(
        self, module: str, questions: Iterable[Question], search: Sequence[str]
    ) -> tuple[dict[Question, Answer], str]:
        """Answer questions on the functions of a module; give the digest of the answers too."""
        asked = tuple(questions)
        answers = self.solve(asked, search)
        digest = _digest(answers)
        new = {path: one for path, one in self._stamps.items() if path not in self._kept}
        self._kept |= new.keys()
        lines: list[object] = [["stamps", new]] if new else []
        lines.append(_line(module, _Record(tuple(search), asked, digest)))
        self._write(lines)
        self._save()
        return answers, digest

    def solve(
        self, questions: Sequence[Question], search: Sequence[str]
    ) -> dict[Question, Answer]:
        """Answer questions, and keep nothing."""
        answers: dict[Question, Answer] = {}
        for one in questions:
            program = self._opened(tuple(search))
            try:
                answers[one] = _answer(program, self._settings, one)
            except RecursionError:
                # Code that is nested too deeply; what was half solved is no ground to go on from.
                answers[one] = Answer(is_known=False, found=())
                self._program = None
            for path in self._depends_on(program):
                if path not in self._stamps:
                    self._stamps[path] = _stamp(path)
        return answers

    def _depends_on(self, program: Program) -> Iterator[str]:
        """Give the files and folders whose change may change an answer.

        Those of all answers so far: a body anywhere may override a method.
        """
        for module, path in program.files.read.items():
            if module not in self._seen:
                self._seen.add(module)
                if program.files.is_project(module):
                    yield path
                    yield str(Path(path).parent)
        yield from self._search

    def _opened(self, search: tuple[str, ...]) -> Program:
        if self._program is None or self._search != search:
            from resultflow.check.raises import Program

            settings = self._settings._replace(raises={**_HARMLESS, **self._settings.raises})
            self._program = Program([Path(one) for one in search], settings, self._folder)
            self._search = search
        return self._program

    def _save(self, *, is_last: bool = False) -> None:
        """Keep what was read, now and then: nobody says which module is the last."""
        program = self._program
        if program is not None and self._folder is not None:
            count = len(program.files.read)
            if count > 2 * self._saved or (is_last and count > self._saved):
                program.save()
                self._saved = count


def _line(module: str, record: _Record) -> list[object]:
    return [module, *record]


def _digest(answers: dict[Question, Answer]) -> str:
    return hashlib.sha256(json.dumps(list(answers.items())).encode()).hexdigest()[:32]


def _stamp(path: str) -> str:
    """Tell one state of a file, or of the list of modules in a folder, from another."""
    try:
        if path.endswith(".py"):
            stat = os.stat(path)  # noqa: PTH116 - as many times as a project has files
            return f"{stat.st_mtime_ns}-{stat.st_size}"
        if path.endswith("-packages"):
            return str(os.stat(path).st_mtime_ns)  # noqa: PTH116 - as above
        names = sorted(
            name
            for name in os.listdir(path)  # noqa: PTH208 - as above
            if name.endswith(".py") or ("." not in name and name != "__pycache__")
        )
    except OSError:
        return ""
    return hashlib.sha256("/".join(names).encode(errors="surrogateescape")).hexdigest()[:16]


def _answer(program: Program, settings: Settings, question: Question) -> Answer:
    from resultflow.check.raises import UNDECORATED

    function = UNDECORATED + question.function if question.is_bare else question.function
    found = [
        Found(
            kinds,
            _path(program, escape),
            _is_expected(program, settings, kinds) and not _is_ours(escape),
        )
        for escape in program.escapes(function)
        for kinds in [program.world.order(escape.exception)]
        if _EXCEPTION in kinds and not set(kinds).intersection(question.without)
    ]
    return Answer(program.is_known(function), tuple(found))


def _is_expected(program: Program, settings: Settings, kinds: tuple[str, ...]) -> bool:
    """Tell whether a function that returns a Result should have an exception in its type."""
    defined = program.world.class_(kinds[0])
    return program.is_failure(kinds[0]) and (
        _OS_ERROR in kinds
        or (defined is not None and program.files.is_project(defined[0].name))
        or any(fnmatchcase(kind, one) for kind in kinds for one in settings.failures)
    )


def _is_ours(escape: Escape) -> bool:
    """Tell whether an exception comes out of this library, whose own functions keep their word."""
    ours = [step.function.startswith("resultflow.") for step in escape.steps if step.path]
    return bool(ours) and ours[-1] and not ours[0]


def _path(program: Program, escape: Escape) -> str:
    """Name the functions on the way: `complete -> Session.commit`."""
    names: list[str] = []
    for step in escape.steps:
        module = program.module_at(Path(step.path)) if step.path else "builtins"
        names.append(step.function.removeprefix(f"{module}.").partition("#")[0])
    return " -> ".join(names)
