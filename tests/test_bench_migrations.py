"""The proof by real projects fails when tests are red, an edit is stale, or a run is not final."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from bench.migrations import PAGES, PROJECTS, Edit, Project, proven, table
from bench.pages import table_in, write_table

SHOP = """\
from result import Err, Ok, OkErr, Result


def stock(name: str) -> Result[int, str]:
    return Ok(3) if name == "nut" else Err("none")


def is_result(given: object) -> bool:
    return isinstance(given, OkErr)
"""
TESTS = """\
from shop import is_result, stock


def test_stock():
    assert stock("nut").unwrap() == 3
    assert is_result(stock("bolt"))
"""
EDITS = (
    Edit("shop.py", r"OkErr\)", "(Ok, Err))"),
    Edit("shop.py", r"from result import OkErr\n", ""),
)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project that uses `result`, in a folder; its tests need nothing of these here."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    return tmp_path


def project(*edits: Edit) -> Project:
    """Describe that project."""
    return Project(
        library="result",
        requirement="shop==1",
        sha256="",
        needs=(),
        migrate=(".",),
        tests=("-c", "/dev/null", "--rootdir=."),
        edits=edits,
        still_needs=True,  # the environment is that of these tests
    )


def test_project_is_proven(shop: Path) -> None:
    """The row counts files, changed lines, those of a person, and tests before and after."""
    row = proven(project(*EDITS), shop, Path(sys.executable))
    assert (row.files, row.lines, row.edited, row.before, row.after) == (1, 2, 1, 1, 1)
    assert dict(row.left) == {"'OkErr': write (Ok, Err)": 1}
    assert table([row]).splitlines()[-1] == "| shop 1 | 1 | 2 | 1 | 1 | 1 |"
    assert "from result " not in (shop / "shop.py").read_text()


def test_red_tests_are_no_proof(shop: Path) -> None:
    """Tests that fail before, or that fail since nobody did what was left, end the proof."""
    with pytest.raises(SystemExit, match=r"1 failed"):
        proven(project(EDITS[1]), shop, Path(sys.executable))
    (shop / "test_shop.py").write_text("def test_nothing(): assert False\n")
    with pytest.raises(SystemExit, match=r"1 failed"):
        proven(project(*EDITS), shop, Path(sys.executable))


def test_stale_edit_is_a_mistake(shop: Path) -> None:
    """An edit that meets nothing is refused, so that the list stays as short as it can be."""
    with pytest.raises(SystemExit, match=r"shop\.py has nothing like 'Nothing'"):
        proven(project(Edit("shop.py", "Nothing", "")), shop, Path(sys.executable))


def test_change_by_a_second_run_is_a_mistake(shop: Path) -> None:
    """What a person writes may not bring back what the codemod would change."""
    back = Edit("shop.py", r"\A", "from result import Ok as Old\n")
    with pytest.raises(SystemExit, match="a second run changed 1 files"):
        proven(project(*EDITS, back), shop, Path(sys.executable))


@pytest.mark.parametrize("library", PAGES)
def test_page_has_every_project(library: str) -> None:
    """The tables in the pages have the projects of the list, at these versions, all green."""
    page = Path(__file__).parents[1] / PAGES[library]
    rows = table_in(page, f"projects that used {library}").splitlines()[2:]
    wanted = [one.requirement.replace("==", " ") for one in PROJECTS if one.library == library]
    assert [row.split("|")[1].strip() for row in rows] == wanted
    for row in rows:
        before, after = row.split("|")[-3:-1]
        assert before == after


def test_projects_are_pinned() -> None:
    """A project is one release, known by its hash."""
    for one in PROJECTS:
        assert re.fullmatch(r"[\w-]+==[\d.]+", one.requirement)
        assert re.fullmatch(r"[0-9a-f]{64}", one.sha256)


def test_table_is_written_between_its_markers(tmp_path: Path) -> None:
    """What stands around the markers stays, and a page without them is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- it -->\n\n<!-- end of it -->\nafter\n")
    for table_text in ("| a |\n", "| b |\n"):
        write_table(page, "it", table_text)
        assert table_in(page, "it") == table_text
    start, end = "before\n<!-- it -->\n\n", "\n<!-- end of it -->\nafter\n"
    assert page.read_text() == f"{start}| b |\n{end}"
    with pytest.raises(SystemExit, match="has no place for 'other'"):
        write_table(page, "other", "")
