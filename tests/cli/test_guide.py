"""`swap-cli guide` from an empty home to a first swap, by answers on a pipe."""

import os
import socket
import stat

import pytest
from msgspec.structs import replace

from swapd.api import calls
from swapd.api.values import SwapPhase
from swapd.cli.setup import answers, look_for
from tests.cli.conftest import Terminal
from tests.fakes.operations import OFFER_ID, btc, ltc, summary

CONFIG = ".config/swapd/swapd.toml"


@pytest.fixture(autouse=True)
def healthy(bare: Terminal) -> None:
    """The made-up daemon is in good health here, and the swap it begins completes."""
    operations = bare.daemon.operations
    bare.daemon.operations.swaps = [summary(0x5A, SwapPhase.COMPLETED)]

    async def health(params: calls.NoParams) -> calls.HealthResult:
        return calls.HealthResult(
            healthy=True,
            severity="ok",
            alarms=(),
            problems=(),
            chains=(),
            network_up=True,
            peers=1,
            open_swaps=0,
            next_deadline=None,
            safe_unattended_until=None,
        )

    async def pair_check(params: calls.PairCheckParams) -> calls.PairCheckResult:
        operations.seen.append(params)
        return calls.PairCheckResult(pair=params.pair, swappable=True, checks=())

    operations.health = health  # type: ignore[method-assign]  # a daemon in better health
    operations.pair_check = pair_check  # type: ignore[method-assign]  # the same


@pytest.fixture
def node(bare: Terminal) -> None:
    """A cookie where regtest's bitcoind leaves it."""
    cookie = bare.home / ".bitcoin" / "regtest" / ".cookie"
    cookie.parent.mkdir(parents=True)
    cookie.write_text("__cookie__:secret")


def seed(cli: Terminal) -> None:
    """What `swapd init` leaves."""
    place = cli.daemon.base / "regtest"
    place.mkdir(parents=True, exist_ok=True)
    (place / "seed.enc").write_bytes(b"sealed")


def configure(cli: Terminal) -> None:
    file = cli.home / CONFIG
    file.parent.mkdir(parents=True)
    file.write_text('network = "regtest"\n[chains.btc]\n[chains.ltc]\n')
    file.chmod(0o600)


def test_nobody_to_answer_is_a_wrong_command_line(cli: Terminal) -> None:
    assert cli("guide").code == 3
    assert cli("guide", "--json", answers="").code == 3


def test_from_nothing_to_a_configuration_and_the_next_command(bare: Terminal, node: None) -> None:
    answers = [
        "",  # the network that was found
        "",  # swap BTC
        "",  # its address
        "coins",  # its wallet
        "y",  # swap LTC
        "http://127.0.0.1:20443",
        "/var/lib/litecoin/.cookie",
        "",
        "/ip4/192.0.2.1/tcp/9735/p2p/16Uiu2HAmVkKntsECaYfefR1V2yCR79CegLATuTPE6B9TxgxBiiiA",
        "y",  # write it
        "n",  # not done yet: stop here
    ]
    result = bare("guide", answers="\n".join(answers) + "\n")
    assert result.code == 130
    assert "swapd init" in result.out
    file = bare.home / CONFIG
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert 'network = "regtest"' in text
    assert 'wallet = "coins"' in text
    assert 'rpc_url = "http://127.0.0.1:20443"' in text
    assert 'cookie_file = "/var/lib/litecoin/.cookie"' in text
    assert "bootstrap = [" in text
    again = bare("guide", answers="n\n")
    assert "Configuration: " in again.out
    assert "swapd init" in again.out


def test_an_unwanted_configuration_is_not_written(bare: Terminal) -> None:
    answers = ["regtest", "n", "n", "", "n"]
    assert bare("guide", answers="\n".join(answers) + "\n").code == 130
    assert not (bare.home / CONFIG).exists()


def test_a_configuration_with_a_mistake_is_told_before_anything_else(bare: Terminal) -> None:
    file = bare.home / CONFIG
    file.parent.mkdir(parents=True)
    file.write_text('network = "regtest"\nwalet = 1\n')
    result = bare("guide", answers="")
    assert result.code == 3
    assert "walet" in result.err


def test_each_step_is_told_until_it_is_done(cli: Terminal) -> None:
    configure(cli)
    result = cli("guide", answers="y\ny\nn\n")
    assert result.code == 130
    assert result.out.count("Not yet. Run:  swapd init") == 2


def test_a_configuration_elsewhere_is_named_in_the_commands(bare: Terminal) -> None:
    file = bare.home / "my own.toml"
    file.write_text('network = "regtest"\n')
    file.chmod(0o600)
    result = bare("--config", os.fspath(file), "guide", answers="n\n")
    assert f"swapd init --config '{file}'" in result.out


def test_to_the_first_swap(cli: Terminal) -> None:
    configure(cli)
    seed(cli)
    result = cli("guide", answers="LTC\n0.5\ny\n")
    assert result.code == 0, result.out + result.err
    assert "That was your first swap" in result.out
    taken = [p for p in cli.daemon.operations.seen if isinstance(p, calls.TakeParams)]
    assert [t.offer_id for t in taken] == [OFFER_ID]
    checked = [p for p in cli.daemon.operations.seen if isinstance(p, calls.PairCheckParams)]
    assert checked[0].pair == "BTC/LTC"


def test_without_coins_it_gives_an_address_and_looks_again(cli: Terminal) -> None:
    configure(cli)
    seed(cli)
    operations = cli.daemon.operations
    rounds = iter([0, 0, 5])
    original = operations.balance

    async def balance(params: calls.BalanceParams) -> calls.BalanceResult:
        found = await original(params)
        row = found.assets[0]
        free = (ltc if row.ticker == "LTC" else btc)(next(rounds))
        return calls.BalanceResult(assets=(replace(row, free=free),), unavailable=())

    operations.balance = balance  # type: ignore[method-assign]  # coins that come later
    result = cli("guide", answers="LTC\ny\ny\n0.5\ny\n")
    assert result.code == 0, result.out + result.err
    assert result.out.count("Send LTC to bcrt1qfresh") == 1
    assert operations.started["address"] == 1


def test_with_an_empty_book_it_posts_an_offer(cli: Terminal) -> None:
    configure(cli)
    seed(cli)
    cli.daemon.operations.asks = []
    result = cli("guide", answers="BTC\nn\n0.5\n80\ny\n")
    assert result.code == 0, result.out + result.err
    posted = [p for p in cli.daemon.operations.seen if isinstance(p, calls.OfferPostParams)]
    assert [p.dry_run for p in posted] == [True, False]
    assert f"Posted: {OFFER_ID}" in result.out


def test_an_answer_of_no_takes_nothing(cli: Terminal) -> None:
    configure(cli)
    seed(cli)
    assert cli("guide", answers="LTC\n0.5\nn\n").code == 130
    assert not any(isinstance(p, calls.TakeParams) for p in cli.daemon.operations.seen)


def test_a_node_is_seen_by_its_port_and_cookie(bare: Terminal, node: None) -> None:
    environ = {"HOME": os.fspath(bare.home)}
    found = look_for("regtest", "btc", environ)
    assert found.has_cookie
    assert not look_for("regtest", "ltc", environ).has_cookie
    assert found.rpc_url == "http://127.0.0.1:18443"


def test_answering_means_accepting_connections() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not answers(f"http://127.0.0.1:{port}")
        listener.listen()
        assert answers(f"http://127.0.0.1:{port}")
    assert not answers("http://127.0.0.1:notaport")
