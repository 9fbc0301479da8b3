"""A checkpoint inside an attempt: after a crash the job goes on where it was."""

import os

import zerog


class Factorial(zerog.Job):
    """Compute n! and survive the death of its process on the way."""

    n: int
    #: Die in front of this step, in the first attempt: to see that nothing is done twice.
    die_before: int = 0

    def run(self, ctx: zerog.Context) -> dict[str, str | int]:
        step = int(ctx.state.get("step", 0))
        product = int(ctx.state.get("product", "1"))
        if step:
            ctx.info(f"goes on after step {step}, attempt {ctx.attempt}")
        for k in range(step + 1, self.n + 1):
            ctx.check()
            if k == self.die_before and ctx.attempt == 1:
                os._exit(1)  # as an out-of-memory kill or a fault in a C library would
            product *= k
            ctx.state.update(step=k, product=str(product))
            ctx.save_state()  # stored now; without it, only when the attempt ends by itself
            ctx.set_completeness(k / self.n)
        return {"factorial": str(product), "attempts": ctx.attempt}
