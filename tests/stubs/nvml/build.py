"""Builds the stand-in for NVIDIA's management library and writes the file that drives it.

The library has the real one's SONAME, so that once it is loaded whoever asks for `libnvidia-ml.so.1` gets it. What its
GPUs do stands in a small text file, named by an environment variable and read again at every call.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("stub.c")
SONAME = "libnvidia-ml.so.1"
STATE_VARIABLE = "NVML_STUB_STATE"

Value = str | int | float


def build(into: Path) -> Path:
    """Compile the library into a folder and return its path.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: it does not compile.
    """
    library = into / SONAME
    command = ["cc", "-std=gnu11", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", f"-Wl,-soname,{SONAME}"]
    subprocess.run([*command, "-o", str(library), str(SOURCE), "-lm"], check=True, capture_output=True)
    return library


def write_state(path: Path, gpus: Sequence[Mapping[str, Value]], start_s: float | None = None, init: int = 0) -> None:
    """Say what the GPUs do from now on; the keys of a GPU stand at the head of `stub.c`.

    Args:
        start_s: `time.monotonic()` of second 0 of the power profiles; now, where it is not given.
        init: what `nvmlInit` returns.
    """
    start_s = time.monotonic() if start_s is None else start_s
    lines = [f"init {init}", f"start {start_s!r}"]
    lines += ["gpu " + " ".join(f"{key}={value}" for key, value in gpu.items()) for gpu in gpus]
    # Written aside and moved, as the library may be reading it.
    aside = path.with_suffix(".new")
    aside.write_text("\n".join(lines) + "\n", encoding="ascii")
    aside.replace(path)
