"""The port to one asset on one chain: `Chain`, its values and errors.

Must not know: any adapter. Fee rates are whole base units of what fees are paid in, per 1000 units
of size (virtual bytes, gas); txids and block hashes are hex as nodes print them.

Two kinds of chain stand behind it. Where coins are outputs, a lock is an output and a coin is one
(`<txid>:<index>`). Where they belong to accounts, a lock is a contract's entry, and what its
versions and its kill share is a *nonce*: the one coin of a lock is `<account>:<nonce>`, and a kill
is any other transaction with it. What is a script there is empty.
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio
from msgspec import Struct

from protocol.assets import AssetId, ChainId
from protocol.proof import FundsProof
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegTerms, PinnedBlock
from swapd.ports.errors import PortError


class ChainError(PortError):
    """A node connection failed at something."""


class NodeUnreachable(ChainError):
    """No answer, or a temporary one (warming up, busy): try again later."""


class NodeMisconfigured(ChainError):
    """Wrong chain, too old, pruned too far, no wallet, ...: the operator must act."""


class WalletMissing(NodeMisconfigured):
    """The wallet named in the configuration is not loaded in the node."""


class WalletLocked(ChainError):
    """The node's wallet needs its passphrase."""


class InsufficientFunds(ChainError):
    """Not enough confirmed, unreserved segwit coins. `unconfirmed` units would have been enough
    with change that is still on its way."""

    def __init__(self, message: str, *, confirmed: int, unconfirmed: int) -> None:
        super().__init__(message)
        self.confirmed = confirmed
        self.unconfirmed = unconfirmed


class FundsProofInvalid(ChainError):
    """A counterparty's proof of funds does not prove what it must."""


class Coin(Struct, frozen=True):
    """What only one transaction can spend: an unspent output, or a nonce (see above)."""

    ref: str
    units: int
    script_pubkey: bytes


class SignedTx(Struct, frozen=True):
    """A complete transaction, not broadcast. `fee` in base units, `inputs` as refs."""

    raw: bytes
    txid: str
    fee: int
    fee_rate: int
    inputs: tuple[str, ...] = ()


class SignedLock(Struct, frozen=True):
    """A complete lock transaction, not broadcast. `ref` is the output that pays the script, or the
    contract's entry; `coins` are the wallet coins it spends."""

    tx: SignedTx
    ref: str
    coins: tuple[Coin, ...]


class Broadcast(enum.StrEnum):
    """What the node made of a transaction."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    REJECTED = "rejected"


class BroadcastResult(Struct, frozen=True):
    """`reason` is the node's own word when rejected."""

    outcome: Broadcast
    reason: str = ""


class LegWatch(Struct, frozen=True):
    """What to look for on a chain for one leg: every output to `leg`'s script since block
    `since_height`, every spend of one, and any spend of `own_inputs` by a transaction that does
    not itself pay the leg's script its exact amount; where a lock has a deadline (`fund`), also a
    block after `deadline` (unix seconds) without it."""

    watch_id: str
    leg: LegTerms
    hashlock: bytes
    since_height: int
    own_inputs: tuple[str, ...] = ()
    deadline: int = 0


class ChainStatus(Struct, frozen=True):
    """A node as it is now. `problems` are reasons not to lock or reveal; empty = healthy.
    `time_offset` is by how many seconds the node's peers say its clock is off, as it tells. A
    pruned node has the blocks from `prune_height` on; `fee_estimated`: `fee_next` is the node's own
    estimate, not our fallback. `early`: seconds by which the chain's times may be ahead."""

    chain: ChainId
    asset: AssetId
    ticker: str
    decimals: int
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
    time_offset: int = 0
    prune_height: int = 0
    fee_estimated: bool = True
    early: int = 0


class GasAccount(Struct, frozen=True):
    """An account that pays fees: what it is for, where it is, base units of the chain's own coin in
    it, and the least that one swap needs there now."""

    name: str
    address: str
    units: int
    needed: int


class WalletBalance(Struct, frozen=True):
    """Units in the node's wallet: `confirmed` spendable segwit coins that are not reserved by us,
    `reserved` by our journal, `unconfirmed` on their way, `unusable` confirmed but not segwit. On a
    chain with accounts: those of the account that locks; `gas` is what pays fees there."""

    confirmed: int
    reserved: int
    unconfirmed: int
    unusable: int
    coins: int
    gas: tuple[GasAccount, ...] = ()


SignDigest = Callable[[bytes], Awaitable[bytes]]
"""Signs a 32-byte digest with the key of a leg; returns a DER signature with low R and low S (no
sighash byte). Chains with accounts sign with the account's key instead, which they know."""


class Chain(Protocol):
    """One asset through one node connection. Every method raises NodeUnreachable while the node
    does not answer; nothing here blocks for ever. All methods may be repeated."""

    chain: ChainId
    asset: AssetId
    ticker: str
    decimals: int

    async def check(self) -> None:
        """Right chain, version, deployments, wallet. Raises NodeMisconfigured."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follows the node for ever: new blocks, mempool while watched. Reconnects by itself."""
        ...

    def change_count(self) -> int:
        """Grows with each block, relevant mempool event, or change of health."""
        ...

    async def wait_change(self, seen: int) -> int:
        """Returns the count as soon as it differs from `seen`."""
        ...

    async def status(self) -> ChainStatus: ...

    def watch(self, watch: LegWatch) -> None:
        """Starts or replaces (same watch_id) a watch; it survives reconnects."""
        ...

    def unwatch(self, watch_id: str) -> None: ...

    async def view(self, watch_id: str) -> ChainView:
        """Fresh facts of a watch. Scans what is missing first, so it may take a while once."""
        ...

    async def pinned(self) -> PinnedBlock:
        """The block 100 below the tip (or the genesis block on a shorter chain)."""
        ...

    async def has_block(self, pinned: PinnedBlock) -> bool:
        """True when that block is in our best chain at that height."""
        ...

    async def fund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        fee_rate: int,
        replaces: SignedLock | None = None,
        *,
        deadline: int,
    ) -> SignedLock:
        """Signs, without broadcasting, a payment of exactly the leg's amount to its script from
        explicit, confirmed, unreserved segwit coins, and reserves them. With `replaces` it spends
        exactly the coins of that lock, whose change pays the difference. `deadline` (unix seconds)
        is the lock gate: where a lock can carry one, none is mined in a block after it.
        Raises InsufficientFunds, WalletLocked."""
        ...

    async def sent_lock(
        self, leg: LegTerms, hashlock: bytes, since_height: int
    ) -> SignedLock | None:
        """The wallet's own payment of the leg's amount to its script, with the coins it spends:
        unconfirmed, in the mempool or not, or in a block since `since_height`; None when there is
        none that could still stand. On a chain with accounts what the slot holds, if it is live:
        nobody else can have locked there, and what is late dies by itself."""
        ...

    async def claim_party(self, htlc_key: bytes, destination: str | None) -> bytes:
        """Who we are in the terms of a leg that we claim on this chain: `htlc_key`, our key of that
        leg, itself, or the account that is paid: that of `destination`, if one is asked for."""
        ...

    async def refund_party(self, htlc_key: bytes) -> bytes:
        """Who we are in the terms of a leg that we lock: `htlc_key` itself, or our account with a
        slot that is free, held for this key for as long as a negotiation may take. Raises
        InsufficientFunds when no slot is free."""
        ...

    def fixed_address(self, *, refund: bool) -> str | None:
        """Where our claims (or refunds) pay on a chain with accounts; None where each gets a fresh
        address of the seed."""
        ...

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        """Signs a payment of the lock's coins to the operator's own wallet, replaceable."""
        ...

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
        """Pure work: nothing is told to the node (safety rule 7)."""
        ...

    async def build_refund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
    ) -> SignedTx: ...

    async def broadcast(self, raw: bytes) -> BroadcastResult: ...

    async def set_reserved(self, refs: frozenset[str]) -> None:
        """The coins our journal holds: never spent by `fund`, re-locked in the node at connects."""
        ...

    async def reserved_units(self, units: int, fee_rate: int) -> int:
        """What a lock of `units` would cost from the free coins, fee included.
        Raises InsufficientFunds."""
        ...

    async def prove_funds(self, challenge: bytes, units: int) -> FundsProof: ...

    async def check_funds(self, proof: FundsProof, challenge: bytes, units: int) -> None:
        """Raises FundsProofInvalid unless the proof's coins exist, are confirmed and sign it."""
        ...

    async def balance(self) -> WalletBalance: ...

    def check_address(self, address: str) -> bytes:
        """The scriptPubKey of an address of this chain. Raises ValueError saying what is wrong."""
        ...

    def address_of(self, public_key: bytes) -> str:
        """The P2WPKH address of a 33-byte key."""
        ...

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:
        """Which of `refs` (outputs to `addresses`, known from our journal) are confirmed and
        unspent now."""
        ...

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:
        """All confirmed, unspent coins of `addresses`, known or not: goes through every unspent
        output of the chain, which takes minutes."""
        ...

    async def build_sweep(
        self,
        coins: Sequence[Coin],
        signers: Sequence[tuple[bytes, SignDigest]],
        destination: str,
        fee_rate: int,
    ) -> SignedTx:
        """All of `coins` (P2WPKH of the given public keys, in order) to `destination`."""
        ...

    async def build_split(self, count: int, units: int, fee_rate: int) -> SignedTx:
        """A wallet transaction to ourselves that makes `count` coins of `units` each."""
        ...

    async def wallet_address(self) -> str:
        """A fresh segwit address of the node's own wallet."""
        ...
