"""Blocks of a page that are made, beside prose that is written by hand.

A block stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`, on lines of its own or
within a sentence. Who makes it knows its name and nothing else of the page.
"""

from collections.abc import Mapping

_BEGIN, _END = "<!-- begin: {} -->", "<!-- end: {} -->"


def filled(page: str, made: Mapping[str, str]) -> str:
    """Return a page's text with these blocks, by name, made anew.

    `ValueError` if the page does not have each of them once.
    """
    for name, text in made.items():
        before, _, after = _split(page, name)
        page = f"{before}{text}{after}"
    return page


def block(page: str, name: str) -> str:
    """Return the text of a block. `ValueError` if the page does not have it once."""
    return _split(page, name)[1]


def alone(text: str) -> str:
    """Return a block's text with an empty line around it, as tables and lists need it."""
    return f"\n\n{text.strip()}\n\n"


def _split(page: str, name: str) -> tuple[str, str, str]:
    """Return what is before, in and behind a block. The markers go with the outer parts."""
    begin, end = _BEGIN.format(name), _END.format(name)
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"the page must have one block {name!r}: {begin} … {end}")
    head, _, rest = page.partition(begin)
    text, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"the block {name!r} ends before it begins: {begin} … {end}")
    return head + begin, text, end + tail
