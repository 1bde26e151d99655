"""What the configuration takes, what it refuses and in which words, and what it explains."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from protocol.assets import AssetId
from swapd.config import ConfigError, Loaded, Network, describe, load

HOME = {"HOME": "/home/someone"}
BTC = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1"
LTC = "bip122:530827f38f93b43ed12af0b3ad25a288/slip44:1"


def loaded(
    tmp_path: Path,
    text: str = "",
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    network: str | None = "regtest",
) -> Loaded:
    """From a file of that text."""
    file = tmp_path / "swapd.toml"
    heading = f'network = "{network}"\n' if network is not None else ""
    file.write_text(heading + text, encoding="utf-8")
    return load(file=file, environ={**HOME, **(environ or {})}, cwd=Path("/cwd"), flags=flags)


def refusal(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """What is said about it."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, environ=environ)
    return str(caught.value)


def source_of(found: Loaded, key: str) -> str:
    """Where a value came from."""
    return next(setting.source for setting in found.settings if setting.key == key)


# --- networks and layers ----------------------------------------------------------------------


def test_without_a_network_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"network is not set.*mainnet, testnet, signet, regtest"):
        loaded(tmp_path, network=None)


def test_without_a_file_environment_and_flags_are_enough(tmp_path: Path) -> None:
    found = load(
        environ={"HOME": str(tmp_path), "SWAPD_NETWORK": "regtest"},
        cwd=tmp_path,
        flags={"chains.btc.wallet": "w"},
    )
    assert found.config.network is Network.REGTEST
    assert [chain.wallet for chain in found.config.chains] == ["w"]


def test_later_layers_win_and_each_value_says_where_it_is_from(tmp_path: Path) -> None:
    text = "[policy]\nmax_open_swaps = 5\ndepth_factor = 5\nstress_fee_rate = 5000\n"
    environ = {"SWAPD_POLICY__MAX_OPEN_SWAPS": "6", "SWAPD_POLICY__DEPTH_FACTOR": "6"}
    found = loaded(tmp_path, text, environ=environ, flags={"policy.max_open_swaps": "7"})
    policy = found.config.policy
    values = (policy.max_open_swaps, policy.depth_factor, policy.stress_fee_rate)
    assert values == (7, 6, 5000)
    assert source_of(found, "policy.max_open_swaps") == "flag policy.max_open_swaps"
    assert source_of(found, "policy.depth_factor") == "env SWAPD_POLICY__DEPTH_FACTOR"
    assert source_of(found, "policy.stress_fee_rate") == str(tmp_path / "swapd.toml")
    assert source_of(found, "policy.max_open_swaps_per_peer") == "default"


def test_what_is_described_is_itself_a_configuration_of_the_same_values(tmp_path: Path) -> None:
    text = (
        '[chains.btc]\nwallet = "a \\"quoted\\" name"\n[policy.limits.btc]\nmaximum = "0.5"\n'
        '[p2p]\nannounce = ["/dns4/a.example/tcp/1"]\n'
    )
    first = loaded(tmp_path, text)
    again = loaded(tmp_path, describe(first), network=None)
    assert again.config == first.config
    assert "# default" in describe(first)


def test_the_file_is_looked_for_in_the_usual_places(tmp_path: Path) -> None:
    named, usual = tmp_path / "named.toml", tmp_path / ".config" / "swapd" / "swapd.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text('network = "signet"')
    named.write_text('network = "testnet"')
    environ = {"HOME": str(tmp_path)}
    assert load(environ=environ, cwd=tmp_path).config.network is Network.SIGNET
    by_variable = load(environ={**environ, "SWAPD_CONFIG": "~/named.toml"}, cwd=Path("/"))
    assert by_variable.config.network is Network.TESTNET
    by_flag = load(environ=environ, cwd=tmp_path, file=Path("named.toml"))
    assert by_flag.config.network is Network.TESTNET
    with pytest.raises(ConfigError, match=r"nowhere.toml cannot be read: No such file"):
        load(environ=environ, cwd=tmp_path, file=Path("nowhere.toml"))


def test_variables_of_others_are_left_alone_but_not_slips(tmp_path: Path) -> None:
    tools = ("BITCOIND", "LITECOIND", "ANVIL", "FORGE", "SOLC", "DEBIAN_MIRROR")
    environ = {f"SWAPD_{tool}": "/usr/bin/tool" for tool in tools}
    loaded(tmp_path, environ={**environ, "SWAPD_CONFIG": "x"})
    for variable, meant in (
        ("SWAPD_NETWROK", "network"),
        ("SWAPD_POLICY__PROFIL", "policy.profile"),
        ("SWAPD_CHAINS__BCT__WALLET", "chains.btc"),
    ):
        said = refusal(tmp_path, "", environ={variable: "x"})
        assert variable in said
        assert f"did you mean {meant}" in said


def test_texts_of_the_environment_become_what_their_key_needs(tmp_path: Path) -> None:
    environ = {
        "SWAPD_P2P__ALLOW_PRIVATE": "false",
        "SWAPD_P2P__ANNOUNCE": "/ip4/192.0.2.1/tcp/1, /dns4/b.example/tcp/2,",
        "SWAPD_P2P__MAX_PEERS": "12",
        "SWAPD_POLICY__LIMITS__LTC__MAXIMUM": "0.30",
    }
    config = loaded(tmp_path, environ=environ).config
    assert config.p2p.allow_private is False
    assert config.p2p.announce == ("/ip4/192.0.2.1/tcp/1", "/dns4/b.example/tcp/2")
    assert config.p2p.max_peers == 12
    assert {key: limit.maximum for key, limit in config.policy.assets.items()} == {LTC: 30_000_000}


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("SWAPD_P2P__MAX_PEERS", "many", "SWAPD_P2P__MAX_PEERS: Expected `int`"),
        ("SWAPD_P2P__MAX_PEERS", "1.5", "SWAPD_P2P__MAX_PEERS: Expected `int`"),
        ("SWAPD_P2P__MAX_PEERS", "0", "SWAPD_P2P__MAX_PEERS: Expected `int` >= 1"),
        ("SWAPD_P2P__ALLOW_PRIVATE", "maybe", "SWAPD_P2P__ALLOW_PRIVATE: Expected `bool`"),
        (
            "SWAPD_LOG__LEVEL",
            "loud",
            "SWAPD_LOG__LEVEL: 'loud' is not one of debug, info, warning, error",
        ),
        ("SWAPD_CHAINS__BTC", "x", "chains.btc is a table, name one of its keys"),
    ],
)
def test_texts_that_are_not_what_their_key_needs_are_refused(
    tmp_path: Path, variable: str, text: str, said: str
) -> None:
    assert said in refusal(tmp_path, "", environ={variable: text})


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("netwrok = 1", "netwrok: there is no such key; did you mean network?"),
        ("[policy]\nprofil = 1", "policy.profil: there is no such key; did you mean policy.pr"),
        ("[chains.bct]", "chains.bct: there is no such key; did you mean chains.btc?"),
        ("[polcy]\nprofile = 1", "polcy: there is no such key; did you mean policy?"),
        ("max_peers = 3", "max_peers: there is no such key; did you mean p2p.max_peers?"),
        ("zzz = 1", "zzz: there is no such key"),
        ("policy = 3", "policy: this is a table, [policy], not a value"),
        ("[log.level]\nx = 1", "log.level: Expected `str`"),
        ("[policy]\nmax_open_swaps = '3'", "policy.max_open_swaps: Expected `int`, got `str`"),
        ("[policy]\nmax_open_swaps = 3.0", "write a whole number"),
        ("[policy]\nmax_open_swaps = 0", ">= 1"),
        (
            "[policy]\nprofile = 'hoem'",
            "policy.profile: 'hoem' is not one of home, server, fast, regtest",
        ),
        ("[p2p]\nlisten = '/ip4/1.2.3.4/tcp/1'", "p2p.listen: Expected `array`"),
        ("[p2p]\nmax_peers = 2026-01-01", "p2p.max_peers: Expected `int`"),
        ("[chains.btc]\npassword = 'x'", "name it as password_file"),
        ("passphrase = 'x'", "--passphrase-file"),
        ("x = [", "is not TOML"),
    ],
)
def test_what_a_file_must_not_say_is_refused_with_what_to_write(
    tmp_path: Path, text: str, said: str
) -> None:
    message = refusal(tmp_path, text)
    assert said in message
    assert str(tmp_path / "swapd.toml") in message


def test_a_refused_secret_is_not_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in refusal(tmp_path, '[chains.btc]\npassword = "hunter2"')


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "zzz = 1\nyyy = 2\n[log]\nlevel = 3\n[policy]\nrisk = 1\n")
    assert all(word in said for word in ("zzz", "yyy", "log.level", "policy.risk"))


def test_files_that_are_no_text_or_endless_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    for content, said in ((b"\xff", "not TOML"), (b"#" * 300_000, "more than")):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            load(file=file, environ=HOME, cwd=tmp_path)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(file=tmp_path, environ=HOME, cwd=tmp_path)


# --- money ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0.01", 1_000_000),
        ("0.00000001", 1),
        ("1", 100_000_000),
        ("1.10 BTC", 110_000_000),
        ("1.1 btc", 110_000_000),
        ("1000000 units", 1_000_000),
        ("0.100000000000", 10_000_000),
        ("0.29", 29_000_000),  # a float would make it 28999999.999999996
    ],
)
def test_amounts_are_exact(tmp_path: Path, text: str, units: int) -> None:
    config = loaded(tmp_path, f'[policy.limits.btc]\nmaximum = "{text}"').config
    assert config.policy.assets[config.known[0].asset_id].maximum == units


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.01", 'an amount is text, so that it is exact: "0.01" for coins'),
        ("5", '"5" for coins, or "5 units" for base units'),
        ('"0.000000001"', "finer than the smallest unit (8 decimals)"),
        ('"1.5 units"', "finer than the smallest unit (0 decimals)"),
        ('"-1"', "is not an amount"),
        ('"1e8"', "is not an amount"),
        ('"1,5"', "is not an amount"),
        ('"nan"', "is not an amount"),
        ('"٣"', "is not an amount"),
        ('"0"', "is nothing, or more BTC than there is"),
        ('"99999999"', "is nothing, or more BTC than there is"),
        ('"1 LTC"', "is an amount of LTC, not of BTC"),
        ('""', "policy.limits.btc.maximum: Expected `str` of length >= 1"),
    ],
)
def test_what_is_no_amount_is_refused(tmp_path: Path, value: str, said: str) -> None:
    assert said in refusal(tmp_path, f"[policy.limits.btc]\nmaximum = {value}")


def test_limits_that_exclude_everything_are_refused(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        '[policy.limits.btc]\nminimum = "2"\nmaximum = "1"\n'
        '[policy.limits.ltc]\nminimum = "2"\nmax_locked = "1"\n',
    )
    assert "policy.limits.btc.minimum" in said
    assert "minimum is more than maximum" in said
    assert "minimum is more than max_locked" in said


def test_limits_go_to_their_asset(tmp_path: Path) -> None:
    text = '[policy.limits.ltc]\nminimum = "1"\nmaximum = "2"\nmax_locked = "3"\ndepth = 24\n'
    policy = loaded(tmp_path, text).config.policy
    assert list(policy.assets) == [LTC]
    found = policy.limits(AssetId(LTC))
    assert (found.minimum, found.maximum, found.max_locked, found.depth) == (
        100_000_000,
        200_000_000,
        300_000_000,
        24,
    )


@pytest.mark.parametrize(
    ("network", "text", "timing", "offline", "risk"),
    [
        # safety.md, "Expiries, computed": home O = 6 h, p = 1e-6; server 30 min, 1e-4; fast 10
        # min, 1e-3; regtest 30 s.
        ("mainnet", "", "standard", 21_600, 6),
        ("mainnet", '[policy]\nprofile = "server"', "standard", 1800, 4),
        ("signet", '[policy]\nprofile = "fast"', "fast", 600, 3),
        ("regtest", "", "regtest", 30, 6),
        ("mainnet", "[policy]\noffline_seconds = 0\nrisk = 9", "standard", 0, 9),
    ],
)
def test_profiles_are_those_of_the_safety_rules(
    tmp_path: Path, network: str, text: str, timing: str, offline: int, risk: int
) -> None:
    policy = loaded(tmp_path, text, network=network).config.policy
    found = (policy.timing.value, policy.exposure.offline, policy.exposure.risk)
    assert found == (timing, offline, risk)


def test_the_regtest_profile_is_for_regtest(tmp_path: Path) -> None:
    for network in ("mainnet", "testnet", "signet"):
        with pytest.raises(ConfigError, match="worthless coins only"):
            loaded(tmp_path, '[policy]\nprofile = "regtest"', network=network)


def test_fast_on_mainnet_wants_a_cap_for_each_coin(tmp_path: Path) -> None:
    text = '[policy]\nprofile = "fast"\n[chains.btc]\n[chains.ltc]\n[policy.limits.btc]\n'
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text + 'maximum = "0.01"\n', network="mainnet")
    assert "policy.limits.ltc.maximum" in str(caught.value)
    assert "policy.limits.btc.maximum" not in str(caught.value)
    capped = text + 'maximum = "0.01"\n[policy.limits.ltc]\nmaximum = "1"\n'
    assert loaded(tmp_path, capped, network="mainnet").config.policy.timing.value == "fast"


def test_one_peer_has_not_more_swaps_than_all(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[policy]\nmax_open_swaps = 3\nmax_open_swaps_per_peer = 4")
    assert "policy.max_open_swaps_per_peer" in said


# --- nodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "names", "ports"),
    [
        ("mainnet", ["bitcoin mainnet", "litecoin mainnet"], [8332, 9332]),
        ("testnet", ["bitcoin testnet4", "litecoin testnet"], [48332, 19332]),
        ("signet", ["bitcoin signet", "litecoin testnet"], [38332, 19332]),
        ("regtest", ["bitcoin regtest", "litecoin regtest"], [18443, 19443]),
    ],
)
def test_an_empty_table_is_a_node_with_its_networks_defaults(
    tmp_path: Path, network: str, names: list[str], ports: list[int]
) -> None:
    config = loaded(tmp_path, "[chains.btc]\n[chains.ltc]\n", network=network).config
    assert [chain.params.title for chain in config.chains] == names
    assert [chain.rpc_url for chain in config.chains] == [f"http://127.0.0.1:{p}" for p in ports]
    assert not config.is_relay


def test_the_usual_cookie_is_used_unless_a_user_is_named(tmp_path: Path) -> None:
    chain = loaded(tmp_path, "[chains.btc]").config.chains[0]
    assert chain.cookie_file == Path("/home/someone/.bitcoin/regtest/.cookie")
    assert chain.user is None
    text = '[chains.btc]\nuser = "u"\npassword_file = "secrets/p"\n'
    chain = loaded(tmp_path, text).config.chains[0]
    assert (chain.cookie_file, chain.user) == (None, "u")
    assert chain.password_file == tmp_path / "secrets" / "p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('user = "u"', "password_file is missing"),
        ('password_file = "p"', "user is missing"),
        ('user = "u"\npassword_file = "p"\ncookie_file = "c"', "not both"),
        ('kind = "litecoin"', "a table [chains.btc] is about bitcoin"),
        ('kind = "dogecoin"', "'dogecoin' is not one of bitcoin, litecoin"),
        ('rpc_url = "http://u:p@127.0.0.1"', "ends up in logs"),
        ('rpc_url = "http://127.0.0.1:8332/wallet/x"', "nothing behind it"),
        ('rpc_url = "127.0.0.1:8332"', "write http://host:port"),
        ('rpc_url = "http://127.0.0.1:99999"', "this is no URL"),
        ('rpc_url = "http://[::1"', "this is no URL"),
        ('cookie_file = "~other/.cookie"', "only ~/ is understood"),
        ("mempool_poll_ms = 1001", "<= 1000"),
    ],
)
def test_a_node_that_cannot_be_reached_like_that_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refusal(tmp_path, f"[chains.btc]\n{text}")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://192.0.2.1:8332", True),
        ("http://node.example:8332", True),
        ("https://node.example:8332", False),
        ("http://localhost:8332", False),
        ("http://127.1.2.3:8332", False),
        ("http://[::1]:8332", False),
    ],
)
def test_a_node_elsewhere_without_encryption_is_warned_about(
    tmp_path: Path, url: str, warned: bool
) -> None:
    warnings = loaded(tmp_path, f'[chains.btc]\nrpc_url = "{url}"').warnings
    assert any("without encryption" in text for text in warnings) is warned


def test_files_that_others_may_read_or_change_are_warned_about(tmp_path: Path) -> None:
    password = tmp_path / "p"
    password.write_text("x")
    password.chmod(0o640)
    text = '[chains.btc]\nuser = "u"\npassword_file = "p"\n'
    (tmp_path / "swapd.toml").touch(mode=0o644)
    assert [f"chmod 600 {password}" in text for text in loaded(tmp_path, text).warnings] == [True]
    password.chmod(0o600)
    assert loaded(tmp_path, text).warnings == ()
    (tmp_path / "swapd.toml").chmod(0o666)
    assert "can be changed by others" in loaded(tmp_path, text).warnings[0]


# --- market and peers -------------------------------------------------------------------------


def test_a_relay_has_pairs_and_no_chains(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[market]\npairs = ["LTC/btc"]').config
    assert config.is_relay
    assert not config.recovery.paths
    assert [(pair.base, pair.quote) for pair in config.pairs] == [(LTC, BTC)]


def test_a_relay_may_keep_books_of_assets_it_does_not_know(tmp_path: Path) -> None:
    token = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    config = loaded(tmp_path, f'[market]\npairs = ["BTC/LTC", "{BTC} {token}"]').config
    assert [(pair.base, pair.quote) for pair in config.pairs] == [(BTC, LTC), (BTC, token)]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ('["BTC"]', "is not a pair"),
        ('["BTC/LTC/ETH"]', "is not a pair"),
        ('["BTC/"]', "is not a pair"),
        ('["BTC/DOGE"]', "unknown asset 'DOGE': write BTC, LTC, or a CAIP-19 id"),
        ('["BTC/btc"]', "twice the same asset"),
        ('["BTC/LTC", "LTC/BTC"]', "LTC/BTC is there twice"),
        ('["a/b c/d"]', "not a CAIP-19 asset id"),
    ],
)
def test_what_is_no_pair_is_refused(tmp_path: Path, pairs: str, said: str) -> None:
    assert said in refusal(tmp_path, f"[market]\npairs = {pairs}")


PEER = "16Uiu2HAmNgEBqQCvXMtPPHPaJUCoZPmqKdcSLcoAKQGiYW2aLDkz"


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("listen", "/ip4/0.0.0.0/tcp/0"),
        ("listen", "/ip6/::/tcp/65535"),
        ("announce", "/ip4/192.0.2.1/tcp/1"),
        ("announce", "/dns/a-b.example.org/tcp/7927"),
        ("bootstrap", f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"),
        ("bootstrap", f"/dns4/localhost/tcp/1/p2p/{PEER}"),
    ],
)
def test_addresses_are_taken_as_written(tmp_path: Path, key: str, address: str) -> None:
    p2p = loaded(tmp_path, f'[p2p]\n{key} = ["{address}"]').config.p2p
    assert getattr(p2p, key) == (address,)


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("listen", "127.0.0.1:7927"),
        ("listen", "/ip4/300.0.0.1/tcp/1"),
        ("listen", "/ip6/127.0.0.1/tcp/1"),
        ("listen", "/ip4/127.0.0.1/udp/1"),
        ("listen", "/ip4/127.0.0.1/tcp/65536"),
        ("listen", "/ip4/127.0.0.1/tcp/²"),
        ("listen", "/dns4/localhost/tcp/1"),
        ("announce", "/ip4/192.0.2.1/tcp/0"),
        ("announce", "/dns4/-bad/tcp/1"),
        ("announce", f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"),
        ("bootstrap", "/ip4/192.0.2.1/tcp/1"),
        ("bootstrap", "/ip4/192.0.2.1/tcp/1/p2p/0OIl"),
        ("bootstrap", f"/ip4/192.0.2.1/tcp/0/p2p/{PEER}"),
    ],
)
def test_addresses_that_nobody_can_dial_are_refused(tmp_path: Path, key: str, address: str) -> None:
    said = refusal(tmp_path, f'[p2p]\n{key} = ["{address}"]')
    assert f"p2p.{key}" in said
    assert "write /ip4/" in said


# --- places -----------------------------------------------------------------------------------


def test_each_network_has_its_own_directory(tmp_path: Path) -> None:
    config = loaded(tmp_path).config
    assert config.paths.root == Path("/home/someone/.local/share/swapd/regtest")
    assert config.paths.socket == config.paths.root / "rpc.sock"


def test_paths_count_from_where_they_are_written(tmp_path: Path) -> None:
    assert loaded(tmp_path, 'data_dir = "d"').config.paths.root == tmp_path / "d" / "regtest"
    by_flag = loaded(tmp_path, 'data_dir = "d"', flags={"data_dir": "e"}).config
    assert by_flag.paths.root == Path("/cwd/e/regtest")
    by_variable = loaded(tmp_path, "", environ={"SWAPD_DATA_DIR": "~/f"}).config
    assert by_variable.paths.root == Path("/home/someone/f/regtest")


def test_a_socket_path_too_long_for_the_system_is_refused_with_a_remedy(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'data_dir = "/{"d" * 100}"')
    assert "data_dir" in said
    assert "bytes too long for the system" in said
    fits = f'data_dir = "/{"d" * 100}"\n[control]\nsocket = "/run/s"\n'
    assert loaded(tmp_path, fits).config.paths.socket == Path("/run/s")
    said = refusal(tmp_path, f'[control]\nsocket = "/{"s" * 99}"')
    assert "1 bytes too long" in said


def test_without_a_home_the_data_directory_must_be_said(tmp_path: Path) -> None:
    file = tmp_path / "swapd.toml"
    file.write_text('network = "regtest"')
    with pytest.raises(ConfigError, match="HOME is not set"):
        load(file=file, environ={}, cwd=tmp_path)
    file.write_text('network = "regtest"\ndata_dir = "/data"\n')
    assert load(file=file, environ={}, cwd=tmp_path).config.paths.root == Path("/data/regtest")
    file.write_text('network = "regtest"\ndata_dir = "/data"\n[chains.btc]\n')
    with pytest.raises(ConfigError, match=r"chains.btc.cookie_file.*HOME is not set"):
        load(file=file, environ={}, cwd=tmp_path)


def test_another_clock_is_for_regtest_only(tmp_path: Path) -> None:
    text = '[regtest]\nclock_file = "clock"'
    assert loaded(tmp_path, text).config.clock_file == tmp_path / "clock"
    with pytest.raises(ConfigError, match="another time than the world's"):
        loaded(tmp_path, text, network="mainnet")


# --- watchtowers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[towers]\nclaims = ["/ip4/192.0.2.8/tcp/7928"]', "towers.claims"),
        ('[towers]\nrefunds = ["tower.example.org"]', "towers.refunds"),
        ("[towers]\nmax_fee_percent = 0", "towers.max_fee_percent"),
        ('[tower]\nclients = ["/ip4/192.0.2.8"]', "tower.clients"),
        ("[tower]\nstrangers = -1", "tower.strangers"),
    ],
)
def test_what_is_no_tower_and_no_client_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_without_a_word_there_are_no_towers_and_no_lock_waits_for_one(tmp_path: Path) -> None:
    towers = loaded(tmp_path).config.towers
    assert (towers.claims, towers.refunds, towers.required) == ((), (), False)
    assert towers.max_fee_percent == 10


# --- figures and alarms -----------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["127.0.0.1:9797", "[::1]:0"])
def test_figures_are_for_this_machine(tmp_path: Path, listen: str) -> None:
    found = loaded(tmp_path, f'[metrics]\nlisten = "{listen}"')
    assert found.config.metrics is not None
    assert found.warnings == ()
    assert loaded(tmp_path).config.metrics is None


@pytest.mark.parametrize("listen", ["0.0.0.0:9797", "192.0.2.1:9797", "[::]:9797"])
def test_figures_for_other_machines_must_be_insisted_upon(tmp_path: Path, listen: str) -> None:
    text = f'[metrics]\nlisten = "{listen}"'
    assert "metrics.allow_remote" in refusal(tmp_path, text)
    found = loaded(tmp_path, f"{text}\nallow_remote = true")
    assert found.config.metrics is not None
    assert "sees what is at stake" in found.warnings[0]


@pytest.mark.parametrize("listen", ["9797", "localhost:9797", "127.0.0.1:70000", "127.0.0.1:"])
def test_an_address_for_figures_that_is_none_is_told(tmp_path: Path, listen: str) -> None:
    assert "metrics.listen" in refusal(tmp_path, f'[metrics]\nlisten = "{listen}"')


def test_the_alarm_command_is_words_of_which_the_first_may_be_a_path(tmp_path: Path) -> None:
    found = loaded(tmp_path, '[alarms]\ncommand = ["~/bin/page", "--to", "me/you"]')
    assert found.config.alarm_command == ("/home/someone/bin/page", "--to", "me/you")
    found = loaded(tmp_path, '[alarms]\ncommand = ["page-me", "now"]')
    assert found.config.alarm_command == ("page-me", "now")
