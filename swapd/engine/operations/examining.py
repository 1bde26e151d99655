"""The doctor of a running daemon: asks every part, and what `swapd.doctor` knows of each.

Owns: what is asked. Must not know: what is found in files, sockets.
"""

from collections.abc import Iterable

import trio

from protocol.assets import AssetId
from protocol.terms import LegName
from swapd.api import calls
from swapd.doctor import clock, nodes, reach
from swapd.doctor.findings import Finding, Severity, by_urgency, finding
from swapd.engine.operations.context import Context
from swapd.ports import Chain, ChainStatus, PeerError

BACKUP_SECONDS = 30 * 86400


async def examine(context: Context) -> tuple[list[str], list[Finding]]:
    """What was looked at, and everything found."""
    found: list[Finding] = []
    statuses: list[ChainStatus] = []

    async def node(chain: Chain) -> None:
        needed = _needed_from(context, chain.asset)
        status, told = await nodes.examine(
            chain, stress_rate=context.world.policy.stress(chain.asset), needed_from=needed
        )
        found.extend(told)
        statuses.extend([status] if status is not None else [])

    async with trio.open_nursery() as nursery:
        for chain in context.world.chains.values():
            nursery.start_soon(node, chain)
    found += clock.by_chains(context.world.clock.now(), statuses)
    found += await _network(context)
    found += [*_swaps(context), *_survival(context)]
    tickers = [chain.ticker for chain in context.world.chains.values()]
    examined = [
        "clock",
        *tickers,
        "disk",
        "files",
        "network",
        "swaps",
        "recovery",
        "towers",
        "backups",
    ]
    return examined, found


def _needed_from(context: Context, asset: AssetId) -> int | None:
    """The lowest block that an open swap still needs."""
    needed = [
        state.agreement.since(leg)
        for state in context.swaps.open()
        for leg in LegName
        if state.agreement.terms.leg(leg).amount.asset == asset
    ]
    return min(needed, default=None)


async def _network(context: Context) -> list[Finding]:
    peers = context.world.peers
    try:
        listening = peers.identity().addresses
        found = reach.inbound(await peers.peers())
    except PeerError as error:
        listening, found = (), [finding("network_down", "network", str(error))]
    return [*found, *await trio.to_thread.run_sync(context.place, listening)]


def _swaps(context: Context) -> list[Finding]:
    found = []
    for swap_id, reason in context.swaps.unattended().items():
        found.append(finding("swap_unattended", f"swap {swap_id.hex()[:16]}", reason))
    for state in context.swaps.open():
        trouble = context.swaps.trouble(state.agreement.swap_id)
        if trouble:
            name = state.agreement.swap_id.hex()[:16]
            remedy = f"`swap-cli swap explain {name}`"
            found.append(finding("swap_trouble", f"swap {name}", trouble, remedy))
    reason = context.world.mode.watch_only
    if reason:
        found.append(finding("watch_only", "this daemon", reason))
    return found


def _survival(context: Context) -> list[Finding]:
    """What is left when this machine is lost."""
    if not context.world.chains:
        return []
    found = []
    paths = context.world.recovery.status().paths
    if not paths:
        found.append(finding("recovery_off", "recovery file"))
    found += [
        finding("recovery_stale", path.path, path.error or "it was never written")
        for path in paths
        if not path.ok
    ]
    severity = Severity.CRITICAL if context.towers_required else None
    found += [
        finding("tower_stale", tower.tower.peer_id, problem, severity=severity)
        for tower in context.towers()
        for problem in tower.problems
    ]
    last = context.backups.last
    age = context.world.clock.now() - (last.at if last else context.started_at)
    if age > BACKUP_SECONDS:
        what = f"the last backup is {age // 86400} days old" if last else "there is no backup yet"
        found.append(finding("backup_old", "database", what))
    return found


def doctor_result(examined: Iterable[str], found: Iterable[Finding]) -> calls.DoctorResult:
    """As the operator gets it: the most urgent first."""
    ordered = by_urgency(found)
    return calls.DoctorResult(
        critical=any(each.severity is Severity.CRITICAL for each in ordered),
        findings=tuple(
            calls.FindingView(
                code=each.code,
                severity=each.severity.value,
                subject=each.subject,
                what=each.what,
                remedy=each.remedy,
            )
            for each in ordered
        ),
        examined=tuple(examined),
    )
