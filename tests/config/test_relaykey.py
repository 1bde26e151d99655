"""The key that pays gas while the seed is locked: for its owner only, and never half a file."""

from pathlib import Path

from structlog.testing import capture_logs

from swapd import relaykey

KEY = bytes(range(1, 33))


def test_it_is_written_once_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "relay.key"
    relaykey.keep(path, KEY)
    before = path.stat()
    assert before.st_mode & 0o777 == 0o600
    relaykey.keep(path, KEY)
    assert path.stat() == before
    assert relaykey.load(path) == KEY


def test_another_seeds_key_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "relay.key"
    relaykey.keep(path, bytes(32))
    relaykey.keep(path, KEY)
    assert relaykey.load(path) == KEY


def test_a_missing_a_damaged_and_an_open_file_are_none_and_said_loudly(tmp_path: Path) -> None:
    missing, damaged, loose = (tmp_path / name for name in ("missing", "damaged", "loose"))
    damaged.write_bytes(KEY[:31])
    damaged.chmod(0o600)
    loose.write_bytes(KEY)
    loose.chmod(0o644)
    for path in (missing, damaged, loose):
        with capture_logs() as logs:
            assert relaykey.load(path) is None
        assert [entry["log_level"] for entry in logs] == ["critical"]


def test_a_place_that_cannot_be_written_does_not_keep_a_daemon_from_starting(
    tmp_path: Path,
) -> None:
    with capture_logs() as logs:
        relaykey.keep(tmp_path / "nowhere" / "relay.key", KEY)
    assert [entry["event"] for entry in logs] == ["relay.key_not_kept"]
