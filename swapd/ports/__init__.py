"""What the engine needs of the world, as interfaces and plain values; no behaviour.

Owns: the ports (Chain, Relay, Peers, Store, Recovery, Signer, Clock, Entropy), the values that
cross them, and the errors that adapters raise, one module each. Must not know: any adapter. Each
port has one behavioural test suite that runs on its fake and on the real thing.
"""

from protocol.proof import FundsProof
from swapd.ports.chain import (
    Broadcast,
    BroadcastResult,
    Chain,
    ChainError,
    ChainStatus,
    Coin,
    FundsProofInvalid,
    GasAccount,
    InsufficientFunds,
    LegWatch,
    NodeMisconfigured,
    NodeUnreachable,
    SignDigest,
    SignedLock,
    SignedTx,
    WalletBalance,
    WalletLocked,
    WalletMissing,
)
from swapd.ports.errors import (
    PortError,
)
from swapd.ports.keys import (
    Clock,
    Entropy,
    FeeQuote,
    SealBroken,
    Signer,
)
from swapd.ports.memory import Memory
from swapd.ports.peers import (
    Channel,
    ChannelClosed,
    GossipMessage,
    InvalidAddress,
    ListenError,
    NetworkDown,
    NetworkIdentity,
    PeerError,
    PeerEvent,
    PeerInfo,
    Peers,
    PeerUnreachable,
)
from swapd.ports.recovery import (
    PathStatus,
    Recovery,
    RecoveryError,
    RecoveryStatus,
)
from swapd.ports.relay import Relay
from swapd.ports.store import (
    PUT_BACK,
    BackupMade,
    BackupRefused,
    JournalRecord,
    SequenceConflict,
    Store,
    StoreError,
    StoreFull,
)

__all__ = [
    "PUT_BACK",
    "BackupMade",
    "BackupRefused",
    "Broadcast",
    "BroadcastResult",
    "Chain",
    "ChainError",
    "ChainStatus",
    "Channel",
    "ChannelClosed",
    "Clock",
    "Coin",
    "Entropy",
    "FeeQuote",
    "FundsProof",
    "FundsProofInvalid",
    "GasAccount",
    "GossipMessage",
    "InsufficientFunds",
    "InvalidAddress",
    "JournalRecord",
    "LegWatch",
    "ListenError",
    "Memory",
    "NetworkDown",
    "NetworkIdentity",
    "NodeMisconfigured",
    "NodeUnreachable",
    "PathStatus",
    "PeerError",
    "PeerEvent",
    "PeerInfo",
    "PeerUnreachable",
    "Peers",
    "PortError",
    "Recovery",
    "RecoveryError",
    "RecoveryStatus",
    "Relay",
    "SealBroken",
    "SequenceConflict",
    "SignDigest",
    "SignedLock",
    "SignedTx",
    "Signer",
    "Store",
    "StoreError",
    "StoreFull",
    "WalletBalance",
    "WalletLocked",
    "WalletMissing",
]
