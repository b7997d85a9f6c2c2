"""What the reference adds to the docstrings, which are written for `help()`.

Examples get their colours, a name in backticks becomes a link to what is called so, and a small
line at the end says since when a name is there. `Ok` and `Err` share a base that no user names:
its methods are shown as those of `Result`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

_SINCE = re.compile(r"^\.\. versionadded:: (\S+)\n?", re.MULTILINE)
_EXAMPLE = re.compile(r"^>>> .*?(?=^\s*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"@?(resultflow\.)?([A-Za-z_][\w.]*)(?:\(\))?")
_DOOR = re.compile(r"resultflow(\.(aio|errors|exits|testing|interop\.[a-z]\w*))?")
_VARIANCE = re.compile(r"_co$|_contra$")
_DEFINED = (griffe.Class, griffe.Function, griffe.Attribute)  # and not imported
# Of the labels that griffe gives, those that tell a reader something.
_TELLING = {
    "async": "coroutine function",
    "classmethod": "class method",
    "property": "property",
    "staticmethod": "static method",
}
# They are in every sentence.
_KNOWN = {"resultflow.Ok", "resultflow.Err", "resultflow.Result"}


class ForTheSite(griffe.Extension):
    """Prepares the whole package once it was read."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Adapt every docstring and signature."""
        _show_base_as_result(pkg)
        doors = [one for one in _everything(pkg) if _DOOR.fullmatch(one.path)]
        for door in doors:
            _keep_what_is_exported(door)
        places = dict(_places(pkg, doors))
        for thing in list(_everything(pkg)):
            forms = [thing]
            if isinstance(thing, griffe.Function) and thing.overloads:
                thing.overloads = [one for one in thing.overloads if not _is_one_more(one)]
                forms += thing.overloads
            for one in forms:
                _adapt_names(one)
            if thing.docstring is not None:
                _adapt_docstring(thing, thing.docstring, places)


def _everything(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if isinstance(member, griffe.Object):
            yield from _everything(member)


def _is_one_more(function: griffe.Function) -> bool:
    """Tell whether an overload is for three or more of what others are for one and two of."""
    names = [parameter.name for parameter in function.parameters]
    return any(name.endswith("3") and f"{name[:-1]}1" in names for name in names)


def _show_base_as_result(package: griffe.Module) -> None:
    module = package["_result"]
    base, alias = module["ResultBase"], module["Result"]
    base.name, base.docstring = alias.name, alias.docstring
    module.del_member("ResultBase")
    module.set_member("Result", base)
    package.set_member("Result", griffe.Alias("Result", base, parent=package))


def _keep_what_is_exported(door: griffe.Object) -> None:
    """Leave out what a public module defines for its neighbours."""
    exported = {str(name) for name in door.exports or ()}
    for name, member in list(door.members.items()):
        if isinstance(member, _DEFINED) and name not in exported:
            door.del_member(name)


def _places(package: griffe.Module, doors: list[griffe.Object]) -> Iterator[tuple[str, str]]:
    """Give the place of all that is public, by its own path and by that of each door."""
    for door in doors:
        for name in map(str, door.exports or ()):
            thing = door[name]
            if isinstance(thing, griffe.Alias):
                thing = package[thing.target_path.removeprefix(f"{package.path}.")]
            for one in _everything(thing):
                if one is thing or one.docstring is not None:
                    place = f"{door.path}.{name}" + one.path.removeprefix(thing.path)
                    yield place, place
                    yield one.path, place


def _adapt_names(thing: griffe.Object) -> None:
    """Take variance out of the type variables' names, and the base that no user names."""
    expressions: list[object] = []
    if isinstance(thing, griffe.Function):
        expressions += [thing.returns, *(one.annotation for one in thing.parameters)]
    elif isinstance(thing, griffe.Attribute):
        expressions.append(thing.annotation)
    for expression in expressions:
        if isinstance(expression, griffe.Expr):
            for name in [expression, *expression.iterate(flat=True)]:
                if isinstance(name, griffe.ExprName):
                    name.name = _VARIANCE.sub("", name.name).replace("ResultBase", "Result")


def _adapt_docstring(
    thing: griffe.Object, docstring: griffe.Docstring, places: dict[str, str]
) -> None:
    text = docstring.value
    facts = [word for label, word in _TELLING.items() if label in thing.labels]
    facts += [f"added in {version}" for version in _SINCE.findall(text)]
    text = _SINCE.sub("", text)
    text = _EXAMPLE.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)

    linked = {places.get(thing.path), *_KNOWN, None}

    def link(found: re.Match[str]) -> str:
        name = _NAME.fullmatch(found[1] or "")
        if name is None:
            return found[0]
        scopes = ["resultflow"] if name[1] else _scopes(thing)
        place = next((places[one] for s in scopes if (one := f"{s}.{name[2]}") in places), None)
        if place in linked:
            return found[0]
        linked.add(place)
        return f"[{found[0]}][{place}]"

    text = _CODE.sub(link, text)
    if facts:
        told = ", ".join(facts)
        text += f"\n\n<small>{told[0].upper()}{told[1:]}.</small>\n"
    docstring.value = text


def _scopes(thing: griffe.Object) -> Iterator[str]:
    """Give where a name may belong: to the class, the module, the package."""
    inner: griffe.Object | None = thing
    while inner is not None:
        yield inner.path
        inner = cast("griffe.Object | None", inner.parent)
