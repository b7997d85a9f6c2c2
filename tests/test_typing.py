"""Every type that the documentation promises is what four checkers infer, without a plugin.

The case files in `typing/` are read by checkers and run by nobody. All four must refuse a line
with `# error` and accept any other. Where `weak: reason` is added, those that `WEAKER` names for
that reason do not: they accept `# error, weak: ...`, and refuse `# weak: ...`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "typing"
FILES = sorted(CASES.glob("*.py"))
SCRIPTS = Path(sys.executable).parent

CHECKERS = {
    "mypy": [
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"),
        *("--cache-dir", ".mypy_cache/cases", "--hide-error-context"),
    ],
    "pyright": [
        *(sys.executable, "-m", "pyright", "--pythonpath", sys.executable),
        *("--project", str(CASES)),
    ],
    "ty": [
        *(str(SCRIPTS / "ty"), "check", "--python", sys.executable),
        *("--output-format", "concise", "--color", "never"),
    ],
    "pyrefly": [
        *(str(SCRIPTS / "pyrefly"), "check", "--python-interpreter-path", sys.executable),
        *("--config", str(CASES / "pyrefly.toml"), "--output-format", "min-text"),
        *("--color", "never"),
    ],
}
# Where a checker is known to be weaker than the others, and how.
WEAKER = {
    "above": (
        {"ty"},
        "takes no type arguments from a classmethod or staticmethod: decorate below",
    ),
    "bound": ({"mypy"}, "does not check the bound of a type variable in the type of `self`"),
    "condition": ({"mypy", "pyrefly"}, "do not check what `__bool__` gives; mypy's plugin does"),
    "join": ({"mypy"}, "joins the types of the items of a list; its plugin does not"),
    "lambda": ({"ty"}, "infers no parameter of a lambda that is given to a method of a union"),
    "overload": ({"ty"}, "takes the union of all overloads of a function that is passed on"),
    "star": ({"ty"}, "does not choose an overload for `*arguments` of unknown number"),
    "twice": ({"pyright"}, "names the incomplete `match` too, beside the function"),
    "unsolved": ({"ty"}, "makes a type that no argument determines Unknown, instead of Never"),
}
MARK = re.compile(r"# (?:(?P<error>error)(?:, weak: (?P<but>\w+))?|weak: (?P<only>\w+))$")
REPORTED = re.compile(r"^(?=.*\berror\b).*?(\w+\.py):(\d+)", re.IGNORECASE)


def marks() -> Iterator[tuple[tuple[str, int], re.Match[str]]]:
    """Read the marks from the case files, each with its place."""
    for file in FILES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if found := MARK.search(line):
                yield (file.name, number), found
            else:
                assert "# error" not in line, line
                assert "# weak" not in line, line


def is_refused(checker: str, mark: re.Match[str]) -> bool:
    """Tell whether a checker must report an error on a marked line."""
    return (
        checker not in WEAKER[mark["but"]][0]
        if mark["but"]
        else bool(mark["error"] or checker in WEAKER[mark["only"]][0])
    )


@pytest.mark.parametrize("checker", CHECKERS)
def test_checkers_infer_what_is_promised(checker: str) -> None:
    """Each checker refuses the lines that are marked, and no other."""
    run = subprocess.run(
        [*CHECKERS[checker], *map(str, FILES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    output = run.stdout + run.stderr
    reported = {
        (found[1], int(found[2]))
        for line in output.splitlines()
        if (found := REPORTED.search(line))
    }
    wanted = {place for place, mark in marks() if is_refused(checker, mark)}
    assert (sorted(wanted - reported), sorted(reported - wanted)) == ([], []), output


def test_every_weakness_is_shown() -> None:
    """The table lists no weakness that no case shows."""
    assert {mark["but"] or mark["only"] for _, mark in marks()} - {None} == set(WEAKER)
