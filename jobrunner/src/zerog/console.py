"""The console of rich, for colours, bars and tables, through which no foreign text does harm.

rich writes escape sequences itself, so what it is given is made harmless before it is laid out:
by the one method through which it renders everything. Markup, links, emoji and highlighting in
texts are off. ruff forbids the original elsewhere.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from zerog.shown import shown


class ShownConsole(Console):
    """A console that shows what it is given, and obeys only rich."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object; called by rich for everything that it writes."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control:
                yield segment
            else:
                yield Segment("\n".join(map(shown, text.split("\n"))), style)
