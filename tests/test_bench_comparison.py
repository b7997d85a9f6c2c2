"""The comparison with the peers says what their programs say now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench.comparison import HERE, OPTIONS, PAGE, PLUGIN, dependencies, layout, who, written
from bench.pages import table_in
from bench.peers import QUESTIONS

ROOT = Path(__file__).parents[1]
# How many places there are depends on the build.
PLACES = re.compile(r"at \d+ of \d+ places")


def told(name: str) -> dict[str, dict[str, str]]:
    """Read a table of the page: a cell for each question and each column."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table_in(ROOT / PAGE, name).splitlines()
    )
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.fixture(scope="module")
def answers(unmeasured: dict[str, str]) -> dict[str, dict[str, dict[str, str]]]:
    """Give what the programs say that need no other environment."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.comparison", "--here"],
        cwd=ROOT,
        env=unmeasured,
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    )
    found: dict[str, dict[str, dict[str, str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["checkers", "run time", "scopes"])
def test_page_says_what_the_programs_say(
    name: str, answers: dict[str, dict[str, dict[str, str]]]
) -> None:
    """Each cell that can be had here is in the page; on another Python, those of resultflow."""
    page = told(name)
    assert list(answers[name]) == list(page)
    for question, cells in answers[name].items():
        for column, cell in cells.items():
            written_there, said_here = (
                PLACES.sub("at some places", one) for one in (page[question][column], cell)
            )
            assert said_here == written_there, f"{question}, {column}: run `make compare`"


def test_page_has_each_library_and_a_reason_for_each_dash() -> None:
    """No cell is empty, and what is asked of type checkers has a reason where nothing is said."""
    for name in ("checkers", "run time", "scopes", "processes", "cost"):
        for question, cells in told(name).items():
            for column, cell in cells.items():
                assert cell, f"{question}, {column}"
                assert name != "checkers" or cell != "-", f"{question}, {column}"
    assert set(HERE) < set(told("checkers")[next(iter(QUESTIONS))])


def test_programs_differ_in_one_mistake(tmp_path: Path) -> None:
    """The two programs of a question are the same but for what is asked about."""
    for pair in written(tmp_path, HERE).values():
        if not isinstance(pair, str):
            good, bad = ((tmp_path / f"{one}.py").read_text().splitlines() for one in pair)
            assert good != bad
            kept = [line for line in bad if line in good]
            assert len(bad) - len(kept) <= 1 or "exceptions" in pair[0], pair


@pytest.mark.parametrize(
    ("bad", "both", "optional", "said"),
    [
        ("", "", "", "nobody"),
        ("mypy pyright ty pyrefly", "", "", "all four"),
        ("mypy plugin", "", "", "mypy"),
        ("plugin", "", "pyright", f"{PLUGIN}, pyright with `{OPTIONS['pyright']}`"),
        ("", "mypy pyright ty pyrefly plugin", "", "all four refuse both programs"),
        ("ty", "mypy plugin", "", "ty (mypy refuses both programs)"),
        ("plugin", "mypy pyright", "", f"{PLUGIN} (pyright refuses both programs)"),
    ],
)  # fmt: skip
def test_checker_that_refuses_what_is_right_is_told(
    bad: str, both: str, optional: str, said: str
) -> None:
    """A refusal of both programs is no find, nor is it silence; a check of an option is named."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for one in ("mypy", "pyright", "ty", "pyrefly", "plugin"):
        by_rule = {"bad"} if one in bad.split() else set[str]()
        by_rule |= {"good", "bad"} if one in both.split() else set()
        found[PLUGIN if one == "plugin" else one] = (
            by_rule,
            {"bad"} if one in optional.split() else set(),
        )
    assert who(("good", "bad"), found) == said


def test_table_is_markdown() -> None:
    """A row has a cell for every column, a dash where there is none."""
    made = layout({"q": {"b": "yes"}}, ["a", "b"])
    assert made == "| | a | b |\n|---|---|---|\n| q | - | yes |\n"


def test_dependencies_are_counted_without_extras() -> None:
    """What comes along counts, what an extra would bring does not."""
    assert dependencies("attrs") == 0
    assert dependencies("resultflow") == 1
