"""Kernels for tests: shared ones, as a kernel takes a second to start, and fresh ones where a test needs its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from kernel.kernels import LOAD, Kernel

FORGET = """\
for _name in [n for n in get_ipython().user_ns if n not in get_ipython().user_ns_hidden and n[0] != "_"]:
    del get_ipython().user_ns[_name]
"""

COUNT = "get_ipython().execution_count"

Start = Callable[..., Kernel]


class Pair(NamedTuple):
    """Two kernels that have lived through the same, but that one tracks its cells."""

    tracked: Kernel
    plain: Kernel


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pair]]:
    """The pair of an environment, started when first asked for, and anew where a test has parted it."""
    pairs: dict[str, Pair] = {}

    def pair_of(kernel_name: str) -> Pair:
        pair = pairs.get(kernel_name)
        if pair is None or not alike(pair):
            if pair is not None:
                close(pair)
            folder = tmp_path_factory.mktemp(kernel_name)
            pair = pairs[kernel_name] = Pair(
                Kernel(kernel_name, folder / "tracked"), Kernel(kernel_name, folder / "plain")
            )
            pair.tracked.run(LOAD, allow_error=False)
            pair.plain.run("pass", allow_error=False)
        return pair

    def alike(pair: Pair) -> bool:
        if not (pair.tracked.alive() and pair.plain.alive()):
            return False
        ends = [kernel.run(FORGET, silent=True, store_history=False, expressions={"n": COUNT}) for kernel in pair]
        return all(end.status == "ok" for end in ends) and ends[0].value("n") == ends[1].value("n")

    def close(pair: Pair) -> None:
        for kernel in pair:
            kernel.close()

    yield pair_of
    for pair in pairs.values():
        close(pair)


@pytest.fixture
def pair(pool: Callable[[str], Pair], kernel_name: str) -> Pair:
    """A tracked kernel and a plain one, shared by a module's tests; the user's names are cleared before each test."""
    return pool(kernel_name)


@pytest.fixture(scope="module")
def lone_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kernel]]:
    """The tracked kernel of an environment, for tests that compare it with nothing."""
    kernels: dict[str, Kernel] = {}

    def kernel_of(kernel_name: str) -> Kernel:
        kernel = kernels.get(kernel_name)
        if kernel is None or not kernel.alive():
            if kernel is not None:
                kernel.close()
            kernel = kernels[kernel_name] = Kernel(kernel_name, tmp_path_factory.mktemp(kernel_name) / "lone")
            kernel.run(LOAD, allow_error=False)
        kernel.run(FORGET, silent=True, store_history=False, allow_error=False)
        return kernel

    yield kernel_of
    for kernel in kernels.values():
        kernel.close()


@pytest.fixture
def tracked(lone_pool: Callable[[str], Kernel], kernel_name: str) -> Kernel:
    """A tracked kernel, shared by a module's tests; the user's names are cleared before each test."""
    return lone_pool(kernel_name)


@pytest.fixture
def start(kernel_name: str, tmp_path: Path) -> Iterator[Start]:
    """Starts fresh kernels of an environment, and ends them after the test."""
    started: list[Kernel] = []

    def begin(folder: str = "work", environ: dict[str, str] | None = None, options: tuple[str, ...] = ()) -> Kernel:
        kernel = Kernel(kernel_name, tmp_path / folder, environ, options)
        started.append(kernel)
        return kernel

    yield begin
    for kernel in started:
        kernel.close()
