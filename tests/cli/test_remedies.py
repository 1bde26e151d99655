"""What a person is told to do: commands that exist, and figures only where they are known."""

import io
import os
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from swapd.api import calls
from swapd.api.errors import ERRORS, ApiError, ErrorName
from swapd.api.table import METHODS
from swapd.cli import draw
from swapd.cli.live import picture
from swapd.cli.main import cli as tree
from swapd.cli.output import Output
from swapd.control import blocking
from swapd.control.blocking import BlockingClient
from swapd.control.failures import CannotConnectError
from tests.cli.conftest import Terminal
from tests.cli.test_terminal import drawn, on_a_terminal
from tests.fakes.operations import NOW, OFFER_ID, SWAP_ID, btc, detail, ltc, offer


def test_a_remedy_names_commands_to_people_and_methods_to_programs(cli: Terminal) -> None:
    error = ApiError(ErrorName.NO_MATCHING_OFFER, "nothing", remedy="see `book.get`, or `address`")
    cli.daemon.operations.fail("balance", error)
    assert "  see `swap-cli book`, or `swap-cli address`\n" in cli("balance").err
    cli.daemon.operations.fail("balance", error)
    assert cli("balance", "--json").json["error"]["remedy"] == error.remedy


@pytest.mark.parametrize("name", list(ErrorName))
def test_no_remedy_shows_a_person_a_method(name: ErrorName, cli: Terminal) -> None:
    cli.daemon.operations.fail("balance", ApiError(name, "x"))
    shown = cli("balance").err
    assert ERRORS[name].remedy
    assert not any(f"`{method}`" in shown for method in METHODS)


def test_every_command_in_a_remedy_exists() -> None:
    for method in METHODS.values():
        words = [word for word in method.cli.split()[1:] if word.islower()]
        assert words[0] in tree.commands, method.cli


def printed(result: calls.QuoteResult) -> str:
    stream = io.StringIO()
    draw.quote(Output(as_json=False, environ={}, stream=stream), result)
    return stream.getvalue()


def quoted(**changes: object) -> calls.QuoteResult:
    fill = calls.Fill(
        offer_id=OFFER_ID,
        maker="02" * 32,
        pay=ltc(400),
        receive=btc(5),
        price=offer().price,
    )
    known = calls.QuoteResult(
        fills=(fill,),
        pay=ltc(400),
        pay_total=ltc(400),
        receive=btc(5),
        receive_net=btc(5),
        fees=(),
        now=NOW,
        usual_seconds=0,
        worst_seconds=0,
        depth_pay=0,
        depth_receive=0,
        deadlines=(),
        if_they_vanish="they",
        if_we_vanish="we",
        warnings=(),
        problems=("the LTC node is not ready",),
    )
    return replace(known, **changes)


def test_a_quote_that_could_not_be_made_says_why_first_and_no_made_up_figures() -> None:
    text = printed(quoted())
    assert text.startswith("PROBLEM      the LTC node is not ready\n")
    assert "frozen" not in text
    assert "fee" not in text
    assert "0 s" not in text
    assert "0.000004 LTC" in text


def test_a_relay_says_that_it_has_no_coins() -> None:
    stream = io.StringIO()
    draw.balance(
        Output(as_json=False, environ={}, stream=stream),
        calls.BalanceResult(assets=(), unavailable=()),
    )
    assert stream.getvalue() == "This daemon only relays: it has no nodes, so no coins.\n"


def test_the_picture_leaves_out_what_is_past() -> None:
    shown = detail()
    late = replace(shown, now=max(moment.at for moment in shown.deadlines))
    assert "reveal gate" in drawn(picture(shown))
    assert "reveal gate" not in drawn(picture(late))


def test_long_values_are_wrapped_under_themselves_on_a_terminal(cli: Terminal) -> None:
    _, text = on_a_terminal(cli, "quote", OFFER_ID, COLUMNS="50")
    lines = text.replace("\r", "").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("if they vanish"))
    indent = lines[first].index("You get")
    assert lines[first + 1].startswith(" " * indent + lines[first + 1].strip()[:1])
    assert all(len(line) <= 50 for line in lines)


def test_a_script_stays_whole_on_a_narrow_terminal(cli: Terminal) -> None:
    _, text = on_a_terminal(cli, "swap", "show", SWAP_ID, COLUMNS="50")
    assert detail().legs[0].script in text


def test_a_daemon_that_does_not_answer_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "SILENCE_SECONDS", 0.0)
    path = tmp_path / "s"
    told: list[str] = []

    def give_up() -> None:
        told.append("silence")
        server.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        client = BlockingClient(path, on_silence=give_up)
        server, _ = listener.accept()
        with client, pytest.raises(CannotConnectError):
            client.call("getinfo", {})
    assert told == ["silence"]
