"""Several page types in one spider: the first pattern found in the URL decides."""

import asyncio
import functools
import pickle

import pytest

from crawler.core.errors import ConfigError
from crawler.page.page import Page
from crawler.parsers.spiders.router import Router, is_async

router = Router()


@router.route(r"/products/\d+$")
def product(page):
    return {"product": page.url}


@router.route(r"/products/")
@router.route(r"[?&]list=")
def listing(page):
    yield page.follow()


def page(path: str) -> Page:
    return Page.from_html("<a href=/x>x</a>", f"http://h.example{path}")


def test_the_first_pattern_found_in_the_url_decides():
    assert router(page("/products/12")) == {"product": "http://h.example/products/12"}
    assert [one.urls for one in router(page("/products/new"))] == [("http://h.example/x",)]
    assert [one.everything for one in router(page("/search?list=1"))] == [True]


def test_a_page_that_nothing_matches_gives_nothing_or_goes_to_the_default():
    own = Router()
    own.route("/a")(product)
    assert own(page("/b")) is None
    assert own.default(listing) is listing
    assert list(own(page("/b")))


def test_functions_stay_as_they_are():
    assert product(page("/")) == {"product": "http://h.example/"}


def test_a_router_can_be_pickled():
    assert pickle.loads(pickle.dumps(router))(page("/products/12")) == router(page("/products/12"))


def test_mistakes_are_refused_where_they_are_made():
    own = Router()
    with pytest.raises(ConfigError, match=r"route '\(' is not a valid regular expression: missing \)"):
        own.route("(")
    own.default(product)
    with pytest.raises(ConfigError, match="there is one already, product"):
        own.default(listing)

    async def later(page):
        await asyncio.sleep(0)

    with pytest.raises(ConfigError, match="is an async function"):
        own.route("/x")(later)


def test_async_functions_are_known_in_every_wrapping():
    async def coroutine(page): ...

    async def generator(page):
        yield

    class Called:
        async def __call__(self, page): ...

        async def method(self, page): ...

    waits = [coroutine, generator, Called(), Called().method, functools.partial(functools.partial(coroutine))]
    assert all(map(is_async, waits))
    assert not any(map(is_async, [product, listing, router, print, functools.partial(product), lambda page: None]))


def test_a_router_shows_its_routes():
    assert repr(Router()) == "<Router without routes>"
    own = Router()
    own.route("/a")(product)
    own.default(listing)
    assert repr(own) == "<Router '/a': product, else listing>"
