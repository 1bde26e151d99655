"""What differs between kinds of HTLC where terms are made: who is named, how large spends are.

Owns: which kind a chain has, the form of the two parties of a leg, the sizes that fees are paid
for. Must not know: scripts, contracts, transactions (bitcoin, evm), nodes.

A leg's kind follows from its chain. Fee rates are base units of what fees are paid in (`fee asset`:
on a bitcoind chain the coin itself, elsewhere the chain's own coin) per 1000 units of size: virtual
bytes or gas.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

import coincurve
from msgspec import Struct

from protocol.assets import AssetId, ChainId, chain_of
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.address import ADDRESS_SIZE
from protocol.evm.params import NATIVE, is_evm
from protocol.evm.slots import KEEP_SLOTS, MAX_AMOUNT
from protocol.limits import CLAIM_VBYTES, KILL_VBYTES, LOCK_VBYTES, REFUND_VBYTES
from protocol.terms import Kind

PUBLIC_KEY_SIZE: Final = 33
LOCKER_SIZE: Final = ADDRESS_SIZE + 1
"""An account, and the number of the slot in which it locks."""

LEAST_ACCOUNT: Final = 2**16
"""Accounts below are precompiled contracts, or may become ones: coins sent there are burnt."""


class Sizes(Struct, frozen=True):
    """What the transactions of a leg measure at most: virtual bytes (a lock with one P2WPKH input
    and change, a kill per input, spends to P2WPKH) or gas (slots and balances used first)."""

    lock: int
    claim: int
    refund: int
    kill: int


_P2WSH: Final = Sizes(LOCK_VBYTES, CLAIM_VBYTES, REFUND_VBYTES, KILL_VBYTES)
_NATIVE: Final = Sizes(lock=50_000, claim=65_000, refund=65_000, kill=21_000)
_TOKEN: Final = Sizes(lock=90_000, claim=90_000, refund=90_000, kill=21_000)
"""Of EVM legs: the measured figures of a first use (docs/contract.md) and some room."""

STRESS_FEE_RATES: Final[Mapping[Kind, int]] = MappingProxyType(
    {Kind.P2WSH: 100_000, Kind.EVM: 50_000_000_000_000}
)
"""What a bad day costs unless the operator says otherwise: 100 a vbyte, 50 gwei a unit of gas."""


def kind_of(chain: ChainId) -> Kind:
    """The kind of a leg on `chain`. Raises RemoteProtocolError (unsupported_asset)."""
    if chain.startswith("bip122:"):
        return Kind.P2WSH
    if is_evm(chain):
        return Kind.EVM
    raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, f"no kind of HTLC is known for {chain}")


def fee_asset_of(asset: AssetId) -> AssetId:
    """What the fees of its chain are paid in: `asset` itself, or the chain's own coin."""
    chain = chain_of(asset)
    return asset if kind_of(chain) is Kind.P2WSH else AssetId(f"{chain}/{NATIVE}")


def pays_own_fees(asset: AssetId) -> bool:
    """Whether the fees of its chain are paid in it: not those of tokens."""
    return fee_asset_of(asset) == asset


def sizes_of(asset: AssetId) -> Sizes:
    """What transactions of a leg of `asset` measure at most."""
    if kind_of(chain_of(asset)) is Kind.P2WSH:
        return _P2WSH
    return _NATIVE if pays_own_fees(asset) else _TOKEN


def check_units(asset: AssetId, units: int) -> None:
    """Raises RemoteProtocolError (amount_out_of_range) for more than a lock of it can hold."""
    if kind_of(chain_of(asset)) is Kind.EVM and units > MAX_AMOUNT:
        detail = f"{units} of {asset}: a lock holds at most {MAX_AMOUNT}"
        raise RemoteProtocolError(Refusal.AMOUNT_OUT_OF_RANGE, detail)


# --- Who is named -----------------------------------------------------------------------------


def check_maker(kind_i: Kind, claimer_i: bytes, kind_p: Kind, locker_p: bytes) -> None:
    """Raises RemoteProtocolError (wrong_key) unless this can be who claims leg I and locks leg P.
    A key is made for one place; an account may stand in both."""
    _check_form(kind_i, claimer_i, ADDRESS_SIZE)
    _check_form(kind_p, locker_p, LOCKER_SIZE)
    one, other = _name(kind_i, claimer_i), _name(kind_p, locker_p)
    is_account = kind_i is Kind.EVM
    _refuse_unless(is_account or one != other, "an HTLC key is used twice")


def check_parties(
    kind_i: Kind, kind_p: Kind, *, i: tuple[bytes, bytes], p: tuple[bytes, bytes]
) -> None:
    """`i` and `p`: claimer and locker of each leg. Maker and taker share no key and no account: a
    claimer who is also the locker could take back what was paid. A key is made for one place; one
    party's account may stand in both legs. Raises RemoteProtocolError (wrong_key)."""
    for kind, (claimer, locker) in ((kind_i, i), (kind_p, p)):
        _check_form(kind, claimer, ADDRESS_SIZE)
        _check_form(kind, locker, LOCKER_SIZE)
    maker = _name(kind_i, i[0]), _name(kind_p, p[1])
    taker = _name(kind_p, p[0]), _name(kind_i, i[1])
    _refuse_unless(not set(maker) & set(taker), "one of the parties is the other one")
    keys = [name for name in (*maker, *taker) if len(name) == PUBLIC_KEY_SIZE - 1]
    _refuse_unless(len(set(keys)) == len(keys), "an HTLC key is used twice")


def _name(kind: Kind, party: bytes) -> bytes:
    """What tells one party from another: the x of a point, the account without its slot."""
    return party[1:] if kind is Kind.P2WSH else party[:ADDRESS_SIZE]


def _check_form(kind: Kind, party: bytes, account_size: int) -> None:
    match kind:
        case Kind.P2WSH:
            _check_point(party)
        case Kind.EVM:
            _check_account(party, account_size)
        case _:
            assert_never(kind)


def _check_point(key: bytes) -> None:
    good = len(key) == PUBLIC_KEY_SIZE
    if good:
        try:
            coincurve.PublicKey(key)
        except ValueError:
            good = False
    _refuse_unless(good, "an HTLC key is not on the curve")


def _check_account(party: bytes, size: int) -> None:
    good = len(party) == size and party >= LEAST_ACCOUNT.to_bytes(ADDRESS_SIZE, "big")
    # The contract clears the other slots: what a claim left there could be read from its log only.
    good = good and all(slot < KEEP_SLOTS for slot in party[ADDRESS_SIZE:])
    _refuse_unless(good, "not an account that coins may be sent to")


def _refuse_unless(condition: bool, detail: str) -> None:  # noqa: FBT001 - reads as the rule
    if not condition:
        raise RemoteProtocolError(Refusal.WRONG_KEY, detail)
