"""Owns a relay and one daemon per party of a world, and how time passes for all of them.

The only way in is each daemon's control socket and the nodes' RPC. Time passes a block on both
chains per 10 s; before each block every daemon has seen what its nodes know and done what it owed,
so that a slow machine makes a test slow and never wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import trio

from swapd.control.failures import CallError, CannotConnectError
from tests.daemons.process import SwapdProcess
from tests.nodes import Chain, RpcError, World

ENDS: Final = frozenset({"completed", "refunded", "never_funded", "lost"})
BLOCK_SECONDS: Final = 10
PATIENCE_SECONDS: Final = 4.0
"""How long time stands still for a daemon that can't catch up: its node is down, its gate shut."""

_POLL: Final = 0.03
_BOOK_SECONDS: Final = 120
"""More than a lease: by then a maker that nobody hears of is in no book."""
_BUSY_SECONDS: Final = 61
"""After so long a maker that had too many takes in a minute answers again."""
_BUSY_POLL: Final = 1


def other(chain: Chain) -> Chain:
    """The chain of the other leg."""
    return "LTC" if chain == "BTC" else "BTC"


class Fleet:
    """See the module. `daemons` by party name; `relay` knows no chain."""

    def __init__(
        self,
        world: World,
        parties: Sequence[str] = ("maker", "taker"),
        *,
        folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.world = world
        self.folder = folder or world.folder / "daemons"
        self._settings = dict(settings or {})
        self._parties = tuple(parties)
        self.pair = "LTC/BTC"
        self.patience = PATIENCE_SECONDS
        """Less of it where a daemon is kept from what it owes for long."""
        self.relay = self.make("relay", None)
        self.daemons: dict[str, SwapdProcess] = {}

    def make(
        self, name: str, party: str | None, *, settings: Mapping[str, str] | None = None
    ) -> SwapdProcess:
        """A daemon that is not started, in a folder of its own."""
        return SwapdProcess(
            name,
            self.folder / name,
            clock=self.world.clock.path,
            party=self.world[party] if party else None,
            settings={**(self._settings if party else {}), **(settings or {})},
        )

    def __getitem__(self, name: str) -> SwapdProcess:
        return self.daemons[name]

    @property
    def tickers(self) -> tuple[str, ...]:
        """What is swapped, and what its fees are paid in."""
        return self.world.chains

    @property
    def all(self) -> list[SwapdProcess]:
        """The relay and every daemon."""
        return [self.relay, *self.daemons.values()]

    def configure(self, key: str, value: str) -> None:
        """For every party's daemon that is made from now on."""
        self._settings[key] = value

    # --- Life ---------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Starts the nodes."""
        await self.world.start()

    async def end(self) -> None:
        """Ends everything, the nodes too."""
        await self.kill()
        await self.world.stop()

    async def start(self) -> None:
        """Starts everything at once; the parties learn of each other through the relay alone."""
        self.daemons = {name: self.make(name, name) for name in self._parties}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.relay.start)
            for daemon in self.daemons.values():
                nursery.start_soon(daemon.init)
        await self.prepare()
        bootstrap = [await self.relay.address()]
        # Started again it is where it was, and everybody finds it.
        self.relay.settings["p2p.listen"] = bootstrap[0].rpartition("/p2p/")[0]
        async with trio.open_nursery() as nursery:
            for daemon in self.daemons.values():
                daemon.bootstrap = tuple(bootstrap)
                nursery.start_soon(daemon.start)

    async def prepare(self) -> None:
        """What has to be when the daemons' seeds are made and they have not started."""

    async def stop(self) -> None:
        """Ends every process, politely."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for daemon in self.all:
                    if daemon.running:
                        nursery.start_soon(daemon.stop)

    async def kill(self) -> None:
        """Ends every process at once."""
        with trio.CancelScope(shield=True):
            for daemon in self.all:
                await daemon.kill()

    async def restart(self, name: str, *, politely: bool = True) -> None:
        """Ends a daemon if it runs, and starts it."""
        daemon = self[name]
        if daemon.running:
            await (daemon.stop() if politely else daemon.kill())
        await daemon.start()

    # --- Offers -------------------------------------------------------------------------------

    async def post(
        self,
        maker: str,
        sell: str,
        *,
        buy: str,
        price: str,
        seen_by: Iterable[str] = (),
        **more: object,
    ) -> str:
        """Posts an offer to sell "5 LTC", say; its id, once `seen_by` have it in their books."""
        decimal, asset = sell.split()
        amount = {"asset": asset, "decimal": decimal}
        posted = await self[maker].call("offer.post", sell=amount, buy=buy, price=price, **more)
        offer_id = str(posted["offer"]["offer"]["offer_id"])
        for name in seen_by:
            await self.until_listed(name, offer_id)
        return offer_id

    async def book(self, name: str) -> dict[str, dict[str, Any]]:
        """Every offer in a daemon's book, by id."""
        found = await self[name].call("book.get", pair=self.pair)
        return {row["offer_id"]: row for row in (*found["asks"], *found["bids"])}

    async def until_listed(self, name: str, offer_id: str) -> dict[str, Any]:
        """Waits until the offer is in the daemon's book."""
        found: dict[str, Any] = (await self.until_book(name, lambda b: offer_id in b))[offer_id]
        return found

    async def until_gone(
        self, name: str, offer_id: str, *, seconds: float = _BOOK_SECONDS
    ) -> dict[str, Any]:
        """Waits until the offer is not in the daemon's book any more."""
        return await self.until_book(name, lambda book: offer_id not in book, seconds=seconds)

    async def until_book(
        self,
        name: str,
        wanted: Callable[[dict[str, dict[str, Any]]], bool],
        *,
        seconds: float = _BOOK_SECONDS,
    ) -> dict[str, Any]:
        """Waits for a state of the daemon's book, woken by its own events; returns the book."""
        with trio.fail_after(seconds):
            async with self[name].client() as client:
                await client.call("subscribe", {"topic": "book"})
                while not wanted(book := await self.book(name)):
                    with trio.move_on_after(1):
                        await client.notices.receive()
                return book

    # --- Swaps --------------------------------------------------------------------------------

    async def take(
        self, taker: str, offer_id: str, amount: str | None = None, **more: object
    ) -> str:
        """Takes an offer, "2 LTC" of it or all; returns the swap's id."""
        if amount is not None:
            decimal, asset = amount.split()
            more["amount"] = {"asset": asset, "decimal": decimal}
        taken = await self.asked_to_take(taker, offer_id=offer_id, **more)
        return str(taken["swaps"][0]["swap_id"])

    async def asked_to_take(self, taker: str, **params: object) -> Any:
        """The answer to a take. Many swaps in a row are quicker than what a maker grants one peer:
        it is asked again until it has time."""
        until = trio.current_time() + _BUSY_SECONDS
        while True:
            try:
                return await self[taker].call("take", **params)
            except CallError as error:
                if "busy" not in str(error) or trio.current_time() > until:
                    raise
            await trio.sleep(_BUSY_POLL)

    async def swap(self, name: str, swap_id: str) -> dict[str, Any]:
        """Everything a daemon tells about a swap."""
        found: dict[str, Any] = (await self[name].call("swap.get", swap_id=swap_id))["swap"]
        return found

    async def phase(self, name: str, swap_id: str) -> str:
        """Where a swap is, as a daemon tells."""
        return str((await self.swap(name, swap_id))["summary"]["phase"])

    async def open_swaps(self, daemon: SwapdProcess) -> list[dict[str, Any]]:
        """The swaps of a daemon that have not ended; none of one that does not answer."""
        try:
            async with daemon.client() as client:
                listed = await client.call("swap.list", {"open_only": True})
                return [
                    (await client.call("swap.get", {"swap_id": row["swap_id"]}))["swap"]
                    for row in listed["swaps"]
                ]
        except CannotConnectError:
            return []

    # --- Time ---------------------------------------------------------------------------------

    async def settle(self, *, patience: float | None = None) -> bool:
        """Waits until every daemon has seen what the chains say and owes nothing more, and until
        the nodes have told each other. False when it took longer than `patience`."""
        with trio.move_on_after(self.patience if patience is None else patience):
            # Two daemons and six nodes have to agree, and no single event tells that they do.
            while not await self._is_settled():  # noqa: ASYNC110 - see above
                await trio.sleep(_POLL)
            return True
        return False

    async def _is_settled(self) -> bool:
        told = {d.name: await self.open_swaps(d) for d in self.daemons.values() if d.running}
        locked = _locked_legs(told)
        for swaps in told.values():
            for swap in swaps:
                if swap["next_actor"] == "us":
                    return False
                for leg in swap["legs"]:
                    if leg["outpoint"] is None and (_leg_key(swap, leg) in locked):
                        return False
                    dead = any(
                        t["what"] == "kill" and t["depth"] is not None for t in leg["transactions"]
                    )
                    for tx in leg["transactions"]:
                        if not (dead and tx["depth"] is None) and not await self._is_current(tx):
                            return False
        return True

    async def _is_current(self, tx: dict[str, Any]) -> bool:
        """Whether a daemon's word on a transaction is what the chain says."""
        if tx["depth"] is None:  # signed, and on its way to the node
            return not tx["ours"]
        return bool(await self.depth(tx["ticker"], tx["txid"]) == tx["depth"])

    async def depth(self, chain: str, txid: str) -> int | None:
        """Confirmations of a transaction; 0 in a mempool of the funder, None for unknown."""
        try:
            found = await self.world.funder.rpc(
                cast("Chain", chain), "getrawtransaction", txid, True
            )
        except RpcError:
            return None
        return int(found.get("confirmations", 0))

    async def relay_transactions(self) -> None:
        """Waits until the nodes have passed on what they hold."""
        for chain in self.world.chains:
            await self.world.relay_mempool(chain)

    async def block(self, *, patience: float | None = None) -> None:
        """10 seconds and a block on both chains, daemons and nodes in step before and after."""
        await self.settle(patience=patience)
        await self.relay_transactions()
        await self.settle(patience=patience)
        await self.world.pass_time(BLOCK_SECONDS)
        await self.settle(patience=patience)

    async def pass_blocks_to(self, when: int) -> None:
        """Many blocks at once, up to unix time `when`: for a time in which nobody has to act."""
        await self.settle()
        await self.relay_transactions()
        left = when - self.world.clock.now()
        if left > 0:
            await self.world.pass_time(left)
        await self.settle()

    async def until(self, wanted: Callable[[], Any], *, blocks: int = 30) -> None:
        """Lets blocks pass until the async `wanted` is true. Raises AssertionError when it isn't
        after so many."""
        for _ in range(blocks):
            await self.settle()
            if await wanted():
                return
            await self.block()
        assert await wanted(), f"not within {blocks} blocks: {await self.where()}"

    async def until_phase(
        self, name: str, swap_id: str, *phases: str, blocks: int = 30
    ) -> dict[str, Any]:
        """Lets blocks pass until a daemon says that the swap is in one of `phases`."""

        async def reached() -> bool:
            return await self.phase(name, swap_id) in phases

        await self.until(reached, blocks=blocks)
        return await self.swap(name, swap_id)

    async def until_ended(self, *swap_ids: str, blocks: int = 70) -> None:
        """Lets blocks pass until these swaps (or all) have ended for every running daemon."""

        async def ended() -> bool:
            running = [d for d in self.daemons.values() if d.running]
            found = [swap for d in running for swap in await self.open_swaps(d)]
            return not [s for s in found if not swap_ids or s["summary"]["swap_id"] in swap_ids]

        await self.until(ended, blocks=blocks)

    async def where(self) -> str:
        """Every open swap in a few words, for failures."""
        lines = []
        for daemon in self.daemons.values():
            for swap in await self.open_swaps(daemon):
                legs = [(leg["name"], leg["status"], leg["depth"]) for leg in swap["legs"]]
                said = (swap["summary"]["phase"], swap["next_action"], swap["warnings"])
                lines.append(f"{daemon.name}: {said} {legs}")
        return "\n".join(lines) or "no swap is open"

    # --- Money --------------------------------------------------------------------------------

    async def holdings(self, name: str, chain: str) -> int:
        """What a party has on a chain in base units: its node's wallet, by the node's own word, and
        what lies at addresses of its seed."""
        with trio.fail_after(_BOOK_SECONDS):
            # Empty while its node is not to be asked.
            while not (assets := (await self[name].call("balance", asset=chain))["assets"]):  # noqa: ASYNC110 - nothing to wait on
                await trio.sleep(_POLL)
        told = assets[0]
        balances = (await self.world[name].rpc(cast("Chain", chain), "getbalances"))["mine"]
        wallet = sum(_units(balances[key]) for key in ("trusted", "untrusted_pending"))
        return wallet + int(told["payout"]["units"])

    async def fee(self, chain: str, txid: str) -> int:
        """The fee of a transaction, computed from the chain: inputs less outputs."""
        funder, family = self.world.funder, cast("Chain", chain)
        tx = await funder.rpc(family, "getrawtransaction", txid, True)
        total = -sum(_units(out["value"]) for out in tx["vout"])
        for spent in tx["vin"]:
            source = await funder.rpc(family, "getrawtransaction", spent["txid"], True)
            total += _units(source["vout"][spent["vout"]]["value"])
        return total


def _units(amount: object) -> int:
    """Base units of an amount as nodes print it."""
    whole, _, rest = str(amount).partition(".")
    return int(whole) * 100_000_000 + int(rest.ljust(8, "0"))


def _leg_key(swap: dict[str, Any], leg: dict[str, Any]) -> tuple[str, str]:
    return swap["summary"]["swap_id"], leg["name"]


def _locked_legs(told: Mapping[str, list[dict[str, Any]]]) -> set[tuple[str, str]]:
    """The legs which somebody has seen in a block."""
    return {
        _leg_key(swap, leg)
        for swaps in told.values()
        for swap in swaps
        for leg in swap["legs"]
        if leg["outpoint"] is not None and leg["depth"] > 0
    }
