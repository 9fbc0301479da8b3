"""Long work in slices: each attempt does a part, keeps where it is, and asks to go on later."""

import math

import zerog


class SumOfRoots(zerog.Job):
    """Sum the square roots of 1 … n, a slice an attempt."""

    n: int
    slice_size: int = 100_000
    pause_seconds: float = 0.1

    def run(self, ctx: zerog.Context) -> zerog.Continue | dict[str, float]:
        done = int(ctx.state.get("done", 0))
        end = min(self.n, done + self.slice_size)
        ctx.state["total"] = ctx.state.get("total", 0.0) + math.fsum(
            math.sqrt(k) for k in range(done + 1, end + 1)
        )
        ctx.state["done"] = end
        ctx.set_completeness(end / self.n)
        ctx.info(f"{end} of {self.n}, attempt {ctx.attempt}")
        if end < self.n:
            # The slot is free meanwhile. What is in ctx.state comes back with the next attempt.
            return zerog.Continue(self.pause_seconds)
        return {"total": float(ctx.state["total"])}
