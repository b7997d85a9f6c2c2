"""Matches that handle everything, and matches that do not."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar, assert_never, assert_type

from base import Color, Denied, Full, Gone, Late, Lost, TooLate, Word
from resultflow import Err, Ok, Result


# Everything is handled


def ok_and_err(r: Result[int, Lost]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(_):
            return 0


def one_by_one(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2
        case Ok(v):
            return v


def ok_first(r: Result[int, Lost | Gone | Late]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Late()):
            return 1
        case Err(Lost()):
            return 2
        case Err(Gone()):
            return 3


def distributed(r: Ok[int] | Err[Lost] | Err[Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case Ok(v):
            return v
        case Err(Gone()):
            return 2


def or_inside(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost() | Gone()):
            return 1
        case Ok(v):
            return v


def or_outside(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()) | Err(Gone()):
            return 1
        case Ok(v):
            return v


def or_of_both(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()) | Ok(_):
            return 1
        case Err(Gone()):
            return 2


def by_keyword(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(error=Lost()):
            return 1
        case Err(error=Gone()):
            return 2
        case Ok(value=v):
            return v


def as_captures(r: Result[int, Lost | Gone]) -> object:
    match r:
        case Err(Lost() as lost):
            assert_type(lost, Lost)
            return lost
        case Err(Gone() as gone):
            assert_type(gone, Gone)
            return gone
        case Ok(v):
            return v


def the_rest_is_narrow(r: Result[int, Lost | Gone | Late]) -> object:
    match r:
        case Err(Lost()):
            return 1
        case Err(e):
            assert_type(e, Gone | Late)
            return e
        case Ok(v):
            assert_type(v, int)
            return v


def attrs_positional(r: Result[int, Denied | Lost]) -> str:
    match r:
        case Err(Denied(user)):
            return user
        case Err(Lost()):
            return ""
        case Ok(_):
            return "ok"


def dataclass_positional(r: Result[int, Full | Denied]) -> int:
    match r:
        case Err(Full(size, limit)):
            return size + (limit or 0)
        case Err(Denied(user=_)):
            return 0
        case Ok(v):
            return v


def dataclass_by_types(r: Result[int, Full]) -> int:
    match r:
        case Err(Full(size, None)):
            return size
        case Err(Full(size, int())):
            return size
        case Err(Full()):
            return 0
        case Ok(v):
            return v


def typed_fields_are_exhaustive(r: Result[int, Full | Lost]) -> int:
    match r:
        case Err(Full(int())):
            return 1
        case Err(Lost()):
            return 2
        case Ok(int()):
            return 3


def enum(r: Result[int, Color]) -> int:
    match r:
        case Err(Color.RED):
            return 1
        case Err(Color.BLUE):
            return 2
        case Ok(v):
            return v


def enum_and_class(r: Result[int, Color | Lost]) -> int:
    match r:
        case Err(Color.RED | Color.BLUE):
            return 1
        case Err(Lost()):
            return 2
        case Ok(v):
            return v


def literals(r: Result[int, Word]) -> int:
    match r:
        case Err("no host"):
            return 1
        case Err("no port"):
            return 2
        case Ok(v):
            return v


def booleans(r: Result[bool, Lost]) -> int:
    match r:
        case Ok(True):
            return 1
        case Ok(False):
            return 0
        case Err(_):
            return 2


def ok_of_none(r: Result[int | None, Lost]) -> int:
    match r:
        case Ok(None):
            return 0
        case Ok(int()):
            return 1
        case Err(_):
            return 2


def nested(r: Result[Result[int, Lost], Gone]) -> int:
    match r:
        case Ok(Ok(v)):
            return v
        case Ok(Err(Lost())):
            return 1
        case Err(Gone()):
            return 2


def nested_err(r: Result[int, Result[Lost, Gone]]) -> int:
    match r:
        case Err(Ok(Lost())):
            return 1
        case Err(Err(Gone())):
            return 2
        case Ok(v):
            return v


def by_the_base_class(r: Result[int, Late | Lost]) -> int:
    match r:
        case Err(Exception()):
            return 1
        case Ok(v):
            return v


def the_subclass_first(r: Result[int, Late]) -> int:
    match r:
        case Err(TooLate()):
            return 1
        case Err(Late()):
            return 2
        case Ok(v):
            return v


def guard_then_without(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()) if r.error.args:
            return 1
        case Err(Lost()):
            return 2
        case Err(Gone()):
            return 3
        case Ok(v):
            return v


def optional(r: Result[int, Lost] | None) -> int:
    match r:
        case None:
            return 0
        case Err(Lost()):
            return 1
        case Ok(v):
            return v


def wildcard(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case _:
            return 0


def assert_never_passes(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2
        case Ok(v):
            return v
        case other:
            assert_never(other)


def tuples(r: Result[int, tuple[str, int]]) -> str:
    match r:
        case Err((text, _)):
            return text
        case Ok(_):
            return ""


def tuples_with_a_star(r: Result[list[int], tuple[str, int]]) -> str:
    match r:
        case Err((text, *_)):
            return text
        case Ok([*_]):
            return ""


def whole_builtin(r: Result[int | str, Lost]) -> str:
    match r:
        case Ok(int(n)):
            return str(n)
        case Ok(str(s)):
            return s
        case Err(_):
            return ""


def on_an_expression(r: Result[int, Lost | Gone]) -> int:
    match r.map(str):
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2
        case Ok(v):
            return len(v)


def no_error_possible(r: Result[int, Lost]) -> int:
    if isinstance(r, Err):
        return 0
    match r:
        case Ok(v):
            return v


Renamed = Lost


def by_an_alias(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Renamed()):
            return 1
        case Err(Gone()):
            return 2
        case Ok(v):
            return v


def literals_by_class(r: Result[int, Word]) -> int:
    match r:
        case Err(str()):
            return 1
        case Ok(v):
            return v


class Pair(NamedTuple):
    first: int
    second: str


def named_tuple(r: Result[int, Pair | Lost]) -> int:
    match r:
        case Err(Pair(first, _)):
            return first
        case Err(Lost()):
            return 0
        case Ok(v):
            return v


class Table(TypedDict):
    first: int


def a_function(r: Result[int, Callable[[], int] | Lost]) -> int:
    match r:
        case Err(Lost()):
            return 0
        case Err(f):
            return f()
        case Ok(v):
            return v


L = TypeVar("L", bound=Lost | Gone)


def type_variable(r: Result[int, L]) -> int:
    match r:
        case Err(Exception()):
            return 0
        case Ok(v):
            return v


class Computed:
    @property
    def size(self) -> int:
        return 1


def a_property(r: Result[int, Computed]) -> int:
    match r:
        case Err(Computed(size=n)):
            return n
        case Ok(v):
            return v


def numbers(r: Result[str, Literal[-1, 1]]) -> int:
    match r:
        case Err(-1):
            return -1
        case Err(1):
            return 1
        case Ok(v):
            return len(v)


def tuple_after_tuple(r: Result[int, tuple[str, int]]) -> str:
    match r:
        case Err((text, 1)):
            return text
        case Err((text, _)):
            return text
        case Ok(_):
            return ""


def bytes_and_list(r: Result[Literal[b"x"], list[int]]) -> int:
    match r:
        case Err([*numbers]):
            return len(numbers)
        case Ok(b"x"):
            return 1


def mapping_after_mapping(r: Result[int, dict[str, int]]) -> int:
    match r:
        case Err({"x": n}):
            return n
        case Err({"y": n}):
            return n
        case Err(_):
            return 0
        case Ok(v):
            return v


# Something is left out


def forgets_a_typed_dict(r: Result[int, Table | Lost]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Table)
        case Err({"first": n}):
            return len(str(n))
        case Err(Lost()):
            return 0
        case Ok(v):
            return v


def forgets_what_a_mapping_has_not(r: Result[int, dict[str, int]]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(dict)
        case Err({"x": n}):
            return n
        case Ok(v):
            return v


def forgets_numbers(r: Result[int, float]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(float)
        case Err(1.5):
            return 1
        case Ok(v):
            return v


class Empty(Enum):
    pass


def an_enum_without_members(r: Result[int, Empty | Color]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Empty)
        case Err(Color.RED | Color.BLUE):
            return 1
        case Ok(v):
            return v


class Odd(Enum):
    ONE = 1

    def __eq__(self, other: object) -> bool:
        return False


def an_enum_that_is_not_equal_to_itself(r: Result[int, Odd]) -> int:
    match r:  # E: unhandled-error Err(Odd)
        case Err(Odd.ONE):
            return 1
        case Ok(v):
            return v


def forgets_other_lengths(r: Result[int, list[int]]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(list)
        case Err([first, _]):
            return first
        case Ok(v):
            return v


def asks_for_more_than_there_is(r: Result[int, tuple[str, int]]) -> int:
    match r:  # E: unhandled-error Err(tuple[str, int])
        case Err((_, _, _, *_)):
            return 1  # E: unreachable
        case Ok(v):
            return v


def a_name_that_is_not_known(r: Result[int, Lost]) -> int:
    match r:  # E: unhandled-error Err(Lost)
        case Err(Lost(1)):  # E: misc
            return 1  # E: unreachable
        case Ok(v):
            return v


def forgets_err(r: Result[int, Lost]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Lost)
        case Ok(v):
            return v


def forgets_ok(r: Result[int, Lost]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Ok(int)
        case Err(_):
            return 1


def forgets_one(r: Result[int, Lost | Gone | Late]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Late)
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2
        case Ok(v):
            return v


def forgets_two(r: Result[int, Lost | Gone | Late]) -> None:
    match r:  # E: exhaustive-match, unhandled-error Err(Lost), Err(Late)
        case Err(Gone()):
            print()
        case Ok(_):
            pass


def a_guard_is_no_promise(r: Result[int, Lost], flag: bool) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Lost)
        case Err(Lost()) if flag:
            return 1
        case Ok(v):
            return v


def forgets_an_enum_member(r: Result[int, Color]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Color.BLUE)
        case Err(Color.RED):
            return 1
        case Ok(v):
            return v


def forgets_a_literal(r: Result[int, Word]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err('no port')
        case Err("no host"):
            return 1
        case Ok(v):
            return v


def forgets_a_boolean(r: Result[bool, Lost]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Ok(False)
        case Ok(True):
            return 1
        case Err(_):
            return 2


def forgets_none(r: Result[int, Lost] | None) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error None
        case Err(Lost()):
            return 1
        case Ok(v):
            return v


def forgets_inside(r: Result[Result[int, Lost], Gone]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Ok(Err(Lost))
        case Ok(Ok(v)):
            return v
        case Err(Gone()):
            return 2


def a_part_of_a_class(r: Result[int, Full]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Full)
        case Err(Full(3)):
            return 1
        case Ok(v):
            return v


def an_open_class(r: Result[int, Exception]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Exception)
        case Err(Lost()):
            return 1
        case Ok(v):
            return v


def a_literal_of_an_open_type(r: Result[int, str]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(str)
        case Err("no host"):
            return 1
        case Ok(v):
            return v


def any_error(r: Result[int, Any]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Any)
        case Err(Lost()):
            return 1
        case Ok(v):
            return v


def a_statement_that_forgets(r: Result[int, Lost]) -> None:
    match r:  # E: exhaustive-match, unhandled-error Err(Lost)
        case Ok(v):
            print(v)


# A handler for what cannot be there


def not_in_the_union(r: Result[int, Lost]) -> int:
    match r:
        case Err(Gone()):  # E: unreachable-handler
            return 1
        case Err(Lost()):
            return 2
        case Ok(v):
            return v


def taken_before(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case Err(Lost() | Gone()):  # E: unreachable-handler
            return 2
        case Ok(v):
            return v


def the_base_class_first(r: Result[int, Late]) -> int:
    match r:
        case Err(Late()):
            return 1
        case Err(TooLate()):  # E: unreachable, unreachable-handler
            return 2  # E: unreachable
        case Ok(v):
            return v


def not_in_ok(r: Result[Lost, int]) -> int:
    match r:
        case Ok(Gone()):  # E: unreachable-handler
            return 0
        case Ok(_):
            return 1
        case Err(e):
            return e


def taken_before_leaves_the_rest(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Err(Lost()):
            return 1
        case Err(Lost()):  # E: unreachable-handler
            return 2
        case Err(Gone()):
            return "x"  # E: return-value
        case Ok(v):
            return v


def a_literal_taken_before(r: Result[int, Word]) -> int:
    match r:
        case Err("no host"):
            return 1
        case Err("no host"):
            return 2
        case Err("no port"):
            return "x"  # E: return-value
        case Ok(v):
            return v


# A capture that has lost its type


def err_as(r: Result[int, Lost]) -> object:
    match r:
        case Err() as x:  # E: result-any
            return x
        case Ok(v):
            return v


def err_of_e_as(r: Result[int, Lost]) -> object:
    match r:
        case Err(_) as x:  # E: result-any
            return x
        case Ok() as y:  # E: result-any
            return y


def of_the_other_variant(r: Err[Lost]) -> object:
    match r:
        case Ok(Lost()) as y:  # E: unreachable
            return y  # E: unreachable
        case Err(e):
            return e


def the_subject_is_narrow(r: Result[int, Lost]) -> object:
    match r:
        case Err():
            assert_type(r, Err[Lost])
            return r
        case Ok():
            assert_type(r, Ok[int])
            return r


def any_that_was_asked_for(r: Result[int, Any]) -> object:
    match r:
        case Err() as x:
            return x
        case Ok(v):
            return v


def another_field_decides(r: Result[int, Lost | Gone]) -> int:  # E: return
    match r:  # E: exhaustive-match, unhandled-error Err(Lost)
        case Ok(v):
            return v
        case Err(Lost(), suppressed=(_,)):
            return 1
        case Err(Gone()):
            return 2


def another_field_takes_all(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Lost(), suppressed=_):
            return 1
        case Err(suppressed=(() as s) | s, error=Gone()):
            return len(s)


def only_another_field(r: Result[int, Lost]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(suppressed=tuple()):
            return 1


def only_another_field_that_takes_all(r: Result[int, Lost]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(suppressed=s):
            return len(s)


def another_field_and_then_all(r: Result[int, Lost | Gone]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Lost(), suppressed=(_,)):
            return 1
        case Err(Lost()):
            return 2
        case Err(Gone() as e):
            return len(e.args)


# Type variables that are bound to several errors


def a_bound_of_errors(r: Result[int, L]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Lost()):
            return 1
        case Err(Gone()):
            return 2


def one_of_a_bound_is_left_out(r: Result[int, L]) -> int:
    match r:  # E: exhaustive-match, unhandled-error leaves out Err(Gone):
        case Ok(v):
            return v
        case Err(Lost()):
            return 1
    return 2


def the_rest_of_a_bound(r: Result[int, L]) -> L | None:
    match r:
        case Ok(_):
            return None
        case Err(Lost()):
            return None
        case Err(e):
            gone: Gone = e
            print(gone)
            return e


def all_of_a_bound(r: Result[int, L]) -> L | None:
    match r:
        case Err(e):
            return e
        case Ok(_):
            return None


def one_of_a_bound_twice(r: Result[int, L]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Lost()):
            return 1
        case Err(Lost()):  # E: unreachable-handler was taken by an earlier case
            return 2
        case Err(Gone()):
            return 3


def none_of_a_bound(r: Result[int, L]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Late()):  # E: unreachable-handler this Result has Err(Lost), Err(Gone)
            return 1
        case Err(_):
            return 2


S = TypeVar("S", bound=Color)
D = TypeVar("D", bound=Denied | Full)


def a_bound_of_an_enum(r: Result[int, S]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Color.RED):
            return 1
        case Err(Color.BLUE):
            return 2


def a_member_of_a_bound_is_left_out(r: Result[int, S]) -> int:
    match r:  # E: exhaustive-match, unhandled-error leaves out Err(Color.BLUE):
        case Ok(v):
            return v
        case Err(Color.RED):
            return 1
    return 2


def the_fields_of_a_bound(r: Result[int, D]) -> int:
    match r:
        case Ok(v):
            return v
        case Err(Denied(user)):
            return len(user)
        case Err(Full(size=size)):
            return size


def a_field_of_a_bound_is_left_out(r: Result[int, D]) -> int:
    match r:  # E: exhaustive-match, unhandled-error leaves out Err(Full):
        case Ok(v):
            return v
        case Err(Denied(user)):
            return len(user)
        case Err(Full(limit=None)):
            return 1
    return 2


def several_are_left_of_a_bound(r: Result[int, M]) -> int:
    match r:  # E: exhaustive-match, unhandled-error leaves out Err(Gone), Err(Late):
        case Ok(v):
            return v
        case Err(Lost()):
            return 1
        case Err(e) if e.args:
            return 2
    return 3


M = TypeVar("M", bound=Lost | Gone | Late)
