"""Owns what a made-up daemon answers to those who ask for help: findings, words, a refund."""

from swapd.api import calls
from swapd.api.values import Actor, AmountView, FeeLine, SwapDetail


def _ltc(swap: SwapDetail, units: str, decimal: str) -> AmountView:
    """Litecoin, which the made-up swap pays."""
    return AmountView(asset=swap.summary.pay.asset, ticker="LTC", units=units, decimal=decimal)


def diagnosis(*, critical: bool) -> calls.DoctorResult:
    """A node that does not answer, if `critical`."""
    down = calls.FindingView(
        code="node_unreachable",
        severity="critical",
        subject="LTC",
        what="nobody answers at 127.0.0.1:19443",
        remedy="start it, or correct its url",
    )
    return calls.DoctorResult(
        critical=critical, findings=(down,) if critical else (), examined=("clock", "LTC")
    )


def explained(swap: SwapDetail) -> calls.SwapExplainResult:
    """A lock of ours that hangs."""
    return calls.SwapExplainResult(
        swap_id=swap.summary.swap_id,
        role="initiator",
        phase=swap.summary.phase,
        now=swap.now,
        next_actor=Actor.CHAIN,
        next_action="Our lock waits for its first confirmation.",
        acts=(
            calls.ActView(who=Actor.CHAIN, what="confirm our lock", since=0, until=swap.now + 40),
            calls.ActView(who=Actor.US, what="take our coins back", since=swap.now + 430, until=0),
        ),
        costs=(
            FeeLine(
                what="refund",
                amount=_ltc(swap, "262", "0.00000262"),
                vbytes=131,
                fee_rate=2000,
                when="only if it fails",
            ),
        ),
        at_risk=calls.AtRisk.TIME,
        at_stake=None,
        safe_unattended_until=0,
        if_away="No coins can be lost: only we know the preimage.",
        advice=(
            calls.AdviceView(
                code="lock_hangs", severity="info", what="our lock waits", remedy="nothing"
            ),
        ),
        warnings=(),
    )


def rescued(swap: SwapDetail, *, keys: bool) -> calls.SwapRescueResult:
    """A refund at one fee rate."""
    raw = "02" * 100
    tx = calls.RescueTx(
        what="refund",
        leg="i",
        ticker="LTC",
        spends=f"{'7c' * 32}:0",
        txid="7c" * 32,
        fee=_ltc(swap, "262", "0.00000262"),
        fee_rate=2000,
        vbytes=131,
        pays_to="rltc1qmine",
        arrives=_ltc(swap, "3999999738", "39.99999738"),
        valid_from=swap.now + 370,
        likely_from=swap.now + 430,
        useful_until=0,
        raw=raw,
        command=f"litecoin-cli -regtest sendrawtransaction {raw}",
    )
    key = calls.RescueKey(
        leg="i", ticker="LTC", what="refund", public_key="02" * 33, wif="cKey", descriptor=""
    )
    return calls.SwapRescueResult(
        swap_id=swap.summary.swap_id,
        role="initiator",
        phase=swap.summary.phase,
        now=swap.now,
        notes=("The preimage has never left the key store.",),
        legs=(),
        transactions=(tx,),
        payouts=(calls.RescuePayout(ticker="LTC", address="rltc1qmine", path="m/84'/1'/0'/0/3"),),
        keys=(key,) if keys else (),
        preimage=None,
    )
