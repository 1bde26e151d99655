"""What lies on the tower's disk: nothing that a thief of it could read, move or use."""

import stat
from pathlib import Path

import pytest

from protocol.codec import encode
from protocol.tower.progress import Progress
from swapd.keptsecret import KeptSecretError
from swapd.tower import keyfile
from swapd.tower.vault import SPACE, Stored, Vault
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeDisk, FakeStore
from tests.protocol.tower.samples import CLAIM_I, CLAIM_P_REVEALED, PREIMAGE, REFUND_P

KEY = b"\x05" * 32


def vault(disk: FakeDisk, key: bytes = KEY) -> Vault:
    return Vault(FakeStore(disk), key, FakeEntropy(str(len(disk.values))))


def row(number: int, data: bytes) -> Stored:
    return Stored("16Uiu2HAmClient", bytes([number]) * 32, data, 1, 2, Progress(preimage=PREIMAGE))


async def test_neither_package_nor_client_nor_ticket_nor_preimage_is_readable_on_disk() -> None:
    disk = FakeDisk()
    kept = vault(disk)
    for number, package in enumerate((REFUND_P, CLAIM_I, CLAIM_P_REVEALED)):
        await kept.put(row(number, encode(package)))
    everything = b"".join(key[1].encode() + value for key, value in disk.values.items())
    for secret in (
        b"16Uiu2HAmClient",
        bytes([1]) * 32,
        (bytes([1]) * 32).hex().encode(),
        PREIMAGE,
        REFUND_P.destination,
        REFUND_P.hashlock,
        CLAIM_I.ways[0].txid,
        CLAIM_I.ways[0].variants[0].signature,
    ):
        assert secret not in everything


async def test_the_same_row_twice_looks_different() -> None:
    disk = FakeDisk()
    kept = vault(disk)
    await kept.put(row(1, b"package"))
    first = dict(disk.values)
    await kept.put(row(1, b"package"))
    assert first.keys() == disk.values.keys()
    assert first != disk.values


async def test_rows_come_back_with_the_key_and_only_with_it() -> None:
    disk = FakeDisk()
    await vault(disk).put(row(1, b"package"))
    again = vault(disk)
    assert await again.load() == 0
    assert list(again.rows.values()) == [row(1, b"package")]
    stranger = vault(disk, b"\x06" * 32)
    assert await stranger.load() == 1
    assert not stranger.rows


async def test_a_damaged_or_moved_row_is_left_out_and_the_others_are_read() -> None:
    disk = FakeDisk()
    kept = vault(disk)
    for number in (1, 2, 3):
        await kept.put(row(number, b"package"))
    one, two, _ = (key for key in disk.values if key[0] == SPACE)
    disk.values[one] = disk.values[two]
    disk.values[two] = disk.values[two][:-1] + bytes([disk.values[two][-1] ^ 1])
    again = vault(disk)
    assert await again.load() == 2
    assert list(again.rows) == [bytes([3]) * 32]


async def test_a_dropped_row_is_gone_from_disk_and_memory() -> None:
    disk = FakeDisk()
    kept = vault(disk)
    await kept.put(row(1, b"package"))
    assert await kept.drop(bytes([1]) * 32)
    assert not await kept.drop(bytes([1]) * 32)
    assert disk.values == {}
    assert not kept.rows


# --- The key file -----------------------------------------------------------------------------


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "tower.key"
    first = keyfile.load(path, FakeEntropy("a"))
    assert keyfile.load(path, FakeEntropy("b")) == first == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len({first, keyfile.network_secret(first), keyfile.vault_key(first)}) == 3


def test_a_key_file_that_others_can_read_or_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tower.key"
    keyfile.load(path, FakeEntropy("a"))
    path.chmod(0o640)
    with pytest.raises(KeptSecretError, match="chmod 600"):
        keyfile.load(path, FakeEntropy("a"))
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(KeptSecretError, match="32 bytes"):
        keyfile.load(path, FakeEntropy("a"))
