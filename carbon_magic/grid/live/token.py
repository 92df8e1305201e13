"""A provider's token: looked for each time that it is needed, kept nowhere, and shown by nothing.

It is read in the thread that asks, from the environment or from the system's keyring, where the package `keyring` is
installed. No object holds it, so that no representation, record, log or traceback can.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from carbon_magic.grid.live.provider import LiveError

SERVICE = "carbon-magic"
"""Its name in the keyring."""
LONGEST = 512
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Token:
    """Where a provider's token is looked for."""

    def __init__(self, provider: str, environ: Mapping[str, str]) -> None:
        self._provider = provider
        self._environ = environ
        self.variables = (f"CARBON_MAGIC_{provider.upper()}_TOKEN", f"{provider.upper()}_TOKEN")

    def where(self) -> str:
        """The places in words."""
        return (
            f"The token is looked for in {' and '.join(self.variables)}, and in the system's keyring"
            f" (keyring set {SERVICE} {self._provider})"
        )

    def read(self) -> str:
        """The token.

        Raises:
            LiveError: there is none, or what stands there cannot be one.
        """
        for variable in self.variables:
            text = self._environ.get(variable, "").strip()
            if text:
                return _checked(text, f"What stands in {variable}")
        text, trouble = self._from_keyring()
        if text:
            return _checked(text, "What stands in the keyring")
        raise LiveError(f"wants a token, and there is none. {self.where()}{trouble}", refused=True)

    def _from_keyring(self) -> tuple[str, str]:
        """The keyring's token, and why there is none where it cannot be asked."""
        try:
            import keyring
        except ImportError:
            return "", "; for the latter pip install keyring"
        try:
            return (keyring.get_password(SERVICE, self._provider) or "").strip(), ""
        except Exception as error:  # backends raise whatever they like; their messages may hold what nobody should see
            return "", f"; the keyring cannot be asked ({type(error).__name__})"


def _checked(text: str, what: str) -> str:
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise LiveError(f"wants a token. {what} is none", refused=True)
    return text


def base_url(environ: Mapping[str, str], provider: str, usual: str) -> str:
    """The address of a provider's API: the usual one, or one of its own in `CARBON_MAGIC_<PROVIDER>_URL`, which must
    be encrypted unless it is on this machine.

    Raises:
        ValueError: what stands there is no such address.
    """
    variable = f"CARBON_MAGIC_{provider.upper()}_URL"
    said = environ.get(variable, "").strip().rstrip("/")
    if not said:
        return usual
    try:
        parts = urlsplit(said)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        safe = False
    if not safe or parts.hostname is None or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{variable} is no address of the form https://host/path")
    return said


def host(address: str) -> str:
    """Whom an address asks: its name, with the port where it has one."""
    return urlsplit(address).netloc
