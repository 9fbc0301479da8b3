"""The job that all peers run: it does nothing, so that everything around it is measured."""

import zerog


class Noop(zerog.Job):
    """Return the number that was given."""

    n: int = 0

    def run(self, ctx: zerog.Context) -> dict[str, int]:
        return {"n": self.n}
