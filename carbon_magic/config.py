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
