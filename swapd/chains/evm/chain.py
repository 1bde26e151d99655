"""The `Chain` port on an EVM chain: what the engine sees of one asset there.

Owns: `EvmChain`, which joins the modules of this package. Must not know: the engine.
"""

from collections.abc import Sequence
from typing import Final

import trio

from protocol.assets import AssetId
from protocol.errors import DecodeError
from protocol.evm.address import account_of, checksummed, parse_address
from protocol.evm.slots import Other
from protocol.evm.transactions import txid as txid_of
from protocol.kinds import Sizes, sizes_of
from protocol.limits import PINNED_DEPTH
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegTerms, PinnedBlock
from swapd.chains.evm import proofs
from swapd.chains.evm.accounts import CLAIMS, LOCKS
from swapd.chains.evm.assets import Asset
from swapd.chains.evm.config import TokenConfig
from swapd.chains.evm.contract import LockTerms, lock_terms
from swapd.chains.evm.funding import Funding
from swapd.chains.evm.health import NodeInfo
from swapd.chains.evm.node import EvmNode
from swapd.chains.evm.reading import read_at
from swapd.chains.evm.relay import EvmRelay, balance
from swapd.chains.evm.slots import Slots
from swapd.ports import (
    Broadcast,
    BroadcastResult,
    ChainError,
    ChainStatus,
    Coin,
    FundsProof,
    FundsProofInvalid,
    LegWatch,
    Memory,
    SignDigest,
    SignedLock,
    SignedTx,
    WalletBalance,
)

STEP_PERCENT: Final = 13
PATIENCE: Final = 4
"""Blocks that a version is given: they come fast, and each replacement costs an eighth more."""

MOST: Final = 2**63 - 1
"""Wei of a budget: more is never asked for, and a journal holds no larger number."""

NO_COINS: Final = "an account has no coins to split"


class EvmChain:
    """One asset of one EVM chain. See `swapd.ports.Chain` for what each method promises."""

    def __init__(
        self, node: EvmNode, token: TokenConfig | None = None, memory: Memory | None = None
    ) -> None:
        """`node` is shared by all assets of the chain."""
        params = node.config.params
        self.node = node
        self.chain = params.chain_id
        self.asset = (
            params.asset_id if token is None else token_asset(params.chain_id, token.address)
        )
        self.ticker = node.config.ticker if token is None else token.ticker
        self.decimals = 18 if token is None else token.decimals
        self.on_chain = Asset(node.sources, token, memory)
        self._funding = Funding(node, self.on_chain)
        self.relay: EvmRelay | None = None
        if node.relay is not None:
            self.relay = EvmRelay(node, self._gas)
        self._slots: Slots | None = None
        if node.accounts is not None:
            locker = node.accounts[LOCKS].address
            self._slots = Slots(node, self.on_chain.contract, locker)
            if token is not None:
                node.keepers.append(self._funding.keep_allowance)

    # --- the node ---

    async def check(self) -> None:
        """Everything that must be right before money moves. Raises NodeMisconfigured."""
        await self.node.health.check()
        info = await self.node.see()
        await self.on_chain.check(info.head)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follows the chain until cancelled, through outages."""
        task_status.started()
        await self.node.run()

    def change_count(self) -> int:
        """Grows with each block, relevant pending transaction, or change of health."""
        return self.node.change_count()

    async def wait_change(self, seen: int) -> int:
        """The count, as soon as it differs from `seen`."""
        return await self.node.wait_change(seen)

    async def status(self) -> ChainStatus:
        """The chain as it is now."""
        info = await self.node.see()
        problems = await self._problems(info, self._own())
        return ChainStatus(
            chain=self.chain,
            asset=self.asset,
            ticker=self.ticker,
            decimals=self.decimals,
            height=info.head.number,
            tip_hash=info.head.hash.hex(),
            tip_time=info.head.time,
            median_time=info.head.time,
            peers=info.peers,
            version=info.version,
            synced=info.synced,
            pruned=False,
            problems=problems,
            fee_next=info.price.next_rate,
            fee_floor=info.price.floor_rate,
            fee_estimated=info.price.estimated,
            early=self.node.config.pace.early,
        )

    async def _problems(self, info: NodeInfo, parties: tuple[bytes, ...]) -> tuple[str, ...]:
        """Of the node, of the contract and token towards `parties`, and of our gas; each once."""
        found = (
            *info.problems,
            *await self.on_chain.problems(info.head, parties),
            *await self._funding.gas_problems(info, self._gas),
        )
        return tuple(dict.fromkeys(found))

    def _own(self) -> tuple[bytes, ...]:
        accounts = self.node.accounts
        return () if accounts is None else tuple(each.address for each in accounts)

    async def pinned(self) -> PinnedBlock:
        """The block 100 below the head, or the first one."""
        info = await self.node.see()
        block = await self.node.blocks.at(max(0, info.head.number - PINNED_DEPTH))
        return PinnedBlock(block.number, block.hash)

    async def has_block(self, pinned: PinnedBlock) -> bool:
        """Whether that block is in the best chain at that height."""
        if not 0 <= pinned.height < 2**63:
            return False
        found = await self.node.sources.block(pinned.height)
        return found is not None and found.hash == pinned.block_hash

    # --- watches ---

    def _terms(self, leg: LegTerms, hashlock: bytes) -> LockTerms:
        if leg.amount.asset != self.asset:
            raise ValueError(f"a leg of {leg.amount.asset} is none of {self.asset}")
        contract, token = self.on_chain.contract, self.on_chain.token
        return lock_terms(leg, hashlock, contract=contract, token=token, gas=self._gas)

    def watch(self, watch: LegWatch) -> None:
        """Starts or replaces a watch. Raises ValueError for terms that no lock may have."""
        self.node.watch(watch, self._terms(watch.leg, watch.hashlock))

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch."""
        self.node.unwatch(watch_id)

    async def view(self, watch_id: str) -> ChainView:
        """Fresh facts, all of one head."""
        info, locks, conflict, state = await self.node.look(watch_id)
        swap = state.terms.swap
        parties = (swap.locker, swap.receiver)
        problems = await self._problems(info, parties)
        price = info.price
        stands = any(lock.depth > 0 for lock in locks)
        budget = await self._budget(info, state.terms, stands=stands)
        return ChainView(
            tip_height=info.head.number,
            tip_hash=info.head.hash.hex(),
            tip_time=info.head.time,
            median_time=info.head.time,
            fee_next=price.next_rate,
            fee_floor=price.floor_rate,
            fee_increment=price.increment,
            problems=problems,
            locks=locks,
            conflict=conflict,
            fee_step_percent=STEP_PERCENT,
            # Counted by what is used, while our gas limits leave room above it.
            fee_budget=budget * self._sizes.claim // self._gas,
            patience=PATIENCE,
        )

    async def _budget(self, info: NodeInfo, terms: LockTerms, *, stands: bool) -> int:
        """What one transaction of a leg can pay: of our own the poorer account says it, until the
        lock stands. From then on only the refund is left to be paid, by the other account: one that
        locked all it had must not keep its coins from coming back."""
        accounts = self.node.accounts
        if accounts is None:
            if self.relay is None or self.node.relay is None:
                return 0
            # Its limits are larger than ours.
            gas = await balance(self.node, self.node.relay, info.head)
            return min(gas * self._gas // self.relay.gas, MOST)
        have = await self._funding.holdings(info.head)
        if terms.swap.locker != accounts[LOCKS].address:
            return min(have.claim_gas, MOST)
        if stands:
            return min(have.claim_gas, MOST)
        wei, _ = await self._funding.pending(apart=f"lock:{terms.ref}")
        mine = terms.swap.amount if self.on_chain.token is None else 0
        locked_here = mine if await self._is_unlocked(terms) else 0
        return max(0, min(have.claim_gas, have.lock_gas - wei - locked_here, MOST))

    async def _is_unlocked(self, terms: LockTerms) -> bool:
        """Whether the amount of a lock of ours is still in the account."""
        accounts = self.node.accounts
        if accounts is None:
            return False
        entry = accounts[LOCKS].nonces.of(f"lock:{terms.ref}")
        return entry is None or entry.nonce >= await self.node.used(accounts[LOCKS].address)

    # --- parties ---

    async def claim_party(self, htlc_key: bytes, destination: str | None) -> bytes:  # noqa: ARG002 - accounts
        """The account that is paid. Raises InsufficientFunds where our claim could not pay its
        gas, ValueError for a destination that is no account."""
        info = await self.node.see()
        have = await self._funding.holdings(info.head)
        self._funding.require_claim_gas(have, self._gas, info.price.next_rate)
        if destination is not None:
            return self.check_address(destination)
        return self._funding.accounts()[CLAIMS].address

    async def refund_party(self, htlc_key: bytes) -> bytes:
        """Our locking account and a free slot. Raises InsufficientFunds."""
        locks = self._funding.accounts()[LOCKS]
        if self._slots is None:
            raise ChainError("here is no seed: nothing can be locked")
        info = await self.node.see()
        return locks.address + bytes([await self._slots.free(htlc_key, info.head)])

    def fixed_address(self, *, refund: bool) -> str | None:
        """Claims pay one account, refunds the other."""
        accounts = self.node.accounts
        if accounts is None:
            return None
        return checksummed(accounts[LOCKS if refund else CLAIMS].address)

    # --- transactions ---

    @property
    def _sizes(self) -> Sizes:
        return sizes_of(self.asset)

    @property
    def _gas(self) -> int:
        return self.on_chain.gas

    async def fund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        fee_rate: int,
        replaces: SignedLock | None = None,
        *,
        deadline: int,
    ) -> SignedLock:
        """A signed lock, journalled under its nonce."""
        info = await self.node.see()
        terms = self._terms(leg, hashlock)
        return await self._funding.lock(terms, info, fee_rate, deadline, replaces)

    async def sent_lock(
        self,
        leg: LegTerms,
        hashlock: bytes,
        since_height: int,  # noqa: ARG002 - the slot tells of all heights
    ) -> SignedLock | None:
        """What our slot holds: nobody else can have put it there. Without coins: it needs no kill,
        for it names the time after which no block takes it."""
        terms = self._terms(leg, hashlock)
        head = (await self.node.see()).head
        if isinstance(await read_at(self.node.sources, head, terms), Other):
            return None
        return SignedLock(SignedTx(b"", "", 0, 0), terms.ref, ())

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        """A payment to ourselves on the nonce of the lock."""
        return await self._funding.kill(lock, await self.node.see(), fee_rate)

    async def build_claim(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,  # noqa: ARG002 - the terms name the slot
        destination: str,  # noqa: ARG002 - the terms name who is paid
        fee_rate: int,
        sign: SignDigest,  # noqa: ARG002 - the account signs
        preimage: bytes,
    ) -> SignedTx:
        """No node is told the preimage."""
        terms = self._terms(leg, hashlock)
        return await self._funding.claim(terms, await self.node.see(), fee_rate, preimage)

    async def build_refund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,  # noqa: ARG002 - the terms name the slot
        destination: str,  # noqa: ARG002 - the locker is paid
        fee_rate: int,
        sign: SignDigest,  # noqa: ARG002 - the account signs
    ) -> SignedTx:
        """Does something only after the leg's expiry."""
        terms = self._terms(leg, hashlock)
        return await self._funding.refund(terms, await self.node.see(), fee_rate)

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        """To every endpoint."""
        return await self.node.broadcast(raw, txid_of(raw))

    # --- what we have ---

    async def set_reserved(self, refs: frozenset[str]) -> None:
        """Takes effect at once."""
        self.node.reserve(self.asset, refs)

    async def reserved_units(self, units: int, fee_rate: int) -> int:
        """Amount and fee of a lock of `units`."""
        info = await self.node.see()
        return await self._funding.require(info, units, self._gas, fee_rate)

    async def prove_funds(self, challenge: bytes, units: int) -> FundsProof:
        """By the account that locks. Raises InsufficientFunds."""
        info = await self.node.see()
        await self._funding.require(info, units, self._gas, info.price.next_rate)
        return await proofs.prove(self._funding.accounts()[LOCKS].key, challenge)

    async def check_funds(self, proof: FundsProof, challenge: bytes, units: int) -> None:
        """Raises FundsProofInvalid unless the account has so much now."""
        account = proofs.proven_account(proof, challenge)
        info = await self.node.see()
        found = await self.on_chain.units_of(info.head, account)
        if found < units:
            msg = f"the proof of funds is for {found} base units; {units} are needed"
            raise FundsProofInvalid(msg)

    async def balance(self) -> WalletBalance:
        """Of the account that locks, less what has to stay there for gas."""
        info = await self.node.see()
        have = await self._funding.holdings(info.head)
        wei, units = await self._funding.pending()
        gas = await self._funding.gas_accounts(info, self._gas, self._sizes)
        if self.on_chain.token is None:
            taken = min(have.lock_units, wei)
            free = max(0, have.lock_units - taken - self.node.config.gas_reserve)
            return WalletBalance(free, taken, 0, have.lock_units - free - taken, 1, gas)
        free = max(0, have.lock_units - units)
        return WalletBalance(free, min(have.lock_units, units), 0, 0, 1, gas)

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:  # noqa: ARG002 - an account has no coins
        """What lies in the account that claims are paid to, beyond what it needs for gas, as one
        coin; nothing of other accounts."""
        mine = self.fixed_address(refund=False)
        if mine is None or mine not in addresses:
            return ()
        info = await self.node.see()
        units = await self._funding.payout(info)
        return (Coin(mine, units, self.check_address(mine)),) if units > 0 else ()

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:  # noqa: ARG002 - an account has no coins
        """None: an account has a balance, no coins."""
        return ()

    async def build_sweep(
        self,
        coins: Sequence[Coin],  # noqa: ARG002 - an account has no coins
        signers: Sequence[tuple[bytes, SignDigest]],  # noqa: ARG002 - an account has no coins
        destination: str,
        fee_rate: int,
    ) -> SignedTx:
        """All that the account for claims has, less the reserve for gas, to `destination`."""
        return await self._funding.sweep(
            self.check_address(destination), await self.node.see(), fee_rate
        )

    async def deploy(self) -> SignedTx:
        """Sends the transaction that puts the contract of this asset where it belongs. Raises
        InsufficientFunds, NodeMisconfigured."""
        info = await self.node.see()
        signed = await self._funding.deploy(info)
        result = await self.broadcast(signed.raw)
        if result.outcome is Broadcast.REJECTED:
            raise ChainError(f"the contract can't be put there: {result.reason}")
        return signed

    async def build_split(self, count: int, units: int, fee_rate: int) -> SignedTx:  # noqa: ARG002 - an account has no coins
        """Raises ValueError: an account has no coins to split."""
        raise ValueError(NO_COINS)

    # --- addresses ---

    def check_address(self, address: str) -> bytes:
        """The account it names. Raises ValueError."""
        try:
            found = parse_address(address)
        except DecodeError as error:
            raise ValueError(str(error)) from None
        if int.from_bytes(found, "big") < 2**16:
            raise ValueError(f"{address} is no account: what is sent there is lost")
        if found in {self.on_chain.contract, self.on_chain.token}:
            raise ValueError(f"{address} is a contract that would keep what is sent to it")
        return found

    def address_of(self, public_key: bytes) -> str:
        """The account of a key."""
        return checksummed(account_of(public_key))

    async def wallet_address(self) -> str:
        """The account that locks: what is to be swapped goes there."""
        return checksummed(self._funding.accounts()[LOCKS].address)


def token_asset(chain: str, address: bytes) -> AssetId:
    """CAIP-19 of a token: the address decides, whatever it calls itself."""
    return AssetId(f"{chain}/erc20:{checksummed(address)}")
