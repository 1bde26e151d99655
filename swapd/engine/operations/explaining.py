"""An explanation as the value that operators get. Must not know: sockets, how it is found out."""

from protocol.kinds import fee_asset_of
from protocol.swap.advice import Around, advise
from protocol.swap.explain import Who
from protocol.swap.outlook import outlook
from protocol.swap.states import SwapState
from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import Actor, FeeLine, SwapPhase


def explanation(assets: AssetTable, state: SwapState, around: Around) -> calls.SwapExplainResult:
    """A swap in plain words."""
    terms, found = state.agreement.terms, outlook(state)
    own = state.agreement.own.amount.asset
    return calls.SwapExplainResult(
        swap_id=state.agreement.swap_id.hex(),
        role=state.agreement.role.value,
        phase=SwapPhase(found.summary.phase.value),
        now=max(state.now, around.wall),
        next_actor=_actor(found.summary.who),
        next_action=found.summary.next_action,
        acts=tuple(
            calls.ActView(who=_actor(act.who), what=act.what, since=act.since, until=act.until)
            for act in found.acts
        ),
        costs=tuple(
            FeeLine(
                what=cost.what,
                amount=assets.view_units(
                    fee_asset_of(terms.leg(cost.leg).amount.asset), cost.units
                ),
                vbytes=cost.size,
                fee_rate=cost.fee_rate,
                when=cost.when,
            )
            for cost in found.costs
        ),
        at_risk=calls.AtRisk(found.risk.value),
        at_stake=assets.view_units(own, found.at_stake) if found.at_stake else None,
        safe_unattended_until=found.away_until,
        if_away=found.if_away,
        advice=tuple(
            calls.AdviceView(
                code=advice.code,
                severity=advice.severity.value,
                what=advice.what,
                remedy=advice.remedy,
            )
            for advice in advise(state, around)
        ),
        warnings=found.summary.warnings,
    )


def _actor(who: Who) -> Actor:
    return Actor(who.value)
