"""What a service does with ZeroG, by the generated client. It prints what it saw."""

import sys
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from zerog_api_client import Client
from zerog_api_client.api.jobs import (
    cancel_jobs,
    delete_job,
    get_data,
    get_info,
    get_job,
    get_progress,
    list_jobs,
    run_hold,
    run_job,
    run_jobs,
    run_send_invoice,
)
from zerog_api_client.api.overview import get_stats, list_queues, list_workers
from zerog_api_client.api.types import list_types
from zerog_api_client.models import (
    Batch,
    BatchItem,
    BatchItemParameters,
    Filter,
    Problem,
    Progress,
    RunJobBody,
    Selection,
    SendInvoiceAddress,
    SendInvoiceLine,
    SendInvoiceParameters,
    SendInvoiceParametersLabels,
)
from zerog_api_client.types import Response

T = TypeVar("T")
#: A call with `wait` is held open for longer than the 5 s that httpx waits by default.
client = Client(sys.argv[1], timeout=httpx.Timeout(60))
HOME = SendInvoiceAddress(street="Main Street 1", city="London", zip_code=None)


def ok(answer: T | Problem | None) -> T:
    """Return what a call has answered; fail for a problem."""
    if answer is None or isinstance(answer, Problem):
        raise AssertionError(answer)
    return answer


def wait(uuid: UUID) -> Progress:
    """Wait until a job is finished."""
    for _ in range(20):
        progress = ok(get_progress.sync(uuid, client=client, wait=20))
        if progress.result_code != -1:
            return progress
    raise AssertionError(f"{uuid} does not end")


def data(uuid: UUID) -> Any:
    """Return the output data of a job when it has some."""
    wait(uuid)
    return ok(get_data.sync(uuid, client=client)).data


def problem(answer: Response[Any]) -> Problem:
    """Return the problem that a call has answered."""
    assert isinstance(answer.parsed, Problem)
    return answer.parsed


def run() -> None:
    """Run jobs: by the call for every type, by the one of a type, several at once."""
    body = RunJobBody.from_dict({"text": "one two two"})
    words = ok(run_job.sync("CountWords", client=client, body=body, priority=2)).uuid
    print("general call:", wait(words).state, data(words))

    def send() -> UUID:
        invoice = SendInvoiceParameters(
            customer="Ada",
            lines=[
                SendInvoiceLine(article="tea", count=3, price=4.1),
                SendInvoiceLine(article="pot"),
            ],
            address=HOME,
            kind="paper",
            due=datetime(2031, 5, 1, 12, tzinfo=UTC),
            labels=SendInvoiceParametersLabels.from_dict({"team": "sales"}),
        )
        key = "python-1"
        return ok(run_send_invoice.sync(client=client, body=invoice, idempotency_key=key)).uuid

    invoice = send()
    print("repeated call:", "the same job" if send() == invoice else "another job")
    sent = data(invoice)
    print("call of the type:", sent["total"], sent["currency"], sent["kind"], sent["due"])
    read(invoice)

    one = BatchItemParameters.from_dict({"text": "one"})
    two = BatchItemParameters.from_dict({"text": "one two"})
    batch = Batch([
        BatchItem(type_="CountWords", parameters=one, priority=1),
        BatchItem(type_="CountWords", parameters=two, timeout=60.5),
    ])  # fmt: skip
    for uuid in ok(run_jobs.sync(client=client, body=batch)).uuids:
        print("batch:", wait(uuid).state, data(uuid))


def read(uuid: UUID) -> None:
    """Look at a finished job."""
    job = ok(get_job.sync(uuid, client=client))
    print("job:", job.type_, job.queue, job.state)
    info = ok(get_info.sync(uuid, client=client))
    assert isinstance(info.created_time, datetime)
    line = info.events[0]
    print("log:", line.message, line.data["customer"] if line.data else None)
    print("attempts:", len(info.attempts), info.attempts[0].cause)
    listed = ok(
        list_jobs.sync(
            client=client, type_=["SendInvoice", "CountWords"], state=["succeeded"], limit=500
        )
    )
    print("listed:", "true" if uuid in [found.uuid for found in listed.jobs] else "false")


def fail() -> None:
    """Do what is refused."""
    none = problem(run_job.sync_detailed("Nothing", client=client, body=RunJobBody()))
    print("problem:", none.status, none.code)
    lines = [SendInvoiceLine(article="tea", count=1000)]
    body = SendInvoiceParameters(customer="Ada", lines=lines, address=HOME)
    wrong = problem(run_send_invoice.sync_detailed(client=client, body=body))
    print("problem:", wrong.status, wrong.code, wrong.errors[0].path if wrong.errors else None)


def cancel() -> None:
    """Cancel jobs by a selection, and forget one."""
    held = [ok(run_hold.sync(client=client)).uuid for _ in range(2)]
    chosen = Filter(type_="Hold", state=["queued", "running"], uuids=held)
    done = ok(cancel_jobs.sync(client=client, body=Selection(chosen, limit=10)))
    print("cancelled:", done.changed, "true" if done.more else "false")
    for uuid in held:
        print("cancelled:", wait(uuid).state)
    delete_job.sync_detailed(held[0], client=client)
    gone = problem(get_job.sync_detailed(held[0], client=client))
    print("deleted:", gone.status, gone.code)


def look() -> None:
    """Look at the whole system."""
    print("types:", *(found.name for found in ok(list_types.sync(client=client)).types))
    print("queues:", *(queue.name for queue in ok(list_queues.sync(client=client)).queues))
    for worker in ok(list_workers.sync(client=client)).workers:
        print("workers:", worker.state, worker.slots)
    stats = ok(get_stats.sync(client=client, minutes=5))
    print("stats:", stats.bucket_seconds, len(stats.times))


if __name__ == "__main__":
    run()
    fail()
    cancel()
    look()
