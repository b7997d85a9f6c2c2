"""Time `import resultflow` beside `import attrs`, its one requirement, in one run.

Each import is timed in a fresh interpreter, the two take turns, and the fastest of each counts.
"""

import argparse
import subprocess
import sys

BOUND = 1.3
TIMED = """
from time import perf_counter
started = perf_counter()
import {module}
print(perf_counter() - started)
"""


def seconds(module: str) -> float:
    """Give the seconds that an import takes in a fresh interpreter."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", TIMED.format(module=module)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(run.stdout)


def main() -> int:
    """Print both and their ratio; 1 when the bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.import_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each (default: 40)")
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds must be at least 1, but is {rounds}")
    pairs = [(seconds("attrs"), seconds("resultflow")) for _ in range(rounds)]
    attrs, own = (min(column) for column in zip(*pairs, strict=True))
    verdict = "ok" if own / attrs <= BOUND else "MISSED"
    print(f"import attrs        {attrs * 1e3:6.2f} ms")
    print(
        f"import resultflow   {own * 1e3:6.2f} ms   {own / attrs:.2f}, at most {BOUND}: {verdict}"
    )
    return int(verdict != "ok")


if __name__ == "__main__":
    sys.exit(main())
