"""Time imports of resultflow beside `import attrs`, its one requirement, in one run.

The names at the door are imported when asked for, so there are three statements: the package, its
commonest name, and all of its names, which nobody imports and which has no bound. Each is timed in
a fresh interpreter, they take turns, and the fastest of each counts.
"""

import argparse
import subprocess
import sys

BOUND = 1.3
LIMIT = "import attrs"
OWN = ("import resultflow", "from resultflow import Ok")
ALL = "from resultflow import *"
TIMED = """
from time import perf_counter
started = perf_counter()
{statement}
print(perf_counter() - started)
"""


def seconds(statement: str) -> float:
    """Give the seconds that an import takes in a fresh interpreter."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", TIMED.format(statement=statement)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(run.stdout)


def main() -> int:
    """Print all and their ratios; 1 when the bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.import_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each (default: 40)")
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds must be at least 1, but is {rounds}")
    statements = (LIMIT, *OWN, ALL)
    turns = [[seconds(statement) for statement in statements] for _ in range(rounds)]
    took = dict(zip(statements, map(min, zip(*turns, strict=True)), strict=True))
    is_missed = False
    for statement, fastest in took.items():
        ratio = fastest / took[LIMIT]
        told = f"{statement:<26} {fastest * 1e3:6.2f} ms   {ratio:.2f}"
        if statement in OWN:
            is_missed |= ratio > BOUND
            told += f", at most {BOUND}: {'MISSED' if ratio > BOUND else 'ok'}"
        print(told)
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
