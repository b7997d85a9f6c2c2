from argparse import Namespace
from collections.abc import Callable
from io import TextIOWrapper
from types import FrameType
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[[Namespace], object])

def action_cli(func: None = None, check_db: bool = True) -> Callable[[_F], _F]: ...
def process_subdir(subdir: str | None) -> str | None: ...
def setup_locations(
    process: str,
    pid: str | None = None,
    stdout: str | None = None,
    stderr: str | None = None,
    log: str | None = None,
) -> tuple[str, str, str, str]: ...
def setup_logging(filename: str) -> TextIOWrapper: ...
def sigquit_handler(sig: int, frame: FrameType | None) -> None: ...
