"""Owns a fleet with towers beside it: starting them, naming them to a client, time that waits for
them, and what a client has in the end.

Towers use the nodes of a party of their own. Knows the command line, the logs and the chains; of
towers' inside nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio

from tests.daemons.fleet import Fleet
from tests.daemons.tower import TowerProcess
from tests.nodes import Chain
from tests.nodes.world import CHAINS

LOOK_SECONDS = 20.0
MAX_FEE_PERCENT = 10


async def dismiss(fleet: Fleet, towers: Sequence[TowerProcess]) -> None:
    """Ends all of `towers`; every daemon runs without any from its next start on."""
    with trio.CancelScope(shield=True):
        for tower in towers:
            await tower.kill()
        for daemon in fleet.daemons.values():
            named = [key for key in daemon.settings if key.startswith("towers.")]
            for key in named:
                del daemon.settings[key]
            if named and daemon.running:
                await daemon.stop()


class Stage:
    """`watchers` is the party on whose nodes the towers look."""

    def __init__(self, fleet: Fleet, folder: Path, *, watchers: str) -> None:
        self.fleet, self.folder = fleet, folder
        self._party = fleet.world[watchers]
        self.towers: list[TowerProcess] = []
        self.addresses: list[str] = []

    async def add(self, mode: str = "honest") -> TowerProcess:
        """Starts a tower; its address is the last of `addresses`."""
        command = ("swapd", "tower") if mode == "honest" else ("tests.towers.rogue", mode)
        name = f"tower{len(self.towers)}-{mode}"
        tower = TowerProcess(
            name,
            self.folder / name,
            clock=self.fleet.world.clock.path,
            party=self._party,
            command=command,
        )
        self.addresses.append(await tower.start())
        self.towers.append(tower)
        return tower

    async def employ(
        self, client: str, addresses: Sequence[str] | None = None, **more: str
    ) -> None:
        """Restarts a client's daemon with these towers (default: all) for both acts."""
        named = ",".join(self.addresses if addresses is None else addresses)
        daemon = self.fleet[client]
        daemon.settings |= {"towers.claims": named, "towers.refunds": named, **more}
        await self.fleet.restart(client)

    async def close(self) -> None:
        """Ends all towers; every daemon runs without any from its next start on."""
        await dismiss(self.fleet, self.towers)
        self.towers, self.addresses = [], []

    # --- Time ---------------------------------------------------------------------------------

    async def until_looked(self) -> None:
        """Every tower that keeps something has looked at the newest blocks."""
        wanted = {
            chain: int(await self._party.node(chain).rpc("getblockcount")) for chain in CHAINS
        }
        for tower in self.towers:
            with trio.move_on_after(LOOK_SECONDS):
                await tower.until(lambda tower=tower: _has_looked(tower, wanted))  # type: ignore[misc] # a default binds it now

    async def block(self) -> None:
        """10 seconds and a block on both chains, in step with daemons, nodes and towers."""
        await self.fleet.block()
        await self.until_looked()
        await self.fleet.relay_transactions()

    async def until(self, wanted: Callable[[], Any], *, blocks: int) -> bool:
        """Lets blocks pass until the async `wanted` is true; False when it never was."""
        for _ in range(blocks):
            if await wanted():
                return True
            await self.block()
        return bool(await wanted())

    # --- Facts from the chain -----------------------------------------------------------------

    async def spend_of(self, chain: Chain, outpoint: str) -> str | None:
        """The transaction in a block that spends an output, looking back two hundred blocks."""
        txid, _, index = outpoint.partition(":")
        node = self.fleet.world.funder
        tip = int(await node.rpc(chain, "getblockcount"))
        for height in range(tip, max(0, tip - 200), -1):
            name = await node.rpc(chain, "getblockhash", height)
            for tx in (await node.rpc(chain, "getblock", name, 2))["tx"]:
                for spent in tx["vin"]:
                    if (spent.get("txid"), spent.get("vout")) == (txid, int(index)):
                        return str(tx["txid"])
        return None

    async def paid_to(self, chain: Chain, txid: str) -> list[str]:
        """The addresses that a transaction pays."""
        tx = await self.fleet.world.funder.rpc(chain, "getrawtransaction", txid, True)
        scripts = [out["scriptPubKey"] for out in tx["vout"]]
        return [s.get("address") or s["addresses"][0] for s in scripts]


def _has_looked(tower: TowerProcess, wanted: dict[Chain, int]) -> bool:
    looks = tower.events("tower.looked")
    if not looks:
        return False
    last = looks[-1]
    if not last["packages"]:
        return True
    return all(height >= wanted[chain] for chain, height in last["heights"].items())
