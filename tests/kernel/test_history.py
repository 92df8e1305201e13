"""`%carbon history` in a real kernel, and kernels that load the extension because of `carbon-magic enable`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.kernels import LOAD, Kernel, records, trouble
from unit.views.made_records import read_html

from carbon_magic.cli import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "records"
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(folder))
    return folder


@pytest.fixture
def kernel(kernel_name: str, tmp_path: Path, home: Path) -> Iterator[Kernel]:
    started = Kernel(kernel_name, tmp_path / "thesis")
    started.run(LOAD, allow_error=False)
    yield started
    started.close()


def shown(kernel: Kernel, line: str) -> tuple[str, str]:
    """The text and the words of the HTML that a line displays."""
    outcome = kernel.run(line, allow_error=False)
    (panel,) = outcome.panels()
    return panel["text/plain"], read_html(panel["text/html"])


def test_history_begins_empty_and_then_has_the_cells(kernel: Kernel) -> None:
    text, words = shown(kernel, "%carbon history --since 1h")
    assert text == words == "Nothing has been recorded in that time."
    kernel.run("%%carbon -n warm-up -q\nsum(range(1000))", allow_error=False)
    kernel.run("1 + 1", allow_error=False)
    text, words = shown(kernel, "%carbon history --by label --since=1d")
    assert "warm-up" in text
    assert "warm-up" in words
    assert "no label" in words
    text, words = shown(kernel, "%carbon history")
    assert text.startswith("Project")
    assert "thesis" in text
    assert "thesis" in words
    assert trouble(kernel) == "(None, None)"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--since yesterday", "'yesterday' names no moment. Examples: 90m, 36h, 7d"),
        ("--by projct", "cells are not grouped by 'projct'. Nearest: project"),
        ("--bye day", "there is no '--bye'. Nearest: --by"),
        ("--since", "--since misses its value"),
    ],
)
def test_a_wrong_option_raises_and_names_what_there_is(kernel: Kernel, line: str, said: str) -> None:
    outcome = kernel.run(f"%carbon history {line}")
    assert outcome.panels() == []
    assert f"%carbon history: {said}" in outcome.text("stderr") + str(outcome.content.get("evalue"))


def test_the_tab_key_completes_it(kernel: Kernel) -> None:
    def matches(line: str) -> list[str]:
        return list(kernel.request("complete_request", {"code": line, "cursor_pos": len(line)}).content["matches"])

    assert "history" in matches("%carbon hi")
    assert {"--since", "--by"} <= set(matches("%carbon history --"))
    assert {"project", "notebook", "day", "label"} <= set(matches("%carbon history --by "))
    assert "project" in matches("%carbon history --by pr")
    assert "7d" in matches("%carbon history --since ")


def test_enabling_lets_new_kernels_track_and_disabling_does_not(
    kernel_name: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text('c.InteractiveShellApp.extensions = ["autoreload"]\n')
    loaded = "sorted({'carbon_magic', 'autoreload', 'IPython.extensions.autoreload'} & "
    loaded += "get_ipython().extension_manager.loaded)"
    seen = []
    for command in ("enable", "disable"):
        assert main([command]) == 0
        kernel = Kernel(kernel_name, tmp_path / command, {"IPYTHONDIR": str(tmp_path / "ipython")})
        try:
            kernel.run("1 + 1", allow_error=False)
            seen.append(kernel.ask(loaded))
            if command == "enable":
                assert records(kernel) == 1
            assert "ollision" not in kernel.terminal()
        finally:
            kernel.close()
    assert [("carbon_magic" in found, "autoreload" in found) for found in seen] == [(True, True), (False, True)]
    assert [path.name for path in profile.glob("ipython_config*")] == ["ipython_config.py"]
