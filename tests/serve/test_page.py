"""The dashboard as a person uses it: in a browser, on a crawl that runs.

Needs chromium (Debian: chromium), which `.ci/run` installs.
"""

import hashlib
import queue
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support import chromium
from tests.support.chromium import Browser, Tab
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.servers import Answer, LocalServer, html

TITLE = "<script>document.title='taken over'</script><img src=x onerror=document.title='taken'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    if chromium.CHROMIUM is None:
        pytest.skip(chromium.MISSING)
    with Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture
def command(tmp_path) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path)
    yield line
    line.close()


def endless(host: str, path: str) -> Answer:
    """A site without end on each host: a tree of pages, each under a name of its own; every tenth is not there."""
    name = path.rpartition("/")[2]
    if path.startswith("/hostile"):
        return Answer(html(title=TITLE.replace("<", "&lt;")))
    links = [f"/tree/{_letters(name + way)}" for way in "abc"]
    if path == "/":
        other = host.replace("127.0.0.1", "localhost") if "127.0.0.1" in host else host
        links += [f"http://{other}/tree/start", "/hostile?<script>x</script>", "/gone"]
    return Answer(html(*links, title=f"Page {name}"), status=404 if path == "/gone" else 200)


def _letters(text: str) -> str:
    """Twelve letters that follow from a text: names with numbers in them would be taken for a trap."""
    return hashlib.sha256(text.encode()).hexdigest()[:12].translate(str.maketrans("0123456789", "ghijklmnop"))


class Running:
    """A crawl that is under way, with its dashboard's address."""

    def __init__(self, command: CommandLine, *arguments: object) -> None:
        self.process = command.start("crawl", *arguments, "--dashboard", "0", *POLITE_ENOUGH)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        said = ""
        while not said.startswith("dashboard: "):
            said = self.lines.get(timeout=PATIENCE_S)
        self.address = said.removeprefix("dashboard: ").strip()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.put(line)


def of(server: LocalServer, name: str) -> int:
    """Requests that a host had so far."""
    return sum(number for (host, _), number in server.asked().items() if host.startswith(name))


def goes_on(server: LocalServer, name: str = "") -> None:
    """Wait until a host was asked for something more."""
    before = of(server, name)
    wait_until(lambda: of(server, name) > before)


def stands_still(server: LocalServer, name: str = "") -> None:
    """Wait until a host is asked for nothing any more: for a second, in which it would have been asked many times."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        before = of(server, name)
        time.sleep(1.0)
        if of(server, name) == before:
            return
        assert time.monotonic() < deadline, f"{name or 'the server'} is still asked"


def number(tab: Tab, selector: str) -> int:
    return int(tab.text(selector).replace(",", ""))


def grows(tab: Tab, selector: str) -> None:
    before = number(tab, selector)
    tab.wait_for(f"Number(document.querySelector('{selector}').innerText.replaceAll(',', '')) > {before}")


def shows(tab: Tab, selector: str, text: str) -> None:
    """Wait until an element that can be seen says something."""
    tab.wait_for(f"(document.querySelector({selector!r})?.innerText ?? '').includes({text!r})")


@pytest.mark.thorough
def test_a_crawl_is_watched_and_steered_from_the_page(browser, command):
    with LocalServer(endless) as server:
        options = ("--scope", "any", "--max-repeats", "none", "--max-chain", "none", "--job", "job")
        crawl = Running(command, server.url("/"), *options)
        tab = browser.open(crawl.address)
        shows(tab, "#state", "running")
        shows(tab, "#title", "job")
        grows(tab, "#pages")
        shows(tab, "#limit", "Limited by")
        assert "#" not in tab.evaluate("location.href")  # the token is in no address that somebody may see, or send

        here, there = f"127.0.0.1:{server.port}", f"localhost:{server.port}"
        shows(tab, "#hosts-body", here)
        shows(tab, "#hosts-body", there)
        tab.fill("#search", "LOCALH")
        tab.wait_for("document.querySelectorAll('#hosts-body tr').length === 1")
        shows(tab, "#hosts-body", there)
        tab.fill("#search", "")
        shows(tab, "#hosts-body", here)

        # What servers say is text, wherever it stands.
        shows(tab, "#errors", "404")
        shows(tab, "#errors", "/gone")
        tab.evaluate("document.querySelector('#recent').textContent")
        assert tab.evaluate("document.querySelectorAll('#recent script, #recent img').length") == 0

        tab.click("#pause")
        shows(tab, "#state", "paused")
        stands_still(server)
        assert crawl.process.poll() is None
        tab.click("#pause")
        shows(tab, "#state", "running")
        goes_on(server, there)

        # A host is blocked in the table, and asked again from the list of what is in force.
        tab.click(f"tr[data-host='{there}'] button.small")
        shows(tab, "#in-force", f"{there} is blocked")
        stands_still(server, there)
        goes_on(server, here)
        tab.click("#in-force button")
        tab.wait_for("document.querySelector('#in-force').hidden")
        goes_on(server, there)

        tab.fill("#host", there)
        tab.fill("#delay", "900")
        tab.click("#set-delay")
        shows(tab, "#in-force", f"{there} is asked once in 900 s")
        stands_still(server, there)
        goes_on(server, here)
        tab.fill("#host", "no host / at all")
        tab.click("#block")
        tab.wait_for("document.querySelector('#host-says').innerText.length > 0")

        # What is in force is so for everybody who looks, from the first moment.
        other = browser.open(crawl.address)
        shows(other, "#in-force", f"{there} is asked once in 900 s")
        grows(other, "#pages")
        grows(tab, "#pages")
        other.close()

        tab.click("#stop")
        shows(tab, "#stop", "Really stop?")
        tab.click("#stop")
        shows(tab, "#state", "ended: interrupted")
        shows(tab, "#notice", "The crawl has ended")
        assert crawl.process.wait(PATIENCE_S) == 4
        refused = [line for line in tab.errors if "400" not in line]  # the browser tells of the host that is none
        assert refused == []
        tab.close()


def test_what_a_page_calls_itself_stays_text(browser, command):
    def site(_host: str, path: str) -> Answer:
        if path == "/":
            return Answer(html(*(f"/{n}" for n in range(500)), "/<script>x", title="Start"), delay_s=0.2)
        return Answer(html(title=TITLE.replace("<", "&lt;")), delay_s=0.05)

    with LocalServer(site) as server:
        crawl = Running(command, server.url("/"), "--job", "<img src=x onerror=document.title=1>")
        tab = browser.open(crawl.address)
        shows(tab, "#recent", TITLE)
        shows(tab, "#title", "<img src=x onerror=document.title=1>")
        assert tab.evaluate("document.querySelectorAll('main script, img, [onerror]').length") == 0
        assert tab.evaluate("document.title").endswith("pages · <img src=x onerror=document.title=1>")
        tab.click("#recent button.text")
        shows(tab, "#story", "fetched")
        tab.fill("#url", server.url("/<b>never met</b>"))
        tab.click("#explain-form button")
        shows(tab, "#story", "never met by this job")
        assert tab.evaluate("document.querySelectorAll('b:not(.depth b)').length") == 0
        assert tab.errors == []
        tab.close()


def test_the_page_says_so_when_the_crawl_is_gone_and_when_the_address_is_not_all(browser, command):
    with LocalServer(endless) as server:
        crawl = Running(command, server.url("/"), "--job", "job")
        tab = browser.open(crawl.address)
        shows(tab, "#state", "running")
        tab.reload()  # the token outlives it
        shows(tab, "#state", "running")
        crawl.process.send_signal(signal.SIGKILL)
        shows(tab, "#state", "gone")
        shows(tab, "#notice", "does not answer")
        assert tab.evaluate("document.querySelector('#pause').disabled")
        tab.close()
        crawl = Running(command, server.url("/"), "--job", "job")
        for address in (crawl.address.partition("#")[0], crawl.address.partition("#")[0] + "#wrong"):
            tab = browser.open(address)
            tab.evaluate("sessionStorage.clear()")
            shows(tab, "#state", "closed")
            tab.close()
