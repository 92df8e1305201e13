"""What the sensors' tests share: made-up machines by name, and the stand-in for NVIDIA's library."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from machines.build import build
from stubs.nvml.build import STATE_VARIABLE, Value, write_state
from stubs.nvml.build import build as build_nvml

from carbon_magic.power.machine import Machine

Gpus = Callable[..., None]


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Machine]:
    """Builds a made-up Linux machine by its name."""

    def made(name: str) -> Machine:
        return Machine.of(build(name, tmp_path / name), "linux")

    return made


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled stand-in for `libnvidia-ml.so.1`."""
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        pytest.skip("the stand-in for NVML needs Linux and a C compiler")
    return build_nvml(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gpus:
    """Says what the GPUs of the stand-in do from now on."""
    state = tmp_path / "nvml-state.txt"
    monkeypatch.setenv(STATE_VARIABLE, str(state))

    def write(found: Sequence[Mapping[str, Value]], start_s: float | None = None, init: int = 0) -> None:
        write_state(state, found, start_s, init)

    return write
