"""A pytest plugin that notes which exceptions leave which functions of a package.

`sys.monitoring` tells of each function that is left by an exception from Python 3.12 on; before,
`sys.settrace` does. It runs in environments of its own, and imports nothing but the standard
library.
"""

import dis
import json
import os
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

FOLDER = os.environ.get("RAISES_FOLDER", "")
NOTES: dict[tuple[str, str, str], set[str]] = {}
RAISING = {dis.opmap[name] for name in ("RAISE_VARARGS", "RERAISE")}
LEAVING = {dis.opmap[one] for one in ("RETURN_VALUE", "RETURN_CONST") if one in dis.opmap}
PAUSING = {dis.opmap[name] for name in ("YIELD_VALUE", "SEND") if name in dis.opmap}
UNNAMED = ("<module>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def cause_of(traceback: TracebackType | None) -> str:
    """Tell who raised: `raise` or an operation of the package, a library, or the tests' code."""
    if traceback is None:
        return "no traceback"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    if "/tests/" in code.co_filename:
        return "tests"
    if code.co_filename.startswith(FOLDER):
        is_raise = code.co_code[traceback.tb_lasti] in RAISING
        return "raise" if is_raise else "operation"
    standard = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if "site-packages" in code.co_filename:
        return "other package"
    return "library" if f"/{standard}/" in code.co_filename else "tests"


def note(code: CodeType, exc: BaseException, traceback: TracebackType | None) -> None:
    """Keep one exception that has left a function."""
    if code.co_qualname.endswith(UNNAMED) or "/tests/" in code.co_filename:
        return
    path = Path(code.co_filename).relative_to(FOLDER).as_posix()
    kind = type(exc)
    key = (path, code.co_qualname, f"{kind.__module__}.{kind.__qualname__}")
    NOTES.setdefault(key, set()).add(cause_of(traceback))


def monitor() -> None:
    """Listen to Python itself."""
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 - is not there before 3.12
    tool = monitoring.PROFILER_ID
    monitoring.use_tool_id(tool, "raises")

    def unwind(code: CodeType, offset: int, exc: BaseException) -> None:
        del offset
        if code.co_filename.startswith(FOLDER):
            traceback = exc.__traceback__
            while traceback is not None and traceback.tb_frame.f_code is not code:
                traceback = traceback.tb_next
            note(code, exc, traceback)

    monitoring.register_callback(tool, monitoring.events.PY_UNWIND, unwind)
    monitoring.set_events(tool, monitoring.events.PY_UNWIND)


def trace() -> None:
    """Follow each call: a return without a value right after an exception is no return."""

    def enter(frame: FrameType, event: str, value: object) -> Any:  # noqa: ANN401 - as sys.settrace has it
        del event, value
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_lines = False
        raised: list[tuple[BaseException, TracebackType | None]] = []

        def within(frame: FrameType, event: str, value: Any) -> Any:  # noqa: ANN401 - as above
            if event == "exception":
                exc = value[1]
                raised[:] = [(exc if isinstance(exc, BaseException) else value[0](exc), value[2])]
            elif event == "return" and value is None and raised:
                op = frame.f_code.co_code[frame.f_lasti]
                if op not in LEAVING and op not in PAUSING:
                    note(frame.f_code, *raised[0])
            return within

        return within

    sys.settrace(enter)
    threading.settrace(enter)


def pytest_configure() -> None:
    """Begin to listen."""
    monitor() if hasattr(sys, "monitoring") else trace()


def pytest_unconfigure() -> None:
    """Write what was heard."""
    sys.settrace(None)
    found = [[*key, sorted(causes)] for key, causes in sorted(NOTES.items())]
    Path(os.environ["RAISES_NOTES"]).write_text(json.dumps(found, indent=1), encoding="utf-8")
