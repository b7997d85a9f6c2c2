"""What the FastAPI page says of checkers is what they report; Sybil runs its code."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "fastapi.md"

FORGOTTEN = """
@frozen
class Forgotten:
    pass


Error: TypeAlias = JobGone | JobTaken | DatabaseGone | Forgotten
"""

UNHEARD_OF = """
def refuse() -> Result[Job, JobGone | str]:
    return Err("no")


@app.get("/refuse", response_model=Job)
def refused() -> Job | JSONResponse:
    return reply(refuse())
"""


def test_a_forgotten_error_is_found_by_a_checker(tmp_path: Path) -> None:
    """The page passes; an error class without a status does not, nor one that `Error` lacks."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(block for block in blocks if ">>>" not in block)
    line = "Error: TypeAlias = JobGone | JobTaken | DatabaseGone\n"
    assert line in code
    (tmp_path / "page.py").write_text(code)
    (tmp_path / "forgotten.py").write_text(code.replace(line, FORGOTTEN))
    (tmp_path / "unheard_of.py").write_text(code + UNHEARD_OF)
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\nplugins = resultflow.mypy_plugin\n")
    run = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "mypy",
                "--config-file",
                str(settings),
                "--hide-error-context",
            ),
            *("--cache-dir", ".mypy_cache/guides", "--no-error-summary"),
            *sorted(str(file) for file in tmp_path.glob("*.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    reported = [line.rpartition("/")[2] for line in run.stdout.splitlines() if ": error: " in line]
    forgotten, unheard_of = sorted(reported)
    message = (
        'Argument 1 to "assert_never" has incompatible type "type[Forgotten]"; expected "Never"'
    )
    assert forgotten.startswith("forgotten.py:")
    assert message in forgotten
    assert message in PAGE.read_text(encoding="utf-8")
    assert unheard_of.startswith("unheard_of.py:")
    assert 'Argument 1 to "reply" has incompatible type' in unheard_of
