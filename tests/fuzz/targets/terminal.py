"""Targets: swap-cli reading what a daemon answers.

Owns: the commands, their good answers, a client without a socket. Must not know: how inputs are
made. Whatever the answer, a run ends with an exit code and says something of bounded length.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import msgspec
import trio

from swapd.api.table import METHODS
from swapd.cli import exits
from swapd.cli.app import App
from swapd.cli.main import run
from swapd.cli.output import Output
from swapd.control import jsonrpc
from swapd.control.blocking import BlockingClient
from tests.fakes.operations import OFFER_ID, SAMPLE_PARAMS, SWAP_ID, FakeOperations
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("info",),
    ("health",),
    ("alarms",),
    ("drain",),
    ("balance",),
    ("address", "BTC"),
    ("withdraw", "BTC", "bcrt1q", "--yes"),
    ("book", "BTC/LTC"),
    ("pair", "check", "BTC/LTC"),
    ("offer", "list"),
    ("offer", "cancel", OFFER_ID),
    ("offer", "post", "--sell", "0.5 BTC", "--buy", "LTC", "--price", "80", "--yes"),
    ("quote", OFFER_ID),
    ("swap", "list"),
    ("swap", "show", SWAP_ID),
    ("swap", "cancel", SWAP_ID),
    ("peer", "list"),
    ("info", "--json"),
    ("swap", "list", "--json"),
)
_MOST = 4 * 1024 * 1024


class _Socket:
    """Takes calls and answers each with the same line, then hangs up."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._left = 3
        self.asked: list[bytes] = []

    def fileno(self) -> int:
        raise ValueError("there is none")

    def sendall(self, data: bytes) -> None:
        self.asked.append(data)

    def recv(self, _: int) -> bytes:
        self._left -= 1
        return self._line + b"\n" if self._left >= 0 else b""

    def close(self) -> None:
        pass


def _app(wire: _Socket) -> App:
    """A run's App that is connected to the wire, outside of any terminal."""
    app = App({"HOME": "/nowhere"}, interactive=False)
    app.output = Output(as_json=False, environ={}, stream=sys.stdout)
    client = BlockingClient.__new__(BlockingClient)
    client._on_silence = lambda: None
    client._socket = cast("Any", wire)
    client._lines = jsonrpc.Lines(_MOST)
    client._ids = iter([1] * 10)  # type: ignore[assignment]  # one answer serves every call
    client._notices = []
    app._client = client
    return app


def _good(command: tuple[str, ...]) -> bytes:
    """The answer of the made-up daemon to the first call that this command makes."""
    wire = _Socket(b"")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(command, _app(wire))
    method = json.loads(wire.asked[0])["method"]
    made = METHODS[method]
    params = msgspec.convert(SAMPLE_PARAMS[method], made.params)
    operation: Callable[..., Any] = getattr(FakeOperations(), made.attribute)
    return jsonrpc.result_reply(1, trio.run(operation, params))


def _commands(_: ExitStack) -> Opened:
    def call(data: bytes) -> object:
        command, out, told = COMMANDS[data[0] % len(COMMANDS)], io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
            code = run(command, _app(_Socket(data[1:])))
        said = out.getvalue() + told.getvalue()
        assert isinstance(code, int)
        assert len(said) < 100 * len(data) + 10_000, f"{len(said)} characters"
        assert code == 0 or said, "it failed without a word"
        health = {exits.HEALTH_WARNING, exits.HEALTH_CRITICAL}
        return REFUSED if code and code not in health else None

    samples = [bytes([number]) + _good(command) for number, command in enumerate(COMMANDS)]
    return Opened(samples, call)


def _incoming(_: ExitStack) -> Opened:
    """Lines of a server, as both clients read them."""

    def call(data: bytes) -> None:
        message = jsonrpc.read_incoming(data)
        if message.result is not msgspec.UNSET:
            jsonrpc.read_result(message.result)

    error = {"code": 1, "message": "m", "data": {"name": "n", "retryable": True, "remedy": "r"}}
    given: list[dict[str, object]] = [
        {"jsonrpc": "2.0", "id": 1, "result": {"a": [1, 2]}},
        {"jsonrpc": "2.0", "id": 1, "error": error},
        {"jsonrpc": "2.0", "method": "event", "params": {"subscription": 1}},
    ]
    return Opened([json.dumps(one).encode() for one in given], call)


def _json_params(_: ExitStack) -> Opened:
    """`swap-cli call METHOD NAME=VALUE`: whatever bytes the shell hands over as a value, it is sent
    as it was typed, or it is told what is wrong with it."""

    def call(data: bytes) -> object:
        text, told, wire = os.fsdecode(data), io.StringIO(), _Socket(_EMPTY)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
            code = run(("call", "getinfo", f"value={text}"), _app(wire))
        assert code == 0 or told.getvalue(), "it failed without a word"
        if code == 0 and text[:1] not in {"{", "[", '"'}:
            sent = json.loads(wire.asked[0])["params"]["value"]
            assert text in {sent, json.dumps(sent)}, "another value than was typed"
        return REFUSED if code else None

    return Opened([b"{}", b'{"pair": "BTC/LTC", "limit": 5}'], call)


_EMPTY = b'{"jsonrpc": "2.0", "id": 1, "result": {}}'

TARGETS = (
    Target("cli.commands", Form.JSON, _commands, (), 0.1, head=1, block=100),
    Target("cli.json_params", Form.JSON, _json_params, (), 0.05, block=100),
    Target("cli.incoming", Form.JSON, _incoming, (msgspec.DecodeError,), 3),
)
