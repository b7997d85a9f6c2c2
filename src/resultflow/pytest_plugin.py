"""resultflow in pytest: failures that say why, and tests that leave nothing open.

pytest loads this by itself wherever both are installed; `-p no:resultflow` leaves it out. The
page "How to test code that uses resultflow" tells what it does.
"""

from __future__ import annotations

import contextlib
import os
import reprlib
import sys
import threading
import warnings
from itertools import dropwhile
from operator import not_
from typing import TYPE_CHECKING, Final, cast
from weakref import ref

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

    from resultflow._result import Err
    from resultflow._trace import RawFrame
    from resultflow.resource import Scope
    from resultflow.testing import Inject, InjectionReport

# Who acquires for somebody else: this package, and an `ExitStack`.
_GO_BETWEENS: Final = os.path.dirname(__file__) + os.sep, contextlib.__file__  # noqa: PTH120 - compared with names of files
_MARKER: Final = "leaves_open"
_MANY: Final = 10_000

_frame_at = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what pytest's configuration file may say."""
    parser.addini(
        "resultflow_leaks",
        "fail a test that leaves open what it acquired by a resultflow.Resource (default: true)",
        type="bool",
        default=True,
    )
    parser.addini(
        "resultflow_uninspected",
        "warn of each Err that a test drops before anybody has looked at it (default: false)",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and look out for leaks."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(reason): the test may leave open what it acquired by a resultflow.Resource",
    )
    if config.getini("resultflow_leaks"):
        config.pluginmanager.register(_Leaks(), "resultflow-leaks")
    if config.getini("resultflow_uninspected"):
        config.pluginmanager.register(_Uninspected(config), "resultflow-uninspected")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker without a reason."""
    _reason_of(item)


@pytest.fixture(name="inject")
def _inject() -> Inject:
    """Interrupt a scenario at every place; fail with the report when that is not clean.

    It takes what `resultflow.testing.inject` takes, and gives the report.
    """
    from resultflow import testing

    run: Callable[..., InjectionReport] = testing.inject

    def inject(*args: object, **kwargs: object) -> InjectionReport:
        __tracebackhide__ = True
        report = run(*args, **kwargs)
        report.check()
        return report

    return inject


# What is shown when `==` fails


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Tell why two Results are not equal, or a Result and something else."""
    if op != "==" or "resultflow._result" not in sys.modules:
        return None
    from resultflow._result import Err, ResultBase

    sides = left, right
    if not any(isinstance(side, ResultBase) for side in sides):
        return None
    told: list[str] = []
    if type(left) is not type(right):
        told.append(f"left is {_kind_of(left)}, right is {_kind_of(right)}")
        if not all(isinstance(side, ResultBase) for side in sides):
            told.append("only a Result equals a Result: compare with Ok(...) or Err(...)")
    for name, side in zip(("left", "right"), sides, strict=True):
        if isinstance(side, Err):
            told.extend(_report_of(cast("Err[object]", side), name))
    if type(left) is type(right):
        name = "error" if isinstance(left, Err) else "value"
        told.extend(_difference(config, [getattr(side, name) for side in sides]))
    is_long = config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) > 0
    shown = map(repr if is_long else reprlib.repr, sides)
    return [" == ".join(shown), *([""] if told else []), *told]


def _kind_of(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _difference(config: pytest.Config, contents: list[object]) -> list[str]:
    """Have pytest, or another plugin, explain how two contents differ."""
    left, right = contents
    found: list[list[str] | None] = config.hook.pytest_assertrepr_compare(
        config=config, op="==", left=left, right=right
    )
    nothing: list[str] = []
    explained = next((lines for lines in found if lines), nothing)
    return list(dropwhile(not_, explained[1:]))  # without the summary


def _report_of(err: Err[object], name: str) -> Iterator[str]:
    """Tell how an `Err` came here, unless it was made right where this is read."""
    report = err.report()
    places = {(frame.file, frame.function) for frame in report.trace}
    if len(report.entries) > 1 or not places <= _running():
        first, *rest = str(report).splitlines()
        yield f"{name}: {first}"
        yield from rest


def _running() -> set[tuple[str, str]]:
    """List the functions that have not returned."""
    found: set[tuple[str, str]] = set()
    frame: FrameType | None = _frame_at(1)
    while frame is not None:
        found.add((frame.f_code.co_filename, frame.f_code.co_qualname))
        frame = frame.f_back
    return found


# What a test leaves open


class _Leaks:
    """Looks out for what tests acquire, and fails those that do not release it.

    A test answers for what is acquired in its call, and in the set-up of the fixtures that are
    its own: not for what fixtures of a wider scope acquire, nor the threads that they started.
    """

    def __init__(self) -> None:
        # By weak references, and without a callback or a finalizer: what the handler of a signal
        # raises there would be lost.
        self._noted: list[tuple[ref[Scope], RawFrame | None]] = []
        self._limit = _MANY
        self._allocated: list[Scope] = []
        self._is_accused = False
        self._strangers: set[int] = set()
        self._is_watching = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._watch(item.config)
        self._noted.clear()
        self._allocated.clear()
        self._strangers = _other_threads()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        is_wider = request.scope != "function"
        with self._accusing(request.config, is_accused=not is_wider):
            made = yield
        if is_wider:
            self._strangers |= _other_threads()
        return made

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        # Not an example in a document: the next one may go on with what it opened.
        with self._accusing(item.config, is_accused=isinstance(item, pytest.Function)):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            done = yield
        except BaseException as exc:
            if left := self._left_open(item):
                exc.add_note(left)
            raise
        if left := self._left_open(item):
            pytest.fail(left, pytrace=False)
        return done

    def _watch(self, config: pytest.Config) -> bool:
        """Have each scope noted that begins, until pytest ends; tell whether that is new.

        Not before somebody else has imported resources: most programs have none.
        """
        if self._is_watching or "resultflow.resource" not in sys.modules:
            return False
        from resultflow.resource import Scope

        begin = Scope.__init__

        def noted(scope: Scope) -> None:
            begin(scope)
            if self._is_accused and threading.get_ident() not in self._strangers:
                place, is_allocated = _caller()
                self._noted.append((ref(scope), place))
                if is_allocated:
                    self._allocated.append(scope)  # nobody else need keep an async one
                if len(self._noted) > self._limit:
                    self._noted[:] = [entry for entry in self._noted if entry[0]() is not None]
                    self._limit = len(self._noted) + _MANY

        _put(Scope, "__init__", noted)
        config.add_cleanup(lambda: _put(Scope, "__init__", begin))
        self._is_watching = True
        return True

    @contextlib.contextmanager
    def _accusing(self, config: pytest.Config, *, is_accused: bool) -> Generator[None]:
        before, self._is_accused = self._is_accused, is_accused
        try:
            yield
        finally:
            self._is_accused = before
            if self._watch(config) and is_accused:
                # What is open was acquired here, for resources were imported here.
                from resultflow.resource import open_scopes

                self._noted.extend((ref(scope), None) for scope in open_scopes())

    def _left_open(self, item: pytest.Item) -> str:
        """Tell what a test has left open, and where that was acquired; or nothing."""
        from resultflow._trace import chain, resolved

        left: list[str] = []
        for it, place in self._noted:
            scope = it()
            if scope is not None and not scope.is_of_parent():
                places = resolved(chain(None, [] if place is None else [place]))
                where = "".join(f", acquired at {found}" for found in places)
                left.extend(f"  {label}{where}" for label in scope.labels())
        if not left or _reason_of(item):
            return ""
        return "\n".join(
            [
                f"{item.name} left {len(left)} resource{'s' if left[1:] else ''} open:",
                *left,
                "release it before the test ends: by Resource.use, a with block or close()",
                f"or say why it may stay open: @pytest.mark.{_MARKER}(reason=...)",
            ]
        )


class _Uninspected:
    """Warns of each `Err` that dies while a test runs, and that nobody has looked at."""

    def __init__(self, config: pytest.Config) -> None:
        from resultflow._uninspected import Watch

        # From now on, for what test modules make is looked at before a test runs.
        self._watch = Watch()
        self._watch.start()
        config.add_cleanup(self._watch.stop)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        self._watch.take()  # what died between the tests is no test's fault
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            self._warn(item)

    def _warn(self, item: pytest.Item) -> None:
        from resultflow.testing import UninspectedErr

        refused: list[str] = []
        for report, place in self._watch.take():
            where = f"at {place}" if place else "as the test ended"
            warning = UninspectedErr(
                f"this Err was dropped {where}, and nobody had looked at it:\n{report}\n"
                "handle it, or drop it on purpose: ignore(result, reason=...)"
            )
            file, line = (place.file, place.line) if place else (str(item.path), 1)
            try:
                warnings.warn_explicit(warning, None, file, line)
            except UninspectedErr as exc:  # a filter makes errors of these warnings
                refused.append(str(exc))
        if refused:
            pytest.fail("\n\n".join(refused), pytrace=False)


def _reason_of(item: pytest.Item) -> str:
    """Tell why a test may leave something open; a marker without a reason is refused."""
    marker = item.get_closest_marker(_MARKER)
    if marker is None:
        return ""
    reason = marker.kwargs.get("reason") if not marker.args else None
    if not isinstance(reason, str) or not reason.strip():
        pytest.fail(f"{_MARKER} needs a reason: @pytest.mark.{_MARKER}(reason=...)", pytrace=False)
    return reason


def _put(owner: type, name: str, value: object) -> None:
    """Replace an attribute of a class, which checkers take for one that stays."""
    setattr(owner, name, value)


def _other_threads() -> set[int]:
    return {*sys._current_frames()} - {threading.get_ident()}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


def _caller() -> tuple[RawFrame, bool]:
    """Give the place from which a scope was begun, and tell whether `allocated` began it."""
    frame = _frame_at(2)
    is_allocated = False
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_GO_BETWEENS):
        is_allocated = is_allocated or frame.f_code.co_name == "allocated"
        frame = frame.f_back
    return (frame.f_code, frame.f_lasti), is_allocated
