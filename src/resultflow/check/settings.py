"""The settings in `[tool.resultflow]` of `pyproject.toml`."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Settings", "SettingsError", "is_test", "load"]


class SettingsError(Exception):
    """What `[tool.resultflow]` says cannot be."""


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, str) for item in cast("list[object]", value)
    )


class Settings(NamedTuple):
    """What a project says about the checks; a pattern is a dotted name, with `*` for any part."""

    strict: bool = False
    may_drop_: tuple[str, ...] = ()
    context_managers: tuple[str, ...] = ()
    may_unwrap_: tuple[str, ...] = ()
    may_raise: tuple[str, ...] = ()
    raises: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    bugs: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def may_drop(self, receiver: str) -> bool:
        """Tell whether a callable may be given one that returns a Result, and drop it."""
        return _is_named(receiver, (*_LOOKS_ONLY, *self.may_drop_))

    def is_context_manager(self, decorator: str) -> bool:
        """Tell whether a decorator makes a context manager of a generator function."""
        return _is_named(decorator, (*_CONTEXT_MANAGERS, *self.context_managers))

    def manager_words(self) -> set[bytes]:
        """Give the words of which a file that uses such a decorator has one."""
        names = (*_CONTEXT_MANAGERS, *self.context_managers)
        return {name.rpartition(".")[2].strip("*").encode() for name in names}

    def may_unwrap(self, module: str, path: str) -> bool:
        """Tell whether a module is a test, or another place where an exception is right."""
        return is_test(module, path) or _is_named(module, (*_EDGES, *self.may_unwrap_))

    def is_computed(self, module: str) -> bool:
        """Tell whether it is computed what may leave the functions of a module."""
        return _is_named(module, self.may_raise)

    def as_data(self) -> dict[str, object]:
        """Give all settings as JSON would give them back, to tell whether they have changed."""
        return {name: _as_data(value) for name, value in self._asdict().items()}


def _as_data(value: object) -> object:
    if isinstance(value, (dict, MappingProxyType)):
        table = cast("Mapping[str, tuple[str, ...]]", value)
        return {name: list(table[name]) for name in sorted(table)}
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_list(item) for item in cast("dict[str, object]", value).values()
    )


_CONTEXT_MANAGERS = ("contextlib.contextmanager", "contextlib.asynccontextmanager")
# They take a callable to look at it, not to call it.
_LOOKS_ONLY = ("functools.*", "inspect.*", "types.*", "typing.*")
_TESTS = ("conftest", "*.conftest", "test_*", "*.test_*")
_EDGES = ("__main__", "*.__main__")

_KEYS: dict[str, tuple[str, Callable[[object], bool], str]] = {
    "strict": ("strict", _is_flag, "true or false"),
    "may-drop": ("may_drop_", _is_list, "a list of strings"),
    "context-managers": ("context_managers", _is_list, "a list of strings"),
    "may-unwrap": ("may_unwrap_", _is_list, "a list of strings"),
    "may-raise": ("may_raise", _is_list, "a list of strings"),
    "raises": ("raises", _is_table, "a table of functions, each with a list of exceptions"),
    "bugs": ("bugs", _is_list, "a list of strings"),
    "failures": ("failures", _is_list, "a list of strings"),
}


def is_test(module: str, path: str) -> bool:
    """Tell whether a module is a test, by its name or by the folders that it is in."""
    place, here = Path(path), Path.cwd()
    if place.is_relative_to(here):
        place = place.relative_to(here)
    return _is_named(module, _TESTS) or "tests" in place.parts


def _is_named(name: str, allowed: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in allowed)


def load(start: Path) -> Settings:
    """Read the settings of the project that a folder is in; the defaults where it has none.

    Raises:
        SettingsError: for a key that does not exist, or a value of the wrong type.
    """
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            return _read(file)
    return Settings()


def _read(file: Path) -> Settings:
    try:
        document: dict[str, object] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{file}: cannot be read: {exc}") from exc
    tools = document.get("tool")
    table = cast("dict[str, object]", tools).get("resultflow") if isinstance(tools, dict) else None
    if table is None:
        return Settings()
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: tool.resultflow is {table!r}: it must be a table")
    found: dict[str, object] = {}
    for key, value in cast("dict[str, object]", table).items():
        if key not in _KEYS:
            from difflib import get_close_matches

            near = get_close_matches(key, _KEYS, n=1, cutoff=0)[0]
            raise SettingsError(
                f"{file}: [tool.resultflow] has no key {key!r}: did you mean {near!r}?"
            )
        name, is_right, wanted = _KEYS[key]
        if not is_right(value):
            raise SettingsError(
                f"{file}: [tool.resultflow] {key} is {value!r}: it must be {wanted}"
            )
        found[name] = _frozen(value)
    return Settings(**found)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # each was checked by its key


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        table = cast("dict[str, list[str]]", value)
        return {name: tuple(items) for name, items in table.items()}
    return tuple(cast("list[str]", value)) if isinstance(value, list) else value
