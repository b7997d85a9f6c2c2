"""How an error reaches another process: all of it that can travel, and a word on what cannot.

What is sent with pickle is rebuilt by the receiver, and an exception raised there is out of
everybody's hands: a `ProcessPoolExecutor`, for one, is broken by it for good. So the sender
packs an error into bytes and opens them again on trial; what the trial or the receiver cannot
open arrives as `Unpicklable`.
"""

from __future__ import annotations

import contextlib
import copy
import copyreg
import functools
import io
import sys
from types import FunctionType
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, cast

import attrs

if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

Parcel: TypeAlias = tuple[bytes, str, str]
"""The pickled value, and in case that the receiver cannot open it, its type and its text."""

_PROTOCOL: Final = 5
_TEXT_LIMIT: Final = 2_000
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_OURS: Final = f"{__name__.partition('.')[0]}."
_WITH_CLASSES: Final = frozenset({"cloudpickle.cloudpickle", "distributed.protocol.pickle"})

_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


class Shown:
    """A `repr` that is code, from `__match_args__`, for the attrs classes of this package.

    attrs would compile one for each class, which is a third of the time that making the class
    takes, and everybody who imports the package pays for that.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({shown})"


@attrs.frozen(repr=False)
class Unpicklable(Shown):
    """What arrives in another process, or in a file, in place of an object that cannot.

    It stands for a whole error, or for the part of it that stayed behind.

    Attributes:
        kind: the class of the object, as `module.name`.
        text: its `repr`.
        reason: why it could not be pickled there, or not be rebuilt here.

    >>> import pickle
    >>> from resultflow import Err
    >>> pickle.loads(pickle.dumps(Err(LookupError("no handler", lambda: 0)))).error.args[1].kind
    'builtins.function'

    .. versionadded:: 0.1.0
    """

    __module__ = "resultflow.errors"  # the door by which it is known, also to pickle

    kind: str
    text: str
    reason: str


def text_of(value: object) -> str:
    """Give `repr(value)`, and of an exception what the last line of a traceback says.

    The `repr` of an exception leaves out much, such as the file of a `FileNotFoundError`. There
    is a stand-in for an object that cannot be shown: a report must not raise.
    """
    kind = type(value)
    try:
        if isinstance(value, BaseException) and kind.__repr__ is BaseException.__repr__:
            said = str(value)
            return f"{kind.__name__}: {said}" if said else kind.__name__
        return repr(value)
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        return f"<{kind.__qualname__} whose repr raised {type(exc).__qualname__}>"


def kind_of(value: object) -> str:
    """Name the class of a value, with its module."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _short_text_of(value: object) -> str:
    text = text_of(value)
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "..."


def pack(value: object) -> Parcel:
    """Put a value into bytes that can be opened."""
    import pickle

    kind, text = kind_of(value), _short_text_of(value)
    with_classes = _goes_with_classes()
    try:
        data = _dumps(value, with_classes)
        if not with_classes:  # opened here, those would set the attributes of the originals anew
            pickle.loads(data)  # noqa: S301 - just made
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        data = pickle.dumps(Unpicklable(kind, text, text_of(exc)), _PROTOCOL)
    return data, kind, text


def unpack(parcel: Parcel) -> Any:  # noqa: ANN401 - what it was, or a stand-in
    """Open a parcel; what cannot be opened here is told by an `Unpicklable`."""
    import pickle

    data, kind, text = parcel
    try:
        return pickle.loads(data)  # noqa: S301 - within what the caller unpickles anyway
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        return Unpicklable(kind, text, text_of(exc))


def duplicate(value: Any, memo: dict[int, Any]) -> Any:  # noqa: ANN401 - of the type that it is
    """Copy a value deeply; one that cannot be copied is shared, since errors do not change."""
    try:
        if not isinstance(value, BaseException) or _rebuilds_itself(value):
            return copy.deepcopy(value, memo)
        kind, arguments, state = type(value), _arguments(value), _state(value)
        new = _revive(kind, copy.deepcopy(arguments, memo))
        memo[id(value)] = new
        _settle(new, copy.deepcopy(state, memo))
    except Exception:  # noqa: BLE001 - any user class may break here
        memo[id(value)] = value
        return value
    return new


def _goes_with_classes() -> bool:
    """Tell whether the parcel is for cloudpickle, as Dask's are.

    That one sends the classes of `__main__` and of functions themselves, since the receiver has
    none of that name, and knows them again when they come back; pickle sends names. Both are in
    C, so the nearest frame that is not ours is that of whoever pickles.
    """
    frame: FrameType | None = _frame_at(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))  # which is whatever somebody put there
        if not name.startswith(_OURS):
            return name in _WITH_CLASSES
        frame = frame.f_back
    return False  # pragma: no cover (C code at the bottom of a thread's stack)


def _dumps(value: object, with_classes: bool) -> bytes:  # noqa: FBT001 - one of two picklers
    buffer = io.BytesIO()
    pickler = _pickler_with_classes() if with_classes else _pickler()
    pickler(buffer, _PROTOCOL).dump(value)
    return buffer.getvalue()


@functools.cache
def _pickler() -> type[pickle.Pickler]:
    import pickle

    class Pickler(pickle.Pickler):
        def reducer_override(self, obj: object, /) -> Any:  # noqa: ANN401 - pickle's protocol
            if isinstance(obj, type | FunctionType) and not _has_name(obj):
                return _stand_in(obj, "it has no global name")
            made: Any = _reduced(obj, copyreg.dispatch_table)
            parts: tuple[object, ...] = () if made is NotImplemented else (made[0], *made[1])
            for part in parts:
                if isinstance(part, type | FunctionType) and not _has_name(part):
                    return _stand_in(obj, f"{part.__qualname__} has no global name")
            return made

    return Pickler


@functools.cache
def _pickler_with_classes() -> type[pickle.Pickler]:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, obj: object, /) -> Any:  # noqa: ANN401 - pickle's protocol
            made = _reduced(obj, self.dispatch_table)
            return super().reducer_override(obj) if made is NotImplemented else made

    return Pickler


def _reduced(value: object, table: Mapping[type, object]) -> Any:  # noqa: ANN401 - pickle's protocol
    """Tell pickle how to take a value apart, so that it can be put together again."""
    if isinstance(value, type | FunctionType):
        return NotImplemented
    # tblib, which Dask installs, enters each exception class that there is by then.
    if type(value) in table and not _is_of_tblib(table[type(value)]):
        return NotImplemented
    try:
        if isinstance(value, BaseException) and not _rebuilds_itself(value):
            made: Any = (
                _revive,
                (type(value), _arguments(value)),
                _state(value),
                None,
                None,
                _settle,
            )
        else:
            made = value.__reduce_ex__(_PROTOCOL)
    except Exception as exc:  # noqa: BLE001 - any user class may break here
        return _stand_in(value, text_of(exc))
    if isinstance(made, str):  # the name of a global object
        return NotImplemented if _has_name(value) else _stand_in(value, "it has no global name")
    return made


def _is_of_tblib(function: object) -> bool:
    return getattr(function, "__module__", "").partition(".")[0] == "tblib"


def _stand_in(value: object, reason: str) -> tuple[type[Unpicklable], tuple[str, str, str]]:
    return Unpicklable, (kind_of(value), _short_text_of(value), reason)


def _has_name(value: object) -> bool:
    """Whether the receiver can find a class, a function or another object by its name."""
    import pickle

    try:
        pickle.dumps(value, _PROTOCOL)
    except Exception:  # noqa: BLE001 - what pickle raises here differs by version
        return False
    return True


def _rebuilds_itself(exc: BaseException) -> bool:
    """Whether an exception says how to pickle it, and that works.

    What `BaseException` says does not: it calls the class with `args`, whatever `__init__`
    takes, and forgets slots, causes and contexts.
    """
    if not isinstance(type(exc).__reduce__, FunctionType):
        return False
    try:
        rebuild, arguments, *_ = cast("tuple[Callable[..., object], Any]", exc.__reduce__())
        rebuild(*arguments)
    except Exception:  # noqa: BLE001 - any user class may break here
        return False
    return True


def _builtin_base(kind: type[BaseException]) -> type[BaseException]:
    """Find the class in C that an exception class is made of: its layout is of that."""
    return next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)


def _arguments(exc: BaseException) -> tuple[object, ...]:
    reduced = cast("tuple[Any, ...]", _builtin_base(type(exc)).__reduce__(exc))
    arguments: tuple[object, ...] = reduced[1]
    return arguments


_State: TypeAlias = "tuple[dict[str, object], BaseException | None, BaseException | None, bool]"


def _state(exc: BaseException) -> _State:
    reduced = cast("tuple[Any, ...]", _builtin_base(type(exc)).__reduce__(exc))
    # The third item is the `__dict__`, with what the class in C keeps beside it.
    attributes: dict[str, object] = dict(*reduced[2:3], args=exc.args)
    state = object.__getstate__(exc)
    if isinstance(state, tuple):  # the `__dict__`, and the slots
        attributes.update(cast("tuple[object, dict[str, object]]", state)[1])
    return attributes, exc.__cause__, exc.__context__, exc.__suppress_context__


def _revive(kind: type[BaseException], arguments: tuple[object, ...]) -> BaseException:
    """Make an exception without the `__init__` of its class, which may want other arguments."""
    base = _builtin_base(kind)
    new = base.__new__(kind, *arguments)
    with contextlib.suppress(Exception):
        base.__init__(new, *arguments)
    return new


def _settle(new: BaseException, state: _State) -> None:
    """Give a revived exception what it held; a frozen one would refuse it from anybody else."""
    attributes, cause, context, suppress_context = state
    for name, value in attributes.items():
        BaseException.__setattr__(new, name, value)
    BaseException.__setattr__(new, "__cause__", cause)
    BaseException.__setattr__(new, "__context__", context)
    BaseException.__setattr__(new, "__suppress_context__", suppress_context)
