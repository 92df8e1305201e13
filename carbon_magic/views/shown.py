"""A view in both its forms: IPython's `display` takes the HTML where there is a page and the text in a terminal."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from carbon_magic.views.plain import for_stream


class Shown(NamedTuple):
    """Text for terminals and logs, HTML for pages; the same figures in both."""

    text: str
    html: str

    def __repr__(self) -> str:
        return for_stream(self.text, sys.stdout)

    def __str__(self) -> str:
        return repr(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Without this IPython would print the parts of the tuple.
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html}
