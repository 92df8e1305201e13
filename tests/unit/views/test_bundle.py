"""The browser's modules joined into one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from carbon_magic.views.bundle import BundleError, bundle

MODULES = {
    "one": "export const A = 1;\nconst own = 'one';\nexport function who() {\n  return own;\n}\n",
    "two": "import { A, who as other } from './one.js';\nconst own = 'two';\nexport const both = [own, other(), A];\n",
    "three": "import {\n  both,\n} from './two.js';\nimport { A } from './one.js';\nexport const all = [...both, A];\n",
    "ring": "import { back } from './back.js';\nexport const ring = back;\n",
    "back": "import { ring } from './ring.js';\nexport const back = ring;\n",
    "odd": "export default 5;\n",
    "lost": "import { x } from './nowhere.js';\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_modules_see_what_they_import_and_keep_their_own_names(folder: Path) -> None:
    joined = bundle("three", glue="console.log(JSON.stringify(m_three.all));", folder=folder)
    done = subprocess.run(["node", "--input-type=module", "-e", joined], capture_output=True, text=True, check=True)
    assert done.stdout == '["two","one",1,1]\n'


@pytest.mark.parametrize(
    ("name", "words"),
    [("ring", "ring > back > ring"), ("odd", "odd.js has a line"), ("lost", "nowhere.js cannot be read")],
)
def test_what_cannot_be_joined_is_named(folder: Path, name: str, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        bundle(name, glue="", folder=folder)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_panels_own_modules_are_one_module(tmp_path: Path) -> None:
    for number, name in enumerate(("frame", "chart", "hosted", "inline")):
        (tmp_path / f"{number}.mjs").write_text(bundle(name, glue="export default {};"), encoding="utf-8")
        subprocess.run(["node", "--check", str(tmp_path / f"{number}.mjs")], check=True)
