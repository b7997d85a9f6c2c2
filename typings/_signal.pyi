# The C half of the standard library's `signal`, which typeshed leaves out.
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

def getsignal(signalnum: int, /) -> _Handler: ...
def signal(signalnum: int, handler: _Handler, /) -> _Handler: ...
