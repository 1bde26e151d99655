"""Owns one swapd process: its configuration, its start, its client, its end.

Knows the command line and the control socket like any operator; of swapd's inside only how to make
opening the seed cheap.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from swapd.control.client import Client, open_client
from swapd.control.failures import CallError, CannotConnectError
from swapd.keys import seedfile
from swapd.keys.secret import Secret
from tests.nodes import Party
from tests.nodes.process import end, kill, spawn, wait_ended

START_SECONDS = 150
STOP_SECONDS = 20
PASSPHRASE = "only for tests"
LEAST_COST = seedfile.Cost(passes=1, memory=8192)


def chain_lines(party: Party) -> list[str]:
    """The [chains] tables of a party's nodes."""
    lines = []
    for chain, node in party.nodes.items():
        lines += [
            f"[chains.{chain.lower()}]",
            f'rpc_url = "{node.rpc_url}"',
            f'cookie_file = "{node.cookie}"',
            f'wallet = "{party.wallet}"',
        ]
    return lines


class SwapdProcess:
    """One daemon in a folder of its own. Without `party` it only relays."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        clock: Path,
        party: Party | None,
        bootstrap: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / "log.jsonl"
        self.config = folder / "swapd.toml"
        self.socket = folder / "regtest" / "rpc.sock"
        self.seed = folder / "regtest" / "seed.enc"
        self.passphrase = PASSPHRASE
        self._passphrase_file = folder / "passphrase"
        self._clock = clock
        self._party = party
        self.bootstrap = tuple(bootstrap)
        self.settings = dict(settings or {})
        """On top of the file, at every start."""
        self.environment: dict[str, str] = {}
        """On top of our own at every start."""
        self.tables: tuple[str, ...] = ()
        """More lines of the configuration, tables."""
        self._process: subprocess.Popen[bytes] | None = None
        self._words = ""
        self.recovery = folder / "elsewhere" / "recovery.swapd"
        """On another disk, so to speak."""

    # --- Life ---------------------------------------------------------------------------------

    def write_config(self) -> None:
        """The configuration an operator would write."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        bootstrap = ", ".join(f'"{address}"' for address in self.bootstrap)
        lines = [
            'network = "regtest"',
            f'data_dir = "{self.folder}"',
            "[p2p]",
            f"bootstrap = [{bootstrap}]",
            "[regtest]",
            f'clock_file = "{self._clock}"',
        ]
        if self._party is not None:
            self.recovery.parent.mkdir(exist_ok=True)
            lines += ["[recovery]", f'paths = ["{self.recovery}"]']
            lines += chain_lines(self._party)
            lines += self.tables
        self.config.write_text("\n".join(lines) + "\n")
        self._passphrase_file.touch(mode=0o600)
        self._passphrase_file.write_text(self.passphrase)

    async def init(self) -> str:
        """`swapd init`; returns what it printed (the words)."""
        self.write_config()
        done = await trio.run_process(
            [*self.command("init"), "--yes"], capture_stdout=True, check=True
        )
        await trio.to_thread.run_sync(self._make_cheap)
        printed = done.stdout.decode()
        self._words = " ".join(re.findall(r"\d+\. ([a-z]+)", printed))
        return printed

    @property
    def words(self) -> str:
        """Of its seed, as `init` printed them."""
        return self._words

    async def begin_anew(self) -> None:
        """The data directory is gone: `swapd init --restore` with the words, then `swapd recover`
        with the recovery file, as an operator does on another machine."""
        await trio.to_thread.run_sync(shutil.rmtree, self.seed.parent)
        words = self.folder / "words"
        words.touch(mode=0o600)
        words.write_text(self._words)
        await self._done([*self.command("init"), "--restore", "--words-file", str(words), "--yes"])
        await trio.to_thread.run_sync(self._make_cheap)
        if self.recovery.exists():
            await self._done([*self.command("recover"), str(self.recovery)])

    async def _done(self, command: Sequence[str]) -> None:
        done = await trio.run_process(
            command, check=False, capture_stdout=True, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, f"{command}: {done.stdout.decode()}"

    def _make_cheap(self) -> None:
        """Nobody guesses this passphrase, and the daemon is started hundreds of times."""
        known = Secret(self.passphrase.encode())
        seedfile.change_passphrase(self.seed, known, known, entropy=os.urandom, cost=LEAST_COST)

    def command(self, verb: str) -> list[str]:
        """What to run for `swapd <verb>` with this daemon's configuration."""
        command = [sys.executable, "-m", "swapd", verb, "--config", str(self.config)]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        if verb in {"init", "run", "recover", "rescue"}:
            command += ["--passphrase-file", str(self._passphrase_file)]
        return command

    async def start(self, *, wait: bool = True) -> None:
        """Starts the daemon; returns when its socket answers (unless `wait` is False)."""
        if self._party is not None and not self.seed.exists():
            await self.init()
        self.write_config()
        environment = {**os.environ, **self.environment}
        with self.log.open("ab") as log:
            self._process = spawn(self.command("run"), env=environment, stderr=log, stdout=log)
        if wait:
            await self.wait_ready()

    async def wait_ready(self) -> None:
        """Until it answers and is not starting. Raises AssertionError, with its log, if it ends."""
        with trio.fail_after(START_SECONDS):
            while True:
                code = self.exit_code
                assert code is None, f"{self.name} ended with {code}: {self.tail()}"
                try:
                    if (await self.call("getinfo"))["state"] != "starting":
                        return
                except CannotConnectError:
                    pass
                await trio.sleep(0.05)

    @property
    def running(self) -> bool:
        """Started and not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self._process is not None
        return self._process.pid

    async def wait_ended(self, seconds: float = STOP_SECONDS) -> int | None:
        """Its exit code, None when it still runs after `seconds`."""
        assert self._process is not None
        return await wait_ended(self._process, seconds)

    async def stop(self) -> int:
        """SIGTERM and wait; its exit code."""
        assert self._process is not None
        return await end(self._process, grace=STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.poll() is None:
            await kill(self._process)

    def tail(self, lines: int = 25) -> str:
        """The end of its log; empty where a test has deleted it."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def events(self) -> list[dict[str, Any]]:
        """Its log lines that are JSON."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    # --- Control ------------------------------------------------------------------------------

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A connected client. Raises CallError and CannotConnectError as they are."""
        failed: CallError | CannotConnectError | None = None
        async with open_client(self.socket) as client:
            try:
                yield client
            except (CallError, CannotConnectError) as error:
                failed = error  # raised below: the client's nursery would wrap it in a group
        if failed is not None:
            raise failed

    async def call(self, method: str, **params: object) -> Any:
        """One call on a connection of its own. Raises CallError, CannotConnectError."""
        async with self.client() as client:
            return await client.call(method, params)

    async def address(self) -> str:
        """A multiaddress of this daemon with its peer id."""
        listed = await self.call("peer.list")
        return str(listed["own_addresses"][0])
