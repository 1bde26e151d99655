"""What every Signer promises: one suite, run on the fake and on the real one."""

import hashlib
import itertools
from collections.abc import Callable

import coincurve
import pytest

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from protocol.signing import Tag, is_signed
from protocol.terms import LegName, Role
from swapd.keys.secret import Secret
from swapd.keys.signer import SeedSigner
from swapd.ports import Signer
from tests.fakes.clock import FakeEntropy
from tests.fakes.signer import FakeSigner

BTC = AssetId("bip122:000000000019d6689c085ae165831e93/slip44:0")
LTC = AssetId("bip122:12a765e31ffd4059bada1e25190f6e98/slip44:2")
TOKEN = AssetId("eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
SALT, OTHER_SALT = b"\x01" * 32, b"\x02" * 32
SWAP, OTHER_SWAP = b"\x0a" * 32, b"\x0b" * 32

Make = Callable[[str], Signer]


def seed_signer(name: str) -> SeedSigner:
    """The real one, from a seed of that name."""
    seed = Secret(hashlib.sha512(name.encode()).digest())
    return SeedSigner(seed, test_network=True, entropy=FakeEntropy(name))


@pytest.fixture(params=[FakeSigner, seed_signer], ids=["fake", "seed"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the signer of a name."""
    chosen: Make = request.param
    return chosen


def public_values(signer: Signer) -> list[bytes]:
    """One of everything that can be told apart from outside."""
    htlcs = [
        signer.htlc_key(salt, role, swap, leg)
        for salt, role, swap, leg in itertools.product(
            (SALT, OTHER_SALT), Role, (SWAP, OTHER_SWAP), LegName
        )
    ]
    return [
        signer.maker_key(),
        *(signer.taker_key(salt) for salt in (SALT, OTHER_SALT)),
        *htlcs,
        *(signer.hashlock(SALT, swap) for swap in (SWAP, OTHER_SWAP)),
        signer.hashlock(OTHER_SALT, SWAP),
        *(signer.wallet_key(asset, index) for asset in (BTC, LTC) for index in (0, 1)),
        *(signer.account_key(index) for index in (0, 1)),
        *(signer.network_secret(epoch) for epoch in (0, 1)),
    ]


def test_every_purpose_salt_role_swap_leg_asset_index_and_epoch_gives_another_key(
    make: Make,
) -> None:
    values = public_values(make("alice"))
    assert len(set(values)) == len(values) == 30


def test_the_same_seed_gives_the_same_keys_and_another_seed_none_of_them(make: Make) -> None:
    assert public_values(make("alice")) == public_values(make("alice"))
    assert not set(public_values(make("alice"))) & set(public_values(make("bob")))


def test_keys_have_the_sizes_the_protocol_wants(make: Make) -> None:
    signer = make("alice")
    assert len(signer.maker_key()) == len(signer.taker_key(SALT)) == 32
    assert len(signer.htlc_key(SALT, Role.INITIATOR, SWAP, LegName.I)) == 33
    assert len(signer.wallet_key(BTC, 0)) == 33
    assert len(signer.network_secret(0)) == len(signer.preimage(SALT, SWAP)) == 32


def test_the_hashlock_is_the_hash_of_the_preimage(make: Make) -> None:
    signer = make("alice")
    assert signer.hashlock(SALT, SWAP) == hashlib.sha256(signer.preimage(SALT, SWAP)).digest()


async def test_maker_and_taker_sign_under_their_tag_only(make: Make) -> None:
    signer = make("alice")
    by_maker = await signer.sign_maker(Tag.OFFER, b"message")
    by_taker = await signer.sign_taker(SALT, Tag.TAKE, b"message")
    assert is_signed(signer.maker_key(), Tag.OFFER, b"message", by_maker)
    assert is_signed(signer.taker_key(SALT), Tag.TAKE, b"message", by_taker)
    assert not is_signed(signer.maker_key(), Tag.TAKE, b"message", by_maker)
    assert not is_signed(signer.taker_key(OTHER_SALT), Tag.TAKE, b"message", by_taker)


async def test_htlc_and_wallet_signatures_are_low_r_low_s_der_of_the_right_key(make: Make) -> None:
    signer = make("alice")
    for number in range(24):  # without grinding, half of them would have a high R
        digest = hashlib.sha256(bytes([number])).digest()
        for key, der in (
            (
                signer.htlc_key(SALT, Role.PARTICIPANT, SWAP, LegName.P),
                await signer.sign_htlc(SALT, Role.PARTICIPANT, SWAP, LegName.P, digest),
            ),
            (signer.wallet_key(LTC, 7), await signer.sign_wallet(LTC, 7, digest)),
        ):
            assert coincurve.PublicKey(key).verify(der, digest, hasher=None)
            assert_low_r_low_s(der)


def assert_low_r_low_s(der: bytes) -> None:
    """By the encoding alone: BIP66, BIP146 and Bitcoin Core's low-R."""
    assert der[0] == 0x30
    assert der[1] == len(der) - 2
    assert der[2] == 0x02
    r = der[4 : 4 + der[3]]
    assert der[4 + der[3]] == 0x02
    s = der[6 + der[3] :]
    assert len(s) == der[5 + der[3]]
    assert len(r) <= 32
    assert (
        int.from_bytes(s, "big")
        <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    )


async def test_account_signatures_are_low_s_and_tell_the_account(make: Make) -> None:
    signer = make("alice")
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    for number in range(16):
        digest = hashlib.sha256(bytes([number])).digest()
        signature = await signer.sign_account(1, digest)
        assert len(signature) == 65
        assert int.from_bytes(signature[32:64], "big") <= order // 2
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
        assert key.format() == signer.account_key(1) != signer.account_key(0)


@pytest.mark.parametrize("wrong", [b"", b"\x01" * 31, b"\x01" * 33])
async def test_salts_swap_ids_and_digests_have_32_bytes(make: Make, wrong: bytes) -> None:
    signer = make("alice")
    calls: list[Callable[[], bytes]] = [
        lambda: signer.taker_key(wrong),
        lambda: signer.hashlock(wrong, SWAP),
        lambda: signer.preimage(SALT, wrong),
        lambda: signer.hashlock(SALT, wrong),
        lambda: signer.htlc_key(wrong, Role.INITIATOR, SWAP, LegName.I),
        lambda: signer.htlc_key(SALT, Role.INITIATOR, wrong, LegName.I),
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError, match="has 32 bytes"):
            call()
    with pytest.raises(LocalProtocolError, match="has 32 bytes"):
        await signer.sign_htlc(SALT, Role.INITIATOR, SWAP, LegName.I, wrong)
    with pytest.raises(LocalProtocolError, match="has 32 bytes"):
        await signer.sign_wallet(BTC, 0, wrong)


@pytest.mark.parametrize(("asset", "index"), [(TOKEN, 0), (BTC, -1), (BTC, 2**31)])
def test_there_are_no_wallet_keys_for_tokens_or_outside_the_range(
    make: Make, asset: AssetId, index: int
) -> None:
    with pytest.raises(LocalProtocolError):
        make("alice").wallet_key(asset, index)
