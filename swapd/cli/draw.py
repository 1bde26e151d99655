"""Results as people read them.

Owns: one function for each kind of result. Must not know: where results come from.
"""

from swapd.api import calls
from swapd.api.values import FeeLine, OfferView, SwapDetail, SwapSummary
from swapd.cli.output import Output, clock, duration, short, until


def info(out: Output, r: calls.GetInfoResult) -> None:
    """getinfo."""
    out.pairs(
        [
            ("swapd", f"{r.version} (interface {r.api_version})"),
            ("network", r.network),
            ("state", f"{r.state}, for {duration(r.now - r.started_at)}"),
            ("assets", ", ".join(a.ticker for a in r.assets) or "none: this daemon only relays"),
            ("peers", str(r.peers)),
            ("peer id", r.peer_id),
            *(("listens on", address) for address in r.listen),
            ("maker key", r.maker_key),
            ("open swaps", str(r.open_swaps)),
            ("own offers", str(r.own_offers)),
            ("offers in the books", str(r.book_offers)),
            ("last backup", "none" if r.last_backup is None else clock(r.last_backup)),
            *(("warning", text) for text in r.warnings),
        ]
    )


def health(out: Output, r: calls.HealthResult) -> None:
    """health."""
    rows = [
        [
            c.ticker,
            "yes" if c.reachable else "no",
            str(c.height) if c.reachable else "",
            ("yes" if c.synced else "no") if c.reachable else "",
            str(c.peers) if c.reachable else "",
            c.version,
        ]
        for c in r.chains
    ]
    if rows:
        out.table(["node", "answers", "height>", "synced", "peers>", "version"], rows)
    out.line(f"network {'up' if r.network_up else 'down'}, {r.peers} peers")
    for problem in r.problems:
        out.line(f"problem  {problem.where}: {problem.what}")
        out.line(f"         {problem.remedy}")
    for alarm in r.alarms:
        _alarm(out, alarm)
    if r.severity == "ok":
        out.line("healthy")


def backup(out: Output, r: calls.BackupResult) -> None:
    """backup."""
    out.line(f"{r.path}: {r.swaps} swaps, {r.size} bytes, written and read back")


def _alarm(out: Output, alarm: calls.AlarmView) -> None:
    out.line(f"{alarm.severity:<8} {alarm.code} ({alarm.subject}): {alarm.text}")
    out.line(f"         {alarm.remedy}; since {clock(alarm.since)}")


def alarms(out: Output, r: calls.AlarmListResult) -> None:
    """alarm.list."""
    for alarm in r.alarms:
        _alarm(out, alarm)
    if not r.alarms:
        out.line("no alarm holds")


def drain(out: Output, r: calls.DrainResult) -> None:
    """drain."""
    if not r.draining:
        out.line("trading again; our offers are posted anew")
        return
    out.line(f"draining; {r.offers_withdrawn} offers withdrawn, {len(r.open_swaps)} swaps open")
    for swap in r.open_swaps:
        out.line(f"open: {swap.swap_id} ({swap.phase.replace('_', ' ')}) {swap.explanation}")
        out.line(f"      at the worst until {clock(swap.ends_at_worst)}")
    if r.ends_at_worst is None:
        out.line("The daemon stops now.")
    else:
        out.line(f"The daemon stops by itself, at the worst at {clock(r.ends_at_worst)}.")


def unlock(out: Output, r: calls.UnlockResult) -> None:
    """unlock."""
    out.line("unlocked; the daemon starts to trade" if r.was_locked else "it was not locked")


def stop(out: Output, r: calls.StopResult) -> None:
    """stop."""
    out.line(f"stopping; {r.offers_withdrawn} offers withdrawn")
    for swap in r.open_swaps:
        out.line(f"open: {swap.swap_id} ({swap.phase.replace('_', ' ')}) {swap.explanation}")
        out.line(f"      safe unattended until {clock(swap.safe_unattended_until)}")
    if r.open_swaps:
        first = min(s.safe_unattended_until for s in r.open_swaps)
        out.line(f"Start the daemon again before {clock(first)}.")


def balance(out: Output, r: calls.BalanceResult) -> None:
    """balance."""
    rows = [
        [
            a.ticker,
            a.free.decimal,
            a.reserved.decimal,
            a.locked.decimal,
            a.in_flight.decimal,
            a.payout.decimal,
            str(a.coins),
        ]
        for a in r.assets
    ]
    heads = ["asset", "free>", "reserved>", "locked>", "in flight>", "payout>", "coins>"]
    if rows:
        out.table(heads, rows)
    elif not r.unavailable:
        out.line("This daemon only relays: it has no nodes, so no coins.")
    for asset in r.assets:
        if int(asset.payout.units):
            out.line(f"{asset.payout.decimal} {asset.ticker} can be moved with `swap-cli withdraw`")
        if int(asset.unusable.units):
            out.line(f"{asset.unusable.decimal} {asset.ticker} is not segwit: can't fund a lock")
    for ticker in r.unavailable:
        out.line(f"{ticker}: its node does not answer (swap-cli health says more)")


def withdraw(out: Output, r: calls.WithdrawResult) -> None:
    """withdraw, and its dry run."""
    out.pairs(
        [
            ("to", r.destination),
            ("arrives", f"{r.sent.decimal} {r.sent.ticker} from {r.coins} coins"),
            ("fee", f"{r.fee.decimal} {r.fee.ticker}"),
            ("txid", r.txid or ""),
        ]
    )


def split(out: Output, r: calls.WalletSplitResult) -> None:
    """wallet.split, and its dry run."""
    out.pairs(
        [
            ("coins", f"{r.count} of {r.each.decimal} {r.each.ticker} each"),
            ("fee", f"{r.fee.decimal} {r.fee.ticker}"),
            ("txid", r.txid or ""),
        ]
    )


def pair_check(out: Output, r: calls.PairCheckResult) -> None:
    """pair.check."""
    out.table(["check", "", ""], [[c.name, "ok" if c.ok else "NO", c.detail] for c in r.checks])
    out.line(f"{r.pair} {'can be swapped' if r.swappable else 'can not be swapped now'}")


def book(out: Output, r: calls.BookGetResult) -> None:
    """book.get: asks above bids, best prices in the middle."""
    sides = [("sell", o) for o in reversed(r.asks)] + [("buy", o) for o in r.bids]
    base, _, quote = r.pair.partition("/")
    if not sides:
        out.line(f"No offers for {r.pair}. Is anybody connected? See `swap-cli peer list`.")
        return
    rows = [_book_row(side, offer, base) for side, offer in sides]
    heads = [
        "maker wants to",
        f"price {quote}/{base}>",
        f"{base}>",
        "smallest fill>",
        "ends",
        "offer",
    ]
    out.table(heads, rows)
    if r.next_cursor is not None:
        out.line("There are more: ask with a larger --limit.")


def _book_row(side: str, offer: OfferView, base: str) -> list[str]:
    remaining = offer.sell_remaining if side == "sell" else offer.buy_remaining
    return [
        side + (" (yours)" if offer.own else ""),
        ("" if offer.price.exact else "~") + offer.price.decimal,
        remaining.decimal
        if remaining.ticker == base
        else f"{remaining.decimal} {remaining.ticker}",
        f"{offer.sell_minimum.decimal} {offer.sell_minimum.ticker}",
        clock(offer.expires_at),
        short(offer.offer_id),
    ]


def own_offer(out: Output, r: calls.OfferPostResult) -> None:
    """offer.post, and its dry run."""
    offer = r.offer.offer
    out.pairs(
        [
            ("sell", f"{r.offer.sell_total.decimal} {r.offer.sell_total.ticker}"),
            ("for", f"{r.receive.decimal} {r.receive.ticker}"),
            ("price", offer.price.text),
            ("smallest fill", f"{offer.sell_minimum.decimal} {offer.sell_minimum.ticker}"),
            ("stands until", clock(offer.expires_at)),
            *_fees(r.fees),
            *(("warning", text) for text in r.warnings),
            ("offer", offer.offer_id if r.posted else ""),
        ]
    )


def _fees(fees: tuple[FeeLine, ...]) -> list[tuple[str, str]]:
    return [
        (
            f"fee: {f.what}",
            f"{f.amount.decimal} {f.amount.ticker} ({f.vbytes} {_size_unit(f)}), {f.when}",
        )
        for f in fees
    ]


def _size_unit(fee: FeeLine) -> str:
    return "gas" if fee.amount.asset.startswith("eip155:") else "vB"


def offers(out: Output, r: calls.OfferListResult) -> None:
    """offer.list."""
    if not r.offers:
        out.line("You have no offers. Post one with `swap-cli offer post`.")
        return
    rows = [
        [
            o.status + (f" ({o.reason})" if o.reason else ""),
            f"{o.sell_total.decimal} {o.sell_total.ticker}",
            o.offer.price.text,
            o.remaining.decimal,
            o.reserved.decimal,
            o.filled.decimal,
            clock(o.offer.expires_at),
            short(o.offer.offer_id),
        ]
        for o in r.offers
    ]
    heads = ["status", "sells>", "price", "left>", "reserved>", "filled>", "ends", "offer"]
    out.table(heads, rows)


def quote(out: Output, r: calls.QuoteResult) -> None:
    """quote: what is asked before money moves."""
    looked = bool(r.deadlines)  # else a node is not ready, and figures would be made up
    out.pairs(
        [
            *(("PROBLEM", text) for text in r.problems),
            ("you lock", f"{r.pay.decimal} {r.pay.ticker}"),
            ("with its fee", f"{r.pay_total.decimal} {r.pay_total.ticker}" if looked else ""),
            ("you receive", f"{r.receive.decimal} {r.receive.ticker}"),
            ("after its fee", f"{r.receive_net.decimal} {r.receive_net.ticker}" if looked else ""),
            *(("price", fill.price.text) for fill in r.fills),
            *_quoted(r, looked=looked),
        ]
    )


def _quoted(r: calls.QuoteResult, *, looked: bool) -> list[tuple[str, str]]:
    """What is known of fees and times only when both nodes answered."""
    if not looked:
        return []
    return [
        *_fees(r.fees),
        ("usually takes", duration(r.usual_seconds)),
        ("at worst", f"your coins are frozen for {duration(r.worst_seconds)}"),
        (
            "confirmations",
            f"{r.depth_pay} on your side, {r.depth_receive} on theirs",
        ),
        *((d.name.replace("_", " "), f"{clock(d.at)}: {d.meaning}") for d in r.deadlines),
        ("if they vanish", r.if_they_vanish),
        ("if you vanish", r.if_we_vanish),
        *(("warning", text) for text in r.warnings),
    ]


def swaps(out: Output, rows: tuple[SwapSummary, ...]) -> None:
    """swap.list."""
    if not rows:
        out.line("No swaps. See `swap-cli book BTC/LTC` for offers to take.")
        return
    heads = ["swap", "phase", "pays>", "receives>", "role", "begun", ""]
    out.table(
        heads,
        [
            [
                short(s.swap_id),
                s.phase.replace("_", " "),
                f"{s.pay.decimal} {s.pay.ticker}",
                f"{s.receive.decimal} {s.receive.ticker}",
                s.role,
                clock(s.created_at),
                s.reason or s.explanation,
            ]
            for s in rows
        ],
    )


def swap(out: Output, d: SwapDetail) -> None:
    """swap.get."""
    s = d.summary
    out.pairs(
        [
            ("swap", s.swap_id),
            ("phase", s.phase.replace("_", " ") + (f": {s.reason}" if s.reason else "")),
            ("", ""),
            ("in words", s.explanation),
            ("next", _next(d)),
            ("you pay", f"{s.pay.decimal} {s.pay.ticker}"),
            ("you receive", f"{s.receive.decimal} {s.receive.ticker}"),
            ("price", d.price.text),
            ("role", s.role),
            ("offer", s.offer_id),
            ("counterparty", s.counterparty),
            ("begun", clock(s.created_at)),
            ("claim pays to", d.destination),
            ("refund pays to", d.refund_destination),
            ("hashlock", d.hashlock),
            ("preimage", "public" if d.preimage_public else "not public"),
            ("terms", d.terms_hash),
        ]
    )
    _legs(out, d)
    out.line()
    out.pairs(
        [
            *(
                (
                    m.name.replace("_", " "),
                    f"{clock(m.at)} ({until(m.at, d.now)}): {m.meaning}",
                )
                for m in d.deadlines
            ),
            ("may be off until", _unattended(d)),
            *_fees(d.fees),
            *(("warning", text) for text in d.warnings),
        ]
    )


def _next(d: SwapDetail) -> str:
    when = "" if d.next_deadline is None else f" ({until(d.next_deadline, d.now)})"
    return f"{d.next_actor}: {d.next_action}{when}" if d.next_action else ""


def _unattended(d: SwapDetail) -> str:
    if d.summary.phase.ended:
        return ""
    if d.safe_unattended_until <= d.now:
        return "keep it running now"
    return clock(d.safe_unattended_until)


def _legs(out: Output, d: SwapDetail) -> None:
    for leg in d.legs:
        out.line()
        whose = "your" if leg.ours else "their"
        rows = [
            (f"{whose} coins", f"{leg.amount.decimal} {leg.ticker}"),
            ("status", f"{leg.status}, {progress(leg.depth, leg.final_depth)}"),
            ("locked in", leg.outpoint or "nothing yet"),
            ("address", leg.script_address),
            ("script", leg.script),
            ("refundable from", f"{clock(leg.expiry)} ({until(leg.expiry, d.now)})"),
        ]
        for tx in leg.transactions:
            who = "ours" if tx.ours else "theirs"
            depth = "not seen" if tx.depth is None else progress(tx.depth, tx.final_depth)
            rows.append((f"{tx.what} ({who})", f"{tx.txid} {depth}"))
        out.pairs(rows)


def progress(depth: int, final: int) -> str:
    """Confirmations of a leg."""
    return f"{depth} of {final} confirmations" if depth < final else f"final ({depth} deep)"


def towers(out: Output, r: calls.TowerListResult) -> None:
    """tower.list."""
    if not r.towers:
        out.line("No towers. Name some as towers.claims and towers.refunds in the configuration.")
    for tower in r.towers:
        heard = f"heard {clock(tower.heard_at)}" if tower.heard_at else "never heard"
        out.line(f"{tower.peer_id} at {', '.join(tower.addresses)}")
        out.line(f"  gets our {' and '.join(f'{act}s' for act in tower.acts)}; {heard}")
        for problem in tower.problems:
            out.line(f"  problem: {problem}")
        rows = [
            [short(p.swap_id), p.act, p.leg, "held" if p.held else "NOT HELD", p.stage, p.txid]
            for p in tower.packages
        ]
        if rows:
            out.table(["swap", "package", "leg", "state", "stage", "sent"], rows)


def peers(out: Output, r: calls.PeerListResult) -> None:
    """peer.list."""
    if r.peers:
        rows = [
            [
                p.peer_id,
                "in" if p.inbound else "out",
                "" if p.latency_ms is None else f"{p.latency_ms} ms",
                clock(p.connected_since),
                p.addresses[0] if p.addresses else "",
            ]
            for p in r.peers
        ]
        out.table(["peer", "way", "ping>", "since", "address"], rows)
    else:
        out.line("No peers. Connect to one with `swap-cli peer connect ADDRESS`.")
    for address in r.own_addresses:
        out.line(f"our own address: {address}")
