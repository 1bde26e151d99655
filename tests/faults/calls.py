"""Owns the faults of RPC calls: every method that a swap uses, harmed in the middle of it.

Both parties' nodes misbehave at once, each on its next calls of the method.
"""

from dataclasses import dataclass
from typing import Final

from tests.daemons.fleet import Fleet
from tests.faults import judge
from tests.faults.proxied import Proxies, proxied
from tests.faults.proxy import Fault, Harm
from tests.faults.steps import begin
from tests.functional import accounts
from tests.nodes.world import CHAINS

ANY: Final = ""
WALLET: Final[dict[str, dict[str, int]]] = {
    "signrawtransactionwithwallet": {"maker": 1},
    "getrawchangeaddress": {},
    "lockunspent": {},
}
"""Called when a lock is built: at once after a take, so that the fault must be there before it.
By party how many calls come earlier, from the negotiation (the maker's proof of funds)."""

READ: Final = (
    "estimatesmartfee",
    "getbestblockhash",
    "getblock",
    "getblockchaininfo",
    "getblockhash",
    "getblockheader",
    "getchaintips",
    "getmempoolentry",
    "getmempoolinfo",
    "getnetworkinfo",
    "getrawmempool",
    "getrawtransaction",
    "gettxspendingprevout",
    "listunspent",
    "listwallets",
    "waitforblockheight",
)
SEND: Final = "sendrawtransaction"
START_ONLY: Final = frozenset({"getblockcount", "getwalletinfo", "gettxout", "getdeploymentinfo"})
"""Called in a negotiation, at the start, or for a balance; not by a swap that runs."""


@dataclass(frozen=True)
class Call:
    """A swap during which calls of `method` get `harm`."""

    method: str
    harm: Harm
    times: int = 1

    def __str__(self) -> str:
        return f"{self.method or 'any call'}, {self.times} for each node: {self.harm}"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost, or nothing was harmed."""
        async with proxied(fleet, *judge.BOTH) as proxies:
            return await self.within(fleet, proxies)

    async def within(self, fleet: Fleet, proxies: Proxies) -> str:
        """The same where the proxies stand already."""
        for proxy in proxies.values():
            proxy.reset()
        before = await accounts.balances(fleet)
        if self.method in WALLET:
            self._arm(proxies)
        swap_id = await begin(fleet)
        if self.method not in WALLET:
            self._arm(proxies)
        found = await judge.verdict(fleet, before, swap_id)
        harmed = sum(fault.done for proxy in proxies.values() for fault in proxy.armed)
        assert harmed, f"no {self.method} was called"
        return f"{found} ({harmed} harmed)"

    def _arm(self, proxies: Proxies) -> None:
        for (name, _), proxy in proxies.items():
            skip = WALLET.get(self.method, {}).get(name, 0)
            proxy.arm(Fault(self.harm, self.method, self.times, skip))


@dataclass(frozen=True)
class Methods:
    """A swap with nothing harmed, whose methods are all harmed in some other case."""

    def __str__(self) -> str:
        return "no harm: every method that a swap calls is in this table"

    async def run(self, fleet: Fleet) -> str:
        """Raises AssertionError naming what is missing."""
        async with proxied(fleet, *judge.BOTH) as proxies:
            return await self.within(fleet, proxies)

    async def within(self, fleet: Fleet, proxies: Proxies) -> str:
        """The same where the proxies stand already."""
        for proxy in proxies.values():
            proxy.reset()
        before = await accounts.balances(fleet)
        swap_id = await begin(fleet)
        found = await judge.verdict(fleet, before, swap_id)
        called = {method for proxy in proxies.values() for method in proxy.calls}
        missing = called - {case.method for case in ALL if isinstance(case, Call)} - START_ONLY
        assert not missing, f"these calls are harmed in no case: {sorted(missing)}"
        return f"{found} ({len(called)} methods, {len(proxies)} nodes, {len(CHAINS)} chains)"


ALL: Final[tuple[Call | Methods, ...]] = (
    Methods(),
    *(Call(SEND, harm) for harm in Harm),
    Call(SEND, Harm.DEAF, times=3),
    *(Call(ANY, harm, times=3) for harm in Harm),
    *(Call(method, harm) for method in WALLET for harm in (Harm.DEAF, Harm.BUSY, Harm.REFUSED)),
    *(Call(method, Harm.DEAF) for method in READ),
)
"""Sending, and any calls, in every way; each of the others timed out after the node has acted."""
