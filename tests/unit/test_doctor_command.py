"""`carbon-magic doctor` on made-up machines, and what a user without rights to the counters gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machines.build import build, write_machine
from machines.gallery import GALLERY

from carbon_magic.cli import main

NOBODY = 65534
UNPRIVILEGED = """
import json, os, sys
sys.path[:0] = {path!r}
# All that is imported later must be there before the rights to read this environment are gone.
import carbon_magic.session, carbon_magic.tracking, carbon_magic.power.later, carbon_magic.power.calibration
import carbon_magic.commands.doctor, carbon_magic.diagnosis, carbon_magic.views.doctor, carbon_magic.views.doctor_data
import carbon_magic.ledger.writer, carbon_magic.cli, carbon_magic.grid.regions, difflib, getpass, locale
from carbon_magic import track
from carbon_magic.cli import main
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
try:
    open({counter!r}).read()
except PermissionError:
    print("closed", file=sys.stderr)
with track("work") as work:
    sum(range(3_000_000))
record = work.record
print(json.dumps(dict(cpu=record.cpu_provenance, sensors=record.sensors, energy_j=record.energy_j,
    low=record.energy_j_low, high=record.energy_j_high)), flush=True)
sys.exit(main(["doctor", *sys.argv[1:]]))
"""


def unprivileged(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The record of some work, and what the doctor says, for a user who may not read the counters of a desktop."""
    root = build("root-only", tmp_path / "machine")
    home = tmp_path / "home"
    home.mkdir()
    counters = list(root.rglob("energy_uj"))
    if os.getuid() != 0:
        for counter in counters:
            counter.chmod(0)
    else:
        assert {oct(counter.stat().st_mode & 0o777) for counter in counters} == {"0o400"}
        os.chown(home, NOBODY, NOBODY)
        # What pytest makes is its user's alone; the machine's files are everybody's, but for the counters.
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o005 != 0o005 and folder.stat().st_uid == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
    for folder in ("proc/driver", "sys/class/power_supply", "sys/bus", "dev"):
        # As a sandbox hides them: nobody may look inside.
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(0)
    script = UNPRIVILEGED.format(path=[p for p in sys.path if p], nobody=NOBODY, counter=str(counters[0]))
    environ = {"CARBON_MAGIC_ROOT": str(root), "CARBON_MAGIC_HOME": str(home), "PATH": os.environ["PATH"], "TZ": "UTC"}
    environ |= {"XDG_RUNTIME_DIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environ, cwd="/", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "closed" in done.stderr, "the counters could be read"
    first, _, rest = done.stdout.partition("\n")
    return json.loads(first), rest


@pytest.mark.skipif(sys.platform != "linux", reason="powercap is Linux's")
def test_without_rights_the_figures_are_modelled_with_the_tdp_of_the_constraints(tmp_path: Path) -> None:
    record, told = unprivileged(tmp_path, "--json")
    assert record["cpu"] == "modelled"
    assert "cpu-model" in record["sensors"]
    assert not [name for name in record["sensors"] if name.startswith("powercap")]
    assert 0.0 < record["low"] < record["energy_j"] < record["high"]
    sensors = {sensor["name"]: sensor for sensor in json.loads(told)["sensors"]}
    model, counter = sensors["cpu-model"], sensors["powercap:package-0"]
    assert (model["used"], model["provenance"], model["tdp_w"]) == (True, "modelled", 125.0)
    assert model["figures"]["tdp_source"] == "powercap constraints"
    assert (counter["used"], counter["provenance"]) == (False, "measured")
    assert "readable by root only" in counter["reason"]
    assert 'SUBSYSTEM=="powercap"' in counter["fix"]
    assert "PLATYPUS" in counter["fix"]


@pytest.mark.skipif(sys.platform != "linux", reason="powercap is Linux's")
def test_without_rights_the_page_has_the_commands_and_what_they_expose(tmp_path: Path) -> None:
    lines = [line.strip() for line in unprivileged(tmp_path)[1].splitlines()]
    assert "udevadm trigger --subsystem-match=powercap" in lines
    assert "groupadd --system rapl" in lines
    assert any("PLATYPUS" in line for line in lines)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(name: str) -> None:
        monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build(name, tmp_path / name)))
        monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "home"))
        for variable in ("JUPYTERHUB_USER", "KUBERNETES_SERVICE_HOST", "SLURM_CPUS_ON_NODE", "CARBON_MAGIC_REGION"):
            monkeypatch.delenv(variable, raising=False)

    return use


def test_a_container_is_told_what_is_its_part(made_up: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made_up("quota-v2")
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scope"]["scope"] == "quota"
    assert "0.5 of 64 CPUs are set aside for this work (cgroup cpu.max), and 1 of 512 GiB" in found["scope"]["reason"]
    assert found["machine"]["cpus"] == 64
    assert found["tracking"] is None
    assert found["overhead"] is None
    assert set(found) == {
        *("sensors", "idle", "rest", "scope", "region", "tracking", "ledger"),
        *("problems", "overhead", "machine", "versions"),
    }


def test_two_sockets_are_said(made_up: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made_up("two-sockets")
    assert main(["doctor"]) == 0
    assert "There are 2 processor packages. Their energies are added up" in capsys.readouterr().out


def test_the_report_has_no_path(made_up: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up("root-only")
    assert main(["doctor", "--report"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("```text\ncarbon-magic ")
    assert str(tmp_path) not in told
    assert "12th Gen Intel(R) Core(TM) i7-12700K" in told
    assert "powercap:package-0" in told


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("REGION", "Fance", "CARBON_MAGIC_REGION: "),
        ("INTENSITY", "much", 'CARBON_MAGIC_INTENSITY is a number, not "much"'),
        ("INTENSITY", "-3", "CARBON_MAGIC_INTENSITY: "),
        ("INTENSITY_LOW", "12", "CARBON_MAGIC_INTENSITY_LOW: "),
        ("MIX", "wnd=1", 'CARBON_MAGIC_MIX: no fuel "wnd". Nearest: wind'),
        ("PUE", "0.5", "CARBON_MAGIC_PUE: "),
        ("NOTE", "x" * 300, "CARBON_MAGIC_NOTE: the note is at most 200 characters long"),
    ],
)
def test_what_cannot_be_in_the_environment_is_a_problem_beside_all_else(
    name: str,
    text: str,
    told: str,
    made_up: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made_up("laptop")
    monkeypatch.setenv(f"CARBON_MAGIC_{name}", text)
    assert main(["doctor", "--json"]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    (problem,) = found["problems"]
    assert problem.startswith(told)
    assert found["region"]["source"] == "unknown"
    assert [sensor["name"] for sensor in found["sensors"] if sensor["used"]] == ["cpu-model", "dram-model"]
    assert main(["doctor"]) == 1
    page = " ".join(capsys.readouterr().out.split())
    assert f"Problems {told}" in page
    assert "cpu-model" in page


def test_each_thing_that_cannot_be_is_told_and_the_rest_is_used(
    made_up: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up("laptop")
    for name, text in {"REGION": "Fance", "PUE": "x", "NOTE": "green power", "LIVE": "electricitymap"}.items():
        monkeypatch.setenv(f"CARBON_MAGIC_{name}", text)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [problem.split(" ")[0].rstrip(":") for problem in found["problems"]] == [
        "CARBON_MAGIC_PUE",
        "CARBON_MAGIC_REGION",
        "CARBON_MAGIC_LIVE",
    ]
    assert "FR" in found["problems"][1]
    assert found["region"]["note"] == "green power"
    monkeypatch.setenv("CARBON_MAGIC_REGION", "alices-house")
    assert main(["doctor", "--report"]) == 1
    report = capsys.readouterr().out
    assert "problem: CARBON_MAGIC_REGION" in report
    assert "alice" not in report


def test_with_a_region_that_is_one_nothing_is_wrong(
    made_up: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up("laptop")
    monkeypatch.setenv("CARBON_MAGIC_REGION", "FR")
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["region"]["region"], found["problems"]) == ("FR", [])


def test_one_form_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--json", "--report"])
    assert left.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_provider_that_does_not_exist_is_a_problem_whose_zone_is_in_no_report(
    made_up: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up("laptop")
    monkeypatch.setenv("CARBON_MAGIC_LIVE", "electricitymap")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["problems"]
    assert len(told) == 1
    assert told[0].startswith("CARBON_MAGIC_LIVE: No provider")
    assert "electricitymaps" in told[0]
    monkeypatch.setenv("CARBON_MAGIC_LIVE", "carbonintensity:a-token-by-mistake")
    assert main(["doctor", "--report"]) == 1
    report = capsys.readouterr().out
    assert "problem: CARBON_MAGIC_LIVE" in report
    assert "mistake" not in report


def test_the_host_of_a_source_of_power_is_in_no_report(
    made_up: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up("laptop")
    monkeypatch.setenv("CARBON_MAGIC_POWER_SOURCE", "http://plug.of-alice.example:81/#power")
    assert main(["doctor", "--report"]) == 0
    report = capsys.readouterr().out
    assert "other power-source: measured, not used" in report
    assert "alice" not in report


def test_a_limit_of_memory_alone_is_told_in_a_sentence_of_its_own(
    made_up: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up("quota-v2")
    (tmp_path / "quota-v2/sys/fs/cgroup/cpu.max").write_text("max 100000\n")
    assert main(["doctor", "--json"]) == 0
    scope = json.loads(capsys.readouterr().out)["scope"]
    assert scope["scope"] == "shared"
    assert scope["reason"].endswith(
        "share the machine. 1 of 512 GiB of memory are set aside for this work (cgroup memory.max)."
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes with names")
@pytest.mark.parametrize("name", ["intel_laptop_root_only", "ryzen_apu"])
def test_pipes_among_a_machines_files_keep_nobody_waiting(tmp_path: Path, name: str) -> None:
    root = write_machine(GALLERY[name].made_up, tmp_path)
    for file in [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]:
        file.unlink()
        os.mkfifo(file)
    command = [sys.executable, "-m", "carbon_magic", "doctor", "--json"]
    environ = {**os.environ, "CARBON_MAGIC_ROOT": str(root), "CARBON_MAGIC_HOME": str(tmp_path / "home")}
    ended = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=True)
    used = [sensor["name"] for sensor in json.loads(ended.stdout)["sensors"] if sensor["used"]]
    assert used in (["cpu-model"], ["vcpu-model"])
