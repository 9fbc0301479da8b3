"""The rendered chart: a service in the cluster POSTs a job, workers come from nothing and go."""

import base64
from typing import Any

from tests.e2e.installation import Installation

from zerog_tools.trial.installation import AUDIENCE, DEADLINE_SECONDS, TOKEN_FILE


def test_a_job_posted_from_a_pod_runs_on_a_pod_made_for_it_which_goes_again(
    zerog: Installation,
) -> None:
    answer = zerog.call("post", "/v1/jobs/Nap", '{"seconds": 1}')

    assert answer["resultCode"] == 200
    assert answer["data"]["pod"].startswith("naps-")
    zerog.wait_for_workers(0)


def test_helm_test_passes(installed: Installation) -> None:
    installed.helm("test", "zerog", f"--timeout={DEADLINE_SECONDS:.0f}s")


def test_who_has_no_role_is_refused(installed: Installation) -> None:
    token = installed.kubectl("create", "token", "default", f"--audience={AUDIENCE}").strip()
    script = (
        "import urllib.request, urllib.error, sys\n"
        "request = urllib.request.Request('http://zerog-api/v1/jobs',"
        " headers={'Authorization': 'Bearer ' + sys.argv[1]})\n"
        "try: print(urllib.request.urlopen(request, timeout=30).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )

    status = installed.kubectl("exec", "caller", "--", "python3", "-c", script, token)

    assert status.strip() == "403"


def test_a_secret_is_nowhere_but_in_its_secret(zerog: Installation, values: dict[str, Any]) -> None:
    zerog.add_pool(minReplicas=1)
    zerog.call("post", "/v1/jobs/Nap", '{"seconds": 0}')
    password = values["couchbase"]["password"]
    token = zerog.kubectl("exec", "caller", "--", "cat", TOKEN_FILE)
    secrets = {password, base64.b64encode(password.encode()).decode(), token}

    objects = zerog.kubectl("get", "all,configmaps,events,leases,zwp", "-o", "json")
    logs = zerog.logs()

    assert not [secret for secret in secrets if secret in objects]
    assert [name for name, text in logs.items() for secret in secrets if secret in text] == []
    # There was something to look at: API, operator, queue, a worker.
    assert {name.split("-")[1] for name, text in logs.items() if text and "-" in name} >= {
        "api",
        "operator",
    }
    assert any(name.startswith("naps-") and text for name, text in logs.items())
