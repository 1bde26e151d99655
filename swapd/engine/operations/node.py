"""The daemon itself for the operator: getinfo, health, stop, peers.

Owns: those calls. Must not know: adapters, sockets.
"""

from protocol.swap import explain
from protocol.swap.pending import next_deadline
from protocol.swap.remedies import remedy_of
from protocol.swap.states import SwapState
from protocol.swap.troubles import Trouble, trouble_of
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.paging import page
from swapd.api.table import API_VERSION
from swapd.api.values import ChainHealth, PeerView, SwapPhase
from swapd.engine.operations.alarms import severity_of, views
from swapd.engine.operations.context import Context, require_unlocked, translated
from swapd.engine.operations.towers import problems as tower_problems
from swapd.ports import (
    Chain,
    ChainError,
    InvalidAddress,
    NetworkDown,
    PeerError,
    PeerInfo,
    PeerUnreachable,
    WalletLocked,
)


class NodeOperations:
    """getinfo, health, stop, peer.*"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def getinfo(self, params: calls.NoParams) -> calls.GetInfoResult:  # noqa: ARG002 - interface
        c = self._c
        kept = c.backups.last
        try:
            identity = c.world.peers.identity()
            peer_id, listen = identity.peer_id, identity.addresses
        except PeerError:
            peer_id, listen = "", ()
        return calls.GetInfoResult(
            version=c.version,
            api_version=API_VERSION,
            network=c.network,
            state=c.state(),
            now=c.world.clock.now(),
            started_at=c.started_at,
            maker_key=c.world.signer.maker_key().hex(),
            peer_id=peer_id,
            listen=listen,
            peers=c.world.peers.peer_count(),
            assets=c.assets.assets,
            open_swaps=len(c.swaps.open()),
            own_offers=len(c.offers.live()),
            book_offers=c.market.count(),
            last_backup=None if kept is None else kept.at,
        )

    async def health(self, params: calls.NoParams) -> calls.HealthResult:  # noqa: ARG002 - interface
        problems: list[calls.Problem] = []
        chains = []
        for chain in self._c.world.chains.values():
            health = await chain_health(chain)
            chains.append(health)
            problems += [chain_problem(health, what) for what in health.problems]
            problems += await _wallet_problems(chain, health)
        network_up, peers = True, 0
        try:
            peers = len(await self._c.world.peers.peers())
        except PeerError as error:
            network_up = False
            problems.append(
                calls.Problem(where="network", what=str(error), remedy="wait: it restarts")
            )
        if network_up and peers == 0:
            remedy = "`swap-cli peer connect`, or bootstrap peers in the configuration"
            problems.append(calls.Problem(where="network", what="no peers", remedy=remedy))
        swaps = self._c.swaps.open()
        for state in swaps:
            trouble = self._c.swaps.trouble(state.agreement.swap_id)
            if trouble:
                where = f"swap {state.agreement.swap_id.hex()[:16]}"
                remedy = "it is tried again by itself; see `swap-cli swap show`"
                problems.append(calls.Problem(where=where, what=trouble, remedy=remedy))
        for swap_id, reason in self._c.swaps.unattended().items():
            remedy = "its coins are not looked after until this is mended and swapd started again"
            where = f"swap {swap_id.hex()[:16]}"
            problems.append(calls.Problem(where=where, what=reason, remedy=remedy))
        problems += tower_problems(self._c.towers())
        severity = severity_of(self._c.board, tuple(problems))
        said = [explain.summarise(state) for state in swaps]
        moments = [moment for state in swaps if (moment := next_deadline(state)) is not None]
        return calls.HealthResult(
            healthy=not problems,
            severity=severity,
            problems=tuple(problems),
            alarms=views(self._c.board.holding()),
            chains=tuple(chains),
            network_up=network_up,
            peers=peers,
            open_swaps=len(swaps),
            next_deadline=min(moments, default=None),
            safe_unattended_until=min((s.safe_until for s in said), default=None),
        )

    async def backup(self, params: calls.BackupParams) -> calls.BackupResult:
        with translated():
            made = await self._c.backups.make(params.path)
        return calls.BackupResult(path=made.path, size=made.size, swaps=made.swaps, made_at=made.at)

    async def stop(self, params: calls.StopParams) -> calls.StopResult:  # noqa: ARG002 - interface
        withdrawn = len(self._c.offers.live())
        swaps = tuple(stop_swap(state) for state in self._c.swaps.open())
        return calls.StopResult(offers_withdrawn=withdrawn, open_swaps=swaps)

    async def peer_list(self, params: calls.PeerListParams) -> calls.PeerListResult:
        try:
            peers = await self._c.world.peers.peers()
            identity = self._c.world.peers.identity()
        except PeerError as error:
            raise ApiError(ErrorName.NETWORK_DOWN, str(error)) from error
        rows = sorted((_peer(peer) for peer in peers), key=lambda peer: peer.peer_id)
        shown, cursor = page(rows, lambda peer: peer.peer_id, params.cursor, params.limit)
        own = tuple(f"{address}/p2p/{identity.peer_id}" for address in identity.addresses)
        return calls.PeerListResult(peers=shown, own_addresses=own, next_cursor=cursor)

    async def peer_connect(self, params: calls.PeerConnectParams) -> calls.PeerConnectResult:
        try:
            peer = await self._c.world.peers.connect(params.address)
        except InvalidAddress as error:
            raise ApiError(ErrorName.PEER_ADDRESS_INVALID, str(error)) from error
        except PeerUnreachable as error:
            raise ApiError(ErrorName.PEER_UNREACHABLE, str(error)) from error
        except NetworkDown as error:
            raise ApiError(ErrorName.NETWORK_DOWN, str(error)) from error
        return calls.PeerConnectResult(peer=_peer(peer))

    async def peer_disconnect(
        self, params: calls.PeerDisconnectParams
    ) -> calls.PeerDisconnectResult:
        try:
            known = {peer.peer_id for peer in await self._c.world.peers.peers()}
            if params.peer_id in known:
                await self._c.world.peers.disconnect(params.peer_id)
        except PeerError as error:
            raise ApiError(ErrorName.NETWORK_DOWN, str(error)) from error
        return calls.PeerDisconnectResult(disconnected=params.peer_id in known)


def stop_swap(state: SwapState) -> calls.StopSwap:
    """An open swap at a stop."""
    said = explain.summarise(state)
    return calls.StopSwap(
        swap_id=state.agreement.swap_id.hex(),
        phase=SwapPhase(said.phase.value),
        safe_unattended_until=said.safe_until,
        explanation=said.next_action,
    )


def _peer(peer: PeerInfo) -> PeerView:
    return PeerView(
        peer_id=peer.peer_id,
        addresses=peer.addresses,
        inbound=peer.inbound,
        connected_since=peer.connected_since,
        latency_ms=peer.latency_ms,
    )


async def chain_health(chain: Chain) -> ChainHealth:
    """A node as it is now; never raises."""
    try:
        status = await chain.status()
    except ChainError as error:
        return ChainHealth(
            chain=chain.chain,
            asset=chain.asset,
            ticker=chain.ticker,
            reachable=False,
            version="",
            height=0,
            tip_hash="",
            tip_time=0,
            median_time=0,
            peers=0,
            synced=False,
            pruned=False,
            fee_rate_next_block=0,
            problems=(str(error),),
        )
    return ChainHealth(
        chain=chain.chain,
        asset=chain.asset,
        ticker=chain.ticker,
        reachable=True,
        version=status.version,
        height=status.height,
        tip_hash=status.tip_hash,
        tip_time=status.tip_time,
        median_time=status.median_time,
        peers=status.peers,
        synced=status.synced,
        pruned=status.pruned,
        fee_rate_next_block=status.fee_next,
        problems=status.problems,
    )


async def _wallet_problems(chain: Chain, health: ChainHealth) -> list[calls.Problem]:
    """A locked wallet is told before somebody takes an offer in vain."""
    if health.problems:
        return []
    try:
        await require_unlocked(chain)
    except WalletLocked as error:
        remedy = "unlock it: no lock can be made before"
        return [calls.Problem(where=health.ticker, what=str(error), remedy=remedy)]
    except ChainError:
        return []
    return []


def chain_problem(health: ChainHealth, what: str) -> calls.Problem:
    """One of its problems with what to do."""
    kind = trouble_of(what)
    if kind is not Trouble.OTHER:
        remedy = remedy_of(kind)
    elif not health.reachable:
        remedy = "start the node, or correct its address"
    elif not health.synced:
        remedy = "wait: no lock is made before the node has caught up"
    else:
        remedy = "no lock is made while that stands; it is looked at again by itself"
    return calls.Problem(where=health.ticker, what=what, remedy=remedy)
