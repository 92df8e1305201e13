"""What all tests share: an environment of their own, and the Python environments in which kernels are tried.

Tests that start a kernel take `kernel_python` (an executable) or `kernel_name` (a kernel spec that starts it) and so
run once in each environment of `environments.py`. Where one is missing its tests are skipped, but under CI they fail.
"""

from __future__ import annotations

import os
import socketserver
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from environments import ENVIRONMENTS, environment_pythons, write_kernel_spec

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("carbon-magic", deadline=None)
hypothesis.settings.load_profile("carbon-magic")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing of the developer's own settings, kernels or records is seen or touched by a test."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CARBON_MAGIC_")]:
            if name != "CARBON_MAGIC_TEST_PYTHONS":
                patch.delenv(name)
        # Kernels that live on this machine divide its idle energy: the developer's own must not count here.
        (home / "run").mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
        patch.setenv("CARBON_MAGIC_HOME", str(home / "carbon-magic"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / "jupyter-config"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter-data"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "jupyter-runtime"))
        patch.setenv("JUPYTER_PATH", str(home / "jupyter-path"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.delenv("MPLBACKEND", raising=False)
        # Nor where the developer is: in UTC nobody is anywhere.
        patch.setenv("TZ", "UTC")
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "GOOGLE_CLOUD_REGION", "AZURE_REGION", "AZURE_LOCATION"):
            patch.delenv(name, raising=False)
        for name, python in environment_pythons().items():
            write_kernel_spec(home / "jupyter-path", f"cm-{name}", [str(python), "-m", "ipykernel_launcher"])
        yield home


@pytest.fixture(scope="session", autouse=True)
def quiet_servers() -> Iterator[None]:
    """Servers of tests are hung up on, which they would print into whatever another test captures at that moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socketserver.BaseServer, "handle_error", lambda *_: None)
        yield


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """The name of an environment: `here`, then `colab`."""
    name = str(request.param)
    if name not in environment_pythons():
        message = f"no environment {name!r} to try kernels in: `make test` builds it"
        if _in_ci():
            pytest.fail(message)
        pytest.skip(message)
    return name


@pytest.fixture
def kernel_python(environment: str) -> Path:
    """The Python executable of an environment."""
    return environment_pythons()[environment]


@pytest.fixture
def kernel_name(environment: str) -> str:
    """The name of a kernel spec that starts a kernel in an environment; child processes see it too."""
    return f"cm-{environment}"
