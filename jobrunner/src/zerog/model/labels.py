"""Labels: short texts that a job carries, by which people find it again.

In requests and answers they are a map, in a record a sorted list of `key=value`: what both stores
index. A key has no `=`, so the text has one meaning. Pure.
"""

import re
from collections.abc import Iterable, Mapping

#: What may be given with a job, and what its type may add.
MAX_LABELS = 16
#: Of a job: its type's labels and its own.
MAX_JOB_LABELS = 2 * MAX_LABELS
MAX_LABEL_CHARS = 63
_KEY = rf"[A-Za-z0-9](?:[A-Za-z0-9._/-]{{0,{MAX_LABEL_CHARS - 2}}}[A-Za-z0-9])?"
_KEY_FORM = re.compile(_KEY)
#: A stored label.
LABEL_PATTERN = rf"\A{_KEY}=[^\x00-\x1f\x7f]{{1,{MAX_LABEL_CHARS}}}\Z"


def check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return labels if a job may have them. `ValueError` says the rule."""
    if len(labels) > MAX_LABELS:
        raise ValueError(f"at most {MAX_LABELS} labels, not {len(labels)}")
    for key, value in labels.items():
        if _KEY_FORM.fullmatch(key) is None:
            raise ValueError(
                f"{key[: MAX_LABEL_CHARS + 1]!r} cannot be a label's name: use 1 to "
                f"{MAX_LABEL_CHARS} letters, digits, '.', '_', '-', '/', beginning and ending with "
                "a letter or digit"
            )
        if not 1 <= len(value) <= MAX_LABEL_CHARS or not value.isprintable():
            raise ValueError(
                f"the label {key!r} needs a value of 1 to {MAX_LABEL_CHARS} printable characters"
            )
    return labels


def check_label(text: str) -> str:
    """Return the text of a label, `key=value`, if a job may have it. `ValueError` says the rule."""
    key, found, value = text.partition("=")
    if not found:
        raise ValueError("write a label as key=value")
    check_labels({key: value})
    return text


def label_texts(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return labels as a record has them."""
    return tuple(sorted(f"{key}={value}" for key, value in labels.items()))


def label_map(texts: Iterable[str]) -> dict[str, str]:
    """Return labels as people write them."""
    pairs = (text.partition("=") for text in texts)
    return {key: value for key, _, value in pairs}
