"""The account of one offer of ours: what it was, what is taken, what is left. Pure values.

Owns: `Account`, its arithmetic, its stored form. Must not know: the store, the market, nodes.

Exact and published amounts differ: others see what is free in coarse steps (safety rule 20). An
untouched offer shows its whole amount, so that it can be taken whole.
"""

import enum

from msgspec import Struct
from msgspec.structs import replace

from protocol.amounts import Price, Units
from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import LocalProtocolError
from protocol.offers import coarse
from protocol.terms import Exposure, Timing

ACCOUNT_VERSION = 1
MAX_ACCOUNT_SIZE = 4 * 1024 * 1024
MAX_TAKES = 4096
"""Takes of one offer whose swaps are not over; codec.MAX_CONTAINER allows no more."""
KEPT_VERSIONS = 16


class Status(enum.StrEnum):
    """LIVE: in the book. PAUSED: too little is free until takes under way are decided. The rest
    are ends."""

    LIVE = "live"
    PAUSED = "paused"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Taken(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Units of the offer that a swap took and that are not decided yet."""

    swap_id: bytes
    units: Units


class Account(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One offer of ours. Fields as in `Offer`; `total` is what it sells in all (less what was
    taken and came back elsewhere by a refund), `filled` what was swapped; `ended` is empty while
    it stands, else the status it ended with; `versions` are the newest payloads that were
    published of it, oldest first: a taker may still refer to any of them."""

    version: int
    slot: int
    sell: AssetId
    buy: AssetId
    price: Price
    minimum: Units
    total: Units
    filled: Units
    taken: tuple[Taken, ...]
    created: int
    expires: int
    kinds: tuple[str, ...]
    timing: Timing
    exposure: Exposure
    depth_sell: int
    depth_buy: int
    min_fee_rate: int
    ended: str = ""
    versions: tuple[bytes, ...] = ()

    @property
    def reserved(self) -> int:
        """Units in swaps that are not decided."""
        return sum(take.units for take in self.taken)

    @property
    def free(self) -> int:
        """Exact units that nobody has taken or is taking."""
        return self.total - self.filled - self.reserved

    @property
    def shown(self) -> Units | None:
        """What the book shows as maximum; None when too little is free to show anything."""
        if self.free < self.minimum:
            return None
        untouched = not self.filled and not self.taken
        return Units(self.free if untouched else max(self.minimum, coarse(self.free)))

    @property
    def status(self) -> Status:
        """Where it stands; whether it has expired is for the caller's clock to say."""
        if self.ended:
            return Status(self.ended)
        if self.free >= self.minimum:
            return Status.LIVE
        return Status.PAUSED if self.taken else Status.FILLED

    # --- Steps --------------------------------------------------------------------------------

    def take(self, swap_id: bytes, units: int) -> "Account":
        """Takes `units` for a swap. Raises LocalProtocolError when they are not free, or the swap
        took some already, or too many takes are undecided."""
        if not 0 < units <= self.free or self.has(swap_id) or len(self.taken) >= MAX_TAKES:
            msg = f"{units} units can't be taken: {self.free} are free"
            raise LocalProtocolError(msg)
        return replace(self, taken=(*self.taken, Taken(swap_id, Units(units))))

    def has(self, swap_id: bytes) -> bool:
        """Whether this swap's take is undecided here."""
        return any(take.swap_id == swap_id for take in self.taken)

    def give_back(self, swap_id: bytes) -> "Account":
        """The swap came to nothing: its units are free again."""
        return replace(self, taken=tuple(t for t in self.taken if t.swap_id != swap_id))

    def fill(self, swap_id: bytes) -> "Account":
        """The swap is done: its units are sold."""
        units = sum(take.units for take in self.taken if take.swap_id == swap_id)
        return replace(self.give_back(swap_id), filled=Units(self.filled + units))

    def write_off(self, swap_id: bytes) -> "Account":
        """The swap ended with our coins elsewhere than in the wallet (a refund): not for sale."""
        units = sum(take.units for take in self.taken if take.swap_id == swap_id)
        return replace(self.give_back(swap_id), total=Units(self.total - units))

    def publish(self, payload: bytes) -> "Account":
        """One more version is about to be published."""
        return replace(self, versions=(*self.versions, payload)[-KEPT_VERSIONS:])

    def end(self, status: Status) -> "Account":
        """Nothing can be taken from it any more."""
        return replace(self, ended=status.value)


def encode_account(account: Account) -> bytes:
    """Its stored form."""
    return encode(account)


def decode_account(data: bytes) -> Account:
    """Raises DecodeError for what we did not write."""
    return decode(Account, data, max_size=MAX_ACCOUNT_SIZE)
