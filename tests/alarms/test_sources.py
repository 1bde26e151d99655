"""What the daemon's own sources find, on the swap stage's chains and swaps."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from protocol.assets import AssetId
from protocol.swap.due import due
from protocol.swap.states import End, Revealed
from protocol.terms import LegName
from swapd.alarms.alarm import Alarm
from swapd.alarms.sources import host
from swapd.alarms.sources.chains import (
    AHEAD_SECONDS,
    CLOCK_OFF_SECONDS,
    CLOCK_WRONG_SECONDS,
    LONG_DOWN_SECONDS,
    ChainAlarms,
)
from swapd.alarms.sources.host import DiskAlarms, ModeAlarms, NetworkAlarms
from swapd.alarms.sources.recovery import RecoveryAlarms
from swapd.alarms.sources.swaps import SwapAlarms
from swapd.engine.mode import Mode
from swapd.engine.pulse import Pulse
from swapd.ports import (
    GasAccount,
    NetworkDown,
    PathStatus,
    PeerInfo,
    Peers,
    RecoveryStatus,
    StoreError,
    StoreFull,
)
from tests.engine.swaps.conftest import stage as stage  # noqa: PLC0414 - a fixture
from tests.engine.swaps.stage import BTC, COIN, LTC, Party, Stage, times_of
from tests.fakes.store import FakeStore


def told(alarms: Sequence[Alarm]) -> dict[str, tuple[str, str]]:
    """Severity and subject by code."""
    return {alarm.code: (alarm.severity, alarm.subject) for alarm in alarms}


class Watch:
    """The chain sources of a party, and one look at its nodes."""

    def __init__(self, party: Party, promised: int = 0, *, blocks_come: bool = False) -> None:
        self.party, self.pulse = party, Pulse(party.world)
        self.alarms = ChainAlarms(
            self.pulse, party.swaps, party.world.clock, lambda _: promised, blocks_come=blocks_come
        )

    async def look(self) -> None:
        for asset, chain in self.party.world.chains.items():
            await self.pulse.look(asset, chain)
            await self.pulse.count(asset, chain)

    def say(self, asset: AssetId, **changes: object) -> None:
        """The node says something else."""
        sample = self.pulse.samples[asset]
        assert sample.status is not None
        self.pulse.samples[asset] = replace(sample, status=replace(sample.status, **changes))


# --- Gas --------------------------------------------------------------------------------------


async def test_an_account_that_could_not_pay_for_a_swap_is_told_by_what_hangs_on_it(
    stage: Stage, mock_clock: MockClock
) -> None:
    def poor(watch: Watch) -> None:
        sample = watch.pulse.samples[BTC]
        assert sample.balance is not None
        gas = (GasAccount("locks", "0xaa", 4, 5), GasAccount("claims", "0xbb", 4, 5))
        watch.pulse.samples[BTC] = replace(sample, balance=replace(sample.balance, gas=gas))

    async def found(watch: Watch) -> dict[str, str]:
        await watch.look()
        poor(watch)
        alarms = await watch.alarms.wallets()
        assert all("swapd evm accounts" in a.remedy for a in alarms if a.code == "gas_low")
        return {a.subject: a.severity for a in alarms if a.code == "gas_low"}

    assert await found(Watch(stage.taker)) == {"BTC locks": "info", "BTC claims": "info"}
    assert await found(Watch(stage.taker, 1)) == {"BTC locks": "warning", "BTC claims": "warning"}
    async with stage.running():
        await stage.agree()
        watch = Watch(stage.taker)
        assert await found(watch) == {"BTC locks": "warning", "BTC claims": "critical"}
        sample = watch.pulse.samples[BTC]
        assert sample.balance is not None
        enough = tuple(GasAccount(each.name, each.address, 5, 5) for each in sample.balance.gas)
        watch.pulse.samples[BTC] = replace(sample, balance=replace(sample.balance, gas=enough))
        assert "gas_low" not in told(await watch.alarms.wallets())


async def test_a_clock_is_behind_a_chain_only_beyond_what_its_times_may_be_early(
    stage: Stage, mock_clock: MockClock
) -> None:
    watch = Watch(stage.taker)
    await watch.look()
    ahead = stage.clock.now() + 100
    watch.say(LTC, median_time=0)
    watch.say(BTC, median_time=ahead, early=100)
    assert await watch.alarms.clock() == []
    watch.say(BTC, median_time=ahead, early=99)
    assert told(await watch.alarms.clock()) == {"clock_wrong": ("critical", "behind")}


async def test_what_a_node_says_comes_with_its_own_remedy(
    stage: Stage, mock_clock: MockClock
) -> None:
    watch = Watch(stage.taker)
    await watch.look()
    watch.say(BTC, problems=("USDC is paused by its issuer", "there is no HTLC contract for it"))
    [alarm] = [each for each in await watch.alarms.nodes() if each.subject == "BTC"]
    assert "issuer" in alarm.remedy
    assert "swapd evm deploy" in alarm.remedy


# --- Nodes ------------------------------------------------------------------------------------


async def test_all_is_well_where_nothing_is_wrong(stage: Stage, mock_clock: MockClock) -> None:
    watch = Watch(stage.taker)
    stage.clock.advance(60)
    assert await watch.alarms.nodes() == []
    await watch.look()
    assert [
        await ask() for ask in (watch.alarms.nodes, watch.alarms.wallets, watch.alarms.clock)
    ] == [[], [], []]


async def test_a_node_that_is_away_is_grave_once_a_swap_has_waited_for_it(
    stage: Stage, mock_clock: MockClock
) -> None:
    watch = Watch(stage.taker)
    stage.taker.btc.down = True
    await watch.look()
    stage.clock.advance(LONG_DOWN_SECONDS)
    await watch.look()
    assert told(await watch.alarms.nodes()) == {"node_down": ("warning", "BTC")}
    stage.taker.btc.down = False
    await watch.look()
    async with stage.running():
        await stage.agree()
        stage.taker.btc.down = True
        await watch.look()
        stage.clock.advance(LONG_DOWN_SECONDS - 1)
        await watch.look()
        assert told(await watch.alarms.nodes()) == {"node_down": ("warning", "BTC")}
        stage.clock.advance(1)
        await watch.look()
        (alarm,) = await watch.alarms.nodes()
        assert (alarm.severity, alarm.subject) == ("critical", "BTC")
        assert "1 open swaps" in alarm.text


async def test_a_node_that_is_behind_or_ill_is_told(stage: Stage, mock_clock: MockClock) -> None:
    watch = Watch(stage.taker)
    await watch.look()
    watch.say(BTC, synced=False, problems=("still catching up",))
    watch.say(LTC, problems=("a competing branch",))
    assert told(await watch.alarms.nodes()) == {
        "node_behind": ("warning", "BTC"),
        "node_problem": ("warning", "LTC"),
    }


# --- Wallets ----------------------------------------------------------------------------------


async def test_a_wallet_without_the_promised_coins_and_their_fees_is_told(
    stage: Stage, mock_clock: MockClock
) -> None:
    found: list[Alarm] = []
    for promised, expected in ((0, {}), (COIN // 2, {}), (COIN, {"low_reserves"})):
        watch = Watch(stage.taker, promised)
        await watch.look()
        found = [alarm for alarm in await watch.alarms.wallets() if alarm.subject == "BTC"]
        assert {alarm.code for alarm in found} == set(expected), promised
    assert "1 are promised" in found[0].text


async def test_a_wallet_that_does_not_answer_is_told(stage: Stage, mock_clock: MockClock) -> None:
    watch = Watch(stage.taker)
    await watch.look()
    stage.taker.btc.down = True
    await watch.pulse.count(BTC, stage.taker.btc)
    assert told(await watch.alarms.wallets()) == {"wallet_trouble": ("warning", "BTC")}


# --- The clock --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"median_time": 0}, None),
        ({"median_time": 1}, ("critical", "behind")),
        ({"time_offset": CLOCK_OFF_SECONDS - 1}, None),
        ({"time_offset": -CLOCK_OFF_SECONDS}, ("warning", "BTC peers")),
        ({"time_offset": CLOCK_WRONG_SECONDS}, ("critical", "BTC peers")),
    ],
)
async def test_a_wrong_clock_is_seen_by_median_time_and_by_the_nodes_peers(
    stage: Stage,
    mock_clock: MockClock,
    changes: dict[str, int],
    expected: tuple[str, str] | None,
) -> None:
    watch = Watch(stage.taker)
    stage.clock.advance(60)
    await watch.look()
    if "median_time" in changes:
        changes = {"median_time": stage.clock.now() + changes["median_time"]}
    watch.say(BTC, **changes)
    found = told(await watch.alarms.clock())
    assert found == ({} if expected is None else {"clock_wrong": expected})


async def test_a_clock_that_runs_ahead_shows_by_the_age_of_every_tip(
    stage: Stage, mock_clock: MockClock
) -> None:
    watch, idle = Watch(stage.taker, blocks_come=True), Watch(stage.taker)
    for one in (watch, idle):
        await one.look()
    stage.clock.advance(AHEAD_SECONDS + 3600)
    assert told(await watch.alarms.clock()) == {"clock_wrong": ("warning", "ahead")}
    assert await idle.alarms.clock() == []
    watch.say(LTC, tip_time=stage.clock.now())
    assert await watch.alarms.clock() == []


# --- Swaps ------------------------------------------------------------------------------------


async def test_a_claim_that_is_not_mined_is_told_before_the_other_side_can_take_the_coins(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        taken = await stage.agree()
        while not isinstance(stage.taker.state(taken.swap_id).secret, Revealed):
            await stage.block()
        stage.idle.add(LegName.P)  # no block takes the claim
        alarms, times = SwapAlarms(stage.taker.swaps, stage.clock), times_of(taken)
        assert await alarms.deadlines() == []
        margin = times.expiry_p - times.reveal_gate
        seen = []
        for share, severity in ((0.25, "warning"), (0.5, "critical"), (1.0, "critical")):
            stage.clock.set(times.reveal_gate + int(share * margin) - 1)
            seen.append(told(await alarms.deadlines()).get("deadline_near", ("", ""))[0])
            stage.clock.set(times.reveal_gate + int(share * margin) + 1)
            (alarm,) = await alarms.deadlines()
            assert (alarm.code, alarm.severity) == ("deadline_near", severity)
            assert alarm.subject == taken.swap_id.hex()[:16]
            assert "our claim must be mined" in alarm.text
        assert seen == ["", "warning", "critical"]
        stage.idle.clear()
        await stage.blocks(10, taken)
        assert await alarms.deadlines() == []
    assert stage.taker.end(taken) is End.COMPLETED


async def test_a_refund_of_the_maker_has_a_deadline_and_the_takers_has_none(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        taken = await stage.agree()
        while not stage.ltc.mempool:
            await stage.block()
        stage.taker.btc.down = stage.taker.ltc.down = True
        await stage.block()
        times = times_of(taken)
        while stage.clock.now() <= times.expiry_p:
            await stage.block()
        owed = due(stage.maker.state(taken.swap_id))
        assert owed is not None
        assert (owed.what, owed.until) == ("our refund must be mined", times.claim_deadline)
        assert due(stage.taker.state(taken.swap_id)) is None


async def test_a_step_of_ours_that_something_keeps_us_from_is_told_before_its_gate(
    stage: Stage, mock_clock: MockClock
) -> None:
    stage.taker.btc.problems = ("only 1 peer",)
    async with stage.running():
        taken = await stage.agree()
        alarms, times = SwapAlarms(stage.taker.swaps, stage.clock), times_of(taken)
        assert await alarms.deadlines() == []
        stage.clock.set(times.lock_gate_i - 5)
        found = await alarms.deadlines()
        assert told(found) == {"gate_near": ("warning", taken.swap_id.hex()[:16])}


async def test_a_journal_that_fails_and_a_swap_that_nobody_runs_are_grave(
    stage: Stage, mock_clock: MockClock
) -> None:
    def refuse(_what: str) -> None:
        raise StoreError("no space")

    async with stage.running():
        taken = await stage.agree()
        stage.taker.store.before_write = refuse
        await stage.block()
        alarms = SwapAlarms(stage.taker.swaps, stage.clock)
        name = taken.swap_id.hex()[:16]
        assert told(await alarms.trouble()) == {"journal_failed": ("critical", name)}
        stage.taker.swaps._leave(bytes(32), "no node is configured")
        assert told(await alarms.trouble())["swap_unattended"] == ("critical", "00" * 8)


async def test_trouble_of_a_swap_is_told(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        taken = await stage.agree()
        alarms = SwapAlarms(stage.taker.swaps, stage.clock)
        assert await alarms.trouble() == []
        stage.taker.swaps._runners[taken.swap_id].trouble = "the node refused it"
        assert told(await alarms.trouble()) == {
            "swap_trouble": ("warning", taken.swap_id.hex()[:16])
        }


# --- This machine -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "files", "expected"),
    [
        (1 << 40, None, {}),
        (1 << 30, 1000, {}),
        ((1 << 30) - 1, None, {"disk_low": "warning"}),
        ((100 << 20) - 1, None, {"disk_low": "critical"}),
        (1 << 40, 999, {"disk_low": "warning"}),
    ],
)
async def test_a_disk_that_fills_is_told_by_bytes_and_by_files(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    size: int,
    files: int | None,
    expected: dict[str, str],
) -> None:
    monkeypatch.setattr(host, "free_space", lambda _: (size, files))
    found = await DiskAlarms(tmp_path, FakeStore()).look()
    assert {alarm.code: alarm.severity for alarm in found} == expected


async def test_the_real_disk_is_asked(tmp_path: Path) -> None:
    size, files = host.free_space(tmp_path)
    assert size > 0
    assert files is None or files > 0
    (alarm,) = await DiskAlarms(tmp_path / "gone", FakeStore()).look()
    assert (alarm.code, alarm.severity) == ("store_failed", "critical")


async def test_a_store_that_takes_no_write_is_told_whatever_the_figures_say(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    store = FakeStore()
    disk = DiskAlarms(tmp_path, store)
    problems: list[StoreError | None] = [None]

    def before(_what: str) -> None:
        if problems[-1] is not None:
            raise problems[-1]

    store.before_write = before
    assert "disk_full" not in told(await disk.look())
    problems.append(StoreFull("no space"))
    await trio.sleep(host.PROBE_SECONDS)
    assert told(await disk.look()) == {"disk_full": ("critical", str(tmp_path))}
    problems.append(StoreError("broken"))
    assert told(await disk.look()) == {"store_failed": ("critical", str(tmp_path))}
    problems.append(None)
    assert "store_failed" not in told(await disk.look())


@pytest.mark.parametrize(
    ("peers", "trading", "expected"),
    [
        ((PeerInfo("p", (), False, 0, None),), True, {}),
        ((), True, {"no_peers": ("warning", "network")}),
        ((), False, {"no_peers": ("info", "network")}),
        (None, False, {"network_down": ("warning", "network")}),
    ],
)
async def test_the_network_is_looked_at(
    peers: tuple[PeerInfo, ...] | None, trading: bool, expected: dict[str, tuple[str, str]]
) -> None:
    async def ask() -> tuple[PeerInfo, ...]:
        if peers is None:
            raise NetworkDown("it restarts")
        return peers

    source = NetworkAlarms(cast("Peers", SimpleNamespace(peers=ask)), lambda: trading)
    assert told(await source.look()) == expected


async def test_a_place_of_the_recovery_file_that_is_behind_is_told() -> None:
    places = [PathStatus("/good", ok=True), PathStatus("/bad", ok=False, error="no space")]
    (alarm,) = await RecoveryAlarms(lambda: RecoveryStatus(tuple(places))).look()
    assert (alarm.code, alarm.severity, alarm.subject) == ("recovery_stale", "critical", "/bad")
    assert alarm.text == "no space"


async def test_a_mode_that_somebody_may_have_forgotten_is_told() -> None:
    assert told(await ModeAlarms(Mode(locked=True)).look()) == {"locked": ("critical", "daemon")}
    mode = Mode()
    source = ModeAlarms(mode)
    assert await source.look() == ()
    mode.drain()
    assert told(await source.look()) == {"draining": ("info", "daemon")}
    mode.only_watch("the same seed runs elsewhere")
    assert told(await source.look()) == {"watch_only": ("warning", "daemon")}
