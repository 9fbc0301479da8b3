"""The jobs: a worker imports this module (`ZEROG_JOBS=acme_media.jobs`)."""

import markdown

import zerog

from .texts import title_of


class RenderPage(zerog.Job):
    """Turn a Markdown text into HTML."""

    text: str

    class Options:
        queue = "pages"
        timeout = 60

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        title = title_of(self.text)
        if not title:
            raise zerog.Finish(422, "the page has no heading")
        ctx.info(f"renders {title!r}")
        return {"title": title, "html": markdown.markdown(self.text)}
