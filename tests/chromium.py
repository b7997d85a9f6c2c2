"""A headless Chromium, spoken to through its DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

# The browser reads commands from descriptor 3 and writes answers to 4.
_SHELL = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
_CODES = {
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "ArrowUp": 38,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "Tab": 9,
    " ": 32,
}


class Browser:
    """One tab; `errors` has what it logs and its scripts throw, `requests` what it asks for."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._asked = 0
        self._read = b""
        self._session: str | None = None
        self._events: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and give its answer."""
        self._asked += 1
        message: dict[str, object] = {"id": self._asked, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result
            self._keep(answer)

    def _next(self, seconds: float = 60.0) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        end = time.monotonic() + seconds
        while b"\0" not in self._read:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the browser was silent for {seconds} s"
            read = os.read(descriptor, 1 << 20)
            assert read, "the browser is gone"
            self._read += read
        message, _, self._read = self._read.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told

    def _keep(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        self._events.append(event.get("method", ""))
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif event.get("method") == "Runtime.consoleAPICalled":
            self.errors.append(json.dumps(params["args"]))
        elif event.get("method") == "Log.entryAdded":
            self.errors.append(params["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(
        self, file: Path, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> None:
        """Load a file into a window of some size."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.prefer("dark" if dark else "light")
        self._events.clear()
        self.ask("Page.navigate", url=file.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._keep(self._next())

    def prefer(self, scheme: str) -> None:
        """Have the system ask for light or dark pages."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def settle(self) -> None:
        """Wait until the page was shown: what the system tells it comes with a frame."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """Give the value of a JavaScript expression."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def seconds_of(self, script: str) -> float:
        """Give the time on the processor that the page takes for a script, and for showing it."""
        self.ask("Performance.enable", timeDomain="threadTicks")
        before = self._busy()
        self.run(script)
        taken = self._busy() - before
        self.ask("Performance.disable")
        return taken

    def _busy(self) -> float:
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code = _CODES.get(key, 0)
            told: dict[str, object] = {"key": key, "windowsVirtualKeyCode": code}
            if len(key) == 1:
                told["text"] = key
            elif key == "Enter":
                told["text"] = "\r"
            self.ask("Input.dispatchKeyEvent", type="keyDown", **told)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def type(self, text: str) -> None:
        """Type a text."""
        self.press(*text)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element, whatever lies on top of it."""
        x, y = self.run(f"""(() => {{
            const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """Send one event of the mouse."""
        held = {"button": "left", "buttons": 1, "clickCount": 1} | more
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **held)

    def picture(self, file: Path) -> None:
        """Save what is seen as a PNG."""
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))


@contextmanager
def browser() -> Generator[Browser]:
    """Start a browser with a profile of its own, and end it."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *("sh", "-c", _SHELL, "sh", CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--hide-scrollbars"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield Browser(process)
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
