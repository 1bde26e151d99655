"""[evm.NAME]: chains with accounts and tokens as an operator writes them."""

from pathlib import Path

import pytest

from protocol.terms import Pace
from swapd.config import Config, ConfigError, Loaded, describe, load

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
TOKEN = f"""
[evm.eth.tokens.usdc]
address = "{USDC}"
decimals = 6
symbol = "USDC"
minimum = "100"
"""
ETH = """
[evm.eth]
chain_id = 1
own_endpoints = ["http://127.0.0.1:8545"]
"""


def read(folder: Path, text: str, *, network: str = "mainnet") -> Loaded:
    file = folder / "swapd.toml"
    file.write_text(f'network = "{network}"\ndata_dir = "{folder}"\n{text}', encoding="utf-8")
    file.chmod(0o600)
    return load(environ={"HOME": str(folder)}, cwd=folder, file=file)


def config(folder: Path, text: str, *, network: str = "mainnet") -> Config:
    return read(folder, text, network=network).config


def refused(folder: Path, text: str, *, network: str = "mainnet") -> str:
    with pytest.raises(ConfigError) as failed:
        config(folder, text, network=network)
    return str(failed.value)


def test_a_chain_and_its_token_have_names_limits_and_a_pace(tmp_path: Path) -> None:
    found = config(tmp_path, ETH + TOKEN + '[market]\npairs = ["BTC/ETH", "LTC/USDC"]')
    [chain] = found.evm
    assert [asset.ticker for asset in chain.assets()] == ["ETH", "USDC"]
    coin, token = (asset.asset_id for asset in chain.assets())
    assert (coin, token) == ("eip155:1/slip44:60", f"eip155:1/erc20:{USDC}")
    assert [pair.quote for pair in found.pairs] == [coin, token]
    assert found.policy.limits(token).minimum == 100_000_000
    assert found.policy.pace(coin) == chain.pace == Pace(interval=13, finality=1200)
    assert chain.stale == 195
    assert not found.is_relay


def test_names_of_chains_and_tokens_are_the_operators(tmp_path: Path) -> None:
    text = ETH + TOKEN.replace("tokens.usdc", "tokens.my_dollar")
    assert [asset.ticker for asset in config(tmp_path, text).evm[0].assets()] == [
        "ETH",
        "MY_DOLLAR",
    ]
    assert "there is no such key" in refused(tmp_path, ETH.replace("evm.eth", 'evm."Not-a-name"'))


def test_a_typing_mistake_inside_such_a_table_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, ETH + "finality_second = 3")
    assert "evm.eth.finality_second: there is no such key" in said


def test_one_endpoint_of_others_is_not_enough(tmp_path: Path) -> None:
    text = ETH.replace("own_endpoints", "endpoints")
    assert "at least two operators" in refused(tmp_path, text)
    two = text.replace('8545"]', '8545", "https://other.example.net"]')
    assert len(config(tmp_path, two).evm[0].hosted) == 2


def test_keys_in_urls_are_never_shown(tmp_path: Path) -> None:
    urls = '["https://one.example.org/v3/0123456789", "https://me:secret@two.example.org"]'
    text = f"[evm.eth]\nchain_id = 1\nendpoints = {urls}"
    loaded = read(tmp_path, text)
    told = describe(loaded) + repr(loaded.config) + repr(loaded.settings)
    assert "one.example.org" in told
    assert "0123456789" not in told
    assert "secret" not in told
    assert "0123456789" not in refused(tmp_path, text.replace("https://one", "htps://one"))


def test_a_chain_of_one_sequencer_has_to_say_how_it_keeps_time(tmp_path: Path) -> None:
    base = '[evm.base]\nchain_id = 8453\nown_endpoints = ["http://127.0.0.1:1"]\n'
    said = refused(tmp_path, base)
    assert "evm.base.early_seconds" in said
    assert "evm.base.outage_seconds" in said
    times = "block_seconds = 2\nfinality_seconds = 1800\nearly_seconds = 60\noutage_seconds = 3600"
    found = config(tmp_path, base + times).evm[0]
    assert found.pace == Pace(interval=2, finality=1800, early=60, outage=3600)


def test_a_known_chain_is_never_faster_than_it_is(tmp_path: Path) -> None:
    assert "slower" in refused(tmp_path, ETH + "block_seconds = 6")
    assert "slower" in refused(tmp_path, ETH + "finality_seconds = 0")
    assert config(tmp_path, ETH + "outage_seconds = 60").evm[0].pace.outage == 60


@pytest.mark.parametrize(
    ("number", "network"),
    [(1, "regtest"), (31337, "mainnet"), (11155111, "mainnet"), (1, "signet")],
)
def test_coins_of_a_test_network_never_stand_beside_real_ones(
    tmp_path: Path, number: int, network: str
) -> None:
    text = ETH.replace("chain_id = 1", f"chain_id = {number}")
    assert "is no chain of network" in refused(tmp_path, text, network=network)


def test_a_mistyped_address_is_refused(tmp_path: Path) -> None:
    assert "capitals" in refused(tmp_path, ETH + TOKEN.replace("0xA0b8", "0xa0B8"))


def test_two_assets_never_share_a_name(tmp_path: Path) -> None:
    text = ETH + TOKEN.replace("tokens.usdc", "tokens.ltc")
    assert "LTC is the name of two assets" in refused(tmp_path, text)


def test_a_chain_is_configured_once(tmp_path: Path) -> None:
    assert "chain 1 is configured twice" in refused(tmp_path, ETH + ETH.replace("eth", "ether"))


def test_a_token_without_a_smallest_swap_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, ETH + TOKEN.replace('minimum = "100"', ""))
    assert "evm.eth.tokens.usdc.minimum: this has to be said" in said
    nothing = refused(tmp_path, ETH + TOKEN.replace('minimum = "100"', 'minimum = "0"'))
    assert "evm.eth.tokens.usdc.minimum" in nothing
    assert "'0' is nothing" in nothing


def test_the_gas_of_a_token_is_stated_within_bounds(tmp_path: Path) -> None:
    dear = TOKEN.replace('minimum = "100"', 'minimum = "100"\ngas = 600_000')
    [chain] = config(tmp_path, ETH + dear).evm
    assert [token.gas for token in chain.tokens] == [600_000]
    [chain] = config(tmp_path, ETH + TOKEN).evm
    assert [token.gas for token in chain.tokens] == [250_000]
    little = TOKEN.replace('minimum = "100"', 'minimum = "100"\ngas = 21_000')
    assert "evm.eth.tokens.usdc.gas" in refused(tmp_path, ETH + little)
