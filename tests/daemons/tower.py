"""Owns one `swapd tower` process: its configuration, its start, its address, its log, its end.

Knows the command line and the log like any operator.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio

from tests.daemons.process import chain_lines
from tests.nodes import Party
from tests.nodes.process import end, kill, spawn

START_SECONDS = 120
STOP_SECONDS = 20
_POLL = 0.05


class TowerProcess:
    """One tower in a folder of its own, on the nodes of `party` (never its wallet)."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        clock: Path,
        party: Party,
        command: Sequence[str] = ("swapd", "tower"),
        tables: Sequence[str] = (),
    ) -> None:
        """`command`: the module that is run, and its first arguments; `tables`: more lines of its
        configuration."""
        self._command, self._tables = tuple(command), tuple(tables)
        self.name = name
        self.folder = folder
        self.log = folder / "log.jsonl"
        self.config = folder / "tower.toml"
        self.files = folder / "regtest" / "tower"
        self._clock, self._party = clock, party
        self._process: subprocess.Popen[bytes] | None = None
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._manager.bind("")  # the kernel finds an abstract name

    def write_config(self) -> None:
        """The configuration an operator would write."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [
            'network = "regtest"',
            f'data_dir = "{self.folder}"',
            "[log]",
            'format = "json"',
            'level = "debug"',
            "[regtest]",
            f'clock_file = "{self._clock}"',
            *(line for line in chain_lines(self._party) if not line.startswith("wallet")),
            *self._tables,
        ]
        self.config.write_text("\n".join(lines) + "\n")

    async def start(self) -> str:
        """Starts it; its address for clients."""
        self.write_config()
        before = len(self.events("tower.ready"))
        command = [sys.executable, "-m", *self._command, "--config", str(self.config)]
        with self.log.open("ab") as log:
            env = {**os.environ, "NOTIFY_SOCKET": "@" + self._manager.getsockname()[1:].decode()}
            self._process = spawn(command, env=env, stderr=log, stdout=log)
        await self.until(lambda: len(self.events("tower.ready")) > before)
        return str(self.events("tower.ready")[-1]["addresses"][0])

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def told(self) -> list[str]:
        """What it has told its service manager since this was asked."""
        found = []
        while True:
            try:
                found.append(self._manager.recv(4096).decode())
            except BlockingIOError:
                return found

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Waits for something in its log. Raises AssertionError with the log when it ended."""
        with trio.fail_after(START_SECONDS):
            while not wanted():
                code = None if self._process is None else self._process.poll()
                assert code is None, (
                    f"{self.name} ended with {code}: {self.log.read_text()[-4000:]}"
                )
                await trio.sleep(_POLL)

    async def stop(self) -> int:
        """SIGTERM and wait; its exit code."""
        assert self._process is not None
        return await end(self._process, grace=STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL, and the end of what it was told through."""
        self._manager.close()
        if self._process is not None and self._process.poll() is None:
            await kill(self._process)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log lines of one kind."""
        found = []
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        for line in text.splitlines():
            try:
                read = json.loads(line)
            except ValueError:
                continue
            if read.get("event") == name:
                found.append(read)
        return found

    def kept(self, act: str) -> list[dict[str, Any]]:
        """Its log lines about packages of one act that it took."""
        return [event for event in self.events("tower.kept") if event["act"] == act]
