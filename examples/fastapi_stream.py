"""An endpoint of FastAPI that streams a crawl as JSON lines. Needs `pip install fastapi uvicorn`.

    uvicorn --app-dir examples fastapi_stream:app
    curl -N 'http://127.0.0.1:8000/pages?seed=https://example.com/'

A client that reads slowly slows the crawl down; one that leaves ends it.
"""

from typing import Annotated

import msgspec
from fastapi import FastAPI, Query
from fastapi.responses import StreamingResponse

from crawler import CrawlConfig, Crawler

app = FastAPI()


@app.get("/pages")
async def pages(seed: str, most: Annotated[int, Query(le=100)] = 20) -> StreamingResponse:
    async def lines():
        async with Crawler(CrawlConfig(seeds=(seed,), max_pages=most)) as crawler:
            async for page in crawler:
                yield msgspec.json.encode(page) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
