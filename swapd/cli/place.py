"""Where the daemon's socket is.

Owns: the search for it. Must not know: what is said on it.

In this order: --socket; --datadir with --network; the configuration that the daemon itself would
read; and when nothing says which network, the one daemon there is under the usual directory.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from swapd import paths

NETWORKS = ("mainnet", "testnet", "signet", "regtest")


class PlaceError(Exception):
    """Which daemon is meant can't be told. `str()` says what to give."""


class NoDaemonError(Exception):
    """There is no daemon to be meant."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What was given on the command line."""

    network: str | None = None
    datadir: Path | None = None
    socket: Path | None = None
    config: Path | None = None


def find_socket(place: Place, environ: Mapping[str, str], cwd: Path) -> Path:
    """Raises PlaceError, NoDaemonError."""
    if place.socket is not None:
        return cwd / place.socket
    try:
        if place.datadir is not None and place.network is not None:
            return paths.data_paths(cwd / place.datadir, place.network).socket
        configured = _configured(place, environ, cwd)
        if configured is not None:
            return configured
        base = cwd / place.datadir if place.datadir else paths.default_base(environ)
        return _only(base)
    except paths.PathError as e:
        raise PlaceError(str(e)) from None


def _configured(place: Place, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """What the configuration says, where there is one. A mistake in it is told only if what it
    says is needed."""
    from swapd import config as configuration  # noqa: PLC0415 - takes longer than a whole call

    file = place.config
    if file is None and place.network is None and not _has_configuration(environ):
        return None
    given = {
        "network": place.network,
        "data_dir": None if place.datadir is None else os.fspath(place.datadir),
    }
    flags = {key: value for key, value in given.items() if value is not None}
    try:
        loaded = configuration.load(environ=environ, cwd=cwd, file=file, flags=flags)
    except configuration.ConfigError as e:
        raise PlaceError(f"the configuration can't be used: {e}") from None
    return loaded.config.paths.socket


def _has_configuration(environ: Mapping[str, str]) -> bool:
    if environ.get("SWAPD_CONFIG") or environ.get("SWAPD_NETWORK"):
        return True
    if not environ.get("HOME"):
        return False
    return any(file.exists() for file in paths.default_config_files(environ))


def _only(base: Path) -> Path:
    """The socket of the only daemon under `base`."""
    found = [name for name in NETWORKS if paths.data_paths(base, name).socket.is_socket()]
    if len(found) > 1:
        names = ", ".join(found)
        raise PlaceError(f"there are daemons for {names}: say which with --network")
    if not found:
        raise NoDaemonError(f"there is no daemon under {base}")
    return paths.data_paths(base, found[0]).socket
