"""Where modules are, and what they say: read once, and kept on disk.

No module is imported. A project's file is read again when its time or size has changed; a file of
an installed distribution when the distribution's version has.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
import pickle
import sys
import sysconfig
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from resultflow.check.raises_ir import Class, Effect, Function, Handler, Module, Ref, extract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

__all__ = ["Files", "Index", "keep", "kept", "reader"]

_MANY = 60  # modules that are worth processes of their own
_DIGEST = hashlib.sha256().digest_size


class Index(NamedTuple):
    """What one has to know of all modules of a package, to read only some of them."""

    methods: tuple[tuple[str, str], ...]  # name, class
    bases: tuple[tuple[str, str], ...]  # class, last name of one of its bases
    callers: tuple[tuple[str, str], ...]  # last name of what is called, by which function


class _Found(NamedTuple):
    path: str
    is_package: bool
    root: _Root


class _Entry(NamedTuple):
    """A module in the cache."""

    stamp: str
    module: bytes
    listing: Index


_Job: TypeAlias = "tuple[str, str, bool, str]"  # a module: name, path, is a package, stamp
_Reading: TypeAlias = "Callable[[list[_Job]], Iterator[tuple[str, _Entry | None]]]"


class _Root:
    """A folder that modules are found in."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path.resolve()
        standard = Path(sysconfig.get_path("stdlib")).resolve()
        self.is_standard: bool = self.path == standard
        self.is_project: bool = not self.is_standard and self.path.name not in {
            "site-packages",
            "dist-packages",
        }

    @cached_property
    def versions(self) -> dict[str, str]:
        """Map what is installed here, by the names at its top, to name and version."""
        found: dict[str, str] = {}
        for info in self.path.glob("*.dist-info"):
            try:
                record = (info / "RECORD").read_text(encoding="utf-8")
            except OSError:
                continue
            tops = {line.partition("/")[0].partition(",")[0] for line in record.splitlines()}
            found.update(dict.fromkeys((top.removesuffix(".py") for top in tops), info.stem))
        return found

    def stamp(self, path: str, top: str) -> str:
        """Tell one state of a file from another."""
        if self.is_standard:
            return f"python-{sys.version}"
        version = None if self.is_project else self.versions.get(top)
        if version is not None:
            return version
        stat = os.stat(path)  # noqa: PTH116 - a hot place
        return f"{stat.st_mtime_ns}-{stat.st_size}"


class Files:
    """All modules that can be found, read when they are asked for.

    Args:
        search: the project's own folders, which come before those of the interpreter.
        cache: the folder to keep in what was read.
        workers: the number of processes to read many modules with.
    """

    def __init__(self, search: Sequence[Path], cache: Path | None, workers: int) -> None:
        self.notes: dict[str, str] = {}
        self.read: dict[str, str] = {}  # modules, with their paths
        self._workers = workers
        self._pool: Executor | None = None
        self._cache = cache
        paths = [*map(Path.resolve, search)]
        paths += [Path(one).resolve() for one in sys.path if one and Path(one).is_dir()]
        self._roots = [_Root(path) for path in dict.fromkeys(paths)]
        self._listed: dict[str, frozenset[str]] = {}
        self._found: dict[str, _Found | None] = {}
        self._modules: dict[str, Module | None] = {}
        self._stores: dict[tuple[str, str], _Store] = {}
        self._indices: dict[str, tuple[dict[str, list[str]], ...]] = {}

    # --- finding

    def _names(self, folder: str) -> frozenset[str]:
        names = self._listed.get(folder)
        if names is None:
            try:
                names = frozenset[str](os.listdir(folder))  # noqa: PTH208 - a hot place
            except OSError:
                names = frozenset[str]()
            self._listed[folder] = names
        return names

    def find(self, name: str) -> _Found | None:
        """Find a module's file; a folder without `__init__.py` has none."""
        if name not in self._found:
            self._found[name] = next(self._all(name), None)
        return self._found[name]

    def _all(self, name: str) -> Iterator[_Found]:
        *above, last = name.split(".")
        for root in self._roots:
            folder = str(root.path)
            for part in above:
                if part not in self._names(folder):
                    break
                folder = f"{folder}/{part}"
            else:
                names = self._names(folder)
                if last in names and "__init__.py" in self._names(f"{folder}/{last}"):
                    yield _Found(f"{folder}/{last}/__init__.py", is_package=True, root=root)
                elif f"{last}.py" in names and Path(folder, f"{last}.py").is_file():
                    yield _Found(f"{folder}/{last}.py", is_package=False, root=root)

    def is_there(self, name: str) -> bool:
        """Tell whether there is such a module, or a folder of such a name that holds modules."""
        if self.find(name) is not None:
            return True
        *above, last = name.split(".")
        for root in self._roots:
            folder = "/".join([str(root.path), *above])
            if last in self._names(folder) and self._names(f"{folder}/{last}"):
                return True
        return False

    def module_at(self, path: Path) -> str | None:
        """Give the dotted name of the module in a file."""
        path = path.resolve()
        for root in self._roots:
            if path.is_relative_to(root.path) and path.suffix == ".py":
                parts = path.relative_to(root.path).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                found = self.find(name)
                if found is not None and Path(found.path) == path:
                    return name
        return None

    def folders(self) -> list[str]:
        """Give the folders, there or not, that modules were looked for in."""
        return list(self._listed)

    def is_project(self, name: str) -> bool:
        """Tell whether a module is the project's own."""
        found = self.find(name)
        return found is not None and found.root.is_project

    # --- reading

    def module(self, name: str) -> Module | None:
        """Read a module; None when it has no source."""
        try:
            return self._modules[name]
        except KeyError:
            pass
        found = self.find(name)
        module = None
        if found is not None:
            entry = self._store(name, found).entry(name, found)
            module = None if entry is None else _unpickled(entry.module, Module)
            if module is None:
                self.notes[name] = f"{found.path}: cannot be read"
        if module is not None and found is not None:
            self.read[name] = found.path
            if module.fault:
                self.notes[name] = f"{found.path}: {module.fault}"
        self._modules[name] = module
        return module

    def _store(self, name: str, found: _Found) -> _Store:
        top = name.partition(".")[0]
        key = (str(found.root.path), top)
        if key not in self._stores:
            version = "" if found.root.is_project else found.root.versions.get(top, "")
            if found.root.is_standard:
                version = sys.version
            self._stores[key] = _Store(self._cache, top, found.root, version or key[0])
        return self._stores[key]

    def save(self) -> None:
        """Keep on disk what was read, and end the processes that read it."""
        for store in self._stores.values():
            store.save()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _many(self, jobs: list[_Job]) -> Iterator[tuple[str, _Entry | None]]:
        if self._workers < 2 or len(jobs) < _MANY:  # noqa: PLR2004 - one is no crowd
            return _one_by_one(jobs)
        if self._pool is None:  # pragma: no branch (a second large package)
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            self._pool = ProcessPoolExecutor(self._workers, get_context("spawn"))
        return self._pool.map(_read, jobs, chunksize=16)

    # --- packages

    def _modules_of(self, top: str) -> list[tuple[str, _Found]]:
        found = self.find(top)
        if found is None:
            return []
        listed = [(top, found)]
        if not found.is_package:
            return listed
        base = os.path.dirname(found.path)  # noqa: PTH120 - a hot place
        for folder, folders, files in os.walk(base):
            folders[:] = sorted(
                one for one in folders if one.isidentifier() and one not in {"tests", "test"}
            )
            inside = folder[len(base) :].strip("/").replace("/", ".")
            for file in sorted(files):
                if not file.endswith(".py") or file == "__init__.py" or file[0] == ".":
                    continue
                name = ".".join(filter(None, [top, inside, file.removesuffix(".py")]))
                listed.append((name, _Found(f"{folder}/{file}", False, found.root)))  # noqa: FBT003 - a field
            if inside and "__init__.py" in files:
                path = f"{folder}/__init__.py"
                listed.append((f"{top}.{inside}", _Found(path, True, found.root)))  # noqa: FBT003 - a field
        return listed

    def functions(self, top: str) -> list[str]:
        """Give the functions of a package."""
        found: list[str] = []
        for name, _ in self._modules_of(top):
            module = self.module(name)
            if module is not None:  # pragma: no branch (it was found just before)
                found += (one.name for one in module.functions.values() if one.kind != "module")
        return found

    def _index(self, top: str) -> tuple[dict[str, list[str]], ...]:
        if top in self._indices:
            return self._indices[top]
        methods: dict[str, list[str]] = {}
        bases: dict[str, list[str]] = {}
        callers: dict[str, list[str]] = {}
        modules = self._modules_of(top)
        if modules:
            store = self._store(*modules[0])
            store.fill(modules, self._many)
            for name, found in modules:
                entry = store.entry(name, found)
                if entry is not None:  # pragma: no branch (as above)
                    self.read[name] = found.path
                    for method, owner in entry.listing.methods:
                        methods.setdefault(method, []).append(owner)
                    for owner, base in entry.listing.bases:
                        bases.setdefault(base, []).append(owner)
                    for called, caller in entry.listing.callers:
                        callers.setdefault(called, []).append(caller)
        self._indices[top] = methods, bases, callers
        return self._indices[top]

    def owners(self, top: str, method: str) -> list[str]:
        """Give the classes of a package that define a method."""
        return self._index(top)[0].get(method, [])

    def derived(self, top: str, base: str) -> list[str]:
        """Give the classes of a package that have a base of such a (last) name."""
        return self._index(top)[1].get(base, [])

    def callers(self, top: str, called: str) -> list[str]:
        """Give the functions of a package that call something of such a (last) name."""
        return self._index(top)[2].get(called, [])


_Kept = TypeVar("_Kept")
_CLASSES = {
    f"{one.__module__}.{one.__name__}": one
    for one in (_Entry, Class, Effect, Function, Handler, Index, Module, Ref)
}


class _Unpickler(pickle.Unpickler):
    """Makes nothing but what is kept: a cache comes with a folder, and that from anywhere."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        try:
            return _CLASSES[f"{module_name}.{global_name}"]
        except KeyError:
            text = f"{module_name}.{global_name} is nothing that is kept"
            raise pickle.UnpicklingError(text) from None


def _unpickled(data: bytes, kind: type[_Kept]) -> _Kept | None:
    # The collector would look at what is being made again and again: half of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        found = _Unpickler(io.BytesIO(data)).load()
    except _NOT_OURS:
        return None
    finally:
        if was_on:  # pragma: no branch (pytest leaves the collector on)
            gc.enable()
    return found if isinstance(found, kind) else None


def _read(job: _Job) -> tuple[str, _Entry | None]:
    """Read one module; in a worker, perhaps."""
    name, path, is_package, stamp = job
    try:
        source = Path(path).read_bytes()
    except OSError:
        return name, None
    module = extract(source, name, is_package=is_package)
    return name, _Entry(stamp, pickle.dumps(module, pickle.HIGHEST_PROTOCOL), _indexed(module))


def _indexed(module: Module) -> Index:
    return Index(
        tuple(
            (attribute, one.name)
            for one in module.classes.values()
            for attribute, refs in one.attributes.items()
            if any(ref.kind == "function" for ref in refs)
        ),
        tuple((one.name, _last(base)) for one in module.classes.values() for base in one.bases),
        tuple(
            (called, one.name)
            for one in module.functions.values()
            for called in (*one.calls, *map(_last, one.decorators))
        ),
    )


def _last(ref: Ref) -> str:
    """Give the last name of a base class or decorator: `Base` for `module.Base[int]`."""
    return _last(ref.parts[0]) if ref.kind in {"index", "call"} else ref.name


class _Store:
    """The modules of one package, in one file of the cache."""

    def __init__(self, cache: Path | None, top: str, root: _Root, version: str) -> None:
        self._root = root
        self._top = top
        self._entries: dict[str, _Entry] = {}
        self._checked: set[str] = set()
        self._is_changed = False
        self._file: Path | None = None
        if cache is not None:
            key = hashlib.sha256(os.fsencode(f"{top} {version} {reader()}")).hexdigest()[:20]
            self._file = cache / f"{top}-{key}.raises"
            self._entries = _unpickled(kept(self._file), dict) or {}

    def entry(self, name: str, found: _Found) -> _Entry | None:
        """Give a module, read anew when it has changed."""
        if name not in self._checked:
            self.fill([(name, found)], _one_by_one)
        return self._entries.get(name)

    def fill(self, modules: Sequence[tuple[str, _Found]], read: _Reading) -> None:
        """Read those of some modules that are not there, or have changed."""
        jobs: list[_Job] = []
        for name, found in modules:
            if name in self._checked:
                continue
            self._checked.add(name)
            try:
                stamp = self._root.stamp(found.path, self._top)
            except OSError:  # pragma: no cover (it went away after it was found)
                continue
            entry = self._entries.get(name)
            if entry is None or entry.stamp != stamp:
                jobs.append((name, found.path, found.is_package, stamp))
        if not jobs:
            return
        self._is_changed = True
        for name, entry in read(jobs):
            if entry is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = entry

    def save(self) -> None:
        if self._file is None or not self._is_changed:
            return
        self._is_changed = False
        keep(self._file, pickle.dumps(self._entries, pickle.HIGHEST_PROTOCOL))


# What unpickling raises for bytes that are none of ours.
_NOT_OURS = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)


def keep(file: Path, data: bytes) -> None:
    """Write a file of the cache, whole or not at all; without a cache all is only slower."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(data).digest() + data)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
    except OSError:
        return


def kept(file: Path) -> bytes:
    """Read a file of the cache; nothing, if it is not there or not as it was written."""
    try:
        found = file.read_bytes()
    except OSError:
        return b""
    digest, data = found[:_DIGEST], found[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else b""


def _one_by_one(jobs: list[_Job]) -> Iterator[tuple[str, _Entry | None]]:
    return map(_read, jobs)


_READER: list[str] = []


def reader() -> str:
    """Give what the form of the cache depends on: this Python, and the code that reads."""
    if not _READER:
        here = sorted(Path(__file__).parent.glob("*.py"))
        source = b"".join(path.read_bytes() for path in here)
        _READER.append(f"{sys.version} {hashlib.sha256(source).hexdigest()}")
    return _READER[0]
