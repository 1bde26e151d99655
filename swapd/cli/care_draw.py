"""Help in trouble as people read it.

Owns: one function for each kind of result. Must not know: where results come from.
"""

from swapd.api import calls
from swapd.cli.output import Output, clock, until

_TITLES = {
    "refund": "Refund: your own coins back",
    "claim": "Claim: the other side's coins",
    "claim_without_preimage": "Claim that lacks the preimage: put it in place of <PREIMAGE>",
    "kill": "Payment of the hanging lock's coins back to your wallet",
    "their_lock": "The other side's lock, should it have fallen out of its chain",
}


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
