"""The Mandelbrot set, row by row in plain Python: long enough to watch, and it goes on
where it was."""

import base64
import struct
import zlib
from typing import Any

import zerog

#: Rows between two checkpoints.
CHECKPOINT_ROWS = 40


class Mandelbrot(zerog.Job):
    """Draw the Mandelbrot set; return a greyscale PNG in base64."""

    width: int = 320
    height: int = 240
    iterations: int = 120

    class Options:
        max_crashes = 5

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        drawn = base64.b64decode(ctx.state.get("rows", ""))
        done = len(drawn) // self.width
        if done:
            ctx.info(f"goes on at row {done}, attempt {ctx.attempt}")
        rows = bytearray(drawn)
        ctx.set_ticks(self.height)
        ctx.tick(done)
        for y in range(done, self.height):
            ctx.check()
            rows += bytes(self._shade(x, y) for x in range(self.width))
            ctx.tick()
            if (y + 1) % CHECKPOINT_ROWS == 0:
                ctx.info(f"{y + 1} of {self.height} rows")
                self._checkpoint(ctx, rows)
        ctx.state.clear()
        return {"png": base64.b64encode(self._png(rows)).decode()}

    def _checkpoint(self, ctx: zerog.Context, rows: bytearray) -> None:
        """Keep what is drawn, as long as it fits into a job's state."""
        text = base64.b64encode(rows).decode()
        if len(text) < 60_000:
            ctx.state["rows"] = text
            ctx.save_state()

    def _shade(self, x: int, y: int) -> int:
        c = complex(3.5 * x / self.width - 2.5, 2.4 * y / self.height - 1.2)
        z = 0j
        for step in range(self.iterations):
            if abs(z) > 2:
                return 255 - step * 255 // self.iterations
            z = z * z + c
        return 0

    def _png(self, rows: bytearray) -> bytes:
        """Write 8-bit greyscale as PNG (RFC 2083): header, one compressed stream, end."""
        lines = b"".join(
            b"\0" + rows[at : at + self.width] for at in range(0, len(rows), self.width)
        )
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 0, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
