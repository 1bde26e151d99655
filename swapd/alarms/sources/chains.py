"""Alarms about nodes: down, behind, ill; their wallets; and the clock they tell us is wrong.

Owns: those judgements. Must not know: how nodes are asked (engine.pulse).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from protocol.assets import AssetId, chain_of
from protocol.evm.params import is_evm
from protocol.kinds import pays_own_fees, sizes_of
from protocol.swap.remedies import remedy_of
from protocol.swap.states import Unfunded
from protocol.swap.troubles import Trouble, trouble_of
from swapd.alarms.alarm import Alarm, Severity
from swapd.api.amounts import format_units
from swapd.engine.pulse import Pulse, Sample
from swapd.engine.swaps import Swaps
from swapd.ports import Clock

LONG_DOWN_SECONDS: Final = 300
"""A node with an open swap may be restarted; one away for longer is critical."""

CLOCK_OFF_SECONDS: Final = 60
"""From what our node's peers say on average; swaps allow ten minutes."""

CLOCK_WRONG_SECONDS: Final = 300

AHEAD_SECONDS: Final = 3 * 3600
"""All chains without a block for so long: either a strange hour or a clock that runs ahead."""


class ChainAlarms:
    """Sources over the nodes. `promised(asset)`: units that offers and takes may still
    lock. `blocks_come`: by themselves, which on regtest they do not."""

    def __init__(
        self,
        pulse: Pulse,
        swaps: Swaps,
        clock: Clock,
        promised: Callable[[AssetId], int],
        *,
        blocks_come: bool,
    ) -> None:
        self._pulse = pulse
        self._swaps = swaps
        self._clock = clock
        self._promised = promised
        self._blocks_come = blocks_come

    async def nodes(self) -> Sequence[Alarm]:
        """Down, behind, or with a problem that closes the gates."""
        return [alarm for sample in self._pulse.all() for alarm in self._node(sample)]

    def _open_on(self, asset: AssetId) -> int:
        """Open swaps with a leg on that chain."""
        return sum(
            asset in (s.agreement.own.amount.asset, s.agreement.theirs.amount.asset)
            for s in self._swaps.open()
        )

    def _node(self, sample: Sample) -> Iterator[Alarm]:
        swaps = self._open_on(sample.asset)
        told = f"; {swaps} open swaps need it" if swaps else ""
        if sample.error:
            away = self._clock.now() - sample.failing_since
            grave = bool(swaps) and away >= LONG_DOWN_SECONDS
            severity: Severity = "critical" if grave else "warning"
            yield Alarm(
                "node_down", severity, sample.ticker, f"{sample.error}{told}", _remedy(sample)
            )
            return
        status = sample.status
        if status is None:
            return
        if not status.synced:
            text = f"the node is behind, at block {status.height}{told}"
            remedy = "wait; if it does not catch up, look at its log, disk and connections"
            yield Alarm("node_behind", "warning", sample.ticker, text, remedy)
        elif status.problems:
            text = "; ".join(status.problems)
            remedies = [remedy_of(trouble_of(each)) for each in status.problems]
            remedy = "; ".join(dict.fromkeys(remedies))
            yield Alarm("node_problem", "warning", sample.ticker, f"{text}{told}", remedy)

    async def wallets(self) -> Sequence[Alarm]:
        """Locked or missing, or without the coins that were promised."""
        return [alarm for sample in self._pulse.all() for alarm in self._wallet(sample)]

    def _wallet(self, sample: Sample) -> Iterator[Alarm]:
        promised = self._promised(sample.asset)
        if sample.error:
            return
        if sample.wallet_error:
            remedy = "load and unlock the wallet in the node: locks and kills are paid from it"
            if is_evm(chain_of(sample.asset)):
                remedy = remedy_of(trouble_of(sample.wallet_error))
            yield Alarm("wallet_trouble", "warning", sample.ticker, sample.wallet_error, remedy)
            return
        yield from self._gas(sample, promised)
        if sample.balance is None or sample.status is None or not promised:
            return
        free, fees = sample.balance.confirmed, self._fees(sample)
        if free < promised + fees:
            decimals = sample.status.decimals
            text = (
                f"{format_units(free, decimals)} {sample.ticker} are confirmed and free; "
                f"{format_units(promised, decimals)} are promised, and fees of about "
                f"{format_units(fees, decimals)} come on top"
            )
            remedy = "deposit, wait for your change, or cancel offers"
            yield Alarm("low_reserves", "warning", sample.ticker, text, remedy)

    def _gas(self, sample: Sample, promised: int) -> Iterator[Alarm]:
        """Accounts that could not pay for a swap. The one that claims and refunds matters most."""
        for account in sample.balance.gas if sample.balance is not None else ():
            if account.units >= account.needed:
                continue
            claims, swaps = account.name != "locks", self._open_on(sample.asset)
            severity: Severity = "critical" if claims and swaps else "warning"
            if not swaps and not promised:
                severity = "info"
            text = (
                f"the account that {'claims and refunds' if claims else 'locks'}, "
                f"{account.address}, has {account.units} base units for gas; a swap may need "
                f"{account.needed}"
            )
            remedy = remedy_of(Trouble.GAS_LOW)
            yield Alarm("gas_low", severity, f"{sample.ticker} {account.name}", text, remedy)

    def _fees(self, sample: Sample) -> int:
        """A lock and its kill for every swap that has no lock yet, one at least."""
        if sample.status is None:
            return 0
        waiting = sum(
            isinstance(s.own, Unfunded) and s.agreement.own.amount.asset == sample.asset
            for s in self._swaps.open()
        )
        if not pays_own_fees(sample.asset):
            return 0
        sizes = sizes_of(sample.asset)
        return max(1, waiting) * (sizes.lock + sizes.kill) * sample.status.fee_next // 1000

    async def clock(self) -> Sequence[Alarm]:
        """Our clock against the chains' median time, their tips, and the nodes' peers."""
        now, found = self._clock.now(), []
        good = [s for s in self._pulse.all() if s.status is not None and not s.error]
        remedy = "set this machine's clock (NTP): every deadline is read from it"
        for sample in good:
            if sample.status is None:
                continue
            behind = sample.status.median_time - sample.status.early - now
            if behind > 0:
                text = f"it is {behind} s behind the time of {sample.ticker}"
                found.append(Alarm("clock_wrong", "critical", "behind", text, remedy))
            off = abs(sample.status.time_offset)
            if off >= CLOCK_OFF_SECONDS:
                severity: Severity = "critical" if off >= CLOCK_WRONG_SECONDS else "warning"
                text = f"the peers of the {sample.ticker} node say that it is {off} s off"
                found.append(Alarm("clock_wrong", severity, f"{sample.ticker} peers", text, remedy))
        tips = [s.status.tip_time for s in good if s.status is not None and s.status.synced]
        if self._blocks_come and len(tips) > 1 and now - max(tips) > AHEAD_SECONDS:
            text = f"no chain has a block of the last {(now - max(tips)) // 3600} hours"
            found.append(Alarm("clock_wrong", "warning", "ahead", text, remedy))
        return found


def _remedy(sample: Sample) -> str:
    """A node that does not answer is started; what it says itself may ask for more."""
    kind = trouble_of(sample.error)
    return remedy_of(Trouble.NODE_DOWN if kind is Trouble.OTHER else kind)
