"""A program under `run`, as a real process, and its parts that several tests use."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
# For programs that are cut off: coverage saves when `os._exit` is called, which takes many turns
# of the interpreter's lock and crashes when other threads are being traced.
UNMEASURED = {name: value for name, value in BUFFERED.items() if not name.startswith("COVERAGE_")}

PRELUDE = """
import atexit, faulthandler, os, pathlib, signal, subprocess, sys, threading, time
import warnings
from resultflow import *
from resultflow.errors import *

# CPython 3.12 warns of a fork beside any thread, and `run` has one, which holds no lock.
warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)

def say(*words):
    print(*words, flush=True)

def tell(value, exit):
    say("released", type(exit).__name__, getattr(exit, "signum", ""))

def told(name="value"):
    return Resource.make(lambda: Ok(name), tell)

def forever():
    while True:
        time.sleep(600)
"""


def script(folder: Path, main: str, ending: str) -> Path:
    """Write a program: the body of its `main`, and what follows that."""
    path = folder / "program.py"
    body = textwrap.indent(textwrap.dedent(main), "    ")
    path.write_text(f"{PRELUDE}\ndef main():\n{body}\n\n{textwrap.dedent(ending)}\n")
    return path


class Program:
    """A program under `run`, started and watched."""

    def __init__(
        self,
        folder: Path,
        main: str,
        ending: str,
        prefix: Sequence[str],
        environment: dict[str, str],
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(script(folder, main, ending))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.out = ""
        self.err = ""

    def read_line(self) -> str:
        """Wait for the program's next line."""
        assert self.process.stdout is not None
        line = str(self.process.stdout.readline())
        self.out += line
        return line.strip()

    def read_until(self, text: str) -> None:
        """Wait for a line of the program."""
        while self.read_line() != text:
            assert self.process.poll() is None, self.out

    def answer(self) -> None:
        """Let the program go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self, timeout: float = 60.0) -> int:
        """Wait for the program's end, and give its status."""
        out, err = self.process.communicate(timeout=timeout)
        self.out += out or ""
        self.err += err
        return int(self.process.returncode)
