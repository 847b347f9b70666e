"""Crawl a web that does not exist: everything is real but the network.

    python examples/fake_web.py

Good for tests and simulations.
"""

from crawler import FakeTransport, FetchResult, crawl

HTML = (("content-type", "text/html; charset=utf-8"),)
PAGES = 100


def web(request):
    """A page for each number, with links to its double and the one after. A `Failure` would be no answer at all."""
    name = request.url.rpartition("/")[2]
    if not name.isdecimal() or int(name) > PAGES:
        return FetchResult(request.url, 404)
    links = "".join(f'<a href="/{number}">{number}</a>' for number in (int(name) * 2, int(name) * 2 + 1))
    body = f"<title>Number {name}</title>{links}".encode()
    return FetchResult(request.url, 200, HTML, body, len(body))


with crawl("http://numbers.example/1", delay_s=0, transport=FakeTransport(web)) as pages:
    titles = [page.title for page in pages if page.status == 200]
    print(titles[:3], pages.stats().statuses)
