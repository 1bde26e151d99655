"""The figures: every one documented, with the value that the daemon's parts have, on loopback."""

import json
import re
from pathlib import Path

import prometheus_client
import pytest
import trio
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

import swapd
from protocol.swap.states import Revealed
from swapd.alarms.alarm import Alarm
from swapd.alarms.board import Board
from swapd.engine.pulse import Pulse
from swapd.metrics import server
from swapd.metrics.figures import Figures
from swapd.ports import GasAccount, ListenError
from tests.engine.swaps.conftest import stage as stage  # noqa: PLC0414 - a fixture
from tests.engine.swaps.stage import BTC, COIN, GET, PAY, Party, Stage, times_of

ROOT = Path(swapd.__file__).parent.parent
Rows = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Scrape:
    """The figures of a party, read as Prometheus reads them."""

    def __init__(self, party: Party) -> None:
        self.board, self.pulse = Board(party.world.clock), Pulse(party.world)
        self.party = party
        self._registry = prometheus_client.CollectorRegistry()
        self._registry.register(
            Figures(
                world=party.world,
                swaps=party.swaps,
                pulse=self.pulse,
                board=self.board,
                offers=lambda: (2, 5),
                folder=Path("/"),
                version="1.2",
                network="regtest",
            )
        )

    async def look(self) -> None:
        for asset, chain in self.party.world.chains.items():
            await self.pulse.look(asset, chain)
            await self.pulse.count(asset, chain)

    def text(self) -> bytes:
        return prometheus_client.generate_latest(self._registry)

    def rows(self) -> Rows:
        families = text_string_to_metric_families(self.text().decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def families(self) -> set[str]:
        return {family.name for family in text_string_to_metric_families(self.text().decode())}


def one(rows: Rows, name: str, **labels: str) -> float:
    return rows[name, tuple(sorted(labels.items()))]


async def test_deadlines_coins_and_counts_are_those_of_the_swaps(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        scrape = Scrape(stage.taker)
        assert one(scrape.rows(), "swapd_open_swaps") == 0
        taken = await stage.agree()
        swap = {"swap": taken.swap_id.hex()[:16], "role": "initiator"}
        times = times_of(taken)
        rows = scrape.rows()
        assert one(rows, "swapd_open_swaps") == 1
        left = times.lock_gate_i - stage.clock.now()
        assert one(rows, "swapd_swap_deadline_seconds", **swap) == left
        assert ("swapd_swap_due_seconds", tuple(sorted(swap.items()))) not in rows
        await stage.block()
        rows = scrape.rows()
        assert one(rows, "swapd_coins_units", ticker="BTC", state="locked") == PAY
        assert one(rows, "swapd_coins_units", ticker="LTC", state="locked") == 0
        maker = Scrape(stage.maker)
        assert one(maker.rows(), "swapd_coins_units", ticker="LTC", state="promised") == GET
        while not isinstance(stage.taker.state(taken.swap_id).secret, Revealed):
            await stage.block()
        rows = scrape.rows()
        left = times.expiry_p - stage.clock.now()
        assert one(rows, "swapd_swap_due_seconds", **swap) == left
        assert one(rows, "swapd_swap_margin_eaten_ratio", **swap) < 0.25
        assert one(rows, "swapd_swap_unattended_seconds", **swap) == 0


async def test_chains_wallets_and_the_daemon_are_told(stage: Stage, mock_clock: MockClock) -> None:
    scrape = Scrape(stage.taker)
    await scrape.look()
    sample = scrape.pulse.samples[BTC]
    assert sample.status is not None
    assert sample.balance is not None
    stage.clock.advance(100)
    scrape.pulse.samples[BTC] = replace(
        sample,
        latency=0.25,
        status=replace(sample.status, peers=9, problems=("one", "two")),
        balance=replace(sample.balance, gas=(GasAccount("claims", "0xbb", 4, 5),)),
    )
    rows = scrape.rows()
    age = stage.clock.now() - sample.status.tip_time
    assert one(rows, "swapd_chain_lag_seconds", ticker="BTC") == age
    assert one(rows, "swapd_chain_height", ticker="BTC") == stage.btc.height
    assert one(rows, "swapd_rpc_latency_seconds", ticker="BTC") == 0.25
    assert one(rows, "swapd_chain_peers", ticker="BTC") == 9
    assert one(rows, "swapd_chain_problems", ticker="BTC") == 2
    assert one(rows, "swapd_chain_up", ticker="BTC") == 1
    assert one(rows, "swapd_wallet_units", ticker="BTC", state="confirmed") == COIN
    assert one(rows, "swapd_gas_units", ticker="BTC", account="claims") == 4
    assert one(rows, "swapd_gas_needed_units", ticker="BTC", account="claims") == 5
    assert one(rows, "swapd_info", version="1.2", network="regtest") == 1
    assert one(rows, "swapd_offers", whose="own") == 2
    assert one(rows, "swapd_offers", whose="book") == 5
    assert one(rows, "swapd_may_begin") == 1
    assert one(rows, "swapd_disk_free_bytes") > 0
    stage.taker.btc.down = True
    stage.taker.world.mode.drain()
    await scrape.look()
    rows = scrape.rows()
    assert one(rows, "swapd_chain_up", ticker="BTC") == 0
    assert one(rows, "swapd_may_begin") == 0


async def test_alarms_are_figures_and_no_word_can_break_the_page(
    stage: Stage, mock_clock: MockClock
) -> None:
    scrape = Scrape(stage.taker)
    subject = '/data "x"\n# HELP'

    async def source() -> list[Alarm]:
        return [Alarm("disk_full", "critical", subject, "no space", "free some")]

    scrape.board.add(source)
    await scrape.board.look()
    labels = {"code": "disk_full", "severity": "critical", "subject": subject}
    assert one(scrape.rows(), "swapd_alarm", **labels) == 1


async def all_families(stage: Stage) -> set[str]:
    """Every metric there is; families without a sample count too."""
    scrape = Scrape(stage.taker)
    await scrape.look()
    return scrape.families()


async def test_the_documentation_lists_every_metric(stage: Stage, mock_clock: MockClock) -> None:
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(swapd_[a-z_]+)` \|", text, re.MULTILINE))
    assert documented == await all_families(stage)


# --- Rules and board --------------------------------------------------------------------------


RULE_LINE = {
    6: re.compile(r"- (alert): ([A-Z][A-Za-z]+)"),
    8: re.compile(r"(expr|for): (.+)|(labels|annotations):"),
    10: re.compile(r"(severity|summary): (.+)"),
}
"""What may stand at which indent: the plain YAML that Prometheus reads without surprises."""


def read_rules() -> list[dict[str, str]]:
    """The rules, flat. Raises AssertionError for a line of another form."""
    text = (ROOT / "config" / "prometheus-rules.yml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[:3] == ["groups:", "  - name: swapd", "    rules:"]
    rules: list[dict[str, str]] = []
    for line in lines[3:]:
        bare = line.lstrip()
        found = RULE_LINE[len(line) - len(bare)].fullmatch(bare)
        assert found is not None, line
        name, value = found[1], found[2] if found.lastindex != 3 else None
        if name == "alert":
            rules.append({})
        if value is not None:
            assert ": " not in value, "such a value would need quotes"
            assert value[0] not in "{[\"'&*!|>%@`", line
            rules[-1][name] = value
    return rules


async def test_the_alert_rules_parse_and_name_metrics_that_exist(
    stage: Stage, mock_clock: MockClock
) -> None:
    rules, known = read_rules(), await all_families(stage)
    for rule in rules:
        assert list(rule) == ["alert", "expr", "for", "severity", "summary"]
        assert rule["severity"] in {"warning", "critical"}
        assert re.fullmatch(r"[0-9]+[mh]", rule["for"])
        named = set(re.findall(r"swapd_[a-z_]+", rule["expr"]))
        assert named <= known, rule["alert"]
        assert named or "up{" in rule["expr"]
    alerts = [rule["alert"] for rule in rules]
    assert len(set(alerts)) == len(alerts) >= 8


async def test_the_board_parses_and_names_metrics_that_exist(
    stage: Stage, mock_clock: MockClock
) -> None:
    board = json.loads((ROOT / "config" / "grafana-board.json").read_text(encoding="utf-8"))
    known, shown = await all_families(stage), set[str]()
    for panel in board["panels"]:
        for target in panel["targets"]:
            shown |= set(re.findall(r"swapd_[a-z_]+", target["expr"]))
    assert shown <= known
    wanted = {
        "swapd_swap_deadline_seconds", "swapd_coins_units", "swapd_offers", "swapd_peers",
        "swapd_chain_lag_seconds", "swapd_wallet_units", "swapd_rpc_latency_seconds",
    }  # fmt: skip
    assert wanted <= shown
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


# --- The server -------------------------------------------------------------------------------


async def ask(port: int, request: bytes) -> bytes:
    """What the server answers until it closes."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(request)
        return b"".join([chunk async for chunk in stream])


async def serving(nursery: trio.Nursery, text: bytes = b"swapd_info 1\n") -> int:
    return int(await nursery.start(server.serve, "127.0.0.1", 0, lambda: text))


GET_METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_prometheus_is_answered_with_the_page() -> None:
    async with trio.open_nursery() as nursery:
        port = await serving(nursery)
        head, _, body = (await ask(port, GET_METRICS)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"text/plain; version=0.0.4" in head
        assert body == b"swapd_info 1\n"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /metrics/../seed HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"rubbish\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * server.MOST_REQUEST, b"431"),
    ],
)
async def test_anything_else_is_refused(request_: bytes, status: bytes) -> None:
    async with trio.open_nursery() as nursery:
        port = await serving(nursery)
        assert (await ask(port, request_)).startswith(b"HTTP/1.1 " + status)
        nursery.cancel_scope.cancel()


async def test_a_figure_that_breaks_ends_one_scrape_only() -> None:
    answers: list[bytes] = []

    def render() -> bytes:
        return answers.pop()

    async with trio.open_nursery() as nursery:
        port = int(await nursery.start(server.serve, "127.0.0.1", 0, render))
        assert await ask(port, GET_METRICS) == b""
        answers.append(b"fine\n")
        assert (await ask(port, GET_METRICS)).endswith(b"fine\n")
        nursery.cancel_scope.cancel()


async def test_clients_that_say_nothing_take_all_places_only_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.2)
    async with trio.open_nursery() as nursery:
        port = await serving(nursery)
        idle = [
            await trio.open_tcp_stream("127.0.0.1", port) for _ in range(server.MOST_CONNECTIONS)
        ]
        for stream in idle:
            assert await stream.receive_some(1) == b""
            await stream.aclose()
        assert (await ask(port, GET_METRICS)).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


async def test_a_port_in_use_is_told() -> None:
    async with trio.open_nursery() as nursery:
        port = await serving(nursery)
        with pytest.raises(ListenError, match=str(port)):
            await server.serve("127.0.0.1", port, lambda: b"")
        nursery.cancel_scope.cancel()
