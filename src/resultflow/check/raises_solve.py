"""What can leave each function: a fixed point over the calls.

A set of exceptions is an int, one bit for each class: what leaves a function is a few `|` and
`&` of what leaves those that it calls. Some bits stand for what is not known yet: "what calling
the parameter `f` raises", "what is thrown in at the yield", "something that cannot be told". They
pass handlers as exceptions do, remember what was taken from them, and are replaced where the
function is called.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from resultflow.check import raises_known as known
from resultflow.check.raises_program import NOTHING, Call, Value, World, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resultflow.check.raises_ir import Block, Effect, Function, Module, Ref

__all__ = ["Contribution", "Solver"]

UNKNOWN = "?"
_ALL = "builtins.BaseException"
_EVERY = "builtins.Exception"
_CALLERS = 200  # of a name that is very common, not all are looked at
_DEEP = 5  # parameters that are passed on, and on


class _Pending(NamedTuple):
    """What a bit stands for that is replaced later."""

    kind: str  # call, raise, use, enter: what is done with a parameter; thrown: what comes in
    owner: str
    name: str
    minus: frozenset[str]


class Contribution(NamedTuple):
    """What a place in a function lets out."""

    line: int
    column: int
    callee: str  # a function, a name of the table, or nothing for a `raise`
    raw: int  # before handlers
    left: int  # after them
    is_guess: bool = False  # by the name of a method alone
    through: tuple[str, ...] = ()  # the generators that manage the blocks around it


class Target(NamedTuple):
    """What a place calls."""

    kind: str  # function, known, pending, safe
    name: str
    value: Value
    call: Call | None = None
    how: str = "call"
    minus: tuple[str, ...] = ()
    is_guess: bool = False


class _Caught:
    """What a handler holds, and what of it is raised again."""

    __slots__ = ("again", "known", "mask")

    def __init__(self, mask: int, known: int) -> None:
        self.mask = mask
        self.known = known  # without what is only there because the handler names it
        self.again = 0


class _Flow:
    """What leaves a block; with its places, when somebody asks."""

    __slots__ = ("mask", "places")

    def __init__(self, *, is_asked: bool) -> None:
        self.mask = 0
        self.places: list[Contribution] | None = [] if is_asked else None

    def add(self, mask: int, place: Contribution | None) -> None:
        self.mask |= mask
        if self.places is not None and place is not None and place.raw:
            self.places.append(place)

    def join(self, other: _Flow) -> None:
        self.mask |= other.mask
        if self.places is not None and other.places is not None:
            self.places += other.places


class Solver:
    """Answers for functions, as far as the world around them has been looked at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.names: list[str] = []
        self._bits: dict[str, int] = {}
        self._pending: dict[int, _Pending] = {}
        self._pending_mask = 0
        self.unknown: int = self.bit(UNKNOWN)
        self._below: dict[tuple[str, bool], tuple[int, int, int]] = {}
        self._sets: dict[str, int] = {}
        self._callers: dict[str, set[str]] = {}
        self._rank: dict[str, int] = {}
        self._dirty: list[tuple[int, str]] = []
        self._is_dirty: set[str] = set()
        self._targets: dict[tuple[str, str, Ref, str], list[Target]] = {}
        self._current = ""
        self._depth = 0
        self._in_view: dict[tuple[str, str], frozenset[Value]] = {}
        self._places: dict[str, list[Contribution]] = {}
        self.reads: dict[str, set[str]] = {}  # functions, with those that they call

    # --- sets

    def bit(self, name: str) -> int:
        """Give the bit of an exception class."""
        found = self._bits.get(name)
        if found is None:
            found = self._bits[name] = 1 << len(self.names)
            self.names.append(name)
        return found

    def exceptions(self, mask: int) -> list[str]:
        """Give the classes in a set, sorted."""
        found: list[str] = []
        mask &= ~(self._pending_mask | self.unknown)
        while mask:
            low = mask & -mask
            found.append(self.names[low.bit_length() - 1])
            mask ^= low
        return sorted(found)

    def _pend(self, pending: _Pending) -> int:
        bit = self.bit("\0".join([*pending[:3], *sorted(pending.minus)]))
        self._pending[bit] = pending
        self._pending_mask |= bit
        return bit

    def _pendings(self, mask: int) -> Iterator[tuple[int, _Pending]]:
        mask &= self._pending_mask
        while mask:
            low = mask & -mask
            yield low, self._pending[low]
            mask ^= low

    def _caught_by(self, kind: str, mask: int, *, is_star: bool) -> tuple[int, int]:
        """Give the bits of a set that a handler takes, and those that it takes in part."""
        key = (kind, is_star)
        seen, below, above = self._below.get(key, (0, 0, 0))
        new = mask & ~(seen | self._pending_mask)
        if new:
            seen |= new
            while new:
                bit = new & -new
                new ^= bit
                name = self.names[bit.bit_length() - 1]
                if name == UNKNOWN:
                    below |= bit if kind in {_ALL, _EVERY} else 0
                    continue
                own, _, held = name.partition("[")
                if held and is_star:
                    own = held[:-1]
                if self.world.is_below(own, kind):
                    below |= bit
                elif self.world.is_below(kind, own):
                    above |= bit
            self._below[key] = seen, below, above
        return mask & below, mask & above

    def without(
        self, mask: int, kinds: Iterable[str], *, is_star: bool = False
    ) -> tuple[int, int]:
        """Split a set by handlers: what they leave, and what they take."""
        taken = 0
        kinds = list(kinds)
        for kind in kinds:
            below, above = self._caught_by(kind, mask, is_star=is_star)
            taken |= below | above
            mask &= ~below
        if mask & self._pending_mask and kinds:
            if _ALL in kinds:
                pending = mask & self._pending_mask
                return mask & ~pending, taken | pending
            for bit, one in list(self._pendings(mask)):
                taken |= bit
                mask &= ~bit
                mask |= self._pend(one._replace(minus=one.minus | frozenset(kinds)))
        return mask, taken

    # --- the fixed point

    def solve(self, *functions: str) -> None:
        """Look at functions, and at all that they call."""
        for name in functions:
            self._visit(name)
        self._settle()

    def _visit(self, root: str) -> None:
        """Rank functions so that what is called comes first."""
        todo: list[tuple[str, bool]] = [(root, False)]
        seen = {root}
        while todo:
            name, is_done = todo.pop()
            if is_done:
                if name not in self._rank:  # pragma: no branch (by a visit within this one)
                    self._rank[name] = len(self._rank)
                    self._mark(name)
                continue
            if name in self._rank:
                continue
            todo.append((name, True))
            for callee in self._calls(name):
                if callee not in seen and callee not in self._rank:
                    seen.add(callee)
                    todo.append((callee, False))

    def _mark(self, name: str) -> None:
        if name not in self._is_dirty:  # pragma: no branch (marked by two that it calls)
            self._is_dirty.add(name)
            heapq.heappush(self._dirty, (self._rank[name], name))

    def _settle(self) -> None:
        while self._dirty:
            _, name = heapq.heappop(self._dirty)
            self._is_dirty.discard(name)
            found = self.world.function(name)
            if found is None:
                continue
            new = self._sets.get(name, 0) | self._evaluate(name, *found).mask
            if new != self._sets.get(name, 0):
                self._sets[name] = new
                for caller in self._callers.get(name, ()):
                    if caller in self._rank:  # pragma: no branch (asked for from outside)
                        self._mark(caller)

    def _set(self, name: str) -> int:
        """Give what leaves a function as far as it is known, and ask to be told of more."""
        if name not in self._rank:
            self._visit(name)
        self._callers.setdefault(name, set()).add(self._current)
        return self._sets.get(name, 0)

    def places(self, name: str) -> list[Contribution]:
        """Give the places of a function that let something out."""
        if name not in self._places:
            found = self.world.function(name)
            if found is None:
                return []
            self.solve(name)
            flow = self._evaluate(name, *found, is_asked=True)
            self._settle()
            self._places[name] = [
                place._replace(left=place.left & flow.mask) for place in flow.places or ()
            ]
        return self._places[name]

    def entered(self, value: Value) -> list[Target]:
        """Give what calling something from outside means, its laziness included."""
        targets = list(self._called(value, None, "call"))
        if value.kind == "function" and not targets:
            found = self.world.function(value.name)
            if found is not None:  # pragma: no branch (values are of what was read)
                targets = [Target("function", value.name, value, None, "use")]
        elif value.kind == "factory" or (
            value.kind == "module" and self.world.function(value.name) is not None
        ):
            targets = [Target("function", value.name, value, None, "use")]
        return targets

    def outside(self, target: Target) -> list[tuple[str, int]]:
        """Give what a call from outside lets out, by what it comes from."""
        self._current = ""
        if target.kind == "function":
            self.solve(target.name)
        while True:
            parts = self.raised(target, "")
            if target.kind == "function":
                # What hangs on its parameters: as its own package calls it.
                leaves = self._sets.get(target.name, 0)
                bound = {(owner, name) for owner, name, _ in target.value.binds}
                parts += self.in_view(leaves, target.name, bound)
            if not self._dirty:
                break
            self._settle()
        return [
            (name, mask & ~self._pending_mask | (self.unknown if self._hangs(mask) else 0))
            for name, mask in parts
        ]

    def body(self, name: str) -> int:
        """Give what leaves a function's body, its parameters as its package passes them."""
        while True:
            self._current = ""
            mask = self._sets.get(name, 0)
            for _, part in self.in_view(mask, name, set()):
                mask |= part
            for minus in self.thrown_in(mask):
                mask |= self.without(self._thrown_in_view(name), minus)[0]
            if not self._dirty:
                return mask
            self._settle()

    def _thrown_in_view(self, name: str) -> int:
        """Give what the blocks of a package raise that a generator manages."""
        mask = 0
        last = name.partition("#")[0].rpartition(".")[2]
        for caller in dict.fromkeys(self.world.files.callers(name.partition(".")[0], last)):
            for place in self.places(caller):
                if name in place.through:
                    mask |= place.raw & ~self._pending_mask
        return mask

    def _hangs(self, mask: int) -> bool:
        return any(one.kind not in {"thrown", "use"} for _, one in self._pendings(mask))

    # --- what is called

    def _calls(self, name: str) -> list[str]:
        """Give the functions that a function calls, for the order alone."""
        found = self.world.function(name)
        if found is None:
            return []
        module, function = found
        called: dict[str, None] = {}
        todo = [function.body]
        while todo:
            for effect in todo.pop():
                todo += [effect.body, effect.orelse, effect.final]
                todo += [one.body for one in effect.handlers]
                if effect.ref is not None and effect.kind in _KINDS:
                    for target in self._at(effect, module):
                        if target.kind == "function":
                            called[target.name] = None
        self.reads[name] = set(called)
        return list(called)

    def _at(self, effect: Effect, module: Module) -> list[Target]:
        """Give what an effect calls."""
        ref = effect.ref
        if ref is None:  # pragma: no cover (only effects with a ref get here)
            return []
        key = (effect.kind, module.name, ref, effect.name)
        found = self._targets.get(key)
        if found is None:
            found = list(dict.fromkeys(getattr(self, _KINDS[effect.kind])(effect, ref, module)))
            self._targets[key] = found
        return found

    def _call(self, effect: Effect, ref: Ref, module: Module) -> Iterator[Target]:
        del effect
        call = Call(ref, module.name)
        callee = ref.parts[0]
        yield from self._calling(self.world.values(callee, module.name), call)
        if not self._is_untold(callee, module):
            return
        if callee.kind == "attribute" and callee.name in known.COMMON:
            return
        owners = self._parameters(callee, module)
        guesses = self._guessed(callee, module)
        if owners and len(guesses) != 1:
            for value in owners:
                yield Target("pending", value.name, value, call, f"call:{callee.name}")
        elif guesses:
            for target in self._calling(guesses, call):
                yield target._replace(is_guess=True)
        else:
            yield Target("unknown", "", Value("none"))

    def _parameters(self, callee: Ref, module: Module) -> list[Value]:
        """Give the parameters of which a method is called."""
        if callee.kind != "attribute":
            return []
        bases = self.world.values(callee.parts[0], module.name)
        return [one for one in in_order(bases) if one.kind == "parameter"]

    def _is_untold(self, ref: Ref, module: Module) -> bool:
        values = self.world.values(ref, module.name)
        return not values - {Value("none")}

    def _guessed(self, callee: Ref, module: Module) -> list[Value]:
        if callee.kind != "attribute":
            return []
        return self.world.guesses(callee.name, module.name)

    def _calling(
        self, values: Iterable[Value], call: Call | None, how: str = "call"
    ) -> Iterator[Target]:
        for value in in_order(values):
            yield from self._called(value, call, how)

    def _called(  # noqa: C901 - one case for each kind
        self, value: Value, call: Call | None, how: str
    ) -> Iterator[Target]:
        world = self.world
        match value.kind:
            case "function":
                if value.name in world.known:
                    yield Target("known", value.name, value)
                    return
                found = world.function(value.name)
                if found is not None and not found[1].is_async and not found[1].is_generator:
                    yield Target("function", value.name, value, call)
            case "class":
                yield from self._constructed(value, call)
            case "instance":
                yield from self._calling(world.member(value, "__call__"), call)
            case "external":
                yield from self._external(value, call)
            case "parameter":
                yield Target("pending", value.name, value, call, how)
            case "safe":
                minus = tuple(sorted(one.name for one in value.items))
                for _, _, inner in value.binds:
                    for target in self._calling(inner, call):
                        yield target._replace(minus=(*target.minus, *minus))
            case _:
                return

    def _constructed(self, value: Value, call: Call | None) -> Iterator[Target]:
        world = self.world
        name = value.name
        made = Value("instance", name, is_open=value.is_open)
        if name in world.known:
            yield Target("known", name, value)
            if world.class_(name) is not None:
                return  # the settings know better than its source
        yield from self._consumed(name, call)
        for method in ("__init__", "__new__"):
            for one in world.member(made._replace(is_open=False), method):
                if one.kind == "function":
                    yield Target("function", one.name, one._replace(owner=name), call)
        if world.class_(name) is not None:
            yield from self._initialised(made)

    def _initialised(self, made: Value) -> Iterator[Target]:
        """What a class of the program does on the way to an instance, besides `__init__`."""
        world = self.world
        for base in world.order(made.name)[1:]:
            if base in world.known:
                yield Target("known", base, made)
        for method in ("__post_init__", "__attrs_post_init__", "__attrs_pre_init__"):
            for one in world.member(made, method):
                if one.kind == "function":
                    yield Target("function", one.name, one, None)

    def _external(self, value: Value, call: Call | None) -> Iterator[Target]:
        world, name = self.world, value.name
        yield from self._consumed(name, call)
        owner, _, method = name.rpartition(".")
        if name in known.LENIENT and _is_told(call, known.LENIENT[name]):
            return
        for one in (name, *(f"{base}.{method}" for base in world.order(owner)[1:])):
            if one in world.known:
                yield Target("known", one, value)
                return
        if (
            world.is_quiet(owner)
            or name in known.TRANSPARENT
            or name in known.ENTERED
            or name in known.GIVEN
            or name.removesuffix("()") in known.GIVEN
            or name.endswith("()")
        ):
            return
        yield Target("unknown", name, value)

    def _consumed(self, name: str, call: Call | None) -> Iterator[Target]:
        """What builtins do with what they are given: iterate, call, enter."""
        world = self.world
        for which in known.USED.get(name, ()):
            for value in in_order(world.argument(call, which)):
                yield from self._using(value)
        for one in known.CALLED.get(name, ()):
            yield from self._calling(world.argument(call, one), None)
        if name in known.ENTERED:
            for value in in_order(world.argument(call, known.ENTERED[name])):
                yield from self._entering(value)
        special = _SPECIAL.get(name)
        if special is not None:
            for value in in_order(world.argument(call, 0)):
                if value.kind == "instance":
                    yield from self._calling(world.member(value, special), None)

    def _use(self, effect: Effect, ref: Ref, module: Module) -> Iterator[Target]:
        del effect
        for value in in_order(self.world.values(ref, module.name)):
            yield from self._using(value)

    def _using(self, value: Value) -> Iterator[Target]:
        """Iterate over something, or await it."""
        world = self.world
        if value.kind == "lazy":
            yield Target("function", value.name, value, None, "use")
        elif value.kind == "parameter":
            yield Target("pending", value.name, value, None, "use")
        elif value.kind == "instance":
            names = ("__iter__", "__next__", "__await__", "__aiter__", "__anext__")
            for name in names:
                for method in in_order(world.member(value, name)):
                    yield from self._called(method, None, "call")
                    for result in in_order(world.result(method, None)):
                        if result.kind == "lazy":
                            yield from self._using(result)
                        elif result.kind == "instance" and result.name != value.name:
                            for inner in in_order(world.member(result, "__next__")):
                                yield from self._called(inner, None, "call")

    def _entering(self, value: Value) -> Iterator[Target]:
        world = self.world
        if value.kind == "managed":
            yield Target("function", value.name, value, None, "enter")
        elif value.kind == "instance":
            for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                for method in in_order(world.member(value, name)):
                    yield from self._called(method, None, "call")
                    for result in in_order(world.result(method, None)):
                        if result.kind == "lazy":
                            yield from self._using(result)
        elif value.kind == "parameter":
            yield Target("pending", value.name, value, None, "enter")

    def _with(self, effect: Effect, ref: Ref, module: Module) -> Iterator[Target]:
        del effect
        for value in in_order(self.world.values(ref, module.name)):
            yield from self._entering(value)

    def _load(self, effect: Effect, ref: Ref, module: Module) -> Iterator[Target]:
        kind = "property" if effect.kind == "load" else "setter"
        for base in in_order(self.world.values(ref.parts[0], module.name)):
            for one in in_order(self.world.properties(base, ref.name, kind)):
                yield from self._called(one, None, "call")

    def _operator(self, effect: Effect, ref: Ref, module: Module) -> Iterator[Target]:
        for value in in_order(self.world.values(ref, module.name)):
            if value.kind == "instance" and self.world.class_(value.name) is not None:
                for method in in_order(self.world.member(value, effect.name)):
                    if method.kind == "function":
                        yield from self._called(method, None, "call")

    # --- evaluation

    def _evaluate(
        self, name: str, module: Module, function: Function, *, is_asked: bool = False
    ) -> _Flow:
        self._current = name
        return _Body(self, name, module, is_asked=is_asked).block(function.body, [])

    def raised(self, target: Target, function: str) -> list[tuple[str, int]]:
        """Give what calling a target lets out, in a function: by what it comes from."""
        parts: list[tuple[str, int]] = []
        if target.kind == "known":
            mask = 0
            for one in self.world.known[target.name]:
                mask |= self.bit(self.canonical(one))
            parts.append((target.name, mask))
        elif target.kind == "unknown":
            parts.append((target.name or UNKNOWN, self.unknown))
        elif target.kind == "pending":
            value = target.value
            bit = self._pend(_Pending(target.how, value.owner, value.name, frozenset()))
            parts.append((UNKNOWN, bit))
        else:
            parts += self._filled(self._set(target.name), target, function)
        if target.minus:
            parts = [(name, self.without(mask, target.minus)[0]) for name, mask in parts]
        return parts

    def sum(self, target: Target, function: str) -> int:
        """Give what calling a target lets out, all in all."""
        mask = 0
        for _, part in self.raised(target, function):
            mask |= part
        return mask

    def canonical(self, name: str) -> str:
        """Give the name under which a class of the table is defined."""
        name = known.ALIASES.get(name, name)
        if name in known.BASES:
            return name
        for value in in_order(self.world.dotted(name)):
            if value.kind == "class":
                return value.name
        return name

    def _filled(self, mask: int, target: Target, function: str) -> list[tuple[str, int]]:
        """Replace what stands for a parameter by what was passed for it."""
        pending = mask & self._pending_mask
        mask &= ~pending
        if (
            pending and self._depth >= _DEEP
        ):  # pragma: no cover (parameters that are passed on in circles)
            return [(target.name, mask), (UNKNOWN, self.unknown)]
        self._depth += 1
        try:
            parts, kept = self._replaced(pending, target, function)
        finally:
            self._depth -= 1
        return [(target.name, mask | kept), *parts]

    def _replaced(
        self, pending: int, target: Target, function: str
    ) -> tuple[list[tuple[str, int]], int]:
        mask = 0
        parts: list[tuple[str, int]] = []
        for bit, one in self._pendings(pending):
            if one.kind == "thrown":
                if target.how == "enter":
                    mask |= bit
                continue
            values = self._passed(one, target)
            if values is not None:
                found = [part for v in in_order(values) for part in self._done(one, v, function)]
                if not values and one.kind != "use":
                    found = self._unpassed(one, function)
            elif function.startswith(f"{one.owner}.") or function == one.owner:
                mask |= bit  # a closure's: its function knows
                continue
            else:
                found = [(UNKNOWN, self.unknown)]
            parts += [(name, self.without(part, one.minus)[0]) for name, part in found]
        return parts, mask

    def _passed(self, one: _Pending, target: Target) -> frozenset[Value] | None:
        for owner, name, values in target.value.binds:
            if (owner, name) == (one.owner, one.name):
                return values
        found = self.world.function(target.name)
        if found is None or found[1].name != one.owner:
            return None
        module, function = found
        if target.call is not None:
            values = self.world.passed(target.value, function, target.call, one.name)
            if values:
                return values
        default = function.defaults.get(one.name)
        return NOTHING if default is None else self.world.values(default, module.name)

    def _done(self, one: _Pending, value: Value, function: str) -> list[tuple[str, int]]:
        """Do with a value what a function does with its parameter."""
        if value.kind == "parameter":
            bit = self._pend(_Pending(one.kind, value.owner, value.name, frozenset()))
            return [(UNKNOWN, bit)]
        if one.kind == "raise":
            if value.kind in {"class", "instance"}:
                return [("", self.bit(value.name))]
            return []
        kind, _, method = one.kind.partition(":")
        if method:
            values = self.world.attribute(value, method)
            if not values and value.kind != "none":
                return self._unpassed(one, function)
            targets = self._calling(values, None)
        else:
            using = {"use": self._using, "enter": self._entering}.get(kind)
            targets = using(value) if using else self._called(value, None, "call")
        return [
            part
            for target in targets
            if target.name != one.owner
            for part in self.raised(target, function)
        ]

    def _unpassed(self, one: _Pending, function: str) -> list[tuple[str, int]]:
        """What is done with a parameter of which nothing is known."""
        method = one.kind.partition(":")[2]
        guesses = self.world.guesses(method, one.owner) if method else []
        if not guesses:
            return [(UNKNOWN, self.unknown)]
        return [
            part
            for target in self._calling(guesses, None)
            for part in self.raised(target, function)
        ]

    def in_view(
        self, mask: int, function: str, bound: set[tuple[str, str]]
    ) -> list[tuple[str, int]]:
        """Give what a function does with its parameters, for what its package passes to it."""
        parts: list[tuple[str, int]] = []
        done = 0
        todo = mask & self._pending_mask
        while todo:
            bit = todo & -todo
            done |= bit
            one = self._pending[bit]
            if one.kind != "thrown" and (one.owner, one.name) not in bound:
                for value in in_order(self._passed_in_view(one.owner, one.name)):
                    for name, part in self._done(one, value, function):
                        left = self.without(part, one.minus)[0]
                        parts.append((name, left & ~self._pending_mask))
                        todo |= left & self._pending_mask
            todo &= ~done
        return parts

    def _passed_in_view(self, owner: str, name: str) -> frozenset[Value]:
        """Give what the functions of a package pass for a parameter of one of them."""
        key = (owner, name)
        if key not in self._in_view:
            self._in_view[key] = frozenset(self._all_passed(owner, name))
        return self._in_view[key]

    def _all_passed(self, owner: str, name: str) -> Iterator[Value]:
        found = self.world.function(owner)
        if found is None:  # pragma: no cover (owners were read)
            return
        function = found[1]
        above, _, last = owner.partition("#")[0].rpartition(".")
        if last in {"__init__", "__new__"}:
            last = above.rpartition(".")[2]
        top = owner.partition(".")[0]
        for caller in list(dict.fromkeys(self.world.files.callers(top, last)))[:_CALLERS]:
            place = self.world.function(caller)
            if place is None:  # pragma: no cover (callers were read)
                continue
            if any(owner == one.name for one in self._decorators(caller)):
                yield Value("function", caller)
            for effect in _calls_in(place[1].body):
                for target in self._at(effect, place[0]):
                    if target.name == owner and target.call is not None:
                        yield from self.world.passed(target.value, function, target.call, name)

    def _decorators(self, function: str) -> Iterator[Value]:
        """Give the functions that another one is handed to as it is defined."""
        found = self.world.function(function)
        if found is not None:  # pragma: no branch (callers were read)
            for ref in found[1].decorators:
                yield from self.world.values(ref, found[0].name)

    def is_untold(self, mask: int) -> bool:
        """Tell whether something in a set is not known, or not yet."""
        return bool(mask & self.unknown) or any(
            one.kind != "thrown" for _, one in self._pendings(mask)
        )

    def pend_thrown(self) -> int:
        """Give the bit for what is thrown in at a yield."""
        return self._pend(_Pending("thrown", "", "", frozenset()))

    def thrown_in(self, mask: int) -> list[frozenset[str]]:
        """Give, for each way through a context manager, what it keeps of what is thrown in."""
        return [one.minus for _, one in self._pendings(mask) if one.kind == "thrown"]

    def without_thrown(self, mask: int) -> int:
        """Leave out what stands for what is thrown in."""
        for bit, one in self._pendings(mask):
            if one.kind == "thrown":
                mask &= ~bit
        return mask

    def raising(self, values: Iterable[Value]) -> int:
        """Give what `raise` of a value raises."""
        mask = 0
        for value in values:
            if value.kind in {"class", "instance"}:
                mask |= self.bit(value.name)
            elif value.kind == "parameter":
                mask |= self._pend(_Pending("raise", value.owner, value.name, frozenset()))
        return mask or self.unknown

    def targets(self, effect: Effect, module: Module) -> list[Target]:
        """Give what an effect calls."""
        return self._at(effect, module)


_KINDS = {
    "call": "_call",
    "use": "_use",
    "with": "_with",
    "load": "_load",
    "store": "_load",
    "operator": "_operator",
}
_SPECIAL = {
    "builtins.len": "__len__",
    "builtins.str": "__str__",
    "builtins.repr": "__repr__",
    "builtins.int": "__int__",
    "builtins.float": "__float__",
    "builtins.bool": "__bool__",
    "builtins.hash": "__hash__",
    "builtins.bytes": "__bytes__",
    "builtins.next": "__next__",
    "builtins.abs": "__abs__",
    "builtins.round": "__round__",
    "builtins.reversed": "__reversed__",
    "operator.index": "__index__",
}


def _is_told(call: Call | None, keyword: str) -> bool:
    """Tell whether a call says what is to be done instead of raising."""
    return call is not None and (call.ref.names[2:3] == ("",) or keyword in call.ref.names)


def _calls_in(body: Block) -> Iterator[Effect]:
    """Give the calls in a function."""
    todo = [body]
    while todo:
        for effect in todo.pop():
            todo += [effect.body, effect.orelse, effect.final]
            todo += [one.body for one in effect.handlers]
            if effect.kind == "call":
                yield effect


class _Body:
    """One evaluation of a function's body."""

    def __init__(self, solver: Solver, name: str, module: Module, *, is_asked: bool) -> None:
        self.solver = solver
        self.name = name
        self.module = module
        self.is_asked = is_asked

    def block(self, effects: Block, caught: list[_Caught]) -> _Flow:
        flow = _Flow(is_asked=self.is_asked)
        for effect in effects:
            match effect.kind:
                case "raise":
                    self._raise(effect, flow)
                case "again":
                    self._again(effect, caught[-1 - effect.depth], flow)
                case "yield":
                    flow.add(self.solver.pend_thrown(), None)
                case "try":
                    flow.join(self._try(effect, caught))
                case "with":
                    flow.join(self._with(effect, caught))
                case _:
                    self._targets(effect, flow)
        return flow

    def _again(self, effect: Effect, held: _Caught, flow: _Flow) -> None:
        """Raise what a handler holds: it still comes from where it came from."""
        held.again |= held.known
        flow.mask |= held.known
        self._add(flow, effect, "", held.mask & ~held.known)

    def _add(
        self, flow: _Flow, effect: Effect, callee: str, mask: int, *, is_guess: bool = False
    ) -> None:
        place = None
        if self.is_asked:
            place = Contribution(effect.line, effect.column, callee, mask, mask, is_guess)
        flow.add(mask, place)

    def _targets(self, effect: Effect, flow: _Flow) -> None:
        for target in self.solver.targets(effect, self.module):
            for callee, mask in self.solver.raised(target, self.name):
                kept = self.solver.without_thrown(mask)
                self._add(flow, effect, callee, kept, is_guess=target.is_guess)

    def _raise(self, effect: Effect, flow: _Flow) -> None:
        ref = effect.ref
        if ref is None:  # pragma: no cover (a `raise` without one is "again")
            return
        world = self.solver.world
        group = self._group(ref)
        if group:
            self._add(flow, effect, "", group)
            return
        values = world.values(ref, self.module.name) - {Value("none")}
        if any(one.kind == "parameter" for one in values):
            # What is declared for it says less than what is passed.
            values = frozenset(one for one in values if one.kind == "parameter") | frozenset(
                one for one in values if one.kind == "class"
            )
        self._add(flow, effect, "", self.solver.raising(in_order(values)))

    def _group(self, ref: Ref) -> int:
        """Give the exceptions in `raise ExceptionGroup("...", [A(), B()])`."""
        world, module = self.solver.world, self.module.name
        if ref.kind != "call" or len(ref.parts) < 3:  # noqa: PLR2004 - callee, message, exceptions
            return 0
        names = {one.name for one in world.values(ref.parts[0], module)}
        kinds = names & {"builtins.ExceptionGroup", "builtins.BaseExceptionGroup"}
        mask = 0
        for kind in kinds:
            for value in world.values(ref.parts[2], module):
                for one in value.items:
                    mask |= self.solver.bit(f"{kind}[{one.name}]")
        return mask

    def _try(self, effect: Effect, caught: list[_Caught]) -> _Flow:
        solver, is_star = self.solver, "star" in effect.name
        flow = self.block(effect.body, caught)
        after = _Flow(is_asked=self.is_asked)
        for handler in effect.handlers:
            kinds = self._kinds(handler.types) if handler.types else [_ALL]
            before = flow.mask
            flow.mask, taken = solver.without(flow.mask, kinds, is_star=is_star)
            held = _Caught(taken, taken)
            if solver.is_untold(before):
                # Whoever wrote the handler knows that they can come.
                for kind in kinds:
                    if kind not in {_ALL, _EVERY}:
                        held.mask |= solver.bit(kind)
            after.join(self.block(handler.body, [*caught, held]))
            if flow.places is not None:
                flow.places = [
                    place._replace(left=left | taken & held.again)
                    for place in flow.places
                    for left, taken in [solver.without(place.left, kinds, is_star=is_star)]
                ]
        flow.join(after)
        flow.join(self.block(effect.orelse, caught))
        if "swallow" in effect.name:
            flow.mask = 0
            if flow.places is not None:
                flow.places = [place._replace(left=0) for place in flow.places]
        flow.join(self.block(effect.final, caught))
        return flow

    def _kinds(self, types: tuple[Ref, ...]) -> list[str]:
        world = self.solver.world
        found: list[str] = []
        for ref in types:
            found += [one.name for one in in_order(world.classes_in(ref, self.module.name))]
        return found

    def _with(self, effect: Effect, caught: list[_Caught]) -> _Flow:
        solver, world = self.solver, self.solver.world
        ref = effect.ref
        if ref is None:  # pragma: no cover (a `with` has one)
            return _Flow(is_asked=self.is_asked)
        inner = self.block(effect.body, caught)
        values = in_order(world.values(ref, self.module.name))
        # What is declared for a parameter says enough.
        values = [one for one in values if one.kind != "parameter"] or values
        kept = self._kept(ref)
        if kept:
            inner.mask, _ = solver.without(inner.mask, kept)
            if inner.places is not None:
                inner.places = [
                    place._replace(left=solver.without(place.left, kept)[0])
                    for place in inner.places
                ]
        managed = [one for one in values if one.kind == "managed"]
        if managed and len(managed) == len(values):
            self._thrown(managed, inner)
        elif values and all(self._swallows(one) for one in values):
            inner.mask, _ = solver.without(inner.mask, [_ALL])
            if inner.places is not None:
                inner.places = [place._replace(left=0) for place in inner.places]
        flow = _Flow(is_asked=self.is_asked)
        self._targets(effect, flow)
        flow.join(inner)
        if caught and any(one.name in known.RERAISING for one in values):
            self._again(effect, caught[-1], flow)
        return flow

    def _kept(self, ref: Ref) -> list[str]:
        """Give what `suppress` and its like keep."""
        if ref.kind != "call":
            return []
        callees = self.solver.world.values(ref.parts[0], self.module.name)
        if not any(one.name in known.SUPPRESSING for one in callees):
            return []
        return self._kinds(ref.parts[1:])

    def _thrown(self, managed: list[Value], inner: _Flow) -> None:
        """Send what the block raises through the generators that manage it."""
        solver = self.solver
        ways: list[frozenset[str]] = []
        for one in managed:
            target = Target("function", one.name, one, None, "enter")
            ways += solver.thrown_in(solver.sum(target, self.name))

        def through(mask: int) -> int:
            left = 0
            for minus in ways:
                left |= solver.without(mask, minus)[0]
            return left

        inner.mask = through(inner.mask)
        if inner.places is not None:
            names = tuple(one.name for one in managed)
            inner.places = [
                place._replace(left=through(place.left), through=(*place.through, *names))
                for place in inner.places
            ]

    def _swallows(self, value: Value) -> bool:
        """Tell whether an `__exit__` keeps whatever its block raises."""
        if value.kind != "instance":
            return False
        world = self.solver.world
        for name in ("__exit__", "__aexit__"):
            for method in world.member(value._replace(is_open=False), name):
                found = world.function(method.name) if method.kind == "function" else None
                if found is not None and found[1].returns:
                    return all(
                        one.kind == "constant" and one.owner == "True" for one in found[1].returns
                    )
        return False
