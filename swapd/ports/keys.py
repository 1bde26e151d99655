"""The ports to secrets, time and chance: `Signer`, `Clock`, `Entropy`.

Must not know: any adapter.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from protocol.amounts import Amount
from protocol.assets import AssetId
from protocol.signing import PublicKey, Signature, Tag
from protocol.terms import LegName, Role
from swapd.ports.errors import PortError


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

    def account_key(self, index: int) -> bytes:
        """The 33-byte key of one of our accounts, the same on every EVM chain: 0 locks, 1 claims
        and refunds."""
        ...

    async def sign_account(self, index: int, digest: bytes) -> bytes:
        """r, s (low) and the parity of the point: 65 bytes."""
        ...

    def relay_secret(self) -> bytes:
        """The 32-byte private key of an account that pays gas while we are locked, and that no coin
        of a swap depends on: it is kept outside the seed."""
        ...

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
