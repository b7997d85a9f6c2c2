"""`notify_ready`: the service manager hears when the program serves, and when it stops."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.process.programs import BUFFERED, script

from resultflow import notify_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    Popen: TypeAlias = Callable[[str, str], subprocess.Popen[str]]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen as systemd does, under both kinds of address."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@resultflow-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        listener.settimeout(20.0)
        yield listener, address


def assert_silent(listener: socket.socket) -> None:
    """See that nothing more has come; whoever could send has ended."""
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.recv(100)


@pytest.fixture
def popen(tmp_path: Path) -> Iterator[Popen]:
    """Start programs under a service manager; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(main: str, address: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, str(script(tmp_path, main, "run(main)"))],
                env={**BUFFERED, "NOTIFY_SOCKET": address},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_ready_and_stopping_are_told(manager: tuple[socket.socket, str], popen: Popen) -> None:
    """READY comes when the program says so, STOPPING when its end begins, and nothing else."""
    listener, address = manager
    process = popen("notify_ready()\nreturn told().use(lambda _: (say('up'), forever()))", address)
    assert listener.recv(100) == b"READY=1"
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert listener.recv(100) == b"STOPPING=1"
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-signal.SIGTERM, "")
    assert_silent(listener)


def test_a_program_that_says_nothing_sends_nothing(
    manager: tuple[socket.socket, str], popen: Popen
) -> None:
    """A child that inherits the address, or a program with its own notifier, is not spoken for."""
    listener, address = manager
    process = popen("return Ok(say(os.environ['NOTIFY_SOCKET']))", address)
    assert process.communicate(timeout=60) == (f"{address}\n", "")
    assert_silent(listener)


def test_children_do_not_speak_for_their_parent(
    manager: tuple[socket.socket, str], popen: Popen
) -> None:
    """After READY children find no address, and a forked one has no word in its parent's name."""
    listener, address = manager
    process = popen(
        """
        notify_ready()
        if os.fork() == 0:
            notify_ready()
            os._exit(0)
        os.wait()
        return Ok(say(os.environ.get('NOTIFY_SOCKET')))
        """,
        address,
    )
    assert process.communicate(timeout=60) == ("None\n", "")
    assert [listener.recv(100), listener.recv(100)] == [b"READY=1", b"STOPPING=1"]
    assert_silent(listener)


@pytest.mark.parametrize("address", ["nonsense", "/no/such/socket", "/" + "x" * 200, "vsock:2:1"])
def test_an_address_that_is_none_is_told_once(popen: Popen, address: str) -> None:
    """It is one line on standard error, and the program runs on."""
    process = popen("notify_ready()\nnotify_ready()\nreturn Ok(None)", address)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    [line] = err.splitlines()
    assert line.startswith(f"resultflow: NOTIFY_SOCKET={address!r} cannot be told READY=1: ")


def test_a_manager_that_does_not_read_blocks_nobody(
    manager: tuple[socket.socket, str], popen: Popen
) -> None:
    """When its queue is full the message is lost, with a line, and the program runs on."""
    _, address = manager
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.settimeout(0)
        other.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.send(b"x")
    process = popen("notify_ready()\nreturn Ok(None)", address)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "cannot be told READY=1" in err


def test_without_a_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program may always say that it is ready."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_ready()
    assert capfd.readouterr() == ("", "")
