"""`carbon-magic methods` and `%carbon methods`: the page that says how the figures are made and what they leave out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "data" / "methods.md"
"""Ships with the package; `docs/methods.md` in the repository is the same page."""


class Page:
    """Markdown, which a notebook sets as a page and a terminal shows as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        from carbon_magic.views.plain import for_stream

        return for_stream(self.text, sys.stdout)

    def _repr_markdown_(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/markdown": self.text}


def methods_page() -> Page:
    """The page.

    Raises:
        OSError: it is not where the package was installed.
    """
    return Page(PAGE.read_text(encoding="utf-8").rstrip("\n"))


def methods() -> int:
    """Print it."""
    sys.stdout.write(repr(methods_page()) + "\n")
    return 0
