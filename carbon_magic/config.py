"""The settings of `%config CarbonMagic`, checked when they are set: a wrong one raises and names what is near."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Float, TraitError, Unicode, validate
from traitlets.config import Configurable


class CarbonMagic(Configurable):
    """What carbon-magic measures by and converts with.

    Set for one session with `%config CarbonMagic.region = "FR"`, for all with `c.CarbonMagic.region = "FR"` in
    ipython_config.py.
    """

    auto_track = Bool(True, help="Track every cell. Without, only cells that begin with %%carbon.").tag(config=True)
    region = Unicode(
        None, allow_none=True, help="The grid: FR, US-CA, aws:eu-north-1. Unset, CARBON_MAGIC_REGION is looked at."
    ).tag(config=True)
    pue = Float(
        None,
        allow_none=True,
        help="Power usage effectiveness of the building, 1 to 10. Unset, 1, or a cloud region's published one.",
    ).tag(config=True)
    intensity = Float(
        None,
        allow_none=True,
        help="One's own figure in g CO2e/kWh over the life cycle, in place of a region's, 0.1 to 5000.",
    ).tag(config=True)
    intensity_low = Float(None, allow_none=True, help="The low of that figure. Unset, 40 % less.").tag(config=True)
    intensity_high = Float(None, allow_none=True, help="The high of that figure. Unset, 40 % more.").tag(config=True)
    intensity_name = Unicode(None, allow_none=True, help='What that figure is of: "our solar roof".').tag(config=True)
    mix = Unicode(
        None, allow_none=True, help="One's own mix of power stations, in place of a region: wind=0.6,gas=0.4."
    ).tag(config=True)
    region_note = Unicode(
        None,
        allow_none=True,
        help="What reports are to say beside the region: certificates bought, offsets. It changes no figure.",
    ).tag(config=True)
    cloud_metadata = Bool(
        False, help="Ask the cloud's metadata service, at a link-local address, for the region. Unset, nobody is asked."
    ).tag(config=True)
    scope = Enum(
        ("auto", "dedicated", "shared"),
        "auto",
        help="Whether the machine is one's own (its idle power counts whole) or shared (by the CPU time used).",
    ).tag(config=True)
    project = Unicode(
        None, allow_none=True, help="The project in the records. Unset, the git repository's or the folder's name."
    ).tag(config=True)
    keep_source = Bool(False, help="Keep the text of each cell with its record, and not only a hash of it.").tag(
        config=True
    )
    interval_s = Float(1.0, help="Seconds between two readings while a cell runs, 0.2 to 10.").tag(config=True)
    rest_interval_s = Float(10.0, help="Seconds between two readings at rest, 1 to 60.").tag(config=True)
    live = Unicode(
        None,
        allow_none=True,
        help="Ask for the live intensity: electricitymaps, carbonintensity, with :ZONE if need be. Unset, nobody is.",
    ).tag(config=True)

    power_source = Unicode(
        None,
        allow_none=True,
        help="A meter of the whole machine that may be asked over HTTP: http://127.0.0.1:8080/metrics#METRIC, or "
        "#path.into.json, @W, @mW, @J or @kWh behind it. It shows the rest of the machine and is never added.",
    ).tag(config=True)
    power_source_host = Unicode(
        None, allow_none=True, help="The host of power_source where it is not this machine, named to allow it."
    ).tag(config=True)

    @validate("power_source")
    def _check_power_source(self, proposal: Any) -> str | None:
        if not proposal.value:
            return None
        from carbon_magic.power.named import WrongSource, source_of

        try:
            source_of(proposal.value, self.power_source_host)
        except WrongSource as error:
            raise TraitError(str(error)) from error
        return str(proposal.value)

    keep_live = Bool(
        False,
        help="Keep the panel's figures coming while the kernel is idle. An idle kernel is then not culled while"
        " somebody looks.",
    ).tag(config=True)

    @validate("region")
    def _check_region(self, proposal: Any) -> str | None:
        if not proposal.value:
            return None
        from carbon_magic.grid.regions import UnknownRegion, region

        try:
            return region(proposal.value).id
        except UnknownRegion as error:
            raise TraitError(str(error)) from error

    @validate("intensity", "intensity_low", "intensity_high")
    def _check_intensity(self, proposal: Any) -> float | None:
        given = {name: getattr(self, name) for name in ("intensity", "intensity_low", "intensity_high")}
        given[proposal.trait.name] = proposal.value
        if given["intensity"] is not None:
            from carbon_magic.grid.own import OwnFigureError, checked_intensity

            try:
                checked_intensity(given["intensity"], given["intensity_low"], given["intensity_high"])
            except OwnFigureError as error:
                raise TraitError(str(error)) from error
        return None if proposal.value is None else _within(proposal.trait.name, proposal.value, 0.0, 5000.0)

    @validate("mix")
    def _check_mix(self, proposal: Any) -> str | None:
        if not proposal.value:
            return None
        from carbon_magic.grid.own import OwnFigureError, parse_mix

        try:
            parse_mix(proposal.value)
        except OwnFigureError as error:
            raise TraitError(str(error)) from error
        return str(proposal.value)

    @validate("intensity_name", "region_note")
    def _check_text(self, proposal: Any) -> str | None:
        if not proposal.value:
            return None
        from carbon_magic.grid.own import OwnFigureError, checked_text

        try:
            return checked_text(proposal.trait.name, proposal.value)
        except OwnFigureError as error:
            raise TraitError(str(error)) from error

    @validate("pue")
    def _check_pue(self, proposal: Any) -> float | None:
        return None if proposal.value is None else _within("pue", proposal.value, 1.0, 10.0)

    @validate("interval_s")
    def _check_interval(self, proposal: Any) -> float:
        return _within("interval_s", proposal.value, 0.2, 10.0)

    @validate("rest_interval_s")
    def _check_rest_interval(self, proposal: Any) -> float:
        return _within("rest_interval_s", proposal.value, 1.0, 60.0)

    @validate("live")
    def _check_live(self, proposal: Any) -> str | None:
        if not proposal.value:
            return None
        from carbon_magic.grid.live.choose import UnknownProvider, choice

        try:
            found = choice(proposal.value)
        except UnknownProvider as error:
            raise TraitError(str(error)) from error
        return "off" if found is None else str(found)

    def _load_config(self, cfg: Any, section_names: Any = None, traits: Any = None) -> None:
        """traitlets only warns of a setting that does not exist, and later."""
        for name in cfg.get("CarbonMagic", {}):
            if name not in self.trait_names(config=True):
                from difflib import get_close_matches

                near = get_close_matches(name, self.trait_names(config=True), n=2, cutoff=0.4)
                known = ", ".join(near or sorted(self.trait_names(config=True)))
                raise TraitError(f"CarbonMagic has no setting {name!r}. Nearest: {known}")
        super()._load_config(cfg, section_names, traits)


def _within(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise TraitError(f"{name} is a number from {low:g} to {high:g}, not {value!r}")
    return value
