"""The same two calls before each peer, as its users write them: FastAPI, POST /jobs and
GET /jobs/{id}."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.tasks import PEER, app, noop, task


class Parameters(BaseModel):
    """The job's parameters."""

    n: int = 0


api = FastAPI()


def submit(n: int) -> str:
    """Queue a job by the peer's own means, return its id."""
    match PEER:
        case "celery":
            return str(task.delay(n).id)
        case "rq":
            return str(app.enqueue(noop, n, result_ttl=600).id)
        case "huey":
            return str(task(n).id)
        case _:
            return str(task.send(n).message_id)


def result(job: str) -> Any:
    """Return a job's result, None if it is not there."""
    match PEER:
        case "celery":
            from celery.result import AsyncResult

            found = AsyncResult(job, app=app)
            return found.result if found.successful() else None
        case "rq":
            from rq.job import Job

            return Job.fetch(job, connection=app.connection).return_value()
        case "huey":
            return app.result(job, preserve=True)
        case _:
            from dramatiq.results import ResultMissing

            message = task.message(0).copy(message_id=job)
            try:
                return message.get_result()
            except ResultMissing:
                return None


def post(parameters: Parameters) -> dict[str, str]:
    """Accept a job."""
    return {"uuid": submit(parameters.n)}


def get(job: str) -> dict[str, Any]:
    """Tell a job's state."""
    return state(job, result(job))


async def post_taskiq(parameters: Parameters) -> dict[str, str]:
    """Accept a job: taskiq is asynchronous."""
    return {"uuid": (await task.kiq(parameters.n)).task_id}


async def get_taskiq(job: str) -> dict[str, Any]:
    """Tell a job's state."""
    ready = await app.result_backend.is_result_ready(job)
    return state(job, (await app.result_backend.get_result(job)).return_value if ready else None)


def state(job: str, found: Any) -> dict[str, Any]:
    """Answer as ZeroG does."""
    return {"uuid": job, "resultCode": -1 if found is None else 200, "data": found}


asynchronous = PEER == "taskiq"
api.post("/jobs", status_code=201)(post_taskiq if asynchronous else post)
api.get("/jobs/{job}")(get_taskiq if asynchronous else get)
if asynchronous:
    api.router.on_startup.append(app.startup)
    api.router.on_shutdown.append(app.shutdown)
