"""Where a tower's operator puts gas: said by a command, the same as the running tower uses."""

from pathlib import Path

from click.testing import CliRunner

from swapd.commands import cli
from swapd.parts import address_of_key
from swapd.tower import keyfile


def said(folder: Path, *more: str) -> list[str]:
    """What `swapd tower --accounts` prints."""
    file = folder / "tower.toml"
    file.write_text("\n".join(['network = "regtest"', f'data_dir = "{folder}"', *more]))
    done = CliRunner().invoke(cli, ["tower", "--accounts", "--config", str(file)])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_the_account_is_the_one_of_the_towers_key(tmp_path: Path) -> None:
    chain = ("[evm.eth]", "chain_id = 31337", 'own_endpoints = ["http://127.0.0.1:1"]')
    [line] = said(tmp_path, *chain)
    key = keyfile.load(tmp_path / "regtest" / "tower" / "tower.key", lambda _count: b"")
    assert line == f"ETH: {address_of_key(keyfile.relay_key(key))} pays gas on evm dev 31337"
    assert said(tmp_path, *chain) == [line]


def test_without_such_a_chain_no_gas_is_needed(tmp_path: Path) -> None:
    assert said(tmp_path, "[chains.btc]") == [
        "no chain with accounts is configured under [evm]: this tower needs no gas"
    ]
