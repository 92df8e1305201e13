"""How figures are written: two significant digits, a prefix that keeps them short, bounds that never claim too much.

A figure has at most two decimals and a prefix that makes it 0.1 or more and less than 1,000, also after rounding. Its
low is rounded down and its high up, in the unit of the best, which is not repeated: `1.7 g (1.3–3.4)`. Number and unit
stand on one line. The text is for people: nothing parses it back.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from carbon_magic.quantity import Interval

NBSP = "\u00a0"
NOT_YET = "–"
"""Stands for a figure that will come."""
CO2E = "CO2e"
"""In plain text and in files."""
CO2E_SCREEN = "CO₂e"
"""On screen, where the font can be relied on."""

# Contexts of our own: a notebook may set the thread's to three digits, or have it trap.
_EXACT = Context(prec=400)
# Binary floats carry noise in the 16th digit; without this a bound of 0.3 that came out as 0.30000000000000004 would
# be rounded up to 0.31. Outward rounding therefore holds to one part in 10^12.
_SIGNIFICANT = Context(prec=12)
_ONE = Decimal(1)


class _Unit(NamedTuple):
    size: Decimal
    """In base units."""
    name: str
    smallest: Decimal = Decimal("0.1")
    """The least figure, as written, for which this unit is taken."""


class _Style(NamedTuple):
    """What a kind of figure is written in."""

    units: tuple[_Unit, ...]
    """Smallest first."""
    finest: int = -2
    """Power of ten of the last digit, at least."""
    coarsest: int = 1000
    """And at most: 0 writes every whole digit, where others stop at two."""
    base: int = 0
    """Which unit a plain 0 is written in."""


_ENERGY = _Style(
    tuple(
        _Unit(_EXACT.multiply(Decimal(3600), Decimal(size)), name)
        for size, name in (
            ("1e-6", "µWh"),
            ("1e-3", "mWh"),
            ("1", "Wh"),
            ("1e3", "kWh"),
            ("1e6", "MWh"),
            ("1e9", "GWh"),
            ("1e12", "TWh"),
        )
    ),
    base=2,
)
_MASS = _Style(
    (
        _Unit(Decimal("1e-6"), "µg"),
        _Unit(Decimal("1e-3"), "mg"),
        _Unit(_ONE, "g"),
        _Unit(Decimal("1e3"), "kg"),
        _Unit(Decimal("1e6"), "t"),
    ),
    base=2,
)
_POWER = _Style(
    (
        _Unit(Decimal("1e-6"), "µW"),
        _Unit(Decimal("1e-3"), "mW"),
        _Unit(_ONE, "W"),
        _Unit(Decimal("1e3"), "kW", smallest=_ONE),
        _Unit(Decimal("1e6"), "MW", smallest=_ONE),
    ),
    coarsest=0,
    base=2,
)
_SPAN = _Style(
    (
        _Unit(_ONE, "s", smallest=_ONE),
        _Unit(Decimal(60), "min", smallest=_ONE),
        _Unit(Decimal(3600), "h", smallest=_ONE),
        _Unit(Decimal(86_400), "days", smallest=_ONE),
        _Unit(Decimal(31_536_000), "years", smallest=_ONE),
    )
)
_INTENSITY = _Style((_Unit(_ONE, "g/kWh"),), finest=0, coarsest=0)
_PLAIN = _Style((_Unit(_ONE, ""),))


class Written(NamedTuple):
    """A figure with its bounds, each without a unit, and the unit they share."""

    figure: str
    low: str
    high: str
    unit: str

    @property
    def best(self) -> str:
        """`1.7 g`, with a no-break space."""
        return self.figure + NBSP + self.unit

    @property
    def bounds(self) -> str:
        """`(1.3–3.4)`."""
        return f"({self.low}–{self.high})"

    @property
    def alone(self) -> str:
        """`1.3–3.4 g`: the range where no best is known."""
        return f"{self.low}–{self.high}{NBSP}{self.unit}"

    def __str__(self) -> str:
        return f"{self.best} {self.bounds}"


def energy(joules: float) -> str:
    """Joules as µWh to TWh: `4.6 Wh`, `0.42 Wh`, `18 mWh`."""
    return _best(joules, _ENERGY)


def energy_range(joules: Interval) -> Written:
    """Joules with their range: `4.6 Wh (4.0–5.6)`."""
    return _written(joules, _ENERGY)


def mass(grams: float) -> str:
    """Grams as µg to t: `0.19 g`, `17 mg`."""
    return _best(grams, _MASS)


def mass_range(grams: Interval) -> Written:
    """Grams with their range: `1.7 g (1.3–3.4)`."""
    return _written(grams, _MASS)


def mass_span(low: float, high: float) -> str:
    """A range of grams without a best, in the unit of the high: `0.03–9.5 g`."""
    return _written(Interval(low, high, high), _MASS).alone


def power(watts: float) -> str:
    """Watts, whole from 10: `176 W`, `7.9 W`, `40 mW`, `1.2 kW`."""
    return _best(watts, _POWER)


def power_range(watts: Interval) -> Written:
    """Watts with their range: `176 W (160–195)`."""
    return _written(watts, _POWER)


def intensity(g_per_kwh: float) -> str:
    """A grid's intensity in whole g/kWh: `41 g/kWh`."""
    return _best(g_per_kwh, _INTENSITY)


def intensity_range(g_per_kwh: Interval) -> Written:
    """A grid's intensity with its range, in whole g/kWh: `41 g/kWh (24–79)`."""
    return _written(g_per_kwh, _INTENSITY)


def span_range(seconds: Interval) -> Written:
    """A length of time in one unit, for comparisons: `31 min (26–38)`."""
    return _written(seconds, _SPAN)


def count_range(things: Interval) -> Written:
    """How many of something, without a unit: `1.5 (1.1–2.2)`; exactly `1` where it is one as it is written."""
    figures = _written(things, _PLAIN)
    return figures._replace(figure=_trimmed(figures.figure))


def share(fraction: float) -> str:
    """A part of a whole in whole percent: `91 %`, `<1 %`; 0 only where it is exactly 0."""
    percent = round(fraction * 100)
    if percent < 1 and fraction > 0:
        return f"<1{NBSP}%"
    return f"{percent}{NBSP}%"


def ratio(value: float) -> str:
    """How many times as much: `0.68×`, `14×`."""
    return _written(Interval.exact(value), _PLAIN).figure + "×"


def duration(seconds: float) -> str:
    """How long something took: `0.04 s`, `18 s`, `1 min 34 s`, `2 h 14 min`, `3 d 4 h`."""
    if seconds < 59.5:
        return _trimmed(_written(Interval.exact(seconds), _PLAIN).figure) + f"{NBSP}s"
    if seconds < 3599.5:
        return _two_units(round(seconds), 60, "min", "s")
    if seconds < 86370:
        return _two_units(round(seconds / 60), 60, "h", "min")
    return _two_units(round(seconds / 3600), 24, "d", "h")


def running(seconds: float) -> str:
    """How long something has been running, whole seconds gone: `2:14`, `1:02:14`."""
    gone = int(seconds)
    minutes, rest = divmod(gone, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(written: str) -> str:
    """A figure below its sensor's resolution: `≈ 0.3 mWh`. The sign means this and nothing else."""
    number, space, unit = written.partition(NBSP)
    return f"≈{NBSP}{_trimmed(number)}{space}{unit}"


def _trimmed(number: str) -> str:
    """Without zeros at the end of its decimals, where they would claim a precision that is not there."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _two_units(count: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(count, per)
    first = f"{whole}{NBSP}{large}"
    return f"{first} {rest}{NBSP}{small}" if rest else first


def _decimal(value: float) -> Decimal:
    """The number as people would write it, shortest first, without the noise of binary."""
    return _SIGNIFICANT.create_decimal(repr(float(value)))


def _digits(value: Decimal, style: _Style, rounding: str = ROUND_HALF_EVEN) -> str:
    """The number in the style's digits, never with an exponent."""
    # Rounding up may add a digit (9.96 to 10.0); the second pass takes the superfluous decimal away again.
    for _ in range(2):
        exponent = min(max(value.adjusted() - 1, style.finest), style.coarsest) if value else style.finest
        value = value.quantize(_ONE.scaleb(exponent, _EXACT), rounding, _EXACT)
    return f"{value:f}"


def _figure(value: Decimal, style: _Style) -> str:
    """Like `_digits`, but what is not 0 is not written as 0: `<0.01`."""
    written = _digits(value, style)
    if value and not Decimal(written):
        return f"<{_ONE.scaleb(style.finest, _EXACT):f}"
    return written


def _bound(value: Decimal, style: _Style, rounding: str) -> str:
    written = _digits(value, style, rounding)
    return written if Decimal(written) else "0"


def _unit(value: Decimal, style: _Style) -> _Unit:
    """The largest unit in which the figure, rounded to two digits, is not too small; for 0 the base unit."""
    if not value:
        return style.units[style.base]
    two_digits = style._replace(finest=-1000)
    for unit in reversed(style.units):
        if Decimal(_digits(_EXACT.divide(value, unit.size), two_digits)) >= unit.smallest:
            return unit
    return style.units[0]


def _written(interval: Interval, style: _Style) -> Written:
    low, best, high = (_decimal(value) for value in (interval.low, interval.best, interval.high))
    unit = _unit(best or high, style)
    return Written(
        _figure(_EXACT.divide(best, unit.size), style) if best else "0",
        _bound(_EXACT.divide(low, unit.size), style, ROUND_FLOOR),
        _bound(_EXACT.divide(high, unit.size), style, ROUND_CEILING),
        unit.name,
    )


def _best(value: float, style: _Style) -> str:
    return _written(Interval.exact(value), style).best
