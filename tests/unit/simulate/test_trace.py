"""Traces: what is read, what is refused, and that built-in ones are the same everywhere."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerog.model.errors import ConfigError
from zerog_simulate.generate import SHAPES, generate, load_trace
from zerog_simulate.trace import Arrivals, Trace, format_trace, parse_trace, write_trace

#: Of the files that a trace is written to.
HASHES = {
    "step": "f2b65c3631ed7515",
    "spike": "9db1be5a23137e32",
    "day": "dbe33cde272dc4ca",
    "longtail": "af2d99b3c52d8e34",
    "cron": "0cfc614230171faa",
}
HEAD = "time,jobs,job_seconds\n"


def test_a_trace_is_read_with_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "monday.csv"
    path.write_text("# recorded on a Monday\n" + HEAD + "\n0.5,2,3\n 60 , 1, 0.25\n90,0,0\n")

    trace = load_trace(str(path))

    assert trace.name == "monday"
    assert trace.arrivals == (Arrivals(0.5, 2, 3), Arrivals(60, 1, 0.25), Arrivals(90, 0, 0))
    assert (trace.jobs, trace.seconds, trace.busy_seconds) == (3, 90, 6.25)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line has to be 'time,jobs,job_seconds'"),
        ("1,2,3\n", "the first line has to be"),
        (HEAD, "0 jobs"),
        (HEAD + "1,0,0\n", "0 jobs"),
        (HEAD + "1,1\n", "line 2"),
        (HEAD + "1,1,1\n2,x,1\n", "line 3"),
        (HEAD + "1,1.5,1\n", "line 2"),
        (HEAD + "5,1,1\n4,1,1\n", "line 3: time 4 comes before"),
        (HEAD + "5,-1,1\n", "negative"),
        (HEAD + "nan,1,1\n", "not finite"),
        (HEAD + "1,1,inf\n", "not finite"),
        (HEAD + "1,9999999999,1\n", "1 to 2000000"),
    ],
)
def test_a_wrong_trace_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_trace("wrong", text)


@pytest.mark.parametrize("name", ["nosuch", "nosuch.csv", "/", "folder/nosuch"])
def test_a_trace_that_is_not_there_says_what_can_be_given(name: str) -> None:
    with pytest.raises(ConfigError, match=r"one of step, spike|cannot be read"):
        load_trace(name)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 10**6)), min_size=1)
)
def test_what_is_written_is_read_again(lines: list[tuple[int, int, int]]) -> None:
    items = [Arrivals(time / 1000, jobs, length / 1000) for time, jobs, length in sorted(lines)]
    trace = Trace("any", (Arrivals(0, 1, 1), *items))

    assert parse_trace("any", format_trace(trace)) == trace


def test_a_trace_that_cannot_be_written_is_an_error_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_trace(generate("cron"), tmp_path / "no" / "such" / "folder.csv")


@pytest.mark.parametrize("name", SHAPES)
def test_a_built_in_trace_is_the_same_on_every_machine(name: str) -> None:
    text = format_trace(load_trace(name))

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == HASHES[name]


def test_another_seed_makes_another_load_of_the_same_shape() -> None:
    one, other = generate("step", 1), generate("step", 2)

    assert one != other
    assert one.seconds == other.seconds
    assert abs(one.jobs - other.jobs) < 0.1 * one.jobs
