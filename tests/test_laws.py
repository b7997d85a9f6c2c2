"""The laws that a Result keeps, on arbitrary values, errors and functions."""

import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.travellers import ERRORS, FrozenError, JobLost, KeywordError, SlotError

from resultflow import Err, Ok, Result, collect, collect_all, combine, first_ok, partition

AnyResult = Result[Any, Any]
Step = Callable[[Any], AnyResult]
Function = Callable[[Any], Any]

plain = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.tuples(st.integers()))
results: st.SearchStrategy[AnyResult] = st.one_of(st.builds(Ok, plain), st.builds(Err, plain))
nested = st.one_of(st.builds(Ok, results), st.builds(Err, plain))
lists = st.lists(results, max_size=10)


def like(_: object) -> None:
    """Show which arguments the functions have."""


functions: st.SearchStrategy[Function] = st.functions(like=like, returns=plain, pure=True)
steps: st.SearchStrategy[Step] = st.functions(like=like, returns=results, pure=True)


def identity(value: Any) -> Any:  # noqa: ANN401 - of whatever type
    """Give the value back."""
    return value


def swap(result: AnyResult) -> AnyResult:
    """Exchange the variants."""
    return result.map_or_else(Ok, Err)


# Functor


@given(results)
def test_map_of_the_identity_changes_nothing(result: AnyResult) -> None:
    """`map(identity)` and `map_err(identity)` are no step at all."""
    assert result.map(identity) == result
    assert result.map_err(identity) == result


@given(results, functions, functions)
def test_map_composes(result: AnyResult, f: Function, g: Function) -> None:
    """Two maps are one map of both functions, on either side."""
    assert result.map(f).map(g) == result.map(lambda value: g(f(value)))
    assert result.map_err(f).map_err(g) == result.map_err(lambda error: g(f(error)))


@given(results, functions, functions)
def test_the_sides_do_not_interfere(result: AnyResult, f: Function, g: Function) -> None:
    """`map` and `map_err` may change places."""
    assert result.map(f).map_err(g) == result.map_err(g).map(f)


# Monad


@given(plain, steps)
def test_and_then_from_the_left(value: object, f: Step) -> None:
    """`Ok(v)` and then `f` is `f(v)`; `Err(e)` or else `f` is `f(e)`."""
    assert Ok(value).and_then(f) == f(value)
    assert Err(value).or_else(f) == f(value)


@given(results)
def test_and_then_to_the_right(result: AnyResult) -> None:
    """To wrap the value again is no step at all."""
    assert result.and_then(Ok) == result
    assert result.or_else(Err) == result


@given(results, steps, steps)
def test_and_then_is_associative(result: AnyResult, f: Step, g: Step) -> None:
    """However the steps are bracketed, the chain gives the same."""
    assert result.and_then(f).and_then(g) == result.and_then(lambda v: f(v).and_then(g))
    assert result.or_else(f).or_else(g) == result.or_else(lambda e: f(e).or_else(g))


@given(results, functions)
def test_map_is_and_then_of_ok(result: AnyResult, f: Function) -> None:
    """`map` is what `and_then` makes of it."""
    assert result.map(f) == result.and_then(lambda value: Ok(f(value)))
    assert result.map_err(f) == result.or_else(lambda error: Err(f(error)))


@given(results, steps)
def test_both_sides_mirror_each_other(result: AnyResult, f: Step) -> None:
    """What `and_then` is to `Ok`, `or_else` is to `Err`."""
    assert swap(swap(result)) == result
    assert swap(result.and_then(f)) == swap(result).or_else(lambda error: swap(f(error)))


@given(results, results)
def test_and_or_are_their_lazy_forms(this: AnyResult, that: AnyResult) -> None:
    """The forms that take a Result and those that make one agree."""
    assert this.and_(that) == this.and_then(lambda _: that)
    assert this.or_(that) == this.or_else(lambda _: that)


@given(results, functions, plain)
def test_the_ways_out_agree(result: AnyResult, f: Function, default: object) -> None:
    """Each way out of a Result is a `map_or_else`."""
    assert result.unwrap_or(default) == result.map_or(default, identity)
    assert result.unwrap_or_else(f) == result.map_or_else(f, identity)
    assert list(result) == result.map_or_else(lambda _: [], lambda value: [value])
    assert (result.ok(), result.err()) == result.map_or_else(
        lambda error: (None, error), lambda value: (value, None)
    )


# Catch


@given(results, functions)
def test_catch_is_or_else_for_one_class(result: AnyResult, f: Function) -> None:
    """`catch` handles the errors of its class as `or_else` would, and no other."""

    def handled(error: object) -> AnyResult:
        return Ok(f(error)) if isinstance(error, str) else Err(error)

    assert result.catch(str, f) == result.or_else(handled)


@given(results, functions, functions)
def test_a_second_catch_of_a_class_has_nothing_to_do(
    result: AnyResult, f: Function, g: Function
) -> None:
    """What was caught is gone."""
    caught = result.catch(str, f)
    assert caught.catch(str, g) is caught


@given(results, functions, functions)
def test_catches_of_different_classes_change_places(
    result: AnyResult, f: Function, g: Function
) -> None:
    """The order of handlers of unrelated classes does not matter."""
    assert result.catch(str, f).catch(int, g) == result.catch(int, g).catch(str, f)


@given(results, functions)
def test_catch_of_everything_leaves_no_err(result: AnyResult, f: Function) -> None:
    """`catch(object, f)` is `unwrap_or_else`."""
    assert result.catch(object, f) == Ok(result.unwrap_or_else(f))


# Flatten and transpose


@given(results)
def test_flatten_undoes_ok(result: AnyResult) -> None:
    """To wrap in an `Ok` and to flatten is no step at all."""
    assert Ok(result).flatten() == result


@given(nested, steps)
def test_flatten_is_and_then_of_the_identity(result: AnyResult, f: Step) -> None:
    """`and_then` is `map` and `flatten`."""
    assert result.flatten() == result.and_then(identity)
    assert result.map(f).flatten() == result.and_then(f)


@given(results)
def test_transpose_has_an_inverse(result: AnyResult) -> None:
    """From maybe a Result one comes back to the Result of maybe."""
    maybe = result.transpose()
    assert (Ok(None) if maybe is None else maybe) == result
    assert (maybe is None) == (result == Ok(None))


# Many to one


@given(lists)
def test_collect_and_partition_agree(many: list[AnyResult]) -> None:
    """All ways to make one of many tell the same values and the same errors."""
    values, errors = partition(many)
    assert len(values) + len(errors) == len(many)
    if errors:
        assert collect(many) == combine(*many) == Err(errors[0])
        assert collect_all(many) == Err(errors)
    else:
        assert collect(many) == collect_all(many) == Ok(values)
        assert combine(*many) == Ok(tuple(values))
    assert first_ok(many) == (Ok(values[0]) if values else Err(errors))


@given(lists)
def test_first_ok_is_the_mirror_of_collect_all(many: list[AnyResult]) -> None:
    """The first `Ok` is the first error of the mirrored Results."""
    assert swap(first_ok(many)) == collect(map(swap, many))


@given(st.lists(plain), steps)
def test_collect_of_a_chain(values: list[object], f: Step) -> None:
    """To collect and go on with each is to go on with each and collect."""
    assert collect(map(f, values)) == collect(Ok(value).and_then(f) for value in values)


@given(lists, lists)
def test_collect_of_two_lists(one: list[AnyResult], other: list[AnyResult]) -> None:
    """To collect one list after another is to collect both at once."""
    assert collect([*one, *other]) == combine(collect(one), collect(other)).map(
        lambda pair: pair[0] + pair[1]
    )


# Pickling


def exceptions(inner: st.SearchStrategy[object]) -> st.SearchStrategy[Exception]:
    """Make exceptions of many kinds around other errors."""
    return st.one_of(
        st.builds(KeywordError, job=st.integers()),
        st.builds(FrozenError, dsn=st.text(), port=st.integers()),
        st.builds(SlotError, inner, st.text()),
        st.builds(ValueError, inner, inner),
        st.builds(OSError, st.integers(0, 200), st.text(), st.text()),
        st.builds(ImportError, st.text(), name=st.text()),
    )


def holders(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[object]:
    """Make what holds other errors."""
    return st.one_of(
        st.builds(Err, inner),
        st.builds(Ok, inner),
        st.builds(JobLost, st.integers(), inner),
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(), inner, max_size=3),
        exceptions(inner),
        st.builds(ExceptionGroup, st.text(), st.lists(exceptions(inner), min_size=1, max_size=3)),
    )


errors = st.recursive(plain, holders, max_leaves=8)


def shape(value: Any) -> object:  # noqa: ANN401 - of whatever type
    """Take an error apart, so that it can be compared: exceptions are only equal to themselves."""
    kind = value.__class__  # a checker that narrowed the value itself would know no more
    if kind in {Ok, Err}:
        return kind, shape(value.unwrap_or_else(identity))
    if kind is JobLost:
        return kind, value.job, shape(value.held)
    if kind in {list, tuple}:
        return [shape(item) for item in value]
    if kind is dict:
        return {key: shape(item) for key, item in value.items()}
    if issubclass(kind, BaseException):
        members = getattr(value, "exceptions", ())
        state = object.__getstate__(value)
        return kind, str(value), shape(value.args), shape(members), shape(state)
    return value


@given(errors, st.text())
def test_every_error_arrives(error: object, words: str) -> None:
    """An `Err` comes out of pickle with the same error and the same report."""
    err = Err(error).context(words)
    came = pickle.loads(pickle.dumps(err))  # noqa: S301 - just made
    assert shape(came) == shape(err)
    assert came.report().trace == err.report().trace
    assert came.report().context == (words,)


@given(st.recursive(st.sampled_from(sorted(ERRORS)).map(lambda name: ERRORS[name]()), holders))
def test_an_error_that_cannot_travel_breaks_nothing(error: object) -> None:
    """Whatever the error holds, at any depth, an `Err` with its trace comes out of pickle."""
    err = Err(error)
    came = pickle.loads(pickle.dumps(err))  # noqa: S301 - just made
    assert isinstance(came, Err)
    assert came.report().trace == err.report().trace
