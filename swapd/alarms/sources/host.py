"""Alarms about this machine and this daemon: the disk, the network process, the mode.

Owns: those judgements. Must not know: swaps.
"""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from swapd.alarms.alarm import Alarm, Severity
from swapd.engine.mode import LOCKED, Mode
from swapd.ports import PeerError, Peers, Store, StoreError, StoreFull

LOW_BYTES: Final = 1 << 30
SHORT_BYTES: Final = 100 << 20
"""The journal of a swap needs less than one; nodes on the same disk eat hundreds a day."""

LOW_FILES: Final = 1000
PROBE_SECONDS: Final = 60.0
"""How often the store is written to, to see that it can be: a quota shows nowhere else."""

_REMEDY = "free space where the data directory is; nothing new is begun that can't be journalled"


def free_space(folder: Path) -> tuple[int, int | None]:
    """Bytes that we may still write there, and files (None where the file system does not count
    them). Raises OSError."""
    found = os.statvfs(folder)
    files = found.f_favail if found.f_files else None
    return found.f_bavail * found.f_frsize, files


class DiskAlarms:
    """A source over the disk of the data directory: its figures, and whether it takes a write."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        self._probed = -PROBE_SECONDS
        self._failed: StoreError | None = None

    async def look(self) -> Sequence[Alarm]:
        """Nearly full, full, or refusing."""
        await self._probe()
        if self._failed is not None:
            code = "disk_full" if isinstance(self._failed, StoreFull) else "store_failed"
            return (Alarm(code, "critical", str(self._folder), str(self._failed), _REMEDY),)
        try:
            size, files = await trio.to_thread.run_sync(free_space, self._folder)
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, str(error))
            text = f"its free space can't be told ({reason})"
            return (Alarm("store_failed", "critical", str(self._folder), text, _REMEDY),)
        short = size < SHORT_BYTES
        if short or size < LOW_BYTES or (files is not None and files < LOW_FILES):
            severity: Severity = "critical" if short else "warning"
            text = f"{size >> 20} MiB are left"
            if files is not None and files < LOW_FILES:
                text += f", and room for {files} files"
            return (Alarm("disk_low", severity, str(self._folder), text, _REMEDY),)
        return ()

    async def _probe(self) -> None:
        """Once a minute, and at every look while it fails."""
        now = trio.current_time()
        if self._failed is None and now - self._probed < PROBE_SECONDS:
            return
        self._probed = now
        try:
            await self._store.put("meta", "disk-probe", b"1")
        except StoreError as error:
            self._failed = error
        else:
            self._failed = None


class NetworkAlarms:
    """A source over the network process. `trading`: offers of ours stand or pairs are followed."""

    def __init__(self, peers: Peers, trading: Callable[[], bool]) -> None:
        self._peers = peers
        self._trading = trading

    async def look(self) -> Sequence[Alarm]:
        """Down, or alone."""
        try:
            found = await self._peers.peers()
        except PeerError as error:
            remedy = "it restarts by itself within seconds; see the log if it does not"
            return (Alarm("network_down", "warning", "network", str(error), remedy),)
        if found:
            return ()
        severity: Severity = "warning" if self._trading() else "info"
        remedy = "`swap-cli peer connect`, or bootstrap peers in the configuration"
        text = "we are connected to nobody: no offers come or go (swaps go on)"
        return (Alarm("no_peers", severity, "network", text, remedy),)


class ModeAlarms:
    """A source over what this daemon still begins."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode

    async def look(self) -> Sequence[Alarm]:
        """Watch-only is no state to be left in unknowingly; draining was ordered."""
        if self._mode.locked:
            text = f"{LOCKED}, signs nothing, and sends only what was signed before"
            remedy = "`swap-cli unlock`, before the deadlines of the open swaps"
            return (Alarm("locked", "critical", "daemon", text, remedy),)
        if self._mode.watch_only:
            remedy = "swaps are looked after; find out why, then start swapd again"
            return (Alarm("watch_only", "warning", "daemon", self._mode.watch_only, remedy),)
        if self._mode.draining:
            remedy = "it ends by itself when the last swap has ended"
            return (Alarm("draining", "info", "daemon", self._mode.may_begin(), remedy),)
        return ()
