"""What leaves an entry point, as one page that needs nothing beside itself.

`page.html` is the page without its facts: style, script, and a marked place for each part that is
written here. Lists and paths are written as plain HTML, so that they can be read, searched and
printed with no script; the script draws the graph, and leads through the same text.
"""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["as_html"]

# No common divisor: 42 classes before two of them look alike.
COLOURS, SHAPES = 6, 7


class _Yield(TypedDict):
    function: str
    path: str
    line: int
    skips: str  # the first statement of the teardown


class _Step(TypedDict):
    function: str
    path: str
    line: int
    yields: NotRequired[Sequence[_Yield]]  # the unprotected ones that the exception passes


class _Escape(TypedDict):
    exception: str
    steps: Sequence[_Step]


class _Exception(TypedDict):
    name: str
    bases: Sequence[str]
    failure: bool


_Call = TypedDict(
    "_Call",
    {"from": str, "to": str, "line": int, "passes": list[str], "catches": list[str]},
)


class _Function(TypedDict):
    id: str
    path: str
    line: int
    kind: str


class _Raise(TypedDict):
    function: str
    exception: str
    line: int


class _Data(TypedDict):
    """What `resultflow escapes --json` prints, as far as it is read here."""

    entry: str
    functions: Sequence[_Function]
    calls: Sequence[_Call]
    raises: Sequence[_Raise]
    exceptions: Sequence[_Exception]
    escapes: Sequence[_Escape]
    unknown: Sequence[str]
    notes: Sequence[str]


def as_html(data: Mapping[str, object]) -> str:
    """Write what `resultflow escapes --json` prints as one page with a graph.

    The page has no outside address and works from a file. The same data gives the same text.

    Args:
        data: the object that `--json` prints.

    >>> page = as_html(
    ...     {
    ...         "entry": "a.f",
    ...         "functions": [],
    ...         "calls": [],
    ...         "raises": [],
    ...         "exceptions": [],
    ...         "escapes": [],
    ...         "unknown": [],
    ...         "notes": [],
    ...     }
    ... )
    >>> "Nothing that is modelled can leave" in page
    True

    .. versionadded:: 0.1.0
    """
    page = resources.files("resultflow.check").joinpath("page.html").read_text(encoding="utf-8")
    facts = _Facts(cast("_Data", data))
    # Names have no "<" once they are escaped: none of them can pass for a mark.
    for mark, text in (
        ("title", escape(facts.entry)),
        ("summary", facts.summary()),
        ("list", facts.lists()),
        ("ways", "\n".join(map(facts.way, range(len(facts.exceptions))))),
        ("notes", facts.notes()),
        ("data", _as_script(facts.numbered())),
    ):
        page = page.replace(f"<!--{mark}-->", text)
    # A file's name may hold bytes that are no text.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _as_script(value: object) -> str:
    """Give JSON that nothing in it can end."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class _Facts:
    """The parts of the page that are text."""

    def __init__(self, data: _Data) -> None:
        self._data = data
        self.entry = data["entry"]
        self._paths = {one["id"]: one["path"] for one in data["functions"]}
        self._ways: dict[str, list[Sequence[_Step]]] = {}
        # Those that skip a teardown are what one looks for; then the short ones.
        for one in sorted(data["escapes"], key=_interest):
            self._ways.setdefault(one["exception"], []).append(one["steps"])
        self._caught: dict[str, list[_Call]] = {}
        for call in data["calls"]:
            for name in call["catches"]:
                self._caught.setdefault(name, []).append(call)
        leave = [one for one in data["exceptions"] if one["name"] in self._ways]
        self._groups = {
            "Failures": [one for one in leave if one["failure"]],
            "Bugs": [one for one in leave if not one["failure"]],
            "Caught on the way": [one for one in data["exceptions"] if one not in leave],
        }
        # The place in this list gives an exception its sign, here and in the script.
        self.exceptions = [
            one
            for those in self._groups.values()
            for one in sorted(those, key=lambda one: one["name"])
        ]

    def summary(self) -> str:
        """Say in one sentence how much leaves."""
        counted = [
            _counted(len(self._groups[title]), noun)
            for title, noun in (("Failures", "failure"), ("Bugs", "bug"))
            if self._groups[title]
        ]
        what = " and ".join(counted) or "Nothing that is modelled"
        return f"{what} can leave <code>{escape(self.entry)}</code>."

    def lists(self) -> str:
        """List all exceptions in their groups, of which only the first is open."""
        written: list[str] = []
        number = 0
        for title, those in self._groups.items():
            if those:
                rows = "".join(
                    f"<li>{self._row(at)}</li>" for at in range(number, number + len(those))
                )
                number += len(those)
                written.append(
                    f'<details class="group"{"" if written else " open"}><summary>{title} '
                    f'<span class="count">{len(those)}</span></summary><ul>{rows}</ul></details>'
                )
        return "\n".join(written)

    def _row(self, number: int) -> str:
        full = self.exceptions[number]["name"]
        module, _, name = full.rpartition(".")
        ways = self._ways.get(full)
        told = _deep(ways[0]) if ways else _counted(len(self._caught.get(full, ())), "handler")
        mark = (
            '<span class="mark" title="skips the teardown after a yield">!</span> '
            if ways and _skipped(ways[0])
            else ""
        )
        return (
            f'<a class="row" href="#e{number}" data-number="{number}">{_sign(number)}'
            f'<span class="name">{escape(name)}</span>'
            f'<span class="module">{_broken(module)}</span>'
            f'<span class="depth">{mark}{told}</span></a>'
        )

    def way(self, number: int) -> str:
        """Tell all of one exception: how it leaves, and where it is caught."""
        one = self.exceptions[number]
        module, _, name = one["name"].rpartition(".")
        kind = "failure" if one["failure"] else "bug"
        bases = ", ".join(f"<code>{escape(base)}</code>" for base in one["bases"])
        ways = self._ways.get(one["name"], [])
        parts = [
            f'<article class="way" id="e{number}" data-number="{number}">',
            f"<h2>{_sign(number)} {escape(name)}",
            f'<span class="module">{escape(module)}</span></h2>',
            f'<p class="kind">A {kind}{f"; a subclass of {bases}" if bases else ""}.</p>',
        ]
        if ways:
            parts.append("<h3>From its raise to the edge</h3>")
        parts.extend(
            f'<details class="path"{"" if at else " open"}><summary>{_length(steps)}</summary>'
            f'<ol class="steps x{number % COLOURS}">{"".join(_told(steps))}</ol></details>'
            for at, steps in enumerate(ways)
        )
        caught = self._caught.get(one["name"])
        if caught:
            rows = "".join(
                f'<li class="caught">{_function(call["from"])} takes what leaves '
                f"{_function(call['to'])} "
                f"{_place(self._paths.get(call['from'], ''), call['line'])}</li>"
                for call in caught
            )
            parts.append(
                f"<details{'' if ways else ' open'}><summary>"
                f"Caught on {'other ways' if ways else 'the way'} "
                f'<span class="count">{len(caught)}</span></summary>'
                f'<ul class="steps">{rows}</ul></details>'
            )
        return "".join([*parts, "</article>"])

    def numbered(self) -> Mapping[str, object]:
        """Give the graph to the script, with a number for each name: a tenth of the size."""
        data = self._data
        exceptions = {one["name"]: at for at, one in enumerate(self.exceptions)}
        functions = {one["id"]: at for at, one in enumerate(data["functions"])}
        table = [[one["id"], one["path"], one["line"], one["kind"]] for one in data["functions"]]

        def of(name: str) -> int:
            if name not in functions:
                functions[name] = len(functions)
                table.append([name, "", 0, "function"])
            return functions[name]

        def all_of(names: Sequence[str]) -> list[int]:
            return [exceptions[name] for name in names if name in exceptions]

        yields = {
            (of(holder), one["function"], one["line"])
            for ways in self._ways.values()
            for way in ways
            for step in way
            for one in step.get("yields", ())
            # Both are marked: what is passed, and where it is passed.
            for holder in {step["function"], one["function"]}
            if holder in functions
        }
        return {
            "entry": of(self.entry),
            "calls": [
                [
                    of(call["from"]),
                    of(call["to"]),
                    call["line"],
                    all_of(call["passes"]),
                    all_of(call["catches"]),
                ]
                for call in data["calls"]
            ],
            "raises": [
                [of(one["function"]), exceptions[one["exception"]], one["line"]]
                for one in data["raises"]
                if one["exception"] in exceptions
            ],
            "ways": [
                [[[of(step["function"]), step["line"]] for step in way] for way in ways]
                for one in self.exceptions
                for ways in [self._ways.get(one["name"], [])]
            ],
            "yields": sorted(yields),
            "unknown": [of(name) for name in data["unknown"]],
            "exceptions": [[one["name"], one["failure"]] for one in self.exceptions],
            "functions": table,
        }

    def notes(self) -> str:
        """Say what the engine could not see."""
        notes = "".join(f"<li>{escape(note)}</li>" for note in self._data["notes"])
        unknown = "".join(f"<li>{_function(name)}</li>" for name in self._data["unknown"])
        return (f"<h3>Notes</h3><ul>{notes}</ul>" if notes else "") + (
            "<details><summary>With calls that could not be resolved "
            f'<span class="count">{len(self._data["unknown"])}</span></summary>'
            f"<ul>{unknown}</ul></details>"
            if unknown
            else ""
        )


def _told(steps: Sequence[_Step]) -> Iterable[str]:
    *calls, origin = steps
    for what, step in (("raised in", origin), *(("passes", step) for step in reversed(calls))):
        yield (
            f'<li{" class=raise" if step is origin else ""}><span class="what">{what}</span> '
            f"{_function(step['function'])} {_place(step['path'], step['line'])}"
            f"{''.join(map(_warning, step.get('yields', ())))}</li>"
        )
    yield '<li class="edge"><span class="what">leaves the entry point</span></li>'


def _warning(one: _Yield) -> str:
    return (
        f'<span class="yield">past the yield of {_function(one["function"])} '
        f"{_place(one['path'], one['line'])} and skips <code>{escape(one['skips'])}</code></span>"
    )


def _skipped(steps: Sequence[_Step]) -> int:
    return sum(len(step.get("yields", ())) for step in steps)


def _interest(one: _Escape) -> tuple[bool, int]:
    return not _skipped(one["steps"]), len(one["steps"])


def _deep(steps: Sequence[_Step]) -> str:
    return f"{_counted(len(steps) - 1, 'call')} deep" if steps[1:] else "raised here"


def _length(steps: Sequence[_Step]) -> str:
    skipped = _skipped(steps)
    past = f", past {_counted(skipped, 'unprotected yield')}" if skipped else ""
    return f"{_deep(steps)}{past}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sign(number: int) -> str:
    """Give the sign of an exception: a colour and a shape."""
    return (
        f'<svg class="sign x{number % COLOURS}" viewBox="-6 -6 12 12" aria-hidden="true">'
        f'<use href="#shape{number % SHAPES}"/></svg>'
    )


def _function(name: str) -> str:
    module, dot, last = name.rpartition(".")
    return (
        '<button type="button" class="function">'
        f"<span>{_broken(module + dot)}</span>{escape(last)}</button>"
    )


def _broken(name: str) -> str:
    """Give a dotted name that may be broken after each dot."""
    return escape(name).replace(".", ".<wbr>")


def _place(path: str, line: int) -> str:
    """Give file and line; what comes from the table has none."""
    if not line:
        return '<span class="place">known from the table</span>'
    places = escape(path.rpartition("/site-packages/")[2]).replace("/", "/<wbr>")
    return f'<span class="place" title="{escape(path)}">{places}:{line}</span>'
