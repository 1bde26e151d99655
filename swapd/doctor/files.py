"""Whether the files of a daemon are there, its own, and only its owner's; whether there is space.

Must not know: what is in the files.
"""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from swapd.config import Config
from swapd.doctor.findings import Finding, finding

FULL_BYTES = 100 * 10**6
LOW_BYTES = 10**9


def examine(
    config: Config, *, warnings: Iterable[str] = (), passphrase_file: Path | None = None
) -> list[Finding]:
    """Everything that lies on the disk."""
    paths = config.paths
    found = [finding("config_warning", "configuration", text) for text in warnings]
    found += disk(paths.root)
    found += only_ours(paths.root, 0o700)
    for path in (paths.seed, paths.identity, paths.database, paths.socket, paths.backup):
        found += only_ours(path, 0o600)
    if not paths.seed.exists() and not config.is_relay:
        found.append(finding("seed_missing", str(paths.seed)))
    secrets = [chain.password_file for chain in config.chains if chain.password_file is not None]
    for secret in [*secrets, *([passphrase_file] if passphrase_file else [])]:
        found += _secret(secret)
    for kept in config.recovery.paths:
        found += only_ours(kept, 0o600)
    return found


def disk(folder: Path) -> list[Finding]:
    """How much space is left where `folder` is."""
    try:
        free = shutil.disk_usage(_existing(folder)).free
    except OSError:
        return []
    text = f"{free // 10**6} MB are free where {folder} is"
    if free < FULL_BYTES:
        return [finding("disk_full", str(folder), text)]
    return [finding("disk_low", str(folder), text)] if free < LOW_BYTES else []


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def only_ours(path: Path, mode: int) -> list[Finding]:
    """`path`, where it exists, is ours, and nobody else has more rights than `mode` gives."""
    try:
        status = path.stat()
    except OSError:
        return []
    found = []
    if status.st_uid not in {os.geteuid(), 0}:
        what = f"it belongs to uid {status.st_uid}, and this is uid {os.geteuid()}"
        found.append(finding("owner_wrong", str(path), what))
    if stat.S_IMODE(status.st_mode) & 0o077:
        what = f"its mode is {stat.S_IMODE(status.st_mode):04o}"
        found.append(finding("mode_loose", str(path), what, f"chmod {mode:o} {path}"))
    return found


def _secret(path: Path) -> list[Finding]:
    if not os.access(path, os.R_OK):
        return [finding("secret_unreadable", str(path))]
    return only_ours(path, 0o600)
