"""Read every case file in every mode of mypy, and print a table: case by mode.

A case is a function or class at the top of a case file. `# E: code` at the end of a line says
that mypy must report an error with that code there, and `# E: code text` that the text is in it;
mypy must report nothing else, neither the plugin nor mypy itself.

    .venv/bin/python tests/plugin/modes.py [--python PATH ...] [--mypy VERSION ...]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASE = "base.py"
FILES = sorted(path for path in HERE.glob("*.py") if path.name not in {BASE, Path(__file__).name})
SETTINGS = """\
[tool.mypy]
plugins = ["resultflow.mypy_plugin"]
strict = true
warn_unreachable = true
enable_error_code = ["exhaustive-match", "unused-awaitable"]
disable_error_code = ["empty-body", "func-returns-value", "truthy-bool"]

[tool.resultflow]
strict = true
may-raise = ["*"]
"""
MARK = re.compile(r"# E: (?P<codes>(?:[a-z-]+, )*[a-z-]+)(?: (?P<text>.+))?$")

Verdict = tuple[str, int, str]


class Case(NamedTuple):
    """One thing at the top of a case file."""

    file: str
    name: str
    first: int
    last: int


class Mode(NamedTuple):
    """A way to run mypy: its options, and what happened before."""

    flags: tuple[str, ...] = ()
    after: str = ""  # nothing, "a run" or "an edit"
    python: str = sys.executable


MODES = {
    "cold": Mode(),
    "warm": Mode(after="a run"),
    "edit": Mode(after="an edit"),
    "-n 2": Mode(("-n", "2")),
    "-n 2 warm": Mode(("-n", "2"), after="a run"),
    "-n 2 edit": Mode(("-n", "2"), after="an edit"),
    "old parser": Mode(("--no-native-parser",)),
    "old parser edit": Mode(("--no-native-parser",), after="an edit"),
    "no sqlite": Mode(("--no-sqlite-cache",)),
    "no sqlite warm": Mode(("--no-sqlite-cache",), after="a run"),
    "json cache warm": Mode(("--no-fixed-format-cache",), after="a run"),
    "json cache edit": Mode(("--no-fixed-format-cache",), after="an edit"),
    "not incremental": Mode(("--no-incremental",)),
    "fine-grained": Mode(("--cache-fine-grained",)),
    "fine-grained warm": Mode(("--cache-fine-grained",), after="a run"),
    "no local partial": Mode(("--no-local-partial-types",)),
}


def cases() -> Iterator[Case]:
    """Give every case; what stands between two belongs to the one before."""
    for file in FILES:
        starts = [
            (node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)]))
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        ]
        ends = [*(line for _, line in starts[1:]), sys.maxsize]
        for (name, first), last in zip(starts, ends, strict=True):
            yield Case(file.name, name, first, last - 1)


def marks() -> dict[Verdict, str]:
    """Give what mypy must report, each with the text that must be in it."""
    found: dict[Verdict, str] = {}
    for file in FILES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            mark = MARK.search(line)
            assert mark or "# E:" not in line, line
            for code in mark["codes"].split(", ") if mark else ():
                found[file.name, number, code] = ""
                if mark and mark["text"] and mark["codes"].endswith(code):
                    found[file.name, number, code] = mark["text"]
    return found


def run(mode: Mode, folder: Path, *, is_measured: bool = True) -> tuple[dict[Verdict, str], str]:
    """Run mypy over the cases in a folder of its own; give its errors, and all it said."""
    for file in (HERE / BASE, *FILES):
        shutil.copy(file, folder)
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    if mode.after:
        check(mode, folder, is_measured=is_measured)
        if mode.after == "an edit":
            with (folder / BASE).open("a", encoding="utf-8") as base:
                base.write("\n\ndef added() -> Result[str, Gone]:\n    return Err(Gone())\n")
    return check(mode, folder, is_measured=is_measured)


def check(mode: Mode, folder: Path, *, is_measured: bool = True) -> tuple[dict[Verdict, str], str]:
    """Run mypy once, in a folder that may have a cache; coverage's tracer makes it slow."""
    unwanted = ("MYPY",) if is_measured else ("MYPY", "COVERAGE")
    ran = subprocess.run(
        [mode.python, "-m", "mypy", "--output", "json", "--show-traceback", *mode.flags, "."],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith(unwanted)},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[Verdict, str] = {}
    for line in ran.stdout.splitlines():
        if line.startswith("{"):
            error = json.loads(line)
            if error["severity"] == "error":
                found[Path(error["file"]).name, error["line"], error["code"]] = error["message"]
    return found, ran.stdout + ran.stderr


def wrong(found: dict[Verdict, str], wanted: dict[Verdict, str]) -> set[Verdict]:
    """Give what was reported and must not be, or the other way round."""
    return {one for one in found.keys() | wanted.keys() if not _agree(found, wanted, one)}


def _agree(found: dict[Verdict, str], wanted: dict[Verdict, str], one: Verdict) -> bool:
    return one in found and one in wanted and wanted[one] in found[one]


def environment(python: str, mypy: str, folder: Path) -> str:
    """Make an environment with some Python and some mypy; give its interpreter."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", python, str(folder)], check=True)
    made = str(folder / "bin" / "python")
    wanted = [f"mypy{mypy}", "pytest", "anyio", "-e", str(ROOT)]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", made, *wanted], check=True)
    return made


def table(modes: Iterable[str], found: dict[str, set[Verdict]]) -> int:
    """Print case by mode; give how many cells are wrong."""
    modes = list(modes)
    for number, mode in enumerate(modes):
        print("  " + "| " * number + mode)
    bad = 0
    for case in cases():
        cells = [
            any(one[0] == case.file and case.first <= one[1] <= case.last for one in found[mode])
            for mode in modes
        ]
        bad += sum(cells)
        print("  " + " ".join("X" if cell else "." for cell in cells), case.file, case.name)
    return bad


def main() -> int:
    """Print the table; 1 when a cell is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", action="append", default=[], help="an interpreter to add")
    parser.add_argument("--mypy", action="append", default=[], help="a release of mypy to add")
    parser.add_argument("--mode", action="append", help="only this mode (again for more)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        modes = {name: MODES[name] for name in given.mode or MODES}
        for python in given.python:
            made = environment(python, ">=2.4", Path(scratch, f"venv{len(modes)}"))
            modes[f"Python {python}"] = Mode(python=made)
        for mypy in given.mypy:
            made = environment(sys.executable, f"=={mypy}", Path(scratch, f"venv{len(modes)}"))
            modes[f"mypy {mypy}"] = Mode(python=made)
            modes[f"mypy {mypy} warm"] = Mode(python=made, after="a run")
        wanted = marks()
        bad: dict[str, set[Verdict]] = {}
        for number, (name, mode) in enumerate(modes.items()):
            folder = Path(scratch, str(number))
            folder.mkdir()
            found, said = run(mode, folder)
            bad[name] = wrong(found, wanted)
            if bad[name]:
                print(f"{name}:", *sorted(bad[name]), said[-3000:], sep="\n", file=sys.stderr)
        cells = table(modes, bad)
    counts = {file.name: sum(case.file == file.name for case in cases()) for file in FILES}
    print(f"{sum(counts.values())} cases by {len(bad)} modes, {cells} wrong:", counts)
    # Also what is wrong outside of all cases.
    return int(any(bad.values()))


if __name__ == "__main__":
    sys.exit(main())
