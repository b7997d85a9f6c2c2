"""How a scope ended, as its releases see it.

`Exit` is what the release of a `resultflow.Resource` is given beside the value:

>>> from resultflow import Err, Failed, Ok, Resource
>>> seen = []
>>> resource = Resource.make(lambda: Ok("session"), lambda session, exit: seen.append(exit))
>>> resource.use(lambda session: Err("disk full"))
Err('disk full')
>>> seen
[Failed(error='disk full')]
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from resultflow._travel import Shown

__all__ = ["Cancelled", "Exit", "Failed", "Raised", "Succeeded"]


@attrs.frozen(repr=False)
class Succeeded(Shown):
    """The body returned an `Ok`, or a `with` block ended without an exception.

    >>> Succeeded(3)
    Succeeded(value=3)

    .. versionadded:: 0.1.0
    """

    value: object


@attrs.frozen(repr=False)
class Failed(Shown):
    """The body returned an `Err`, or a later acquire did; no `__exit__` can see that.

    >>> Failed("disk full")
    Failed(error='disk full')

    .. versionadded:: 0.1.0
    """

    error: object


@attrs.frozen(repr=False)
class Raised(Shown):
    """The body, or a later acquire, was left by an exception.

    >>> Raised(KeyError("x"))
    Raised(exception=KeyError('x'))

    .. versionadded:: 0.1.0
    """

    exception: BaseException


@attrs.frozen(repr=False)
class Cancelled(Shown):
    """The body was left because somebody outside asked for it: a signal or a cancellation.

    Attributes:
        reason: the exception by which the body was left.
        signum: the signal's number; `None` for the cancellation of a task. A
            `KeyboardInterrupt` counts as SIGINT.

    >>> Cancelled(KeyboardInterrupt(), 2).signum
    2

    .. versionadded:: 0.1.0
    """

    reason: BaseException
    signum: int | None = None


Exit: TypeAlias = Succeeded | Failed | Raised | Cancelled
"""How a scope ended: `Succeeded`, `Failed`, `Raised` or `Cancelled`.

.. versionadded:: 0.1.0
"""
