"""Owns where swapd's files lie, and that their directories are for the owner only.

Must not know: what is in the files. Each network has a directory of its own, so that a test can
never touch real coins. Source: the XDG base directory specification; unix(7).
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

MAX_SOCKET_PATH = 107
"""Bytes of a unix socket's path on Linux: sun_path has 108, one ends it."""

SOCKET_NAME = "rpc.sock"
_SOCKET_SPARE = 8
"""Bytes for the temporary name under which the socket is made: a dot and the process id."""


def sync_directory(directory: Path) -> None:
    """Makes the names in `directory` durable. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class PathError(Exception):
    """A path that cannot be used. `str()` says why and what to do."""


class DataPaths(Struct, frozen=True):
    """Every file of one daemon. `root` is the directory of one network."""

    root: Path
    socket: Path

    @property
    def seed(self) -> Path:
        """The encrypted seed."""
        return self.root / "seed.enc"

    @property
    def database(self) -> Path:
        """The journal and all that must survive."""
        return self.root / "swapd.sqlite3"

    @property
    def backup(self) -> Path:
        """Where `swap-cli backup` writes when nobody says where."""
        return self.root / "backup.sqlite3"

    @property
    def recovery(self) -> Path:
        """The recovery file where no other place is configured."""
        return self.root / "recovery.swapd"

    @property
    def identity(self) -> Path:
        """What the peer id of a daemon without chains comes from."""
        return self.root / "identity.key"

    @property
    def relay(self) -> Path:
        """The key of the account that pays gas while the seed is locked."""
        return self.root / "relay.key"

    @property
    def lock(self) -> Path:
        """Held while a daemon runs."""
        return self.root / "lock"


def data_paths(base: Path, network: str, socket: Path | None = None) -> DataPaths:
    """The files under `base` for one network; `socket` where the operator wants it elsewhere.

    Raises PathError when the socket's path is too long for the system.
    """
    root = base / network
    paths = DataPaths(root, socket if socket is not None else root / SOCKET_NAME)
    size = len(os.fsencode(paths.socket)) + _SOCKET_SPARE
    if size > MAX_SOCKET_PATH:
        excess = size - MAX_SOCKET_PATH
        raise PathError(
            f"the control socket's path {paths.socket} is {excess} bytes too long for the system: "
            "choose a shorter data_dir, or name a short path as control.socket"
        )
    return paths


def default_base(environ: Mapping[str, str]) -> Path:
    """$XDG_DATA_HOME/swapd, else ~/.local/share/swapd. Raises PathError without a home."""
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / "swapd"


def default_config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where a configuration is looked for, in this order, when none is named."""
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config") / "swapd" / "swapd.toml"
    return own, Path("/etc/swapd/swapd.toml")


def home(environ: Mapping[str, str]) -> Path:
    """The user's home directory. Raises PathError when $HOME does not name one."""
    named = environ.get("HOME", "")
    if not named.startswith("/"):
        raise PathError("HOME is not set: set it, or give data_dir and every file in full")
    return Path(named)


def expand(text: str, environ: Mapping[str, str], relative_to: Path) -> Path:
    """`text` as an absolute path; ~ is the home directory. Raises PathError."""
    if "\0" in text:
        raise PathError(f"{text[:80]!r}: no path contains a zero byte")
    if text == "~" or text.startswith("~/"):
        return home(environ) / text[2:]
    if text.startswith("~"):
        raise PathError(f"{text}: only ~/ is understood, write other homes in full")
    return Path(os.path.normpath(relative_to / text))


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    # The specification: a relative path there is invalid and to be ignored.
    named = environ.get(variable, "")
    return Path(named) if named.startswith("/") else home(environ) / fallback


def prepare(paths: DataPaths) -> None:
    """Make the data directory, mode 0700, or correct the mode of one that is ours.

    Raises PathError when it belongs to somebody else or cannot be made.
    """
    try:
        paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = paths.root.stat()
        if status.st_uid != os.geteuid():
            raise PathError(
                f"{paths.root} belongs to another user (uid {status.st_uid}): "
                "run swapd as that user, or choose another data_dir"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            paths.root.chmod(0o700)
    except OSError as error:
        raise PathError(
            f"the data directory {paths.root} cannot be used: {error.strerror or error}"
        ) from error


def loose_permissions(path: Path, *, readable: bool) -> str | None:
    """A warning when others may change the file (or, with `readable` False, read it); None when
    they may not or it is not there."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if mode & 0o022:
        return f"{path} (mode {mode:04o}) can be changed by others: chmod go-w {path}"
    if mode & 0o077 and not readable:
        return f"{path} (mode {mode:04o}) can be read by others: chmod 600 {path}"
    return None
