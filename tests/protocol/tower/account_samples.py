"""Packages of legs on a chain with accounts, by keys of the tests' own, and what its views show.

Owns: honest values; tests replace one of them at a time.
"""

import hashlib
from typing import Any, Final

import coincurve
import msgspec

from protocol.amounts import Amount, Units
from protocol.assets import AssetId
from protocol.evm.address import account_of
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.terms import Kind, LegTerms, Pace, PinnedBlock
from protocol.tower.package import PACKAGE_VERSION, Act, Package, Variant, Watched, relayed

ETH: Final = AssetId("eip155:1/slip44:60")
USDC: Final = AssetId("eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
PREIMAGE: Final = hashlib.sha256(b"preimage").digest()
HASHLOCK: Final = hashlib.sha256(PREIMAGE).digest()
NOW, EXPIRY = 1_800_000_000, 1_800_050_000
UNITS: Final = 40 * 10**18
GWEI: Final = 10**9

CLAIMER = coincurve.PrivateKey(hashlib.sha256(b"claimer").digest())
LOCKER = coincurve.PrivateKey(hashlib.sha256(b"locker").digest())
TOWER = account_of(coincurve.PrivateKey(hashlib.sha256(b"tower").digest()).public_key.format())
REF: Final = "contract:slot:value"


def leg(asset: AssetId = ETH, **more: Any) -> LegTerms:
    """Of 40 coins: more than 64 bits."""
    made = LegTerms(
        kind=Kind.EVM,
        amount=Amount(asset, Units(UNITS)),
        claim_key=account_of(CLAIMER.public_key.format()),
        refund_key=account_of(LOCKER.public_key.format()) + b"\x05",
        expiry=EXPIRY,
        depth=2,
        pinned=PinnedBlock(20_000_000, bytes(range(32))),
        pace=Pace(13, 1200),
    )
    return msgspec.structs.replace(made, **more)


def signed(package: Package, key: coincurve.PrivateKey) -> Package:
    """Its fees signed anew: a client that wants to fool a tower can do that."""
    fees = []
    for fee in package.fees:
        digest = relayed(package).digest(fee.fee, fee.not_before)
        signature = key.sign_recoverable(digest, hasher=None)
        fees.append(msgspec.structs.replace(fee, signature=signature))
    return msgspec.structs.replace(package, fees=tuple(fees))


def package(
    act: Act = Act.CLAIM,
    asset: AssetId = ETH,
    fees: tuple[tuple[int, int], ...] = ((10**16, 0), (2 * 10**16, 0), (4 * 10**16, NOW + 500)),
    **more: Any,
) -> Package:
    """A good one."""
    terms = leg(asset)
    claim = act is Act.CLAIM
    bare = Package(
        version=PACKAGE_VERSION,
        sequence=1,
        act=act,
        hashlock=HASHLOCK,
        watched=Watched(terms, 20_000_100),
        shows=None,
        ways=(),
        destination=terms.claim_key if claim else terms.refund_key[:20],
        max_fee=UNITS // 10,
        preimage=b"",
        yield_until=0,
        keep_until=EXPIRY + 1000,
        fees=tuple(Variant(f, t if claim else max(t, EXPIRY), bytes(65)) for f, t in fees),
        relayer=TOWER if fees else b"",
    )
    return signed(msgspec.structs.replace(bare, **more), CLAIMER if claim else LOCKER)


def view(spend: Spend | None = None, *, height: int = 1000, **more: Any) -> ChainView:
    """The lock stands, or is spent so. Gas is at 20 gwei, and the tower has 10 coins for it."""
    lock = LockSeen(REF, UNITS, 5, spend=spend)
    made = ChainView(
        height, "00" * 32, NOW, NOW, 20 * GWEI * 1000, 10 * GWEI * 1000, 1, locks=(lock,),
        fee_step_percent=13, fee_budget=10**19, patience=4,
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def claimed(txid: str = "cc" * 32, depth: int = 0) -> Spend:
    """With the preimage."""
    return Spend(SpendKind.CLAIM, txid, depth, PREIMAGE)
