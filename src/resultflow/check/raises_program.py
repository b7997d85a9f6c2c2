"""What a name stands for, across modules: the values that a `Ref` can have.

Values are approximate: a class, a function, an instance of a class, the parameter of a function.
What cannot be told is no value at all. A parameter stands for itself, and is replaced by what was
passed where the function is called; so what is said of a function does not depend on who else was
looked at before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from resultflow.check import raises_known as known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resultflow.check.raises_files import Files
    from resultflow.check.raises_ir import Class, Function, Module, Ref
    from resultflow.check.settings import Settings

__all__ = ["NOTHING", "Call", "Value", "World", "in_order"]


class Value(NamedTuple):
    """Something that a name can stand for; one class for all kinds, as for `Ref`.

    `name` is dotted, but for a parameter. `owner` is the class of the receiver of a bound method,
    or the function that a parameter belongs to. `is_open`: perhaps an instance of a subclass.
    """

    kind: str
    name: str = ""
    owner: str = ""
    is_open: bool = False
    items: frozenset[Value] = frozenset()
    binds: tuple[tuple[str, str, frozenset[Value]], ...] = ()


class Call(NamedTuple):
    """A `Ref` of kind call, with the module that it is to be read in."""

    ref: Ref
    module: str


NOTHING: frozenset[Value] = frozenset()
NONE = Value("none")
_IS_NONE = frozenset([NONE])
_MOST = 24  # values of one expression
_DEEP = 40  # how far a value is followed
_FEW = 3  # owners of a method that a receiver without a type may have
_OVERRIDERS = 16

_ITEMS_LAST = frozenset(
    """
    Dict dict Mapping MutableMapping DefaultDict defaultdict OrderedDict ItemsView Awaitable
    Coroutine
    """.split()
)
_TYPING = frozenset(["typing", "typing_extensions", "collections.abc", "contextlib", "builtins"])
_WRAPPERS = frozenset("Optional Union Annotated ClassVar Final Required NotRequired".split())
_TRANSPARENT_NAMES = frozenset(["setter", "deleter"])
# Modules of the table that a project can have another one in the place of.
_HIDABLE = {name.partition(".")[0] for name in known.KNOWN}.intersection(
    sys.stdlib_module_names
).difference(sys.builtin_module_names)


class World:
    """All that the names of a program stand for.

    Args:
        files: where its modules are.
        settings: what the project says of functions that cannot be read.
    """

    def __init__(self, files: Files, settings: Settings) -> None:
        self.files = files
        own = {top for top in _HIDABLE if files.is_project(top)}
        table = {
            name: kinds for name, kinds in known.KNOWN.items() if name.partition(".")[0] not in own
        }
        self.known: dict[str, tuple[str, ...]] = {**table, **settings.raises}
        self._values: dict[tuple[Ref, str], frozenset[Value]] = {}
        self._active: set[tuple[object, ...]] = set()
        self._members: dict[tuple[str, str, str, bool], frozenset[Value]] = {}
        self._properties: dict[tuple[str, str, str, bool, str], frozenset[Value]] = {}
        self._guesses: dict[tuple[str, str], list[Value]] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._classes: dict[str, tuple[Module, Class] | None] = {}
        self._functions: dict[str, tuple[Module, Function] | None] = {}
        self._derived: dict[str, tuple[str, ...]] = {}
        self._named: dict[tuple[str, str], frozenset[Value]] = {}
        self._returned: dict[str, frozenset[Value]] = {}

    # --- what there is

    def _split(self, dotted: str) -> Module | None:
        """Give the module that something with a dotted name is in."""
        name = dotted
        while name:
            module = self.module(name)
            if module is not None and (
                dotted in module.functions or dotted in module.classes or dotted == name
            ):
                return module
            name = name.rpartition(".")[0]
        return None

    def module(self, name: str) -> Module | None:
        """Give a module that is to be read; None for one that the table speaks for."""
        if self.is_quiet(name):
            return None
        return self.files.module(name)

    def is_quiet(self, name: str) -> bool:
        """Tell whether the table speaks for a module."""
        return name.partition(".")[0] in known.QUIET and not self.files.is_project(name)

    def function(self, dotted: str) -> tuple[Module, Function] | None:
        """Give a function, with its module."""
        if dotted not in self._functions:
            module = self._split(dotted)
            found = None if module is None else module.functions.get(dotted)
            self._functions[dotted] = None if module is None or found is None else (module, found)
        return self._functions[dotted]

    def class_(self, dotted: str) -> tuple[Module, Class] | None:
        """Give a class that has source, with its module."""
        if dotted not in self._classes:
            module = None if dotted in known.BASES else self._split(dotted)
            found = None if module is None else module.classes.get(dotted)
            self._classes[dotted] = None if module is None or found is None else (module, found)
        return self._classes[dotted]

    def order(self, dotted: str) -> tuple[str, ...]:
        """Give a class and its bases, in the order in which attributes are looked for."""
        if dotted not in self._orders:
            self._orders[dotted] = (
                dotted,
            )  # while it is looked for: a class that is its own base
            orders = [self.order(base) for base in self.bases(dotted)]
            merged = list(dict.fromkeys(one for order in orders for one in reversed(order)))
            # A base of two comes after both.
            flat = [one for order in orders for one in order]
            last = {one: place for place, one in enumerate(flat)}
            merged.sort(key=lambda one: last[one])
            self._orders[dotted] = (dotted, *(one for one in merged if one != dotted))
        return self._orders[dotted]

    def bases(self, dotted: str) -> tuple[str, ...]:
        """Give the bases of a class, as far as they can be told."""
        found = self.class_(dotted)
        if found is None:
            return known.BASES.get(dotted, ())
        module, one = found
        bases: list[str] = []
        for ref in one.bases:
            for value in in_order(self.values(ref, module.name)):
                if value.kind == "class" and value.name not in bases:
                    bases.append(value.name)
        return tuple(bases)

    def is_below(self, dotted: str, base: str) -> bool:
        """Tell whether a class is another one, or derived from it."""
        return base in self.order(dotted)

    def derived(self, dotted: str) -> tuple[str, ...]:
        """Give the classes of its own package that are derived from a class."""
        if dotted not in self._derived:
            found: dict[str, None] = {}
            todo = [dotted]
            while todo:
                base = todo.pop()
                last = base.rpartition(".")[2].partition("#")[0]
                for one in self.files.derived(base.partition(".")[0], last):
                    if one not in found and base in self.bases(one):
                        found[one] = None
                        todo.append(one)
            self._derived[dotted] = tuple(sorted(found))
        return self._derived[dotted]

    # --- names

    def lookup(self, module: str, name: str) -> frozenset[Value]:
        """Give what a name at the top of a module stands for."""
        if f"{module}.{name}" in _SPOKEN:
            return frozenset([Value("external", f"{module}.{name}")])
        key = (module, name)
        if key in self._named:
            return self._named[key]
        if ("named", *key) in self._active:
            return NOTHING
        self._active.add(("named", *key))
        found = self._lookup(module, name)
        self._active.discard(("named", *key))
        self._named[key] = found
        return found

    def _lookup(self, module: str, name: str) -> frozenset[Value]:
        here = self.module(module)
        if here is None:
            return self.external(f"{module}.{name}")
        refs = here.names.get(name)
        if refs is not None:
            found = self._all(refs, module)
            # `try: import x` / `except ImportError: x = None`
            return found - _IS_NONE or found
        for star in here.stars:
            if star != module and self.module(star) is not None:
                found = self.lookup(star, name)
                if found:
                    return found
            elif (external := self.external(f"{star}.{name}")) and f"{star}.{name}" in self.known:
                return external
        if self.files.is_there(f"{module}.{name}"):
            return frozenset([Value("module", f"{module}.{name}")])
        return self._builtin(name)

    def _builtin(self, name: str) -> frozenset[Value]:
        dotted = f"builtins.{name}"
        dotted = known.ALIASES.get(dotted, dotted)
        if dotted in known.BASES:
            return frozenset([Value("class", dotted)])
        if name in _BUILTINS:
            return frozenset([Value("external", dotted)])
        return NOTHING

    def external(self, dotted: str) -> frozenset[Value]:
        """Give what has no source."""
        dotted = known.ALIASES.get(dotted, dotted)
        if dotted.startswith("builtins."):
            return self._builtin(dotted.removeprefix("builtins."))
        if dotted in known.BASES:
            return frozenset([Value("class", dotted)])
        module = dotted.rpartition(".")[0]
        if self.is_quiet(module) and self.files.is_there(dotted):
            return frozenset([Value("module", dotted)])
        last = dotted.rpartition(".")[2]
        if last[:1].isupper() and not last.isupper() and self.is_quiet(module):
            return frozenset([Value("class", dotted)])
        return frozenset([Value("external", dotted)])

    def dotted(self, name: str) -> frozenset[Value]:
        """Give what a dotted name stands for, as a user writes it."""
        first, *rest = name.split(".")
        found = frozenset([Value("module", first)]) if self.files.is_there(first) else NOTHING
        if not found:
            return self.external(name)
        for part in rest:
            found = frozenset(value for one in found for value in self.attribute(one, part))
        return found

    # --- attributes

    def attribute(self, value: Value, name: str) -> frozenset[Value]:
        """Give what an attribute of a value stands for."""
        if value.kind == "module":
            here = self.module(value.name)
            if here is None and self.files.is_there(f"{value.name}.{name}"):
                return frozenset([Value("module", f"{value.name}.{name}")])
            return self.lookup(value.name, name)
        if value.kind in {"class", "instance", "super"}:
            return self.member(value, name)
        if value.kind == "items":
            return frozenset([Value("external", f"{value.name}.{name}", items=value.items)])
        if value.kind == "external":
            return self.external(f"{value.name}.{name}")
        if value.kind == "lazy":
            return frozenset([Value("external", f"builtins.generator.{name}")])
        if value.kind in {"function", "factory"} and name == "__wrapped__":
            return frozenset([value])
        return NOTHING

    def member(self, value: Value, name: str) -> frozenset[Value]:
        """Give what a class, or its instances, have by a name."""
        key = (value.kind, value.name, name, value.is_open)
        found = self._members.get(key)
        if found is None:
            if (
                "member",
                *key,
            ) in self._active:  # pragma: no cover (a member that is its own value, over bases)
                return NOTHING
            self._active.add(("member", *key))
            found = self._member(value, name)
            self._active.discard(("member", *key))
            self._members[key] = found
        return found

    def _member(self, value: Value, name: str) -> frozenset[Value]:
        order = self.order(value.name)
        if value.kind == "super":
            order = order[1:]
        found: set[Value] = set()
        for one in order:
            raw = self._own(one, name)
            if raw:
                found.update(self._accessed(raw, value))
                break
        if value.is_open and value.kind != "super":
            below = [one for one in self.derived(value.name) if self._has(one, name)]
            for one in below[:_OVERRIDERS]:
                found.update(self._accessed(self._own(one, name), value._replace(name=one)))
        return _few(found)

    def _has(self, dotted: str, name: str) -> bool:
        found = self.class_(dotted)
        return found is not None and name in found[1].attributes

    def _own(self, dotted: str, name: str) -> frozenset[Value]:
        """Give what stands in the body of a class, or is bound to its `self`."""
        found = self.class_(dotted)
        if found is not None:
            module, one = found
            refs = one.attributes.get(name)
            return NOTHING if refs is None else self._all(refs, module.name)
        full = f"{dotted}.{name}"
        if dotted == "builtins.object":
            return NOTHING
        is_known = full in self.known or full in known.RETURNS or dotted.startswith("builtins.")
        if is_known or (self.is_quiet(dotted.rpartition(".")[0]) and not name.startswith("__")):
            return frozenset([Value("external", full)])
        return NOTHING

    def _accessed(self, raw: Iterable[Value], receiver: Value) -> Iterator[Value]:
        """Bind methods, and call properties."""
        for one in raw:
            if one.kind == "property":
                if receiver.kind == "class":
                    yield one
                else:
                    for inner in one.items:
                        yield from self.result(inner._replace(owner=receiver.name), None)
            elif one.kind == "static":
                yield from one.items
            elif one.kind == "classmethod":
                yield from (inner._replace(owner=receiver.name) for inner in one.items)
            elif one.kind in {"function", "factory"} and receiver.kind != "class":
                yield one._replace(owner=receiver.name)
            else:
                yield one

    def properties(self, value: Value, name: str, kind: str) -> frozenset[Value]:
        """Give the functions that reading (`property`) or setting an attribute calls."""
        if value.kind not in {"instance", "super"}:
            return NOTHING
        key = (value.kind, value.name, name, value.is_open, kind)
        if key not in self._properties:
            self._properties[key] = self._properties_of(value, name, kind)
        return self._properties[key]

    def _properties_of(self, value: Value, name: str, kind: str) -> frozenset[Value]:
        order = self.order(value.name)
        if value.kind == "super":
            order = order[1:]
        classes = [one for one in order if self._has(one, name)][:1]
        if value.is_open and value.kind == "instance":
            below = [one for one in self.derived(value.name) if self._has(one, name)]
            classes += below[:_OVERRIDERS]
        return frozenset(
            inner._replace(owner=value.name)
            for one in classes
            for raw in self._own(one, name)
            if raw.kind == kind
            for inner in raw.items
        )

    # --- values

    def _all(self, refs: Iterable[Ref], module: str) -> frozenset[Value]:
        found: set[Value] = set()
        for ref in refs:
            found |= self.values(ref, module)
        return _few(found)

    def values(self, ref: Ref, module: str) -> frozenset[Value]:
        """Give what an expression stands for; nothing when that cannot be told."""
        key = (ref, module)
        found = self._values.get(key)
        if found is None:
            if key in self._active or len(self._active) > _DEEP:
                return NOTHING
            self._active.add(key)
            found = self._value(ref, module)
            self._active.discard(key)
            self._values[key] = found
        return found

    def _value(self, ref: Ref, module: str) -> frozenset[Value]:  # noqa: C901, PLR0912 - one case per kind
        match ref.kind:
            case "none":
                return _IS_NONE
            case "constant":
                return frozenset([Value("instance", f"builtins.{ref.name}")])
            case "global":
                return self.lookup(module, ref.name) if not ref.owner else self._builtin(ref.name)
            case "local":
                found = self.function(ref.owner)
                if found is None:  # pragma: no cover (refs are to what was read)
                    return NOTHING
                refs = found[1].locals.get(ref.name, ())
                values = self._all(refs, module)
                return values - _IS_NONE or values
            case "parameter":
                return self._parameter(ref)
            case "member":
                found_class = self.class_(ref.owner)
                if found_class is None:  # pragma: no cover (refs are to what was read)
                    return NOTHING
                return self._all(found_class[1].attributes.get(ref.name, ()), module)
            case "module":
                if self.files.is_there(ref.name) or self.is_quiet(ref.name):
                    return frozenset([Value("module", ref.name)])
                return frozenset([Value("external", ref.name)])
            case "from":
                if self.module(ref.owner) is None:
                    full = f"{ref.owner}.{ref.name}"
                    if self.files.is_there(full) and not self.is_quiet(full):
                        return frozenset([Value("module", full)])
                    return self.external(full)
                return self.lookup(ref.owner, ref.name)
            case "function":
                return self._decorated(ref.name, module)
            case "class":
                return frozenset([Value("class", ref.name)])
            case "super":
                return frozenset([Value("super", ref.owner, is_open=True)])
            case "attribute":
                bases = self.values(ref.parts[0], module)
                return _few({v for base in bases for v in self.attribute(base, ref.name)})
            case "call":
                callees = self.values(ref.parts[0], module)
                call = Call(ref, module)
                return _few({v for callee in callees for v in self.result(callee, call)})
            case "either":
                return self._all(ref.parts, module)
            case "items":
                items = self._all(ref.parts, module)
                return frozenset([Value("items", f"builtins.{ref.name}", items=items)])
            case "item" | "index":
                return self._items(ref, module)
            case "enter":
                bases = self.values(ref.parts[0], module)
                return _few({v for base in bases for v in self.entered(base)})
            case "await":
                bases = self.values(ref.parts[0], module)
                return _few({v for base in bases for v in self.awaited(base)})
            case "typed":
                return self._typed(ref, module)
            case "instances":
                return _few(
                    {
                        Value("instance", value.name, is_open=True)
                        for part in ref.parts
                        for value in self.classes_in(part, module)
                    }
                )
            case "operated":
                return self._operated(ref, module)
            case _:
                return NOTHING

    def classes_in(self, ref: Ref, module: str) -> frozenset[Value]:
        """Give the classes that an expression stands for: one, or a tuple of them."""
        found: set[Value] = set()
        for value in self.values(ref, module):
            if value.kind == "class":
                found.add(value)
            elif value.kind == "items":
                found |= {one for one in value.items if one.kind == "class"}
        return frozenset(found)

    def _operated(self, ref: Ref, module: str) -> frozenset[Value]:
        left = self.values(ref.parts[0], module)
        found: set[Value] = set()
        for one in left:
            if one.kind == "items":
                right = [v for v in self.values(ref.parts[1], module) if v.kind == "items"]
                items = one.items.union(*(v.items for v in right))
                found.add(one._replace(items=items))
            elif one.kind == "instance":
                for method in self.member(one, ref.name):
                    found |= self.result(method, None)
                if one.name.startswith("builtins."):
                    found.add(one)
        return _few(found)

    def _items(self, ref: Ref, module: str) -> frozenset[Value]:
        found: set[Value] = set()
        for one in self.values(ref.parts[0], module):
            if one.kind == "class" and ref.kind == "index":
                found.add(one)  # `Base[int]`
            else:
                found |= self.items(one)
        return _few(found)

    def items(self, value: Value) -> frozenset[Value]:
        """Give what iterating over a value gives."""
        if value.kind == "items" or (value.kind == "instance" and value.items):
            return value.items
        if value.kind == "lazy":
            return self._yielded(value)
        if value.kind == "instance" and self.class_(value.name) is not None:
            found: set[Value] = set()
            for name in ("__iter__", "__getitem__"):
                for method in self.member(value, name):
                    result = self.result(method, None)
                    if name == "__iter__":
                        result = frozenset(v for one in result for v in self._next(one, value))
                    found |= result
                if found:
                    break
            return _few(found)
        return NOTHING

    def _next(self, value: Value, receiver: Value) -> frozenset[Value]:
        if value.kind == "instance" and value.name == receiver.name:
            methods = self.member(value, "__next__")
            return frozenset(v for method in methods for v in self.result(method, None))
        return self.items(value)

    def _yielded(self, value: Value) -> frozenset[Value]:
        found = self.function(value.name)
        if found is None:  # pragma: no cover (refs are to what was read)
            return NOTHING
        module, function = found
        declared: set[Value] = set()
        if function.returned is not None:
            for one in self.values(function.returned, module.name):
                declared |= one.items
        return _few(declared) or self._all(function.yields, module.name)

    def entered(self, value: Value) -> frozenset[Value]:
        """Give what `with` binds."""
        if value.kind == "managed":
            return self._yielded(value)
        if value.kind == "instance":
            found: set[Value] = set()
            for name in ("__enter__", "__aenter__"):
                for method in self.member(value, name):
                    for result in self.result(method, None):
                        found |= self.awaited(result) if result.kind == "lazy" else {result}
            return _few(found) or frozenset([value])
        return frozenset([value])

    def awaited(self, value: Value) -> frozenset[Value]:
        """Give what `await` gives."""
        if value.kind == "lazy":
            found = self.function(value.name)
            return NOTHING if found is None else self._given(*found)
        return value.items

    # --- annotations

    def _typed(self, ref: Ref, module: str) -> frozenset[Value]:
        base, *arguments = ref.parts
        found: set[Value] = set()
        for one in self.values(base, module):
            found |= self._instance(one, arguments, module)
        return _few(found)

    def _instance(self, one: Value, arguments: list[Ref], module: str) -> frozenset[Value]:
        last = one.name.rpartition(".")[2]
        area = one.name.rpartition(".")[0]
        if area in _TYPING and one.name not in known.BASES:
            if last in _WRAPPERS:
                kept = arguments[:1] if last != "Union" else arguments
                return self._all(kept, module)
            if last in {"Type", "Callable", "Any", "Self", "TypeVar"}:
                inner = self._all(arguments, module) if last == "Type" else NOTHING
                return _classes(inner)
            if not arguments:
                return NOTHING
            kept = arguments[-1:] if last in _ITEMS_LAST else arguments[:1]
            return frozenset([Value("items", f"builtins.{last}", items=self._all(kept, module))])
        if one.kind != "class":
            return NOTHING
        if one.name in {"builtins.type", "builtins.object"}:
            return _classes(self._all(arguments, module)) if arguments else NOTHING
        if one.name.startswith("builtins.") and last in _ITEMS | _ITEMS_LAST:
            kept = arguments[-1:] if last in _ITEMS_LAST else arguments[:1]
            return frozenset([Value("items", one.name, items=self._all(kept, module))])
        items = self._all(arguments[:1], module)
        return frozenset([Value("instance", one.name, is_open=True, items=items)])

    # --- functions

    def _parameter(self, ref: Ref) -> frozenset[Value]:
        found = self.function(ref.owner)
        if found is None:  # pragma: no cover (refs are to what was read)
            return NOTHING
        module, function = found
        if function.owner and function.positional[:1] == (ref.name,):
            kinds = {_word(one) for one in function.decorators}
            if "staticmethod" not in kinds:
                is_class = "classmethod" in kinds or function.name.rpartition(".")[2] in {
                    "__new__",
                    "__init_subclass__",
                    "__class_getitem__",
                }
                kind = "class" if is_class else "instance"
                return frozenset([Value(kind, function.owner, is_open=True)])
        values: set[Value] = {Value("parameter", ref.name, function.name)}
        declared = function.types.get(ref.name)
        if declared is not None:
            given = self.values(declared, module.name)
            if ref.name in {function.star, function.double}:
                given = frozenset([Value("items", "builtins.tuple", items=given)])
            values |= given - _IS_NONE
        default = function.defaults.get(ref.name)
        if default is not None:
            values |= {one for one in self.values(default, module.name) if one.kind != "none"}
        return _few(values)

    def _decorated(self, dotted: str, module: str) -> frozenset[Value]:
        """Give what a function's name stands for once its decorators are done with it."""
        found = self.function(dotted)
        if found is None:  # pragma: no cover (refs are to what was read)
            return NOTHING
        values = frozenset([Value("function", dotted)])
        for decorator in reversed(found[1].decorators):
            values = self._decorate(decorator, values, module)
        return values

    def _decorate(self, decorator: Ref, values: frozenset[Value], module: str) -> frozenset[Value]:
        if decorator.kind == "attribute" and decorator.name in _TRANSPARENT_NAMES:
            return frozenset([Value(decorator.name, items=values)])
        word = _word(decorator)
        if word in {"contextmanager", "asynccontextmanager"}:
            return frozenset(
                one._replace(kind="factory") if one.kind == "function" else one for one in values
            )
        if word in {
            "staticmethod",
            "classmethod",
            "property",
            "cached_property",
            "abstractproperty",
        }:
            kind = {"staticmethod": "static", "classmethod": "classmethod"}.get(word, "property")
            return frozenset([Value(kind, items=values)])
        found: set[Value] = set()
        for one in self.values(decorator, module):
            if one.kind == "safe":
                found |= {one._replace(binds=(("", "", values),))}
            elif one.kind in {"class", "external"} and one.name in known.GIVEN:
                found.add(
                    Value(
                        "safe",
                        items=frozenset([Value("class", "builtins.Exception")]),
                        binds=(("", "", values),),
                    )
                )
            elif one.kind == "external" and one.name in known.TRANSPARENT:
                return values
            elif one.kind == "function":
                found |= self._applied(one, values)
            elif one.kind == "class":
                found |= values if self.class_(one.name) is None else self._wrapped(one, values)
        # A decorator that cannot be read is taken for one that hands on what it was given.
        return frozenset(found) or values

    def _wrapped(self, one: Value, values: frozenset[Value]) -> frozenset[Value]:
        """A class as a decorator: a descriptor, or a callable that holds the function."""
        instance = Value("instance", one.name)
        if self.member(instance, "__get__"):
            return frozenset([Value("property", items=values)])
        return values

    def _applied(self, decorator: Value, values: frozenset[Value]) -> frozenset[Value]:
        found = self.function(decorator.name)
        if found is None or not (found[1].positional or found[1].star):
            return NOTHING
        _, function = found
        names = function.positional[1:] if decorator.owner else function.positional
        bound = (function.name, names[0] if names else function.star, values)
        return frozenset(
            value
            for one in self.returned(function)
            for value in self._bound(one, function, (*decorator.binds, bound), decorator.owner)
        )

    def returned(self, function: Function) -> frozenset[Value]:
        """Give what a function returns, its parameters standing for themselves."""
        name = function.name
        if name not in self._returned:
            found = self.function(name)
            if (
                found is None or ("returned", name) in self._active
            ):  # pragma: no cover (a function that returns what it returns)
                return NOTHING
            self._active.add(("returned", name))
            self._returned[name] = self._given(*found)
            self._active.discard(("returned", name))
        return self._returned[name]

    def _given(self, module: Module, function: Function) -> frozenset[Value]:
        declared = NOTHING
        if function.returned is not None:
            declared = self.values(function.returned, module.name)
            if function.is_generator:
                declared = NOTHING
        useful = declared - _IS_NONE
        return useful or self._all(function.returns, module.name) or declared

    def _bound(
        self,
        value: Value,
        function: Function,
        binds: tuple[tuple[str, str, frozenset[Value]], ...],
        receiver: str,
    ) -> Iterator[Value]:
        """Put what was passed in place of a function's parameters."""
        if value.kind == "parameter" and value.owner == function.name:
            for owner, name, values in binds:
                if (owner, name) == (value.owner, value.name):
                    yield from values
        elif value.kind in {"function", "factory"} and value.name.startswith(f"{function.name}."):
            merged = dict.fromkeys((*value.binds, *binds))
            yield value._replace(binds=tuple(merged)[:8])
        elif (
            receiver
            and value.kind == "instance"
            and value.is_open
            and value.name == function.owner
        ):
            yield value._replace(name=receiver)
        else:
            yield value

    def result(self, callee: Value, call: Call | None) -> frozenset[Value]:
        """Give what calling something gives."""
        match callee.kind:
            case "class":
                return self._made(callee, call)
            case "function":
                return self._called(callee, call)
            case "factory":
                return frozenset(
                    [callee._replace(kind="managed", binds=self._binds(callee, call))]
                )
            case "instance":
                return frozenset(
                    value
                    for method in self.member(callee, "__call__")
                    for value in self.result(method, call)
                )
            case "safe":
                if callee.binds:
                    return NOTHING
                return frozenset([callee._replace(binds=(("", "", self.argument(call, 0)),))])
            case "external":
                return self._external_result(callee, call)
            case _:
                return NOTHING

    def _made(self, callee: Value, call: Call | None) -> frozenset[Value]:
        name = callee.name
        if name in known.TRANSPARENT:
            return self.argument(call, known.TRANSPARENT[name])
        if name == "builtins.type":
            return frozenset(
                Value("class", one.name)
                for one in self.argument(call, 0)
                if one.kind == "instance"
            )
        return frozenset([Value("instance", name, is_open=callee.is_open)])

    def _called(self, callee: Value, call: Call | None) -> frozenset[Value]:
        found = self.function(callee.name)
        if found is None:  # pragma: no cover (refs are to what was read)
            return NOTHING
        _, function = found
        if function.is_async or function.is_generator:
            return frozenset([callee._replace(kind="lazy", binds=self._binds(callee, call))])
        values = self.returned(function)
        if any(
            one.kind == "parameter"
            or one.kind in {"function", "factory"}
            or (callee.owner and one.kind == "instance" and one.name == function.owner)
            for one in values
        ):
            binds = self._binds(callee, call)
            return frozenset(
                value
                for one in values
                for value in self._bound(one, function, binds, callee.owner)
            )
        return values

    def _external_result(self, callee: Value, call: Call | None) -> frozenset[Value]:
        name = callee.name
        if name in known.GIVEN:
            classes = frozenset(
                Value("class", one.name)
                for number in range(8)
                for one in self.argument(call, number)
                if one.kind == "class"
            )
            functions = frozenset(
                one for one in self.argument(call, 0) if one.kind in {"function", "external"}
            )
            if functions:
                every = frozenset([Value("class", "builtins.Exception")])
                return frozenset([Value("safe", items=every, binds=(("", "", functions),))])
            return frozenset([Value("safe", items=classes)])
        if name in known.TRANSPARENT:
            given = self.argument(call, known.TRANSPARENT[name])
            if given:
                return given
        if f"{name}()" in known.TRANSPARENT:
            return frozenset([Value("external", f"{name}()")])
        if name in known.ENTERED:
            entered = self.argument(call, known.ENTERED[name])
            return frozenset(v for one in entered for v in self.entered(one))
        returned = known.RETURNS.get(name)
        if returned is not None:
            return frozenset([Value("instance", returned)])
        if callee.items and name.rpartition(".")[2] in {
            "get",
            "pop",
            "setdefault",
            "copy",
            "values",
        }:
            last = name.rpartition(".")[2]
            if last in {"copy", "values"}:
                return frozenset([Value("items", "builtins.list", items=callee.items)])
            return callee.items
        return NOTHING

    def _binds(
        self, callee: Value, call: Call | None
    ) -> tuple[tuple[str, str, frozenset[Value]], ...]:
        """Give what a call passes for each parameter, with what the callee brought with it."""
        found = self.function(callee.name)
        if found is None or call is None:
            return callee.binds
        function = found[1]
        passed: list[tuple[str, str, frozenset[Value]]] = []
        for name in (*function.positional, *function.keyword):
            values = self.passed(callee, function, call, name)
            if values:
                passed.append((function.name, name, values))
        return (*passed, *callee.binds)[:12]

    def passed(self, callee: Value, function: Function, call: Call, name: str) -> frozenset[Value]:
        """Give what a call passes for a parameter."""
        ref = call.ref
        positional = function.positional[1:] if callee.owner else function.positional
        place = positional.index(name) if name in positional else -1
        number = -1
        for part, keyword in zip(ref.parts[1:], ref.names[1:], strict=True):
            if keyword == name:
                return self.values(part, call.module)
            if keyword == "":
                number += 1
                if number == place or (name == function.star and number >= len(positional)):
                    return self.values(part, call.module)
        return NOTHING

    def argument(self, call: Call | None, which: int | str) -> frozenset[Value]:
        """Give the argument of a call by its position, or its keyword."""
        if call is None:  # pragma: no cover (the table names what is called with arguments)
            return NOTHING
        number = -1
        for part, keyword in zip(call.ref.parts[1:], call.ref.names[1:], strict=True):
            number += keyword == ""
            if (keyword == "" and number == which) or keyword == which:
                return self.values(part, call.module)
        return NOTHING

    # --- what has no value

    def guesses(self, method: str, module: str) -> list[Value]:
        """Give the methods that a receiver of no known type can have, when they are few."""
        key = (method, module.partition(".")[0])
        if key not in self._guesses:
            self._guesses[key] = self._guesses_of(*key)
        return self._guesses[key]

    def _guesses_of(self, method: str, top: str) -> list[Value]:
        owners = self.files.owners(top, method)
        roots = [one for one in owners if not any(o in self.order(one)[1:] for o in owners)]
        if not 1 <= len(roots) <= _FEW:
            return []
        return in_order(
            {
                value
                for one in owners[:_OVERRIDERS]
                for value in self.member(Value("instance", one), method)
                if value.kind in {"function", "factory"}
            }
        )


# They are read nowhere: what they do to a function is said in the table.
_SPOKEN = known.GIVEN | {name for name in known.TRANSPARENT if not name.startswith("builtins.")}
_BUILTINS = frozenset(dir(__import__("builtins")))
_ITEMS = frozenset("list tuple set frozenset deque".split())


def _word(ref: Ref) -> str:
    """Give the last name of a decorator."""
    return _word(ref.parts[0]) if ref.kind == "call" else ref.name


def _classes(values: frozenset[Value]) -> frozenset[Value]:
    return frozenset(
        Value("class", one.name, is_open=True) for one in values if one.kind == "instance"
    )


def _few(values: set[Value] | frozenset[Value]) -> frozenset[Value]:
    if len(values) <= _MOST:
        return frozenset(values)
    return frozenset(in_order(values)[:_MOST])


def in_order(values: Iterable[Value]) -> list[Value]:
    """Sort values, so that the same are taken in every run."""
    return sorted(values, key=lambda one: (one.kind, one.name, one.owner))
