"""What was found, in each of the forms that it can be told in, and the baseline."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote

from resultflow.check.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "FORMS",
    "BaselineError",
    "Finding",
    "gone",
    "read_baseline",
    "without",
    "write_baseline",
]

Key = tuple[str, str, str]


class Finding(NamedTuple):
    """One place that is wrong; lines and columns count from 1, and the end is past the last."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    message: str
    what: str  # what stays the same when lines move

    @property
    def key(self) -> Key:
        """What stays the same when lines move."""
        return self.path, self.code, self.what


# The forms


def as_text(findings: list[Finding]) -> str:
    """Give a line for each, as mypy writes them."""
    return "".join(
        f"{one.path}:{one.line}:{one.column}: error: {one.message}  [{one.code}]\n"
        for one in findings
    )


def as_json(findings: list[Finding]) -> str:
    """Give an array of objects."""
    told = [
        {name: value for name, value in one._asdict().items() if name != "what"}
        for one in findings
    ]
    return json.dumps(told, indent=1) + "\n"


def as_github(findings: list[Finding]) -> str:
    """Give workflow commands, which GitHub shows at the lines of a pull request."""
    return "".join(
        f"::error file={_escaped(one.path, ':,')},line={one.line},col={one.column},"
        f"endLine={one.end_line},endColumn={one.end_column},title={one.code}::"
        f"{_escaped(one.message)}\n"
        for one in findings
    )


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{also}" else char for char in text)


def as_sarif(findings: list[Finding]) -> str:
    """Give a SARIF 2.1.0 log, for code scanning."""
    driver = {
        "name": "resultflow",
        "rules": [
            {
                "id": code.name,
                "shortDescription": {"text": code.title},
                "fullDescription": {"text": code.why},
                "defaultConfiguration": {"level": "error"},
            }
            for code in CODES
        ],
    }
    indices = {code.name: position for position, code in enumerate(CODES)}
    results = [
        {
            "ruleId": one.code,
            "ruleIndex": indices[one.code],
            "level": "error",
            "message": {"text": one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.path)},
                        "region": {
                            "startLine": one.line,
                            "startColumn": one.column,
                            "endLine": one.end_line,
                            "endColumn": one.end_column,
                        },
                    }
                }
            ],
            "partialFingerprints": {"resultflow/v1": ":".join(one.key)},
        }
        for one in findings
    ]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(log, indent=1) + "\n"


def _uri(path: str) -> str:
    """Give the reference for a path, which is relative where the path is."""
    # Each byte of a name that is no text has its code.
    return Path(path).as_uri() if Path(path).is_absolute() else quote(os.fsencode(path))


FORMS: dict[str, Callable[[list[Finding]], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}

# The baseline: what was there when a project began to check


class BaselineError(Exception):
    """A baseline that cannot be read."""


def write_baseline(file: Path, findings: Iterable[Finding]) -> None:
    """Write a baseline that knows all these findings, in a form that is good to compare.

    Raises:
        BaselineError: when the file cannot be written.
    """
    counts = Counter(_known_by(one, file) for one in findings)
    entries = [
        {"path": path, "code": code, "what": what, "count": count}
        for (path, code, what), count in sorted(counts.items())
    ]
    try:
        file.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    except OSError as exc:
        raise BaselineError(f"{file}: cannot be written: {exc}") from exc


def read_baseline(file: Path) -> Counter[Key]:
    """Read a baseline.

    Raises:
        BaselineError: when the file is not there, or is none.
    """
    try:
        entries = cast("list[dict[str, str | int]]", json.loads(file.read_text(encoding="utf-8")))
        return Counter(
            {
                (str(one["path"]), str(one["code"]), str(one["what"])): int(one["count"])
                for one in entries
            }
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as exc:
        raise BaselineError(
            f"{file}: is no baseline ({exc!r}): make one with --write-baseline"
        ) from exc


def without(
    findings: list[Finding], known: Counter[Key], file: Path
) -> tuple[list[Finding], Counter[Key]]:
    """Give the findings that the baseline in a file does not know, and what only it knows."""
    left, new = known.copy(), list[Finding]()
    for one in findings:
        key = _known_by(one, file)
        if left[key] > 0:
            left[key] -= 1
        else:
            new.append(one)
    return new, +left


def gone(left: Counter[Key], scanned: Iterable[str], file: Path) -> int:
    """Count what a baseline knows of files that were looked through, or are there no more."""
    seen = {_from(path, file) for path in scanned}
    return sum(
        count
        for key, count in left.items()
        if key[0] in seen or not os.path.exists(file.parent / key[0])  # noqa: PTH110 - it never raises
    )


def _known_by(finding: Finding, file: Path) -> Key:
    """Give what a baseline knows a finding by, wherever the command is started."""
    return _from(finding.path, file), finding.code, finding.what


def _from(path: str, file: Path) -> str:
    return Path(os.path.relpath(path, file.parent)).as_posix()
