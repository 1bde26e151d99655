"""What is in a recovery file, and what is refused."""

import hashlib

import pytest

from protocol.codec import encode
from swapd.keys.secret import Secret
from swapd.keys.signer import SeedSigner
from swapd.ports import RecoveryError, Signer
from swapd.recovery import content
from swapd.recovery.content import Addresses, Content, Saved, seal, unseal
from tests.fakes.clock import FakeEntropy
from tests.fakes.signer import FakeSigner

FILE = Content(
    version=1,
    network="regtest",
    generation=1_790_000_000_000,
    written_at=1_790_000_000,
    epoch=5,
    swaps=(Saved(b"s" * 32, 3, 1_790_000_000, b"state of a swap"),),
    addresses=(Addresses("bip122:0/slip44:1", 7),),
)


def signer(name: str = "ann") -> Signer:
    seed = Secret(hashlib.sha512(name.encode()).digest())
    return SeedSigner(seed, test_network=True, entropy=FakeEntropy(name))


@pytest.mark.parametrize("make", [signer, FakeSigner])
def test_what_was_sealed_comes_out_again_for_its_seed_only(make: type[FakeSigner]) -> None:
    sealed = seal(FILE, make("ann"))
    assert unseal(sealed, make("ann")) == FILE
    with pytest.raises(RecoveryError, match="another seed"):
        unseal(sealed, make("bob"))


def test_a_file_tells_a_stranger_nothing_and_its_owner_what_it_is() -> None:
    sealed = seal(FILE, signer())
    assert sealed.startswith(b"swapd recovery file")
    assert b"state of a swap" not in sealed
    assert seal(FILE, signer("ann"))[-100:] != seal(FILE, signer("bob"))[-100:]


def test_every_flipped_bit_is_noticed() -> None:
    sealed = seal(FILE, signer())
    for at in range(len(sealed)):
        broken = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(RecoveryError):
            unseal(broken, signer())


@pytest.mark.parametrize("cut", [0, 10, 61, 80, 100, -1])
def test_a_file_that_was_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(RecoveryError):
        unseal(seal(FILE, signer())[:cut], signer())


def test_other_files_and_later_formats_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecoveryError, match="no recovery file"):
        unseal(b"%PDF-1.4", signer())
    with pytest.raises(RecoveryError, match="of a newer swapd"):
        unseal(b"swapd recovery file 2: ...", signer())
    with pytest.raises(RecoveryError, match="too many"):
        unseal(bytes(content.MAX_FILE + 1), signer())
    later = Content(2, "regtest", 1, 1, 1, (), ())
    with pytest.raises(RecoveryError, match="version 2"):
        unseal(seal(later, signer()), signer())


def test_a_file_of_ours_that_unfolds_without_end_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content, "MAX_CONTENT", len(encode(FILE)) - 1)
    with pytest.raises(RecoveryError, match="too large"):
        unseal(seal(FILE, signer()), signer())
