"""Writes protocol/vectors/packages.json: what clients leave with towers, good and hostile.

`python -m tests.protocol.tower.make_vectors`. Arrays are laid out here, field by field in the order
of SPEC section 25.1, and packed by msgpack; the digest is hashed here.
"""

import enum
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgpack
import msgspec

import protocol
from protocol.tower.package import Act, Package
from tests.protocol.tower import samples
from tests.protocol.tower.account_samples import PREIMAGE, USDC, package

TARGET: Final = Path(protocol.__file__).parent / "vectors" / "packages.json"
TAG: Final = b"swapd/tower-package/1"

replace = msgspec.structs.replace
CLAIM, REFUND = package(), package(Act.REFUND, USDC)

GOOD: Final[dict[str, Package]] = {
    "participant, refund of P, litecoin": samples.REFUND_P,
    "participant, claim of I, bitcoin, the preimage shows on litecoin": samples.CLAIM_I,
    "initiator, claim of P, litecoin, revealed": samples.CLAIM_P_REVEALED,
    "claim of ether for fees": CLAIM,
    "claim of ether for nothing, revealed": package(fees=(), preimage=PREIMAGE),
    "claim of ether, the preimage shows on bitcoin": package(shows=samples.CLAIM_I.watched),
    "claim of 40 ether for more than 2^64 wei": package(fees=((2**64, 0),), max_fee=2**65),
    "refund of a token for fees": REFUND,
    "refund of a token for nothing": package(Act.REFUND, USDC, fees=()),
}

BAD: Final[dict[str, tuple[Package, str]]] = {
    "another output script": (replace(samples.REFUND_P, destination=b"\x00\x14" + b"\x66" * 20),
        "bad_signature"),
    "a way and no fee where coins are outputs": (replace(samples.REFUND_P, fees=CLAIM.fees,
        relayer=CLAIM.relayer), "wrong_terms"),
    "another account is paid": (replace(CLAIM, destination=b"\x66" * 20), "wrong_terms"),
    "a fee by one more": (replace(CLAIM, fees=(replace(CLAIM.fees[0], fee=10**16 + 1),)),
        "bad_signature"),
    "a fee for another relayer": (replace(CLAIM, relayer=b"\x77" * 20), "bad_signature"),
    "a fee that its time comes sooner for": (replace(CLAIM, fees=(replace(CLAIM.fees[2],
        not_before=0),)), "bad_signature"),
    "a fee above the cap": (replace(CLAIM, max_fee=1), "wrong_terms"),
    "a refund's fee before the expiry": (replace(REFUND, fees=(replace(REFUND.fees[0],
        not_before=0),)), "wrong_terms"),
    "fees for nobody": (replace(CLAIM, relayer=b""), "wrong_terms"),
    "a preimage of something else": (replace(CLAIM, preimage=bytes(32)), "wrong_terms"),
    "a version to come": (replace(CLAIM, version=2), "unknown_version"),
}  # fmt: skip


def laid(value: Any) -> Any:
    """A struct as the array of its fields, a wide number in its shortest form."""
    if isinstance(value, msgspec.Struct):
        return [laid(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, tuple):
        return [laid(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    if type(value).__name__ == "Units" or (type(value) is int and value >= 2**64):
        return int(value).to_bytes((int(value).bit_length() + 7) // 8, "big")
    return value


def packed(made: Package) -> bytes:
    """As it travels."""
    found: bytes = msgpack.packb(laid(made), use_bin_type=True)
    return found


def digest(data: bytes) -> str:
    """tagged_hash of SPEC section 6."""
    tag = hashlib.sha256(TAG).digest()
    return hashlib.sha256(tag + tag + data).hexdigest()


def build() -> dict[str, Any]:
    """The whole file as a value."""
    return {
        "source": (
            "tests/protocol/tower/make_vectors.py: arrays by hand, packed by msgpack, digests by "
            "hashlib; signatures by the reference implementation, deterministic (RFC 6979)"
        ),
        "accepted": [
            {"name": name, "package": packed(made).hex(), "digest": digest(packed(made))}
            for name, made in GOOD.items()
        ],
        "refused": [
            {"name": name, "package": packed(made).hex(), "refusal": refusal}
            for name, (made, refusal) in BAD.items()
        ],
    }


def text() -> str:
    """The file."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
