"""The real signer against published vectors and protocol/vectors/keys.json."""

import hashlib
import hmac
import json
from typing import Any

import coincurve
import pytest

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from protocol.evm.address import account_of, checksummed
from protocol.signing import Tag
from protocol.terms import LegName, Role
from swapd.keys import derive, words
from swapd.keys.errors import SigningError
from swapd.keys.secret import Secret
from swapd.keys.signer import SeedSigner, sign_ecdsa
from tests.fakes.clock import FakeEntropy
from tests.keys import independent

FILE: dict[str, Any] = json.loads(independent.VECTORS.read_bytes())
SEEDS: list[dict[str, Any]] = FILE["seeds"]
NETWORKS = [(seed, network) for seed in SEEDS for network in seed["networks"]]


def signer(seed: str, *, test_network: bool = False) -> SeedSigner:
    """The real one."""
    secret = Secret(bytes.fromhex(seed))
    return SeedSigner(secret, test_network=test_network, entropy=FakeEntropy())


def coin(number: int) -> AssetId:
    """An asset of that SLIP-44 number."""
    return AssetId(f"bip122:000000000019d6689c085ae165831e93/slip44:{number}")


def test_bip32s_first_published_vector() -> None:
    # BIP32, test vector 1: m/0'/1/2'/2/1000000000
    hardened = 2**31
    path = [hardened, 1, 2 + hardened, 2, 1_000_000_000]
    expected = "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"
    assert derive._bip32(Secret(bytes(range(16))), path).reveal().hex() == expected
    assert independent.bip32(bytes(range(16)), "m/0'/1/2'/2/1000000000").hex() == expected


def test_bip84s_published_vector() -> None:
    # BIP84: the first two receiving keys of "abandon ... about"
    seed = independent.seed_of("abandon " * 11 + "about").hex()
    assert [signer(seed).wallet_key(coin(0), index).hex() for index in (0, 1)] == [
        "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c",
        "03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77",
    ]


def test_accounts_are_where_other_wallets_look_for_them() -> None:
    # Hardhat and Foundry print these two for "test ... junk"; m/44'/60'/0'/0/0 and 1.
    seed = independent.seed_of("test " * 11 + "junk").hex()
    accounts = [checksummed(account_of(signer(seed).account_key(index))) for index in (0, 1)]
    assert accounts == [
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    ]


def test_test_networks_have_accounts_of_their_own() -> None:
    seed = independent.seed_of("test " * 11 + "junk")
    key = independent.public(independent.bip32(seed, "m/44'/1'/0'/0/1"))
    assert signer(seed.hex(), test_network=True).account_key(1) == key


def test_the_account_that_pays_while_locked_is_on_a_hardened_level_of_its_own() -> None:
    seed = independent.seed_of("test " * 11 + "junk")
    for test_network, coin_ in ((False, 60), (True, 1)):
        key = independent.bip32(seed, f"m/44'/{coin_}'/1'/0/0")
        assert signer(seed.hex(), test_network=test_network).relay_secret() == key


@pytest.mark.parametrize("case", SEEDS, ids=lambda case: case["entropy"][:8])
def test_words_and_seed_of_the_vectors(case: dict[str, Any]) -> None:
    entropy = words.entropy_of(case["mnemonic"])
    assert entropy.reveal().hex() == case["entropy"]
    assert words.seed_of(entropy).reveal().hex() == case["seed"]


@pytest.mark.parametrize(("case", "network"), NETWORKS)
def test_our_own_keys_of_the_vectors(case: dict[str, Any], network: dict[str, Any]) -> None:
    real = signer(case["seed"], test_network=network["test_network"])
    salt, swap = bytes.fromhex(case["salt"]), bytes.fromhex(case["swap_id"])
    assert real.maker_key().hex() == network["maker_key"]
    assert real.taker_key(salt).hex() == network["taker_key"]
    assert real.preimage(salt, swap).hex() == network["preimage"]
    assert real.hashlock(salt, swap).hex() == network["hashlock"]
    for htlc in network["htlc"]:
        key = real.htlc_key(salt, Role(htlc["role"]), swap, LegName(htlc["leg"]))
        assert key.hex() == htlc["public_key"]
    for epoch in network["network_secrets"]:
        assert real.network_secret(epoch["epoch"]).hex() == epoch["secret"]


@pytest.mark.parametrize("case", SEEDS, ids=lambda case: case["entropy"][:8])
def test_payout_keys_of_the_vectors(case: dict[str, Any]) -> None:
    for entry in case["wallet"]:
        key = signer(case["seed"]).wallet_key(coin(entry["coin_type"]), entry["index"])
        assert key.hex() == entry["public_key"]


def test_the_vectors_are_what_the_second_implementation_computes() -> None:
    case = SEEDS[2]
    again = independent.one_seed(
        *(bytes.fromhex(case[name]) for name in ("entropy", "salt", "swap_id"))
    )
    assert again == case


def test_a_hash_outside_the_group_is_passed_over() -> None:
    order = independent.N
    assert not derive.is_scalar(bytes(32))
    assert not derive.is_scalar(order.to_bytes(32, "big"))
    assert not derive.is_scalar(b"\xff" * 32)
    assert not derive.is_scalar(b"\x01" * 31)
    assert derive.is_scalar((order - 1).to_bytes(32, "big"))
    assert derive.is_scalar(bytes(31) + b"\x01")


def test_the_next_counter_is_tried_when_a_hash_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(derive, "is_scalar", lambda _: next(answers))
    base, salt = Secret(b"\x05" * 32), b"\x06" * 32
    expected = hmac.digest(base.reveal(), salt + b"\x01", "sha256")
    assert derive.taker_secret(base, salt).reveal() == expected


@pytest.mark.parametrize(
    "asset",
    [
        "bip122:aa/slip44:",
        "bip122:aa/slip44:-1",
        "bip122:aa/slip44:1e3",
        "bip122:aa/slip44:²",
        "bip122:aa/slip44:2147483648",
        "bip122:aa/slip44:99999999999",
        "bip122:aa/erc20:0",
        "bip122:aa",
    ],
)
def test_only_a_coin_type_that_fits_a_path_is_taken(asset: str) -> None:
    with pytest.raises(LocalProtocolError, match="no wallet keys"):
        derive.coin_type(AssetId(asset))


@pytest.mark.parametrize("epoch", [-1, 2**64])
def test_an_epoch_has_64_bits(epoch: int) -> None:
    with pytest.raises(LocalProtocolError, match="64 bits"):
        signer(SEEDS[0]["seed"]).network_secret(epoch)


def test_a_seed_has_64_bytes() -> None:
    with pytest.raises(LocalProtocolError, match="64 bytes"):
        signer("00" * 32)


async def test_bip340_signatures_use_fresh_entropy_each_time() -> None:
    real = signer(SEEDS[0]["seed"])
    first = await real.sign_maker(Tag.OFFER, b"message")
    assert first != await real.sign_maker(Tag.OFFER, b"message")


async def test_a_broken_source_of_entropy_gives_no_signature() -> None:
    broken = SeedSigner(Secret(bytes(64)), test_network=True, entropy=lambda _: b"short")
    with pytest.raises(LocalProtocolError, match="auxiliary randomness"):
        await broken.sign_maker(Tag.OFFER, b"message")


def faulty(key: bytes, digest: bytes) -> bytes:
    """A valid signature with one bit flipped, as by a failing machine."""
    good = coincurve.PrivateKey(key).sign_recoverable(digest, hasher=None)[:64]
    return bytes([good[0], good[1] ^ 1, *good[2:]])


def test_a_signature_that_came_out_wrong_is_thrown_away() -> None:
    with pytest.raises(SigningError, match=r"ECDSA.*faulty"):
        sign_ecdsa(Secret(b"\x07" * 32), b"\x08" * 32, raw=faulty)


def test_a_signature_with_a_high_r_is_thrown_away() -> None:
    key = b"\x07" * 32
    digests = (hashlib.sha256(bytes([number])).digest() for number in range(64))
    signed = (
        (digest, coincurve.PrivateKey(key).sign_recoverable(digest, hasher=None)[:64])
        for digest in digests
    )
    digest, high_r = next(pair for pair in signed if pair[1][0] >= 0x80)
    with pytest.raises(SigningError, match="low-R"):
        sign_ecdsa(Secret(key), digest, raw=lambda _key, _digest: high_r)
