"""What the cases share: errors, and functions that give Results."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar

import attrs

from resultflow import Err, Ok, Result

T = TypeVar("T")
E = TypeVar("E")


class Lost(Exception): ...


class Gone(Exception): ...


class Late(Exception): ...


class TooLate(Late): ...


BOTH: Final = (Lost, Gone)


@attrs.frozen
class Denied:
    user: str


@dataclass(frozen=True)
class Full:
    size: int
    limit: int | None = None


class Color(Enum):
    RED = 1
    BLUE = 2


Word: TypeAlias = Literal["no host", "no port"]


def load() -> Result[int, Lost]:
    return Ok(1)


def load_many() -> list[Result[int, Lost]]:
    return [Ok(1), Err(Lost())]


async def fetch() -> Result[int, Lost]:
    return Ok(1)


def maybe() -> Result[int, Lost] | None:
    return None


def generic(value: T, error: type[E]) -> Result[T, E]:
    return Ok(value)


def awaitable() -> Awaitable[Result[int, Lost]]:
    return fetch()


def results() -> Iterator[Result[int, Lost]]:
    yield Ok(1)


class Store(Generic[T]):
    last: Result[int, Lost] = Ok(1)
    action: Callable[[], Result[int, Lost]] = staticmethod(load)

    @property
    def state(self) -> Result[T, Lost]:
        return Err(Lost())

    def save(self) -> Result[T, Lost]:
        return Err(Lost())

    @classmethod
    def make(cls) -> Result[int, Lost]:
        return Ok(1)

    @staticmethod
    def drop() -> Result[int, Lost]:
        return Ok(1)

    def __add__(self, other: int) -> Result[T, Lost]:
        return self.save()

    def __neg__(self) -> Result[T, Lost]:
        return self.save()

    def __getitem__(self, key: int) -> Result[T, Lost]:
        return self.save()

    def __call__(self) -> Result[T, Lost]:
        return self.save()

    def __eq__(self, other: object) -> Result[bool, Lost]:  # type: ignore[override]
        return Ok(True)


class Saves(Protocol):
    def save(self) -> Result[int, Lost]: ...


def opened() -> AbstractContextManager[Result[int, Lost]]:
    raise NotImplementedError


def opened_async() -> AbstractAsyncContextManager[Result[int, Lost]]:
    raise NotImplementedError


def plain() -> int:
    return 1


def raises_lost() -> None:
    raise Lost
