"""Every constant is written once, with its unit and with where it comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carbon_magic.power import constants
from carbon_magic.power.constants import Constant, Number
from carbon_magic.quantity import Interval

NAMED = {
    name: value for name, value in vars(constants).items() if isinstance(value, (Constant, Number)) and name.isupper()
}
EVERY: dict[str, Constant | Number] = {
    **NAMED,
    **{f"CPU_CURVE[{load}]": constant for load, constant in constants.CPU_CURVE},
}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_constant_has_a_unit_and_a_source(name: str) -> None:
    assert len(EVERY[name].source) >= len("judgement")
    assert EVERY[name].unit


def test_no_number_stands_in_that_module_without_a_source() -> None:
    bare = {
        name
        for name, value in vars(constants).items()
        if name.isupper() and not isinstance(value, (Constant, Number, str)) and name != "CPU_CURVE"
    }
    assert bare == set()


def test_no_source_is_one_that_was_only_quoted_by_others() -> None:
    text = Path(constants.__file__).read_text(encoding="utf-8")
    assert not re.search(r"Khan|Desrochers|Hähnel|Raffin|Dauner|Jay\b|\[2nd\]|\[mem\]", text)


TABLE: dict[str, tuple[float, float, float]] = {
    # low, best and high as the project's page on measuring has them
    "CPU_CURVE[0.0]": (0.05, 0.12, 0.25),
    "CPU_CURVE[0.1]": (0.18, 0.30, 0.45),
    "CPU_CURVE[0.5]": (0.40, 0.65, 0.93),
    "CPU_CURVE[1.0]": (0.75, 1.0, 1.3),
    "CPU_CURVE_CLIENT_FULL": (0.6, 1.0, 2.0),
    "VCPU_IDLE_W": (0.2, 0.65, 1.65),
    "VCPU_FULL_W": (1.2, 3.3, 5.4),
    "RAM_W_PER_GIB": (0.10, 0.30, 0.60),
    "RAM_W_PER_GIB_LPDDR": (0.03, 0.08, 0.20),
    "GPU_CURVE_FACTOR": (0.5, 1.0, 1.4),
    "IDLE_OVER_MAX": (0.10, 0.20, 0.34),
    "RAPL_PKG_INTEL": (0.95, 1.0, 1.05),
    "RAPL_PKG_AMD": (0.90, 1.0, 1.10),
    "RAPL_DRAM": (0.85, 1.0, 1.20),
    "NVML": (0.90, 1.0, 1.10),
    "NVML_SHORT": (0.65, 1.0, 1.40),
    "IOREPORT": (0.85, 1.0, 1.15),
    "BATTERY": (0.95, 1.0, 1.05),
    "WALL_DESKTOP": (1.10, 1.20, 1.25),
    "WALL_DESKTOP_W": (0, 30, 50),
    "WALL_LAPTOP": (1.1, 1.3, 1.8),
    "WALL_SERVER": (1.15, 1.4, 1.9),
    "PUE_OWN": (1, 1, 1),
    "PUE_CLOUD": (1.08, 1.15, 1.3),
    "PUE_DATACENTRE": (1.1, 1.56, 2.0),
    "WALL_LAPTOP_W": (0, 5, 5),
    "POWER_METER": (0.90, 1.0, 1.10),
    "WALL_METER": (0.98, 1.0, 1.02),
    "CALIBRATED_WORK": (0.90, 1.0, 1.25),
}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_row_of_low_best_and_high(name: str) -> None:
    constant = EVERY[name]
    assert isinstance(constant, Constant)
    assert constant.value == Interval(*TABLE[name])


def test_there_is_no_interval_beside_the_table() -> None:
    assert {name for name, constant in EVERY.items() if isinstance(constant, Constant)} == set(TABLE)


def test_plain_numbers_of_the_gpu_curve_and_default_tdps() -> None:
    assert (constants.GPU_IDLE_OVER_TDP.value, constants.GPU_SLOPE_OVER_TDP.value) == (0.10, 0.80)
    assert (constants.TDP_LAPTOP_W.value, constants.TDP_DESKTOP_W.value) == (15.0, 65.0)


def test_a_number_is_written_in_the_constants_alone() -> None:
    folder = Path(constants.__file__).parent
    factors = re.compile(r"Interval\(0?\.[0-9]+, 1(\.0+)?, 1\.[0-9]+\)")
    found = [path.name for path in folder.glob("*.py") if factors.search(path.read_text(encoding="utf-8"))]
    assert found == ["constants.py"]
