"""Thumbnails of a picture. It needs Pillow, in the worker only: the API never imports a job."""

import base64
import binascii
import io
from typing import Any

from PIL import Image, UnidentifiedImageError
from pydantic import Field

import zerog


class Thumbnails(zerog.Job):
    """Make thumbnails of a picture that is given as base64; return them as PNG in base64."""

    # The web page has a field for a file here.
    picture: str = Field(json_schema_extra={"contentEncoding": "base64"})
    sizes: list[int] = [64, 256]

    class Options:
        queue = "media"
        timeout = 120

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        try:
            image = Image.open(io.BytesIO(base64.b64decode(self.picture, validate=True)))
            image.load()
        except (binascii.Error, UnidentifiedImageError, OSError) as error:
            raise zerog.Finish(422, f"this is no picture: {error}") from error
        thumbnails = {}
        for size in ctx.track(self.sizes):
            small = image.copy()
            small.thumbnail((size, size))
            file = io.BytesIO()
            small.save(file, "PNG")
            thumbnails[str(size)] = base64.b64encode(file.getvalue()).decode()
            ctx.info(f"{small.width} x {small.height}, {file.tell()} bytes")
        return {"width": image.width, "height": image.height, "thumbnails": thumbnails}
