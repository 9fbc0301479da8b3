"""`run` may be a coroutine: many requests at once in one job."""

import asyncio

import httpx

import zerog


class Fetch(zerog.Job):
    """Fetch pages, a few at a time; return status and size of each."""

    urls: list[str]
    at_once: int = 8

    class Options:
        timeout = 300

    async def run(self, ctx: zerog.Context) -> dict[str, dict[str, int]]:
        gate = asyncio.Semaphore(self.at_once)
        found: dict[str, dict[str, int]] = {}

        async def fetch(client: httpx.AsyncClient, url: str) -> None:
            async with gate:
                answer = await client.get(url)
            found[url] = {"status": answer.status_code, "bytes": len(answer.content)}
            ctx.info(f"{url}: {answer.status_code}")

        async with httpx.AsyncClient(timeout=20) as client:
            fetches = [fetch(client, url) for url in self.urls]
            for next_one in ctx.track(asyncio.as_completed(fetches), total=len(fetches)):
                await next_one  # an exception here is an error of the job, which is tried again
        return found
