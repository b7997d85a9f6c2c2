"""What `docs/explanation/plugin-limits.md` says of each line is what the checkers say of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.plugin import modes

if TYPE_CHECKING:
    from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "explanation" / "plugin-limits.md"
BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK: Final = re.compile(r"# -> (mypy|pyright): ([\w-]+)")
SETTINGS: Final = """
[tool.mypy]
plugins = ["resultflow.mypy_plugin"]
strict = true

[tool.resultflow]
strict = true
may-raise = ["*"]
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save each block as a module, the first as the one that the others import."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    for number, block in enumerate(BLOCK.findall(PAGE.read_text(encoding="utf-8"))):
        name = f"case_{number}.py" if number else "jobs.py"
        (folder / name).write_text(block, encoding="utf-8")
    return folder


def told(folder: Path, checker: str) -> set[tuple[str, int, str]]:
    """Give file, line and code of what the page says that a checker reports."""
    return {
        (path.name, number, code)
        for path in folder.glob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for who, code in MARK.findall(line)
        if who == checker
    }


def test_each_case_shows_a_limit(cases: Path) -> None:
    """Each block but the common one has something that a checker does not report."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(cases.glob("case_*.py"))]
    assert len(texts) >= 8
    for text in texts:
        assert "# -> nobody" in text or "# -> pyright" in text, text


def test_mypy_reports_what_the_page_says_and_nothing_else(cases: Path) -> None:
    """Mypy with the plugin, all codes switched on, is silent where the page says `nobody`."""
    found, said = modes.check(modes.Mode(), cases, is_measured=False)
    assert set(found) == told(cases, "mypy"), said


def test_pyright_reports_what_the_page_says_and_nothing_else(cases: Path) -> None:
    """Pyright in its standard mode does not miss more than the page says."""
    ran = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=cases,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["rule"])
        for one in json.loads(ran.stdout)["generalDiagnostics"]
        if one["severity"] == "error"
    }
    assert found == told(cases, "pyright"), ran.stdout
