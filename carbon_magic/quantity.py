"""A figure and how far it may be wrong.

Every figure this package shows is an `Interval`: the best estimate between a low and a high that hold the truth with
95 % confidence. The ways of combining intervals are few and named by what is known of the errors, because that alone
decides how the width grows: errors of *one* source go the same way and add up; errors of *independent* parts are
summed in quadrature; factors multiply, the half-widths of their logarithms in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """Low, best and high of one non-negative figure. The unit stands in the name of whatever holds the interval.

    Raises:
        ValueError: a bound is not a finite number of 0 or more, or they are not in order.
    """

    low: float
    best: float
    high: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.low <= self.best <= self.high < math.inf):
            raise ValueError(f"not an interval: low {self.low!r}, best {self.best!r}, high {self.high!r}")

    @classmethod
    def exact(cls, value: float) -> Interval:
        """A figure without error, such as a count or a definition."""
        return cls(value, value, value)

    def scaled(self, factor: float) -> Interval:
        """This figure times an exact number of 0 or more."""
        return Interval(self.low * factor, self.best * factor, self.high * factor)

    def plus(self, other: Interval) -> Interval:
        """The sum of two figures of the same source: errors go the same way, so lows and highs add."""
        return Interval(self.low + other.low, self.best + other.best, self.high + other.high)

    def times(self, other: Interval) -> Interval:
        """The product of two independent factors: half-widths of the logarithms in quadrature.

        A bound of 0 has no logarithm; it stays 0 below, and above the best is combined by the bounds themselves.
        """
        best = self.best * other.best
        if best == 0.0:
            return Interval(0.0, 0.0, self.high * other.high)
        low = 0.0
        if self.low > 0.0 and other.low > 0.0:
            low = best * math.exp(-math.hypot(_log_ratio(self.best, self.low), _log_ratio(other.best, other.low)))
        above = math.hypot(_log_ratio(self.high, self.best), _log_ratio(other.high, other.best))
        # Next to a best of almost 0 any high is endlessly many times as much; the bounds' own product holds it.
        high = best * math.exp(above) if above < _EXP_OVERFLOWS else self.high * other.high
        return Interval(min(low, best), best, max(high, best))


_EXP_OVERFLOWS = 709.0
"""`math.exp` of more than this is no float."""


def _log_ratio(larger: float, smaller: float) -> float:
    """The logarithm of a ratio that may itself be no float."""
    return math.log(larger) - math.log(smaller)


ZERO = Interval(0.0, 0.0, 0.0)


def sum_same_source(parts: Iterable[Interval]) -> Interval:
    """Sum of figures that share one source of error (one sensor over time or cells): lows and highs add."""
    total = ZERO
    for part in parts:
        total = total.plus(part)
    return total


def sum_independent(parts: Iterable[Interval]) -> Interval:
    """Sum of figures whose errors are independent (CPU by RAPL, GPU by NVML): half-widths in quadrature."""
    listed = list(parts)
    best = math.fsum(part.best for part in listed)
    below = math.hypot(*(part.best - part.low for part in listed))
    above = math.hypot(*(part.high - part.best for part in listed))
    return Interval(min(max(best - below, 0.0), best), best, max(best + above, best))
