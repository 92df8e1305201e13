"""The Python environments in which kernels are tried, and kernel specs that start them.

There are two: the one that the tests run in, at the upper end of the supported versions, and the one that holds Google
Colab's pins, at the lower. `make test` builds both and names their executables in `CARBON_MAGIC_TEST_PYTHONS`,
separated as in `PATH`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ("here", "colab")


def environment_pythons() -> dict[str, Path]:
    """The Python executables to try kernels in, by the names in `ENVIRONMENTS`; what is missing is left out."""
    named = [Path(part) for part in os.environ.get("CARBON_MAGIC_TEST_PYTHONS", "").split(os.pathsep) if part]
    if not named:
        folder, executable = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        named = [Path(sys.executable), ROOT / ".venv-colab" / folder / executable]
    return {name: python for name, python in zip(ENVIRONMENTS, named, strict=False) if python.exists()}


def write_kernel_spec(jupyter_path: Path, name: str, command: list[str], language: str = "python") -> None:
    """Install a kernel spec under a folder of `JUPYTER_PATH`; `-f {connection_file}` is added to its command."""
    folder = jupyter_path / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"argv": [*command, "-f", "{connection_file}"], "display_name": name, "language": language}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
