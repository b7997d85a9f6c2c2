"""Errors that do not want to travel, and functions that give them in another process."""

import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import attrs

from resultflow import Bind, Err, Ok, Result, do, safe


class KeywordError(Exception):
    """Cannot be made of its `args`, as pickle would do."""

    def __init__(self, *, job: int) -> None:
        super().__init__(f"job {job}")
        self.job = job


@attrs.frozen(kw_only=True)
class FrozenError(Exception):
    """Has slots and refuses to be written to."""

    dsn: str
    port: int


class SlotError(Exception):
    """Keeps a public and a private slot beside its `args`."""

    __slots__ = ("__private", "public")

    def __init__(self, public: str, private: str) -> None:
        self.public = public
        self.__private = private

    def private(self) -> str:
        """Give the private slot."""
        return self.__private


class FileError(OSError):
    """Has a class in C below that makes its own use of the arguments."""

    def __init__(self, *, path: str) -> None:
        super().__init__(2, "gone", path)
        self.extra = path


class DecodeError(UnicodeDecodeError):
    """Has a class in C below that cannot be made without its arguments."""

    def __init__(self, *, where: int) -> None:
        super().__init__("utf-8", b"\xff", where, where + 1, "bad byte")


class OwnError(Exception):
    """Says itself how it is pickled, and that works."""

    def __init__(self, number: int) -> None:
        super().__init__("number")
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it of its number."""
        return OwnError, (self.number,)


class WrongError(OwnError):
    """Says itself how it is pickled, and that does not work."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it of nothing."""
        return WrongError, ()


class HostileError(Exception):
    """Raises whatever one does to it."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse."""
        raise ZeroDivisionError


@attrs.frozen
class JobLost:
    """An error that is no exception, and holds what cannot travel."""

    job: int
    held: Any = attrs.field(factory=threading.Lock, eq=False)


class Hostile:
    """Cannot be pickled, nor shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __reduce__(self) -> NoReturn:
        """Refuse."""
        raise ZeroDivisionError


class Homesick:
    """Can be rebuilt in the process that sent it, and nowhere else."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it where it was."""
        return stay, (os.getpid(),)


def stay(home: int) -> Homesick:
    """Rebuild in one process only."""
    if os.getpid() != home:
        raise RuntimeError("far from home")
    return Homesick()


def local_error() -> Exception:
    """Make an error of a class that has no global name."""

    class LocalError(Exception):
        pass

    return LocalError("here")


def deep_error(depth: int = 100_000) -> list[object]:
    """Make an error that is nested deeper than pickle can follow."""
    nested: list[object] = []
    for _ in range(depth):
        nested = [nested]
    return nested


ERRORS: dict[str, Callable[[], object]] = {
    "keyword": lambda: KeywordError(job=3),
    "frozen": lambda: FrozenError(dsn="main", port=1),
    "slots": lambda: SlotError("a", "b"),
    "file": lambda: FileError(path="f"),
    "decode": lambda: DecodeError(where=0),
    "own": lambda: OwnError(3),
    "wrong": lambda: WrongError(3),
    "hostile exception": HostileError,
    "hostile": Hostile,
    "homesick": Homesick,
    "local": local_error,
    "deep": deep_error,
    "group": lambda: ExceptionGroup("both", [KeywordError(job=1), local_error()]),
    "lambda": lambda: LookupError("x", lambda: 0),
    "generator": lambda: ValueError(letter for letter in "x"),
    "lock": lambda: JobLost(3),
    "class": lambda: type(local_error()),
    "nested": lambda: [Err(KeywordError(job=1)), {"a": (KeywordError(job=2),)}],
    "base": lambda: SystemExit(KeywordError(job=1)),
}


@do
def give(bind: Bind[object], name: str) -> int:
    """Fail with one of the errors, by way of a `@do` block."""
    return bind(made(name).context("giving"))


def made(name: str) -> Result[int, object]:
    """Fail with one of the errors."""
    return Err(ERRORS[name]())


def connect() -> NoReturn:
    """Raise."""
    raise FrozenError(dsn="main", port=1)


@safe(KeywordError)
def give_caught() -> int:
    """Fail with an exception that has a cause."""
    try:
        connect()
    except FrozenError as exc:
        raise KeywordError(job=3) from exc


def give_either(item: str) -> Result[str, object]:
    """Give the item, fail, be gone, or raise, as the item says."""
    match item.partition(" "):
        case ("fail", _, name):
            return Err(ERRORS[name]())
        case ("raise", _, name):
            error: Any = ERRORS[name]()
            raise error
        case ("die", _, _):
            os._exit(9)
        case ("lock", _, _):
            lost: Any = threading.Lock()
            return Ok(lost)
        case _:
            return Ok(item)
