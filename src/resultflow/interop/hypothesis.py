"""Results in property tests: what Hypothesis makes of a type that mentions `Ok` or `Err`.

Hypothesis calls `register` by itself, through the entry point of this package, so
`from_type(Result[int, str])` and `@given(...)` with annotated arguments work without an import
of this module. `results` is for strategies that no type can express.
"""

# Hypothesis is imported where it is used: its own import comes here for `register`, also when it
# is this module that was imported first.

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, get_args

from resultflow._result import Err, Ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

__all__ = ["register", "results"]

T = TypeVar("T")
E = TypeVar("E")


def results(oks: SearchStrategy[T], errs: SearchStrategy[E]) -> SearchStrategy[Ok[T] | Err[E]]:
    """Draw an `Ok` of what `oks` draws, or an `Err` of what `errs` draws; it shrinks to an `Ok`.

    So each `Err` that is left in a shrunk example is one that the failure needs. What `from_type`
    draws shrinks to the variant with the simpler content.

    Args:
        oks: draws the values.
        errs: draws the errors.

    >>> from hypothesis import find, strategies as st
    >>> find(results(st.integers(1, 65535), st.just("no port")), lambda result: True)
    Ok(1)

    .. versionadded:: 0.1.0
    """
    from hypothesis import strategies as st

    @st.composite
    def result(draw: st.DrawFn) -> Ok[T] | Err[E]:
        # The value in any case: for Hypothesis the example is simpler that draws less.
        value = draw(oks)
        return Err(draw(errs)) if draw(st.booleans()) else Ok(value)

    return result()


def register() -> None:
    """Tell Hypothesis how to make an `Ok` and an `Err`; it calls this when it is imported.

    >>> register()

    .. versionadded:: 0.1.0
    """
    from hypothesis import strategies as st

    # What is drawn where a type says nothing: all of these can be compared, hashed and pickled.
    anything: SearchStrategy[object] = st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.tuples(st.integers(), st.text())
    )

    def made_by(
        variant: Callable[[object], Ok[object] | Err[object]],
    ) -> Callable[[type[object]], SearchStrategy[Ok[object] | Err[object]]]:
        def strategy(thing: type[object]) -> SearchStrategy[Ok[object] | Err[object]]:
            content = get_args(thing)
            return st.builds(variant, st.from_type(content[0]) if content else anything)

        return strategy

    st.register_type_strategy(Ok, made_by(Ok))
    st.register_type_strategy(Err, made_by(Err))
