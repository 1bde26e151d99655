"""The judgement at the end: chains, journals, ends, accounts and books, each by itself.

Owns: what must be true once the world is calm. Recomputes everything from blocks and disks' bytes.
"""

from typing import TYPE_CHECKING, Any

from protocol.assets import AssetId
from swapd.engine import journal
from swapd.ports import StoreError
from tests.simulation.engine.daemon import BTC, LTC, Daemon
from tests.simulation.engine.plain import (
    PlainLeg,
    PlainSwap,
    PlainTx,
    is_signed_offer,
    read_state,
    read_swap,
    read_tx,
)
from tests.simulation.engine.referee import shows

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene


class Chain:
    """One chain, worked out from its blocks: every output and what spent it."""

    def __init__(self, ledger: Any) -> None:
        self.height: int = ledger.height
        self.txs: list[tuple[PlainTx, int]] = [
            (read_tx(tx.raw.tx.serialise()), block.height)
            for block in ledger.chain.blocks
            for tx in block.txs
            if tx.raw is not None
        ]
        self.outputs: dict[str, tuple[bytes, int]] = {}
        self.spent: dict[str, tuple[PlainTx, int]] = {}
        self.height_of: dict[str, int] = {}
        for tx, height in self.txs:
            self.height_of[tx.txid] = height
            self.outputs.update(zip(tx.refs, tx.outputs, strict=True))
            for ref in tx.spends:
                self.spent[ref] = (tx, height)

    def locks(self, leg: PlainLeg) -> list[str]:
        """Outputs that are exactly the leg."""
        return [ref for ref, out in self.outputs.items() if out == (leg.script, leg.units)]

    def depth(self, height: int) -> int:
        return self.height - height + 1


def judge(scene: "Scene") -> None:
    """Adds what is wrong to the referee's violations."""
    chains = {asset: Chain(ledger) for asset, ledger in scene.ledgers.items()}
    for name in sorted(scene.daemons):
        daemon = scene.daemons[name]
        if daemon.is_honest:
            _Books(scene, daemon, chains).judge()


class _Books:
    """One honest daemon."""

    def __init__(self, scene: "Scene", daemon: Daemon, chains: dict[AssetId, Chain]) -> None:
        self._scene = scene
        self._daemon = daemon
        self._chains = chains
        self._wallet = {asset: set(daemon.wallets[asset]._keys.scripts) for asset in (BTC, LTC)}
        self._seed: dict[str, set[bytes]] = {BTC: set(), LTC: set()}
        for space, key in daemon.disk.values:
            if space == "address":
                asset, _, address = key.partition("|")
                self._seed[asset].add(daemon.wallets[AssetId(asset)].check_address(address))

    def _wrong(self, swap: PlainSwap | None, text: str) -> None:
        name = self._daemon.name + (f"/{swap.swap_id.hex()[:6]}" if swap else "")
        self._scene.referee.violated(f"{name}: {text}")

    def judge(self) -> None:
        """Everything."""
        for rows in self._daemon.disk.journal.values():
            swap, state = read_swap(rows[0].state), read_state(rows[-1].state)
            try:
                journal.replay(tuple(rows))
            except StoreError as error:
                self._wrong(swap, f"the journal does not replay: {error}")
            self._swap(swap, state)
        self._wallets()
        if self._daemon.ready:
            self._promises()
            self._book()

    # --- one swap ---

    def _swap(self, swap: PlainSwap, state: Any) -> None:
        own, theirs = (
            self._chains[AssetId(swap.own.asset)],
            self._chains[AssetId(swap.theirs.asset)],
        )
        claimed_by_them = [r for r in own.locks(swap.own) if self._how(own, r, swap) == "claim"]
        refunded = [r for r in own.locks(swap.own) if self._how(own, r, swap) == "refund"]
        ours = [
            ref
            for ref in theirs.locks(swap.theirs)
            if self._how(theirs, ref, swap) == "claim" and self._is_paid_to_us(swap, theirs, ref)
        ]
        for ref in refunded:
            self._check_refund(swap, own, ref)
        if claimed_by_them and not ours and self._scene.broken_at(self._daemon) is None:
            self._wrong(swap, "THEFT: our leg was claimed and theirs is not ours")
        end = state["outcome"] and state["outcome"]["end"]
        self._scene.referee.tallies[f"end {end}"] += 1
        if end is None:
            self._wrong(swap, f"no end: own {state['own']['type']}, {state['secret']['type']}")
            return
        truth = {
            "completed": bool(ours),
            "refunded": bool(refunded) and not claimed_by_them,
            "never_funded": not claimed_by_them and not refunded and not self._is_funded(own, swap),
            "lost": bool(claimed_by_them) and not ours,
        }
        self._check_lost(swap, end, state)
        broken = self._scene.broken_at(self._daemon)
        if broken is not None and state["outcome"]["at"] <= broken + 2:
            return  # what was final then may be gone now
        if not truth[end]:
            self._wrong(swap, f"says {end}: {state['outcome']['reason']}; the chains do not")

    def _check_refund(self, swap: PlainSwap, chain: Chain, ref: str) -> None:
        """What leaves our leg without the preimage is paid to our seed, and never too soon."""
        tx, _ = chain.spent[ref]
        script = self._daemon.wallets[AssetId(swap.own.asset)].check_address(
            swap.refund_destination
        )
        mine = self._seed[swap.own.asset] | {script}
        if any(out not in mine for out, _ in tx.outputs):
            self._wrong(swap, f"a refund pays somebody else in {tx.txid}")
        if tx.lock_time < swap.own.expiry:
            self._wrong(swap, f"a refund before its time in {tx.txid}")

    def _check_lost(self, swap: PlainSwap, end: str, state: Any) -> None:
        if end == "lost" and self._scene.broken_at(self._daemon) is None:
            self._wrong(swap, f"lost in a world that keeps its word: {state['outcome']['reason']}")

    def _how(self, chain: Chain, ref: str, swap: PlainSwap) -> str:
        found = chain.spent.get(ref)
        if found is None:
            return ""
        tx = found[0]
        return "claim" if shows(tx, swap.hashlock) else "refund"

    def _is_paid_to_us(self, swap: PlainSwap, chain: Chain, ref: str) -> bool:
        tx, _ = chain.spent[ref]
        script = self._daemon.wallets[AssetId(swap.theirs.asset)].check_address(swap.destination)
        paid = sum(units for out, units in tx.outputs if out == script)
        return 0 < paid <= swap.theirs.units

    def _is_funded(self, chain: Chain, swap: PlainSwap) -> bool:
        """Whether coins of ours sit in the leg's script."""
        return any(
            ref not in chain.spent and self._paid_by_us(chain, swap, ref)
            for ref in chain.locks(swap.own)
        )

    def _paid_by_us(self, chain: Chain, swap: PlainSwap, ref: str) -> bool:
        txid = ref.partition(":")[0]
        maker = next(tx for tx, _ in chain.txs if tx.txid == txid)
        scripts = self._wallet[AssetId(swap.own.asset)]
        return any(chain.outputs.get(spent, (b"", 0))[0] in scripts for spent in maker.spends)

    # --- all coins ---

    def _wallets(self) -> None:
        """Wallet coins went to legs of ours and back to us, never elsewhere; no leg was paid
        twice; what left as fees is little."""
        swaps = [read_swap(rows[0].state) for rows in self._daemon.disk.journal.values()]
        for asset, chain in self._chains.items():
            mine = self._wallet[asset] | self._seed[asset]
            legs = {swap.own.script: swap for swap in swaps if swap.own.asset == asset}
            paid: dict[bytes, int] = {}
            for tx, _ in chain.txs:
                spent = [chain.outputs[ref] for ref in tx.spends if ref in chain.outputs]
                if not any(script in self._wallet[asset] for script, _ in spent):
                    continue
                for script, units in tx.outputs:
                    if script in legs:
                        paid[script] = paid.get(script, 0) + 1
                        if units != legs[script].own.units:
                            self._wrong(legs[script], f"locked {units} instead")
                    elif script not in mine:
                        self._wrong(None, f"{units} went to a stranger in {tx.txid}")
            for script, times in paid.items():
                if times > 1:
                    self._wrong(legs[script], f"its leg was locked {times} times")

    # --- promises and the book ---

    def _promises(self) -> None:
        daemon = self._daemon
        if daemon.disk.open:
            return
        for asset in (BTC, LTC):
            held = daemon.ledger.held(asset)
            if held:
                self._wrong(None, f"{held} of {asset[-12:]} are still promised, no swap is open")
        for standing in daemon.offers.standing(include_ended=True):
            if standing.reserved:
                self._wrong(None, f"offer {standing.offer_id.hex()[:6]} still reserves coins")

    def _book(self) -> None:
        """Signed by its maker, and where the world was calm for long: what its maker stands for,
        all of it and no more."""
        daemon = self._daemon
        makers = {bytes(d.signer.maker_key()): d for d in self._scene.daemons.values()}
        shown: dict[str, set[bytes]] = {name: set() for name in self._scene.daemons}
        for side in ((LTC, BTC), (BTC, LTC)):
            for found in daemon.market.side(*side).offers:
                key = bytes(found.offer.maker)
                if not is_signed_offer(found.signed.payload, found.signed.signature, key):
                    self._wrong(None, "the book holds an offer that its maker did not sign")
                if key not in makers:
                    self._wrong(None, "the book holds an offer of nobody")
                else:
                    shown[makers[key].name].add(found.offer_id)
        if not self._scene.is_settled():
            return
        self._scene.referee.tallies["books compared"] += 1
        for name, ids in shown.items():
            maker = self._scene.daemons[name]
            if maker.clock.was_far_ahead:
                continue
            if maker.ready and maker.sick_until + 100 < self._scene.timeline.now():
                stands = {standing.offer_id for standing in maker.offers.live()}
                if ids != stands:
                    told = f"shows {len(ids - stands)} that do not stand, lacks {len(stands - ids)}"
                    self._wrong(None, f"its book of {name} {told}")
