"""Migrate real projects by `resultflow migrate` and run their tests before and after.

Each project comes from the package index as the source distribution with the hash below, into
`.bench/migrations`, with an environment of its own. Its tests must pass; then the codemod rewrites
it, the edits below do what the codemod leaves to a person, the library that it used is taken out
of the environment, its tests must pass again, and a second run of the codemod must change nothing.
Exit status 1: one of these is not so.

Nothing of the projects is kept here but names, hashes, and what a person writes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from bench.pages import write_table

FOLDER = Path(".bench", "migrations")
PAGES = {
    library: Path("docs", "how-to", f"switch-from-{library}.md")
    for library in ("result", "returns")
}
LEFT = re.compile(r": left to you: (.*)")
CHANGED = re.compile(r"(\d+) files? (?:is|are) changed")
PASSED = re.compile(r"(\d+) passed")


class Edit(NamedTuple):
    """What a person writes: in a file, each match of a pattern becomes something else."""

    path: str
    pattern: str
    new: str


class Project(NamedTuple):
    """A project that uses a library, and what its tests need."""

    library: str
    requirement: str
    sha256: str
    needs: tuple[str, ...]
    migrate: tuple[str, ...]  # the files and folders given to the codemod
    tests: tuple[str, ...]  # the arguments of pytest
    edits: tuple[Edit, ...] = ()
    remark: str = ""
    still_needs: bool = False  # a dependency of the project uses the library too


# Tests of larva that start Node, or an agent that they do not bring along.
NEED_NODE = (
    "codex_plugin_contract",
    "mcp_stdio_integration",
    "opencode_plugin_contract",
    "pi_agent_persona_switch_policy_contract",
    "pi_extension_contract",
    "pi_extension_real_runtime",
    "pi_extension_subagent_model_isolation",
    "pi_extension_subagent_ux",
    "pi_extension_tool_policy_static",
    "pi_idle_callback_identity",
    "pi_launcher_contract",
    "pi_persona_candidate_cache_contract_expected_red",
    "pi_postspec_editor_prompt_expected_red",
    "pi_subagent_activity",
    "repo_local_ci_gate",
    "variant_projection_smoke",
)
PROJECTS = [
    Project(
        library="result",
        requirement="pyrgo==2.2.13",
        sha256="f0780f064858ff4a6d1abb05824f1df9bea8a6d921b1a0f32a66281cdd8cd8f3",
        needs=("pytest-cov",),
        migrate=("pyrgo", "tests"),
        tests=("--no-cov", "tests"),
    ),
    Project(
        library="result",
        requirement="result==0.17.0",
        sha256="b73da420c0cb1a3bf741dbd41ff96dedafaad6a1b3ef437a9e33e380bb0d91cf",
        needs=("pytest-asyncio",),
        migrate=("tests/test_result.py", "tests/test_pattern_matching.py"),
        tests=(
            *("-c", "/dev/null", "--rootdir", ".", "-o", "asyncio_mode=auto"),
            *("--deselect", "tests/test_result.py::test_and_then_async"),
            *("--deselect", "tests/test_result.py::test_map_async"),
            *("tests/test_result.py", "tests/test_pattern_matching.py"),
        ),
        edits=(
            Edit("tests/test_result.py", r"from result import OkErr\n", ""),
            Edit("tests/test_result.py", r"(?<=, )OkErr(?=\))", "(Ok, Err)"),
            Edit("tests/test_result.py", r"\._value == 1", ".value == 1"),
            Edit("tests/test_result.py", r"\._value == 2", ".error == 2"),
            Edit("tests/test_result.py", r"exc\.result is n", "exc.report.error == n.error"),
            Edit("tests/test_result.py", r"requires one or more exception types",
                 "names no exception|takes exception classes"),
        ),
        remark="its own tests, without those of `do` and of the two `_async` methods",
    ),
    Project(
        library="returns",
        requirement="larva==0.8.10",
        sha256="a9d73313c3cb9ea823506d05e98c9a20c983a6aabc6e3a0e5a1554694b9a5460",
        needs=("hypothesis", "pytest-asyncio", "pytest-mock", "httpx"),
        migrate=("src", "tests"),
        tests=("tests", *(f"--ignore=tests/shell/test_{name}.py" for name in NEED_NODE)),
        edits=(
            Edit("src/larva/core/pi_model_map.py", r"(?<=, )Result(?=\))", "(Ok, Err)"),
            Edit("src/larva/core/pi_model_map.py", r"(from resultflow import )", r"\1Err, "),
            Edit("src/larva/core/pi_model_map.py", r"<Success: (.*)>", r"Ok(\1)"),
        ),
        remark="without the files of tests that need Node",
    ),
    Project(
        library="returns",
        requirement="tensora==0.4.1",
        sha256="02713863cfc4b029952a294fc62c08b440f319b8a09757653c21a63d0eb92a8f",
        needs=("hypothesis",),
        migrate=("src", "tests", "fuzz_tests"),
        tests=("tests", "--ignore=tests/taco"),
        edits=(
            Edit("src/tensora/compile/_porcelain.py", r"from returns.*\n\n", ""),
            Edit("src/tensora/compile/_porcelain.py",
                 r"\.map_err\(raise_exception\)\.unwrap\(\)", ".or_raise()"),
            *(
                edit
                for path in ("src/tensora/expression/_parser.py", "src/tensora/format/_parser.py")
                for edit in (
                    Edit(path, r"from returns import result\n",
                         "from resultflow import Err, Result\n"
                         "from resultflow.interop.returns import from_result\n"),
                    Edit(path, r"result\.Result\b", "Result"),
                    Edit(path, r"result\.Failure\b", "Err"),
                    Edit(path, r"return (\w+\.\w+\.parse\(string\))", r"return from_result(\1)"),
                )
            ),
            Edit("tests/test_expression.py", r"\.failure\(\)", ".unwrap_err()"),
        ),
        remark="its parser library gives Results of `returns`: `from_result` takes them over",
        still_needs=True,
    ),
]  # fmt: skip


class Row(NamedTuple):
    """What came of a project."""

    project: Project
    files: int
    lines: int
    left: Counter[str]
    edited: int
    before: int
    after: int


def run(*command: str | Path, cwd: Path | None = None, may_fail: bool = False) -> str:
    """Give what a program said on both its outputs."""
    program = Path(command[0])
    done = subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        env={**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode and not may_fail:
        raise SystemExit(f"{done.stdout[-3000:]}\n{command[0]} failed with {done.returncode}")
    return done.stdout


def uv(verb: str, python: Path, *arguments: str | Path) -> None:
    """Change an environment."""
    run(sys.executable, "-m", "uv", "pip", verb, "-q", "--python", python, *arguments)


def prepared(project: Project, folder: Path) -> tuple[Path, Path]:
    """Give a project's source as it was released, and the interpreter that has it installed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{project.requirement} --hash=sha256:{project.sha256}\n", encoding="utf-8")
    if not list(folder.glob("*.tar.gz")):
        base = Path(getattr(sys, "_base_executable", sys.executable))
        run(base, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps",
            "--no-binary", project.requirement.partition("==")[0], "--require-hashes",
            "-d", folder, "-r", wanted)  # fmt: skip
    (archive,) = folder.glob("*.tar.gz")
    shutil.rmtree(folder / "source", ignore_errors=True)
    with tarfile.open(archive) as file:
        file.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    python = folder / "env" / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    uv("install", python, "--editable", source, "pytest", "attrs", "setuptools", *project.needs)
    uv("install", python, "--offline", "--no-build-isolation", "--no-deps", "--editable", ".")
    return source, python


def passed(project: Project, source: Path, python: Path) -> int:
    """Run the tests, all of which must pass, and give how many there are."""
    said = run(
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--confcutdir=.",
        *project.tests,
        cwd=source,
    )
    found = PASSED.search(said)
    if found is None:
        raise SystemExit(f"{project.requirement}: no test ran:\n{said[-3000:]}")
    return int(found[1])


def migrated(project: Project, source: Path) -> tuple[int, Counter[str]]:
    """Rewrite the source; give how many files changed, and what is left to a person."""
    said = run(sys.executable, "-m", "resultflow.cli", "migrate", project.library, "--write",
               *(source / one for one in project.migrate), may_fail=True)  # fmt: skip
    found = CHANGED.search(said)
    if found is None:
        raise SystemExit(f"{project.requirement}: not migrated:\n{said[-3000:]}")
    return int(found[1]), Counter(LEFT.findall(said))


def texts(source: Path) -> dict[Path, str]:
    """Read all the Python of a project."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.py"))}


def new_lines(source: Path, before: dict[Path, str]) -> int:
    """Count the lines that are other than they were."""
    return sum(
        line.startswith("+") and not line.startswith("+++")
        for path, text in texts(source).items()
        for line in unified_diff(before[path].splitlines(), text.splitlines(), n=0)
    )


def edit(project: Project, source: Path) -> None:
    """Do what is left to a person; an edit that meets nothing is a mistake in this file."""
    for path, pattern, new in project.edits:
        file = source / path
        text, count = re.subn(pattern, new, file.read_text(encoding="utf-8"))
        if not count:
            raise SystemExit(f"{project.requirement}: {path} has nothing like {pattern!r}")
        file.write_text(text, encoding="utf-8")


def proven(project: Project, source: Path, python: Path) -> Row:
    """Migrate a project between two runs of its tests."""
    before = passed(project, source, python)
    released = texts(source)
    files, left = migrated(project, source)
    lines = new_lines(source, released)
    rewritten = texts(source)
    edit(project, source)
    edited = new_lines(source, rewritten)
    if not project.still_needs:
        uv("uninstall", python, project.library)
    after = passed(project, source, python)
    again, _ = migrated(project, source)
    if again:
        raise SystemExit(f"{project.requirement}: a second run changed {again} files")
    return Row(project, files, lines, left, edited, before, after)


def table(rows: list[Row]) -> str:
    """Lay out what came of the projects."""
    head = (
        "| project | files changed | lines | lines by a person | tests before | tests after |\n"
        "|---|--:|--:|--:|--:|--:|\n"
    )
    return head + "".join(
        f"| {row.project.requirement.replace('==', ' ')} | {row.files} | {row.lines} "
        f"| {row.edited} | {row.before} | {row.after} |\n"
        for row in rows
    )


def main() -> int:
    """Print what came of every project, and write it into the pages."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.migrations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="projects with this in their name")
    parser.add_argument("--write", action="store_true", help="put the tables into the pages")
    given = parser.parse_args()
    if given.write and given.only:
        parser.error("--write puts down whole tables: leave --only out")
    rows: list[Row] = []
    for project in PROJECTS:
        if given.only in project.requirement:
            source, python = prepared(project, (FOLDER / project.requirement).resolve())
            row = proven(project, source, python)
            rows.append(row)
            print(table(rows[-1:]).splitlines()[-1], flush=True)
            for reason, count in row.left.most_common():
                print(f"    left {count}: {reason}")
    for library, page in PAGES.items():
        mine = [row for row in rows if row.project.library == library]
        if given.write:
            write_table(page, f"projects that used {library}", table(mine))
    return 0


if __name__ == "__main__":
    sys.exit(main())
