"""`carbon-magic enable` and `disable` on files: what is there is kept, and disabling gives back the very bytes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.enable import disable, enable
from carbon_magic.run import UsageError

EXTENSION = "carbon_magic"


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    folder = tmp_path / "profile_default"
    folder.mkdir()
    return folder


def config(profile: Path, content: str | bytes) -> Path:
    path = profile / "ipython_config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def extensions(path: Path, key: str = "extensions") -> Any:
    return json.loads(path.read_text(encoding="utf-8"))["InteractiveShellApp"][key]


def test_without_anything_the_profile_and_its_file_are_made_and_taken_away_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "profile_default" / "ipython_config.json"
    said = enable(ipython_dir=tmp_path / "new")
    assert json.loads(path.read_text()) == {"InteractiveShellApp": {"extensions": [EXTENSION]}}
    assert str(path) in said
    assert "Already enabled" in enable(ipython_dir=tmp_path / "new")
    assert "Disabled" in disable(ipython_dir=tmp_path / "new")
    assert not path.exists()
    assert "Nothing to disable" in disable(ipython_dir=tmp_path / "new")
    assert not path.exists()


AS_FOUND = [
    "{}",
    "{\n}\n",
    '{"version": 1}',
    '{ "TerminalInteractiveShell" : {"confirm_exit": false} }',
    '{\n    "z": 1,\n    "a": [1,  2]\n}\n',
    '{\n\t"InteractiveShellApp": {\n\t\t"pylab": "inline"\n\t}\n}',
    '{\r\n  "InteractiveShellApp": {\r\n    "extensions": [\r\n      "a"\r\n    ],\r\n    "code": ""\r\n  }\r\n}\r\n',
    '{"InteractiveShellApp": {}}',
    '{"InteractiveShellApp": { }, "b": null}',
    '{"InteractiveShellApp": {"extensions": []}}',
    '{"InteractiveShellApp": {"extensions": [ ]}}',
    '{"InteractiveShellApp": {"extensions": ["autoreload" , "storemagic"]}, "b": "]}\\""}',
    '{"InteractiveShellApp": {"extensions": ["x"]}, "InteractiveShellApp": {"extensions": ["autoreload"]}}',
    ' \n{"Ünïcode": "→", "n": 1e400}\n\n',
]


@pytest.mark.parametrize("content", AS_FOUND)
def test_what_is_there_is_kept_and_disabling_gives_back_the_bytes(profile: Path, content: str) -> None:
    path = config(profile, content)
    before = json.loads(content)
    enable(ipython_dir=profile.parent)
    after = json.loads(path.read_text(encoding="utf-8"))
    listed = after["InteractiveShellApp"]["extensions"]
    assert listed == [*before.get("InteractiveShellApp", {}).get("extensions", []), EXTENSION]
    assert list(after) == list({**before, "InteractiveShellApp": None})
    assert {key: value for key, value in after.items() if key != "InteractiveShellApp"} == {
        key: value for key, value in before.items() if key != "InteractiveShellApp"
    }
    disable(ipython_dir=profile.parent)
    assert path.read_bytes() == content.encode()


def test_the_files_own_indentation_is_used(profile: Path) -> None:
    path = config(profile, '{\n    "a": 1\n}\n')
    enable(ipython_dir=profile.parent)
    assert path.read_text() == (
        '{\n    "a": 1,\n    "InteractiveShellApp": {\n        "extensions": [\n            "carbon_magic"\n'
        "        ]\n    }\n}\n"
    )


_SPACE = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", "\n\n    "])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _files(draw: Any) -> str:
    """A valid configuration, with white space anywhere."""

    def written(value: Any) -> str:
        before, after = draw(_SPACE), draw(_SPACE)
        if isinstance(value, dict):
            items = [f"{before}{json.dumps(key)}{draw(_SPACE)}:{draw(_SPACE)}{written(v)}" for key, v in value.items()]
            return "{" + ",".join(items) + after + "}"
        if isinstance(value, list):
            return "[" + ",".join(before + written(item) for item in value) + after + "]"
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    root = draw(st.dictionaries(st.text(max_size=4), _JSON, max_size=3))
    section = draw(st.none() | st.dictionaries(st.text(max_size=4), _JSON, max_size=2))
    if section is not None:
        listed = draw(st.none() | st.lists(st.sampled_from(["autoreload", "a.b", "ü"]), max_size=3))
        if listed is not None:
            section["extensions"] = listed
        root["InteractiveShellApp"] = section
        for key in draw(st.permutations(list(root))):
            root[key] = root.pop(key)
    return str(draw(_SPACE) + written(root) + draw(_SPACE))


@given(_files())
def test_any_file_comes_back(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    profile = tmp_path_factory.mktemp("ipython") / "profile_default"
    profile.mkdir()
    path = config(profile, content)
    before = json.loads(content)
    enable(ipython_dir=profile.parent)
    section = before.setdefault("InteractiveShellApp", {})
    section["extensions"] = [*section.get("extensions", []), EXTENSION]
    assert json.loads(path.read_bytes()) == before
    disable(ipython_dir=profile.parent)
    assert path.read_bytes() == content.encode()


@pytest.mark.parametrize(
    ("now", "then"),
    [
        # Written by hand, or changed after enabling: the name alone is taken out of the list.
        ('{"InteractiveShellApp": {"extensions": ["carbon_magic", "x"]}}', {"extensions": ["x"]}),
        ('{"InteractiveShellApp": {"extensions": ["x", "carbon\\u005fmagic" ,"y"]}}', {"extensions": ["x", "y"]}),
        (
            '{"InteractiveShellApp": {"extensions": ["carbon_magic", "x", "carbon_magic"], "code": "1"}}',
            {"extensions": ["x"], "code": "1"},
        ),
        (
            '{"InteractiveShellApp": {"extensions": ["carbon_magic"], "extra_extensions": ["y", "carbon_magic"]}}',
            {"extensions": [], "extra_extensions": ["y"]},
        ),
    ],
)
def test_disabling_what_was_written_by_hand(profile: Path, now: str, then: dict[str, Any]) -> None:
    path = config(profile, now)
    disable(ipython_dir=profile.parent)
    assert json.loads(path.read_text())["InteractiveShellApp"] == then


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{not json", "not valid JSON"),
        ("", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "InteractiveShellApp is not where"),
        ('{"InteractiveShellApp": 3}', "InteractiveShellApp is not where"),
        ('{"InteractiveShellApp": {"extensions": "autoreload"}}', "extensions is no list"),
    ],
)
def test_what_cannot_be_understood_is_left_as_it_is(profile: Path, content: str | bytes, said: str) -> None:
    path = config(profile, content)
    before = path.read_bytes()
    for change in (enable, disable):
        with pytest.raises(UsageError, match=said) as caught:
            change(ipython_dir=profile.parent)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [found.name for found in profile.iterdir()] == ["ipython_config.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_mode_and_links_are_kept(profile: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    target.chmod(0o640)
    (profile / "ipython_config.json").symlink_to(target)
    enable(ipython_dir=profile.parent)
    assert (profile / "ipython_config.json").is_symlink()
    assert extensions(target) == [EXTENSION]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["ipython_config.py", "ipython_kernel_config.py"])
def test_a_python_configuration_that_sets_extensions_keeps_them(profile: Path, name: str) -> None:
    """IPython would take the JSON's list instead of the Python file's."""
    python = profile / name
    python.write_text('c.InteractiveShellApp.extensions = ["autoreload"]\n')
    enable(ipython_dir=profile.parent)
    path = profile / "ipython_config.json"
    assert json.loads(path.read_text()) == {"InteractiveShellApp": {"extra_extensions": [EXTENSION]}}
    assert python.read_text() == 'c.InteractiveShellApp.extensions = ["autoreload"]\n'
    disable(ipython_dir=profile.parent)
    assert not path.exists()


def test_a_python_configuration_that_says_nothing_of_extensions_changes_nothing(profile: Path) -> None:
    (profile / "ipython_config.py").write_text('# c.InteractiveShellApp.extensions = ["carbon_magic"]\nc.X.y = 1\n')
    enable(ipython_dir=profile.parent)
    assert extensions(profile / "ipython_config.json") == [EXTENSION]


@pytest.mark.parametrize("line", ['extensions = ["carbon_magic"]', 'extensions.append("carbon_magic")'])
def test_a_python_configuration_that_loads_it_is_mentioned(profile: Path, line: str) -> None:
    python = profile / "ipython_config.py"
    python.write_text(f"c.InteractiveShellApp.{line}\n")
    assert f"Already enabled in {python}" in enable(ipython_dir=profile.parent)
    assert not (profile / "ipython_config.json").exists()
    said = disable(ipython_dir=profile.parent)
    assert f"{python} loads it too" in said
    assert python.read_text() == f"c.InteractiveShellApp.{line}\n"


def test_a_python_configuration_that_does_not_parse_may_set_anything(profile: Path) -> None:
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.extensions = [")
    enable(ipython_dir=profile.parent)
    assert extensions(profile / "ipython_config.json", "extra_extensions") == [EXTENSION]


def test_another_profile_is_made_and_a_mistyped_one_is_not(profile: Path) -> None:
    enable("work", ipython_dir=profile.parent)
    assert extensions(profile.parent / "profile_work" / "ipython_config.json") == [EXTENSION]
    assert not (profile / "ipython_config.json").exists()
    with pytest.raises(UsageError, match="did you mean 'work'"):
        enable("wrok", ipython_dir=profile.parent)
    assert sorted(found.name for found in profile.parent.iterdir()) == ["profile_default", "profile_work"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(profile: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a profile"):
        enable(name, ipython_dir=profile.parent)


def test_ipythons_own_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "mine"))
    enable()
    assert extensions(tmp_path / "mine" / "profile_default" / "ipython_config.json") == [EXTENSION]


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("ipython_config.py", 'c.InteractiveShellApp.extra_extensions = ["autoreload"]', "extensions"),
        ("ipython_config.py", 'c["InteractiveShellApp"]["extensions"] = ["autoreload"]', "extra_extensions"),
        ("ipython_config.py", 'setattr(c.InteractiveShellApp, "extensions", ["autoreload"])', "extra_extensions"),
        ("ipython_config.py", 'load_subconfig("base.py")', "extra_extensions"),
        ("ipython_config.py", "# c.InteractiveShellApp.extensions = []", "extensions"),
        ("ipython_kernel_config.json", '{"InteractiveShellApp": {"extensions": ["autoreload"]}}', "extra_extensions"),
        ("ipython_config.json", '{"IPKernelApp": {"extensions": ["autoreload"]}}', "extra_extensions"),
    ],
)
def test_a_list_that_is_set_elsewhere_is_never_replaced(profile: Path, file: str, text: str, key: str) -> None:
    (profile / file).write_text(text)
    enable(ipython_dir=profile.parent)
    assert extensions(profile / "ipython_config.json", key) == [EXTENSION]
    disable(ipython_dir=profile.parent)
    assert (profile / file).read_text() == text


def test_where_both_lists_are_set_elsewhere_nothing_is_done_and_said(profile: Path) -> None:
    (profile / "ipython_config.py").write_text("c.A.extensions = []\nc.A.extra_extensions = []\n")
    with pytest.raises(UsageError, match="add 'carbon_magic' to one of them"):
        enable(ipython_dir=profile.parent)
    assert not (profile / "ipython_config.json").exists()


@pytest.mark.parametrize("name", ["ipython_config.py", "ipython_config.json", "ipython_kernel_config.json"])
@pytest.mark.parametrize("where", ["environment", "machine"])
def test_what_environment_and_machine_say_is_looked_at(profile: Path, tmp_path: Path, name: str, where: str) -> None:
    shared = [tmp_path / "environment", tmp_path / "machine"]
    (tmp_path / where).mkdir()

    def say(listed: str) -> Path:
        file = tmp_path / where / name
        python = f"c.InteractiveShellApp.extensions = {listed}\n"
        file.write_text(python if name.endswith(".py") else f'{{"InteractiveShellApp": {{"extensions": {listed}}}}}')
        return file

    file = say('["autoreload"]')
    enable(ipython_dir=profile.parent, shared=shared)
    assert extensions(profile / "ipython_config.json", "extra_extensions") == [EXTENSION]
    disable(ipython_dir=profile.parent, shared=shared)
    say('["carbon_magic"]')
    assert enable(ipython_dir=profile.parent, shared=shared) == f"Already enabled in {file}."
    assert not (profile / "ipython_config.json").exists()
    assert f"{file} loads it too" in disable(ipython_dir=profile.parent, shared=shared)


def test_ipython_loads_what_was_enabled_beside_the_environments_list(tmp_path: Path) -> None:
    """IPython itself is asked, with its folders of environment and machine elsewhere."""
    shared = tmp_path / "environment"
    shared.mkdir()
    (shared / "ipython_config.json").write_text('{"InteractiveShellApp": {"extensions": ["autoreload"]}}')
    enable(ipython_dir=tmp_path / "own", shared=[shared])
    code = f"""
from IPython.core import application
application.ENV_CONFIG_DIRS[:] = [{str(shared)!r}]
application.SYSTEM_CONFIG_DIRS[:] = []
from IPython.terminal.ipapp import TerminalIPythonApp
app = TerminalIPythonApp.instance()
app.initialize([])
names = {{name.rpartition(".")[2] for name in app.shell.extension_manager.loaded}}
print(sorted({{"autoreload", "carbon_magic"}} & names))
"""
    environ = {**os.environ, "IPYTHONDIR": str(tmp_path / "own")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "['autoreload', 'carbon_magic']"


@pytest.mark.parametrize(
    "line",
    [
        'c.OtherApp.extensions = ["carbon_magic"]',
        'extensions = ["carbon_magic"]',
        'c.TerminalInteractiveShell.plugins.extensions = ["carbon_magic"]',
    ],
)
def test_a_list_of_anything_else_does_not_count_as_enabled(profile: Path, line: str) -> None:
    (profile / "ipython_config.py").write_text(line + "\n")
    assert "Enabled in" in enable(ipython_dir=profile.parent, shared=[])


@pytest.mark.parametrize("app", ["InteractiveShellApp", "TerminalIPythonApp", "IPKernelApp"])
def test_the_lists_of_ipythons_own_apps_count(profile: Path, app: str) -> None:
    (profile / "ipython_config.py").write_text(f'c.{app}.extra_extensions = ["carbon_magic"]\n')
    assert "Already enabled" in enable(ipython_dir=profile.parent, shared=[])
