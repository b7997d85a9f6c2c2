"""`Ok`, `Err` and `Result`: failure as a value, with the methods of Rust's `Result`.

The methods are documented once, on the base that `Ok` and `Err` share: what each does is
only clear when both variants stand side by side.
"""

from __future__ import annotations

import importlib
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar, cast, final

from resultflow._build import native
from resultflow._trace import (
    Cause,
    Context,
    Report,
    Suppressed,
    add_notes,
    chain,
    entries,
    resolved,
)
from resultflow._travel import duplicate, pack, unpack
from resultflow.errors import UnwrapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final, Literal, Never

    from typing_extensions import TypeIs

    from resultflow._trace import Entry, History, RawFrame
    from resultflow._travel import Parcel

    class NotACondition:
        """What checkers are told that `bool(result)` gives, so that they refuse a condition.

        `NoReturn` would be the truth, but then mypy takes all that follows for unreachable
        and does not look at it.
        """


__all__ = ["Err", "Ok", "Result", "ignore", "is_err", "is_ok"]

T = TypeVar("T")
E = TypeVar("E")
U = TypeVar("U")
D = TypeVar("D")
F = TypeVar("F")
X = TypeVar("X")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
R = TypeVar("R", bound="ResultBase[object, object]")

_MISSING = object()
_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


class ResultBase(Generic[T_co, E_co]):
    """What `Ok` and `Err` have in common; annotate with `Result`, not with this.

    It is the type that checkers join `[Ok(1), Err("x")]` to, so functions that take many
    Results accept it.
    """

    __slots__ = ()

    # Querying

    @abstractmethod
    def is_ok(self) -> bool:
        """`Ok`: True. `Err`: False. The function `resultflow.is_ok` narrows the type as well.

        >>> Ok(1).is_ok(), Err("x").is_ok()
        (True, False)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def is_err(self) -> bool:
        """`Ok`: False. `Err`: True. The function `resultflow.is_err` narrows the type as well.

        >>> Ok(1).is_err(), Err("x").is_err()
        (False, True)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def is_ok_and(self, f: Callable[[T_co], bool]) -> bool:
        """`Ok(v)`: whether `f(v)` holds. `Err`: False, and `f` is not called.

        >>> Ok(2).is_ok_and(lambda v: v > 1), Err("x").is_ok_and(lambda v: v > 1)
        (True, False)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def is_err_and(self, f: Callable[[E_co], bool]) -> bool:
        """`Ok`: False, and `f` is not called. `Err(e)`: whether `f(e)` holds.

        >>> Ok(2).is_err_and(str.isupper), Err("X").is_err_and(str.isupper)
        (False, True)

        .. versionadded:: 0.1.0
        """

    # Extracting

    @abstractmethod
    def ok(self) -> T_co | None:
        """`Ok(v)`: `v`. `Err`: None.

        >>> Ok(1).ok(), Err("x").ok()
        (1, None)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def err(self) -> E_co | None:
        """`Ok`: None. `Err(e)`: `e`.

        >>> Ok(1).err(), Err("x").err()
        (None, 'x')

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def unwrap(self) -> T_co:
        """`Ok(v)`: `v`. `Err`: raise; prefer `match`, `unwrap_or` or a `@do` block.

        >>> Ok(1).unwrap()
        1

        Raises:
            UnwrapError: on an `Err`, with its report; an exception that is the error becomes
                the `__cause__`.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def expect(self, message: str) -> T_co:
        """`Ok(v)`: `v`. `Err`: raise with your words; say why an `Ok` was certain.

        >>> Ok(1).expect("the table was just filled")
        1

        Raises:
            UnwrapError: on an `Err`.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def unwrap_err(self) -> E_co:
        """`Ok`: raise. `Err(e)`: `e`.

        >>> Err("x").unwrap_err()
        'x'

        Raises:
            UnwrapError: on an `Ok`.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def expect_err(self, message: str) -> E_co:
        """`Ok`: raise with your words. `Err(e)`: `e`.

        >>> Err("x").expect_err("the port is taken")
        'x'

        Raises:
            UnwrapError: on an `Ok`.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def unwrap_or(self, default: D) -> T_co | D:
        """`Ok(v)`: `v`. `Err`: `default`.

        >>> Ok(1).unwrap_or(0), Err("x").unwrap_or(0)
        (1, 0)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def unwrap_or_else(self, f: Callable[[E_co], D]) -> T_co | D:
        """`Ok(v)`: `v`, and `f` is not called. `Err(e)`: `f(e)`.

        >>> Ok(1).unwrap_or_else(len), Err("four").unwrap_or_else(len)
        (1, 4)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def unwrap_or_default(self, kind: Callable[[], D]) -> T_co | D:
        """`Ok(v)`: `v`. `Err`: `kind()`, the default of a type such as `int` or `list`.

        Rust finds the default by the type alone; here the type is named.

        >>> Ok(1).unwrap_or_default(int), Err("x").unwrap_or_default(int)
        (1, 0)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def into_ok(self: ResultBase[T, Never]) -> T:
        """`Ok(v)`: `v`. Checkers accept it only where there can be no `Err`.

        >>> Ok(1).into_ok()
        1

        Raises:
            UnwrapError: on an `Err`, which the types rule out.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def into_err(self: ResultBase[Never, E]) -> E:
        """`Err(e)`: `e`. Checkers accept it only where there can be no `Ok`.

        >>> Err("x").into_err()
        'x'

        Raises:
            UnwrapError: on an `Ok`, which the types rule out.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def or_raise(self) -> T_co:
        """`Ok(v)`: `v`. `Err(e)`: raise `e` itself where it is an exception.

        It is the way back into code that speaks exceptions; the places that the error passed
        as a value are added to the exception as notes.

        >>> try:
        ...     Err(LookupError("no job 3")).or_raise()
        ... except LookupError as exc:
        ...     print(exc)
        no job 3

        Raises:
            BaseException: the error itself.
            UnwrapError: on an `Err` whose error is no exception.

        .. versionadded:: 0.1.0
        """

    # Transforming

    @abstractmethod
    def map(self, f: Callable[[T_co], U]) -> ResultBase[U, E_co]:
        """`Ok(v)`: `Ok(f(v))`. `Err`: itself, and `f` is not called.

        >>> Ok(2).map(str), Err("x").map(str)
        (Ok('2'), Err('x'))

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def map_err(self, f: Callable[[E_co], F]) -> ResultBase[T_co, F]:
        """`Ok`: itself, and `f` is not called. `Err(e)`: `Err(f(e))`, whose report has `e` too.

        >>> Ok(2).map_err(len), Err("x").map_err(len)
        (Ok(2), Err(1))

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def map_or(self, default: D, f: Callable[[T_co], U]) -> D | U:
        """`Ok(v)`: `f(v)`. `Err`: `default`.

        >>> Ok("ab").map_or(0, len), Err("x").map_or(0, len)
        (2, 0)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def map_or_else(self, default: Callable[[E_co], D], f: Callable[[T_co], U]) -> D | U:
        """`Ok(v)`: `f(v)`. `Err(e)`: `default(e)`. Only one of the two is called.

        >>> Ok(2).map_or_else(len, str), Err("four").map_or_else(len, str)
        ('2', 4)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def map_or_default(self, f: Callable[[T_co], U], kind: Callable[[], D]) -> D | U:
        """`Ok(v)`: `f(v)`. `Err`: `kind()`, the default of a type such as `int` or `list`.

        >>> Ok("ab").map_or_default(len, int), Err("x").map_or_default(len, int)
        (2, 0)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def inspect(self, f: Callable[[T_co], object]) -> ResultBase[T_co, E_co]:
        """`Ok(v)`: call `f(v)`, then itself. `Err`: itself, and `f` is not called.

        >>> Ok(2).inspect(print)
        2
        Ok(2)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def inspect_err(self, f: Callable[[E_co], object]) -> ResultBase[T_co, E_co]:
        """`Ok`: itself, and `f` is not called. `Err(e)`: call `f(e)`, then itself.

        >>> Err("x").inspect_err(print)
        x
        Err('x')

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def flatten(self: ResultBase[R, E]) -> R | ResultBase[Never, E]:
        """`Ok(result)`: that inner Result. `Err`: itself. One level at a time.

        >>> Ok(Ok(1)).flatten(), Ok(Err("x")).flatten(), Err("y").flatten()
        (Ok(1), Err('x'), Err('y'))

        Raises:
            TypeError: on an `Ok` that holds no Result.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def transpose(self: ResultBase[U | None, E]) -> ResultBase[U, E] | None:
        """`Ok(None)`: None. Any other: itself. A Result of maybe becomes maybe a Result.

        >>> Ok(1).transpose(), Ok(None).transpose(), Err("x").transpose()
        (Ok(1), None, Err('x'))

        .. versionadded:: 0.1.0
        """

    # Boolean

    @abstractmethod
    def and_(self, result: R) -> R | ResultBase[Never, E_co]:
        """`Ok`: `result`. `Err`: itself. `and_then` makes its Result only when needed.

        | this     | `result` | `this.and_(result)` |
        |----------|----------|---------------------|
        | `Err(e)` | any      | `Err(e)`            |
        | `Ok(_)`  | `Err(f)` | `Err(f)`            |
        | `Ok(_)`  | `Ok(u)`  | `Ok(u)`             |

        >>> Ok(1).and_(Ok("two")), Err("x").and_(Ok("two"))
        (Ok('two'), Err('x'))

        Raises:
            TypeError: when `result` is no Result.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def and_then(self, f: Callable[[T_co], R]) -> R | ResultBase[Never, E_co]:
        """`Ok(v)`: the Result `f(v)`. `Err`: itself, and `f` is not called.

        Error types add up: `Result[T, A]` and a step with `Err[B]` give `Err[A] | Err[B]`.

        >>> def half(n: int) -> Result[int, str]:
        ...     return Err(f"{n} is odd") if n % 2 else Ok(n // 2)
        >>> Ok(4).and_then(half), Ok(3).and_then(half), Err("x").and_then(half)
        (Ok(2), Err('3 is odd'), Err('x'))

        Raises:
            TypeError: when `f` returns no Result; use `map` for plain values.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def or_(self, result: R) -> R | ResultBase[T_co, Never]:
        """`Ok`: itself. `Err`: `result`. `or_else` makes its Result only when needed.

        | this     | `result` | `this.or_(result)` |
        |----------|----------|--------------------|
        | `Ok(v)`  | any      | `Ok(v)`            |
        | `Err(_)` | `Ok(u)`  | `Ok(u)`            |
        | `Err(_)` | `Err(f)` | `Err(f)`           |

        >>> Ok(1).or_(Ok(2)), Err("x").or_(Ok(2))
        (Ok(1), Ok(2))

        Raises:
            TypeError: when `result` is no Result.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def or_else(self, f: Callable[[E_co], R]) -> R | ResultBase[T_co, Never]:
        """`Ok`: itself, and `f` is not called. `Err(e)`: the Result `f(e)`.

        >>> Ok(1).or_else(lambda e: Ok(0)), Err("x").or_else(lambda e: Err(e + "!"))
        (Ok(1), Err('x!'))

        Raises:
            TypeError: when `f` returns no Result.

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def catch(
        self, kind: type[F] | tuple[type[F], ...], handler: Callable[[F], U]
    ) -> ResultBase[T_co | U, E_co]:
        """`Ok`: itself. `Err(e)` with `e` of class `kind`: `Ok(handler(e))`. Other `Err`: itself.

        It handles one error out of several; the mypy plugin takes that error out of the type.

        >>> Err(KeyError("a")).catch(KeyError, lambda exc: 0)
        Ok(0)
        >>> Err(OSError("a")).catch(KeyError, lambda exc: 0)
        Err(OSError('a'))

        .. versionadded:: 0.1.0
        """

    # Context

    @abstractmethod
    def context(self, message: str) -> ResultBase[T_co, E_co]:
        """`Ok`: itself. `Err`: an equal `Err` whose report says "while" and your words.

        >>> print(Err("no port").context("reading the settings").report().context)
        ('reading the settings',)

        .. versionadded:: 0.1.0
        """

    @abstractmethod
    def with_context(self, f: Callable[[], str]) -> ResultBase[T_co, E_co]:
        """Like `context`, with words that are made only for an `Err`.

        >>> Ok(1).with_context(lambda: 1 / 0)
        Ok(1)

        .. versionadded:: 0.1.0
        """

    # Iterating

    @abstractmethod
    def iter(self) -> Iterator[T_co]:
        """`Ok(v)`: an iterator over the one `v`. `Err`: over nothing.

        >>> list(Ok(1).iter()), list(Err("x").iter())
        ([1], [])

        .. versionadded:: 0.1.0
        """

    def __iter__(self) -> Iterator[T_co]:
        """Like `iter`: a `for` loop over a Result runs once for an `Ok`, never for an `Err`."""
        return self.iter()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """Tell pydantic how a Result is read and written.

        By name, since this leads upwards: whoever imports or checks this module needs no pydantic.
        """
        module = importlib.import_module("resultflow.interop.pydantic")
        return module.schema_of(source, handler)

    @property
    def __pydantic_serializer__(self) -> object:
        """Tell pydantic how a Result is written where its annotation does not."""
        if "pydantic_core" not in sys.modules:  # it is somebody else who looks at every attribute
            raise AttributeError("__pydantic_serializer__ is for pydantic, which is not imported")
        module = importlib.import_module("resultflow.interop.pydantic")
        return module.serializer_of(type(self))

    def __bool__(self) -> NotACondition:
        """Refuse: `if result:` would be true for an `Err` too.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{self!r} has no truth value: a Result is not a condition; "
            "write 'if is_ok(result)', 'if is_err(result)' or 'match result'"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: a Result never changes."""
        raise AttributeError(
            f"cannot set {name!r} on {self!r}: a Result never changes; make a new one"
        )

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse: a Result never changes."""
        raise AttributeError(f"cannot delete {name!r} of {self!r}: a Result never changes")


def _missing(cls: type, meant: str) -> TypeError:
    return TypeError(f"{cls.__name__}() needs its value: write {meant} where there is none to say")


def _check_result(made: object, maker: str) -> None:
    """Refuse what a callback or a caller gave, when it is no Result."""
    if not isinstance(made, ResultBase):
        raise TypeError(
            f"{maker} must give a Result, not {made!r}: wrap it in Ok(...) or Err(...)"
        )


def _check_then(f: object, made: object) -> None:
    _check_result(made, f"and_then({name_of(f)})")


# `Generic` says that `Ok` has one parameter. Hypothesis reads it there, and from the base alone
# would read two.
@final
class Ok(ResultBase[T_co, "Never"], Generic[T_co]):
    """Success, holding a value.

    Attributes:
        value: what the operation gave; `Ok(None)` when there is nothing to say.

    >>> match Ok(1):
    ...     case Ok(v):
    ...         print(v)
    1

    .. versionadded:: 0.1.0
    """

    __slots__ = ("value",)
    __match_args__ = ("value",)

    if TYPE_CHECKING:
        # A read-only property instead would hide the type in pyright's `case Ok(v)`.
        value: Final[T_co]  # type: ignore[misc]  # covariant, and safe: nothing can set it

        def __init__(self, value: T_co) -> None:
            self.value = value

    else:

        def __init__(self, value=_MISSING) -> None:  # noqa: ANN001 - typed above
            if value is _MISSING:
                raise _missing(Ok, "Ok(None)")
            _set_value(self, value)

    def is_ok(self) -> Literal[True]:
        return True

    def is_err(self) -> Literal[False]:
        return False

    def is_ok_and(self, f: Callable[[T_co], bool]) -> bool:
        return f(self.value)

    def is_err_and(self, f: Callable[[Never], bool]) -> Literal[False]:  # noqa: ARG002
        return False

    def ok(self) -> T_co:
        return self.value

    def err(self) -> None:
        return None

    def unwrap(self) -> T_co:
        return self.value

    def expect(self, message: str) -> T_co:  # noqa: ARG002
        return self.value

    def unwrap_err(self) -> NoReturn:
        raise UnwrapError(f"called unwrap_err on {self!r}")

    def expect_err(self, message: str) -> NoReturn:
        raise UnwrapError(f"{message}: {self!r}")

    def unwrap_or(self, default: object) -> T_co:  # noqa: ARG002
        return self.value

    def unwrap_or_else(self, f: Callable[[Never], object]) -> T_co:  # noqa: ARG002
        return self.value

    def unwrap_or_default(self, kind: Callable[[], object]) -> T_co:  # noqa: ARG002
        return self.value

    def into_ok(self) -> T_co:
        return self.value

    def into_err(self: Ok[Never]) -> Never:
        self.unwrap_err()

    def or_raise(self) -> T_co:
        return self.value

    def map(self, f: Callable[[T_co], U]) -> Ok[U]:
        return Ok(f(self.value))

    def map_err(self, f: Callable[[Never], object]) -> Ok[T_co]:  # noqa: ARG002
        return self

    def map_or(self, default: object, f: Callable[[T_co], U]) -> U:  # noqa: ARG002
        return f(self.value)

    def map_or_else(self, default: Callable[[Never], object], f: Callable[[T_co], U]) -> U:  # noqa: ARG002
        return f(self.value)

    def map_or_default(self, f: Callable[[T_co], U], kind: Callable[[], object]) -> U:  # noqa: ARG002
        return f(self.value)

    def inspect(self, f: Callable[[T_co], object]) -> Ok[T_co]:
        f(self.value)
        return self

    def inspect_err(self, f: Callable[[Never], object]) -> Ok[T_co]:  # noqa: ARG002
        return self

    def flatten(self: Ok[R]) -> R:
        _check_result(self.value, "Ok(...).flatten()")
        return self.value

    def transpose(self: Ok[U | None]) -> Ok[U] | None:
        return None if self.value is None else cast("Ok[U]", self)

    def and_(self, result: R) -> R:
        _check_result(result, "and_(result)")
        return result

    def and_then(self, f: Callable[[T_co], R]) -> R:
        made = f(self.value)
        if not isinstance(made, ResultBase):
            _check_then(f, made)
        return made

    def or_(self, result: ResultBase[object, object]) -> Ok[T_co]:
        _check_result(result, "or_(result)")
        return self

    def or_else(self, f: Callable[[Never], object]) -> Ok[T_co]:  # noqa: ARG002
        return self

    def catch(
        self,
        kind: type[F] | tuple[type[F], ...],  # noqa: ARG002
        handler: Callable[[F], object],  # noqa: ARG002
    ) -> Ok[T_co]:
        return self

    def context(self, message: str) -> Ok[T_co]:  # noqa: ARG002
        return self

    def with_context(self, f: Callable[[], str]) -> Ok[T_co]:  # noqa: ARG002
        return self

    def iter(self) -> Iterator[T_co]:
        return iter((self.value,))

    def __repr__(self) -> str:
        return f"Ok({self.value!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ok):
            return bool(self.value == cast("Ok[object]", other).value)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((Ok, self.value))

    def __copy__(self) -> Ok[T_co]:
        return self

    def __reduce__(self) -> tuple[type[Ok[T_co]], tuple[T_co]]:
        return Ok, (self.value,)


@final
class Err(ResultBase["Never", E_co], Generic[E_co]):
    """Failure, holding an error, which may be a value of any type.

    Beside its error, and outside equality, an `Err` carries where it was made, the places and
    the context that it passed, and what failed after it: see `report`.

    Attributes:
        error: what went wrong.

    >>> match Err("no port"):
    ...     case Err(e):
    ...         print(e)
    no port

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_history", "error")
    __match_args__ = ("error",)

    if TYPE_CHECKING:
        error: Final[E_co]  # type: ignore[misc]  # as `Ok.value`
        _history: Final[History | None]

        def __init__(self, error: E_co) -> None:
            self.error = error
            self._history = None

    else:

        def __init__(self, error=_MISSING) -> None:  # noqa: ANN001 - typed above
            if error is _MISSING:
                raise _missing(Err, "Err(None)")
            _set_error(self, error)
            try:
                frame = _frame_at(1)
            except ValueError:  # pragma: no cover (C code at the bottom of a thread's stack)
                _set_history(self, None)
            else:
                _set_history(self, (None, (frame.f_code, frame.f_lasti)))

    def report(self) -> Report:
        """Tell what is known: the error, where it came from, and what failed after it.

        >>> def load() -> Result[int, str]:
        ...     return Err("no such job")
        >>> print(load().report().trace[0].function)
        load

        .. versionadded:: 0.1.0
        """
        return Report.of(self.error, self._history)

    @property
    def suppressed(self) -> tuple[object, ...]:
        """What failed after this error and did not replace it: an `Err` or exception each.

        >>> from resultflow import Resource
        >>> flaky = Resource.make(lambda: Ok(1), lambda value, exit: Err("not closed"))
        >>> flaky.use(lambda value: Err("disk full")).suppressed
        (Err('not closed'),)

        .. versionadded:: 0.1.0
        """
        found = entries(self._history)
        return tuple(entry.failure for entry in found if isinstance(entry, Suppressed))

    def is_ok(self) -> Literal[False]:
        return False

    def is_err(self) -> Literal[True]:
        return True

    def is_ok_and(self, f: Callable[[Never], bool]) -> Literal[False]:  # noqa: ARG002
        return False

    def is_err_and(self, f: Callable[[E_co], bool]) -> bool:
        return f(self.error)

    def ok(self) -> None:
        return None

    def err(self) -> E_co:
        return self.error

    def unwrap(self) -> NoReturn:
        self._raise_unwrap("called unwrap on an Err")

    def expect(self, message: str) -> NoReturn:
        self._raise_unwrap(message)

    def _raise_unwrap(self, message: str) -> NoReturn:
        cause = self.error if isinstance(self.error, BaseException) else None
        raise UnwrapError(message, self.report()) from cause

    def unwrap_err(self) -> E_co:
        return self.error

    def expect_err(self, message: str) -> E_co:  # noqa: ARG002
        return self.error

    def unwrap_or(self, default: D) -> D:
        return default

    def unwrap_or_else(self, f: Callable[[E_co], D]) -> D:
        return f(self.error)

    def unwrap_or_default(self, kind: Callable[[], D]) -> D:
        return kind()

    def into_ok(self: Err[Never]) -> Never:
        self.unwrap()

    def into_err(self) -> E_co:
        return self.error

    def or_raise(self) -> NoReturn:
        if not isinstance(self.error, BaseException):
            self._raise_unwrap("called or_raise on an Err whose error is no exception")
        error = self.error
        said = getattr(error, "__notes__", ())
        add_notes(error, [line for line in self.report().way() if line not in said])
        try:
            raise error
        finally:
            # The traceback holds this frame: without this, exception and Err pin each other.
            del self, error

    def map(self, f: Callable[[Never], object]) -> Err[E_co]:  # noqa: ARG002
        return self

    def map_err(self, f: Callable[[E_co], F]) -> Err[F]:
        error = f(self.error)
        same = error is self.error
        return err_with(error, self._history if same else (self._history, Cause(self.error)))

    def map_or(self, default: D, f: Callable[[Never], object]) -> D:  # noqa: ARG002
        return default

    def map_or_else(self, default: Callable[[E_co], D], f: Callable[[Never], object]) -> D:  # noqa: ARG002
        return default(self.error)

    def map_or_default(self, f: Callable[[Never], object], kind: Callable[[], D]) -> D:  # noqa: ARG002
        return kind()

    def inspect(self, f: Callable[[Never], object]) -> Err[E_co]:  # noqa: ARG002
        return self

    def inspect_err(self, f: Callable[[E_co], object]) -> Err[E_co]:
        f(self.error)
        return self

    def flatten(self) -> Err[E_co]:
        return self

    def transpose(self) -> Err[E_co]:
        return self

    def and_(self, result: ResultBase[object, object]) -> Err[E_co]:
        _check_result(result, "and_(result)")
        return self

    def and_then(self, f: Callable[[Never], object]) -> Err[E_co]:  # noqa: ARG002
        return self

    def or_(self, result: R) -> R:
        _check_result(result, "or_(result)")
        return result

    def or_else(self, f: Callable[[E_co], R]) -> R:
        made = f(self.error)
        _check_result(made, f"or_else({name_of(f)})")
        return made

    def catch(
        self, kind: type[F] | tuple[type[F], ...], handler: Callable[[F], U]
    ) -> Ok[U] | Err[E_co]:
        return Ok(handler(self.error)) if isinstance(self.error, kind) else self

    def context(self, message: str) -> Err[E_co]:
        return err_with(self.error, (self._history, Context(message)))

    def with_context(self, f: Callable[[], str]) -> Err[E_co]:
        return self.context(f())

    def iter(self) -> Iterator[Never]:
        return iter(())

    def __repr__(self) -> str:
        return f"Err({self.error!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Err):
            return bool(self.error == cast("Err[object]", other).error)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((Err, self.error))

    def __copy__(self) -> Err[E_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Err[E_co]:
        return err_with(duplicate(self.error, memo), self._history)

    def __reduce__(self) -> tuple[Callable[..., Err[Any]], tuple[object, ...]]:
        return _arrived, (pack(self.error), tuple(resolved(self._history)))


def err_with(error: F, history: History | None) -> Err[F]:
    """Make an `Err` that goes on with a history instead of starting one at its caller."""
    err = cast("Err[F]", object.__new__(Err))
    _set_error(err, error)
    _set_history(err, history)
    return err


def history_of(err: Err[object]) -> History | None:
    """Give what an `Err` carries beside its error."""
    return err._history  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a friend


def extended(err: Err[F], *entries: Entry) -> Err[F]:
    """Give an equal `Err` whose history has these entries too."""
    return err_with(err.error, chain(history_of(err), entries))


def joined(errs: list[Err[F]], caller: RawFrame) -> Err[list[F]]:
    """Make one `Err` of many, whose report has all theirs."""
    causes = [Cause(err.error, history_of(err)) for err in reversed(errs)]
    return err_with([err.error for err in errs], chain((None, caller), causes))


def _arrived(error: Parcel, found: tuple[Entry, ...]) -> Err[Any]:
    """Rebuild an `Err` from another process or a file."""
    return err_with(unpack(error), chain(None, found))


# The slots' own setters: the only way past `__setattr__`, and the fastest.
_set_value: Callable[[object, object], None] = vars(Ok)["value"].__set__
_set_error: Callable[[object, object], None] = vars(Err)["error"].__set__
_set_history: Callable[[object, History | None], None] = vars(Err)["_history"].__set__

# From here on the names mean the types in C, where there are any; checkers read the classes.
if not TYPE_CHECKING and native:
    Ok, Err = native.adopt_results(Ok, Err, _check_then)
    err_with = native.err_with

Result: TypeAlias = Ok[T] | Err[E]
"""Either `Ok[T]` or `Err[E]`: the type to annotate with, and to `match` on.

.. versionadded:: 0.1.0
"""


def is_ok(result: ResultBase[T, object]) -> TypeIs[Ok[T]]:
    """Tell whether a Result is an `Ok`, and narrow its type in both branches.

    >>> result: Result[int, str] = Ok(1)
    >>> if is_ok(result):
    ...     print(result.value)
    1

    .. versionadded:: 0.1.0
    """
    return isinstance(result, Ok)


def is_err(result: ResultBase[object, E]) -> TypeIs[Err[E]]:
    """Tell whether a Result is an `Err`, and narrow its type in both branches.

    >>> result: Result[int, str] = Err("no port")
    >>> if is_err(result):
    ...     print(result.error)
    no port

    .. versionadded:: 0.1.0
    """
    return isinstance(result, Err)


def ignore(result: ResultBase[object, object], *, reason: str) -> None:
    """Drop a Result, `Ok` or `Err`, on purpose: the one way to do so.

    Args:
        result: the Result that nobody will look at.
        reason: why that is right, for the reader.

    Raises:
        TypeError: when `result` is no Result.
        ValueError: when `reason` says nothing.

    >>> ignore(Err("no cache"), reason="the cache is only for speed")

    .. versionadded:: 0.1.0
    """
    _check_result(result, "what ignore() is given")
    if not reason.strip():
        raise ValueError(f"reason={reason!r} says nothing: write why this Result may be dropped")
    result.is_err()  # type: ignore[silent-catch]  # so that who looks out for dropped ones sees it


def name_of(f: object) -> str:
    """Name a function in an error."""
    return getattr(f, "__qualname__", None) or repr(f)
