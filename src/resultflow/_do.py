"""`@do` and `Bind`: Rust's `?`, an early return with the `Err` at hand."""

from __future__ import annotations

import functools
import inspect
import sys
from abc import abstractmethod
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from resultflow._build import native
from resultflow._result import Err, Ok, err_with, history_of, name_of
from resultflow.errors import EarlyReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, NoReturn

__all__ = ["Bind", "do"]

C = TypeVar("C")
P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)

_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


class Bind(Generic[E_contra]):
    """The token of one call of a `@do` function: `bind(result)` is the value, or the way out.

    It is a type to annotate with: `E` names the errors by which the function may leave, and a
    checker refuses any other. See `do`.

    >>> from resultflow import Result
    >>> @do
    ... def total(bind: Bind[str], first: Result[int, str], second: Result[int, str]) -> int:
    ...     return bind(first) + bind(second)
    >>> total(Ok(1), Ok(2)), total(Ok(1), Err("x"))
    (Ok(3), Err('x'))

    .. versionadded:: 0.1.0
    """

    __slots__ = ()

    @abstractmethod
    def __call__(self, result: Ok[T] | Err[E_contra]) -> T:
        """`Ok(v)`: give `v`. `Err`: leave the function that this token belongs to with it.

        Raises:
            TypeError: when `result` is no Result.
            RuntimeError: on an `Err`, when the call that this token belongs to has ended, or
                runs in another thread or task.

        .. versionadded:: 0.1.0
        """


class Token:
    """One call of a `@do` function; its `bind` is what the function is given for a `Bind`.

    Calling a bound method is the one call that CPython (3.11 and later) makes without leaving
    its loop; an object with a `__call__` would double the price of `bind`.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left: Err[Any] | None = None

    def bind(self, result: Ok[T] | Err[Any]) -> T:
        """Give the value of an `Ok`, leave with an `Err`."""
        if isinstance(result, Ok):
            return result.value
        raise self.way_out(result, _frame_at(1))

    def way_out(self, result: Err[Any], here: FrameType) -> EarlyReturn:
        """Make what is raised to leave with an `Err`, from the frame that called `bind`."""
        if not isinstance(result, Err):
            raise TypeError(
                f"bind takes a Result, not {result!r}: leave bind away, or write Ok(...)"
            )
        # On this stack is the call that holds this very token, or nobody would catch the
        # exception: that tells an ended call, another thread and another task all at once.
        frame = here
        while id(frame.f_code) not in holders or frame.f_locals["token"] is not self:
            if frame.f_back is None:
                raise RuntimeError(
                    f"bind({result!r}) cannot leave its @do function, whose call has ended or "
                    "runs in another thread or task: take the Result there and bind it there"
                )
            frame = frame.f_back
        history = (history_of(result), (here.f_code, here.f_lasti))
        self.left = err_with(result.error, history)
        return EarlyReturn(self, self.left)

    def outcome(self, exc: EarlyReturn) -> Err[Any]:
        """Give the `Err` that the call was left with; pass on what left an outer call."""
        if exc.token is not self:
            raise exc
        return cast("Err[Any]", exc.err)

    def swallowed(self, func: object) -> NoReturn:
        """Refuse a value that was returned after the early return."""
        raise RuntimeError(
            f"{name_of(func)} went on after bind({self.left!r}) had left it: "
            "a bare 'except:' or 'except BaseException' there must end in 'raise'"
        )


if not TYPE_CHECKING and native:
    Token = native.adopt_token(Token)

# The code of the functions that hold a call's token, in a local variable of that name; by its id,
# since code is compared by all that it consists of, and a stack may be long.
holders: dict[int, CodeType] = {}


@overload
def do(
    func: classmethod[C, Concatenate[Bind[E], P], T], /
) -> classmethod[C, P, Ok[T] | Err[E]]: ...
@overload
def do(func: staticmethod[Concatenate[Bind[E], P], T], /) -> staticmethod[P, Ok[T] | Err[E]]: ...
@overload
def do(func: Callable[Concatenate[Bind[E], P], T], /) -> Callable[P, Ok[T] | Err[E]]: ...
@overload
def do(
    func: Callable[Concatenate[S, Bind[E], P], T], /
) -> Callable[Concatenate[S, P], Ok[T] | Err[E]]: ...
def do(func: Any, /) -> Any:
    """Let a function leave early with an `Err`: `Ok` of what it returns, or that `Err`.

    The function takes a token, `bind: Bind[E]`, as its first parameter (after `self` or
    `cls`), which callers do not pass. `bind(result)` gives the value of an `Ok` and leaves
    the function with an `Err`, adding a line to its trace. `finally` and `with` run on the
    way out; `except Exception` does not catch it. An exception that the function raises is a
    bug, and propagates.

    Raises:
        TypeError: at decoration, when `func` has no such parameter, or is a generator or
            coroutine function (for which there is `resultflow.aio.do`).
        RuntimeError: at the call, when the function swallowed the early return (a bare
            `except:` or `except BaseException` without `raise`).

    >>> from resultflow import Result
    >>> def parse(text: str) -> Result[int, str]:
    ...     return Ok(int(text)) if text.isdigit() else Err(f"{text!r} is no number")
    >>> @do
    ... def add(bind: Bind[str], first: str, second: str) -> int:
    ...     return bind(parse(first)) + bind(parse(second))
    >>> add("1", "2")
    Ok(3)
    >>> add("1", "two")
    Err("'two' is no number")

    .. versionadded:: 0.1.0
    """
    if isinstance(func, classmethod | staticmethod):
        wrapped = cast("classmethod[Any, ..., Any]", func)
        return type(wrapped)(do(wrapped.__func__))
    if inspect.iscoroutinefunction(func):
        raise TypeError(
            f"do cannot wrap the coroutine function {name_of(func)}: use resultflow.aio.do"
        )
    position = position_of(func)
    return held(_fitted(func, position) or _general(func, position), func, position)


# What a wrapper uses; a parameter that has one of these names cannot be in one that is fitted.
_USED = {"EarlyReturn": EarlyReturn, "Ok": Ok, "Token": Token}
_FITTED = """
def wrapper({parameters}):
    token = Token()
    try:
        value = func({arguments})
    except EarlyReturn as exc:
        return token.outcome(exc)
    return Ok(value) if token.left is None else token.swallowed(func)
"""


def _fitted(func: FunctionType, position: int) -> Callable[..., object] | None:
    """Make a wrapper with the very parameters of the function, where they are plain ones.

    To pack arguments and unpack them again would be the dearest part of a call. And a call
    between two plain Python functions uses no C stack: blocks nest as deep as functions do.
    """
    code, defaults = func.__code__, func.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    variable = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    taken = {"exc", "func", "token", "value", *_USED}
    if variable or code.co_kwonlyargcount or position >= len(names) or taken.intersection(names):
        return None
    if (default := position - len(names) + len(defaults)) >= 0:  # the token has one
        defaults = defaults[:default] + defaults[default + 1 :]
    only_positional = code.co_posonlyargcount
    shape = _compiled(names, position, only_positional - (position < only_positional))
    return FunctionType(shape, {**_USED, "func": func}, func.__name__, defaults)


@functools.cache
def _compiled(names: tuple[str, ...], position: int, only_positional: int) -> CodeType:
    passed = [*names[:position], *names[position + 1 :]]
    parameters = [*passed[:only_positional], "/"] if only_positional else []
    source = _FITTED.format(
        parameters=", ".join(parameters + passed[only_positional:]),
        arguments=", ".join([*passed[:position], "token.bind", *passed[position:]]),
    )
    made = compile(source, "<resultflow.do>", "exec").co_consts
    return next(constant for constant in made if isinstance(constant, CodeType))


def _general(func: Callable[..., Any], position: int) -> Callable[..., Ok[Any] | Err[Any]]:
    """Make a wrapper that takes whatever it is given."""

    def wrapper(*args: object, **kwargs: object) -> Ok[Any] | Err[Any]:
        token = Token()
        try:
            value = func(*args[:position], token.bind, *args[position:], **kwargs)
        except EarlyReturn as exc:
            return token.outcome(exc)
        return Ok(value) if token.left is None else token.swallowed(func)

    return wrapper


def held(
    call: Callable[..., object], func: Callable[..., object], position: int
) -> Callable[..., object]:
    """Make a wrapper one that holds a token, and looks like what it wraps, but for the token."""
    code: CodeType = cast("FunctionType", call).__code__
    holders[id(code)] = code
    whole = inspect.signature(func)
    token = _code_of(func).co_varnames[position]
    shown = [known for name, known in whole.parameters.items() if name != token]
    wrapper = functools.update_wrapper(call, func)
    vars(wrapper)["__signature__"] = whole.replace(parameters=shown)
    # A dict of its own: the function's still names the token.
    kinds = func.__annotations__.items()
    wrapper.__annotations__ = {name: kind for name, kind in kinds if name != token}
    return wrapper


def position_of(func: object) -> int:
    """Find the token among a function's parameters: at 0, or at 1 after `self` or `cls`."""
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TypeError(
            f"do cannot wrap the generator function {name_of(func)}, which could not give an "
            "Err: return a list instead"
        )
    if not inspect.isfunction(func):
        raise TypeError(f"do wraps functions, not {func!r}: put @do right above the def")
    code = _code_of(func)
    names = code.co_varnames[: min(code.co_argcount, 2)]
    if "bind" in names:
        return names.index("bind")
    for position, name in enumerate(names):
        if "Bind[" in str(func.__annotations__.get(name, "")):
            return position
    raise TypeError(
        f"do found no token in {name_of(func)}({', '.join(names)}): "
        "its first parameter, after self or cls, must be 'bind: Bind[E]'"
    )


def _code_of(func: Callable[..., object]) -> CodeType:
    """Give the code of the function that other decorators have wrapped."""
    return cast("FunctionType", inspect.unwrap(func)).__code__
