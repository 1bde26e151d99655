"""Each command against a made-up daemon: what it asks for, and what it prints."""

import json

import pytest
from msgspec.structs import replace

from swapd.api import calls
from swapd.api.calls import Side, SwapEvent, Topic
from swapd.api.errors import ApiError, ErrorName
from swapd.api.table import METHODS, Method
from swapd.api.values import AmountParam, SwapPhase
from swapd.cli.main import cli as tree
from tests.cli.conftest import Terminal
from tests.fakes.operations import OFFER_ID, SWAP_ID, TXID, offer, summary

HALF = AmountParam(asset="BTC", decimal="0.5")


def asked(cli: Terminal, kind: type) -> list[object]:
    return [p for p in cli.daemon.operations.seen if type(p) is kind]


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.name)
def test_the_command_in_the_table_exists(method: Method) -> None:
    words = method.cli.split()[1:]
    command: object = tree
    for word in words:
        inner = getattr(command, "commands", {}).get(word)
        if inner is None:
            break
        command = inner
    assert command is not tree
    assert not hasattr(command, "commands"), "a group is no command"


def test_info(cli: Terminal) -> None:
    out = cli.raises_nothing("info").out
    assert "network              regtest" in out
    assert "assets               BTC, LTC" in out


def test_health_names_each_problem_and_its_remedy(cli: Terminal) -> None:
    out = cli("health").out
    assert "problem  LTC: nobody answers at 127.0.0.1:19443\n         start litecoind\n" in out


def test_balance_is_a_table_of_exact_amounts(cli: Terminal) -> None:
    rows = cli.raises_nothing("balance").rows
    assert rows[0] == ["asset", "free", "reserved", "locked", "in", "flight", "payout", "coins"]
    assert rows[1] == ["BTC", "1.5", "0.5", "0", "0.00000001", "0.12345678", "3"]
    assert rows[2][0] == "LTC"


def test_balance_of_one_asset(cli: Terminal) -> None:
    out = cli.raises_nothing("balance", "ltc").out
    assert "LTC" in out
    assert "BTC" not in out


def test_an_address_is_printed_alone(cli: Terminal) -> None:
    assert cli.raises_nothing("address", "BTC").out == "bcrt1qfresh\n"


def test_withdraw_shows_the_fee_then_asks_then_sends(cli: Terminal) -> None:
    result = cli("withdraw", "BTC", "bcrt1qthere", answers="y\n")
    assert result.code == 0
    shown, _, after = result.out.partition("Send it?")
    assert "fee      0.00000678 BTC" in shown
    assert TXID not in shown
    assert TXID in after
    first, second = asked(cli, calls.WithdrawParams)
    assert isinstance(first, calls.WithdrawParams)
    assert isinstance(second, calls.WithdrawParams)
    assert (first.dry_run, first.idempotency_key) == (True, None)
    assert second.dry_run is False
    assert second.idempotency_key


@pytest.mark.parametrize(
    "command",
    [
        ["withdraw", "BTC", "bcrt1qthere"],
        ["wallet", "split", "3", "0.1", "BTC"],
        ["offer", "post", "--sell", "0.5", "BTC", "--buy", "LTC", "--price", "80"],
        ["take", OFFER_ID],
    ],
)
def test_money_moves_only_after_a_yes(cli: Terminal, command: list[str]) -> None:
    def moved() -> bool:
        return any(
            not getattr(p, "dry_run", False)
            for p in cli.daemon.operations.seen
            if type(p).__name__.removesuffix("Params")
            in {"Withdraw", "WalletSplit", "OfferPost", "Take"}
        )

    no = cli(*command, answers="n\n")
    assert no.code == 130
    assert not moved()
    nobody = cli(*command)
    assert nobody.code == 3
    assert "--yes" in nobody.err
    assert not moved()
    assert cli(*command, "--json").code == 3
    assert not moved()
    assert cli(*command, answers="y\n").code == 0
    assert moved()
    cli.daemon.operations.seen.clear()
    assert cli(*command, "--yes").code == 0
    assert moved()


def test_a_key_is_handed_on(cli: Terminal) -> None:
    for _ in range(2):
        cli.raises_nothing("take", OFFER_ID, "--yes", "--key", "mine")
    assert cli.daemon.operations.started["take"] == 1


def test_split_takes_an_amount_of_two_words(cli: Terminal) -> None:
    cli.raises_nothing("wallet", "split", "3", "0.1", "BTC", "--yes")
    found = asked(cli, calls.WalletSplitParams)[0]
    assert isinstance(found, calls.WalletSplitParams)
    assert (found.count, found.amount) == (3, AmountParam(asset="BTC", decimal="0.1"))


def test_pair_check_says_what_is_wrong(cli: Terminal) -> None:
    out = cli.raises_nothing("pair", "check", "BTC/LTC").out
    assert "NO  the LTC node does not answer" in out
    assert "can not be swapped now" in out


def test_the_book_has_the_best_ask_next_to_the_bids(cli: Terminal) -> None:
    rows = cli.raises_nothing("book", "BTC/LTC").rows
    assert [r[1] for r in rows[1:]] == ["82", "81", "80"]
    assert rows[3][-1] == OFFER_ID[:16]


def test_the_book_pages(cli: Terminal) -> None:
    first = cli.raises_nothing("book", "BTC/LTC", "--limit", "2", "--json").json
    rest = cli.raises_nothing("book", "BTC/LTC", "--cursor", first["next_cursor"], "--json").json
    assert len(first["asks"]) == 2
    assert len(rest["asks"]) == 1
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "amount", [["--sell", "0.5", "BTC"], ["--sell", "0.5 BTC"], ["--sell=0.5BTC"]]
)
def test_offer_post_takes_human_amounts_exactly(cli: Terminal, amount: list[str]) -> None:
    result = cli.raises_nothing(
        "offer", "post", *amount, "--buy", "LTC", "--price", "80.5", "--min", "0.01", "BTC", "--yes"
    )
    found = asked(cli, calls.OfferPostParams)[0]
    assert isinstance(found, calls.OfferPostParams)
    assert found.sell == HALF
    assert found.minimum == AmountParam(asset="BTC", decimal="0.01")
    assert found.price == "80.5"
    assert "for            40.25 LTC" in result.out


def test_a_too_precise_amount_is_refused_with_the_smallest_step(cli: Terminal) -> None:
    arguments = ["--sell", "0.123456789", "BTC", "--buy", "LTC", "--price", "80", "--yes"]
    result = cli("offer", "post", *arguments)
    assert result.code == 1
    assert "smallest step is 0.00000001 BTC" in result.err


def test_an_unknown_ticker_is_refused_with_the_known_ones(cli: Terminal) -> None:
    result = cli("offer", "post", "--sell", "1 BTD", "--buy", "LTC", "--price", "80", "--yes")
    assert result.code == 1
    assert "did you mean BTC" in result.err
    assert "BTC, LTC" in result.err


@pytest.mark.parametrize("text", ["0.5", "BTC", "half BTC", "-0.5 -BTC"])
def test_what_is_no_amount_is_a_wrong_command_line(cli: Terminal, text: str) -> None:
    result = cli("offer", "post", "--sell", text, "--buy", "LTC", "--price", "80", "--yes")
    assert result.code == 3
    assert cli.daemon.operations.seen == []


def test_a_negative_amount_is_refused_by_name(cli: Terminal) -> None:
    arguments = ["--sell", "-0.5", "BTC", "--buy", "LTC", "--price", "80", "--yes", "--json"]
    result = cli("offer", "post", *arguments)
    assert result.code == 1
    assert result.json["error"]["name"] == "amount_not_positive"


def test_own_offers_are_listed_exactly(cli: Terminal) -> None:
    rows = cli.raises_nothing("offer", "list").rows
    assert rows[1][:3] == ["live", "0.5", "BTC"]
    assert rows[1][-1] == OFFER_ID[:16]


def test_an_offer_is_cancelled_by_the_beginning_of_its_id(cli: Terminal) -> None:
    out = cli.raises_nothing("offer", "cancel", OFFER_ID[:6]).out
    assert out == f"cancelled {OFFER_ID}\n"


def test_all_offers_are_cancelled_only_when_asked_for(cli: Terminal) -> None:
    assert cli("offer", "cancel").code == 3
    assert cli("offer", "cancel", OFFER_ID, "--all").code == 3
    assert asked(cli, calls.OfferCancelParams) == []
    cli.raises_nothing("offer", "cancel", "--all")
    found = asked(cli, calls.OfferCancelParams)[0]
    assert isinstance(found, calls.OfferCancelParams)
    assert found.every


def test_a_quote_says_everything_that_can_happen(cli: Terminal) -> None:
    out = cli.raises_nothing("quote", OFFER_ID).out
    for text in (
        "you lock        40 LTC",
        "after its fee   0.49999861 BTC",
        "usually takes   1 h 6 min",
        "frozen for 1 d 18 h",
        "if they vanish",
        "if you vanish",
        "Price moves are yours.",
    ):
        assert text in out
    assert asked(cli, calls.TakeParams) == []


def test_a_quote_by_pair_is_asked_with_side_and_limit(cli: Terminal) -> None:
    cli.raises_nothing(
        "quote",
        "--pair",
        "BTC/LTC",
        "--side",
        "buy",
        "--amount",
        "0.5",
        "BTC",
        "--limit-price",
        "81",
    )
    assert asked(cli, calls.QuoteParams) == [
        calls.QuoteParams(pair="BTC/LTC", side=Side.BUY, amount=HALF, limit_price="81")
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--pair", "BTC/LTC"],
        ["--pair", "BTC/LTC", "--side", "buy"],
        [OFFER_ID, "--pair", "BTC/LTC"],
        [OFFER_ID, "--limit-price", "5"],
        ["--pair", "BTC/LTC", "--side", "hold", "--amount", "1", "BTC"],
    ],
)
def test_a_take_says_one_thing(cli: Terminal, arguments: list[str]) -> None:
    assert cli("take", *arguments, "--yes").code == 3
    assert cli.daemon.operations.seen == []


def test_a_take_of_a_pair_takes_the_offer_that_was_shown(cli: Terminal) -> None:
    arguments = ["--pair", "BTC/LTC", "--side", "buy", "--amount", "0.5", "BTC"]
    result = cli("take", *arguments, answers="y\n")
    assert result.code == 0
    found = asked(cli, calls.TakeParams)[0]
    assert isinstance(found, calls.TakeParams)
    assert (found.offer_id, found.amount, found.pair) == (OFFER_ID, HALF, None)
    assert f"swap {SWAP_ID}" in result.out


def test_a_take_hands_on_part_and_destination(cli: Terminal) -> None:
    cli.raises_nothing(
        "take", OFFER_ID[:8], "--amount", "0.5", "BTC", "--to", "bcrt1qmine", "--yes"
    )
    found = asked(cli, calls.TakeParams)[0]
    assert isinstance(found, calls.TakeParams)
    assert (found.offer_id, found.amount, found.destination) == (OFFER_ID, HALF, "bcrt1qmine")


def test_a_beginning_that_fits_several_offers_is_refused(cli: Terminal) -> None:
    twin = replace(offer(0x0F), offer_id="0f0f" + "e" * 60)
    cli.daemon.operations.asks = [offer(0x0F), offer(0x1F), twin]
    result = cli("quote", "0f0f")
    assert result.code == 3
    assert "2 ids begin with 0f0f" in result.err
    assert cli("quote", "beef").code == 3
    assert cli("quote", "0f").code == 3


def test_swaps_are_listed_open_ones_alone_if_wished(cli: Terminal) -> None:
    assert [r[1] for r in cli.raises_nothing("swap", "list").rows[1:]] == ["locking", "completed"]
    rows = cli.raises_nothing("swap", "list", "--open").rows
    assert [r[1] for r in rows[1:]] == ["locking"]


def test_a_swap_is_shown_with_every_address_txid_and_deadline(cli: Terminal) -> None:
    out = cli.raises_nothing("swap", "show", SWAP_ID[:4]).out
    for text in (
        SWAP_ID,
        TXID,
        "rltc1q",
        "63a820",
        "confirmed, 1 of 3 confirmations",
        "chain: 2 more confirmations of your lock (in 2 min)",
        "expiry i",
        "in 6 min 10 s",
        "Your lock is on its way",
    ):
        assert text in out


def test_an_unknown_swap_is_an_error_reply(cli: Terminal) -> None:
    result = cli("swap", "show", "ee" * 32)
    assert result.code == 1
    assert "no swap" in result.err
    assert "see `swap-cli swap list` for the swaps there are" in result.err


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        (SwapPhase.COMPLETED, 0),
        (SwapPhase.REFUNDED, 4),
        (SwapPhase.NEVER_FUNDED, 4),
        (SwapPhase.LOST, 4),
    ],
)
def test_waiting_ends_as_the_swap_ends(cli: Terminal, phase: SwapPhase, code: int) -> None:
    cli.daemon.operations.swaps = [summary(0x5A, phase)]
    result = cli("swap", "wait", SWAP_ID)
    assert result.code == code
    assert phase.replace("_", " ") in result.out


def test_waiting_tells_each_change_once(cli: Terminal) -> None:
    rounds = iter([SwapPhase.LOCKING, SwapPhase.LOCKING, SwapPhase.CLAIMING, SwapPhase.COMPLETED])

    def next_phase(name: str) -> None:
        if name in ("swap_get", "swap_wait"):
            cli.daemon.operations.swaps = [summary(0x5A, next(rounds))]

    cli.daemon.operations.on_call = next_phase
    result = cli("swap", "wait", SWAP_ID)
    assert result.code == 0
    assert [line.split()[2] for line in result.out.splitlines()] == [
        "locking:",
        "claiming:",
        "completed:",
    ]


def test_waiting_in_json_gives_the_end_watching_gives_each_change(cli: Terminal) -> None:
    def run(command: str) -> list[str]:
        rounds = iter([SwapPhase.LOCKING, SwapPhase.CLAIMING, SwapPhase.REFUNDED])

        def next_phase(name: str) -> None:
            if name in ("swap_get", "swap_wait"):
                cli.daemon.operations.swaps = [summary(0x5A, next(rounds))]

        cli.daemon.operations.on_call = next_phase
        result = cli("swap", command, SWAP_ID, "--json")
        assert result.code == 4
        return [json.loads(line)["summary"]["phase"] for line in result.out.splitlines()]

    assert run("wait") == ["refunded"]
    assert run("watch") == ["locking", "claiming", "refunded"]


def test_taking_and_waiting_in_one(cli: Terminal) -> None:
    cli.daemon.operations.swaps = [summary(0x5A, SwapPhase.REFUNDED)]
    result = cli("take", OFFER_ID, "--yes", "--wait")
    assert result.code == 4
    assert "the maker never locked" in result.out


def test_watching_prints_events_as_they_come(cli: Terminal) -> None:
    log = cli.daemon.operations.logs[Topic.SWAPS]
    original = cli.daemon.operations.events

    def events(topic: Topic) -> object:
        # Published once somebody subscribes: after this very step.
        cli.daemon.soon(lambda: log.publish(SwapEvent(what="lock seen", swap=summary())))
        cli.daemon.soon(lambda: log.publish(SwapEvent(what="lock final", swap=summary())))
        return original(topic)

    cli.daemon.operations.events = events  # type: ignore[assignment, method-assign]  # a spy in its place
    plain = cli("swap", "watch", "--count", "2")
    assert "locking: lock seen" in plain.out
    ndjson = cli("swap", "watch", "--count", "2", "--json").out.splitlines()
    assert [json.loads(line)["event"]["what"] for line in ndjson] == ["lock seen", "lock final"]


def test_a_swap_is_cancelled(cli: Terminal) -> None:
    assert "locking" in cli.raises_nothing("swap", "cancel", SWAP_ID).out


def test_peers_are_listed_with_our_own_addresses(cli: Terminal) -> None:
    out = cli.raises_nothing("peer", "list").out
    assert "16Uiu2HAmOther" in out
    assert "our own address: /ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAm" in out


def test_peers_are_connected_and_disconnected(cli: Terminal) -> None:
    address = "/ip4/192.0.2.1/tcp/9735/p2p/16Uiu2HAmOther"
    assert cli.raises_nothing("peer", "connect", address).out == "connected to 16Uiu2HAmOther\n"
    assert cli.raises_nothing("peer", "disconnect", "16Uiu2HAmOther").out == "disconnected\n"


def test_call_reaches_any_method_with_plain_words(cli: Terminal) -> None:
    result = cli.raises_nothing("call", "book.get", "pair=BTC/LTC", "limit=1")
    assert len(result.json["asks"]) == 1
    amount = '{"asset":"BTC","decimal":"0.5"}'
    cli.raises_nothing("call", "quote", f"offer_id={OFFER_ID}", f"amount={amount}")
    assert asked(cli, calls.QuoteParams) == [calls.QuoteParams(offer_id=OFFER_ID, amount=HALF)]


def test_call_keeps_ids_of_digits_as_text(cli: Terminal) -> None:
    result = cli("call", "swap.get", "swap_id=" + "1" * 64)
    assert result.code == 1
    assert "no swap" in result.err


@pytest.mark.parametrize("parameter", ["limit", "=1", 'x={"a"'])
def test_call_refuses_what_is_no_parameter(cli: Terminal, parameter: str) -> None:
    assert cli("call", "book.get", "pair=BTC/LTC", parameter).code == 3


def test_call_of_an_unknown_method_suggests_the_nearest(cli: Terminal) -> None:
    result = cli("call", "swap.lst")
    assert result.code == 1
    assert "did you mean `swap.list`?" in result.err


def test_stop_says_what_stays_open_and_until_when_it_is_safe(cli: Terminal) -> None:
    out = cli.raises_nothing("stop").out
    assert SWAP_ID in out
    assert "safe unattended until 2027-01-15 08:06:10" in out
    assert cli.daemon.stopped.wait(20)


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["alarms"],
        ["drain"],
        ["unlock"],
        ["balance"],
        ["address", "BTC"],
        ["withdraw", "BTC", "bcrt1qthere", "--yes"],
        ["wallet", "split", "3", "0.1", "BTC", "--yes"],
        ["pair", "check", "BTC/LTC"],
        ["book", "BTC/LTC"],
        ["offer", "post", "--sell", "0.5", "BTC", "--buy", "LTC", "--price", "80", "--yes"],
        ["offer", "list"],
        ["offer", "cancel", "--all"],
        ["quote", OFFER_ID],
        ["take", OFFER_ID, "--yes"],
        ["swap", "list"],
        ["swap", "show", SWAP_ID],
        ["swap", "cancel", SWAP_ID],
        ["peer", "list"],
        ["peer", "connect", "/p2p/x"],
        ["peer", "disconnect", "x"],
        ["call", "getinfo"],
        ["stop"],
    ],
)
@pytest.mark.parametrize("where", ["before", "after"])
def test_json_is_one_object_and_nothing_else(cli: Terminal, command: list[str], where: str) -> None:
    arguments = ["--json", *command] if where == "before" else [*command, "--json"]
    assert isinstance(cli.raises_nothing(*arguments).json, dict)


def test_an_error_in_json_has_its_code_name_and_remedy(cli: Terminal) -> None:
    error = ApiError(ErrorName.NODE_UNREACHABLE, "the LTC node does not answer")
    cli.daemon.operations.fail("balance", error)
    result = cli("balance", "--json")
    assert result.code == 1
    assert result.err == ""
    assert result.json["error"] == {
        "code": 5001,
        "name": "node_unreachable",
        "message": "the LTC node does not answer",
        "retryable": True,
        "remedy": "start the node, or correct its address",
        "detail": {},
    }


def test_an_error_is_told_with_what_to_do(cli: Terminal) -> None:
    error = ApiError(ErrorName.WALLET_LOCKED, "the BTC node's wallet is locked")
    cli.daemon.operations.fail("balance", error)
    result = cli("balance")
    assert result.code == 1
    assert result.err.splitlines() == [
        "error: the BTC node's wallet is locked",
        "  unlock the node's wallet (walletpassphrase)",
    ]


def test_towers_are_listed_with_what_they_hold_and_what_is_wrong(cli: Terminal) -> None:
    out = cli.raises_nothing("towers").out
    assert "16Uiu2HAmTower at /ip4/192.0.2.8/tcp/7928" in out
    assert "gets our claims" in out
    assert "problem: its BTC node is 9 blocks behind" in out
    assert "NOT HELD" in out
    assert "ab" * 32 in out
