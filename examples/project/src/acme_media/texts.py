"""What the jobs share. It knows nothing of ZeroG, so it is tested like any other code."""


def title_of(text: str) -> str:
    """Return the first heading of a Markdown text, or nothing."""
    headings = (line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#"))
    return next(headings, "")
