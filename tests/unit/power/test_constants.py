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


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        (constants.CPU_CURVE[0][1], (0.05, 0.12, 0.25)),
        (constants.CPU_CURVE[1][1], (0.18, 0.30, 0.45)),
        (constants.CPU_CURVE[2][1], (0.40, 0.65, 0.93)),
        (constants.CPU_CURVE[3][1], (0.75, 1.0, 1.3)),
        (constants.CPU_CURVE_CLIENT_FULL, (0.6, 1.0, 2.0)),
        (constants.VCPU_IDLE_W, (0.2, 0.65, 1.65)),
        (constants.VCPU_FULL_W, (1.2, 3.3, 5.4)),
        (constants.RAM_W_PER_GIB, (0.10, 0.30, 0.60)),
        (constants.RAM_W_PER_GIB_LPDDR, (0.03, 0.08, 0.20)),
        (constants.GPU_CURVE_FACTOR, (0.5, 1.0, 1.4)),
        (constants.IDLE_OVER_MAX, (0.10, 0.20, 0.34)),
        (constants.RAPL_PKG_INTEL, (0.95, 1.0, 1.05)),
        (constants.RAPL_PKG_AMD, (0.90, 1.0, 1.10)),
        (constants.RAPL_DRAM, (0.85, 1.0, 1.20)),
        (constants.NVML, (0.90, 1.0, 1.10)),
        (constants.NVML_SHORT, (0.65, 1.0, 1.40)),
        (constants.IOREPORT, (0.85, 1.0, 1.15)),
        (constants.BATTERY, (0.95, 1.0, 1.05)),
        (constants.WALL_DESKTOP, (1.10, 1.20, 1.25)),
        (constants.WALL_DESKTOP_W, (0, 30, 50)),
        (constants.WALL_LAPTOP, (1.1, 1.3, 1.8)),
        (constants.WALL_SERVER, (1.15, 1.4, 1.9)),
        (constants.PUE_OWN, (1, 1, 1)),
        (constants.PUE_CLOUD, (1.08, 1.15, 1.3)),
        (constants.PUE_DATACENTRE, (1.1, 1.56, 2.0)),
    ],
)
def test_the_table_of_constants(constant: Constant, expected: tuple[float, float, float]) -> None:
    assert constant.value == Interval(*expected)
