"""Programs that are started, watched, and gone when their test is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.process.programs import BUFFERED, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def environment() -> dict[str, str]:
    """Give programs the environment of the tests."""
    return BUFFERED


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Program]]:
    """Start programs; none outlives the test."""
    programs: list[Program] = []

    def begin(main: str, ending: str = "run(main)", prefix: Sequence[str] = ()) -> Program:
        programs.append(Program(tmp_path, main, ending, prefix, environment))
        return programs[-1]

    yield begin
    for program in programs:
        program.process.kill()
        program.process.communicate()
