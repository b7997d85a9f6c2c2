"""The tutorial, taken as a learner takes it: in a terminal, page by page, in one folder.

What a page says in the paragraph before a block is what is done with the block:

* "Save as `name`" writes a file, "Add to the end of `name`" extends it. "Change `name`" applies a
  diff, whose hunks are parted by empty lines. After "Now `name` is" the file must be that already.
* A console's commands are typed, one after the other, and what each shows must be as told, where
  `...` stands for anything. "Second terminal" says where. Of a command to "leave it running" the
  beginning is told; a block that begins with output tells the end, and a `^C` in it is pressed.
  "A moment later" a command is typed again and again until it shows what is told.
* `<!-- not run: why -->` leaves a block out.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from doctest import ELLIPSIS, OutputChecker
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import define, field, frozen
from tests.children import until

from scheduler_job.observe import MARKER, kill_all, processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

PAGES: Final = sorted((Path(__file__).parents[1] / "docs" / "tutorial").glob("[0-9]-*.md"))
PORT: Final = "8765"
"""The port that the pages name; the test takes a free one for it."""

BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"(?P<verb>[Ss]ave as|Change|Add to the end of|Now) `(?P<name>[\w./-]+)`")
CTRL_C: Final = "^C"
PROMPT: Final = "<ready> "
WITHIN: Final = 60.0


class Terminal:
    """A shell in a terminal of its own: what is typed and shown there is real, Ctrl-C too."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._end, other = os.openpty()
        os.set_blocking(self._end, False)
        # A session of its own, whose terminal this is: that is what makes Ctrl-C a signal.
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env={**environment, "PS1": PROMPT, "TERM": "dumb", "HISTFILE": ""},
        )
        os.close(other)
        self._output = bytearray()
        self._await_prompt()

    @property
    def pid(self) -> int:
        """The shell's process."""
        return self._shell.pid

    def start(self, command: str) -> None:
        """Type a command."""
        self._await_prompt()
        self._output.clear()
        os.write(self._end, f"{command}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, as somebody does who has seen that nothing moves any more."""
        until(self._is_quiet, "all that runs waits for something", WITHIN)
        os.write(self._end, b"\x03")

    def finish(self) -> str:
        """Wait until all that the command has started has ended, and give what was shown."""
        self._await_prompt()
        return self.shown().replace(PROMPT, "")

    def shown(self) -> str:
        """Give what the command has shown so far, without the line that was typed."""
        return self._read().partition("\n")[2]

    def close(self) -> None:
        """Close the window."""
        os.close(self._end)
        self._shell.wait(WITHIN)

    def _await_prompt(self) -> None:
        try:
            until(self._is_idle, "a prompt, and nothing that runs", WITHIN)
        except AssertionError as exc:
            exc.add_note(f"the terminal shows:\n{self._read()}")
            raise

    def _read(self) -> str:
        try:
            while some := os.read(self._end, 65536):
                self._output += some
        except BlockingIOError:
            pass
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    def _is_idle(self) -> bool:
        # A child that outlives the program may write behind the prompt.
        return PROMPT in self._read() and list(self._states()) == [(self.pid, "S")]

    def _is_quiet(self) -> bool:
        # CPython prints and forgets what a signal's handler raises in a process that has just
        # been forked, or that is about to end.
        group = os.tcgetpgrp(self._end)
        return {state for leader, state in self._states() if leader == group} == {"S"}

    def _states(self) -> Iterator[tuple[int, str]]:
        """Give group and state of each live process of the session, the shell's own too."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it may have ended
                state, _, group, session, *_ = stat.read_text().rpartition(")")[2].split()
                if int(session) == self.pid and state != "Z":
                    yield int(group), state


def is_as_told(told: str, shown: str) -> bool:
    """Compare what a page tells with what is shown, where `...` stands for anything."""
    # A shell goes to a new line when Ctrl-C has ended a program.
    return OutputChecker().check_output(told.rstrip(), shown.rstrip(), ELLIPSIS)


@frozen
class Step:
    """One block of a page, with the paragraph that leads to it."""

    lead: str
    kind: str
    text: str


def steps_of(page: Path, port: str) -> list[Step]:
    """Read the blocks of a page."""
    text = page.read_text(encoding="utf-8").replace(PORT, port)
    return [
        Step(text[: block.start()].rstrip().rpartition("\n\n")[2], **block.groupdict())
        for block in BLOCK.finditer(text)
    ]


@define
class Learner:
    """Does what the pages say."""

    folder: Path
    environment: Mapping[str, str]
    port: str
    terminals: dict[str, Terminal] = field(factory=dict[str, Terminal])
    done: list[Path] = field(factory=list[Path])

    def learn(self, page: Path) -> None:
        """Take a page, after those before it."""
        for each in PAGES[: PAGES.index(page) + 1]:
            if each not in self.done:
                self.done.append(each)
                for step in steps_of(each, self.port):
                    self.take(step)

    def take(self, step: Step) -> None:
        """Take a step: type what a console shows, or save a file."""
        lead = " ".join(step.lead.split())
        if lead.startswith("<!-- not run"):
            return
        if step.kind == "console":
            which = "second" if "second terminal" in lead.lower() else "first"
            if which not in self.terminals:
                self.terminals[which] = Terminal(self.folder, self.environment)
            self.type(self.terminals[which], step.text, lead)
        else:
            named = FILE.findall(lead)
            assert named, f"what is to be done with this?\n{step}"
            verb, name = named[-1]
            self.save(verb.lower(), self.folder / name, step.text)

    def type(self, terminal: Terminal, console: str, lead: str) -> None:
        """Type commands and hold what they show against what is told."""
        goes_on, *commands = re.split(r"^\$ ", console, flags=re.MULTILINE)
        if goes_on:
            end(terminal, f"...{goes_on}")
        for command in commands:
            typed, _, told = command.partition("\n")
            terminal.start(typed)
            if "leave it running" in lead:
                await_shown(terminal, told)
            elif "moment later" in lead:
                shows = partial(again, terminal, typed, told)
                until(shows, f"{typed!r} shows {told!r}", WITHIN)
            else:
                end(terminal, told)

    def save(self, verb: str, path: Path, text: str) -> None:
        """Save, extend or change a file, or see that it is what the page says it is."""
        if verb == "save as":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        before = path.read_text(encoding="utf-8")
        if verb == "now":
            assert before == text
        elif verb == "change":
            path.write_text(changed(before, text), encoding="utf-8")
        else:
            path.write_text(f"{before}\n\n{text}", encoding="utf-8")

    def left(self) -> set[int]:
        """Give the processes of the learner, without the shells."""
        shells = {terminal.pid for terminal in self.terminals.values()}
        return set(processes(self.folder.name)) - shells


def await_shown(terminal: Terminal, told: str) -> None:
    """Wait until a command that goes on has shown what is told."""
    told = f"{told.rstrip()}..."
    until(lambda: is_as_told(told, terminal.shown()), f"it shows {told!r}", WITHIN)


def again(terminal: Terminal, command: str, told: str) -> bool:
    """Look at what a command has shown, and type it anew if it is too early for it."""
    if is_as_told(told, terminal.finish()):
        return True
    terminal.start(command)
    return False


def end(terminal: Terminal, told: str) -> None:
    """Let a command end, by Ctrl-C where the page shows one."""
    before, ctrl_c, _ = told.partition(CTRL_C)
    if ctrl_c:
        await_shown(terminal, before)
        terminal.interrupt()
    shown = terminal.finish()
    assert is_as_told(told, shown), f"told:\n{told}\nshown:\n{shown}"


def changed(text: str, diff: str) -> str:
    """Apply a diff, whose hunks are parted by empty lines; each must fit one place only."""
    for hunk in diff.split("\n\n"):
        old, new = (
            "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in kept)
            for kept in (" -", " +")
        )
        assert text.count(old) == 1, f"where is this?\n{old}"
        text = text.replace(old, new)
    return text


def unused_port() -> str:
    """Find a port that nobody listens on, and that the system gives to nobody who asks for any."""
    for port in range(20_000 + os.getpid() % 10_000, 32_768):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return str(port)
    raise AssertionError("all ports are taken")


def test_a_command_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    """What a child writes behind the next prompt is shown, and does not hide that prompt."""
    terminal = Terminal(tmp_path, {"PATH": os.environ["PATH"]})
    try:
        terminal.start("sh -c '(sleep 0.2; echo late) & echo early'")
        assert terminal.finish().split() == ["early", "late"]
    finally:
        terminal.close()


@pytest.fixture(scope="module")
def learner(unmeasured: dict[str, str]) -> Iterator[Learner]:
    """Give a learner with a folder and the tools; clear away what a failed page left running."""
    # Not pytest's folder: the path of supervisord's socket may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        folder = Path(name).resolve()
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**unmeasured, "PATH": tools, MARKER: folder.name, "PYTHON_COLORS": "0"}
        learner = Learner(folder, environment, unused_port())
        try:
            yield learner
        finally:
            for terminal in learner.terminals.values():
                terminal.close()
            kill_all(folder.name, within=WITHIN)


def test_there_are_four_pages() -> None:
    """The pages are found, in the order in which they are read."""
    assert [page.name[0] for page in PAGES] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_is_what_a_learner_sees(learner: Learner, page: Path) -> None:
    """Each file can be saved, each command shows what is told, and nothing is left running."""
    learner.learn(page)
    until(lambda: not learner.left(), "all processes that the page started have ended")
