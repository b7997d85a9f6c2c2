"""Which build of resultflow runs: with the fast paths in C, or all of it in Python.

The two do the same. The fast paths are there when the package was built where a C compiler is;
the environment variable `RESULTFLOW_PURE=1` leaves them aside.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["native"]


def _loaded() -> ModuleType | None:
    if os.environ.get("RESULTFLOW_PURE", "0") not in {"", "0"}:
        return None
    try:
        return importlib.import_module("resultflow._native")
    except ImportError:  # pragma: no cover (there was no compiler, or another Python's build)
        return None


native: Final = _loaded()
"""`resultflow._native`; None in the pure build."""
