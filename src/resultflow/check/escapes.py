"""The forms in which `resultflow escapes` tells what can leave a function."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from resultflow.check.raises_files import keep, kept, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from resultflow.check.raises import Program, Step
    from resultflow.check.raises_solve import Contribution

__all__ = ["FORMS", "answer", "as_data", "as_dot", "as_json", "as_text", "nearest"]

Data: TypeAlias = "dict[str, Any]"  # as JSON has it; the keys are in docs/how-to/escapes.md


def nearest(program: Program, module: str, function: str) -> str:
    """Give the name that is most like one that is not there, for a message."""
    from difflib import get_close_matches

    found = program.files.module(module)
    if found is None:
        return ""
    names = [
        name.removeprefix(f"{module}.")
        for name in (*found.functions, *found.classes)
        if name != module and "<" not in name
    ]
    return next(iter(get_close_matches(function, names, n=1, cutoff=0)), "")


def as_data(program: Program, function: str) -> Data:
    """Give all that is known of what can leave a function, as JSON would hold it.

    The graph holds each function that is reached from it over calls through which an exception
    comes back, whether a handler around the call keeps it or not.
    """
    solver = program.solver
    escapes = program.escapes(function)
    starts = list(dict.fromkeys([*program.begins(function), function]))
    seen: dict[str, None] = {}
    calls: list[Data] = []
    raises: list[Data] = []
    unknown: list[str] = []
    todo = [name for name in starts if program.world.function(name) is not None]
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen[name] = None
        places = solver.places(name) if name not in program.world.known else []
        if name in program.world.known or program.world.function(name) is None:
            raises += [
                {"function": name, "exception": one, "line": 0, "column": 0}
                for one in program.known(name)
            ]
        if any(place.raw & solver.unknown for place in places):
            unknown.append(name)
        for place in places:
            names = _names(solver.exceptions(place.raw))
            if not names:
                continue
            if not place.callee:
                raises += [
                    {
                        "function": name,
                        "exception": one,
                        "line": place.line,
                        "column": place.column,
                    }
                    for one in names
                ]
                continue
            calls.append(_call(program, name, place, names))
            todo.append(place.callee)
    exceptions = sorted({str(one["exception"]) for one in raises} | {e.exception for e in escapes})
    return {
        "entry": function,
        "functions": [_function(program, name) for name in seen],
        "calls": calls,
        "raises": raises,
        "exceptions": [
            {
                "name": name,
                "bases": list(program.world.bases(name)),
                "failure": program.is_failure(name),
            }
            for name in exceptions
        ],
        "escapes": [
            {
                "exception": one.exception,
                "steps": [_step(step) for step in path],
            }
            for one in escapes
            for path in program.ways(function, one.exception) or [one.steps]
        ],
        "known": program.is_known(function),
        "unknown": unknown,
        "notes": sorted(program.files.notes.values()),
    }


def _names(names: Iterable[str]) -> list[str]:
    return sorted({name.partition("[")[0] for name in names})


def _call(program: Program, name: str, place: Contribution, names: list[str]) -> Data:
    passes = _names(program.solver.exceptions(place.left))
    return {
        "from": name,
        "to": place.callee,
        "line": place.line,
        "column": place.column,
        "passes": passes,
        "catches": [one for one in names if one not in passes],
    }


def _function(program: Program, name: str) -> Data:
    found = program.world.function(name)
    if found is None or name in program.world.known:
        return {"id": name, "path": "", "line": 0, "kind": "table"}
    function = found[1]
    kind = "function" if function.kind == "lambda" else function.kind
    return {"id": name, "path": _short(program.path_of(name)), "line": function.line, "kind": kind}


def _step(step: Step) -> Data:
    data: Data = {
        "function": step.function,
        "path": _short(step.path),
        "line": step.line,
        "column": step.column,
    }
    if step.yields:
        data["yields"] = [{**one._asdict(), "path": _short(one.path)} for one in step.yields]
    return data


def _short(path: str) -> str:
    """Leave out of a path what says only where things are installed here."""
    for mark in ("/site-packages/", "/dist-packages/"):
        _, found, after = path.rpartition(mark)
        if found:
            return after
    here = f"{Path.cwd()}/"
    return path.removeprefix(here)


def answer(make: Callable[[], Program], entry: str, search: Sequence[Path], cache: Path) -> Data:
    """Give the data for a function: as it was kept, when no file that it depends on has changed.

    Args:
        make: makes the program, when it is needed.
        entry: the function's dotted name.
        search: the folders of the project.
        cache: the folder in which answers are kept.
    """
    # The current folder decides on the settings, and on how paths are written.
    key = "\0".join([entry, reader(), *(str(path.resolve()) for path in (Path.cwd(), *search))])
    file = cache / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:24]}.answer"
    text = kept(file)
    if text:
        stamps: dict[str, str]
        data: Data
        stamps, data = json.loads(text)
        if all(_stamp(path) == stamp for path, stamp in stamps.items()):
            return data
    program = make()
    data = as_data(program, entry)
    program.save()
    read = set(program.files.read.values())
    # A module that is added to a folder can change the answer, too.
    folders = {os.path.dirname(path) for path in read}.union(program.files.folders())  # noqa: PTH120 - 2,000 of them
    stamps = {one: _stamp(one) for one in sorted(read | folders | _settings_above())}
    keep(file, json.dumps([stamps, data]).encode())
    return data


def _settings_above() -> set[str]:
    """Give the files that the settings are in, or could be in."""
    here = Path.cwd()
    return {str(folder / "pyproject.toml") for folder in (here, *here.parents)}


def _stamp(path: str) -> str:
    try:
        stat = os.stat(path)  # noqa: PTH116 - 2,000 of them
    except OSError:
        return ""
    return f"{stat.st_mtime_ns}-{stat.st_size}"


def as_json(data: Data, *, caught: bool = False) -> str:
    """Give it as JSON."""
    del caught  # it is in it
    return json.dumps(data, indent=1) + "\n"


def as_text(data: Data, *, caught: bool = False) -> str:
    """Give it for people: failures first, each with every way by which it leaves."""
    is_failure = {one["name"]: one["failure"] for one in data["exceptions"]}
    ways: dict[str, list[Data]] = {}
    for one in sorted(data["escapes"], key=lambda one: not is_failure[one["exception"]]):
        ways.setdefault(one["exception"], []).append(one)
    failures = sum(is_failure[name] for name in ways)
    lines = [
        f"{data['entry']}: {_count(failures, 'failure')}, {_count(len(ways) - failures, 'bug')}"
    ]
    if not data["known"]:
        lines.append("  some of what it calls could not be resolved: there may be more")
    for name, paths in ways.items():
        lines += ["", name if is_failure[name] else f"{name} (a bug)"]
        for path in paths:
            lines += _path(path["steps"])
    if caught:
        lines += ["", "caught on the way:", *_caught(data)]
    lines += [f"note: {note}" for note in data["notes"]]
    return "\n".join(lines) + "\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _path(steps: Iterable[Data]) -> list[str]:
    lines: list[str] = []
    for depth, step in enumerate(steps):
        place = f"{step['path']}:{step['line']}" if step["line"] else "(table)"
        lines.append(f"  {'-' if depth == 0 else ' '} {place}  {step['function']}")
        lines += [
            f"      ! past the yield of {one['function']} in {one['path']}:{one['line']}, "
            f"which skips {one['skips']!r}"
            for one in step.get("yields", ())
        ]
    return lines


def _caught(data: Data) -> list[str]:
    paths = {one["id"]: one["path"] for one in data["functions"]}
    return [
        f"    {paths[call['from']]}:{call['line']}  {call['from']}: {', '.join(call['catches'])}"
        for call in data["calls"]
        if call["catches"]
    ]


def as_dot(data: Data, *, caught: bool = False) -> str:
    """Give the graph in Graphviz' language; a call of which handlers keep all is dashed."""
    del caught  # it is in it
    lines = ["digraph escapes {", "  rankdir=LR;", "  node [shape=box];"]
    lines += (f"  {json.dumps(one['id'])};" for one in data["functions"])
    for call in data["calls"]:
        names = call["passes"] or call["catches"]
        label = json.dumps(", ".join(name.rpartition(".")[2] for name in names))
        style = "" if call["passes"] else ", style=dashed"
        ends = f"{json.dumps(call['from'])} -> {json.dumps(call['to'])}"
        lines.append(f"  {ends} [label={label}{style}];")
    return "\n".join([*lines, "}", ""])


FORMS = {"text": as_text, "json": as_json, "dot": as_dot}
