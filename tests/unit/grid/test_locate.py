"""Where am I: each way in its order, on made-up roots and environments; a laptop stays where its time zone is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from carbon_magic.grid.choose import Whereabouts, choose, said_by
from carbon_magic.grid.locate import Found, by_zone, locate
from carbon_magic.grid.own import Said

Root = Callable[..., Path]

EC2 = {"sys_vendor": "Amazon EC2", "product_name": "m5.large"}
GCE = {"sys_vendor": "Google", "product_name": "Google Compute Engine"}
AZURE = {
    "sys_vendor": "Microsoft Corporation",
    "product_name": "Virtual Machine",
    "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
}
LAPTOP = {"sys_vendor": "LENOVO", "product_name": "20XW"}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Makes a root with what the firmware tells, cloud-init wrote and the system's time zone."""

    def made(
        dmi: Mapping[str, str] = LAPTOP,
        *,
        cloud_init: object = None,
        link: str | None = None,
        timezone: str | None = None,
    ) -> Path:
        folder = tmp_path / "sys/class/dmi/id"
        folder.mkdir(parents=True)
        for name, text in dmi.items():
            (folder / name).write_text(text + "\n")
        if cloud_init is not None:
            (tmp_path / "run/cloud-init").mkdir(parents=True)
            text = cloud_init if isinstance(cloud_init, str) else json.dumps(cloud_init)
            (tmp_path / "run/cloud-init/instance-data.json").write_text(text)
        (tmp_path / "etc").mkdir()
        if link is not None:
            (tmp_path / "etc/localtime").symlink_to(link)
        if timezone is not None:
            (tmp_path / "etc/timezone").write_text(timezone + "\n")
        return tmp_path

    return made


def v1(cloud: str, region: str | None, zone: str | None = None) -> dict[str, object]:
    return {"v1": {"cloud_name": cloud, "region": region, "availability_zone": zone}, "ds": {"meta_data": {}}}


PARIS = "/usr/share/zoneinfo/Europe/Paris"


def test_a_laptop_that_has_aws_region_stays_where_its_time_zone_is(root: Root) -> None:
    found = locate(root(link=PARIS), {"AWS_REGION": "us-east-1", "GOOGLE_CLOUD_REGION": "us-central1"})
    assert found == Found("FR", "timezone", "from the time zone Europe/Paris")


def test_on_ec2_the_same_variable_counts(root: Root) -> None:
    found = locate(root(EC2, link=PARIS), {"AWS_REGION": "us-east-1"})
    assert (found.region, found.source) == ("aws:us-east-1", "cloud")
    assert "AWS_REGION" in found.words


def test_cloud_init_wins_over_variables_and_time_zone(root: Root) -> None:
    found = locate(root(EC2, cloud_init=v1("aws", "eu-north-1"), link=PARIS), {"AWS_REGION": "us-east-1"})
    assert found == Found("aws:eu-north-1", "cloud-init", "from cloud-init: aws eu-north-1")


@pytest.mark.parametrize(
    ("told", "region"),
    [
        (v1("aws", "us-east-1"), "aws:us-east-1"),
        (v1("aws", None, "us-west-2b"), "aws:us-west-2"),
        (v1("gce", "us-central1", "us-central1-a"), "gcp:us-central1"),
        (v1("gce", None, "europe-west9-a"), "gcp:europe-west9"),
        (v1("azure", "westeurope"), "azure:westeurope"),
        (v1("azure", "West Europe"), "azure:westeurope"),
        (v1("aws", "us-nowhere-7"), None),
        (v1("digitalocean", "nyc1"), None),
        (v1("openstack", "us-east-1"), None),
        ({"v1": {"cloud_name": ["aws"], "region": {"a": 1}}}, None),
        ({"v1": []}, None),
        ([], None),
        ("{not json", None),
        ("[" * 100_000, None),
        ('{"v1": {"cloud_name": "aws", "region": "us-east-1", "x": "' + "x" * (1 << 20) + '"}}', None),
    ],
)
def test_what_cloud_init_wrote(root: Root, told: object, region: str | None) -> None:
    found = locate(root(cloud_init=told), {"TZ": "UTC"})
    assert (found.region, found.source) == (region, "cloud-init" if region else "unknown")


@pytest.mark.parametrize(
    ("dmi", "environ", "region"),
    [
        (EC2, {"AWS_DEFAULT_REGION": "eu-west-3"}, "aws:eu-west-3"),
        ({"sys_vendor": "Xen", "bios_version": "4.11.amazon"}, {"AWS_REGION": "eu-west-3"}, "aws:eu-west-3"),
        (GCE, {"GOOGLE_CLOUD_REGION": "europe-west9"}, "gcp:europe-west9"),
        (GCE, {"CLOUDSDK_COMPUTE_ZONE": "europe-west9-b"}, "gcp:europe-west9"),
        (GCE, {"AWS_REGION": "us-east-1"}, None),
        (EC2, {"AZURE_REGION": "westeurope"}, None),
        (AZURE, {"AZURE_REGION": "westeurope"}, "azure:westeurope"),
        ({**AZURE, "chassis_asset_tag": "1234"}, {"AZURE_REGION": "westeurope"}, None),
        ({"sys_vendor": "Google", "product_name": "Eve"}, {"GOOGLE_CLOUD_REGION": "europe-west9"}, None),
        (LAPTOP, {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12", "AWS_REGION": "eu-west-1"}, "aws:eu-west-1"),
        (LAPTOP, {"SAGEMAKER_INTERNAL_IMAGE_URI": "x", "AWS_DEFAULT_REGION": "eu-west-1"}, "aws:eu-west-1"),
        (LAPTOP, {"AWS_EXECUTION_ENV": "AWS_ECS_EXTERNAL", "AWS_REGION": "eu-west-1"}, None),
        (LAPTOP, {"AWS_SAM_LOCAL": "true", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_REGION": "eu-west-1"}, None),
        (LAPTOP, {"CLOUD_ML_PROJECT_ID": "1", "CLOUD_ML_REGION": "us-central1"}, "gcp:us-central1"),
        (LAPTOP, {"GOOGLE_CLOUD_LOCATION": "us-central1", "CLOUD_ML_PROJECT_ID": "1"}, None),
        (LAPTOP, {"AZUREML_RUN_ID": "r", "AZUREML_SERVICE_ENDPOINT": "https://eastus.api.azureml.ms"}, "azure:eastus"),
        (LAPTOP, {"AZUREML_RUN_ID": "r", "MLFLOW_TRACKING_URI": "azureml://eastus.api.azureml.ms/x"}, "azure:eastus"),
        (LAPTOP, {"AZUREML_RUN_ID": "r", "MLFLOW_TRACKING_URI": "https://eastus.api.evil.example"}, None),
        (LAPTOP, {"WEBSITE_INSTANCE_ID": "i", "REGION_NAME": "West Europe"}, "azure:westeurope"),
        (EC2, {"AWS_REGION": "us-nowhere-1"}, None),
        (EC2, {"AWS_REGION": "x" * 100_000}, None),
    ],
)
def test_a_providers_variables_count_only_there(
    root: Root, dmi: Mapping[str, str], environ: dict[str, str], region: str | None
) -> None:
    found = locate(root(dmi), {"TZ": "UTC", **environ})
    assert (found.region, found.source) == (region, "cloud" if region else "unknown")


@pytest.mark.parametrize("name", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_hosted_notebooks_are_somewhere_that_nobody_tells(root: Root, name: str) -> None:
    found = locate(root(GCE, link=PARIS), {name: "1", "GOOGLE_CLOUD_REGION": "us-central1"})
    assert (found.region, found.source) == (None, "unknown")
    assert "does not say" in found.words


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("Europe/Paris", "FR"),
        ("Asia/Calcutta", "IN"),
        ("Asia/Kolkata", "IN"),
        ("US/Eastern", "US"),
        ("America/New_York", "US"),
        ("America/Los_Angeles", "US"),
        ("America/Phoenix", "US-AZ"),
        ("America/Vancouver", "CA-BC"),
        ("Australia/Melbourne", "AU-VIC"),
        ("Asia/Shanghai", "CN"),
        ("Europe/Kiev", "UA"),
        ("Europe/Monaco", None),
        ("Antarctica/Troll", None),
        ("UTC", None),
        ("GMT", None),
        ("Etc/GMT+5", None),
        ("CET", None),
        ("EST5EDT", None),
        ("Europe/Atlantis", None),
        ("zone", None),
        ("Europe/Paris,FR", None),
        ("../../etc/passwd", None),
        ("", None),
    ],
)
def test_time_zones(zone: str, region: str | None) -> None:
    found = by_zone(zone)
    assert (found.region, found.source) == (region, "timezone" if region else "unknown")


def test_every_zone_of_the_table_is_a_region_or_says_why_not() -> None:
    from carbon_magic.grid.table import DATA, by_id

    lines = (DATA / "timezones.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == 598
    for line in lines:
        zone, _, region = line.split(",")
        found = by_zone(zone)
        assert found.region == (region or None)
        assert found.region is None or by_id(found.region).kind in ("country", "subdivision")
        assert zone in found.words


@pytest.mark.parametrize(
    ("made", "tz", "region", "word"),
    [
        ({"link": PARIS}, None, "FR", "Europe/Paris"),
        ({"link": "/var/db/timezone/zoneinfo/Europe/Berlin"}, None, "DE", "Europe/Berlin"),
        ({"link": "../usr/share/zoneinfo/posix/Europe/Berlin"}, None, "DE", "Europe/Berlin"),
        ({"timezone": "Europe/Rome"}, None, "IT", "Europe/Rome"),
        ({"timezone": "Etc/UTC", "link": PARIS}, None, "FR", "Europe/Paris"),
        ({"timezone": "Etc/UTC", "link": "/usr/share/zoneinfo/Etc/UTC"}, None, None, "Etc/UTC"),
        ({"link": PARIS}, "Europe/Berlin", "DE", "Europe/Berlin"),
        ({"link": PARIS}, ":Europe/Berlin", "DE", "Europe/Berlin"),
        ({"link": PARIS}, "/usr/share/zoneinfo/Europe/Berlin", "DE", "Europe/Berlin"),
        ({"link": PARIS}, "UTC", None, "UTC"),
        ({"link": PARIS}, "", None, "UTC"),
        ({"link": PARIS}, "CET-1CEST,M3.5.0,M10.5.0/3", None, "time zone"),
        ({}, None, None, "no time zone"),
    ],
)
def test_which_time_zone_it_is(root: Root, made: dict[str, str], tz: str | None, region: str | None, word: str) -> None:
    found = locate(root(**made), {} if tz is None else {"TZ": tz})
    assert found.region == region
    assert word in found.words


def test_what_was_said_wins_in_its_order_and_all_of_it_over_what_is_found(root: Root) -> None:
    here = Whereabouts(root(EC2, cloud_init=v1("aws", "eu-north-1")), {})
    environment = said_by({"CARBON_MAGIC_REGION": "de", "CARBON_MAGIC_PUE": "1.4"})
    levels = [("cell", Said("IT")), ("user", Said("FR")), ("config", Said("PL", pue=1.2)), ("environment", environment)]
    expected = [("IT", "cell", 1.2), ("FR", "user", 1.2), ("PL", "config", 1.2), ("DE", "environment", 1.4)]
    for index, wanted in enumerate(expected):
        found = choose(levels[index:], here)
        assert (found.region, found.source, found.pue) == wanted
    found = choose([], here)
    assert (found.region, found.source, found.found) == (
        "aws:eu-north-1",
        "cloud-init",
        "from cloud-init: aws eu-north-1",
    )


def test_where_nobody_said_and_nothing_shows_it_is_unknown(root: Root) -> None:
    found = choose([("environment", said_by({}))], Whereabouts(root(), {"TZ": "UTC"}))
    assert (found.region, found.source, found.known, found.found) == ("WORLD", "unknown", False, "time zone UTC")
