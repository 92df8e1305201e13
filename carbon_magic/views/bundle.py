"""One module out of the browser's many: anywidget takes a single one, and the package has no build step.

Each module becomes a function that gives what it exports, in the order in which they need one another. The modules
keep to a narrow form, which is checked: imports by name from their neighbours at the top, and exports of functions,
classes and constants where they are declared.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

BROWSER = Path(__file__).parent / "browser"

_IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([a-z]+)\.js';$", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


class BundleError(ValueError):
    """A module is not in the form that can be joined. The message names it."""


def bundle(*names: str, glue: str, folder: Path = BROWSER) -> str:
    """The modules `names` and all that they need, as one module; `glue` stands after them and sees each as `m_NAME`.

    Raises:
        BundleError: a module is missing, has another form, or needs itself.
    """
    done: dict[str, str] = {}

    def add(name: str, needed_by: tuple[str, ...]) -> None:
        if name in needed_by:
            raise BundleError(f"modules need each other: {' > '.join([*needed_by, name])}")
        if name in done:
            return
        try:
            text = (folder / f"{name}.js").read_text(encoding="utf-8")
        except OSError as error:
            raise BundleError(f"{name}.js cannot be read: {error.strerror}") from None
        for _, needed in _IMPORT.findall(text):
            add(needed, (*needed_by, name))
        done[name] = _function(name, text)

    for name in names:
        add(name, ())
    return "\n".join([*done.values(), glue])


def _function(name: str, text: str) -> str:
    exported = [found for _, found in _EXPORT.findall(text)]
    text = _IMPORT.sub(lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = m_{found[2]};", text)
    text = _EXPORT.sub(r"\1 \2", text)
    left = _LEFT.search(text)
    if left is not None:
        raise BundleError(f"{name}.js has a line that cannot be joined: {left[0][:80]}")
    return f"const m_{name} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();"


@cache
def style() -> str:
    """The panel's stylesheet."""
    return (BROWSER / "panel.css").read_text(encoding="utf-8")
