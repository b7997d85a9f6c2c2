"""The code of the documentation's pages, for tests that run it elsewhere than in place."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PIECE = re.compile(
    r"^## (?P<heading>[^\n]+)|^```python\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)


def sections(page: str) -> dict[str, list[str]]:
    """Read the Python blocks of a page, by the heading that they stand under."""
    found: dict[str, list[str]] = {}
    heading = ""
    for piece in PIECE.finditer((DOCS / page).read_text(encoding="utf-8")):
        heading = piece["heading"] or heading
        if piece["code"]:
            found.setdefault(heading, []).append(piece["code"])
    return found
