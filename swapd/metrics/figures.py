"""Every metric there is: name, meaning, labels, and the value at this moment.

Owns: `Figures`, a collector over the running daemon. Must not know: HTTP. Nothing is counted up
here: each scrape reads what is in memory, so that it costs no node a call.

Labels never hold what a stranger chose: they would fill the monitoring with their words.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from protocol.assets import AssetId
from protocol.swap import explain, reading
from protocol.swap.due import due
from protocol.swap.pending import next_deadline
from protocol.swap.states import SwapState, Unfunded
from swapd.alarms.alarm import Alarm
from swapd.alarms.board import Board
from swapd.alarms.sources.host import free_space
from swapd.engine.pulse import Pulse, Sample
from swapd.engine.swaps import Swaps
from swapd.engine.world import World

Value = tuple[tuple[str, ...], float]
"""Label values in the order of the labels, and the figure."""

_SWAP: Final = ("swap", "role")
_CHAIN: Final = ("ticker",)


class Figures(Collector):
    """`held` and `offers` are those of this moment; `folder` is on the disk that must not fill."""

    def __init__(
        self,
        *,
        world: World,
        swaps: Swaps,
        pulse: Pulse,
        board: Board,
        offers: Callable[[], tuple[int, int]],
        folder: Path,
        version: str,
        network: str,
    ) -> None:
        self._world = world
        self._swaps = swaps
        self._pulse = pulse
        self._board = board
        self._offers = offers
        self._folder = folder
        self._about = (version, network)

    def collect(self) -> Iterable[Metric]:
        """Every family, in the order of the documentation."""
        for name, text, labels, values in self._families():
            family = GaugeMetricFamily(name, text, labels=labels)
            for row, value in values:
                family.add_metric(row, value)
            yield family

    def _families(self) -> Iterator[tuple[str, str, tuple[str, ...], list[Value]]]:
        yield from self._daemon()
        yield from self._of_swaps()
        yield from self._of_chains()

    # --- The daemon ---------------------------------------------------------------------------

    def _daemon(self) -> Iterator[tuple[str, str, tuple[str, ...], list[Value]]]:
        mode = self._world.mode
        own, book = self._offers()
        yield (
            "swapd_info", "Version and network; always 1.", ("version", "network"),
            [(self._about, 1.0)],
        )  # fmt: skip
        yield (
            "swapd_may_begin", "1 while new swaps may begin; 0 draining, watching or locked.", (),
            [((), float(not mode.may_begin()))],
        )  # fmt: skip
        yield "swapd_peers", "Connected peers.", (), [((), float(self._world.peers.peer_count()))]
        yield (
            "swapd_offers", "Live offers: our own, and all in the books.", ("whose",),
            [(("own",), float(own)), (("book",), float(book))],
        )  # fmt: skip
        yield (
            "swapd_alarm", "1 for each alarm that holds.", ("code", "severity", "subject"),
            [((a.code, a.severity, a.subject), 1.0) for a in self._alarms()],
        )  # fmt: skip
        yield (
            "swapd_disk_free_bytes", "Space left for the data directory.", (), self._disk(),
        )  # fmt: skip

    def _alarms(self) -> Iterator[Alarm]:
        return (held.alarm for held in self._board.holding())

    def _disk(self) -> list[Value]:
        try:
            return [((), float(free_space(self._folder)[0]))]
        except OSError:
            return []

    # --- Swaps --------------------------------------------------------------------------------

    def _of_swaps(self) -> Iterator[tuple[str, str, tuple[str, ...], list[Value]]]:
        states, now = self._swaps.open(), self._world.clock.now()
        yield "swapd_open_swaps", "Swaps that have not ended.", (), [((), float(len(states)))]
        yield (
            "swapd_unattended_swaps", "Open swaps that nobody looks after.", (),
            [((), float(len(self._swaps.unattended())))],
        )  # fmt: skip
        yield (
            "swapd_swap_deadline_seconds",
            "Until something changes by time alone in a swap: its next gate or expiry.", _SWAP,
            [(_labels(s), float(at - now)) for s in states if (at := next_deadline(s)) is not None],
        )  # fmt: skip
        yield (
            "swapd_swap_due_seconds",
            "Until our transaction must be mined, or coins are at risk; only while one is owed.",
            _SWAP,
            [(_labels(s), float(d.until - now)) for s in states if (d := due(s)) is not None],
        )  # fmt: skip
        yield (
            "swapd_swap_margin_eaten_ratio",
            "Share of the safety margin before that moment which is gone: 1 at the deadline.",
            _SWAP,
            [(_labels(s), d.eaten(now) / 1000) for s in states if (d := due(s)) is not None],
        )  # fmt: skip
        yield (
            "swapd_swap_unattended_seconds",
            "How long this daemon could be off from now on without harm to the swap.", _SWAP,
            [(_labels(s), float(max(0, explain.summarise(s).safe_until - now))) for s in states],
        )  # fmt: skip
        yield (
            "swapd_coins_units", "Base units of ours in open swaps: promised, or locked.",
            ("ticker", "state"), self._coins(states),
        )  # fmt: skip

    def _coins(self, states: tuple[SwapState, ...]) -> list[Value]:
        rows: list[Value] = []
        for asset, chain in self._world.chains.items():
            own = [s for s in states if s.agreement.own.amount.asset == asset]
            locked = sum(_units(s, asset) for s in own if _is_locked(s))
            promised = sum(_units(s, asset) for s in own if isinstance(s.own, Unfunded))
            rows.append(((chain.ticker, "locked"), float(locked)))
            rows.append(((chain.ticker, "promised"), float(promised)))
        return rows

    # --- Chains -------------------------------------------------------------------------------

    def _of_chains(self) -> Iterator[tuple[str, str, tuple[str, ...], list[Value]]]:
        samples, now = self._pulse.all(), self._world.clock.now()
        known = [(s, s.status) for s in samples if s.status is not None]
        yield (
            "swapd_chain_up", "1 while the node answers.", _CHAIN,
            [((s.ticker,), float(not s.error)) for s in samples],
        )  # fmt: skip
        yield (
            "swapd_chain_problems", "Reasons of the node not to lock or reveal.", _CHAIN,
            [((s.ticker,), float(len(status.problems))) for s, status in known],
        )  # fmt: skip
        yield (
            "swapd_chain_height", "Block height of the node.", _CHAIN,
            [((s.ticker,), float(status.height)) for s, status in known],
        )  # fmt: skip
        yield (
            "swapd_chain_lag_seconds", "Age of the node's newest block.", _CHAIN,
            [((s.ticker,), float(now - status.tip_time)) for s, status in known],
        )  # fmt: skip
        yield (
            "swapd_chain_peers", "Peers of the node.", _CHAIN,
            [((s.ticker,), float(status.peers)) for s, status in known],
        )  # fmt: skip
        yield (
            "swapd_rpc_latency_seconds", "How long the node took for its last answer.", _CHAIN,
            [((s.ticker,), s.latency) for s in samples],
        )  # fmt: skip
        yield (
            "swapd_fee_rate", "Of the next block, base units per 1000 vbytes or gas.", _CHAIN,
            [((s.ticker,), float(status.fee_next)) for s, status in known],
        )  # fmt: skip
        yield (
            "swapd_wallet_units", "Base units in the node's wallet; confirmed pays locks and fees.",
            ("ticker", "state"), [row for s in samples for row in _wallet(s)],
        )  # fmt: skip
        gas = [(s.ticker, one) for s in samples if s.balance is not None for one in s.balance.gas]
        yield (
            "swapd_gas_units", "Base units that an account has for gas.", ("ticker", "account"),
            [((ticker, one.name), float(one.units)) for ticker, one in gas],
        )  # fmt: skip
        yield (
            "swapd_gas_needed_units", "The least that one swap may need there now.",
            ("ticker", "account"), [((ticker, one.name), float(one.needed)) for ticker, one in gas],
        )  # fmt: skip


def _labels(state: SwapState) -> tuple[str, str]:
    return state.agreement.swap_id.hex()[:16], state.agreement.role.value


def _units(state: SwapState, asset: AssetId) -> int:
    amount = state.agreement.own.amount
    return int(amount.units) if amount.asset == asset else 0


def _is_locked(state: SwapState) -> bool:
    """On the chain, and not yet claimed or refunded in a block."""
    lock = reading.own_lock(state)
    return lock is not None and (lock.spend is None or lock.spend.depth == 0)


def _wallet(sample: Sample) -> Iterator[Value]:
    if sample.balance is not None:
        for state in ("confirmed", "reserved", "unconfirmed", "unusable"):
            yield (sample.ticker, state), float(getattr(sample.balance, state))
