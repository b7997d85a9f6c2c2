"""Count the instructions of the ten hottest operations under callgrind: they repeat exactly.

Each is counted in two runs of which one does more of it; the difference leaves out the start of
the interpreter and the import.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

from bench.values import OPERATIONS, OURS, setup

HOTTEST = (
    "make an Ok",
    "make an Err",
    "map",
    "and_then, ten times",
    "is it Ok, then its value",
    "read the value",
    "match: case Ok(v)",
    "safe, success",
    "safe, raise",
    "five steps, all Ok",
)
FEW, MORE = 2_000, 12_000
PROGRAM = """
{setup}
def run(times):
    for _ in range(times):
        {statement}
run({times})
"""


def counted(rival: str, statement: str, times: int, pure: str) -> int:
    """Give the instructions of a whole run."""
    program = PROGRAM.format(setup=setup(rival), statement=statement, times=times)
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(sys.executable, "-c", program.replace("range(10_000)", "range(10)")),
        ],
        env={**os.environ, "RESULTFLOW_PURE": pure, "PYTHONHASHSEED": "0"},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise AssertionError(done.stderr)
    return int(found[1])


def each(rival: str, statement: str, pure: str = "0") -> float:
    """Give the instructions of one of them."""
    few, more = (counted(rival, statement, times, pure) for times in (FEW, MORE))
    return (more - few) / (MORE - FEW)


def main() -> int:
    """Print the table; 2 where there is no valgrind."""
    parser = argparse.ArgumentParser(prog="make counts COUNTS=...", description=__doc__)
    parser.add_argument("--pure", action="store_true", help="count the pure build, too")
    asked = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("there is no valgrind here: install the package valgrind", file=sys.stderr)
        return 2
    print(f"{'instructions':<28}{'bare':>10}{'resultflow':>12}{'ratio':>8}")
    for operation in OPERATIONS:
        if operation.title not in HOTTEST:
            continue
        bare, ours = (each(name, operation.rivals[name]) for name in ("bare", OURS))
        row = f"{operation.title:<28}{bare:>10,.0f}{ours:>12,.0f}{ours / bare:>8.2f}"
        if asked.pure:
            row += f"{each(OURS, operation.rivals[OURS], '1'):>12,.0f} in the pure build"
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
