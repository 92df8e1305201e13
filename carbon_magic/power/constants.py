"""Every number that the sensors and models stand on, once, each with where it comes from.

A measured figure is multiplied by a factor and a modelled one read from a curve; both are intervals, because how wrong
a figure may be is part of the figure. A source is named only where it was opened or computed from published raw data;
what rests on judgement says "judgement" and nothing else. Change a number here and only here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from carbon_magic.quantity import Interval


class Constant(NamedTuple):
    """One interval with its unit and its source, in words fit for the doctor and the documentation."""

    value: Interval
    unit: str
    source: str


class Number(NamedTuple):
    """One plain number with its unit and its source."""

    value: float
    unit: str
    source: str


_SPEC = "computed from published SPECpower_ssj2008 results, 5th and 95th percentile and median"
_TEADS = "computed from package power of bare-metal machines published by Teads (aws-instances.json)"
_CCF = "Cloud Carbon Footprint coefficients"
_SC24 = "computed from the published measurements of arXiv 2312.02741 (Overall_Results.xlsx)"
_FISCHER = "computed from 318 published runs on an i9-13900K with an RTX 4090 (Fischer 2025)"
_JUDGED = "judgement"

# The package model: power = TDP x f(u), u the busy part of the machine's CPUs, f straight between these points.
CPU_CURVE: Final[tuple[tuple[float, Constant], ...]] = (
    (0.0, Constant(Interval(0.05, 0.12, 0.25), "of TDP", f"{_TEADS}: .10 to .13; laptops lower; {_SPEC}: .10 to .34")),
    (0.1, Constant(Interval(0.18, 0.30, 0.45), "of TDP", f"{_TEADS}: .28 to .34 of full; {_SPEC}: .23 to .55")),
    (0.5, Constant(Interval(0.40, 0.65, 0.93), "of TDP", f"{_TEADS}: .61 to .93; {_SPEC}: .38 to .56 at the wall")),
    (1.0, Constant(Interval(0.75, 1.00, 1.30), "of TDP", f"{_SPEC}: .74 to 1.41; {_TEADS}: .88 to 1.31")),
)
# Desktops and laptops exceed their TDP in turbo, up to their short-term limit (PL2).
CPU_CURVE_CLIENT_FULL: Final = Constant(
    Interval(0.60, 1.00, 2.00), "of TDP", f"{_FISCHER}: 1.9 x base TDP at full load"
)

# Where nothing is known of the part: watts at the wall per hardware thread (vCPU), memory included.
VCPU_IDLE_W: Final = Constant(Interval(0.20, 0.65, 1.65), "W per vCPU, wall", f"{_SPEC}, servers since 2018 (n = 579)")
VCPU_FULL_W: Final = Constant(Interval(1.20, 3.30, 5.40), "W per vCPU, wall", f"{_SPEC}, servers since 2018 (n = 579)")

# Memory, by what is installed: it draws nearly the same however much of it is used. GB of memory are GiB.
RAM_W_PER_GIB: Final = Constant(
    Interval(0.10, 0.30, 0.60),
    "W per GiB",
    f"memory power of 6 Intel machines published by Teads, computed: .13 to .25 idle, .66 to 1.10 full; {_CCF}: .392; "
    "Green Algorithms: .3725",
)
RAM_W_PER_GIB_LPDDR: Final = Constant(Interval(0.03, 0.08, 0.20), "W per GiB", _JUDGED)

# A GPU that tells no power: (idle + slope x utilization) x TDP x factor.
GPU_IDLE_OVER_TDP: Final = Number(
    0.10, "of TDP", f"{_CCF}: T4 8 of 71 W, V100 35 of 306, A100 46 of 407, A10G 18 of 153"
)
GPU_SLOPE_OVER_TDP: Final = Number(0.80, "of TDP", f"{_JUDGED}, below the {_CCF}, which end at 1.02 x TDP")
GPU_CURVE_FACTOR: Final = Constant(Interval(0.50, 1.00, 1.40), "factor", _JUDGED)

# Idle power over full power, until the machine has been seen at rest.
IDLE_OVER_MAX: Final = Constant(Interval(0.10, 0.20, 0.34), "of full power", f"{_SPEC}, hardware since 2017 (n = 212)")

# True energy over what a sensor reads.
RAPL_PKG_INTEL: Final = Constant(Interval(0.95, 1.00, 1.05), "factor", _JUDGED)
RAPL_PKG_AMD: Final = Constant(
    Interval(0.90, 1.00, 1.10), "factor", f"{_JUDGED}; on Zen 2 RAPL is a model (arXiv 2108.00808)"
)
RAPL_DRAM: Final = Constant(Interval(0.85, 1.00, 1.20), "factor", _JUDGED)
NVML: Final = Constant(
    Interval(0.90, 1.00, 1.10), "factor", f"{_SC24}: most boards read 4 to 7 % low, one 11 to 13 % high"
)
NVML_SHORT: Final = Constant(
    Interval(0.65, 1.00, 1.40),
    "factor",
    "arXiv 2312.02741: 39.3 % mean error of naive energy measurement; A100 and H100 see 25 ms of every 100 ms",
)
IOREPORT: Final = Constant(Interval(0.85, 1.00, 1.15), "factor", f"{_JUDGED}; no independent validation found")
BATTERY: Final = Constant(Interval(0.95, 1.00, 1.05), "factor", f"{_JUDGED}, for a discharge of 2 min or more")
POWER_METER: Final = Constant(
    Interval(0.90, 1.00, 1.10), "factor", f"{_JUDGED}: chips that tell watts (hwmon, AMD SMI, meters named by the user)"
)

# A curve fitted to the machine: what other programs draw at the same load, over the mean of the two it was fitted with.
CALIBRATED_WORK: Final = Constant(
    Interval(0.90, 1.00, 1.25), "factor", f"{_JUDGED}: wide vector instructions draw more at the same load"
)
WALL_METER: Final = Constant(Interval(0.98, 1.00, 1.02), "factor", f"{_JUDGED}: a plug-in meter in its class")

# From the pins of the components to the plug: a factor and watts on top.
WALL_DESKTOP: Final = Constant(Interval(1.10, 1.20, 1.25), "factor", f"{_FISCHER}: fits of 1.18 to 1.24")
WALL_DESKTOP_W: Final = Constant(Interval(0.0, 30.0, 50.0), "W", f"{_FISCHER}: offsets of 16 to 45 W")
WALL_LAPTOP: Final = Constant(Interval(1.10, 1.30, 1.80), "factor", _JUDGED)
WALL_LAPTOP_W: Final = Constant(Interval(0.0, 5.0, 5.0), "W", f"{_JUDGED} (the screen)")
WALL_SERVER: Final = Constant(
    Interval(1.15, 1.40, 1.90), "factor", "Scaphandre issue 201: 87 W by RAPL were 166 W at the plug, 152 W were 277 W"
)

# Power usage effectiveness of the building.
PUE_OWN: Final = Constant(Interval.exact(1.0), "factor", "a machine outside a data centre, by definition")
PUE_CLOUD: Final = Constant(
    Interval(1.08, 1.15, 1.30), "factor", f"{_CCF}: AWS 1.135, GCP 1.1, Azure 1.185; bounds: {_JUDGED}"
)
PUE_DATACENTRE: Final = Constant(
    Interval(1.10, 1.56, 2.00), "factor", f"Green Algorithms v3 default 1.56; bounds: {_JUDGED}"
)

# Facts of the hardware that a rule stands on.
RAPL_UPDATE_S: Final = Number(0.001, "s", f"{_JUDGED}: the counter moves about every millisecond")
RAPL_STILL_S: Final = Number(2.0, "s", f"{_JUDGED}: a package's counter that does not move for so long is dead")
RAPL_UNKNOWN_MAX_W: Final = Number(400.0, "W", f"{_JUDGED}: a zone that tells no limit is taken to draw no more")
GPU_UNKNOWN_MAX_W: Final = Number(2000.0, "W", f"{_JUDGED}: a GPU that tells no limit is taken to draw no more")
RAPL_IMPLAUSIBLE: Final = Number(3.0, "x the highest power", f"{_JUDGED}: beyond it a jump is a reset, not energy")
POWER_LIMIT_NONE_W: Final = Number(
    1000.0, "W", "no TDP in data/cpu_power.txt exceeds 500 W; firmware writes values such as 4095 W to mean no limit"
)
TDP_TO_PEAK: Final = Number(2.0, "x TDP", f"{_FISCHER}: 1.9 x base TDP at full load")
TDP_LAPTOP_W: Final = Number(15.0, "W", f"{_JUDGED}: a usual laptop processor")
TDP_DESKTOP_W: Final = Number(65.0, "W", f"{_JUDGED}: a usual desktop processor")
MODEL_BURST_S: Final = Number(15.0, "s", f"{_JUDGED}: over a longer step the mean load hides bursts")
MODEL_RESOLUTION_S: Final = Number(0.2, "s", "CPU times are kept in ticks of 10 ms: 20 of them for 5 %")
MODEL_UPDATE_S: Final = Number(0.01, "s", "Linux kernel: CPU times are kept in ticks of 10 ms")
NVML_PERIOD_S: Final = Number(1.0, "s", f"{_JUDGED}: read faster, the energy counter falls short")
NVML_UPDATE_S: Final = Number(0.1, "s", "Alumet's README: the energy counter is refreshed every 20 to 100 ms")
NVML_SHORT_S: Final = Number(5.0, "s", "arXiv 2312.02741: measure 5 s or more")
GAUGE_PERIOD_S: Final = Number(0.25, "s", f"{_JUDGED}: four samples a second of a power that is not averaged")
GAUGE_LATE_S: Final = Number(3.0, "s", f"{_JUDGED}: over a longer gap the two samples say little of what lay between")
GAUGE_SAMPLES: Final = Number(10.0, "samples", f"{_JUDGED}: fewer momentary powers tell nothing of what lay between")
COUNTER_RESOLUTION_S: Final = Number(1.0, "s", f"{_JUDGED}: a counter that is read by the sampler alone, once a second")
BATTERY_UPDATE_S: Final = Number(8.0, "s", f"{_JUDGED}: a battery's gauge tells a smoothed value every few seconds")
BATTERY_RESOLUTION_S: Final = Number(120.0, "s", f"{_JUDGED}: the steps of energy_now are tens of joules")
DISAGREE: Final = Number(0.10, "of the better source", f"{_JUDGED}: the wider of the two factors of measured power")
AGREE_WINDOW_S: Final = Number(30.0, "s", f"{_JUDGED}: over less, the readings' own times make two sources differ")
