"""A web service that gives its slow work to ZeroG and answers at once."""

import asyncio
import os

import tornado.web

import zerog


class Reports(tornado.web.RequestHandler):
    """POST a text, get the address of its report."""

    async def post(self) -> None:
        client: zerog.AsyncClient = self.settings["zerog"]
        # The same request sent twice (same key) makes one job.
        key = self.request.headers.get("Idempotency-Key")
        text = self.request.body.decode()
        uuid = await client.submit("WordStatistics", {"text": text}, idempotency_key=key)
        self.set_status(202)
        self.set_header("Location", f"/reports/{uuid}")
        self.write({"uuid": uuid})


class Report(tornado.web.RequestHandler):
    """GET a report: 202 with the progress until it is there."""

    async def get(self, uuid: str) -> None:
        client: zerog.AsyncClient = self.settings["zerog"]
        progress = await client.progress(uuid)
        if progress["state"] == "succeeded":
            self.write({"report": await client.data(uuid)})
        else:
            self.set_status(202 if progress["resultCode"] == -1 else 502)
            self.write({"state": progress["state"], "completeness": progress["completeness"]})


async def main() -> None:
    async with zerog.AsyncClient(os.environ.get("ZEROG_URL", "http://127.0.0.1:8080")) as client:
        routes = [("/reports", Reports), ("/reports/(.+)", Report)]
        app = tornado.web.Application(routes, zerog=client)
        app.listen(int(os.environ.get("PORT", "8000")), "127.0.0.1")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
