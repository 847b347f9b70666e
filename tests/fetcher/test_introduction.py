"""Who crawls: what servers are told, and the one warning when that says nothing."""

import logging

import pytest
from msgspec.structs import replace

from crawler import ConfigError, CrawlConfig, Crawler, FakeTransport
from crawler.core.contact import introduced
from crawler.fetcher.transport.fake import answer
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.headers import request_headers
from crawler.web.robots import product_token

PUBLIC, PRIVATE = "93.184.215.14", "10.1.2.3"


@pytest.mark.parametrize(
    ("agent", "contact", "sent"),
    [
        ("crawler/1.0", None, "crawler/1.0"),
        ("crawler/1.0", "me@example.org", "crawler/1.0 (+mailto:me@example.org)"),
        ("crawler/1.0", "https://example.org/bot?a=1", "crawler/1.0 (+https://example.org/bot?a=1)"),
        ("bot/2 (me@example.org)", "me@example.org", "bot/2 (me@example.org)"),
    ],
)
def test_the_contact_stands_behind_the_name_which_robots_txt_goes_by(agent, contact, sent):
    assert introduced(agent, contact) == sent
    config = CrawlConfig(user_agent=agent, contact=contact)
    assert request_headers(config)["User-Agent"] == sent
    assert product_token(sent) == product_token(agent)


@pytest.mark.parametrize(
    "contact", ["me", "me@", "@x", "a b@c", "ftp://x/", "https://x/(", "https://x/\r\nA: b", "é@x", ""]
)
def test_what_is_neither_a_mail_address_nor_a_url_is_refused(contact):
    with pytest.raises(ConfigError, match=r"^contact: "):
        CrawlConfig(contact=contact)


async def warned(caplog, tmp_path, address, **settings) -> int:
    """How often a crawl of 20 hosts at an address has warned."""

    def web(request):
        return replace(answer(request, "x", status=404 if request.url.endswith("robots.txt") else 200), address=address)

    caplog.clear()
    config = CrawlConfig(job=tmp_path / "job", parsers=1, delay_s=0.0, **settings)
    seeds = [f"http://h{number}.example/" for number in range(20)]
    await Crawler(config, seeds, transport=FakeTransport(web), fresh=True).run()
    return sum("--contact" in record.message for record in caplog.records)


async def test_a_crawl_of_public_hosts_that_says_nobody_to_ask_warns_once(caplog, tmp_path):
    assert await warned(caplog, tmp_path, PUBLIC) == 1
    assert caplog.records[-1].levelno == logging.WARNING


@pytest.mark.thorough
async def test_who_is_told_or_nobody_who_minds_is_no_reason_to_warn(caplog, tmp_path):
    for private in (PRIVATE, "127.0.0.1", "::1", "fd00::1", None):
        assert await warned(caplog, tmp_path, private) == 0
    assert await warned(caplog, tmp_path, PUBLIC, contact="me@example.org") == 0
    assert await warned(caplog, tmp_path, PUBLIC, user_agent="mybot (https://example.org/bot)") == 0
    assert await warned(caplog, tmp_path, PUBLIC, headers=(("From", "me@example.org"),)) == 0


async def test_an_address_that_is_not_public_is_judged_once(caplog, tmp_path, monkeypatch):
    judged, refuses = [], AddressGuard.refuses
    monkeypatch.setattr(AddressGuard, "refuses", lambda self, address: judged.append(address) or refuses(self, address))
    assert await warned(caplog, tmp_path, PRIVATE, strategy="async") == 0
    assert judged == [PRIVATE]
