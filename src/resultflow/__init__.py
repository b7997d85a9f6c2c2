"""Failure as a value that the type checker sees, and teardown that is certain."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resultflow._collect import (
        collect,
        collect_all,
        combine,
        combine_all,
        first_ok,
        partition,
        traverse,
    )
    from resultflow._do import Bind, do
    from resultflow._result import Err, Ok, Result, ignore, is_err, is_ok
    from resultflow._safe import safe
    from resultflow.child import Child, child_process, subprocess_child, watch
    from resultflow.errors import ReleaseFailed, UnwrapError
    from resultflow.exits import Cancelled, Exit, Failed, Raised, Succeeded
    from resultflow.process_edge import entrypoint, notify_ready, run
    from resultflow.resource import Close, Resource

__version__ = "0.1.0"

__all__ = [
    "Bind",
    "Cancelled",
    "Child",
    "Close",
    "Err",
    "Exit",
    "Failed",
    "Ok",
    "Raised",
    "ReleaseFailed",
    "Resource",
    "Result",
    "Succeeded",
    "UnwrapError",
    "child_process",
    "collect",
    "collect_all",
    "combine",
    "combine_all",
    "do",
    "entrypoint",
    "first_ok",
    "ignore",
    "is_err",
    "is_ok",
    "notify_ready",
    "partition",
    "run",
    "safe",
    "subprocess_child",
    "traverse",
    "watch",
]

# A name's module is imported when the name is first asked for: mypy comes through this door to
# its plugin, and a program that wants `Ok` alone needs no children and no signals.
_HOMES = {
    "_collect": "collect collect_all combine combine_all first_ok partition traverse",
    "_do": "Bind do",
    "_result": "Err Ok Result ignore is_err is_ok",
    "_safe": "safe",
    "child": "Child child_process subprocess_child watch",
    "errors": "ReleaseFailed UnwrapError",
    "exits": "Cancelled Exit Failed Raised Succeeded",
    "process_edge": "entrypoint notify_ready run",
    "resource": "Close Resource",
}


# A type checker that saw this would take any name for one of this package's.
if not TYPE_CHECKING:  # pragma: no branch (it is False)

    def __getattr__(name: str) -> object:
        """Import a public name, or one of the modules that define them."""
        for home, names in _HOMES.items():
            if name == home or name in names.split():
                from importlib import import_module

                module = import_module(f"{__name__}.{home}")
                return globals().setdefault(
                    name, module if name == home else getattr(module, name)
                )
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
