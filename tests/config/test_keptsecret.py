"""Bytes that a daemon makes once and keeps: never half a file, and for their owner only."""

from pathlib import Path

import pytest

from swapd import keptsecret
from swapd.keptsecret import KeptSecretError
from tests.fakes.clock import FakeEntropy


def load(path: Path, salt: str = "a") -> bytes:
    return keptsecret.load(path, 64, FakeEntropy(salt), what="identity file")


def test_it_is_made_once_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "data" / "identity.key"
    first = load(path)
    assert (len(first), path.stat().st_mode & 0o777) == (64, 0o600)
    assert load(path, "b") == first


def test_what_a_crash_left_half_written_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.with_suffix(".new").write_bytes(b"half")
    assert load(path) == path.read_bytes()
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", bytes(63), bytes(65)])
def test_a_file_of_another_length_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeptSecretError, match="exactly 64 bytes"):
        load(path)
    assert path.read_bytes() == content


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    load(path)
    path.chmod(0o644)
    with pytest.raises(KeptSecretError, match="chmod 600"):
        load(path)


def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeptSecretError, match=r"identity file .* cannot be"):
        load(tmp_path / "file" / "identity.key")
