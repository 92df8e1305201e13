"""Nothing reaches for a network unless the user configured it: with a guard on sockets, and where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import socket, sys

OPENED = []

def refuse(*arguments, **named):
    raise AssertionError(f"a network was asked: {arguments}")

if GUARD:
    class Guarded(socket.socket):
        def connect(self, address):
            OPENED.append(address)
            refuse(address)
        connect_ex = sendto = connect
    socket.socket = Guarded
    socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.io import capture_output

shell = InteractiveShell.instance()
with capture_output() as said:
    for cell in (
        "%load_ext carbon_magic",
        "sum(range(10**6));",
        "%%carbon -r SE\\nsum(range(10**6));",
        "%carbon",
        "%carbon region FR",
        "%carbon region --mix wind=0.5,gas=0.5",
        "%carbon doctor",
        "from carbon_magic import track\\nwith track('t', region='FR') as t: pass\\nt",
        "%carbon history",
    ):
        result = shell.run_cell(cell, store_history=True)
        result.raise_error()
from carbon_magic.cli import main
code = main(["regions", "paris"])
from carbon_magic.grid.locate import locate
locate()
assert OPENED == [], OPENED
assert "France" in said.stdout, said.stdout
sys.exit(code)
"""


def run(script: str, tmp_path: Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "CARBON_MAGIC_HOME": str(tmp_path / "records"),
        "AWS_REGION": "us-east-1",
        "HOME": str(tmp_path),
    }
    return subprocess.run(
        [*before, sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_opens_a_connection(tmp_path: Path) -> None:
    ended = run("GUARD = True\n" + WORK, tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_the_guard_sees_a_connection(tmp_path: Path) -> None:
    """Else the test above would hold for anything."""
    asking = "\nfrom carbon_magic.grid.metadata import _gcp\n_gcp('127.0.0.1:1')\n"
    ended = run("GUARD = True\n" + WORK.replace("assert OPENED == [], OPENED", asking), tmp_path)
    assert ended.returncode != 0
    assert "a network was asked" in ended.stderr


def test_in_an_empty_network_namespace_all_works(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare here")
    allowed = subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip("network namespaces are not permitted here")
    ended = run("GUARD = False\n" + WORK, tmp_path, (unshare, "-rn"))
    assert ended.returncode == 0, ended.stderr[-3000:]
