"""The arithmetic that most sensors share: a counter's differences, or watts integrated over time, with their range.

A sensor of this kind is a name, a domain, a way to read one number and what that number is worth. What the number is
makes two classes: `Counter` (joules since some moment) and `Gauge` (watts); `GpuCounter` and `GpuGauge` tell besides
who used the GPU, as far as anybody can. Reading may fail and may block; none of them is read at a cell's border unless
it says that it is cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from carbon_magic.power.constants import (
    COUNTER_RESOLUTION_S,
    GAUGE_LATE_S,
    GAUGE_PERIOD_S,
    GAUGE_SAMPLES,
    POWER_METER,
    RAPL_IMPLAUSIBLE,
)
from carbon_magic.power.sensor import Domain, Fill, GpuUse, Provenance, Reading, SensorError
from carbon_magic.quantity import Interval

if TYPE_CHECKING:
    from carbon_magic.power.drm_clients import Clients


_STROKE_S = 0.25
"""Slack in judging a short step: a counter moves in strokes, and a step that catches one looks too powerful."""


def implausible(step_j: float, step_s: float, max_power_w: float | None) -> bool:
    """Whether no device of this highest power can have used so much in a step: then its driver told nonsense."""
    return max_power_w is not None and step_j > RAPL_IMPLAUSIBLE.value * max_power_w * (step_s + _STROKE_S)


class Cumulative:
    """Cumulative joules out of one number that is read again and again.

    Args:
        name: `kind:id`.
        read: asks the hardware; an OSError or a ValueError of it is a failed reading.
        factor: true energy over what is read.
        close: gives back whatever `read` holds.
    """

    provenance: Provenance = "measured"
    short: tuple[float, Interval] | None = None
    idle_is_exact = False

    def __init__(
        self,
        name: str,
        domain: Domain,
        read: Callable[[], float],
        *,
        factor: Interval = POWER_METER.value,
        cheap: bool = False,
        period_s: float = 1.0,
        update_s: float = 0.0,
        resolution_s: float = COUNTER_RESOLUTION_S.value,
        max_power_w: float | None = None,
        idle_power_w: Interval | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.domain: Domain = domain
        self.factor = factor
        self.cheap = cheap
        self.period_s = period_s
        self.update_s = update_s
        self.resolution_s = resolution_s
        self.max_power_w = max_power_w
        self.idle_power_w = idle_power_w
        # A processor's joules follow its load; of the rest nothing is known but that time passes.
        self.fill: Fill = "cpu" if domain == "cpu" and not cheap else "time"
        self.since_s: float | None = None
        """Since when it has told without a break."""
        self._read = read
        self._close = close
        self._last: tuple[float, float] | None = None
        self._total = Reading(0.0, 0.0, 0.0, 0.0)

    def peek(self) -> float:
        """The number as it stands.

        Raises:
            SensorError: it cannot be read at present.
        """
        try:
            return self._read()
        except OSError as error:
            raise SensorError(f"{self.name} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise SensorError(f"{self.name} tells nothing that can be used: {error}") from error

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules since the first call; `raw` is what `peek` returned."""
        if self._last is None:
            self._last = (time_s, raw)
            self.since_s = time_s
            self._total = self._total._replace(time_s=time_s)
            return self._total
        step_s = time_s - self._last[0]
        if step_s <= 0.0:  # nothing can be said of no time; the next step holds what this one brought
            return self._total
        step = self._step(step_s, self._last[1], raw)
        self._last = (time_s, raw)
        total = self._total
        self._total = Reading(time_s, total.low_j + step.low, total.energy_j + step.best, total.high_j + step.high)
        return self._total

    def _step(self, step_s: float, before: float, now: float) -> Interval:
        """Joules of a step of `step_s` between two numbers."""
        raise NotImplementedError

    def _scaled(self, step_j: float) -> Interval:
        return Interval(step_j * self.factor.low, step_j, step_j * self.factor.high)

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; the step since the last reading is dropped."""
        self._last = (time_s, raw)
        self.since_s = time_s
        self._total = self._total._replace(time_s=time_s)

    def close(self) -> None:
        """Give back what is held. Calling it again does nothing."""
        close, self._close = self._close, None
        if close is not None:
            close()


class Counter(Cumulative):
    """A counter of joules that runs on and never wraps; where it falls, or jumps, it was started anew."""

    _power_w = 0.0

    def _step(self, step_s: float, before: float, now: float) -> Interval:
        step_j = now - before
        if step_j < 0.0 or implausible(step_j, step_s, self.max_power_w):
            bridged_j = self._power_w * step_s
            return Interval(0.0, bridged_j, max(bridged_j, (self.max_power_w or 0.0) * step_s))
        self._power_w = step_j / step_s
        return self._scaled(step_j)


class Gauge(Cumulative):
    """Momentary watts, integrated. Over a gap the two samples say little: then the range is wide."""

    _lowest_w: float | None = None
    _highest_w = 0.0

    def __init__(
        self,
        name: str,
        domain: Domain,
        read: Callable[[], float],
        *,
        factor: Interval = POWER_METER.value,
        period_s: float | None = None,
        max_power_w: float | None = None,
        idle_power_w: Interval | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        period_s = period_s or (GAUGE_PERIOD_S.value if domain == "gpu" else 1.0)
        super().__init__(
            name,
            domain,
            read,
            factor=factor,
            period_s=period_s,
            resolution_s=GAUGE_SAMPLES.value * period_s,
            max_power_w=max_power_w,
            idle_power_w=idle_power_w,
            close=close,
        )

    def peek(self) -> float:
        """Watts as they stand.

        Raises:
            SensorError: they cannot be read at present, or the device cannot draw them.
        """
        power_w = super().peek()
        if self.max_power_w is not None and power_w > RAPL_IMPLAUSIBLE.value * self.max_power_w:
            raise SensorError(f"{self.name} tells {power_w:g} W and can draw {self.max_power_w:g} W")
        return power_w

    def _step(self, step_s: float, before: float, now: float) -> Interval:
        self._lowest_w = min(before, now) if self._lowest_w is None else min(self._lowest_w, before, now)
        self._highest_w = max(self._highest_w, before, now)
        step = self._scaled((before + now) / 2 * step_s)
        if step_s <= GAUGE_LATE_S.value * self.period_s:
            return step
        low_j = self._lowest_w * step_s * self.factor.low
        most_w = max(self.max_power_w or 0.0, self._highest_w)
        return Interval(min(low_j, step.low), step.best, max(most_w * step_s, step.high))


class _Used:
    """Who used a GPU. Where nobody tells whose processes it serves, perhaps nobody's, perhaps all ours."""

    busy: Callable[[], float | None] | None = None
    """How busy the GPU is, 0 to 1, where something tells."""
    present_w: Callable[[], float | None] | None = None
    """The GPU's power of the moment, where the counter is not read from it."""
    clients: Clients | None = None
    """The processes that have it open, where its driver tells what each of them does."""

    def power_w(self) -> float | None:
        """Present power in watts; None where nothing tells it, or where `peek` reads it already."""
        try:
            return self.present_w() if self.present_w is not None else None
        except (OSError, ValueError):  # the next reading decides whether the GPU is lost
            return None

    def use(self, pids: AbstractSet[int]) -> GpuUse:
        """Who used the GPU since the last call; where nobody tells, all of its work is taken for ours and none of it
        known to be."""
        try:
            busy = self.busy() if self.busy is not None else None
        except (OSError, ValueError):  # the next reading decides whether the GPU is lost
            busy = None
        told = self.clients.use(pids, busy) if self.clients is not None else None
        return told or GpuUse(1.0, busy, False)


class GpuCounter(_Used, Counter):
    """A GPU that counts its joules."""


class GpuGauge(_Used, Gauge):
    """A GPU that tells its watts."""
