"""What other configuration files of IPython's do about extensions, as far as reading them tells: none is executed.

IPython reads a profile's `.py` and `.json` files, and before them those of the environment (`<sys.prefix>/etc/ipython`)
and of the machine (`/etc/ipython`). What one of them loads need not be loaded again, and a list that one of them sets
must not be set in another, which would replace it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

EXTENSION = "carbon_magic"
KEYS = ("extensions", "extra_extensions")
OWN = "ipython_config.json"
"""The file of a profile that is edited."""
SECTIONS = ("InteractiveShellApp", "TerminalIPythonApp", "IPKernelApp")
"""The classes whose lists IPython and its kernel load."""
MAX_BYTES = 4 << 20
"""A longer file is no configuration that people wrote."""

_PYTHON = ("ipython_config.py", "ipython_kernel_config.py")
_JSON = (OWN, "ipython_kernel_config.json")


class Elsewhere(NamedTuple):
    """What they do, all together."""

    sets: frozenset[str]
    """The keys whose lists are set, or may be."""
    loading: tuple[Path, ...]
    """The files that load the extension."""


def elsewhere(profile: Path, shared: Sequence[Path] | None = None) -> Elsewhere:
    """Look into every file but the profile's own JSON.

    Args:
        profile: the profile's folder.
        shared: the folders of environment and machine; those that IPython looks into if not said.
    """
    sets, loading = frozenset[str](), []
    for folder in (profile, *(_shared() if shared is None else shared)):
        for name in (*_PYTHON, *_JSON):
            path = folder / name
            if folder == profile and name == OWN:
                continue
            found = _python(path) if name in _PYTHON else _json(path)
            sets |= found.sets
            if found.loads:
                loading.append(path)
    return Elsewhere(sets, tuple(loading))


def sets_in_json(data: object) -> frozenset[str]:
    """The keys that occur in a part of a JSON configuration."""
    text = json.dumps(data)
    return frozenset(key for key in KEYS if f'"{key}"' in text)


class _File(NamedTuple):
    sets: frozenset[str]
    loads: bool


_NOTHING = _File(frozenset(), loads=False)


def _shared() -> list[Path]:
    """IPython's own list. It is that of this environment; a kernel of another one has its own."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    return [Path(folder) for folder in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS)]


def _python(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return _NOTHING
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # IPython says at its start what is wrong with the file; here it may set anything.
        return _File(frozenset(KEYS[:1]), loads=False)
    # However it is written: an attribute, an item, setattr. What another file sets cannot be seen from here.
    text = ast.unparse(tree)
    sets = frozenset(key for key in KEYS if re.search(rf"\b{key}\b", text))
    if "load_subconfig" in text:
        sets |= {KEYS[0]}
    statements = (
        part for part in ast.walk(tree) if isinstance(part, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr))
    )
    return _File(sets, loads=any(map(_loads, statements)))


def _loads(statement: ast.stmt) -> bool:
    """Whether a statement puts the extension into a list that IPython loads."""
    parts = list(ast.walk(statement))
    of_ipython = any(
        isinstance(part, ast.Attribute)
        and part.attr in KEYS
        and isinstance(part.value, ast.Attribute)
        and part.value.attr in SECTIONS
        for part in parts
    )
    return of_ipython and any(isinstance(part, ast.Constant) and part.value == EXTENSION for part in parts)


def _json(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return _NOTHING  # there is none, or IPython can read it no more than we
    sections = [data.get(name) for name in SECTIONS] if isinstance(data, dict) else []
    lists = [section.get(key) for section in sections if isinstance(section, dict) for key in KEYS]
    return _File(sets_in_json(data), loads=any(EXTENSION in listed for listed in lists if isinstance(listed, list)))
