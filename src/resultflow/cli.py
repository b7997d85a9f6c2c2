"""The command `resultflow`: what needs no types, in any tree.

`check` finds what is wrong with it, `escapes` tells which exceptions can leave a function,
`migrate` rewrites what uses another library.
"""

from __future__ import annotations

import argparse
import os
import re
import stat
import sys
from fnmatch import fnmatch
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING

from resultflow.check.codes import CODES, page
from resultflow.check.findings import (
    FORMS,
    BaselineError,
    Finding,
    gone,
    read_baseline,
    without,
    write_baseline,
)
from resultflow.check.settings import Settings, SettingsError, load
from resultflow.check.yields import CODE, unprotected_yields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["main"]

FOUND, MISUSED = 1, 2

_IGNORED = re.compile(rb"#\s*type:\s*ignore(?:\[(?P<codes>[^\]]*)\])?")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when nothing was found, 1 for findings, 2 when it was used wrongly.

    Args:
        argv: the arguments, instead of those that the process was started with.

    >>> main(["check", "no/such/folder"])
    2

    .. versionadded:: 0.1.0
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["migrate"]:
        return _migrate(arguments[1:])
    given = _parser().parse_args(arguments)
    try:
        return _escapes(given) if given.command == "escapes" else _check(given)
    except (BaselineError, SettingsError, _MisusedError) as exc:
        _say(f"error: {exc}", given.command)
        return MISUSED


class _MisusedError(Exception):
    """The command line asks for what cannot be."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="resultflow", description="Check, explain and migrate code."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    check = commands.add_parser(
        "check",
        help="find what needs no types, in files and folders",
        description=f"Find {CODE} in files and folders; the other codes need mypy's plugin.",
        epilog="exit status: 0 nothing found, 1 findings, 2 wrong usage or an unreadable file",
    )
    check.add_argument("paths", nargs="*", metavar="PATH", help="a file, or a folder to search")
    check.add_argument(
        "--select", metavar="CODES", default=CODE, help=f"codes to look for (default: {CODE})"
    )
    check.add_argument(
        "--format", choices=FORMS, default="text", help="how to print findings (default: text)"
    )
    check.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="leave out such paths"
    )
    check.add_argument("--baseline", metavar="FILE", help="report only what is not in it")
    check.add_argument("--write-baseline", metavar="FILE", help="write all findings there: exit 0")
    check.add_argument("--explain", metavar="CODE", help="print what a code means, and stop")
    escapes = commands.add_parser(
        "escapes",
        help="tell which exceptions can leave a function, and by which way",
        description="Tell which exceptions can leave a function, without importing anything.",
        epilog="exit status: 0 an answer was found, 2 wrong usage, or no such function",
    )
    escapes.add_argument("entry", metavar="MODULE:FUNCTION", help="as in package.module:Class.f")
    form = escapes.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the whole graph as JSON")
    form.add_argument("--dot", action="store_true", help="print the graph for Graphviz")
    form.add_argument("--html", metavar="FILE", help="write a page that shows the graph")
    escapes.add_argument(
        "--caught", action="store_true", help="list also what handlers on the way catch"
    )
    escapes.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="PATH",
        help="a folder to look for modules in, before Python's own (default: . and ./src)",
    )
    escapes.add_argument(
        "--cache",
        metavar="PATH",
        help="the folder to keep in what was read (default: resultflow in the user's cache)",
    )
    # Its arguments are its own: what it needs is installed on demand.
    commands.add_parser("migrate", add_help=False, help="rewrite code of result or returns")
    return parser


def _migrate(arguments: Sequence[str]) -> int:
    try:
        from resultflow.migrate import main as migrate
    except ModuleNotFoundError as exc:
        if exc.name != "libcst":
            raise
        _say("error: libcst is missing: install resultflow[migrate]", "migrate")
        return MISUSED
    return migrate(arguments)


def _users_cache() -> Path:
    """Give a folder outside the project: what is kept is believed, and a project may lie."""
    try:
        users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as exc:  # a user whom the system does not know
        raise _MisusedError(
            f"there is no folder for a cache: name one with --cache ({exc})"
        ) from exc
    return Path(users, "resultflow")


def _escapes(given: argparse.Namespace) -> int:
    from resultflow.check.escapes import FORMS, answer, nearest
    from resultflow.check.raises import Program

    module, colon, function = given.entry.partition(":")
    if not colon or not module:
        raise _MisusedError(f"{given.entry!r} names no function: write module:function")
    search = [Path(path) for path in given.search or filter(_is_there, (".", "src"))]
    for path in search:
        if not path.is_dir():
            raise _MisusedError(f"{str(path)!r} is no folder: --search takes those of modules")
    name = f"{module}.{function}" if function else module
    cache = Path(given.cache) if given.cache else _users_cache()

    def make() -> Program:
        program = Program(search, load(Path.cwd()), cache, workers=os.cpu_count() or 1)
        if not program.files.is_there(module):
            raise _MisusedError(f"there is no module {module!r}: name its folder with --search")
        if not program.is_there(name):
            fault = program.files.notes.get(module)
            if fault is not None:
                raise _MisusedError(fault)
            near = nearest(program, module, function)
            hint = f": did you mean {near!r}?" if near else ", nor any other"
            raise _MisusedError(f"{module!r} has no function {function!r}{hint}")
        return program

    data = answer(make, name, search, cache)
    if given.html is not None:
        from resultflow.check.page import as_html

        try:
            Path(given.html).write_text(as_html(data), encoding="utf-8")
        except OSError as exc:
            raise _MisusedError(f"{given.html}: cannot be written: {exc}") from exc
        return 0
    form = "json" if given.json else "dot" if given.dot else "text"
    _print(FORMS[form](data, caught=given.caught))
    return 0


def _check(given: argparse.Namespace) -> int:
    if given.explain is not None:
        return _explain(given.explain)
    for name in given.select.split(","):
        if name != CODE:
            raise _MisusedError(
                f"{name!r} is not for this command: it finds {CODE}, "
                "and the mypy plugin all the others"
            )
    if not given.paths:
        raise _MisusedError("there is nothing to check: name files or folders")
    found = _Search()
    found.run(given.paths, given.exclude, load(Path.cwd()))
    findings = found.findings
    if given.write_baseline is not None:
        write_baseline(Path(given.write_baseline), findings)
        findings = []
    else:
        if given.baseline is not None:
            findings = _new(findings, found.read, given.baseline)
        _print(FORMS[given.format](findings))
    return MISUSED if found.is_broken else FOUND if findings else 0


def _new(findings: list[Finding], read: list[str], baseline: str) -> list[Finding]:
    """Give the findings that a baseline does not know, and tell how much of it is gone."""
    file = Path(baseline)
    new, left = without(findings, read_baseline(file), file)
    count = gone(left, read, file)
    if count:
        _say(f"note: {count} of {baseline} no longer found: write it anew with --write-baseline")
    return new


def _explain(name: str) -> int:
    for code in CODES:
        if code.name == name:
            _print(page(code))
            return 0
    known = ", ".join(code.name for code in CODES)
    raise _MisusedError(f"there is no code {name!r}: the codes are {known}")


def _print(text: str) -> None:
    """Write to stdout, whatever its encoding."""
    out = sys.stdout
    try:
        out.write(text.encode(out.encoding, "backslashreplace").decode(out.encoding))
        out.flush()
    except OSError as exc:
        # Python flushes once more at its end, and would exit 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise _MisusedError(f"the output cannot be written: {exc}") from exc


def _say(text: str, command: str = "check") -> None:
    print(f"resultflow {command}: {text}", file=sys.stderr)


class _Search:
    """What was found, where, and whether something could not be read."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.read: list[str] = []
        self.is_broken = False

    def run(self, paths: list[str], excluded: list[str], settings: Settings) -> None:
        for path in self._files(paths, excluded):
            try:
                self.findings += list(_findings(path, settings))
            except (OSError, SyntaxError, ValueError) as exc:
                self._tell(path, exc)
            except (RecursionError, MemoryError):
                self._tell(path, "it is nested too deeply")
            else:
                self.read.append(path)
        self.findings.sort()

    def _tell(self, path: str, reason: object) -> None:
        _say(f"error: {path}: cannot be read: {reason}")
        self.is_broken = True

    def _files(self, paths: list[str], excluded: list[str]) -> Iterator[str]:
        """Give the Python files below some paths, each once."""
        seen: set[Path] = set()
        for path in map(Path, paths):
            if not _is_there(path):
                raise _MisusedError(f"{str(path)!r} is not there: name files or folders")
            for file in _below(path, lambda exc: self._tell(exc.filename, exc.strerror)):
                name = file.as_posix()
                is_excluded = any(
                    fnmatch(name, end) for glob in excluded for end in (glob, f"*/{glob}")
                )
                if file not in seen and not is_excluded:
                    seen.add(file)
                    yield name


def _is_there(path: Path | str) -> bool:
    """Tell whether there is such a path; a folder that may not be entered has none."""
    return os.path.exists(path)  # noqa: PTH110 - that of Path raises for some (until 3.14)


def _below(path: Path, tell: Callable[[OSError], None]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=tell):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name != "__pycache__"
            and not _is_there(Path(folder, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            # Editors lock a file by a link to nowhere: .#name.py
            if name.endswith(".py") and not name.startswith("."):
                yield Path(folder, name)


def _read(path: str) -> bytes:
    """Read a file; a pipe or a device might never end."""
    file = Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError("it is no regular file")
    return file.read_bytes()


def _findings(path: str, settings: Settings) -> Iterator[Finding]:
    source = _read(path)
    # Most files have none of these words, and need not be parsed.
    if not any(word in source for word in settings.manager_words()):
        return
    # The tree counts the bytes of UTF-8, whatever the file has.
    lines = decode_source(source).encode().split(b"\n")
    folders = Path(path).absolute().parent.parts[1:]
    for found in unprotected_yields(source, settings, folders):
        place = found.place
        end_line = place.end_lineno or place.lineno
        if any(map(_is_ignored, lines[place.lineno - 1 : end_line])):
            continue
        yield Finding(
            path,
            place.lineno,
            _column(lines[place.lineno - 1], place.col_offset),
            end_line,
            _column(lines[end_line - 1], place.end_col_offset or 0),
            CODE,
            found.message,
            found.what,
        )


def _is_ignored(line: bytes) -> bool:
    """Tell whether a line silences the finding, as it would silence mypy's."""
    found = _IGNORED.search(line)
    if found is None:
        return False
    codes = found["codes"]
    return codes is None or CODE.encode() in (code.strip() for code in codes.split(b","))


def _column(line: bytes, offset: int) -> int:
    """Count characters from 1, where the syntax tree counts bytes of UTF-8 from 0."""
    return len(line[:offset].decode("utf-8", errors="replace")) + 1


if __name__ == "__main__":
    sys.exit(main())
