"""Help in trouble as people read it.

Owns: one function for each kind of result. Must not know: where results come from.
"""

from swapd.api import calls
from swapd.api.values import Actor
from swapd.cli.output import Output, clock, until

_TITLES = {
    "refund": "Refund: your own coins back",
    "claim": "Claim: the other side's coins",
    "claim_without_preimage": "Claim that lacks the preimage: put it in place of <PREIMAGE>",
    "kill": "Payment of the hanging lock's coins back to your wallet",
    "their_lock": "The other side's lock, should it have fallen out of its chain",
}


def show_findings(out: Output, r: calls.DoctorResult) -> None:
    """doctor: as JSON where that was asked for."""
    if out.as_json:
        out.json(r)
        return
    if r.findings:
        rows = [
            [f.severity.upper(), f.code, f.subject, " ".join(f.what.split())] for f in r.findings
        ]
        out.table(["", "code", "concerns", "what"], rows)
        for found in r.findings:
            out.line(f"{found.code} ({found.subject}): {found.remedy}")
    out.line(f"examined: {', '.join(r.examined)}")
    if not r.findings:
        out.line("all is well")


def explanation(out: Output, r: calls.SwapExplainResult) -> None:
    """swap.explain."""
    out.pairs([("swap", f"{r.swap_id} ({r.role}, {r.phase.replace('_', ' ')})")])
    out.line()
    out.line(f"Next: {r.next_action}")
    for act in r.acts:
        out.line(f"- {_who(act.who)} can {act.what}{_span(act, r.now)}.")
    if r.costs:
        out.line()
        out.line("What it costs now:")
        for cost in r.costs:
            out.line(f"- {cost.what}: {cost.amount.decimal} {cost.amount.ticker}, {cost.when}")
    out.line()
    out.line(f"If we go offline now: {r.if_away}")
    if not r.phase.ended:
        stake = f": {r.at_stake.decimal} {r.at_stake.ticker}" if r.at_stake else ""
        safe = r.safe_unattended_until
        when = "keep it running now" if safe <= r.now else f"{clock(safe)} ({until(safe, r.now)})"
        out.pairs([("at risk", f"{r.at_risk}{stake}"), ("safe to be away until", when)])
    for advice in r.advice:
        out.line()
        out.line(f"{advice.severity.upper()} {advice.code}: {advice.what}")
        out.line(f"  what to do: {advice.remedy}")
    for text in r.warnings:
        out.line(f"warning: {text}")


def _who(actor: Actor) -> str:
    return {"us": "we", "counterparty": "the other side", "chain": "miners"}.get(actor, "nobody")


def _span(act: calls.ActView, now: int) -> str:
    since = f", from about {clock(act.since)} ({until(act.since, now)})" if act.since else ""
    return since + (f", until {clock(act.until)} ({until(act.until, now)})" if act.until else "")


def rescue(out: Output, r: calls.SwapRescueResult) -> None:
    """swap.rescue. Commands are never wrapped: they are to be copied."""
    out.pairs([("swap", r.swap_id), ("role", r.role), ("phase", r.phase.replace("_", " "))])
    for note in r.notes:
        out.line(f"- {note}")
    for leg in r.legs:
        out.line()
        whose = "your" if leg.ours else "their"
        out.pairs(
            [
                (f"{whose} coins", f"{leg.amount.decimal} {leg.ticker}"),
                *(("locked in", ref) for ref in leg.outpoints),
                ("address", leg.script_address),
                ("script", leg.script),
                ("expiry", f"{clock(leg.expiry)} ({until(leg.expiry, r.now)})"),
                ("descriptor", leg.descriptor),
                ("", ""),
                ("note", leg.descriptor_note),
            ]
        )
    _transactions(out, r)
    for payout in r.payouts:
        where = payout.path or "no address of this seed"
        out.line(f"{payout.ticker} arrive at {payout.address} ({where})")
    _keys(out, r)


def _transactions(out: Output, r: calls.SwapRescueResult) -> None:
    heading = None
    for tx in r.transactions:
        if heading != (tx.what, tx.spends):
            heading = (tx.what, tx.spends)
            out.line()
            out.line(_TITLES.get(tx.what, tx.what) + (f", spends {tx.spends}" if tx.spends else ""))
            out.pairs(_times(tx, r.now))
        if tx.fee is not None and tx.arrives is not None:
            rate = f"{tx.fee_rate // 1000} per vbyte"
            text = f"{rate}, fee {tx.fee.decimal} {tx.ticker}, {tx.arrives.decimal} arrive"
            out.line(f"# {text}, txid {tx.txid}")
        out.line(tx.command)
    out.line()


def _times(tx: calls.RescueTx, now: int) -> list[tuple[str, str]]:
    rows = []
    if tx.valid_from:
        text = f"nLockTime {tx.valid_from}: no node takes it before median time past is beyond it"
        rows.append((f"valid after {clock(tx.valid_from)}", text))
        likely = f"{clock(tx.likely_from)} ({until(tx.likely_from, now)}), at usual block times"
        rows.append(("that is about", likely))
    if tx.useful_until:
        text = f"{clock(tx.useful_until)} ({until(tx.useful_until, now)})"
        rows.append(("should be final by" if tx.valid_from else "send it before", text))
    return rows


def _keys(out: Output, r: calls.SwapRescueResult) -> None:
    if not r.keys:
        return
    out.line()
    out.line("Private keys: whoever has them can take what they can take.")
    for key in r.keys:
        out.pairs(
            [
                (f"{key.what} key, {key.ticker}", key.public_key),
                ("WIF", key.wif),
                ("descriptor", key.descriptor),
            ]
        )
    if r.preimage is not None:
        out.line(f"preimage: {r.preimage}")
