"""A web service that gives its slow work to ZeroG and answers at once."""

import asyncio
import os
import sys

import tornado.web

import zerog
from zerog.client import ApiError, UnreachableError

#: What the service's own callers are told to wait before they repeat a call.
RETRY_AFTER_SECONDS = 5


class Handler(tornado.web.RequestHandler):
    """Knows the client and the customer, and turns ZeroG's errors into the service's own."""

    @property
    def zerog(self) -> zerog.AsyncClient:
        client: zerog.AsyncClient = self.settings["zerog"]
        return client

    def get_current_user(self) -> str:
        """Return who calls. A real service looks at a session or a token."""
        return self.request.headers.get("X-Customer", "nobody")

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """Answer with JSON. Callers see their own mistakes, and nothing of ZeroG's insides."""
        match sys.exception():
            case ApiError(status=404):
                self._answer(404, "no such report")
            case ApiError(status=409):
                self._answer(409, "this Idempotency-Key belongs to another text")
            case ApiError(status=413):
                self._answer(413, "the text is too long")
            case ApiError(status=422) as error:
                self._answer(422, "; ".join(message for _, message in error.faults))
            case ApiError(status=429 | 502 | 503 | 504) | UnreachableError():
                self.set_header("Retry-After", RETRY_AFTER_SECONDS)
                self._answer(503, "try again later")
            case _:
                self._answer(status_code, self._reason)

    def _answer(self, status: int, detail: str) -> None:
        self.set_status(status)
        self.finish({"error": detail})


class Reports(Handler):
    """POST a text, get the address of its report."""

    async def post(self) -> None:
        key = self.request.headers.get("Idempotency-Key")
        # The same request sent twice makes one job. Keys are per customer: two may choose the same.
        scoped = key and f"reports:{self.current_user}:{key}"
        text = self.request.body.decode(errors="replace")
        labels = {"customer": self.current_user}
        uuid = await self.zerog.submit(
            "WordStatistics", {"text": text}, idempotency_key=scoped, labels=labels
        )
        self.set_status(202)
        self.set_header("Location", f"/reports/{uuid}")
        self.write({"uuid": uuid})


class Report(Handler):
    """GET a report of the customer: 202 with the progress until it is there."""

    async def get(self, uuid: str) -> None:
        job = await self.zerog.get(uuid)
        if job.get("labels", {}).get("customer") != self.current_user:
            raise tornado.web.HTTPError(404, reason="no such report")
        if job["state"] == "succeeded":
            self.write({"report": await self.zerog.data(uuid)})
        else:
            self.set_status(202 if job["resultCode"] == -1 else 502)
            self.write({"state": job["state"], "completeness": job["completeness"]})


async def main() -> None:
    async with zerog.AsyncClient(os.environ.get("ZEROG_URL", "http://127.0.0.1:8080")) as client:
        routes = [("/reports", Reports), ("/reports/(.+)", Report)]
        app = tornado.web.Application(routes, zerog=client)
        app.listen(int(os.environ.get("PORT", "8000")), "127.0.0.1")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
