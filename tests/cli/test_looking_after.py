"""Commands of who looks after a daemon: health's exit status, alarms, drain, unlock."""

import json

import pytest
from msgspec.structs import replace

from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from tests.cli.conftest import Terminal
from tests.fakes.operations import SWAP_ID


@pytest.mark.parametrize(("severity", "code"), [("ok", 0), ("warning", 5), ("critical", 6)])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_health_ends_with_a_status_for_scripts(
    cli: Terminal, severity: str, code: int, flags: list[str]
) -> None:
    operations = cli.daemon.operations
    usual = operations.health

    async def health(params: calls.NoParams) -> calls.HealthResult:
        return replace(await usual(params), severity=severity, healthy=severity == "ok")

    operations.health = health  # type: ignore[method-assign]  # so well is the daemon
    result = cli("health", *flags)
    assert (result.code, result.err) == (code, "")
    if flags:
        assert result.json["severity"] == severity


def test_health_of_no_daemon_is_told_apart(bare: Terminal) -> None:
    assert bare("health").code == 2


def test_health_and_alarms_show_what_holds_since_when_and_what_to_do(cli: Terminal) -> None:
    for command in ("health", "alarms"):
        out = cli(command).out
        assert "critical node_down (LTC): nobody answers at 127.0.0.1:19443; 1 open" in out
        assert "start litecoind; since 2027-01-15 07:55:00" in out


def test_alarms_without_any(cli: Terminal) -> None:
    async def none(params: calls.NoParams) -> calls.AlarmListResult:
        return calls.AlarmListResult(alarms=(), sequence=1)

    cli.daemon.operations.alarm_list = none  # type: ignore[method-assign]  # all is well
    assert cli.raises_nothing("alarms").out == "no alarm holds\n"


def test_drain_says_what_is_open_and_until_when_at_worst(cli: Terminal) -> None:
    out = cli.raises_nothing("drain").out
    assert "draining; 1 offers withdrawn, 1 swaps open" in out
    assert f"open: {SWAP_ID} (locking)" in out
    assert "stops by itself, at the worst at 2027-01-15 08:10:00" in out
    assert cli.daemon.operations.seen[-1] == calls.DrainParams(undo=False)


def test_a_drain_can_be_taken_back(cli: Terminal) -> None:
    assert "trading again" in cli.raises_nothing("drain", "--undo").out
    assert cli.daemon.operations.seen[-1] == calls.DrainParams(undo=True)


def test_the_passphrase_is_typed_without_echo_or_read_from_the_standard_input(
    cli: Terminal,
) -> None:
    result = cli("unlock", answers="two words\n")
    assert result.code == 0
    assert "unlocked" in result.out
    assert "two words" not in result.out + result.err
    assert cli.daemon.operations.seen[-1] == calls.UnlockParams(passphrase="two words")


def test_a_wrong_passphrase_is_told_without_it(cli: Terminal) -> None:
    error = ApiError(ErrorName.WRONG_PASSPHRASE, "the passphrase is wrong")
    cli.daemon.operations.fail("unlock", error)
    result = cli("unlock", "--json", answers="two words\n")
    assert result.code == 1
    assert json.loads(result.out.splitlines()[-1])["error"]["name"] == "wrong_passphrase"
    assert "two words" not in result.out + result.err
