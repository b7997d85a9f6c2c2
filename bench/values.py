"""Time what is done with Results: bare tuples, resultflow and its peers at the same work.

The peers live in an environment of their own, `.bench`, that the first run makes. Within an
operation the rivals take turns in an order that is drawn anew each round, the processor's time
counts, and of each rival its fastest round: noise only ever adds. Ratios of one run compare;
those of two runs or two machines do not.
"""

import argparse
import importlib
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from time import process_time
from timeit import Timer

FOLDER = Path(".bench")
PEERS = {
    "result": "result",
    "returns": "returns",
    "expression": "Expression",
    "corrode": "corrode",
}
OURS, HAND = "resultflow", "by hand"
ROUND_SECONDS = 0.01
WITHIN = 1.05

# What each rival calls things; the functions below are made once for each, from these names.
NAMES = {
    "bare": "",
    HAND: "from resultflow import Ok, Err",
    OURS: "from resultflow import Ok, Err, collect, do as block, safe; guarded = safe(ValueError)",
    "result": "from result import Ok, Err, as_result, do; guarded = as_result(ValueError)",
    "returns": """
from returns.iterables import Fold
from returns.result import Result, Success as Ok, Failure as Err, safe
guarded, do = safe(exceptions=(ValueError,)), Result.do
""",
    "expression": """
from expression import Ok, Error as Err, effect
from expression.extra.result import catch
guarded, block = catch(exception=ValueError), effect.result()
""",
    "corrode": """
from corrode import Ok, Err, as_result, do
from corrode.iterator import collect
guarded = as_result(ValueError)
""",
}
WORK = """
def add(n): return n + 1
def parse(text): return int(text)
def refuse(n): raise ValueError(n)
def step(n): return Err("three") if n == 3 else Ok(n + 1)
"""
BARE_WORK = (
    """
def add(n): return n + 1
def refuse(n): raise ValueError(n)
def step(n): return (False, "three") if n == 3 else (True, n + 1)
def same(n): return n
def wrapped(f):
    def call(*args):
        return f(*args)
    return call
def guarded(f):
    def call(*args):
        try:
            return True, f(*args)
        except ValueError as exc:
            return False, exc
    return call
def five(n):
    r = step(n)
    if not r[0]: return r
    r = step(r[1])
    if not r[0]: return r
    r = step(r[1])
    if not r[0]: return r
    r = step(r[1])
    if not r[0]: return r
    return step(r[1])
def chain(s):
    r = (True, 10)
"""
    + 10 * "    r = s(r[1]) if r[0] else r\n"
    + """
    return r
def collect(results):
    values = []
    for ok, value in results:
        if not ok: return ok, value
        values.append(value)
    return True, values
def match(r):
    match r:
        case (True, v): return v
"""
)
FIVE: dict[str, str] = {
    HAND: """
def five(n):
    r = step(n)
    if isinstance(r, Err): return r
    r = step(r.value)
    if isinstance(r, Err): return r
    r = step(r.value)
    if isinstance(r, Err): return r
    r = step(r.value)
    if isinstance(r, Err): return r
    return step(r.value)
""",
    OURS: """
@block
def five(bind, n):
    a = bind(step(n)); b = bind(step(a)); c = bind(step(b)); d = bind(step(c))
    return bind(step(d))
""",
    "expression": """
@block
def five(n):
    a = yield from step(n); b = yield from step(a); c = yield from step(b); d = yield from step(c)
    return (yield from step(d))
""",
}
GENERATED = """
def five(n):
    return do(
        %s for a in step(n) for b in step(a) for c in step(b) for d in step(c) for e in step(d)
    )
"""
GENERATOR = {"result": "Ok(e)", "corrode": "Ok(e)", "returns": "e"}
MATCH = """
def match(r):
    match r:
        case Ok(v): return v
def match_by_name(r):
    match r:
        case %s: return v
"""
ALL = (OURS, *PEERS)
BIND: dict[str, str] = dict.fromkeys(("returns", "expression"), "bind")
OK = {"returns": "type(r) is Ok", "expression": "r.is_ok()"}
VALUE = {"returns": "r.unwrap()", "expression": "r.ok"}


class Operation:
    """One thing that is done: a statement for each rival, and what it may cost.

    Attributes:
        bound: how many times what bare tuples take.
        hand: how many times what the same takes, written by hand with `isinstance`.
    """

    def __init__(
        self,
        title: str,
        bare: str | None,
        others: dict[str, str],
        *,
        bound: float | None = None,
        hand: float | None = None,
    ) -> None:
        self.title = title
        self.rivals = ({"bare": bare} if bare else {}) | others
        self.bound, self.hand = bound, hand


def alike(statement: str, **different: str) -> dict[str, str]:
    """Give every library the same statement, but for those that say it otherwise."""
    return {name: different.get(name, statement) for name in ALL}


R_OK = "r = Ok(1)"
OPERATIONS = [
    Operation("make an Ok", "(True, x)", alike("Ok(x)"), bound=2),
    Operation("make an Err", "(False, x)", alike("Err(x)")),
    Operation("map", "(True, add(r[1])) if r[0] else r", alike("r.map(add)"), bound=1.2),
    Operation("map of an Err", "(True, add(e[1])) if e[0] else e", alike("e.map(add)")),
    Operation(
        "and_then, ten times",
        "chain(step)",
        {name: "r10" + f".{BIND.get(name, 'and_then')}(step)" * 10 for name in ALL},
        bound=1.4,
    ),
    Operation(
        "is it Ok, then its value",
        "r[1] if r[0] else 0",
        {
            name: f"{VALUE.get(name, 'r.unwrap()')} if {OK.get(name, 'r.is_ok()')} else 0"
            for name in ALL
        },
    ),
    Operation(
        "read the value",
        "r[1]",
        alike("r.ok_value", resultflow="r.value", returns="r._inner_value", expression="r.ok"),
    ),
    Operation("match: case Ok(v)", "match(r)", alike("match(r)", expression="")),
    Operation("match: case Ok(value=v)", "match(r)", alike("match_by_name(r)")),
    Operation("safe, success", "bare_call(1)", alike("call(1)"), bound=1.0),
    Operation("safe, raise", "failing(1)", alike("failing(1)"), bound=1.2),
    Operation(
        "five steps, all Ok",
        "five(10)",
        {HAND: "five(10)", **alike("five(10)")},
        bound=2,
        hand=1.3,
    ),
    Operation("five steps, the third an Err", "five(1)", {HAND: "five(1)", **alike("five(1)")}),
    Operation("unwrap_or of an Err", "e[1] if e[0] else 0",
              alike("e.unwrap_or(0)", returns="e.value_or(0)", expression="e.default_value(0)")),
    Operation("==", "r == r2", alike("r == r2")),
    Operation("hash", "hash(r)", alike("hash(r)", expression="")),
    Operation(
        "collect 10,000",
        "collect(many)",
        {
            OURS: "collect(many)",
            "returns": "Fold.collect(many, Ok(()))",
            "corrode": "collect(many)",
        },
        bound=0.5,
    ),
]  # fmt: skip
for operation in OPERATIONS:
    operation.rivals = {name: said for name, said in operation.rivals.items() if said}


def setup(rival: str) -> str:
    """Write what a rival's statements need."""
    if rival == "bare":
        return BARE_WORK + (
            "x = 1; r, r2, e = (True, 1), (True, 1), (False, 'x')\n"
            "bare_call, failing = wrapped(same), guarded(refuse)\n"
            "many = [(True, n) for n in range(10_000)]"
        )
    by_name = {
        OURS: "Ok(value=v)",
        HAND: "Ok(value=v)",
        "returns": "Ok(_inner_value=v)",
        "expression": "Result(tag='ok', ok=v)",
    }
    shown = by_name.get(rival, "Ok(ok_value=v)")
    extra = "from expression import Result\n" if rival == "expression" else ""
    five = FIVE[rival] if rival in FIVE else GENERATED % GENERATOR[rival]
    calls = "" if rival == HAND else "call, failing = guarded(add), guarded(refuse)\n"
    return (
        NAMES[rival] + "\n" + extra + WORK + five + MATCH % shown + calls
        + "x = 1; r, r2, r10, e = Ok(1), Ok(1), Ok(10), Err('x')\n"
        "many = [Ok(n) for n in range(10_000)]"
    )  # fmt: skip


def timed(rivals: dict[str, str], rounds: int) -> dict[str, float]:
    """Give the nanoseconds that each rival takes, in its fastest round."""
    timers = {name: Timer(said, setup(name), timer=process_time) for name, said in rivals.items()}
    calls: dict[str, int] = {}
    for name, timer in timers.items():
        count = 1
        while (taken := timer.timeit(count)) < ROUND_SECONDS / 8:
            count *= 4
        calls[name] = max(1, round(count * ROUND_SECONDS / taken))
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(timers), len(timers)):
            best[name] = min(best[name], timers[name].timeit(calls[name]) / calls[name])
    return {name: seconds * 1e9 for name, seconds in best.items()}


def bytes_each(rival: str) -> float:
    """Give the memory that an Ok takes, without its value."""
    import tracemalloc

    names: dict[str, object] = {}
    exec(setup(rival), names)  # noqa: S102 - this module's own text
    exec("kept = [None] * 10_000; values = list(range(10_000))", names)  # noqa: S102
    tracemalloc.start()
    made = "(True, v)" if rival == "bare" else "Ok(v)"
    exec(f"for i, v in enumerate(values): kept[i] = {made}", names)  # noqa: S102 - as above
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 10_000


def work(rounds: int) -> None:
    """Measure, in the environment that has the peers, and print it as JSON."""
    here = ["bare", HAND, OURS]
    for peer in PEERS:
        try:
            importlib.import_module(peer)
        except ImportError as exc:
            print(f"left out: {exc}", file=sys.stderr)
        else:
            here.append(peer)
    measured: dict[str, dict[str, float]] = {}
    for operation in OPERATIONS:
        rivals = {name: said for name, said in operation.rivals.items() if name in here}
        measured[operation.title] = timed(rivals, rounds)
        print(f"measured: {operation.title}", file=sys.stderr)
    memory = {name: bytes_each(name) for name in here if name != HAND}
    from resultflow._build import native

    build = "compiled" if native else "pure"
    version = sys.version.split()[0]
    print(json.dumps({"python": version, "build": build, "ns": measured, "bytes": memory}))


def interpreter() -> str:
    """Give the Python of an environment that has the peers, and this package beside them."""
    folder = FOLDER / f"{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        base = [uv, "pip", "install", "--quiet", "--python", str(python)]
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            [*base, "attrs", "setuptools", *PEERS.values()],
        ):
            subprocess.run(command, check=True)
        (folder / "made").touch()
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run(
        [
            *(uv, "pip", "install", "--quiet", "--offline", "--no-build-isolation", "--no-deps"),
            *("--python", str(python), "--editable", "."),
        ],
        check=True,
    )
    return str(python)


def verdicts(operation: Operation, ns: dict[str, float], pure: float | None) -> Iterable[str]:
    """Say of each bound whether it is kept."""
    ours = ns[OURS]
    peers = [taken for name, taken in ns.items() if name in PEERS]
    for what, limit, other in (
        ("bare", operation.bound, ns.get("bare")),
        ("by hand", operation.hand, ns.get(HAND)),
        ("fastest peer", WITHIN, min(peers, default=None)),
        ("pure build", WITHIN, pure),
    ):
        if limit is not None and other is not None and ours > limit * other:
            yield f"MISSED: {ours / other:.2f} of {what}, at most {limit}"


def table(found: dict[str, dict[str, float]], pure: dict[str, dict[str, float]]) -> list[str]:
    """Lay out nanoseconds, with the ratio to bare tuples, and what is missed."""
    names = ["bare", HAND, OURS, "pure build", *PEERS]
    lines = [f"{'ns (ratio to bare)':<30}" + "".join(f"{name:>17}" for name in names)]
    for operation in OPERATIONS:
        ns = dict(found[operation.title])
        slow = pure[operation.title].get(OURS) if pure else None
        if slow is not None:
            ns["pure build"] = slow
        first = ns.get("bare")
        cells = [
            (f"{ns[name]:,.0f}" + (f" ({ns[name] / first:.2f})" if first else ""))
            if name in ns
            else "-"
            for name in names
        ]
        lines.append(f"{operation.title:<30}" + "".join(f"{cell:>17}" for cell in cells))
        lines += [f"    {said}" for said in verdicts(operation, ns, slow)]
    return lines


def chart(found: dict[str, dict[str, float]], python: str) -> str:
    """Draw a bar for each rival of each operation: times what bare tuples take, up to 12."""
    colours = {OURS: "#0b6e4f", HAND: "#7fb69e", "result": "#8d99ae", "returns": "#b08968",
               "expression": "#c9a227", "corrode": "#6d597a"}  # fmt: skip
    most, width, left = 12, 480, 220
    parts: list[str] = []
    y = 58
    for operation in OPERATIONS:
        ns = found[operation.title]
        if "bare" not in ns:
            continue
        shown = [name for name in colours if name in ns]
        parts.append(
            f'<text x="{left - 10}" y="{y + 5 * len(shown) + 3}" text-anchor="end">'
            f"{operation.title.replace('&', '&amp;')}</text>"
        )
        for name in shown:
            ratio = ns[name] / ns["bare"]
            length = min(ratio, most) / most * width
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="9" '
                f'fill="{colours[name]}"><title>{name}: {ratio:.2f}</title></rect>'
                f'<text class="n" x="{left + length + 4:.1f}" y="{y + 8}">{ratio:.1f}</text>'
            )
            y += 10
        y += 9
    legend = "".join(
        f'<rect x="{20 + 125 * i}" y="28" width="10" height="10" fill="{colour}"/>'
        f'<text x="{34 + 125 * i}" y="37">{name}</text>'
        for i, (name, colour) in enumerate(colours.items())
    )
    one = left + width / most
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {y + 10}" '
        'font-family="sans-serif" font-size="11">'
        "<style>.n{font-size:9px;fill:#333;paint-order:stroke;stroke:#fff;stroke-width:3px}</style>"
        f'<rect width="780" height="{y + 10}" fill="white"/>'
        f'<text x="20" y="17" font-size="13">Times what bare tuples take (the line); shorter is '
        f"better, and bars end at {most}. CPython {python}</text>{legend}"
        f'<line x1="{one}" y1="50" x2="{one}" y2="{y}" stroke="black" stroke-dasharray="3 2"/>'
        f"{''.join(parts)}</svg>\n"
    )


def main() -> int:
    """Print the table, draw the chart; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.values", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each (default: 40)")
    parser.add_argument("--chart", type=Path, help="where to write the chart, an SVG")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error(f"--rounds must be at least 1, but is {asked.rounds}")
    if asked.work:
        work(asked.rounds)
        return 0
    python = interpreter()
    runs: list[dict[str, dict[str, dict[str, float]]]] = []
    for pure in ("0", "1"):
        done = subprocess.run(
            [python, "-m", "bench.values", "--work", "--rounds", str(asked.rounds)],
            env={"RESULTFLOW_PURE": pure, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        runs.append(json.loads(done.stdout))
    built, slow = runs
    lines = table(built["ns"], slow["ns"] if built["build"] != slow["build"] else {})
    print(f"CPython {built['python']}, {built['build']} build")
    print("\n".join(lines))
    print("bytes for an Ok, without its value")
    for name, size in [*built["bytes"].items(), ("pure build", slow["bytes"][OURS])]:
        print(f"    {name:<16} {size:6.1f}")
    if asked.chart:
        asked.chart.parent.mkdir(parents=True, exist_ok=True)
        asked.chart.write_text(chart(built["ns"], str(built["python"])), encoding="utf-8")
    return int(any("MISSED" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
