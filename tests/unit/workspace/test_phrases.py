"""`hack/phrases.py` finds phrases that are not plain English, in prose and not in code."""

import pytest
from hack import phrases


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("The queue is away.", "is unavailable, is unreachable"),
        ("It has a process of its own.", "own, separate, custom"),
        ("Whoever reaches it may delete it.", "name the actor: anyone who, the process that"),
        ("This is no parameter.", "is not a"),
        ("The job goes on.", "continues, resumes"),
        ("It is written anew.", "again, from scratch"),
    ],
)
def test_a_phrase_is_refused_with_what_to_write_instead(line: str, instead: str) -> None:
    (complaint,) = phrases.complaints("page.md", f"Good.\n{line}\n")

    assert complaint.startswith("page.md:2: ")
    assert complaint.endswith(f"write {instead!r}")


@pytest.mark.parametrize(
    "line",
    [
        "There is no such job.",
        "It is no longer needed.",
        "Listen on loopback.",
        "`zerog anew` is code.",
        "```sh\necho anew\n```",
        "  ```text\n  whoever\n  ```",
    ],
)
def test_plain_english_and_code_are_accepted(line: str) -> None:
    assert list(phrases.complaints("page.md", line)) == []


def test_docstrings_and_messages_are_read_and_names_are_not() -> None:
    module = 'def beside():\n    """Look anew."""\n    raise ValueError("is no number")  # anew\n'

    found = [complaint.split(":")[1] for complaint in phrases.complaints("a.py", module)]

    assert found == ["2", "3"]


def test_what_was_swept_stays_clean() -> None:
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in phrases.swept()]

    assert len(texts) > 50
    assert [complaint for name, text in texts for complaint in phrases.complaints(name, text)] == []
