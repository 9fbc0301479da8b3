"""The smallest job: parameters in, data out."""

import zerog


class SayHello(zerog.Job):
    """Greet somebody."""

    name: str
    greeting: str = "Hello"

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        ctx.info(f"greets {self.name}")
        return {"text": f"{self.greeting}, {self.name}!"}
