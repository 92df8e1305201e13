"""What the panel says where there is nothing to track, in dark, and of names that are code."""

from __future__ import annotations

import json
import re
import sys

import pytest
from browser.lab_server import Lab, Server
from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=document.title='owned'>"
WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "carbon_magic":
            raise ModuleNotFoundError("No module named 'carbon_magic'", name=name)

sys.meta_path.insert(0, Missing())
from ipykernel.kernelapp import main
main()
"""


@pytest.fixture(scope="module")
def kernels(server: Server) -> None:
    """A kernel that says it runs R, and one whose environment lacks the package."""
    for name, command, language in (
        ("made-up-r", [sys.executable, "-m", "ipykernel_launcher"], "R"),
        ("without", [sys.executable, "-c", WITHOUT], "python"),
    ):
        folder = server.root.parent / "home" / "data" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": [*command, "-f", "{connection_file}"], "display_name": name, "language": language}
        (folder / "kernel.json").write_text(json.dumps(spec))


@pytest.mark.usefixtures("kernels")
def test_other_languages_and_a_missing_package_have_their_words(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("r.ipynb", ["1"], kernel="made-up-r", language="R"))
    expect(lab.panel.get_by_text("Tracking needs a Python kernel.")).to_be_visible(timeout=20_000)
    expect(lab.panel.get_by_role("button", name="Change kernel…")).to_be_visible()
    lab.shoot("7-other-language")
    lab.open(server.notebook("without.ipynb", ["1"], kernel="without"))
    lab.panel.get_by_role("button", name="Start tracking").click()
    expect(lab.panel.get_by_text("%pip install carbon-magic")).to_be_visible(timeout=20_000)
    lab.shoot("8-missing")
    lab.command("notebook:close-and-shutdown")
    lab.page.get_by_role("button", name=re.compile("Shut ?down|Ok|OK", re.IGNORECASE)).last.click()
    expect(lab.panel.get_by_role("heading", name="No notebook is open")).to_be_visible()


def test_dark_and_hostile_names(lab: Lab, server: Server) -> None:
    name = server.notebook(f"{HOSTILE}.ipynb", [f"%%carbon -n \"{HOSTILE}\"\n'{HOSTILE}'"])
    lab.open(name)
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_be_visible()
    expect(lab.panel.locator(".cbm-Header-name")).to_have_text(name)
    lab.panel.get_by_role("button", name=re.compile("Sources")).click()
    lab.until("() => document.body.dataset.jpThemeLight === 'false'")
    lab.shoot("9-dark-hostile")
    assert lab.page.locator(".cbm-Panel img, .cbm-Badge img, .cbm-Status img").count() == 0
    assert lab.page.title() != "owned"
    ground = lab.panel.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert ground != "rgb(255, 255, 255)"
    lab.command("apputils:change-theme", theme="JupyterLab Light")
    lab.until("() => document.body.dataset.jpThemeLight === 'true'")
