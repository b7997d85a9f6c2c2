"""Tables that programs write into the documentation, between two markers."""

from pathlib import Path

__all__ = ["table_in", "write_table"]


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(start)
    inner, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"{page} has no place for {name!r}: write {start!r} and {end!r} into it")
    return before + start, inner, end + after


def table_in(page: Path, name: str) -> str:
    """Read a table."""
    return _parts(page, name)[1].strip("\n") + "\n"


def write_table(page: Path, name: str, table: str) -> None:
    """Replace a table."""
    before, _, after = _parts(page, name)
    page.write_text(f"{before}\n{table}{after}", encoding="utf-8")
