"""Owns a `Chain` on a `FakeLedger`: the port's contract without a node.

Views are recomputed from all blocks at each look, so nothing can be remembered wrongly. Coin
selection, claims, refunds and sweeps are the adapter's own pure code: they have no node to fake.
"""

import hashlib
from collections.abc import Sequence

import coincurve
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
from protocol.bitcoin.htlc import Htlc, lock_outputs
from protocol.bitcoin.spend_view import SpentByClaim, SpentByRefund, classify_spend
from protocol.bitcoin.spends import fee_for
from protocol.bitcoin.tx import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    sighash_v0,
)
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.terms import LegTerms, PinnedBlock
from swapd.chains import spending
from swapd.chains.selection import estimate_vsize, select
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
from tests.fakes.ledger import INCREMENT, RELAY_RATE, FakeLedger, sign_low_r

FEE_NEXT = 5_000
_KEYS = 200


class FakeChain:
    """One party's node and wallet. Same `owner`, same wallet.

    To make it fail: `down` (no answer), `misconfigured` (says why), `locked` (the wallet wants a
    passphrase), `problems` (reasons not to lock or reveal), `fee_next`.
    """

    def __init__(self, ledger: FakeLedger, owner: str = "ours") -> None:
        self.ledger = ledger
        self.params = ledger.params
        self.chain = self.params.chain_id
        self.asset = self.params.asset_id
        self.ticker = self.params.ticker
        self.decimals = self.params.decimals
        self.down = False
        self.misconfigured = ""
        self.locked = False
        self.problems: tuple[str, ...] = ()
        self.fee_next = FEE_NEXT
        self.broadcasts: list[bytes] = []
        self._owner = owner
        self._used = 0
        self._watches: dict[str, LegWatch] = {}
        self._reserved: frozenset[str] = frozenset()
        self._fresh: set[str] = set()
        self._secrets = {self._script(n): self._secret(n) for n in range(_KEYS)}

    # --- keys of the wallet ---

    def _secret(self, number: int) -> bytes:
        return hashlib.sha256(f"wallet/{self._owner}/{number}".encode()).digest()

    def _script(self, number: int) -> bytes:
        key = coincurve.PrivateKey(self._secret(number)).public_key.format()
        return p2wpkh_script(hash160(key))

    def fresh_script(self) -> bytes:
        """A script of the wallet, another one each time."""
        self._used = (self._used + 1) % _KEYS
        return self._script(self._used)

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise NodeUnreachable("the fake node is down: bring it up")
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
        tip = self.ledger.blocks[-1]
        return ChainStatus(
            chain=self.chain,
            asset=self.asset,
            ticker=self.ticker,
            decimals=self.decimals,
            height=tip.height,
            tip_hash=tip.name,
            tip_time=tip.time,
            median_time=self.ledger.median_time,
            peers=8,
            version="fake",
            synced=True,
            pruned=False,
            problems=self.problems,
            fee_next=self.fee_next,
            fee_floor=RELAY_RATE + INCREMENT,
        )

    async def pinned(self) -> PinnedBlock:
        await self._answer()
        block = self.ledger.blocks[max(0, self.ledger.height - 100)]
        return PinnedBlock(block.height, bytes.fromhex(block.name))

    async def has_block(self, pinned: PinnedBlock) -> bool:
        await self._answer()
        if not 0 <= pinned.height <= self.ledger.height:
            return False
        return self.ledger.blocks[pinned.height].name == pinned.block_hash.hex()

    # --- watches ---

    def watch(self, watch: LegWatch) -> None:
        _htlc(watch.leg, watch.hashlock)
        self._watches[watch.watch_id] = watch

    def unwatch(self, watch_id: str) -> None:
        self._watches.pop(watch_id, None)

    async def view(self, watch_id: str) -> ChainView:
        await self._answer()
        if watch_id not in self._watches:
            raise ChainError(f"nothing is watched under the name {watch_id!r}")
        watch = self._watches[watch_id]
        tip = self.ledger.blocks[-1]
        return ChainView(
            tip_height=tip.height,
            tip_hash=tip.name,
            tip_time=tip.time,
            median_time=self.ledger.median_time,
            fee_next=self.fee_next,
            fee_floor=RELAY_RATE + INCREMENT,
            problems=self.problems,
            locks=tuple(self._locks(watch)),
            conflict=self._conflict(watch),
        )

    def _history(self, since: int) -> list[tuple[int, int, Transaction]]:
        """(depth, index in its block, transaction), oldest first; the mempool at depth 0."""
        mined = [
            (self.ledger.height - block.height + 1, index, tx)
            for block in self.ledger.blocks
            if block.height >= since
            for index, tx in enumerate(block.txs)
        ]
        return mined + [(0, 1, tx) for tx in self.ledger.mempool.values()]

    def _locks(self, watch: LegWatch) -> list[LockSeen]:
        htlc = _htlc(watch.leg, watch.hashlock)
        history = self._history(watch.since_height)
        found = []
        for depth, index, tx in history:
            for vout in lock_outputs(tx, htlc):
                outpoint = OutPoint(tx.txid(), vout)
                restriction = Restriction.COINBASE if index == 0 else Restriction.NONE
                spend = next(
                    (
                        _spend(htlc, other, outpoint, at)
                        for at, _, other in history
                        if other.input_spending(outpoint) is not None
                    ),
                    None,
                )
                units = tx.outputs[vout].amount
                found.append(
                    LockSeen(str(outpoint), units, depth, restriction, spend, tx.serialise())
                )
        return found

    def _conflict(self, watch: LegWatch) -> Conflict | None:
        htlc = _htlc(watch.leg, watch.hashlock)
        own = set(watch.own_inputs)
        for depth, _, tx in self._history(watch.since_height):
            touches = any(str(txin.outpoint) in own for txin in tx.inputs)
            if touches and not lock_outputs(tx, htlc):
                return Conflict(tx.txid().hex(), depth)
        return None

    # --- the wallet ---

    def _coins(self) -> list[Coin]:
        """Confirmed coins of the wallet that nobody holds."""
        return [coin for coin in self._owned() if coin.ref not in self._reserved | self._fresh]

    def _owned(self, *, mempool: bool = True) -> list[Coin]:
        return [
            Coin(str(outpoint), spendable.output.amount, spendable.output.script_pubkey)
            for outpoint, spendable in self.ledger.unspent(mempool=mempool).items()
            if spendable.output.script_pubkey in self._secrets
            and spendable.height is not None
            and not spendable.coinbase
        ]

    def _unconfirmed(self) -> int:
        return sum(
            spendable.output.amount
            for spendable in self.ledger.unspent().values()
            if spendable.height is None and spendable.output.script_pubkey in self._secrets
        )

    async def fund(self, leg: LegTerms, hashlock: bytes, fee_rate: int) -> SignedLock:
        await self._answer()
        amount = int(leg.amount.units)
        output = TxOutput(_htlc(leg, hashlock).script_pubkey(), amount)
        coins, signed = self._pay([output], fee_rate)
        self._fresh.update(coin.ref for coin in coins)
        vout = signed.outputs.index(output)
        return SignedLock(_signed(signed, coins), str(OutPoint(signed.txid(), vout)), tuple(coins))

    def _pay(self, payments: list[TxOutput], fee_rate: int) -> tuple[tuple[Coin, ...], Transaction]:
        amount = sum(output.amount for output in payments)
        lengths = [len(output.script_pubkey) for output in payments]
        chosen = self._choose(amount, fee_rate, lengths)
        estimate = fee_for(estimate_vsize(chosen, [*lengths, 22]), fee_rate)
        # The estimate allows for a longer signature than is made here: measure, then pay exactly.
        measured = self._with_change(chosen, payments, estimate).vsize()
        return chosen, self._with_change(chosen, payments, fee_for(measured, fee_rate))

    def _with_change(
        self, chosen: tuple[Coin, ...], payments: list[TxOutput], fee: int
    ) -> Transaction:
        spent = sum(output.amount for output in payments) + fee
        change = TxOutput(self._script(0), sum(coin.units for coin in chosen) - spent)
        keep = change.amount >= self.params.dust_limit(change.script_pubkey)
        return self._sign(chosen, [*payments, change] if keep else payments)

    def _choose(self, amount: int, fee_rate: int, lengths: list[int]) -> tuple[Coin, ...]:
        free = self._coins()
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
            secret = self._secrets[coin.script_pubkey]
            code = p2wpkh_script_code(coin.script_pubkey)
            signature = sign_low_r(secret, sighash_v0(bare, index, code, coin.units)) + b"\x01"
            key = coincurve.PrivateKey(secret).public_key.format()
            old = inputs[index]
            inputs[index] = TxInput(old.outpoint, old.sequence, b"", (signature, key))
        return Transaction(bare.version, tuple(inputs), bare.outputs, bare.lock_time)

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        await self._answer()
        total = sum(coin.units for coin in lock.coins)
        vsize = estimate_vsize(lock.coins, [22])
        probe = self._sign(lock.coins, [TxOutput(self._script(0), total)])
        rivals = [self.ledger.mempool[txid] for txid in self.ledger.rivals(probe)]
        replaced = max(lock.tx.fee, sum(self.ledger.fee(tx) for tx in rivals))
        fee = max(fee_for(vsize, fee_rate), replaced + fee_for(vsize, INCREMENT))
        if total - fee < self.params.dust_limit(self._script(0)):
            raise ChainError(f"killing lock {lock.ref} would take a fee of {fee}, all of {total}")
        return _signed(self._sign(lock.coins, [TxOutput(self._script(0), total - fee)]), lock.coins)

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
        return self.ledger.submit(raw)

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
        unspent = self.ledger.unspent()
        try:
            named = funds.proof_outpoints(challenge, proof.raw)
            if tuple(str(outpoint) for outpoint in named) != proof.refs:
                raise FundsProofInvalid("the proof names other coins than it signs for")
            coins = []
            for outpoint in named:
                spendable = unspent.get(outpoint)
                if spendable is None or spendable.height is None:
                    raise FundsProofInvalid(f"coin {outpoint} is spent, unconfirmed or unknown")
                output = spendable.output
                coins.append(spends.Coin(outpoint, output.script_pubkey, output.amount))
            total = funds.verify_proof(challenge, proof.raw, coins)
        except BitcoinError as error:
            raise FundsProofInvalid(str(error)) from None
        if total < units:
            raise FundsProofInvalid(f"the proof is for {total}; {units} are needed")

    async def balance(self) -> WalletBalance:
        await self._answer()
        free = self._coins()
        unusable = [
            spendable.output.amount
            for spendable in self.ledger.unspent().values()
            if spendable.output.script_pubkey == self.legacy_script()
        ]
        return WalletBalance(
            confirmed=sum(coin.units for coin in free),
            reserved=sum(coin.units for coin in self._owned() if coin.ref in self._reserved),
            unconfirmed=self._unconfirmed(),
            unusable=sum(unusable),
            coins=len(free),
        )

    def legacy_script(self) -> bytes:
        """A P2PKH script of the wallet: coins that a lock can't use."""
        return b"\x76\xa9\x14" + self._script(0)[2:] + b"\x88\xac"

    # --- addresses ---

    def check_address(self, address: str) -> bytes:
        return script_of(self.params, address)

    def address_of(self, public_key: bytes) -> str:
        return address_of(self.params, p2wpkh_script(hash160(public_key)))

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:
        await self._answer()
        scripts = {self.check_address(address) for address in addresses}
        known = self.ledger.unspent()
        found = []
        for ref in refs:
            spendable = known.get(_outpoint(ref))
            if spendable is None or spendable.height is None:
                continue
            output = spendable.output
            if output.script_pubkey in scripts:
                found.append(Coin(ref, output.amount, output.script_pubkey))
        return tuple(found)

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
        least = self.params.dust_limit(self._script(0))
        if not 1 <= count <= 100 or units < least:
            raise ValueError(f"a split makes 1 to 100 coins of at least {least} units each")
        outputs = [TxOutput(self.fresh_script(), units) for _ in range(count)]
        coins, signed = self._pay(outputs, fee_rate)
        return _signed(signed, coins)

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


def _spend(htlc: Htlc, tx: Transaction, outpoint: OutPoint, depth: int) -> Spend:
    txid = tx.txid().hex()
    match classify_spend(htlc, tx, outpoint):
        case SpentByClaim(preimage):
            return Spend(SpendKind.CLAIM, txid, depth, preimage)
        case SpentByRefund():
            return Spend(SpendKind.REFUND, txid, depth)
        case _:
            return Spend(SpendKind.UNKNOWN, txid, depth)
