"""Tests may unwrap."""

from base import load


def test_load() -> None:
    assert load().unwrap() == 1
