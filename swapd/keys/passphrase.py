"""Owns where the passphrase comes from: a file, the service manager's credentials, or a person.

Never a flag or an environment variable (both can be read by other processes), never the
configuration file. Must not know: the seed file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from swapd.keys.errors import KeysError
from swapd.keys.secret import Secret

CREDENTIAL = "passphrase"
"""Name of the credential under $CREDENTIALS_DIRECTORY (systemd's LoadCredential=)."""

_MAX_BYTES = 4096


class Console(Protocol):
    """A person at a terminal."""

    def show(self, text: str) -> None:
        """One or more lines to read."""
        ...

    def ask(self, question: str) -> str:
        """The answer, without its line end. Raises EOFError when there is nobody to answer."""
        ...

    def ask_secret(self, question: str) -> str:
        """The same, without showing what is typed."""
        ...


def read_file(path: Path) -> Secret:
    """The passphrase or password in a file, without one line end after it. Raises KeysError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"the secret file {path} cannot be read: {error.strerror or error}"
        raise KeysError(msg) from None
    if len(content) > _MAX_BYTES:
        raise KeysError(f"the secret file {path} has more than {_MAX_BYTES} bytes")
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        raise KeysError(f"the secret file {path} is empty")
    return Secret(content)


def passphrase_source(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the named one, else the service manager's credential, else None."""
    if file is not None:
        return file
    directory = environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory, CREDENTIAL) if directory else None
    return credential if credential is not None and credential.exists() else None


def find(file: Path | None, environ: Mapping[str, str], console: Console | None) -> Secret:
    """The passphrase of an existing seed, from the first source there is. Raises KeysError."""
    source = passphrase_source(file, environ)
    if source is not None:
        return read_file(source)
    if console is None:
        raise KeysError(
            "a passphrase is needed and nobody is here to type it: give --passphrase-file, or a "
            f"credential named {CREDENTIAL!r} (systemd: LoadCredential=)"
        )
    return _ask(console, "Passphrase of the seed: ")


def choose(file: Path | None, environ: Mapping[str, str], console: Console | None) -> Secret:
    """A passphrase for a seed to be: as `find`, but typed twice. Raises KeysError."""
    if console is None or passphrase_source(file, environ) is not None:
        return find(file, environ, console)
    chosen = _ask(console, "New passphrase (it encrypts the seed on this machine): ")
    if _ask(console, "The same again: ") != chosen:
        raise KeysError("the two passphrases differ: nothing was written")
    return chosen


def _ask(console: Console, question: str) -> Secret:
    try:
        return Secret(console.ask_secret(question).encode())
    except EOFError:
        raise KeysError("no passphrase was typed") from None
