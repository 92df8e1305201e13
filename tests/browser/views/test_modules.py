"""The modules themselves: they are joined to one file where they show inline, and make no markup of text."""

from __future__ import annotations

import re

from browser.views_page import MODULES, Panels

IMPORT = re.compile(r"^import \{ [\w, \n]+ \} from '\./(\w+)\.js';$", re.MULTILINE)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
SCRIPTS = sorted(MODULES.glob("*.js"))


def test_modules_can_be_joined_to_one_file() -> None:
    names: dict[str, str] = {}
    for script in SCRIPTS:
        source = script.read_text(encoding="utf-8")
        assert "export default" not in source, script.name
        assert len(re.findall(r"^import ", source, re.MULTILINE)) == len(IMPORT.findall(source)), script.name
        assert set(re.findall(r"^export (\w+)", source, re.MULTILINE)) <= {"function", "const", "class", "async"}
        for name in TOP_LEVEL.findall(source):
            assert name not in names, f"{name} is in {script.name} and in {names[name]}"
            names[name] = script.name
    assert len(SCRIPTS) > 10


def test_no_module_makes_markup_of_text() -> None:
    for script in SCRIPTS:
        source = script.read_text(encoding="utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function", source
        )
        assert found == [], script.name


def joined() -> str:
    """All modules in one, those that are imported first, without their imports and exports."""
    sources = {script.stem: script.read_text(encoding="utf-8") for script in SCRIPTS}
    placed: dict[str, str] = {}

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in placed or name in above:
            return
        for wanted in IMPORT.findall(sources[name]):
            place(wanted, (*above, name))
        placed[name] = re.sub(r"^export ", "", IMPORT.sub("", sources[name]), flags=re.MULTILINE)

    for name in sources:
        place(name, ())
    return "\n".join(placed.values())


def test_the_joined_file_draws_the_panel(panels: Panels) -> None:
    panels.show("none")
    panels.page.add_script_tag(content=f"{joined()}\nwindow.joined = {{ mount }};", type="module")
    panels.page.wait_for_function("window.joined")
    panels.page.evaluate(
        """() => {
          const { host } = harness.makeHost(harness.fixtures.FIXTURES.example());
          const box = document.createElement('div');
          box.id = 'joined';
          document.body.append(box);
          window.endJoined = window.joined.mount(box, host);
        }"""
    )
    box = panels.page.locator("#joined")
    assert box.get_by_role("group", name="Energy: 41.3 watt-hours, between 34 and 52").is_visible()
    panels.page.evaluate("window.endJoined()")
    assert box.inner_html() == ""
