"""Look at sources of growing size, and tell how the engine's cost grows with them.

Each source is a package of modules with classes, calls across modules, handlers and context
managers. The verdict is on the exponent of a power fitted to the processor's time over the lines:
1 is linear.
"""

import math
import sys
import tempfile
from pathlib import Path
from time import process_time

from resultflow.check.raises import Program
from resultflow.check.settings import Settings

MODULES = (25, 50, 100, 200, 400)
ROUNDS = 3
BOUND = 1.15
SOURCE = '''\
import contextlib
from pkg import m{before}


class Lost{number}(Exception):
    """Something is gone."""


class Job{number}(m{before}.Job{before}):
    def __init__(self, name):
        self.name = name
        self.other = m{before}.Job{before}(name)

    def run(self, value):
        try:
            self.other.run(int(value))
        except ValueError as exc:
            raise Lost{number}(value) from exc
        return self.load(value)

    def load(self, value):
        with opened{number}(self.name) as file:
            return file.read() + str(value)


@contextlib.contextmanager
def opened{number}(name):
    with open(name) as file:
        try:
            yield file
        except Lost{number}:
            raise


def use{number}(job: Job{number}):
    for value in job.name:
        job.run(value)
    m{before}.use{before}(job)
'''
FIRST = """\
class Job0:
    def run(self, value): raise OSError
def use0(job): job.run(1)
"""


def write(folder: Path, modules: int) -> int:
    """Write a package, and tell how many lines it has."""
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").touch()
    (folder / "pkg" / "m0.py").write_text(FIRST, encoding="utf-8")
    lines = 0
    for number in range(1, modules + 1):
        # Ten chains: how deep classes are derived does not grow with their number.
        before = number - 10 if number > 10 and number % 50 > 10 else 0  # noqa: PLR2004
        source = SOURCE.format(number=number, before=before)
        lines += source.count("\n")
        (folder / "pkg" / f"m{number}.py").write_text(source, encoding="utf-8")
    return lines


def seconds(folder: Path, modules: int) -> float:
    """Give the processor's time to read a package, and to answer for all of its functions."""
    started = process_time()
    program = Program([folder], Settings())
    for number in range(1, modules + 1):
        if not program.escapes(f"pkg.m{number}.use{number}"):
            raise AssertionError(number)
    return process_time() - started


def main() -> int:
    """Print the table; 1 when the cost grows faster than the source."""
    rows: list[tuple[int, float]] = []
    for modules in MODULES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = write(folder, modules)
            best = min(seconds(folder, modules) for _ in range(ROUNDS))
        rows.append((lines, best))
        print(f"{lines:>8,} lines {best:>8.2f} s {best / lines * 1e6:>8.1f} µs a line")
    xs = [math.log(lines) for lines, _ in rows]
    ys = [math.log(cost) for _, cost in rows]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    exponent = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - middle_x) ** 2 for x in xs
    )
    verdict = "ok" if exponent <= BOUND else "MISSED"
    print(f"exponent {exponent:.2f}, at most {BOUND}: {verdict}")
    return int(exponent > BOUND)


if __name__ == "__main__":
    sys.exit(main())
