"""Keeps packages and acts on them: chains in, transactions out.

Owns: the loop over all packages, what is written down before what leaves. Must not know: who asks
(`server`), how a decision is made (protocol.tower.decide), adapters.

What a look changed is on disk before anything of it is sent: a preimage seen once is never lost.
One package that fails, or one chain that can't be asked, keeps no other from being looked at.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec
import structlog
import trio

from protocol.assets import AssetId
from protocol.bitcoin.params import params_by_chain
from protocol.errors import Refusal, RemoteProtocolError
from protocol.swap.facts import ChainView
from protocol.terms import Kind
from protocol.tower.decide import decide
from protocol.tower.messages import Holding, Stage, Tip
from protocol.tower.package import (
    Package,
    Watched,
    digest,
    is_relayed,
    opens,
    proof_of_keeping,
    read,
    relayed,
)
from protocol.tower.progress import Decision, Progress, built
from swapd.ports import Broadcast, Chain, ChainError, Clock, LegWatch, Relay, StoreError
from swapd.tower.quotas import Bounds, check_pay, check_room, check_work, is_over
from swapd.tower.vault import Stored, Vault

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
"""Everything is looked at so often at least."""

HURRY_SECONDS: Final = 1.0
"""While something is due: a client's time to act by itself runs by the clock."""

VIEW_SECONDS: Final = 60.0
_NO_RELAYS: Final[Mapping[AssetId, Relay]] = MappingProxyType({})
ASK_SECONDS: Final = 15.0


@dataclass
class _Item:
    """One package in memory. `trouble` is what kept it from being looked at, said once."""

    package: Package
    trouble: str = ""


class Keeper:
    """All packages of one tower. `load`, then `run`. `decide` is how it judges a package."""

    decide = staticmethod(decide)

    def __init__(
        self,
        chains: Mapping[AssetId, Chain],
        vault: Vault,
        clock: Clock,
        *,
        bounds: Bounds,
        grace: int,
        relays: Mapping[AssetId, Relay] = _NO_RELAYS,
    ) -> None:
        """`relays`: the accounts that pay where a tower pays, by the asset of a leg."""
        self._chains, self._vault, self._clock = chains, vault, clock
        self._bounds, self._grace, self._relays = bounds, grace, relays
        self._gas_problems: dict[AssetId, str] = {}
        self._items: dict[bytes, _Item] = {}
        self._heights: dict[str, int] = {}
        self._poked = trio.Event()

    async def load(self) -> int:
        """Watches everything that is kept; how many packages. Raises StoreError."""
        await self._vault.load()
        for ticket, row in tuple(self._vault.rows.items()):
            try:
                package = read(row.package)
                self._watch(ticket, package)
            except RemoteProtocolError as error:
                # A newer check than the one it passed; it may still matter to its client.
                log.warning("tower.package_unreadable", reason=str(error))
                continue
            self._items[ticket] = _Item(package)
        for asset in self._relays:
            # What is watched from here on is all that counts on a nonce.
            await self._chains[asset].set_reserved(frozenset())
        return len(self._items)

    # --- For clients --------------------------------------------------------------------------

    async def put(self, client: str, ticket: bytes, data: bytes) -> bytes:
        """Keeps a package; its digest. On disk when this returns. Raises RemoteProtocolError: what
        was there before stays."""
        package = read(data)
        held = self._vault.rows.get(ticket)
        if held is not None and ticket in self._items:
            older = self._items[ticket].package
            if held.package != data and package.sequence <= older.sequence:
                detail = f"sequence {package.sequence}; {older.sequence} is kept"
                raise RemoteProtocolError(Refusal.WRONG_TERMS, detail)
        check_room(self._bounds, self._vault.rows.values(), client, ticket)
        await self._check_chains(client, package)
        await self._check_gas(client, ticket, package)
        now = self._clock.now()
        if held is None or held.package != data:
            progress = _carried(held.progress if held is not None else Progress(), package)
            held = Stored(client, ticket, data, now, now, progress)
        row = msgspec.structs.replace(held, client=client)
        with trio.CancelScope(shield=True):
            await self._vault.put(row)
        self._watch(ticket, package)
        self._items[ticket] = _Item(package)
        self.poke()
        log.info("tower.kept", client=client, act=package.act.value, sequence=package.sequence)
        return digest(package)

    async def drop(self, ticket: bytes) -> None:
        """Forgets a package. Raises StoreError."""
        with trio.CancelScope(shield=True):
            await self._forget(ticket)

    def holding(self, nonce: bytes, ticket: bytes) -> Holding:
        """What lies under a ticket, proven."""
        row, item = self._vault.rows.get(ticket), self._items.get(ticket)
        if row is None or item is None:
            return Holding(ticket, 0, b"", Stage.NONE, seen=False, txid="")
        progress = row.progress
        stage = Stage.ACTING if progress.txid else Stage.WAITING
        return Holding(
            ticket,
            item.package.sequence,
            proof_of_keeping(nonce, row.package),
            Stage.SPENT if progress.final else stage,
            seen=progress.seen,
            txid=progress.txid,
        )

    async def tips(self) -> tuple[Tip, ...]:
        """Every chain as we see it."""
        return tuple([await self._tip(chain) for chain in self._chains.values()])

    async def _tip(self, chain: Chain) -> Tip:
        try:
            with trio.fail_after(ASK_SECONDS):
                status = await chain.status()
        except (ChainError, trio.TooSlowError):
            return Tip(chain.chain, 0, 0, "the node can't be asked")
        problem = "" if status.synced else "the node is still catching up"
        relay = self._relays.get(chain.asset)
        account = b"" if relay is None else relay.account
        problem = problem or self._gas_problems.get(chain.asset, "")
        return Tip(chain.chain, status.height, status.median_time, problem, account)

    async def _check_chains(self, client: str, package: Package) -> None:
        """Raises RemoteProtocolError: a chain we don't see, or another fork than the client's."""
        for watched in _watched(package):
            chain = self._chains.get(watched.leg.amount.asset)
            if chain is None:
                detail = f"no node for {watched.leg.amount.asset} here"
                raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail)
            try:
                with trio.fail_after(ASK_SECONDS):
                    known = await chain.has_block(watched.leg.pinned)
                    tip = (await chain.status()).height
            except (ChainError, trio.TooSlowError):
                detail = f"the {chain.ticker} node can't be asked now"
                raise RemoteProtocolError(Refusal.NODE_NOT_READY, detail) from None
            if not known:
                detail = f"block {watched.leg.pinned.height} is not in our {chain.ticker} chain"
                raise RemoteProtocolError(Refusal.WRONG_CHAIN, detail)
            if watched.leg.kind is Kind.P2WSH:
                params = params_by_chain(watched.leg.chain)
                check_work(self._bounds, client, watched.since, params, tip)

    async def _check_gas(self, client: str, ticket: bytes, package: Package) -> None:
        """Raises RemoteProtocolError where we could not pay for what the package asks, or would
        get nothing for it and are not this client's own tower."""
        if not is_relayed(package):
            return
        asset = package.watched.leg.amount.asset
        relay = self._relays.get(asset)
        if relay is None:
            detail = f"no account that pays gas for {asset} here"
            raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail)
        others = sum(
            is_relayed(item.package) and item.package.watched.leg.chain == package.watched.leg.chain
            for name, item in self._items.items()
            if name != ticket and not self._vault.rows[name].progress.final
        )
        try:
            with trio.fail_after(ASK_SECONDS):
                problem = await relay.problem(others + 1)
                price = await relay.price(relayed(package).gas)
        except (ChainError, trio.TooSlowError):
            detail = f"the {self._chains[asset].ticker} node can't be asked now"
            raise RemoteProtocolError(Refusal.NODE_NOT_READY, detail) from None
        if problem:
            raise RemoteProtocolError(Refusal.INSUFFICIENT_FUNDS, problem)
        check_pay(self._bounds, client, package, relay.account, price)

    # --- The loop -----------------------------------------------------------------------------

    def poke(self) -> None:
        """Look at everything now."""
        self._poked.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Looks at everything at each change, until cancelled."""
        task_status.started()
        while True:
            counts = {asset: chain.change_count() for asset, chain in self._chains.items()}
            self._poked = trio.Event()
            hurry = False
            await self.look_at_gas()
            for ticket in tuple(self._items):
                hurry = await self.look(ticket) or hurry
            log.debug("tower.looked", heights=dict(self._heights), packages=len(self._items))
            await self._wait(counts, HURRY_SECONDS if hurry else LOOK_SECONDS)

    async def _wait(self, counts: Mapping[AssetId, int], seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:

                async def changed(asset: AssetId, chain: Chain) -> None:
                    await chain.wait_change(counts[asset])
                    nursery.cancel_scope.cancel()

                for asset, chain in self._chains.items():
                    nursery.start_soon(changed, asset, chain)
                await self._poked.wait()
                nursery.cancel_scope.cancel()

    async def look(self, ticket: bytes) -> bool:
        """Whether something is due and waits for its client."""
        item = self._items.get(ticket)
        if item is None:
            return False
        try:
            due = await self._look(ticket, item)
        except (ChainError, StoreError, trio.TooSlowError) as error:
            self._complain(item, str(error) or "no answer")
            return False
        except Exception:
            log.exception("tower.look_failed")
            return False
        item.trouble = ""
        return due

    def _complain(self, item: _Item, trouble: str) -> None:
        if trouble != item.trouble:
            item.trouble = trouble
            log.warning("tower.trouble", reason=trouble)

    async def _look(self, ticket: bytes, item: _Item) -> bool:
        """One package: observe, decide, write down, send."""
        row, package = self._vault.rows[ticket], item.package
        now = self._clock.now()
        if is_over(row, package, now):
            log.info("tower.pruned", act=package.act.value, spent=row.progress.final)
            await self._forget(ticket)
            return False
        view = await self._view(package.watched, _name(ticket, "watched"))
        shown = None
        if package.shows is not None and not row.progress.preimage:
            shown = await self._view(package.shows, _name(ticket, "shows"))
        allowance = self._allowance(row.client, package)
        decision = self.decide(
            package, row.progress, view, shown, now, grace=self._grace, allowance=allowance
        )
        if self._items.get(ticket) is not item:
            return True  # replaced while we looked: look again
        if decision.order is not None:
            relay = self._relays[package.watched.leg.amount.asset]
            tx = await relay.build(decision.order)
            decision = built(decision, tx.txid, tx.raw)
        if decision.progress != row.progress:
            changed = msgspec.structs.replace(row, progress=decision.progress, changed=now)
            with trio.CancelScope(shield=True):
                await self._vault.put(changed)
        if decision.progress.final and not row.progress.final:
            log.info("tower.spent", act=package.act.value, ticker=self._ticker(package))
        await self._send(package, decision)
        return decision.progress.due_since > 0

    def _ticker(self, package: Package) -> str:
        return self._chains[package.watched.leg.amount.asset].ticker

    def _allowance(self, client: str, package: Package) -> int:
        """What we pay for nothing: for our own clients only."""
        relay = self._relays.get(package.watched.leg.amount.asset)
        return relay.allowance if relay is not None and client in self._bounds.clients else 0

    async def look_at_gas(self) -> None:
        """Says it once when an account runs dry, and when it does no more."""
        for asset, relay in self._relays.items():
            with trio.move_on_after(ASK_SECONDS), suppress(ChainError):
                problem = await relay.problem()
                if problem != self._gas_problems.get(asset, ""):
                    chain = self._chains[asset].ticker
                    (log.error if problem else log.info)("tower.gas", chain=chain, problem=problem)
                self._gas_problems[asset] = problem

    async def _view(self, watched: Watched, name: str) -> ChainView:
        chain = self._chains[watched.leg.amount.asset]
        with trio.fail_after(VIEW_SECONDS):
            view = await chain.view(name)
        self._heights[chain.ticker] = view.tip_height
        return view

    async def _send(self, package: Package, decision: Decision) -> None:
        chain = self._chains[package.watched.leg.amount.asset]
        for raw in decision.send:
            result = await chain.broadcast(raw)
            refused = result.outcome is Broadcast.REJECTED
            (log.warning if refused else log.info)(
                "tower.sent",
                what=decision.why,
                txid=decision.progress.txid,
                outcome=result.outcome.value,
                reason=result.reason,
            )

    def _watch(self, ticket: bytes, package: Package) -> None:
        for part, watched in zip(("watched", "shows"), _watched(package), strict=False):
            chain = self._chains.get(watched.leg.amount.asset)
            if chain is not None:
                chain.watch(
                    LegWatch(_name(ticket, part), watched.leg, package.hashlock, watched.since)
                )

    async def _forget(self, ticket: bytes) -> None:
        await self._vault.drop(ticket)
        item = self._items.pop(ticket, None)
        if item is None:
            return
        for part, watched in zip(("watched", "shows"), _watched(item.package), strict=False):
            chain = self._chains.get(watched.leg.amount.asset)
            if chain is not None:
                chain.unwatch(_name(ticket, part))


def _watched(package: Package) -> tuple[Watched, ...]:
    return (package.watched,) if package.shows is None else (package.watched, package.shows)


def _name(ticket: bytes, part: str) -> str:
    return f"{ticket.hex()}:{part}"


def _carried(progress: Progress, package: Package) -> Progress:
    """What stays true when a newer package takes the place of an older one: the preimage that was
    seen. Everything else is found again."""
    return Progress(preimage=progress.preimage if opens(package, progress.preimage) else b"")
