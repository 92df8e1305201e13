"""The doctor's page of every machine of the gallery, as it was reviewed."""

from __future__ import annotations

import sys

import pytest
from machines.doctor import SNAPSHOTS, pages
from machines.gallery import GALLERY


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    if sys.platform != "linux":
        pytest.skip("the machines are laid out with Linux's links and permissions")
    return pages()


def test_every_machine_has_a_page_and_every_page_a_machine() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} == set(GALLERY)
    assert len(GALLERY) >= 20


@pytest.mark.parametrize("name", sorted(GALLERY))
def test_the_page_is_the_one_that_was_reviewed(told: dict[str, str], name: str) -> None:
    if name not in told:
        pytest.skip("its GPUs need a C compiler")
    assert told[name] == (SNAPSHOTS / f"{name}.txt").read_text(encoding="utf-8")


def test_no_page_tells_where_the_machine_lies(told: dict[str, str]) -> None:
    assert not [name for name, text in told.items() if "/tmp" in text or "Error" in text]
