"""The encrypted seed file: what opens it, what is told when it does not, what a crash leaves."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl import bindings, pwhash

from swapd.keys import seedfile
from swapd.keys.errors import (
    KeysError,
    SeedFileDamagedError,
    SeedFileExistsError,
    SeedFileMissingError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from swapd.keys.secret import Secret
from swapd.keys.seedfile import MODERATE, Cost
from tests.fakes.clock import FakeEntropy

CHEAP = Cost(1, 8192)
SEED = Secret(bytes(range(32)))
GOOD, OTHER = Secret(b"correct horse"), Secret(b"battery staple")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A seed file under GOOD."""
    path = tmp_path / "seed.enc"
    seedfile.create(path, SEED, GOOD, entropy=FakeEntropy(), cost=CHEAP)
    return path


def edit(path: Path, **changes: object) -> None:
    """Change fields, with a checksum that matches again."""
    fields: dict[str, Any] = json.loads(path.read_bytes()) | changes
    if "checksum" not in changes:
        file = msgspec.convert({**fields, "checksum": ""}, seedfile._File)
        fields["checksum"] = file.computed_checksum()
    path.write_text(json.dumps(fields), encoding="utf-8")


def test_the_seed_comes_back_under_its_passphrase_only(path: Path) -> None:
    assert seedfile.load(path, GOOD) == SEED
    with pytest.raises(WrongPassphraseError, match="not the passphrase"):
        seedfile.load(path, OTHER)


def test_the_file_is_what_its_documentation_says(path: Path) -> None:
    # Opened by libsodium alone, from the fields of the file.
    fields = json.loads(path.read_bytes())
    salt = bytes.fromhex(fields["salt"])
    key = pwhash.argon2id.kdf(32, b"correct horse", salt, 1, 8192)
    opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        bytes.fromhex(fields["sealed"]),
        f"1/argon2id/1/8192/{salt.hex()}".encode(),
        bytes.fromhex(fields["nonce"]),
        key,
    )
    assert opened == SEED.reveal()


def test_the_usual_cost_is_libsodiums_moderate() -> None:
    assert Cost(3, 256 * 2**20) == MODERATE


def test_nothing_of_the_seed_or_passphrase_is_in_the_file(path: Path) -> None:
    content = path.read_bytes()
    assert SEED.reveal().hex().encode() not in content
    assert b"horse" not in content


def test_the_file_is_for_its_owner_only_and_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["seed.enc"]


def test_accents_typed_on_another_system_are_the_same_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "seed.enc"
    composed, decomposed = Secret("schl\u00fcssel".encode()), Secret("schlu\u0308ssel".encode())
    assert composed != decomposed
    seedfile.create(path, SEED, composed, entropy=FakeEntropy(), cost=CHEAP)
    assert seedfile.load(path, decomposed) == SEED


def test_a_passphrase_has_at_least_8_characters_and_is_text(tmp_path: Path) -> None:
    for weak in ("", "1234567", "ü" * 7):
        with pytest.raises(WeakPassphraseError, match="at least 8"):
            seedfile.create(
                tmp_path / "s", SEED, Secret(weak.encode()), entropy=FakeEntropy(), cost=CHEAP
            )
    with pytest.raises(KeysError, match="UTF-8"):
        seedfile.create(
            tmp_path / "s", SEED, Secret(b"\xff" * 9), entropy=FakeEntropy(), cost=CHEAP
        )
    assert not list(tmp_path.iterdir())


def test_a_seed_file_is_never_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    with pytest.raises(SeedFileExistsError, match="already"):
        seedfile.create(path, Secret(bytes(32)), OTHER, entropy=FakeEntropy("b"), cost=CHEAP)
    # Nor one that appears between the look and the write.
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(SeedFileExistsError, match="already"):
        seedfile.create(path, Secret(bytes(32)), OTHER, entropy=FakeEntropy("b"), cost=CHEAP)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["seed.enc"]


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SeedFileMissingError, match="swapd init"):
        seedfile.load(tmp_path / "seed.enc", GOOD)
    with pytest.raises(SeedFileMissingError, match="swapd init"):
        seedfile.change_passphrase(
            tmp_path / "seed.enc", GOOD, OTHER, entropy=FakeEntropy(), cost=CHEAP
        )


def flip_a_bit(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    at = content.index('"sealed": "') + 12
    path.write_text(content[:at] + ("1" if content[at] == "0" else "0") + content[at + 1 :])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (flip_a_bit, "checksum"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "truncated"),
    "not UTF-8": (lambda path: path.write_bytes(b'{"swapd_seed": "\xff"}'), "int"),
    "too long": (lambda path: path.write_bytes(path.read_bytes() + b" " * 5000), "4096 bytes"),
    "an unknown field": (lambda path: edit(path, checksum="", extra=1), "unknown field `extra`"),
    "another kdf": (lambda path: edit(path, checksum="", kdf="scrypt"), "scrypt"),
    "a cost that would stop the machine": (
        lambda path: edit(path, checksum="", cost={"passes": 3, "memory": 2**40}),
        "<= 1073741824",
    ),
    "a short salt": (lambda path: edit(path, salt="00"), "salt has another length"),
    "a short nonce": (lambda path: edit(path, nonce="00"), "nonce has another length"),
    "odd hex": (lambda path: edit(path, checksum="", salt="0"), "salt"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_from_a_wrong_passphrase(path: Path, damage: str) -> None:
    break_it, said = DAMAGE[damage]
    break_it(path)
    with pytest.raises(SeedFileDamagedError, match="restore the seed from its 24 words") as caught:
        seedfile.load(path, GOOD)
    assert said in str(caught.value)


def test_a_newer_file_is_refused_as_such(path: Path) -> None:
    edit(path, swapd_seed=2)
    with pytest.raises(SeedFileDamagedError, match=r"version 2.*newer swapd"):
        seedfile.load(path, GOOD)


@pytest.mark.parametrize(
    "change", [{"cost": {"passes": 2, "memory": 8192}}, {"salt": "11" * 16}, {"nonce": "11" * 24}]
)
def test_parameters_that_somebody_changed_do_not_open(path: Path, change: dict[str, Any]) -> None:
    edit(path, **change)
    with pytest.raises(WrongPassphraseError):
        seedfile.load(path, GOOD)


def test_after_a_change_only_the_new_passphrase_opens_the_same_seed(path: Path) -> None:
    before = json.loads(path.read_bytes())
    seedfile.change_passphrase(path, GOOD, OTHER, entropy=FakeEntropy("new"), cost=CHEAP)
    assert seedfile.load(path, OTHER) == SEED
    with pytest.raises(WrongPassphraseError):
        seedfile.load(path, GOOD)
    after = json.loads(path.read_bytes())
    assert before["salt"] != after["salt"]
    assert before["nonce"] != after["nonce"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_change_that_is_refused_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(WrongPassphraseError):
        seedfile.change_passphrase(path, OTHER, GOOD, entropy=FakeEntropy("n"), cost=CHEAP)
    with pytest.raises(WeakPassphraseError):
        seedfile.change_passphrase(path, GOOD, Secret(b"x"), entropy=FakeEntropy("n"), cost=CHEAP)
    assert path.read_bytes() == before


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
def test_a_crash_in_a_change_leaves_a_whole_file_and_can_be_repeated(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path if moment == "replace" else os, moment, crash)
        with pytest.raises(Crash):
            seedfile.change_passphrase(path, GOOD, OTHER, entropy=FakeEntropy("n"), cost=CHEAP)
    assert seedfile.load(path, GOOD) == SEED
    seedfile.change_passphrase(path, GOOD, OTHER, entropy=FakeEntropy("n"), cost=CHEAP)
    assert seedfile.load(path, OTHER) == SEED
    assert [file.name for file in path.parent.iterdir()] == ["seed.enc"]


def test_content_is_on_disk_before_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        order.append("fsync")
        fsync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    seedfile.change_passphrase(path, GOOD, OTHER, entropy=FakeEntropy("n"), cost=CHEAP)
    assert order == ["fsync", "replace", "fsync"]


def test_a_directory_that_is_missing_or_closed_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="cannot be read or written: No such file"):
        seedfile.create(
            tmp_path / "nowhere" / "seed.enc", SEED, GOOD, entropy=FakeEntropy(), cost=CHEAP
        )
    with pytest.raises(KeysError, match="cannot be read or written: Is a directory"):
        seedfile.load(tmp_path, GOOD)


def test_too_little_memory_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(pwhash.argon2id, "kdf", no_memory)
    with pytest.raises(KeysError, match="needs 0 MiB of memory"):
        seedfile.load(path, GOOD)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(b"hush")
    assert [str(secret), repr(secret), f"{secret}", repr([secret])] == [
        "Secret(...)",
        "Secret(...)",
        "Secret(...)",
        "[Secret(...)]",
    ]
    assert secret == Secret(b"hush")
    assert secret != Secret(b"other")
    assert secret != b"hush"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)
