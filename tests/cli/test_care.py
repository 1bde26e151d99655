"""swap-cli doctor, swap explain and swap rescue, as typed."""

from swapd.api import calls
from swapd.cli import exits
from tests.cli.conftest import Terminal
from tests.fakes.operations import SWAP_ID, TXID
from tests.fakes.trouble import diagnosis


def test_the_doctor_ends_with_6_when_something_is_critical_and_with_0_when_not(
    cli: Terminal,
) -> None:
    bad = cli("doctor")
    assert bad.code == exits.HEALTH_CRITICAL == 6
    assert "CRITICAL  node_unreachable  LTC" in bad.out
    assert "node_unreachable (LTC): start it, or correct its url" in bad.out
    assert cli("doctor", "--json").json["findings"][0]["code"] == "node_unreachable"
    cli.daemon.operations.diagnosis = diagnosis(critical=False)
    assert "all is well" in cli.raises_nothing("doctor").out


def test_an_explanation_is_plain_words_with_times_codes_and_remedies(cli: Terminal) -> None:
    out = cli.raises_nothing("swap", "explain", SWAP_ID[:8]).out
    assert "Next: Our lock waits for its first confirmation." in out
    assert "- miners can confirm our lock, until " in out
    assert "- we can take our coins back, from about " in out
    assert "- refund: 0.00000262 LTC" in out
    assert "If we go offline now: No coins can be lost" in out
    assert "safe to be away until  keep it running now" in out
    assert "INFO lock_hangs: our lock waits\n  what to do: nothing" in out


def test_a_rescue_prints_each_command_whole_on_a_line_of_its_own(cli: Terminal) -> None:
    result = cli.raises_nothing("swap", "rescue", SWAP_ID[:8])
    assert f"litecoin-cli -regtest sendrawtransaction {'02' * 100}" in result.out.splitlines()
    assert f"# 2 per vbyte, fee 0.00000262 LTC, 39.99999738 arrive, txid {TXID}" in result.out
    assert "nLockTime 1800000370" in result.out
    assert "m/84'/1'/0'/0/3" in result.out
    assert "cKey" not in result.out


def test_keys_are_shown_only_after_a_yes(cli: Terminal) -> None:
    assert cli("swap", "rescue", SWAP_ID, "--keys").code == exits.USAGE, "nobody can be asked"
    refused = cli("swap", "rescue", SWAP_ID, "--keys", answers="n\n")
    assert refused.code == exits.INTERRUPTED
    assert cli.daemon.operations.seen == []
    shown = cli("swap", "rescue", SWAP_ID, "--keys", answers="y\n")
    assert "Whoever sees them can take" in shown.err
    assert "cKey" in shown.out
    assert "cKey" in cli.raises_nothing("swap", "rescue", SWAP_ID, "--keys", "--yes").out


def test_own_fee_rates_are_passed_on(cli: Terminal) -> None:
    cli.raises_nothing("swap", "rescue", SWAP_ID, "--fee-rate", "7000", "--fee-rate", "9000")
    [asked] = [p for p in cli.daemon.operations.seen if isinstance(p, calls.SwapRescueParams)]
    assert asked.fee_rates == (7000, 9000)


def test_without_a_daemon_the_remedy_is_what_works_without_one(bare: Terminal) -> None:
    for command in (("doctor",), ("swap", "rescue", SWAP_ID)):
        result = bare(*command)
        assert result.code == exits.CANNOT_CONNECT
        assert "`swapd " in result.err
