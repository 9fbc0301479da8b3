"""`zerog simulate` as people use it."""

import json
from pathlib import Path

import pytest

from zerog.cli import codes
from zerog.cli.main import main
from zerog_simulate.generate import load_trace

POOL = """\
apiVersion: v1
kind: Secret
---
apiVersion: zerog.dev/v1alpha1
kind: ZeroGWorkerPool
metadata: {name: media}
spec:
  maxReplicas: 7
  slots: 2
  scaling: {targetStartSeconds: 20, minIdle: 1}
  template: {spec: {containers: [{name: worker, image: acme-jobs}]}}
"""


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "short.csv"
    path.write_text("time,jobs,job_seconds\n20,6,4\n100,1,2\n")
    return str(path)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.yaml"
    path.write_text(POOL)
    return path


def test_it_prints_a_table_of_all_policies(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--trace", trace, "--tries", "6"]) == codes.OK

    out, err = capsys.readouterr()
    names = [line.split("\t")[0] for line in out.splitlines()]
    assert names[0] == "POLICY"
    ways = ["ZeroG", "KEDA ScaledObject", "KEDA ScaledJob"]
    assert names[1:] == ways + [f"{name}, tuned" for name in ways]
    assert "7 jobs" in err
    assert "tuned: the cheapest of 6 tries each that starts 95% of the jobs within 10 s" in err


def test_it_prints_json_and_the_same_seed_prints_the_same(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for seed in ("5", "5", "6"):
        flags = ["--json", "--tries", "4", "--seed", seed]
        assert main(["simulate", "--trace", trace, *flags]) == codes.OK
        printed.append(capsys.readouterr().out)

    assert printed[0] == printed[1] != printed[2]
    policies = json.loads(printed[0])["policies"]
    assert [item["outcome"]["finishedJobs"] for item in policies[:3]] == [7] * 3
    assert all(
        item["outcome"] is None or item["outcome"]["startSeconds"]["p95"] <= 10
        for item in policies[3:]
    )


def test_a_pool_comes_from_a_file_and_flags_win(
    trace: str, pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--pool", str(pool), "--max-replicas", "3", "--jobs-per-worker", "2"]

    assert main(["simulate", "--trace", trace, "--json", "--tries", "0", *flags]) == codes.OK

    read = json.loads(capsys.readouterr().out)
    zerog, scaled_object, _ = (item["settings"] for item in read["policies"])
    assert (read["slots"], zerog["minIdle"], zerog["jobsPerWorker"]) == (2, 1, 2)
    assert "targetStartSeconds" not in zerog
    assert scaled_object["maxReplicaCount"] == 3


def test_windows_open_by_the_date_at_which_the_load_begins(
    trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pool.yaml"
    window = '{cron: "0 8 * * 1-5", timeZone: Europe/Berlin, durationSeconds: 3600, minReplicas: 6}'
    path.write_text(POOL.replace("minIdle: 1", "minIdle: 0") + f"  windows: [{window}]\n")
    peaks = []
    for begin in ("2026-06-01T05:59:00Z", "2026-06-01T06:58:00Z", "2026-06-06T05:59:00Z"):
        flags = ["--pool", str(path), "--begin", begin, "--json", "--tries", "0"]
        assert main(["simulate", "--trace", trace, *flags]) == codes.OK
        zerog, *_ = json.loads(capsys.readouterr().out)["policies"]
        peaks.append(zerog["outcome"]["peakWorkers"])

    # The window opens during the load, closes after it, or does not open: it is a Saturday.
    assert (peaks[0], peaks[1]) == (6, 6)
    assert peaks[2] < 6


def test_kedas_settings_are_given_by_their_names(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--scaled-object", "pollingInterval=1", "--scaled-object", "scaleUp.percent=900"]
    flags += ["--scaled-job", "scalingStrategy=eager", "--tries", "0"]

    assert main(["simulate", "--trace", trace, *flags]) == codes.OK

    err = capsys.readouterr().err
    assert "KEDA ScaledObject: pollingInterval 1, scaleUp.percent 900" in err
    assert "KEDA ScaledJob: scalingStrategy eager" in err


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_it_draws_a_picture(trace: str, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"

    assert main(["simulate", "--trace", trace, "--tries", "4", "--plot", str(path)]) == codes.OK

    assert path.read_bytes()[:5] in (b"<?xml", b"\x89PNG\r")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--begin", "yesterday"], "--begin: "),
        (["--trace", "nosuch"], "one of step, spike, day, longtail, cron"),
        (["--plot", "picture.jpg"], ".svg or .png"),
        (["--plot", "no/such/folder/picture.svg"], "there is no folder"),
        (["--max-replicas", "0"], "maxReplicas 0"),
        (["--min-replicas", "5", "--max-replicas", "2"], "minReplicas (5) is more than"),
        (["--jobs-per-worker", "2", "--target-start-seconds", "5"], "has both"),
        (["--pool", "no-such.yaml"], "cannot be read"),
        (["--scaled-object", "speed=9"], "'speed' is none of value, minReplicaCount"),
        (["--scaled-object", "pollingInterval=0"], "is a whole number of 1 to 86400"),
        (["--scaled-job", "scalingStrategy=lazy"], "one of default, accurate, eager"),
        (["--scaled-object", "minReplicaCount=200"], "is more than maxReplicaCount 100"),
    ],
)
def test_wrong_options_say_what_is_wrong(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *flags]) == codes.USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--pod-start-seconds", "-1"], ["--tries", "nan"]])
def test_wrong_numbers_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *flags]) == codes.USAGE
    assert "at least 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Secret\n", "0 objects of kind ZeroGWorkerPool"),
        ("kind: ZeroGWorkerPool\n", "metadata.name"),
        ("{", "cannot be read"),
        (POOL.replace("maxReplicas: 7", "maxReplicas: many"), "maxReplicas is not a number|whole"),
        (POOL + "  stopPolicy: Drain\n", "does not scale by load"),
        (POOL.replace("{targetStartSeconds: 20, minIdle: 1}", "[]"), "scaling is not an object"),
    ],
)
def test_a_wrong_pool_says_what_is_wrong(
    pool: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pool.write_text(text)

    assert main(["simulate", "--pool", str(pool)]) == codes.USAGE

    err = capsys.readouterr().err
    assert any(part in err for part in says.split("|")), err


def test_another_load_of_a_shape_is_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"

    assert main(["simulate", "generate", "cron", "--seed", "9", "-o", str(path)]) == codes.OK

    assert load_trace(str(path)).jobs > 100
