"""`swapd doctor` and `swapd rescue` where nothing is set up yet, or what is there is wrong."""

import json
from pathlib import Path

from click.testing import CliRunner

from swapd import exitcodes
from swapd.cli import exits
from swapd.commands import cli


def examined(*arguments: str, home: Path) -> tuple[int, dict[str, str]]:
    """The exit code and the remedies by code."""
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "SWAPD_CONFIG": ""}
    done = CliRunner().invoke(cli, ["doctor", *arguments, "--json"], env=environ)
    found = json.loads(done.stdout.splitlines()[-1])
    return done.exit_code, {f["code"]: f["remedy"] for f in found["findings"]}


def test_a_machine_with_nothing_on_it_is_told_to_begin_with_init(tmp_path: Path) -> None:
    code, found = examined("--network", "regtest", home=tmp_path)
    assert code == exits.HEALTH_CRITICAL
    assert "`swapd init`" in found["data_dir_unusable"]
    assert not (tmp_path / ".local").exists(), "it only looks"


def test_a_rescue_without_a_journal_makes_none_and_says_where_to_get_one(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("only for tests")
    secret.chmod(0o600)
    where = ["--network", "regtest", "--datadir", str(tmp_path), "--passphrase-file", str(secret)]
    done = CliRunner().invoke(cli, ["rescue", *where], env={"HOME": str(tmp_path)})
    assert done.exit_code == exitcodes.DATABASE
    assert "swapd recover FILE" in done.stderr
    assert not (tmp_path / "regtest" / "swapd.sqlite3").exists()


def test_a_wrong_configuration_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    code, found = examined("--network", "moonnet", home=tmp_path)
    assert code == exits.HEALTH_CRITICAL
    assert set(found) == {"config_invalid"}
