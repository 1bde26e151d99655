"""Writes protocol/vectors/evm_legs.json: words of the contract, its calls, transactions, fees.

Run as `python -m tests.protocol.evm.make_vectors`. Nothing of `protocol` is imported but the bytes
of the contract: words are laid out by hand from the contract's source, the hash is pycryptodome's.
Digests and raw transactions with a signature are copied from eth-account 0.14.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from Crypto.Hash import keccak

VECTORS: Final = Path(__file__).parents[3] / "protocol" / "vectors"
TARGET: Final = VECTORS / "evm_legs.json"
CONTRACT: Final = Path(__file__).parents[3] / "protocol" / "evm" / "contract"
DEPLOYER: Final = "4e59b44847b379578588920ca78fbf26c0b4956c"
TOKEN: Final = "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
Json = dict[str, Any]


def hashed(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def selector(signature: str) -> str:
    return hashed(signature.encode()).hex()[:8]


def word(value: int) -> str:
    return f"{value:064x}"


def top(value: str, *, on: bool) -> str:
    first = int(value[:2], 16)
    return f"{first | 0x80 if on else first & 0x7F:02x}{value[2:]}"


def slot(
    name: str, locker: str, index: int, receiver: str, units: int, expiry: int, preimage: str
) -> Json:
    """A leg in its slot, by the contract's source."""
    hashlock = hashlib.sha256(bytes.fromhex(preimage)).hexdigest()
    payee = f"{receiver}{units:024x}"
    live = hashed(bytes.fromhex(hashlock + payee + word(expiry))).hex()
    entry = f"{locker}{index:02x}{expiry:010x}{'00' * 6}"
    return {
        "name": name,
        "locker": locker,
        "slot": index,
        "receiver": receiver,
        "units": str(units),
        "expiry": expiry,
        "preimage": preimage,
        "hashlock": hashlock,
        "key": f"{'00' * 11}{locker}{index:02x}",
        "readings": [
            [top(live, on=True), "live"],
            [top(preimage, on=False), "claimed"],
            [top(hashlock, on=False), "refunded"],
            ["00" * 32, "claimed" if int(top(preimage, on=False), 16) == 0 else "other"],
            [top(hashed(b"another swap").hex(), on=True), "other"],
            [top(hashed(b"another preimage").hex(), on=False), "other"],
        ],
        "calls": {
            "lock_native": selector("lock(uint256,uint256)")
            + hashlock
            + f"{receiver}{index:02x}{expiry:010x}{expiry - 600:010x}00",
            "lock_token": selector("lock(bytes32,uint256,uint256)")
            + hashlock
            + payee
            + f"{index:02x}{expiry:010x}{expiry - 600:010x}{'00' * 21}",
            "claim": selector("claim(bytes32,bytes32,uint96)") + preimage + entry + word(units),
            "claim_for": selector("claimFor(bytes32,bytes32,bytes32)") + preimage + entry + payee,
            "refund": selector("refund(bytes32,bytes32,bytes32)") + hashlock + entry + payee,
        },
    }


SLOTS: Final = (
    slot("top bit set", "a1" * 20, 7, "b2" * 20, 10**18, 1_800_000_000, "ff" + "11" * 31),
    slot("top bit clear", "a1" * 20, 0, "b2" * 20, 1, 1000, "7f" + "22" * 31),
    slot("nothing but zeros", "01" * 20, 127, "02" * 20, 2**96 - 1, 2**40 - 1, "00" * 32),
    slot("nothing but the top bit", "01" * 20, 1, "02" * 20, 5, 1_800_000_000, "80" + "00" * 31),
)

TRANSACTIONS: Final = (
    {
        "chain_id": 31337,
        "nonce": 7,
        "tip": 10**9,
        "most": 3 * 10**9,
        "gas": 60_000,
        "to": "ab" * 20,
        "value": str(10**18),
        "data": "0102",
        "raw": (
            "02f876827a6907843b9aca0084b2d05e0082ea6094abababababababababababababababababababab880de0"
            "b6b3a7640000820102c001a09afe24953d6208674efb0d8c1e82d3b5b39e8db5978217aaf577367b70364b2b"
            "a03fc3eab84e5d1b4e0acccc06efdd750ac9838555cdb2dcc3f629210ba3c606b5"
        ),
        "txid": "2a60d56ef3db1f241152c97f41cf05763ffe2df792b458486b775de0576c4573",
    },
    {
        "chain_id": 1,
        "nonce": 0,
        "tip": 0,
        "most": 3 * 10**9,
        "gas": 60_000,
        "to": "ab" * 20,
        "value": "0",
        "data": "00" * 300,
        "raw": (
            "02f9019401808084b2d05e0082ea6094abababababababababababababababababababab80b9012c"
            + "00" * 300
            + "c001a010f1fb3632282d3de8756dfd9830725fb0c455996f80f4ec74b332ddaa4a08fea0620031158f25"
            "5bd0f8b88af4f22b743e7fc37e600369886ef60ca788f19c5c7c"
        ),
        "txid": "c464afc2554b96bed7615c5f2cd9265c2ac8a91bba08dfdd187273b676d48b4d",
    },
)

FEE: Final = {
    "slot": "top bit set",
    "chain_id": 31337,
    "contract": "c3" * 20,
    "relayer": "d4" * 20,
    "fee": 12345,
    "not_before": 1_799_999_000,
    "digest": "39a68a28478e4ee40845a686a7343d1381fc32754085465245e4b4ee3e812595",
    "signature": (
        "6da5c9811949fcfebdc1addfca885bda099bc913c0ce515bc3aaafc4f2d740d1"
        "207ae4a1fe4d73a47775d3b8fac9250e77aa86e11cd4b9632fa5f42860e9d10c00"
    ),
}


def contract(name: str, token: str | None) -> Json:
    """Where CREATE2 puts a contract, from its creation code."""
    code = json.loads((CONTRACT / f"{name}.json").read_text("utf-8"))["creation"]
    init = bytes.fromhex(code + ("" if token is None else word(int(token, 16))))
    place = hashed(bytes.fromhex(f"ff{DEPLOYER}{'00' * 32}") + hashed(init))
    return {"contract": name, "token": token, "address": place[12:].hex()}


def build() -> Json:
    """The whole file as a value."""
    return {
        "source": (
            "tests/protocol/evm/make_vectors.py: words by hand from the contract's source, keccak "
            "by pycryptodome; raw transactions and the digest of the fee by eth-account 0.14, with "
            "the first key of every development node"
        ),
        "key": "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "account": "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "deployer": DEPLOYER,
        "contracts": [contract("NativeHtlc", None), contract("TokenHtlc", TOKEN)],
        "slots": list(SLOTS),
        "transactions": list(TRANSACTIONS),
        "fees": [FEE],
    }


def text() -> str:
    """The file."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
