"""The modules themselves: they are joined to one file where they show inline, and make no markup of text."""

from __future__ import annotations

import re

from browser.views_page import MODULES

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
