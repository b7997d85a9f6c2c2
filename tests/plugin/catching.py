"""`catch` takes exactly what it catches out of the type."""

from typing import Any, Final, TypeAlias, assert_type

import base
from base import BOTH, Denied, Gone, Late, Lost, TooLate
from resultflow import Err, Ok, Result, safe

SLOW: Final = (Late, Gone)
SLOWER: Final = [Late]
Tardy: TypeAlias = Late
Either: TypeAlias = Late | Gone


class Kinds:
    Own = Late

    class Inner(Exception): ...

    all: Final = (Late, Gone)

    def caught(self, r: Result[int, Late | Gone]) -> None:
        assert_type(r.catch(self.Own, lambda e: 0), Ok[int] | Err[Late | Gone])
        assert_type(r.catch(self.all, lambda e: 0), Ok[int] | Err[Late | Gone])


class OtherKinds(Kinds):
    Own = TooLate


def one_of_two(r: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int] | Err[Gone])


def one_of_three(r: Result[int, Lost | Gone | Late]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int] | Err[Gone | Late])


def another_value(r: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch(Lost, lambda e: ""), Ok[int] | Ok[str] | Err[Gone])


def the_only_one(r: Result[int, Lost]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int])


def a_chain(r: Result[int, Lost | Gone | Late]) -> None:
    left = r.catch(Lost, lambda e: 0).catch(Gone, lambda e: 0)
    assert_type(left, Ok[int] | Err[Late])


def a_chain_to_the_end(r: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch(Lost, lambda e: 0).catch(Gone, lambda e: 0), Ok[int])


def a_tuple(r: Result[int, Lost | Gone | Late]) -> None:
    assert_type(r.catch((Lost, Gone), lambda e: 0), Ok[int] | Err[Late])


def the_handler_of_a_tuple_gets_the_union(r: Result[int, Lost | Gone | Late]) -> None:
    def handle(error: Lost | Gone) -> str:
        return str(error)

    r2 = r.catch((Lost, Gone), handle)
    assert_type(r2, Ok[int] | Ok[str] | Err[Late])
    r3 = r.catch((Lost, Gone), lambda e: assert_type(e, Lost | Gone))
    assert_type(r3, Ok[int] | Ok[Lost | Gone] | Err[Late])


def a_tuple_in_a_variable(r: Result[int, Lost | Gone | Late]) -> None:
    kinds = (Lost, Gone)
    assert_type(r.catch(kinds, lambda e: 0), Ok[int] | Err[Lost | Gone | Late])


def nothing_to_catch(r: Result[int, Lost]) -> None:
    assert_type(r.catch((), lambda e: 0), Ok[int] | Err[Lost])


def no_arguments(r: Result[int, Lost]) -> object:
    return r.catch()  # E: call-arg


def a_tuple_of_all(r: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch((Lost, Gone), lambda e: 0), Ok[int])


def a_base_class(r: Result[int, TooLate | Late | Gone]) -> None:
    assert_type(r.catch(Late, lambda e: 0), Ok[int] | Err[Gone])


def a_subclass(r: Result[int, Late | Gone]) -> None:
    assert_type(r.catch(TooLate, lambda e: 0), Ok[int] | Err[Late | Gone])


def exception(r: Result[int, Late | Gone | Denied]) -> None:
    assert_type(r.catch(Exception, lambda e: 0), Ok[int] | Err[Denied])


def an_attrs_error(r: Result[int, Denied | Gone]) -> None:
    assert_type(r.catch(Denied, lambda e: len(e.user)), Ok[int] | Err[Gone])


def distributed(r: Ok[int] | Err[Lost] | Err[Gone]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int] | Err[Gone])


def of_an_err(r: Err[Lost | Gone]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int] | Err[Gone])


def of_an_ok(r: Ok[int]) -> Ok[int]:
    return r.catch(Lost, lambda e: 0)  # E: unreachable-handler


def the_handler_gets_it(r: Result[int, Lost | Gone]) -> None:
    def handle(error: Lost) -> int:
        return len(error.args)

    assert_type(r.catch(Lost, handle), Ok[int] | Err[Gone])


def the_wrong_handler(r: Result[int, Lost | Gone]) -> Result[int, Gone]:
    def handle(error: Gone) -> int:
        return len(error.args)

    return r.catch(Lost, handle)  # E: arg-type


def a_variable_may_be_a_subclass(r: Result[int, Late | Gone], kind: type[Late]) -> None:
    assert_type(r.catch(kind, lambda e: 0), Ok[int] | Err[Late | Gone])


def a_variable_in_a_tuple(r: Result[int, Late | Gone], kind: type[Late]) -> None:
    assert_type(r.catch((Gone, kind), lambda e: 0), Ok[int] | Err[Late | Gone])


def any_error(r: Result[int, Any]) -> None:
    assert_type(r.catch(Lost, lambda e: 0), Ok[int] | Err[Any])


def still_to_be_handled(r: Result[int, Lost | Gone]) -> int:  # E: return
    match r.catch(Lost, lambda e: 0):  # E: exhaustive-match, unhandled-error Err(Gone)
        case Ok(v):
            return v


def all_handled(r: Result[int, Lost | Gone | Late]) -> int:
    match r.catch((Lost, Gone, Late), lambda e: 0):
        case Ok(v):
            return v


def not_there(r: Result[int, Lost | Gone]) -> Result[int, Lost | Gone]:
    return r.catch(Denied, lambda e: 0)  # E: unreachable-handler


def not_there_any_more(r: Result[int, Lost | Gone]) -> Result[int, Gone]:
    return r.catch(Lost, lambda e: 0).catch(Lost, lambda e: 1)  # E: unreachable-handler


def one_of_a_tuple_is_not_there(r: Result[int, Lost | Gone]) -> Result[int, Gone]:
    return r.catch((Lost, Denied), lambda e: 0)  # E: unreachable-handler


def there_in_a_part_only(r: Ok[int] | Err[Lost] | Err[Gone]) -> Result[int, Lost]:
    return r.catch(Gone, lambda e: 0)


def the_wrong_rest(r: Result[int, Lost | Gone]) -> Result[int, Lost]:
    return r.catch(Lost, lambda e: 0)  # E: return-value


def a_variable_that_is_set_twice(r: Result[int, Late | Gone], flag: bool) -> None:
    kind = Late
    if flag:
        kind = TooLate
    assert_type(r.catch(kind, lambda e: 0), Ok[int] | Err[Late | Gone])
    assert_type(r.catch((kind, Gone), lambda e: 0), Ok[int] | Err[Late | Gone])


def a_choice(r: Result[int, Late | Gone], flag: bool) -> None:
    assert_type(r.catch(Late if flag else TooLate, lambda e: 0), Ok[int] | Err[Late | Gone])


def an_item(r: Result[int, Late | Gone]) -> None:
    kinds = [Late, TooLate]
    assert_type(r.catch(kinds[0], lambda e: 0), Ok[int] | Err[Late | Gone])


def an_attribute(r: Result[int, Late | Gone], kinds: Kinds) -> None:
    assert_type(r.catch(kinds.Own, lambda e: 0), Ok[int] | Err[Late | Gone])


def an_attribute_of_a_class(r: Result[int, Late | Gone]) -> None:
    assert_type(r.catch(Kinds.Own, lambda e: 0), Ok[int] | Err[Late | Gone])


def a_class_in_a_class(r: Result[int, Kinds.Inner | Gone]) -> None:
    assert_type(r.catch(Kinds.Inner, lambda e: 0), Ok[int] | Err[Gone])


def a_class_of_a_module(r: Result[int, Late | Gone]) -> None:
    assert_type(r.catch(base.Late, lambda e: 0), Ok[int] | Err[Gone])


def an_alias(r: Result[int, Late | Gone]) -> None:
    assert_type(r.catch(Tardy, lambda e: 0), Ok[int] | Err[Gone])


def a_final_name(r: Result[int, Late | Gone | Lost], flag: bool) -> None:
    assert_type(r.catch(SLOW, lambda e: 0), Ok[int] | Err[Lost])
    mine: Final = Lost if flag else Gone
    r.catch(mine, lambda e: 0)  # E: unused-result
    assert_type(r.catch(SLOWER[0], lambda e: 0), Ok[int] | Err[Late | Gone | Lost])


def a_final_name_of_another_module(r: Result[int, Lost | Gone]) -> None:
    assert_type(r.catch(BOTH, lambda e: 0), Ok[int] | Err[Lost | Gone])


def a_choice_that_is_not_there(r: Result[int, Gone], flag: bool) -> Result[int, Gone]:
    return r.catch(Late if flag else TooLate, lambda e: 0)


def safe_keeps_what_a_name_may_hold(flag: bool) -> None:
    kind = Late if flag else TooLate
    assert_type(safe(kind)(len)(""), Ok[int] | Err[Late])
    assert_type(safe(Lost, Gone)(len)(""), Ok[int] | Err[Lost | Gone])
    assert_type(safe(*(Lost, Gone))(len)(""), Ok[int] | Err[Lost | Gone])
