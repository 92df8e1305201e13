"""The doctor's findings on a page, as JSON, and as a block for bug reports."""

from __future__ import annotations

import html
import json
import os
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import RAPL_FIX, UDEV_RULE
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place
from carbon_magic.views.doctor import doctor_html, doctor_text
from carbon_magic.views.doctor_data import as_data, report
from carbon_magic.views.findings import GUESSED, MEASURED, MODEL, Findings, Idle, Overhead

EVIL = "<script>alert(1)</script> $x^2$ \x1b[31mred"
FOUND = Findings(
    candidates=[
        Candidate("powercap:package-0", "cpu", "measured", False, "Readable by root only.", RAPL_FIX, {"tdp_w": 125.0}),
        Candidate("cpu-model", "cpu", "modelled", True, "A curve.", None, {"tdp_w": 125.0, "client": True}),
        Candidate("powercap:dram-0", "dram", "measured", False, "Readable by root only.", RAPL_FIX),
        Candidate("plug", "other", "measured", False, f"It says {EVIL}.", watched=True),
    ],
    idle={"cpu-model": Idle(Interval(6.0, 15.0, 31.0), MODEL)},
    tracking=True,
    scope="dedicated",
    scope_reason="This is a desktop of your own.",
    place=Place("FR", "France", "config", Interval(30.0, 41.0, 57.0), "Ember", 2024, 1.0, "made up"),
    problems=[],
    versions={"carbon-magic": "1.2.3"},
    machine={"cpu": "A Processor", "form": "desktop", "memory_gib": None},
    overhead=Overhead(1.25, 300.0, 2 << 20, 5 << 20),
)


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_page_says_what_the_text_says() -> None:
    text, page = doctor_text(FOUND), words(doctor_html(FOUND))
    for sentence in (
        "Readable by root only.",
        "Idle power 15 W (6.0–31), from the model.",
        "The sampler's thread has used 1.25 s of CPU time in 5 min (0.25 s a minute).",
        "The readings take 2 MiB of memory. Loading added 5 MiB to the process.",
        "What opens it is told above.",
        "carbon-magic 1.2.3",
    ):
        assert sentence in " ".join(text.replace("\u00a0", " ").split())
        assert sentence in page.replace("\u00a0", " ")


def test_a_rule_is_whole_on_one_line_and_code_on_the_page() -> None:
    assert UDEV_RULE in [line.strip() for line in doctor_text(FOUND).splitlines()]
    codes = re.findall(r"<code[^>]*>(.*?)</code>", doctor_html(FOUND))
    assert [html.unescape(re.sub(r"<[^>]+>", "", code)) for code in codes] == [
        "groupadd --system rapl",
        "usermod --append --groups rapl USER",
        UDEV_RULE,
        "udevadm control --reload",
        "udevadm trigger --subsystem-match=powercap",
    ]


def test_what_a_device_says_is_harmless_in_every_form() -> None:
    page = doctor_html(FOUND)
    assert "<script" not in page
    assert "$x" not in page
    for told in (page, doctor_text(FOUND), report(FOUND)):
        assert "\x1b" not in told
    assert "var(" in page
    assert "<style" not in page


def test_the_idle_power_says_where_it_comes_from() -> None:
    for idle, said in (
        (Idle(Interval.exact(9.5), MEASURED, 7), "Idle power 9.5 W, measured in 7 quiet moments of this session."),
        (Idle(Interval(12.0, 25.0, 43.0), GUESSED), "Idle power 25 W (12–43), from the rated power until"),
    ):
        found = replace(FOUND, idle={"cpu-model": idle})
        assert said in " ".join(doctor_text(found).replace("\u00a0", " ").split())


def test_the_json_has_each_sensor_with_its_figures() -> None:
    data = json.loads(json.dumps(as_data(FOUND), allow_nan=False))
    model, zone, memory, plug = data["sensors"]
    assert (model["name"], model["used"], model["tdp_w"], model["figures"]) == (
        "cpu-model",
        True,
        125.0,
        {"tdp_w": 125.0, "client": True},
    )
    assert model["idle"] == {"power_w_low": 6.0, "power_w": 15.0, "power_w_high": 31.0, "origin": "model", "quiet": 0}
    assert (zone["used"], zone["fix"], zone["provenance"], zone["domain"]) == (False, RAPL_FIX, "measured", "cpu")
    assert (memory["tdp_w"], plug["compared"]) == (None, True)
    assert data["overhead"] == {
        "cpu_s": 1.25,
        "lasted_s": 300.0,
        "figures_bytes": 2 << 20,
        "loaded_bytes": 5 << 20,
    }
    assert (data["region"]["region"], data["region"]["intensity_g_per_kwh"]) == ("FR", 41.0)
    assert data["scope"]["reason"] == "This is a desktop of your own."
    assert data["problems"] == []


HOSTILE = {
    "USER": "alice",
    "HOME": "/home/alice smith",
    "HOSTNAME": "gpu-box.lab.example",
    "JUPYTERHUB_USER": "Ålice.B",
    "CARBON_MAGIC_ELECTRICITYMAPS_TOKEN": "s3cr3t",
    "MY_API_KEY": "(.*)+[",
    "GITHUB_TOKEN": "ghp_0123456789abcdefABCDEF",
    "DB_PASSWORD": "correct horse battery",
    "ZEUSD_SOCK_PATH": "/run/alice/zeusd.sock",
    "HTTPS_PROXY": "http://bob:hunter2@proxy.lab:3128",
}
SAID = [
    "kept in /home/alice smith/.local/share/carbon-magic",
    "ALICE could not open '/run/alice/zeusd.sock': denied",
    "asked http://bob:hunter2@proxy.lab:3128 and https://10.1.2.3/x?key=s3cr3t",
    "10.20.30.40:8080 and fe80::1ff:fe23:4567:890a answered for alice@lab.example",
    r"C:\Users\alice\ledger.db and \\server\share\x",
    "token ghp_0123456789abcdefABCDEF or s3cr3t or correct horse battery or (.*)+[",
    "on gpu-box.lab.example, gpu-box, for Ålice.B; al\u200bice; ~alice/notes; ```",
    "550e8400-e29b-41d4-a716-446655440000 eyJhbGciOiJIUzI1NiJ9aaa",
]
NEVER = ("alice", "Ålice", "gpu-box", "lab.example", "s3cr3t", "hunter2", "bob", "ghp_", "horse", "(.*)", "zeusd.sock")
NEVER += (
    "10.1.2.3",
    "10.20.30.40",
    "fe80",
    "C:\\",
    "\\\\server",
    ".local",
    "550e8400",
    "eyJ",
    "smith",
    "proxy",
    "notes",
)


def test_a_report_names_nobody() -> None:
    sensors = [
        Candidate(f"s{i}", "cpu", "measured", False, said, figures={"told": said}) for i, said in enumerate(SAID)
    ]
    found = replace(
        FOUND,
        candidates=[*FOUND.candidates, *sensors],
        problems=SAID,
        records=SAID[0],
        scope_reason=SAID[1],
        share_notes=SAID,
    )
    told = report(found, HOSTILE)
    assert [name for name in NEVER if name.lower() in told.lower()] == [], told
    assert told.count("```") == 2
    assert "France" not in told
    # What a maintainer needs is all there.
    for kept in ("carbon-magic 1.2.3", "cpu-model: modelled, used", "tdp_w 125", "scope dedicated", "form: desktop"):
        assert kept in told


def test_a_report_hides_this_user_and_this_host_whatever_the_environment_says() -> None:
    home, host = str(Path.home()), socket.gethostname()
    found = replace(FOUND, problems=[f"cannot write {home}/x on {host}"])
    told = report(found, {})
    assert home + "/" not in told
    assert host == "localhost" or not re.search(rf"(?<![A-Za-z0-9]){re.escape(host)}(?![A-Za-z0-9])", told)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no user database")
def test_the_report_of_a_user_without_an_entry() -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setuid(54321)
            code = 0 if "carbon-magic 1.2.3" in report(FOUND, {}) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
