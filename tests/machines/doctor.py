"""What the doctor says of each machine of the gallery, as text: `python tests/machines/doctor.py --write` keeps it.

The pages are made by a process of their own. Where root runs it, it becomes nobody first, or files that only root may
read could be read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SNAPSHOTS = HERE / "snapshots"
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from machines.build import write_machine  # noqa: E402 - found by the path above
from machines.gallery import GALLERY, Exhibit  # noqa: E402
from machines.stand_ins import MadeUpKernel  # noqa: E402
from stubs.nvml.build import STATE_VARIABLE, write_state  # noqa: E402
from stubs.nvml.build import build as build_nvml  # noqa: E402

from carbon_magic.power.allotment import allotment  # noqa: E402
from carbon_magic.power.discover import discover  # noqa: E402
from carbon_magic.power.later import discover_later  # noqa: E402
from carbon_magic.power.machine import Machine  # noqa: E402
from carbon_magic.power.sources import Ways  # noqa: E402
from carbon_magic.quantity import Interval  # noqa: E402
from carbon_magic.snapshot import Place  # noqa: E402
from carbon_magic.views.doctor import Findings, doctor_text  # noqa: E402

_PLACE = Place("FR", "France", "config", Interval(30.0, 41.0, 57.0), "Ember", 2024, 1.0, "made up")


def text_of(exhibit: Exhibit, root: Path, library: Path | None) -> str:
    """The doctor's page of one machine, whose files stand below `root`."""
    machine = exhibit.machine(root) if exhibit.machine else Machine.of(root, "linux")
    events = (root / "sys/bus/event_source").exists()
    ways = Ways(
        exhibit.environ,
        (lambda: MadeUpKernel(exhibit.allows_events)) if events else None,
        lambda: exhibit.meters,
        exhibit.apple,
    )
    found = discover(machine, lambda: 0.0, ways=ways)
    found += discover_later(machine, ways, found, library if exhibit.gpus is not None else None)
    given = allotment(machine, exhibit.environ)
    for candidate in found:
        if candidate.sensor is not None:
            candidate.sensor.close()
    return doctor_text(
        Findings(
            candidates=found,
            idle_w={},
            tracking=True,
            scope=given.scope,
            scope_reason=given.reason,
            place=_PLACE,
            problems=(),
            versions="made up",
        )
    )


def texts(folder: Path, library: Path | None) -> dict[str, str]:
    """The doctor's pages of all machines that can be built here, by name; built below a folder."""
    state = folder / "nvml-state.txt"
    os.environ[STATE_VARIABLE] = str(state)
    told = {}
    for name, exhibit in GALLERY.items():
        if exhibit.gpus is not None:
            if library is None:
                continue
            write_state(state, exhibit.gpus)
        root = write_machine(exhibit.made_up, folder / name)
        if exhibit.made_up.root_only:
            for counter in root.rglob("energy_uj"):
                counter.chmod(0)  # closed to this process too, whose own the file is
        told[name] = text_of(exhibit, root, library)
    return told


def pages() -> dict[str, str]:
    """The same, by a process that is nobody."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        library = build_nvml(Path(folder)) if shutil.which("cc") and sys.platform == "linux" else None
        command = [sys.executable, __file__, folder, *([str(library)] if library else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


def main() -> None:
    if "--write" in sys.argv[1:]:
        told = pages()
        SNAPSHOTS.mkdir(exist_ok=True)
        for path in SNAPSHOTS.glob("*.txt"):
            path.unlink()
        for name, text in told.items():
            (SNAPSHOTS / f"{name}.txt").write_text(text, encoding="utf-8")
        print(f"{len(told)} pages written")
        return
    folder, *library = map(Path, sys.argv[1:])
    if hasattr(os, "getuid") and os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    print(json.dumps(texts(folder, library[0] if library else None)))


if __name__ == "__main__":
    main()
