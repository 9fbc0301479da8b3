"""Seed, bound, complaints and the closing figure of `make chaos`, `make power` and `make fuzz`."""

import sys
from pathlib import Path

import pytest
from tests.chaos.trial import Bound, Trial, trial


def a_trial(folder: Path, *, rounds: int = 3, alone: bool = True) -> Trial:
    return Trial("fuzz", 7, Bound(rounds=rounds), folder, alone, keeps=True)


def test_the_command_that_repeats_the_run_is_said_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_trial(tmp_path)

    assert capsys.readouterr().out == "make fuzz SEED=7 ROUNDS=3\n"


def test_each_round_has_its_own_seed_and_the_bound_ends_them(tmp_path: Path) -> None:
    assert list(a_trial(tmp_path).seeds()) == [7, 8, 9]


def test_a_run_of_minutes_is_over_when_they_are() -> None:
    bound = Bound(minutes=2)

    assert [bound.share(1000, seconds) for seconds in (0, 60, 120)] == [0, 0.5, 1]


def test_a_run_without_complaints_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = a_trial(tmp_path)
    for _ in made.seeds():
        made.thrown["frames"] += 1000

    assert made.end() == 0
    assert "3 rounds, 3,000 frames, 0 complaints" in capsys.readouterr().out


def test_a_complaint_ends_the_run_badly_and_says_how_its_round_is_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = a_trial(tmp_path)
    for seed in made.seeds():
        if seed == 8:
            made.complain("a job is lost")

    assert made.end() == 1
    said = capsys.readouterr().out
    assert "COMPLAINT a job is lost\n          make fuzz SEED=8 ROUNDS=1\n" in said
    assert said.endswith("again: make fuzz SEED=7 ROUNDS=3\n")


def test_rounds_that_need_those_before_them_are_repeated_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = a_trial(tmp_path, alone=False)
    for _ in made.seeds():
        made.complain("no")

    assert "ROUNDS=1\n" not in capsys.readouterr().out


def test_what_is_raised_is_a_complaint_and_only_its_round_leaves_a_folder(tmp_path: Path) -> None:
    made = a_trial(tmp_path)
    for seed in made.seeds():
        with made.round(seed) as folder:
            (folder / "log").touch()
            assert seed != 8

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["8"]
    assert "AssertionError" in made.complaints[0]
    assert "COMPLAINT" in (tmp_path / "said.txt").read_text()


def test_seed_bound_and_folder_come_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    arguments = ["--seed", "5", "--minutes", "0.5", "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", ["chaos", *arguments])
    monkeypatch.setattr("tests.chaos.trial.signal.signal", lambda *_: None)

    with trial("chaos", "", alone=False) as made:
        assert (made.seed, made.bound, made.folder) == (5, Bound(0.5), folder)

    assert (folder / "said.txt").read_text() == "make chaos SEED=5 MINUTES=0.5\n"
