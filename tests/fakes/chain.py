"""Owns a `Chain` on a `FakeLedger`: the port's contract without a node, and a node's faults.

Views come from the simulated chain's indexes. Coin selection, claims, refunds and sweeps are the
adapter's own pure code: they have no node to fake. Keys are in `wallet_keys`, watches in `sight`.
"""

from collections.abc import Sequence

import trio

from protocol.bitcoin import funds, spends
from protocol.bitcoin.address import (
    ScriptKind,
    address_of,
    hash160,
    p2wpkh_script,
    script_kind,
    script_of,
)
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.spends import fee_for
from protocol.bitcoin.tx import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    sighash_v0,
)
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegTerms, PinnedBlock
from swapd.chains import spending
from swapd.chains.selection import SETTLED, estimate_vsize, exactly, select
from swapd.ports import (
    BroadcastResult,
    ChainError,
    ChainStatus,
    Coin,
    FundsProof,
    FundsProofInvalid,
    InsufficientFunds,
    LegWatch,
    NodeMisconfigured,
    NodeUnreachable,
    SignDigest,
    SignedLock,
    SignedTx,
    WalletBalance,
    WalletLocked,
)
from tests.fakes.ledger import FakeLedger
from tests.fakes.scripts import sign_low_r
from tests.fakes.sight import Sight
from tests.fakes.wallet_keys import keys_of
from tests.simulation.ledger import Ledger

FEE_NEXT = 5_000
_KEYS = 200


class FakeChain:
    """One party's node and wallet. Same `owner`, same wallet.

    To make it fail: `down` (no answer), `timeouts` (so many calls get no answer), `lost_answers`
    (so many broadcasts arrive, but nobody learns it), `stalled` (cut off from its peers: it shows
    the chain of that moment, and what it is told reaches nobody), `misconfigured` (says why),
    `locked` (the wallet wants a passphrase), `problems` (reasons not to lock or reveal). `fee_next`
    is what its estimator says.
    """

    def __init__(self, ledger: FakeLedger, owner: str = "ours") -> None:
        self.ledger = ledger
        self.params = ledger.params
        self.chain = self.params.chain_id
        self.asset = self.params.asset_id
        self.ticker = self.params.ticker
        self.decimals = self.params.decimals
        self.timeouts = 0
        self.lost_answers = 0
        self.misconfigured = ""
        self.locked = False
        self.problems: tuple[str, ...] = ()
        self.fee_next = FEE_NEXT
        self.broadcasts: list[bytes] = []
        self.deadlines: list[int] = []
        """With which locks were asked for."""
        self._used = 0
        self._down = False
        self._frozen: Ledger | None = None
        self._blind_until = 0
        self._sights: dict[str, Sight] = {}
        self._reserved: frozenset[str] = frozenset()
        self._fresh: set[str] = set()
        self._sent = ledger.wallets.setdefault(owner, [])
        self._keys = keys_of(owner)
        self._change = self._keys.key(0).script

    # --- faults ---

    @property
    def down(self) -> bool:
        return self._down

    @down.setter
    def down(self, is_down: bool) -> None:
        if self._down and not is_down:
            self._blind_until = self.ledger.changes
        self._down = is_down

    @property
    def stalled(self) -> bool:
        return self._frozen is not None

    @stalled.setter
    def stalled(self, is_stalled: bool) -> None:
        if self._frozen is not None and not is_stalled:
            self._frozen = None
            self._blind_until = self.ledger.changes
        elif self._frozen is None and is_stalled:
            self._frozen = self.ledger.chain.copy()

    @property
    def node(self) -> Ledger:
        """The chain as this party's node knows it."""
        return self.ledger.aged_of(self._frozen or self.ledger.chain)

    @property
    def fee_floor(self) -> int:
        """What is relayed and replaces, per 1000 vbytes."""
        least = max(self.node.mempool_min_rate, self.params.min_relay_rate)
        return self.node.increment + least

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self._down:
            raise NodeUnreachable("the fake node is down: bring it up")
        if self.timeouts > 0:
            self.timeouts -= 1
            raise NodeUnreachable("the fake node did not answer in time: try again")
        if self.misconfigured:
            raise NodeMisconfigured(self.misconfigured)

    # --- the node ---

    async def check(self) -> None:
        await self._answer()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        self.ledger.notify()
        await trio.sleep_forever()

    def change_count(self) -> int:
        return self.ledger.changes

    async def wait_change(self, seen: int) -> int:
        return await self.ledger.wait_change(seen)

    async def status(self) -> ChainStatus:
        await self._answer()
        node = self.node
        return ChainStatus(
            chain=self.chain,
            asset=self.asset,
            ticker=self.ticker,
            decimals=self.decimals,
            height=node.height,
            tip_hash=self.ledger.name_of(node.tip),
            tip_time=node.tip_time,
            median_time=node.median_time,
            peers=0 if self.stalled else 8,
            version="fake",
            synced=True,
            pruned=False,
            problems=self.problems,
            fee_next=max(self.fee_next, self.fee_floor),
            fee_floor=self.fee_floor,
        )

    async def pinned(self) -> PinnedBlock:
        await self._answer()
        block = self.node.blocks[max(0, self.node.height - 100)]
        return PinnedBlock(block.height, bytes.fromhex(self.ledger.name_of(block)))

    async def has_block(self, pinned: PinnedBlock) -> bool:
        await self._answer()
        if not 0 <= pinned.height <= self.node.height:
            return False
        block = self.node.blocks[pinned.height]
        return self.ledger.name_of(block) == pinned.block_hash.hex()

    # --- watches ---

    def watch(self, watch: LegWatch) -> None:
        known = self._sights.get(watch.watch_id)
        if known is None or known.watch != watch:
            self._sights[watch.watch_id] = Sight(watch, self.ledger.changes)

    def unwatch(self, watch_id: str) -> None:
        self._sights.pop(watch_id, None)

    async def view(self, watch_id: str) -> ChainView:
        await self._answer()
        sight = self._sights.get(watch_id)
        if sight is None:
            raise ChainError(f"nothing is watched under the name {watch_id!r}")
        node = self.node
        # What comes and goes while this node is cut off, it does not see.
        blind_until = self.ledger.changes if self.stalled else self._blind_until
        floor = self.fee_floor
        return ChainView(
            tip_height=node.height,
            tip_hash=self.ledger.name_of(node.tip),
            tip_time=node.tip_time,
            median_time=node.median_time,
            fee_next=max(self.fee_next, floor),
            fee_floor=floor,
            fee_increment=node.increment,
            replaces=self.params.replaces,
            problems=self.problems,
            locks=sight.locks(node, self.ledger, blind_until),
            conflict=sight.conflict(node),
        )

    # --- the wallet ---

    def fresh_script(self) -> bytes:
        """A script of the wallet, another one each time."""
        self._used = (self._used + 1) % _KEYS
        return self._keys.key(self._used).script

    def _coins(self, depth: int = 1) -> list[Coin]:
        """Coins of the wallet, that deep at least, that nobody holds."""
        held = self._reserved | self._fresh
        return [coin for coin in self._owned(depth=depth) if coin.ref not in held]

    def _owned(self, *, mempool: bool = True, depth: int = 1) -> list[Coin]:
        node = self.node
        return [
            Coin(paid.ref, paid.units, script)
            for script in self._keys.scripts
            for paid in node.unspent(script, mempool=mempool)
            if paid.depth >= depth and not paid.is_coinbase
        ]

    def _unconfirmed(self) -> int:
        node = self.node
        return sum(
            paid.units
            for script in self._keys.scripts
            for paid in node.unspent(script)
            if paid.depth == 0
        )

    async def fund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        fee_rate: int,
        replaces: SignedLock | None = None,
        *,
        deadline: int,
    ) -> SignedLock:
        await self._answer()
        self.deadlines.append(deadline)
        amount = int(leg.amount.units)
        output = TxOutput(_htlc(leg, hashlock).script_pubkey(), amount)
        coins, signed = self._pay([output], fee_rate, replaces.coins if replaces else None)
        self._fresh.update(coin.ref for coin in coins)
        vout = signed.outputs.index(output)
        return SignedLock(_signed(signed, coins), str(OutPoint(signed.txid(), vout)), tuple(coins))

    def _pay(
        self, payments: list[TxOutput], fee_rate: int, only: Sequence[Coin] | None = None
    ) -> tuple[tuple[Coin, ...], Transaction]:
        amount = sum(output.amount for output in payments)
        lengths = [len(output.script_pubkey) for output in payments]
        chosen = self._choose(amount, fee_rate, lengths, only)
        estimate = fee_for(estimate_vsize(chosen, [*lengths, 22]), fee_rate)
        # The estimate allows for a longer signature than is made here: measure, then pay exactly.
        measured = self._with_change(chosen, payments, estimate).vsize()
        return chosen, self._with_change(chosen, payments, fee_for(measured, fee_rate))

    def _with_change(
        self, chosen: tuple[Coin, ...], payments: list[TxOutput], fee: int
    ) -> Transaction:
        spent = sum(output.amount for output in payments) + fee
        change = TxOutput(self._change, sum(coin.units for coin in chosen) - spent)
        keep = change.amount >= self.params.dust_limit(change.script_pubkey)
        return self._sign(chosen, [*payments, change] if keep else payments)

    def _choose(
        self, amount: int, fee_rate: int, lengths: list[int], only: Sequence[Coin] | None = None
    ) -> tuple[Coin, ...]:
        if only is not None:
            return exactly(only, amount, fee_rate, lengths).coins
        free: list[Coin] = []
        for depth in (SETTLED, 1):
            free = self._coins(depth)
            chosen = select(free, amount, fee_rate, lengths)
            if chosen is not None:
                return chosen.coins
        confirmed, unconfirmed = sum(coin.units for coin in free), self._unconfirmed()
        msg = f"not enough confirmed coins: {amount} needed, {confirmed} free"
        if confirmed + unconfirmed > amount:
            msg += f"; {unconfirmed} unconfirmed: wait for the next block"
        raise InsufficientFunds(msg, confirmed=confirmed, unconfirmed=unconfirmed)

    def _sign(self, coins: Sequence[Coin], outputs: Sequence[TxOutput]) -> Transaction:
        if self.locked:
            raise WalletLocked("the fake wallet is locked: use walletpassphrase")
        bare = Transaction(
            2,
            tuple(TxInput(_outpoint(coin.ref), SEQUENCE_RBF) for coin in coins),
            tuple(outputs),
            0,
        )
        return self._with_signatures(bare, 0, coins)

    def _with_signatures(self, bare: Transaction, first: int, coins: Sequence[Coin]) -> Transaction:
        inputs = list(bare.inputs)
        for index, coin in enumerate(coins, start=first):
            key = self._keys.of_script(coin.script_pubkey)
            code = p2wpkh_script_code(coin.script_pubkey)
            digest = sighash_v0(bare, index, code, coin.units)
            signature = sign_low_r(key.secret, digest) + b"\x01"
            old = inputs[index]
            inputs[index] = TxInput(old.outpoint, old.sequence, b"", (signature, key.public))
        return Transaction(bare.version, tuple(inputs), bare.outputs, bare.lock_time)

    async def sent_lock(
        self, leg: LegTerms, hashlock: bytes, since_height: int
    ) -> SignedLock | None:
        await self._answer()
        node = self.node
        output = TxOutput(_htlc(leg, hashlock).script_pubkey(), int(leg.amount.units))
        for raw in reversed(self._sent):
            tx = parse_tx(raw)
            rivals = [node.spend_in_block(str(txin.outpoint)) for txin in tx.inputs]
            dead = any(rival and rival[0].txid != tx.txid().hex() for rival in rivals)
            if output not in tx.outputs or dead:
                continue
            coins = tuple(self._coin(str(txin.outpoint)) for txin in tx.inputs)
            ref = str(OutPoint(tx.txid(), tx.outputs.index(output)))
            return SignedLock(_signed(tx, coins), ref, coins)
        return None

    def _coin(self, ref: str) -> Coin:
        output = self.node.output(ref)
        assert output is not None
        script, units = output
        assert isinstance(script, bytes)
        return Coin(ref, units, script)

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        await self._answer()
        total = sum(coin.units for coin in lock.coins)
        vsize = estimate_vsize(lock.coins, [22])
        probe = self._sign(lock.coins, [TxOutput(self._change, total)])
        node = self.node
        rivals = self.ledger.rivals(probe, node)
        replaced = max(lock.tx.fee, sum(node.mempool[txid].fee for txid in rivals))
        fee = max(fee_for(vsize, fee_rate), replaced + fee_for(vsize, node.increment))
        if total - fee < self.params.dust_limit(self._change):
            raise ChainError(f"killing lock {lock.ref} would take a fee of {fee}, all of {total}")
        return _signed(self._sign(lock.coins, [TxOutput(self._change, total - fee)]), lock.coins)

    async def build_claim(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
        preimage: bytes,
    ) -> SignedTx:
        return await spending.claim(
            self.params, leg, hashlock, lock, destination, fee_rate, sign, preimage
        )

    async def build_refund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
    ) -> SignedTx:
        return await spending.refund(self.params, leg, hashlock, lock, destination, fee_rate, sign)

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        await self._answer()
        self.broadcasts.append(raw)
        self._sent.append(raw)
        cut_off = self._frozen
        result = self.ledger.offer(cut_off, raw) if cut_off else self.ledger.submit(raw)
        if self.lost_answers > 0:
            self.lost_answers -= 1
            raise NodeUnreachable("the fake node did not answer in time: look what became of it")
        return result

    async def set_reserved(self, refs: frozenset[str]) -> None:
        await trio.lowlevel.checkpoint()
        self._fresh -= refs
        self._reserved = refs

    async def reserved_units(self, units: int, fee_rate: int) -> int:
        await self._answer()
        if self.locked:
            raise WalletLocked("the fake wallet is locked: use walletpassphrase")
        chosen = self._choose(units, fee_rate, [34])
        left = sum(coin.units for coin in chosen) - units
        return units + min(left, fee_for(estimate_vsize(chosen, [34, 22]), fee_rate))

    async def prove_funds(self, challenge: bytes, units: int) -> FundsProof:
        await self._answer()
        chosen: list[Coin] = []
        for coin in sorted(self._coins(), key=lambda c: (-c.units, c.ref)):
            if sum(c.units for c in chosen) < units:
                chosen.append(coin)
        confirmed = sum(coin.units for coin in chosen)
        if confirmed < units or not chosen:
            msg = f"{units} base units cannot be proven"
            raise InsufficientFunds(msg, confirmed=confirmed, unconfirmed=self._unconfirmed())
        if self.locked:
            raise WalletLocked("the fake wallet is locked: use walletpassphrase")
        bare = funds.unsigned_proof(challenge, [_protocol_coin(coin) for coin in chosen])
        signed = self._with_signatures(bare, 1, chosen)
        return FundsProof(signed.serialise(), tuple(coin.ref for coin in chosen))

    async def check_funds(self, proof: FundsProof, challenge: bytes, units: int) -> None:
        await self._answer()
        try:
            named = funds.proof_outpoints(challenge, proof.raw)
            if tuple(str(outpoint) for outpoint in named) != proof.refs:
                raise FundsProofInvalid("the proof names other coins than it signs for")
            coins = []
            for outpoint in named:
                coin = self._confirmed(str(outpoint))
                if coin is None:
                    raise FundsProofInvalid(f"coin {outpoint} is spent, unconfirmed or unknown")
                coins.append(spends.Coin(outpoint, coin.script_pubkey, coin.units))
            total = funds.verify_proof(challenge, proof.raw, coins)
        except BitcoinError as error:
            raise FundsProofInvalid(str(error)) from None
        if total < units:
            raise FundsProofInvalid(f"the proof is for {total}; {units} are needed")

    async def balance(self) -> WalletBalance:
        await self._answer()
        free = self._coins()
        unusable = [paid.units for paid in self.node.unspent(self.legacy_script())]
        return WalletBalance(
            confirmed=sum(coin.units for coin in free),
            reserved=sum(coin.units for coin in self._owned() if coin.ref in self._reserved),
            unconfirmed=self._unconfirmed(),
            unusable=sum(unusable),
            coins=len(free),
        )

    def legacy_script(self) -> bytes:
        """A P2PKH script of the wallet: coins that a lock can't use."""
        return b"\x76\xa9\x14" + self._change[2:] + b"\x88\xac"

    # --- addresses ---

    def check_address(self, address: str) -> bytes:
        return script_of(self.params, address)

    def address_of(self, public_key: bytes) -> str:
        return address_of(self.params, p2wpkh_script(hash160(public_key)))

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:
        await self._answer()
        scripts = {self.check_address(address) for address in addresses}
        coins = [coin for ref in refs if (coin := self._confirmed(ref)) is not None]
        return tuple(coin for coin in coins if coin.script_pubkey in scripts)

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:
        await self._answer()
        return tuple(
            Coin(paid.ref, paid.units, script)
            for script in map(self.check_address, addresses)
            for paid in self.node.unspent(script, mempool=False)
            if paid.depth
        )

    def _confirmed(self, ref: str) -> Coin | None:
        """A coin in the chain that nothing spends, whoever owns it."""
        output = self.node.output(ref)
        if output is None or not self.node.is_unspent(ref) or not self.node.depth(ref[:64]):
            return None
        script, units = output
        return Coin(ref, units, script) if isinstance(script, bytes) else None

    async def build_sweep(
        self,
        coins: Sequence[Coin],
        signers: Sequence[tuple[bytes, SignDigest]],
        destination: str,
        fee_rate: int,
    ) -> SignedTx:
        return await spending.sweep(self.params, coins, signers, destination, fee_rate)

    async def build_split(self, count: int, units: int, fee_rate: int) -> SignedTx:
        await self._answer()
        least = self.params.dust_limit(self._change)
        if not 1 <= count <= 100 or units < least:
            raise ValueError(f"a split makes 1 to 100 coins of at least {least} units each")
        outputs = [TxOutput(self.fresh_script(), units) for _ in range(count)]
        coins, signed = self._pay(outputs, fee_rate)
        return _signed(signed, coins)

    async def claim_party(self, htlc_key: bytes, destination: str | None) -> bytes:
        await self._answer()
        return htlc_key

    async def refund_party(self, htlc_key: bytes) -> bytes:
        await self._answer()
        return htlc_key

    def fixed_address(self, *, refund: bool) -> str | None:
        return None

    async def wallet_address(self) -> str:
        await self._answer()
        return address_of(self.params, self.fresh_script())

    # --- what tests do by hand ---

    def grant(self, units: int, count: int = 1) -> None:
        """Confirmed coins for this wallet."""
        self.ledger.grant(self.fresh_script(), units, count)

    def spend_coin(self, ref: str, script: bytes, fee: int) -> Transaction:
        """Signs a payment of one of our coins, whole, to `script`."""
        [coin] = [coin for coin in self._owned(mempool=False) if coin.ref == ref]
        return self._sign([coin], [TxOutput(script, coin.units - fee)])

    def pay(self, script: bytes, units: int, fee_rate: int) -> Transaction:
        """Signs an ordinary payment."""
        assert script_kind(script) in set(ScriptKind)
        return self._pay([TxOutput(script, units)], fee_rate)[1]


def _htlc(leg: LegTerms, hashlock: bytes) -> Htlc:
    return Htlc(leg.claim_key, leg.refund_key, hashlock, leg.expiry)


def _outpoint(ref: str) -> OutPoint:
    txid, _, index = ref.partition(":")
    return OutPoint.of(txid, int(index))


def _protocol_coin(coin: Coin) -> spends.Coin:
    return spends.Coin(_outpoint(coin.ref), coin.script_pubkey, coin.units)


def _signed(tx: Transaction, coins: Sequence[Coin]) -> SignedTx:
    fee = sum(coin.units for coin in coins) - sum(output.amount for output in tx.outputs)
    refs = tuple(coin.ref for coin in coins)
    return SignedTx(tx.serialise(), tx.txid().hex(), fee, fee * 1000 // tx.vsize(), refs)
