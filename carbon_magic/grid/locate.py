"""Where this machine is, found offline: what to convert by where nobody said it.

In order: what cloud-init wrote down; a cloud provider's variables, only where the firmware or a managed service's own
variable shows that this is that provider (a laptop has `AWS_REGION` too); the time zone, which is an assumption until
people confirm it. UTC is no place. It takes a handful of bounded reads below a root that a test may replace. Nothing
here raises, and nothing is asked of any network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from carbon_magic.grid.table import DATA, PROVIDERS, table
from carbon_magic.power.machine import read_text


class Found(NamedTuple):
    """Where this machine is, as far as it shows."""

    region: str | None
    """An id of the table; None where it is unknown."""
    source: str
    """`cloud-init`, `cloud`, `metadata`, `timezone` or `unknown`."""
    words: str
    """How it was found, or why it was not: `from the time zone Europe/Paris`, `time zone UTC`."""


_CLOUD_INIT = "run/cloud-init/instance-data.json"
_CLOUD_INIT_BYTES = 1 << 20
_CLOUD_INIT_NAMES = {"aws": "aws", "ec2": "aws", "gce": "gcp", "gcp": "gcp", "azure": "azure"}

_AZURE_CHASSIS = "7783-7084-3265-9085-8269-3286-77"
"""The asset tag of each of Azure's virtual machines."""

_SERVICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "aws",
        (
            "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_NAME",
            "ECS_CONTAINER_METADATA_URI_V4",
            "SAGEMAKER_INTERNAL_IMAGE_URI",
            "SM_CURRENT_HOST",
        ),
    ),
    ("gcp", ("AIP_MODEL_DIR", "CLOUD_ML_JOB", "CLOUD_ML_PROJECT_ID")),
    ("azure", ("AZUREML_RUN_ID", "AZUREML_CR_AZUREML_CONTEXT", "WEBSITE_INSTANCE_ID")),
)
"""What only a provider's own service sets, and no software development kit on a laptop."""

_REGION_VARIABLES: dict[str, tuple[str, ...]] = {
    "aws": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "gcp": (
        "GOOGLE_CLOUD_REGION",
        "CLOUD_ML_REGION",
        "CLOUDSDK_COMPUTE_REGION",
        "GOOGLE_CLOUD_ZONE",
        "CLOUDSDK_COMPUTE_ZONE",
    ),
    "azure": ("AZURE_REGION", "AZURE_LOCATION", "REGION_NAME"),
}
"""`GOOGLE_CLOUD_LOCATION` is not among them: it says where a service is called, not where one is."""
_AZUREML_HOSTS = ("AZUREML_SERVICE_ENDPOINT", "MLFLOW_TRACKING_URI")
_AZUREML_DOMAINS = (".api.azureml.ms", ".experiments.azureml.ms", ".workspace.azureml.ms")

_HOSTED = (
    ("COLAB_RELEASE_TAG", "Google Colab"),
    ("COLAB_BACKEND_VERSION", "Google Colab"),
    ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle"),
)
"""Services that move work between regions and do not say to which."""

_NO_PLACES = frozenset({"", "uct", "zulu", "universal", "greenwich", "factory", "posixrules", "localtime"})
_NO_PLACES_BEGIN = ("etc/", "gmt", "utc")
_LONGEST_ZONE = 60


def locate(root: Path = Path("/"), environ: Mapping[str, str] | None = None) -> Found:
    """Where the machine whose files stand below `root` is. Takes a fraction of a millisecond. Never raises.

    Args:
        environ: the process's environment.
    """
    environ = os.environ if environ is None else environ
    for service, who in _HOSTED:
        if environ.get(service):
            return Found(None, "unknown", f"{who} does not say in which region it runs")
    found = _by_cloud_init(root) or _by_variables(root, environ)
    return found or _by_time_zone(root, environ)


def _by_cloud_init(root: Path) -> Found | None:
    text = read_text(root / _CLOUD_INIT, _CLOUD_INIT_BYTES)
    if not text:
        return None
    import json

    try:
        told = json.loads(text)
    except (ValueError, RecursionError):  # cut off, or not what it should be: it tells nothing
        return None
    v1 = told.get("v1") if isinstance(told, dict) else None
    if not isinstance(v1, dict):
        return None
    provider = next(
        (
            _CLOUD_INIT_NAMES[name]
            for key in ("cloud_name", "cloud-name", "platform")
            if isinstance(name := v1.get(key), str) and name in _CLOUD_INIT_NAMES
        ),
        None,
    )
    if provider is None:
        return None
    for key in ("region", "availability_zone", "availability-zone"):
        asked = v1.get(key)
        region_id = cloud_region(provider, asked) if isinstance(asked, str) else None
        if region_id is not None:
            return Found(region_id, "cloud-init", f"from cloud-init: {_said(region_id)}")
    return None


def provider_shown(root: Path, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The provider whose machine or service this is, and what shows it; None where nothing does."""
    if environ.get("AWS_SAM_LOCAL") or environ.get("AWS_EXECUTION_ENV") == "AWS_ECS_EXTERNAL":
        return None  # a laptop that plays Lambda, and a machine of one's own that Amazon only manages
    for provider, names in _SERVICES:
        shown = next((name for name in names if environ.get(name)), None)
        if shown is not None:
            return provider, shown
    dmi = root / "sys/class/dmi/id"
    vendor = read_text(dmi / "sys_vendor", 256) or ""
    if vendor == "Amazon EC2" or "amazon" in (read_text(dmi / "bios_version", 256) or "").lower():
        return "aws", "the firmware"
    # Google's laptops name it as their vendor too.
    if vendor == "Google" and read_text(dmi / "product_name", 256) in ("Google Compute Engine", "Google"):
        return "gcp", "the firmware"
    # So does Hyper-V, on anybody's desk, name Microsoft.
    if vendor == "Microsoft Corporation" and read_text(dmi / "chassis_asset_tag", 256) == _AZURE_CHASSIS:
        return "azure", "the firmware"
    return None


def _by_variables(root: Path, environ: Mapping[str, str]) -> Found | None:
    if not any(environ.get(name) for names in _REGION_VARIABLES.values() for name in (*names, *_AZUREML_HOSTS)):
        return None  # which provider this is does not matter then
    shown = provider_shown(root, environ)
    if shown is None:
        return None
    provider, by = shown
    for name in _REGION_VARIABLES[provider]:
        region_id = cloud_region(provider, environ.get(name, ""))
        if region_id is not None:
            return Found(region_id, "cloud", f"from {name}, on {PROVIDERS[provider]} by {by}")
    if provider == "azure":
        for name in _AZUREML_HOSTS:
            host = environ.get(name, "")[:200].lower().partition("://")[2].partition("/")[0]
            region, dot, domain = host.partition(".")
            region_id = cloud_region(provider, region) if dot + domain in _AZUREML_DOMAINS else None
            if region_id is not None:
                return Found(region_id, "cloud", f"from {name}, on Azure Machine Learning")
    return None


def cloud_region(provider: str, asked: str) -> str | None:
    """The id of a provider's region by its own spelling, or by that of one of its zones; None where there is none.

    Azure's long names (`West Europe`) are its short ones without the blank.
    """
    short = asked.strip().lower().replace(" ", "")
    if not short or len(short) > 60:
        return None
    short = short.rpartition("/")[2]  # Google's metadata: projects/1/zones/europe-west9-a
    rows = table().rows
    if f"{provider}:{short}" in rows:
        return f"{provider}:{short}"
    from carbon_magic.grid.names import region_of_zone

    zone = region_of_zone(f"{provider}:{short}")
    return zone if zone is not None and zone.startswith(f"{provider}:") and zone in rows else None


def _said(region_id: str) -> str:
    return region_id.replace(":", " ", 1)


def _by_time_zone(root: Path, environ: Mapping[str, str]) -> Found:
    said = None
    for zone, certain in _time_zones(root, environ):
        if zone.lower() in _NO_PLACES or zone.lower().startswith(_NO_PLACES_BEGIN):
            said = said or f"time zone {zone[:_LONGEST_ZONE] or 'UTC'}"
        else:
            found = by_zone(zone)
            if found.region is not None or certain:
                return found
            said = found.words
        if certain:
            break
    return Found(None, "unknown", said or "no time zone is set")


def _time_zones(root: Path, environ: Mapping[str, str]) -> list[tuple[str, bool]]:
    """The names of the time zone, and whether what comes next does not count."""
    asked = environ.get("TZ")
    if asked is not None:
        return [(_zone_name(asked), True)]
    zones = [_zone_name(text.splitlines()[0]) for text in [read_text(root / "etc/timezone", 256)] if text]
    with suppress(OSError):  # no link: the file does not tell its name
        zones.append(_zone_name(str((root / "etc/localtime").readlink())))
    return [(zone, False) for zone in zones]


def _zone_name(text: str) -> str:
    """The name in what `TZ`, `/etc/timezone` or the link says: `:Europe/Paris`, `/usr/share/zoneinfo/Europe/Paris`."""
    name = text.strip().removeprefix(":")
    if "zoneinfo" in name:
        name = name.rpartition("zoneinfo")[2].partition("/")[2]
    return name.removeprefix("posix/").removeprefix("right/")


def by_zone(zone: str) -> Found:
    """The region that a time zone means: a state where it lies in one, else the country.

    Old names (`Asia/Calcutta`) are known. Of a rule such as `CET-1CEST` nothing is.
    """
    plain = zone.isascii() and all(char.isalnum() or char in "_+/-" for char in zone)
    if not plain or not 0 < len(zone) <= _LONGEST_ZONE:
        return Found(None, "unknown", "the time zone's name says no place")
    content = read_text(DATA / "timezones.csv", 1 << 20) or ""
    # One line is wanted of six hundred: finding it by its text takes a tenth of reading them all.
    start = content.find(f"\n{zone},")
    if start < 0:
        return Found(None, "unknown", f"time zone {zone}")
    _, country, region_id = content[start + 1 :].partition("\n")[0].split(",")
    if not country:
        return Found(None, "unknown", f"time zone {zone}")
    if not region_id or region_id not in table().rows:
        return Found(None, "unknown", f"time zone {zone}, for whose grid there is no figure")
    return Found(region_id, "timezone", f"from the time zone {zone}")
