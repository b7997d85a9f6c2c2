"""Find each `Err` that dies before anybody has looked at it; for tests, see `pytest_plugin`.

While somebody watches, whatever looks at an `Err` notes that, and the class has a finalizer, which
finds those that nobody noted. Watching replaces attributes of the class, and puts them back when
it ends: nothing of this is there otherwise.

An `Err` is looked at when its error is read (`case Err(e)`, `case Err(_)`, `.error`, `repr`), when
it is compared, asked (`is_err`) or carried by another error, and when a method or `ignore` gives
something else in its place (`unwrap_or`, `or_`). What gives the very `Err` on (`map`, `and_then`)
is no look at it. One at its class alone (`isinstance`, `case Err():`) cannot be seen in CPython.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from resultflow import _collect, _result, resource
from resultflow._result import Err, Ok, ResultBase, history_of
from resultflow._trace import Frame, Report, Suppressed, chain, resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

__all__ = ["Dropped", "Watch", "paused"]

_SPECIAL: Final = "__eq__", "__hash__", "__ne__"
# These read the error, and need no noting. In the traceback of what they raise, one more frame
# would hold the Err.
_RAISING: Final = {"expect", "into_ok", "or_raise", "unwrap"}
# Who lets go of the traceback of a test that has failed, and of copies made on trial.
_HOLDERS: Final = {"_pytest.runner", "resultflow._travel"}
# These read the error to tell releases how a scope ended, and then give the Err on.
_PASSING_ON: Final = {resource.Scope.ended.__code__, resource.exit_of.__code__}
_ABSENT: Final = object()

_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other
_watching: list[Watch] = []


class Dropped(NamedTuple):
    """An `Err` that nobody looked at."""

    report: str
    place: Frame | None
    """Where it was dropped; None where no code of the program was running."""


class Watch:
    """One watcher; of several, the one that started last must end first."""

    def __init__(self) -> None:
        self._dropped: list[Dropped] = []
        self._seen: set[int] = set()
        self._undo: list[tuple[object, str, object]] = []
        self._collector = 0  # the thread in which the garbage collector runs, if it does

    def start(self) -> None:
        """Begin, or go on: a look that nobody watches is not noted."""
        known: dict[str, Any] = dict(vars(Err))
        methods = {name for name, member in known.items() if name[0] != "_" and callable(member)}
        for name in (*(methods - _RAISING), *_SPECIAL):
            self._replace(Err, name, self._noting(getattr(Err, name)))
        self._replace(Ok, "or_", self._noting(vars(Ok)["or_"]))
        read: Callable[[object], Any] = known["error"].__get__
        suppressed: Callable[[object], Any] = known["suppressed"].__get__
        self._replace(Err, "error", property(self._reading(read)))
        self._replace(Err, "suppressed", property(self._noting(suppressed)))
        self._replace(Err, "__del__", self._finalizer(read))
        self._replace(Suppressed, "__init__", self._carrying(Suppressed.__init__))
        # The functions themselves, since others have imported them by name.
        self._replace(_result.is_ok, "__code__", _is_ok.__code__)
        self._replace(_result.is_err, "__code__", _is_err.__code__)
        for name in ("_collected", "_several"):
            self._replace(_collect, name, self._taking(name, getattr(_collect, name)))
        gc.callbacks.append(self._on_collection)
        _watching.append(self)

    def stop(self) -> None:
        """End: what is alive is not found any more."""
        _watching.remove(self)
        gc.callbacks.remove(self._on_collection)
        for owner, name, before in reversed(self._undo):
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._undo.clear()

    def take(self) -> list[Dropped]:
        """Take away what was found."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def _replace(self, owner: object, name: str, new: object) -> None:
        own = vars(owner)
        before = getattr(owner, name) if name == "__code__" else own.get(name, _ABSENT)
        self._undo.append((owner, name, before))
        setattr(owner, name, new)

    def _see(self, result: object) -> None:
        if isinstance(result, Err):
            self._seen.add(id(result))  # pyright: ignore[reportUnknownArgumentType]  # any Err

    # What takes the place of what

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Note each `Err` that a method is given and does not give back."""

        def noted(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - any method's
            made = method(*args, **kwargs)
            for arg in args:
                if arg is not made:
                    self._see(arg)
            return made

        return noted

    def _reading(self, read: Callable[[object], Any]) -> Callable[[object], Any]:
        def noted(err: object) -> Any:  # noqa: ANN401 - any error
            if _frame_at(1).f_code not in _PASSING_ON:
                self._see(err)
            return read(err)

        return noted

    def _carrying(self, begin: Callable[..., None]) -> Callable[..., None]:
        def noted(carrier: object, failure: object, label: str = "") -> None:
            begin(carrier, failure, label)
            self._see(failure)

        return noted

    def _taking(self, name: str, take: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        """Note what functions of many Results leave aside for the one that counts."""

        def noted(results: Any, taker: str) -> Any:  # noqa: ANN401 - as it is given
            made = take(results, taker)
            if name == "_several" and taker != "first_ok":
                return made
            if isinstance(results, list | tuple):
                for result in results:  # pyright: ignore[reportUnknownVariableType]  # any
                    if result is not made:
                        self._see(result)  # pyright: ignore[reportUnknownArgumentType]  # any
            return self._passing(made) if name == "_several" else made

        return noted

    def _passing(self, results: Iterator[object]) -> Iterator[object]:
        for result in results:
            self._see(result)
            yield result

    def _finalizer(self, read: Callable[[object], object]) -> Callable[[Err[object]], None]:
        def __del__(err: Err[object]) -> None:  # noqa: N807 - it is one
            if id(err) in self._seen:
                self._seen.discard(id(err))
            elif get_ident() != self._collector:
                # Who the collector frees died long before: with the traceback of an earlier test.
                self._note(read(err), err, _frame_at(1))

        return __del__

    def _note(self, error: object, err: Err[object], frame: FrameType) -> None:
        module = str(frame.f_globals.get("__name__"))
        package = module.partition(".")[0]
        if module in _HOLDERS:
            return
        history = history_of(err)
        made = next((it for it in resolved(history) if isinstance(it, Frame)), None)
        if package == "hypothesis" or (made is not None and "hypothesis" in made.file):
            return  # it lets go of an example, of which a test may use as little as it likes
        [where] = resolved(chain(None, [(frame.f_code, frame.f_lasti)]))
        is_of_program = package not in {"_pytest", "unittest"}
        place = where if is_of_program and isinstance(where, Frame) else None
        self._dropped.append(Dropped(str(Report.of(error, history)), place))

    def _on_collection(self, phase: str, _: object) -> None:
        self._collector = get_ident() if phase == "start" else 0


@contextmanager
def paused() -> Generator[None]:
    """Stop watching for a while: a finalizer would swallow what the handler of a signal raises."""
    watching = list(reversed(_watching))
    for watch in watching:
        watch.stop()
    try:
        yield
    finally:
        for watch in reversed(watching):
            watch.start()


# They run with the globals of `_result`.


def _is_ok(result: Any) -> bool:  # noqa: ANN401 - what `is_ok` is given
    return isinstance(result, ResultBase) and result.is_ok()


def _is_err(result: Any) -> bool:  # noqa: ANN401 - what `is_err` is given
    return isinstance(result, ResultBase) and result.is_err()
