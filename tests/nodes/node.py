"""Owns one regtest node of the bitcoind family: its flags, process, ports and RPC.

Knows nothing of other nodes, parties or wallets' meaning; `tests.nodes.world` does.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import trio

from tests.nodes.binaries import find_node
from tests.nodes.ports import free_port
from tests.nodes.process import end, kill, spawn
from tests.nodes.rpc import RpcError, rpc_call

Chain = Literal["BTC", "LTC"]

_BINARY: Final[dict[Chain, str]] = {"BTC": "bitcoind", "LTC": "litecoind"}
_START_SECONDS = 60
_STOP_SECONDS = 40  # litecoind waits 2 s (rpcservertimeout) for idle RPC connections of others

_COMMON_FLAGS = (
    "-regtest",
    "-conf=/dev/null",
    "-server=1",
    "-listen=1",
    "-connect=0",  # no peer but those we name; a listening node all the same
    "-discover=0",
    "-dnsseed=0",
    "-listenonion=0",
    "-upnp=0",
    "-maxconnections=32",  # about 11 of them are kept for outbound peers
    "-whitelist=noban@127.0.0.1",  # relay at once to those who dialled us, whatever the clock says
    # Litecoin compares its mock clock with the machine's and drops every peer after a minute.
    "-peertimeout=100000000",
    "-rpcbind=127.0.0.1",
    "-rpcallowip=127.0.0.1",
    "-rpcthreads=8",
    "-rpcworkqueue=128",
    "-rpcservertimeout=2",
    "-fallbackfee=0.0002",
    "-keypool=20",
    "-addresstype=bech32",
    "-changetype=bech32",
    "-dbcache=16",
    "-par=1",
    "-printtoconsole=0",
    "-disablewallet=0",
)
_CHAIN_FLAGS: Final[dict[Chain, tuple[str, ...]]] = {
    "BTC": ("-corepolicy=1",),
    # Without a peg-in, no regtest block is valid from the height at which MWEB activates.
    "LTC": ("-vbparams=mweb:-2:0",),
}


@dataclass(frozen=True)
class NodeOptions:
    """What differs between nodes of one chain. `prune` is the node's own -prune (1: by RPC)."""

    txindex: bool = False
    prune: int = 0
    extra: tuple[str, ...] = ()

    def flags(self) -> list[str]:
        return [f"-txindex={int(self.txindex)}", f"-prune={self.prune}", *self.extra]


@dataclass
class Node:
    """One node in `datadir`. Start and stop it as often as wished; its ports stay."""

    chain: Chain
    datadir: Path
    options: NodeOptions = NodeOptions()
    rpc_port: int = field(default_factory=free_port)
    p2p_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def cookie(self) -> Path:
        """The cookie file that authenticates RPC; new at each start."""
        return self.datadir / "regtest" / ".cookie"

    @property
    def rpc_url(self) -> str:
        return f"http://127.0.0.1:{self.rpc_port}"

    @property
    def p2p_address(self) -> str:
        return f"127.0.0.1:{self.p2p_port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def _argv(self, now: int) -> list[str]:
        return [
            str(find_node(_BINARY[self.chain])),
            *_COMMON_FLAGS,
            *_CHAIN_FLAGS[self.chain],
            *self.options.flags(),
            f"-datadir={self.datadir}",
            f"-rpcport={self.rpc_port}",
            f"-port={self.p2p_port}",
            f"-bind=127.0.0.1:{self.p2p_port}",
            f"-mocktime={now}",
        ]

    def spawn(self, now: int) -> None:
        """Start the process with its clock at unix time `now`; `wait_ready` follows."""
        self.datadir.mkdir(parents=True, exist_ok=True)
        self.cookie.unlink(missing_ok=True)
        with (self.datadir / "stderr").open("wb") as stderr:
            self._process = spawn(self._argv(now), stderr=stderr)

    async def start(self, now: int) -> None:
        """Start, and wait until RPC answers."""
        self.spawn(now)
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until RPC answers.

        Raises:
            RuntimeError: the node ended, or did not answer in time; with what it said.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                said = (self.datadir / "stderr").read_text(errors="replace").strip()
                raise RuntimeError(f"{_BINARY[self.chain]} ended while starting: {said}")
            try:
                await self.rpc("getblockcount")
            except (OSError, RpcError, ValueError):
                await trio.sleep(0.02)  # a node that starts tells nobody: ask again
            else:
                return
        raise RuntimeError(f"{_BINARY[self.chain]} did not answer within {_START_SECONDS} s")

    async def stop(self) -> None:
        """Stop cleanly. Close other clients' connections to litecoind first: it waits for them."""
        if self._process is not None:
            await end(self._process, grace=_STOP_SECONDS)

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            await kill(self._process)

    def remove(self) -> None:
        shutil.rmtree(self.datadir, ignore_errors=True)

    async def rpc(self, method: str, *params: Any, wallet: str | None = None) -> Any:
        """Call the node. Numbers with a point come back as text, amounts go in as text."""
        return await rpc_call(self.rpc_port, self.cookie, method, params, wallet=wallet)

    async def set_time(self, now: int) -> None:
        await self.rpc("setmocktime", now)

    async def tip(self) -> str:
        """Hash of the best block."""
        answer = await self.rpc("getbestblockhash")
        assert isinstance(answer, str)
        return answer

    async def nobody(self) -> str:
        """An address that everybody may spend from and no wallet watches: P2WSH of OP_TRUE."""
        decoded = await self.rpc("decodescript", "51")
        segwit = decoded["segwit"]
        address = segwit["address"] if "address" in segwit else segwit["addresses"][0]
        assert isinstance(address, str)
        return address
