"""Chromium without a window, driven over its DevTools protocol: pages as people see them, on loopback alone."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.support.patience import PATIENCE_S
from tests.support.processes import end_groups

__all__ = ["CHROMIUM", "MISSING", "Browser", "Tab"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""Path of the program; None where it is not installed (Debian: chromium)."""
MISSING = "chromium is not installed (Debian: apt-get install --no-install-recommends chromium)"

_ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-port=0",
    # No name leads anywhere but to this machine, and nothing is looked up that a page did not ask for.
    "--host-resolver-rules=MAP localhost 127.0.0.1, MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-dev-shm-usage",  # /dev/shm of a container is small
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--password-store=basic",
)
_AS_ROOT = "--no-sandbox"  # its own sandbox refuses root, as whom CI runs
_START_S = 4 * PATIENCE_S


class Browser:
    """One chromium with a fresh profile in `folder`. Use it as a context; for one thread at a time.

    with Browser(tmp_path) as browser:
        tab = browser.open("http://127.0.0.1:8000/")
        assert tab.evaluate("document.title") == "A page"
        assert not tab.errors
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "chromium"
        self._loop = asyncio.new_event_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._asked = 0
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Self:
        assert CHROMIUM is not None, MISSING
        self._folder.mkdir(parents=True)
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def open(self, url: str) -> "Tab":
        """Open a tab and wait until it has loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.ask(f"{domain}.enable")
        tab.go(url)
        return tab

    def close(self) -> None:
        """End the browser with all of its processes."""
        if self._socket is not None:
            with contextlib.suppress(OSError, aiohttp.ClientError):
                self._run(self._socket.close())
        if self._session is not None:
            self._run(self._session.close())
        self._run(asyncio.sleep(0))
        self._loop.close()
        if self._process is not None:
            end_groups([self._process])

    def ask(self, method: str, session: str = "", **parameters: Any) -> Any:
        """Send one command and return its result; events that come meanwhile go to their tabs."""
        return self._run(asyncio.wait_for(self._ask(method, session, parameters), _START_S))

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    def _start(self) -> None:
        log = self._folder / "log"
        profile = self._folder / "profile"
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    *(str(CHROMIUM), *_ARGUMENTS, f"--user-data-dir={profile}"),
                    *([_AS_ROOT] if os.geteuid() == 0 else []),
                    "about:blank",
                ],
                env=os.environ | {"HOME": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        where = profile / "DevToolsActivePort"
        deadline = time.monotonic() + _START_S
        while not (lines := where.read_text().split() if where.exists() else []) or len(lines) < 2:
            said_last = log.read_text("utf-8", "replace")[-2000:]
            assert self._process.poll() is None, f"chromium ended at its start: {said_last}"
            assert time.monotonic() < deadline, f"chromium did not start: {said_last}"
            time.sleep(0.02)
        self._run(self._connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}"))

    async def _connect(self, address: str) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(address, max_msg_size=0, autoping=True)

    async def _ask(self, method: str, session: str, parameters: dict[str, Any]) -> Any:
        assert self._socket is not None
        self._asked += 1
        number = self._asked
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        while True:
            received = await self._socket.receive()
            assert received.type is aiohttp.WSMsgType.TEXT, f"chromium has gone: {received}"
            told = json.loads(received.data)
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            if (tab := self._tabs.get(told.get("sessionId", ""))) is not None:
                tab.take(told["method"], told["params"])


class Tab:
    """One page in a browser. Its methods wait for the page, however slow the machine is.

    State: errors of the console so far, the loads that have ended, and the requests that were refused.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._errors: list[str] = []
        self._loads = 0

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol for this tab."""
        return self._browser.ask(method, self._session, **parameters)

    def take(self, event: str, told: dict[str, Any]) -> None:
        """Note an event of the protocol."""
        if event == "Page.loadEventFired":
            self._loads += 1
        elif event == "Runtime.exceptionThrown":
            self._errors.append(_exception(told["exceptionDetails"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] == "error":
            self._errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())
        elif event == "Runtime.consoleAPICalled" and told["type"] in {"error", "assert"}:
            self._errors.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))

    @property
    def errors(self) -> list[str]:
        """Lines of the console at level error so far: exceptions, what did not load, what a policy refused."""
        self.evaluate("0")  # what was told before it has arrived then
        return list(self._errors)

    def go(self, url: str) -> None:
        """Go to another address and wait until it has loaded."""
        before = self._loads
        failed = self.ask("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        self._wait(lambda: self._loads > before, f"{url} did not load")

    def reload(self) -> None:
        """Load the page again and wait until it has."""
        before = self._loads
        self.ask("Page.reload")
        self._wait(lambda: self._loads > before, "the page did not load again")

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page, of a promise what it brings."""
        done = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, f"{script}: {_exception(done['exceptionDetails'])}"
        return done["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Wait until an expression in the page is true, and return its value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := self.evaluate(script)):
            if time.monotonic() > deadline:
                seen = self.evaluate("document.body.innerText")
                raise AssertionError(f"it did not come to pass: {script}; the page says:\n{seen}\n{self.errors}")
            time.sleep(0.05)
        return value

    def text(self, selector: str) -> str:
        """Return the text that is seen of the first element that a selector finds."""
        return str(self.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText ?? null"))

    def click(self, selector: str) -> None:
        """Press the mouse on the middle of an element that can be seen, as a person does."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found} !== null && !{found}.disabled && {found}.getClientRects().length > 0")
        self.evaluate(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.evaluate(f"{found}.getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def fill(self, selector: str, text: str) -> None:
        """Replace what stands in a field, as typing does."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.evaluate(f"(e => {{ e.focus(); e.select(); }})(document.querySelector({json.dumps(selector)}))")
        if text:
            self.ask("Input.insertText", text=text)
        else:
            self.press("Delete")

    def press(self, key: str) -> None:
        """Press a key: `Tab`, `Enter`, `Delete`, `Escape`."""
        code = {"Tab": 9, "Enter": 13, "Delete": 46, "Escape": 27}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Have the page seen on a screen of this size (CSS pixels), in the light or the dark scheme."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the page: the whole of it, or what the screen shows."""
        picture = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(picture["data"]))

    def close(self) -> None:
        """Close the tab."""
        self.ask("Page.close")

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _wait(self, condition: Any, otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, otherwise
            self.evaluate("0")
            time.sleep(0.02)


def _exception(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details["text"])
