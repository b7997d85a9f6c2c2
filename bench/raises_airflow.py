"""Ask `resultflow escapes` about Airflow 2.6.3's scheduler: what it says, time and memory.

Airflow is installed, not imported, in an environment of its own below the temporary folder. Exit
status 1: an answer lacks what the story is about, or a bound was missed. The bounds are on the
processor's time of the whole command with its workers, spread over two cores: what else the
machine does counts little.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import NamedTuple

FOLDER = Path(tempfile.gettempdir(), "resultflow-airflow")
COLD, WARM, MEMORY = 60.0, 3.0, 1536
ERROR = "sqlalchemy.exc.OperationalError"
ASKED = {
    "airflow.cli.commands.scheduler_command:scheduler": (
        "past the yield of airflow.cli.commands.scheduler_command._serve_logs",
        "past the yield of airflow.cli.commands.scheduler_command._serve_health_check",
        "airflow.jobs.job.Job.complete_execution",
    ),
    "airflow.jobs.job:run_job": ("airflow.jobs.job.Job.complete_execution",),
}


def site_packages() -> Path:
    """Give the folder that Airflow is in; installed once."""
    environment = FOLDER / "env"
    if not (FOLDER / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", "3.11", environment], check=True)
        subprocess.run(
            [*uv, "pip", "install", "-q", "--python", environment / "bin" / "python",
             "apache-airflow[postgres]==2.6.3", "--exclude-newer", "2023-07-20"],
            check=True,
        )  # fmt: skip
        (FOLDER / "ready").touch()
    (site,) = (environment / "lib").glob("python*/site-packages")
    return site


class Answer(NamedTuple):
    """What the command printed, and what it cost."""

    text: str
    wall: float
    processor: float  # of two


def ask(entry: str, site: Path, cache: Path) -> Answer:
    """Run the command, and tell how long it took."""
    started, before = monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "resultflow.cli", "escapes", entry,
         "--search", site, "--cache", cache],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Answer(done.stdout, monotonic() - started, spent / 2)


def ways(text: str) -> str:
    """Give the part of an answer that is about the database's error."""
    return next(part for part in text.split("\n\n") if part.startswith(ERROR))


def main() -> int:
    """Print the table and the story; 1 when something is missing or too slow."""
    site = site_packages()
    is_right = True
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)  # no settings but the defaults
        for number, (entry, wanted) in enumerate(ASKED.items()):
            first = ask(entry, site, Path(name, "cache"))
            again = ask(entry, site, Path(name, "cache"))
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            print(f"{entry}, at most {peak} MB")
            for what, one in (("first" if number else "cold", first), ("again", again)):
                print(f"  {what:<6}{one.wall:>6.1f} s, {one.processor:.1f} s of two processors")
            story = ways(first.text)
            for what in wanted:
                print(f"  {'found' if what in story else 'MISSING'}: {what}")
                is_right &= what in story
            is_right &= again.text == first.text and peak < MEMORY
            is_right &= first.processor < COLD and again.processor < WARM
    print("ok" if is_right else "MISSED")
    return int(not is_right)


if __name__ == "__main__":
    sys.exit(main())
