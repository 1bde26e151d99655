"""Owns one anvil for measurements and tests of the contract: its process, its RPC, its accounts.

Every account may send (anvil impersonates), so nothing here holds a key. Not the daemon's view of
a chain: that is `swapd.chains`.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from Crypto.Hash import keccak as _keccak

from tests.nodes.binaries import find_node
from tests.nodes.ports import free_port
from tests.nodes.process import kill, spawn

RICH = 10**24


def keccak(data: bytes) -> bytes:
    """Keccak-256, from another library than the project's own."""
    return _keccak.new(digest_bits=256, data=data).digest()


class CallFailedError(Exception):
    """The node refused a call, or its transaction was mined and reverted."""


@dataclass(frozen=True)
class Receipt:
    """What is of use here of a mined transaction."""

    gas_used: int
    ok: bool
    logs: list[dict[str, Any]]
    created: str | None


class Anvil:
    """JSON-RPC of one node, without a connection kept."""

    def __init__(self, port: int) -> None:
        self.port = port

    def rpc(self, method: str, *params: Any) -> Any:
        """One call. Raises CallFailedError with the node's words, OSError if it is not there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise CallFailedError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def give(self, account: bytes, units: int = RICH) -> None:
        """Set the balance of `account`."""
        self.rpc("anvil_setBalance", hexed(account), hex(units))

    def send(
        self, sender: bytes, to: bytes | None, data: bytes, *, value: int = 0, gas: int = 12_000_000
    ) -> Receipt:
        """Send a transaction and have it mined; the sender pays no price for gas."""
        transaction = {
            "from": hexed(sender),
            "data": hexed(data),
            "value": hex(value),
            "gas": hex(gas),
            "gasPrice": "0x0",
        }
        if to is not None:
            transaction["to"] = hexed(to)
        digest = self.rpc("eth_sendTransaction", transaction)
        while (receipt := self.rpc("eth_getTransactionReceipt", digest)) is None:
            trio.run(trio.sleep, 0.001)  # it is mined right after it was accepted
        return Receipt(
            gas_used=int(receipt["gasUsed"], 16),
            ok=receipt["status"] == "0x1",
            logs=receipt["logs"],
            created=receipt["contractAddress"],
        )

    def must(self, sender: bytes, to: bytes, data: bytes, *, value: int = 0) -> Receipt:
        """As `send`, but a reverted transaction is an error."""
        receipt = self.send(sender, to, data, value=value)
        if not receipt.ok:
            raise CallFailedError(f"reverted: {data[:4].hex()}")
        return receipt

    def create(self, sender: bytes, code: bytes) -> bytes:
        """Create a contract; its address."""
        receipt = self.send(sender, None, code)
        if not receipt.ok or receipt.created is None:
            raise CallFailedError("the contract was not created")
        return bytes.fromhex(receipt.created[2:])

    def slot(self, contract: bytes, key: bytes) -> bytes:
        """A storage slot, 32 bytes."""
        text: str = self.rpc("eth_getStorageAt", hexed(contract), hexed(key), "latest")
        return bytes.fromhex(text[2:])

    def code(self, contract: bytes) -> bytes:
        """The runtime code at an address."""
        text: str = self.rpc("eth_getCode", hexed(contract), "latest")
        return bytes.fromhex(text[2:])

    def balance(self, account: bytes) -> int:
        """The native balance of an account."""
        return int(self.rpc("eth_getBalance", hexed(account), "latest"), 16)

    def now(self) -> int:
        """The timestamp of the newest block."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def hexed(data: bytes) -> str:
    """As JSON-RPC writes bytes."""
    return "0x" + data.hex()


@contextmanager
def running_anvil() -> Iterator[Anvil]:
    """A fresh chain with free gas, in which everyone may send; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="anvil-") as folder:
        port = free_port()
        argv: list[str | Path] = [
            find_node("anvil"),
            "--port",
            str(port),
            "--silent",
            "--auto-impersonate",
        ]
        argv += ["--accounts", "0", "--base-fee", "0", "--gas-price", "0"]
        argv += ["--cache-path", f"{folder}/cache"]
        process = spawn(argv, env={"HOME": folder, "PATH": "/usr/bin:/bin"}, cwd=Path(folder))
        try:
            node = Anvil(port)
            _wait(node)
            yield node
        finally:
            trio.run(kill, process)


def _wait(node: Anvil) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            node.rpc("eth_chainId")
        except OSError:
            if time.monotonic() > until:
                raise
            trio.run(trio.sleep, 0.02)
        else:
            return
