"""The checks of `make chaos` can fail."""

from pathlib import Path

from tests.chaos.checks import early_faults, overlap_faults, read_runs, record_faults
from tests.chaos.faults import Frozen
from tests.chaos.load import Expected

JOB = Expected("job", "quick", "succeeded", 7, 200)
#: The first attempt still lives when the second one has begun.
OVERLAP = "job 1 100 begin 10.0\njob 2 200 begin 11.0\njob 1 100 lives 11.5\njob 2 200 end 12.0\n"


def document(**changes: object) -> dict[str, object]:
    """Return the document of a job that has done its work at once."""
    attempts = [{"number": 1, "cause": "succeeded"}]
    return {"state": "succeeded", "resultCode": 200, "data": 7, "attempts": attempts, **changes}


def test_attempts_at_the_same_time_are_found(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.write_text(OVERLAP)
    (fault,) = overlap_faults(read_runs(marks), [])
    assert "attempts 1 and 2 ran at the same time for 0.500 s" in fault


def test_only_the_freeze_of_its_own_worker_explains_an_overlap(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.write_text(OVERLAP)
    runs = read_runs(marks)
    assert not list(overlap_faults(runs, [Frozen(frozenset({100}), 10.5, 11.4)]))
    assert list(overlap_faults(runs, [Frozen(frozenset({200}), 10.5, 11.4)]))
    assert list(overlap_faults(runs, [Frozen(frozenset({100}), 1.0, 2.0)]))


def test_an_attempt_in_two_processes_is_found(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.write_text("job 1 100 begin 10.0\njob 1 200 begin 11.0\n")
    assert list(overlap_faults(read_runs(marks), [])) == ["job job: attempt 1 ran in two processes"]


def test_an_early_begin_is_found(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.write_text("job 1 100 begin 10.0\n")
    delayed = Expected("job", "delayed", "succeeded", 7, 200, not_before=11.0)
    assert list(early_faults([delayed], read_runs(marks))) == ["job job began 1.000 s early"]


def test_a_wrong_end_is_found() -> None:
    once = [("running", "succeeded")]
    assert not list(record_faults(JOB, document(), once))
    assert list(record_faults(JOB, document(data=8), once))
    assert list(record_faults(JOB, document(state="failed"), once))
    assert list(record_faults(JOB, document(), [*once, *once]))
    assert list(record_faults(JOB, document(), [*once, ("succeeded", "failed")]))
    assert list(record_faults(JOB, document(attempts=[{"number": 2, "cause": "crash"}]), once))
