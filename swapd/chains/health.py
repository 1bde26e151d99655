"""A node as it is at this moment: tip, time, fees, and every reason not to lock or reveal now.

Owns: `NodeInfo`, the problems of safety rule 10, fee rates. Must not know: watches, wallets' coins.
"""

from typing import Any, Final

import trio
from msgspec import Struct

from protocol.bitcoin.params import ChainParams
from protocol.swap import troubles
from swapd.chains.answers import block_hash, flag, rows, short, table, text, units, whole
from swapd.chains.checks import check_chain, wallet_problem
from swapd.chains.config import NodeConfig
from swapd.chains.rpc import Rpc, RpcError
from swapd.ports import Clock

MIN_PEERS: Final = 4
TIPS_MAX_AGE: Final = 10.0
"""Seconds for which the list of competing tips is believed while the tip stays the same."""

FORK_WINDOW: Final = 6
"""A branch of two blocks or more competes until ours is this many blocks longer."""

MAX_FEE_RATE: Final = 10_000_000
"""Estimates above it (10,000 per vbyte) are taken for nonsense."""

_STALE_BLOCKS: Final = 9
_STALE_LEAST: Final = 30 * 60

_FALLBACK_RATE: Final = {"bitcoin": 50_000, "litecoin": 20_000}
"""For mainnets, when the node has no estimate yet: enough in most hours of the year."""

_FALLBACK_TEST_RATE: Final = 2_000


class NodeInfo(Struct, frozen=True):
    """One look at a node. Times in unix seconds, rates in base units per 1000 vbytes;
    `increment` is what a replacement must add."""

    height: int
    tip_hash: str
    tip_time: int
    median_time: int
    peers: int
    version: str
    synced: bool
    pruned: bool
    problems: tuple[str, ...]
    fee_next: int
    fee_floor: int
    increment: int
    time_offset: int = 0
    prune_height: int = 0
    fee_estimated: bool = True


class Health:
    """Looks at one node. `misconfigured` is what the last full check found, kept by the caller."""

    def __init__(self, rpc: Rpc, params: ChainParams, config: NodeConfig, clock: Clock) -> None:
        self._rpc = rpc
        self._params = params
        self._config = config
        self._clock = clock
        self._header: tuple[str, int, int] = ("", 0, 0)
        self._fork: tuple[str, float, str | None] = ("", 0.0, None)
        self.misconfigured: str | None = None

    async def look(self) -> NodeInfo:
        """Asks everything in one request. Raises NodeMisconfigured for a foreign chain, so that
        no fact of it is ever taken for ours; NodeUnreachable."""
        info, genesis, network, pool, wallets, estimate = await self._rpc.batch(
            [
                ("getblockchaininfo", ()),
                ("getblockhash", (0,)),
                ("getnetworkinfo", ()),
                ("getmempoolinfo", ()),
                ("listwallets", ()),
                ("estimatesmartfee", (2, "CONSERVATIVE")),
            ]
        )
        for answer in (info, genesis, network, pool):
            if isinstance(answer, RpcError):
                raise answer
        chain, net = table(info), table(network)
        check_chain(self._rpc.where, self._params, chain, genesis)
        height, tip = whole(chain.get("blocks")), block_hash(chain.get("bestblockhash"))
        await self._know(tip, height)
        _, tip_time, median_time = self._header
        headers = whole(chain.get("headers"))
        syncing = flag(chain.get("initialblockdownload"))
        peers = whole(net.get("connections"))
        problems = [
            *self._time_problems(tip_time, median_time),
            *_sync_problems(height, headers, syncing=syncing),
            *self._peer_problems(peers),
            *filter(None, [self._fork[2]]),
            *filter(None, [wallet_problem(self._rpc.where, self._config, wallets)]),
            *filter(None, [self.misconfigured]),
        ]
        increment = units(net.get("incrementalfee"))
        # Our own node may relay for less than its peers do.
        floor = increment + max(
            units(table(pool).get("mempoolminfee")),
            units(net.get("relayfee")),
            self._params.min_relay_rate,
        )
        estimated = self._estimated(estimate)
        return NodeInfo(
            height=height,
            tip_hash=tip,
            tip_time=tip_time,
            median_time=median_time,
            peers=peers,
            version=short(net.get("subversion")).strip("/"),
            synced=not syncing and headers <= height,
            pruned=flag(chain.get("pruned")),
            problems=tuple(dict.fromkeys(problems)),
            fee_next=max(estimated or self._fallback(), floor),
            fee_floor=floor,
            increment=increment,
            time_offset=_offset(net.get("timeoffset")),
            prune_height=whole(chain.get("pruneheight", 0)),
            fee_estimated=estimated is not None,
        )

    async def _know(self, tip: str, height: int) -> None:
        """Times of the tip, asked once for each, and the branch that competes with our best chain,
        if one is known (safety rules 10, 12)."""
        asked: dict[str, tuple[object, ...]] = {}
        if self._header[0] != tip:
            asked["getblockheader"] = (tip,)
        known_tip, since, _ = self._fork
        if known_tip != tip or trio.current_time() - since > TIPS_MAX_AGE:
            asked["getchaintips"] = ()
        answers = dict(zip(asked, await self._rpc.batch([*asked.items()]), strict=True))
        for answer in answers.values():
            if isinstance(answer, RpcError):
                raise answer
        if "getblockheader" in answers:
            header, most = table(answers["getblockheader"]), 2**32 - 1
            times = whole(header.get("time"), 0, most), whole(header.get("mediantime"), 0, most)
            self._header = (tip, *times)
        if "getchaintips" in answers:
            tips = rows(answers["getchaintips"])
            problem = next((p for p in (_competes(item, height) for item in tips) if p), None)
            self._fork = (tip, trio.current_time(), problem)

    def _time_problems(self, tip_time: int, median_time: int) -> list[str]:
        now = self._clock.now()
        problems = []
        if now < median_time:
            # No figures that change from look to look: a change of problems wakes everybody.
            problems.append(f"{troubles.CLOCK_IS_BEHIND} median time: set the clock")
        limit = max(_STALE_LEAST, _STALE_BLOCKS * self._params.block_interval)
        if self._params.network != "regtest" and now - tip_time > limit:
            problems.append(f"{troubles.NO_BLOCK} {limit // 60} minutes: is the node connected?")
        return problems

    def _peer_problems(self, peers: int) -> list[str]:
        if self._params.network == "regtest" or peers >= MIN_PEERS:
            return []
        return [f"the node has {peers} peers; {MIN_PEERS} are wanted, {troubles.FEW_PEERS}"]

    @staticmethod
    def _estimated(answer: object) -> int | None:
        """The node's estimate for the next blocks; None while it has none."""
        if not isinstance(answer, RpcError):
            rate: Any = table(answer).get("feerate")
            if rate is not None and 0 < units(rate) <= MAX_FEE_RATE:
                return units(rate)
        return None

    def _fallback(self) -> int:
        if self._params.is_test:
            return _FALLBACK_TEST_RATE
        return _FALLBACK_RATE.get(self._params.name, max(_FALLBACK_RATE.values()))


def _sync_problems(height: int, headers: int, *, syncing: bool) -> list[str]:
    if syncing:
        return [f"the node is {troubles.CATCHING_UP} (block {height} of {headers})"]
    if headers > height:
        return [f"the node knows {headers - height} {troubles.BLOCKS_MISSING}"]
    return []


def _offset(value: object) -> int:
    """Seconds. Not worth failing over: no gate depends on it."""
    sane = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return value if isinstance(value, int) and sane else 0


def _competes(item: object, height: int) -> str | None:
    """A stale block competes while it is as high as our tip; a longer branch for six blocks more.
    A branch found invalid never does."""
    branch = table(item)
    status, top = text(branch.get("status")), whole(branch.get("height"))
    length = whole(branch.get("branchlen"))
    if status not in {"valid-fork", "valid-headers", "headers-only"}:
        return None
    if top >= height or (length >= 2 and top > height - FORK_WINDOW):
        return f"{troubles.COMPETING} of {length} blocks ends at block {top} ({status})"
    return None
