"""What the engine needs of the world, as interfaces and plain values; no behaviour.

Owns: the ports (Chain, Peers, Store, Signer, Clock, Entropy), the values that cross them, and the
errors that adapters raise. Must not know: any adapter. Each port has one behavioural test suite
that runs on its fake and on the real thing.

Fee rates are whole base units per 1000 vbytes. Txids and block hashes are hex as nodes print them.
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio
from msgspec import Struct

from protocol.amounts import Amount
from protocol.assets import AssetId, ChainId
from protocol.proof import FundsProof as FundsProof  # noqa: PLC0414 - re-exported for adapters
from protocol.signing import PublicKey, Signature, Tag
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegName, LegTerms, PinnedBlock, Role


class PortError(Exception):
    """The world did not do what was asked. `str()` says what was wrong and what to do."""


# --- Chains -----------------------------------------------------------------------------------


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
    """An unspent output: `ref` is `<txid>:<index>`."""

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
    """A complete lock transaction, not broadcast. `ref` is the output that pays the script;
    `coins` are the wallet coins it spends."""

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
    not itself pay the leg's script its exact amount."""

    watch_id: str
    leg: LegTerms
    hashlock: bytes
    since_height: int
    own_inputs: tuple[str, ...] = ()


class ChainStatus(Struct, frozen=True):
    """A node as it is now. `problems` are reasons not to lock or reveal; empty = healthy."""

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


class WalletBalance(Struct, frozen=True):
    """Units in the node's wallet: `confirmed` spendable segwit coins that are not reserved by us,
    `reserved` by our journal, `unconfirmed` on their way, `unusable` confirmed but not segwit."""

    confirmed: int
    reserved: int
    unconfirmed: int
    unusable: int
    coins: int


SignDigest = Callable[[bytes], Awaitable[bytes]]
"""Signs a 32-byte digest; returns a DER signature with low R and low S (no sighash byte)."""


class Chain(Protocol):
    """One node connection of the bitcoind family. Every method raises NodeUnreachable while the
    node does not answer; nothing here blocks for ever. All methods may be repeated."""

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
    ) -> SignedLock:
        """Signs, without broadcasting, a payment of exactly the leg's amount to its script from
        explicit, confirmed, unreserved segwit coins, and reserves them. With `replaces` it spends
        exactly the coins of that lock, whose change pays the difference.
        Raises InsufficientFunds, WalletLocked."""
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


# --- Peers ------------------------------------------------------------------------------------


class PeerError(PortError):
    """The network failed at something."""


class ChannelClosed(PeerError):
    """The other side, or the network, ended this channel."""


class NetworkDown(PeerError):
    """The network process is not running at this moment; it is being restarted."""


class PeerUnreachable(PeerError):
    """None of the addresses answered with the right key."""


class InvalidAddress(PeerError):
    """Not a multiaddress we can dial."""


class ListenError(PeerError):
    """The listening address is in use or not ours."""


class PeerInfo(Struct, frozen=True):
    """A connected peer; `connected_since` unix seconds."""

    peer_id: str
    addresses: tuple[str, ...]
    inbound: bool
    connected_since: int
    latency_ms: int | None


class PeerEvent(Struct, frozen=True):
    """A peer came (`up`) or went."""

    peer_id: str
    up: bool


class NetworkIdentity(Struct, frozen=True):
    """Our own peer id and the multiaddresses we listen on, each without the /p2p suffix."""

    peer_id: str
    addresses: tuple[str, ...]


class GossipMessage(Struct, frozen=True):
    """One gossip message, already validated in the network process."""

    topic: str
    data: bytes
    from_peer: str


class Channel(Protocol):
    """One direct, encrypted, authenticated message channel; messages are at most 64 KiB."""

    peer_id: str
    protocol: str

    async def send(self, message: bytes) -> None:
        """Raises ChannelClosed."""
        ...

    async def receive(self) -> bytes:
        """Raises ChannelClosed; callers put a deadline around it."""
        ...

    async def aclose(self) -> None: ...


class Peers(Protocol):
    """The peer-to-peer network."""

    async def wait_ready(self) -> None: ...

    def identity(self) -> NetworkIdentity: ...

    async def publish(self, topic: str, data: bytes) -> None:
        """Raises NetworkDown, ValueError when over 64 KiB."""
        ...

    async def drain(self) -> None:
        """Returns when what was published has left for our peers, or could not in a second."""
        ...

    async def subscribe(self, topic: str) -> None: ...

    async def unsubscribe(self, topic: str) -> None: ...

    def gossip(self) -> trio.MemoryReceiveChannel[GossipMessage]: ...

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]: ...

    async def open(self, peer_id: str, addresses: tuple[str, ...], protocol: str) -> Channel:
        """Raises PeerUnreachable, NetworkDown."""
        ...

    def serve(self, protocol: str) -> trio.MemoryReceiveChannel[Channel]:
        """Inbound channels of this protocol from now on."""
        ...

    async def connect(self, multiaddr: str) -> PeerInfo:
        """`multiaddr` ends in /p2p/<peer id>. Raises InvalidAddress, PeerUnreachable."""
        ...

    async def disconnect(self, peer_id: str) -> None: ...

    async def penalise(self, peer_id: str, why: str) -> None: ...

    async def peers(self) -> tuple[PeerInfo, ...]: ...

    def peer_count(self) -> int:
        """How many are connected, as last heard from the network process."""
        ...


# --- Store ------------------------------------------------------------------------------------


class StoreError(PortError):
    """The journal could not be read or written (disk full, damaged, newer than we are)."""


class StoreFull(StoreError):
    """No space left. Nothing of the failed write is there; it may be tried again."""


class BackupRefused(StoreError):
    """A backup can't be written there. Nothing was changed."""


class SequenceConflict(StoreError):
    """Somebody else appended to this swap: two runners of one swap are a bug."""


class JournalRecord(Struct, frozen=True):
    """One row of a swap's journal: the event that happened and the state after it, both encoded
    by the engine. `at` is unix seconds."""

    swap_id: bytes
    sequence: int
    at: int
    event: bytes
    state: bytes


class BackupMade(Struct, frozen=True):
    """A copy of the whole database that was written and read back: where, its bytes, how many swaps
    are in it, unix seconds."""

    path: str
    size: int
    swaps: int
    at: int


class Store(Protocol):
    """The durable memory. A call that returned is on disk. One writer. A swap's first record has
    sequence 1."""

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        """Appends; `record.sequence` must be the next one. Raises SequenceConflict, StoreError."""
        ...

    async def open_swaps(self) -> tuple[JournalRecord, ...]:
        """The newest record of every swap whose last append said `open_swap`."""
        ...

    async def swaps(self, *, after: bytes | None, limit: int) -> tuple[JournalRecord, ...]:
        """Newest record of each swap, newest swap first, from behind `after` (a swap id)."""
        ...

    async def swap(self, swap_id: bytes) -> JournalRecord | None: ...

    async def history(self, swap_id: bytes) -> tuple[JournalRecord, ...]: ...

    async def remember_hashlock(self, hashlock: bytes) -> bool:
        """True when it was new; False when it was seen before (safety rule 6)."""
        ...

    async def get(self, space: str, key: str) -> bytes | None:
        """Durable small values by namespace ("offer", "meta", "idempotency", "peer", ...)."""
        ...

    async def put(self, space: str, key: str, value: bytes) -> None: ...

    async def put_new(self, space: str, key: str, value: bytes) -> bytes | None:
        """Writes only where nothing was; returns what was there before (None = written)."""
        ...

    async def delete(self, space: str, key: str) -> None: ...

    async def items(self, space: str) -> tuple[tuple[str, bytes], ...]: ...

    async def next_counter(self, name: str, at_least: int) -> int:
        """max(stored + 1, at_least), durably; 0 was never given."""
        ...

    async def backup(self, path: str, *, at: int) -> BackupMade:
        """Writes a copy of everything to `path` (in full), over an older one only once it is whole
        and verified; other calls go on meanwhile. `at` is unix seconds.
        Raises BackupRefused, StoreError."""
        ...

    async def counter(self, name: str) -> int:
        """What `next_counter` gave last, 0 for nothing yet."""
        ...


# --- Recovery ---------------------------------------------------------------------------------


class RecoveryError(PortError):
    """A recovery file could not be written or read."""


class PathStatus(Struct, frozen=True):
    """One place of the recovery file. `written_at` unix seconds, 0 never; `error` why it is not
    abreast of the journal."""

    path: str
    ok: bool
    written_at: int = 0
    error: str = ""


class RecoveryStatus(Struct, frozen=True):
    """All places that are configured."""

    paths: tuple[PathStatus, ...]


class Recovery(Protocol):
    """What survives the loss of this machine: with the seed, every open swap."""

    async def secure(self) -> None:
        """Returns when every place holds what the journal holds now. Raises RecoveryError."""
        ...

    def status(self) -> RecoveryStatus: ...


# --- Keys, time, chance -----------------------------------------------------------------------


class SealBroken(PortError):
    """Sealed by another seed, or changed since."""


class Signer(Protocol):
    """The only holder of secrets. Swap keys and preimages come from the seed and a fresh salt."""

    def maker_key(self) -> PublicKey: ...

    async def sign_maker(self, tag: Tag, message: bytes) -> Signature: ...

    def taker_key(self, salt: bytes) -> PublicKey:
        """The key of one take, fresh with its 32-byte salt."""
        ...

    async def sign_taker(self, salt: bytes, tag: Tag, message: bytes) -> Signature: ...

    def htlc_key(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        """Our 33-byte public key in one leg of one swap."""
        ...

    async def sign_htlc(
        self, salt: bytes, role: Role, swap_id: bytes, leg: LegName, digest: bytes
    ) -> bytes:
        """DER, low R, low S."""
        ...

    def htlc_secret(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        """The 32-byte private key of `htlc_key`: for a rescue by hand that asks for it, only."""
        ...

    def hashlock(self, salt: bytes, swap_id: bytes) -> bytes:
        """SHA-256 of the preimage, without handing the preimage out."""
        ...

    def preimage(self, salt: bytes, swap_id: bytes) -> bytes:
        """Safety rule 7: only after the reveal is journalled."""
        ...

    def wallet_key(self, asset: AssetId, index: int) -> bytes:
        """The 33-byte key of a payout address of the seed."""
        ...

    async def sign_wallet(self, asset: AssetId, index: int, digest: bytes) -> bytes: ...

    def seal(self, data: bytes) -> bytes:
        """Encrypted and authenticated, for whoever has this seed."""
        ...

    def unseal(self, sealed: bytes) -> bytes:
        """What was sealed. Raises SealBroken."""
        ...

    def network_secret(self, epoch: int) -> bytes:
        """The rotating libp2p key, 32 bytes, for the network process only."""
        ...


class Clock(Protocol):
    """The wall clock; on regtest the test clock."""

    def now(self) -> int:
        """Unix seconds."""
        ...

    def now_ms(self) -> int: ...


Entropy = Callable[[int], bytes]
"""n fresh random bytes."""


class FeeQuote(Struct, frozen=True):
    """What one transaction costs now: `amount` is the fee."""

    what: str
    amount: Amount
