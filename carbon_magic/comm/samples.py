"""The power of a session over time, for charts: a value a second for the last hour, one in ten seconds before.

Numbers are kept in arrays, so a day is a third of a mebibyte. A gap (the machine slept, nothing was tracked) is a row
without numbers, which a chart does not draw through.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

FINE_S = 3600.0
COARSE_S = 10.0
MOST_COARSE = 60_480
"""Seven days of coarse rows; older ones are dropped."""
_SPARE = 512
"""Fine rows are made coarse so many at a time, because cutting an array at its front moves all of it."""


class Sample(NamedTuple):
    """Watts at one time, in seconds since 1970; None where not known, all three at a gap."""

    time: float
    cpu: float | None
    gpu: float | None
    dram: float | None


class Samples:
    """The samples of one session. One thread adds, any thread reads what it was given."""

    def __init__(self) -> None:
        self._fine = tuple(array("d") for _ in range(4))
        self._coarse = tuple(array("d") for _ in range(4))

    def add(self, sample: Sample) -> None:
        """Add one; it is left out where its time does not lie after the last one's."""
        times = self._fine[0]
        if times and sample.time <= times[-1]:
            return
        for column, value in zip(self._fine, sample, strict=True):
            column.append(math.nan if value is None else value)
        if len(times) > 2 * _SPARE and times[_SPARE] < sample.time - FINE_S:
            self._coarsen(_SPARE)

    def since(self, time: float) -> list[Sample]:
        """The fine ones after a time."""
        times = self._fine[0]
        first = len(times)
        while first and times[first - 1] > time:
            first -= 1
        return [self._row(self._fine, index) for index in range(first, len(times))]

    def thinned(self, most: int) -> list[Sample]:
        """All of them in at most `most` rows: the last five minutes as they are, means of what was before."""
        rows = [self._row(columns, index) for columns in (self._coarse, self._fine) for index in range(len(columns[0]))]
        if len(rows) <= most:
            return rows
        recent = [row for row in rows if row.time > rows[-1].time - 300.0][-most // 2 :]
        before = rows[: len(rows) - len(recent)]
        size = -(-len(before) // max(most - len(recent), 1))
        return [*(_mean(before[start : start + size]) for start in range(0, len(before), size)), *recent]

    def _coarsen(self, count: int) -> None:
        rows = [self._row(self._fine, index) for index in range(count)]
        for column in self._fine:
            del column[:count]
        group: list[Sample] = []
        for row in rows:
            # A gap stands for itself: a mean over it would close it.
            if group and (row.time - group[0].time >= COARSE_S or _is_gap(row) or _is_gap(group[-1])):
                self._keep(_mean(group))
                group = []
            group.append(row)
        self._keep(_mean(group))
        if len(self._coarse[0]) > MOST_COARSE:
            for column in self._coarse:
                del column[: MOST_COARSE // 10]

    def _keep(self, sample: Sample) -> None:
        for column, value in zip(self._coarse, sample, strict=True):
            column.append(math.nan if value is None else value)

    @staticmethod
    def _row(columns: Sequence[array[float]], index: int) -> Sample:
        time, *watts = (column[index] for column in columns)
        cpu, gpu, dram = (None if math.isnan(value) else value for value in watts)
        return Sample(time, cpu, gpu, dram)


def _is_gap(sample: Sample) -> bool:
    return sample.cpu is None and sample.gpu is None and sample.dram is None


def _mean(rows: Sequence[Sample]) -> Sample:
    """The mean of what is known, at the time of the last row."""

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return math.fsum(known) / len(known) if known else None

    return Sample(
        rows[-1].time,
        mean([row.cpu for row in rows]),
        mean([row.gpu for row in rows]),
        mean([row.dram for row in rows]),
    )
