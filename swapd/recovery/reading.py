"""Reads recovery files that are ours.

Owns: whose a file is, which of several is the newest. Must not know: the store.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from swapd.ports import RecoveryError, Signer
from swapd.recovery import files
from swapd.recovery.content import Content, unseal

log = structlog.get_logger("recovery")

READ_SECONDS: Final = 20


async def newest(paths: Sequence[Path], signer: Signer, *, network: str) -> Content | None:
    """The newest content among the files at `paths`; None where there are none. What can't be read
    is logged and left alone: no claim or refund may wait for it."""
    found: list[Content] = []
    for path in paths:
        try:
            content = await read(path, signer, network=network)
        except RecoveryError as error:
            log.error("recovery.unreadable", reason=str(error))  # noqa: TRY400 - it says all
            continue
        found += [content] if content is not None else []
    return max(found, key=lambda content: content.generation, default=None)


async def read(path: Path, signer: Signer, *, network: str) -> Content | None:
    """The content of a file of ours, None where there is no file. Raises RecoveryError."""
    try:
        with trio.fail_after(READ_SECONDS):
            data = await trio.to_thread.run_sync(files.read, path, abandon_on_cancel=True)
    except trio.TooSlowError:
        raise RecoveryError(f"{path} was not read within {READ_SECONDS} s") from None
    if data is None:
        return None
    try:
        content = unseal(data, signer)
    except RecoveryError as error:
        raise RecoveryError(f"{path}: {error}; move it away if you don't need it") from None
    if content.network != network:
        message = f"{path} is of network {content.network}, not of {network}: move it away"
        raise RecoveryError(message)
    return content
