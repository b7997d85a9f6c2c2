"""Failures that are turned into successes, and failures that may be forgotten."""

import argparse
import contextlib
import logging
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Literal, NoReturn

from base import Color, Denied, Gone, Lost, fetch, load
from resultflow import Bind, Err, Ok, Result, aio, do, ignore, safe

log = logging.getLogger(__name__)


def work() -> int:
    return 1


def stop(reason: str) -> NoReturn:
    raise SystemExit(reason)


# except Exception: log


def logs() -> Result[int, Lost]:
    try:
        work()
    except Exception:  # E: silent-catch from line 30 on looks like success
        log.exception("no work")
    return Ok(1)


def passes() -> Result[int, Lost]:
    try:
        work()
    except Exception:  # E: silent-catch
        pass
    return Ok(1)


def dots() -> Result[int, Lost]:
    try:
        work()
    except Exception:  # E: silent-catch
        """It does not matter."""
        ...
    return Ok(1)


def bare() -> Result[int, Lost]:
    try:
        work()
    except:
        pass  # E: silent-catch
    return Ok(1)


def base_exception() -> Result[int, Lost]:
    try:
        work()
    except BaseException as exc:  # E: silent-catch
        print(exc)
        traceback.print_exc()
    return Ok(1)


def among_others() -> Result[int, Lost]:
    try:
        work()
    except (OSError, Exception):  # E: silent-catch
        pass
    return Ok(1)


def after_another() -> Result[int, Lost]:
    try:
        work()
    except OSError:
        return Err(Lost())
    except Exception:  # E: silent-catch
        log.error("no work")
    return Ok(1)


def returns_an_ok() -> Result[int, Lost]:
    try:
        return Ok(work())
    except Exception as exc:  # E: silent-catch an Ok follows in line 93
        log.warning("no work: %s", exc)
        return Ok(0)


def suppresses() -> Result[int, Lost]:
    with suppress(Exception):  # E: silent-catch
        work()
    return Ok(1)


def suppresses_all() -> Result[int, Lost]:
    with contextlib.suppress(OSError, BaseException), open("x") as file:  # E: silent-catch
        file.read()
    return Ok(1)


def in_a_loop(many: list[int]) -> Result[int, Lost]:
    for one in many:
        try:
            print(work() + one)
        except Exception:  # E: silent-catch
            log.exception("one of them")
    return Ok(len(many))


def goes_on_with_the_next(many: list[int]) -> Result[int, Lost]:
    for one in many:
        try:
            print(work() + one)
        except Exception:  # E: silent-catch
            log.exception("one of them")
            continue
        if one > 1:
            return Err(Lost())
    else:
        print("all")
    return Ok(len(many))


def stops_at_the_first(many: list[int]) -> Result[int, Lost]:
    while many:
        try:
            print(work() + many.pop())
        except Exception:  # E: silent-catch
            break
        return Err(Lost())
    return Ok(len(many))


def in_an_if(flag: bool) -> Result[int, Lost]:
    if flag:
        try:
            work()
        except Exception:  # E: silent-catch
            pass
    elif work():
        return Err(Lost())
    return Ok(1)


def in_a_match(number: int) -> Result[int, Lost]:
    match number:
        case 1:
            try:
                work()
            except Exception:  # E: silent-catch
                pass
        case _:
            return Err(Lost())
    return Ok(1)


def in_a_with() -> Result[int, Lost]:
    with contextlib.nullcontext():
        try:
            work()
        except Exception:  # E: silent-catch
            pass
        return Ok(1)


def in_a_try() -> Result[int, Lost]:
    try:
        try:
            work()
        except Exception:  # E: silent-catch
            pass
    except OSError:
        return Err(Lost())
    else:
        print("fine")
    finally:
        print("done")
    return Ok(1)


def in_a_handler() -> Result[int, Lost]:
    try:
        work()
    except OSError:
        try:
            work()
        except Exception:  # E: silent-catch
            pass
    else:
        try:
            work()
        except Exception:  # E: silent-catch
            pass
    return Ok(1)


def before_a_choice(flag: bool) -> Result[int, Lost]:
    try:
        work()
    except Exception:  # E: silent-catch
        pass
    if flag:
        return Ok(1)
    for _ in range(3):
        print(flag)
    return Ok(2)


def a_function_below() -> Result[int, Lost]:
    try:
        work()
    except Exception:  # E: silent-catch
        pass

    def raises() -> NoReturn:
        raise OSError

    class Raises:
        def raises(self) -> NoReturn:
            raise OSError

    print(raises, Raises)
    return Ok(1)


async def awaits() -> Result[int, Lost]:
    try:
        print(await fetch())
    except Exception:  # E: silent-catch
        log.exception("not fetched")
    return Ok(1)


class Keeper:
    def method(self) -> Result[None, Lost]:
        try:
            work()
        except Exception:  # E: silent-catch
            log.exception("no work")
        return Ok(None)


@do
def in_a_do_block(bind: Bind[Lost], flag: bool) -> int:
    if flag:
        try:
            work()
        except Exception:  # E: silent-catch an Ok follows in line 257
            log.exception("no work")
    return bind(load())


@safe(OSError)
def in_a_safe_function() -> None:
    try:
        work()
    except Exception:  # E: silent-catch the function goes on to its end
        log.exception("no work")


@aio.safe(OSError)
async def in_an_async_safe_function() -> int:
    try:
        return work()
    except Exception:  # E: silent-catch
        return 0


# Right


def returns_an_err() -> Result[int, Lost]:
    try:
        return Ok(work())
    except Exception:
        log.exception("no work")
        return Err(Lost())


def an_err_follows() -> Result[int, Lost]:
    try:
        return Ok(work())
    except Exception:
        log.exception("no work")
    return Err(Lost())


def tries_again() -> Result[int, Lost]:
    for _ in range(3):
        try:
            return Ok(work())
        except Exception:
            log.exception("once more")
    return Err(Lost())


def tries_for_ever() -> Result[int, Lost]:
    while True:
        try:
            return Ok(work())
        except Exception:
            log.exception("once more")


def one_exception() -> Result[int, Lost]:
    try:
        work()
    except FileNotFoundError:
        log.info("nothing to do")
    with suppress(FileNotFoundError):
        work()
    return Ok(1)


def raises_again() -> Result[int, Lost]:
    try:
        work()
    except Exception:
        log.exception("no work")
        raise
    return Ok(1)


def keeps_it() -> Result[list[Exception], Lost]:
    failures: list[Exception] = []
    try:
        work()
    except Exception as exc:
        failures.append(exc)
    return Ok(failures)


def returns_it() -> Result[Exception | int, Lost]:
    try:
        return Ok(work())
    except Exception as exc:
        return Ok(exc)


def notes_it() -> Result[bool, Lost]:
    is_fine = True
    try:
        work()
    except Exception:
        is_fine = False
    return Ok(is_fine)


def notes_the_success() -> Result[bool, Lost]:
    is_fine = False
    count = 0
    try:
        for _ in range(work()):
            count += 1
        if (done := work()) > 1:
            is_fine = done > 1
    except Exception:
        log.exception("no work")
    return Ok(is_fine)


def raises_if_it_is_not_there() -> Result[int, Lost]:
    try:
        work()
    except Exception:
        log.exception("no work")
    if work():
        raise ValueError("nothing")
    return Ok(1)


def ends_the_program(parser: argparse.ArgumentParser) -> Result[int, Lost]:
    try:
        work()
    except Exception:
        parser.error("no work")
    return Ok(1)


def calls_a_handler() -> Result[int, Lost]:
    try:
        work()
    except Exception:
        stop("no work")
    return Ok(1)


def asserts_in_the_handler(flag: bool) -> Result[int, Lost]:
    try:
        work()
    except Exception:
        assert flag
        flag
    return Ok(1)


def in_a_finally() -> Result[int, Lost]:
    try:
        return Ok(work())
    finally:
        try:
            work()
        except Exception:
            log.exception("not cleaned up")


def around_no_call(flag: bool) -> Result[int, Lost]:
    try:
        flag = not flag
    except Exception:
        pass
    return Ok(1)


def returns_what_another_gives() -> Result[int, Lost]:
    try:
        work()
    except Exception:
        log.exception("no work")
    return load()


def returns_no_result() -> int:
    try:
        work()
    except Exception:
        log.exception("no work")
    return 1


def generates() -> Generator[Result[int, Lost]]:
    try:
        work()
    except Exception:
        log.exception("no work")
    yield Ok(1)


def gathered(f: Callable[[], Generator[int]]) -> Callable[[], Result[list[int], Lost]]:
    return lambda: Ok(list(f()))


@gathered
def generates_for_another() -> Generator[int]:
    try:
        work()
    except Exception:
        log.exception("no work")
    yield 1


@safe(OSError)
def generates_nothing(flag: bool) -> int:
    try:
        work()
    except Exception:
        log.exception("no work")
        flag = False
    return flag


# map_err


def maps_to_a_constant() -> Result[int, str]:
    return load().map_err(lambda _: "lost")  # E: silent-catch


def forgets(error: Lost) -> Denied:
    return Denied("nobody")


def maps_by_a_function() -> Result[int, Denied]:
    return load().map_err(forgets)  # E: silent-catch


def maps_an_enum(r: Result[int, Color]) -> Result[int, Denied]:
    return r.map_err(lambda color: Denied("nobody"))  # E: silent-catch


def keeps(error: Lost) -> Denied:
    return Denied(str(error))


def maps_and_keeps(r: Result[int, Lost]) -> Result[int, Denied]:
    return r.map_err(keeps).map_err(lambda denied: Denied(denied.user)).map_err(type(Denied("")))


def maps_by_a_class() -> Result[int, Gone]:
    return load().map_err(Gone)


def maps_nothing(r: Result[int, None], one: Result[int, Literal["x"]]) -> Result[int, str]:
    return r.map_err(lambda _: "nothing").and_then(lambda _: one.map_err(lambda _: "one"))


def maps_an_ok() -> Result[int, str]:
    return Ok(1).map_err(lambda _: "never")


def maps_many(many: map[int]) -> object:
    return [one for one in many]


# ok()


def throws_it_away() -> None:
    load().ok()  # E: silent-catch ok() silences the failure


async def throws_it_away_later() -> None:
    (await fetch()).err()  # E: silent-catch err() silences


def takes_nothing(r: Result[int, Lost]) -> None:
    r.unwrap_or(0)  # E: silent-catch
    r.is_ok()  # E: silent-catch


def hides_it() -> Result[int | None, Lost]:
    return Ok(load().ok())  # E: silent-catch an Ok of None


def takes_it() -> int:
    found = load().ok()
    return found or load().unwrap_or(0)


def ignores_it() -> None:
    ignore(load(), reason="it does not matter")


def handles_it(r: Result[int, Lost]) -> None:
    r.map_or_else(print, print)
    r.or_raise()
