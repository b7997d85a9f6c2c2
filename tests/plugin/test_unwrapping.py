"""Tests may unwrap."""

from base import Lost, load
from resultflow import Ok, Result


def test_load() -> None:
    assert load().unwrap() == 1


def test_what_is_lost() -> None:
    load().ok()
    assert load().map_err(lambda _: 1) == Ok(1)


def swallows() -> Result[int, Lost]:
    try:
        print("work")
    except Exception:
        pass
    return Ok(1)
