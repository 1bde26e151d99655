"""Owns a made-up daemon on a real socket in a thread, and runs of swap-cli against it."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from structlog.testing import capture_logs

from swapd.cli.app import App
from swapd.cli.main import run
from swapd.control.server import serve
from swapd.paths import data_paths
from tests.fakes.clock import FakeClock
from tests.fakes.operations import FakeOperations
from tests.fakes.store import FakeStore

ROOT = Path(__file__).parent.parent.parent


class Daemon:
    """A control server in a thread of its own, where a regtest daemon's would be."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.socket = data_paths(base, "regtest").socket
        self.operations = FakeOperations()
        self.stopped = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,))
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._run)
                self._ready.set()

    async def _run(self, task_status: trio.TaskStatus[Path]) -> None:
        await serve(
            self.operations,
            FakeStore(),
            FakeClock(),
            self.socket,
            on_stop=self.stopped.set,
            task_status=task_status,
        )

    def start(self) -> None:
        """Returns when it answers."""
        self._thread.start()
        assert self._ready.wait(20)

    def soon(self, function: Callable[[], object]) -> None:
        """Runs something in the daemon's thread."""
        assert self._token is not None
        self._token.run_sync_soon(function)

    def stop(self) -> None:
        """Ends it."""
        self.soon(self._scope.cancel)
        self._thread.join(20)


@dataclass(frozen=True)
class Result:
    """How one run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value that was printed."""
        assert len(self.out.splitlines()) == 1, self.out
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Words by line."""
        return [line.split() for line in self.out.splitlines()]


@dataclass
class Terminal:
    """Where swap-cli is run: an empty home, and a made-up daemon if there is one."""

    home: Path
    daemon: Daemon
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, answers: str | None = None) -> Result:
        """A run; `answers` are what somebody types (None: nobody is there)."""
        environ = {"HOME": os.fspath(self.home), **self.environ}
        with CliRunner().isolation(input=answers or "") as (out, err, _):
            code = run(arguments, App(environ, interactive=answers is not None))
            sys.stdout.flush()
            return Result(code, out.getvalue().decode(), err.getvalue().decode())

    def raises_nothing(self, *arguments: str) -> Result:
        """A run that must succeed."""
        result = self(*arguments)
        assert (result.code, result.err) == (0, "")
        return result


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Nothing runs and nothing is configured."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, Daemon(tmp_path / ".local" / "share" / "swapd"))


@pytest.fixture
def cli(bare: Terminal) -> Iterator[Terminal]:
    """A made-up daemon runs at the usual place."""
    with capture_logs():  # the daemon's log is none of swap-cli's output
        bare.daemon.start()
        yield bare
        bare.daemon.stop()
