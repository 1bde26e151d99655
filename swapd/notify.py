"""Tells systemd how we are: ready, stopping, alive. See sd_notify(3), Type=notify.

Owns: the datagrams to $NOTIFY_SOCKET. Must not know: what ready means. Without that variable
nothing is done, and a failure to tell never stops anything.
"""

import os
import socket
from collections.abc import Mapping

import structlog
import trio

log = structlog.get_logger("swapd")


class Notifier:
    """Made from the environment, which it leaves as it is."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = _seconds(environ)

    def ready(self, status: str) -> None:
        """The daemon does its work; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Something to show."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """An orderly end began."""
        self._send("STOPPING=1\nSTATUS=stopping")

    async def keep_alive(self) -> None:
        """For as long as this task gets its turn the loop is alive; systemd restarts us when not.
        Returns at once where no watchdog was asked for."""
        while self._watchdog:
            self._send("WATCHDOG=1")
            await trio.sleep(self._watchdog / 3)

    def _send(self, text: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.settimeout(0)
                there.connect(name)
                there.send(text.encode())
        except OSError as error:
            log.warning("notify.failed", reason=error.strerror or str(error))


def _seconds(environ: Mapping[str, str]) -> float:
    """Of the watchdog, when it is ours; 0 without."""
    meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if meant and text.isdigit() else 0.0
