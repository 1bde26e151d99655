"""Owns one anvil: a chain of accounts whose blocks come when told, at the time that is told.

Its process, its RPC, and what a test world puts on it: contracts through the well-known deployer, a
token, balances. Knows nothing of swapd but the contract's own bytes.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import trio

from protocol.evm.address import create2
from protocol.evm.contract import artifact
from tests.nodes.binaries import find_node
from tests.nodes.ports import free_port
from tests.nodes.process import end, kill, spawn
from tests.nodes.rpc import RpcError

RICH: Final = 10**24
SOMEONE: Final = bytes.fromhex("00000000000000000000000000000000c0ffee01")
TOKEN_JSON: Final = Path(__file__).parents[1] / "evm_contract" / "TestToken.json"
_BOUND: Final = 20
_POLL: Final = 0.02
_GAS: Final = 12_000_000


class Anvil:
    """See the module. Nobody but `mine` makes blocks."""

    def __init__(
        self, folder: Path, *, chain_id: int = 31337, options: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.chain_id = chain_id
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._at = 0

    @property
    def url(self) -> str:
        """Of its RPC."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    async def start(self, now: int) -> None:
        """A fresh chain whose first block is at unix time `now`, or the one it had."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv: list[str | Path] = [find_node("anvil"), "--port", str(self.port), "--silent"]
        argv += ["--no-mining", "--auto-impersonate", "--accounts", "0", "--timestamp", str(now)]
        argv += ["--chain-id", str(self.chain_id), "--state", str(self.folder / "state.json")]
        argv += ["--cache-path", str(self.folder / "cache"), "--order", "fifo", *self._options]
        env = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        self._process = spawn(argv, env=env, cwd=self.folder)
        self._at = max(now, self._at)
        with trio.fail_after(_BOUND):
            while True:
                try:
                    await self.rpc("eth_chainId")
                except OSError:
                    await trio.sleep(_POLL)
                else:
                    return

    async def stop(self) -> None:
        """Politely: it keeps its state."""
        if self._process is not None:
            await end(self._process, grace=10)
            self._process = None

    async def kill(self) -> None:
        """At once."""
        if self._process is not None:
            await kill(self._process)
            self._process = None

    async def rpc(self, method: str, *params: Any) -> Any:
        """One call on a connection of its own. Raises RpcError, OSError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            await stream.send_all((head + body).encode())
            chunks = [chunk async for chunk in stream]
        payload = b"".join(chunks).partition(b"\r\n\r\n")[2]
        if not payload:
            raise RpcError(method, 0, "empty answer")
        answer = json.loads(payload, parse_float=str)
        if "error" in answer:
            raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    # --- blocks ---

    async def mine(self, now: int) -> str:
        """A block at unix time `now` (one second after the last one at least); its hash."""
        tip = await self.rpc("eth_getBlockByNumber", "latest", False)
        when = max(now, int(tip["timestamp"], 16) + 1)
        await self.rpc("evm_setNextBlockTimestamp", hex(when))
        await self.rpc("evm_mine")
        return str((await self.rpc("eth_getBlockByNumber", "latest", False))["hash"])

    async def height(self) -> int:
        """Of the newest block."""
        return int(await self.rpc("eth_blockNumber"), 16)

    async def reorg(self, depth: int, now: int) -> None:
        """Replaces the newest `depth` blocks by as many empty ones and one more. What was in them
        is forgotten: nodes of others would have kept it."""
        await self.rpc("anvil_reorg", depth, [])
        await self.mine(now)

    # --- what is on it ---

    async def give(self, account: bytes | str, wei: int = RICH) -> None:
        """Sets the balance of an account."""
        await self.rpc("anvil_setBalance", _hexed(account), hex(wei))

    async def send(
        self, sender: bytes, to: bytes | None, data: bytes, *, now: int, value: int = 0
    ) -> dict[str, Any]:
        """A transaction of anybody's, mined in a block at `now`; its receipt."""
        asked = {"from": _hexed(sender), "data": _hexed(data), "value": hex(value)}
        asked |= {"gas": hex(_GAS)} | ({"to": _hexed(to)} if to is not None else {})
        txid = await self.rpc("eth_sendTransaction", asked)
        await self.mine(now)
        receipt: dict[str, Any] = await self.rpc("eth_getTransactionReceipt", txid)
        if not receipt or receipt["status"] != "0x1":
            raise AssertionError(f"a transaction of the test's own failed: {receipt}")
        return receipt

    async def deploy(self, init_code: bytes, *, now: int) -> bytes:
        """Has the well-known deployer create it; where it is."""
        await self.give(SOMEONE)
        await self.send(SOMEONE, artifact.DEPLOYER, artifact.SALT + init_code, now=now)
        return create2(artifact.DEPLOYER, artifact.SALT, init_code)

    async def create_token(self, *, decimals: int, now: int) -> bytes:
        """A plain token called TEST that anybody may mint."""
        creation = bytes.fromhex(json.loads(TOKEN_JSON.read_text())["creation"])
        words = [0x60.to_bytes(32), 0xA0.to_bytes(32), decimals.to_bytes(32)]
        name = [(4).to_bytes(32), b"TEST".ljust(32, b"\0")]
        await self.give(SOMEONE)
        code = creation + b"".join([*words, *name, *name])
        receipt = await self.send(SOMEONE, None, code, now=now)
        return bytes.fromhex(receipt["contractAddress"][2:])

    async def balance(self, account: bytes | str) -> int:
        """Wei at the newest block."""
        return int(await self.rpc("eth_getBalance", _hexed(account), "latest"), 16)

    async def read(self, to: bytes, data: bytes) -> bytes:
        """What a contract answers at the newest block."""
        call = {"to": _hexed(to), "data": _hexed(data)}
        return bytes.fromhex((await self.rpc("eth_call", call, "latest"))[2:])


def _hexed(value: bytes | str) -> str:
    return value if isinstance(value, str) else "0x" + value.hex()
