"""No token pays a fee, no fee coin becomes a token.

Owns: that judgement, from the blocks alone. Must not know: the code under test, the simulators.
"""

from collections.abc import Collection, Hashable, Iterator

from tests.simulation.checks.coins import Books


def leaks(books: Books, sent: Collection[str], gas: Collection[Hashable]) -> Iterator[str]:
    """Of the transactions of honest parties on a chain where tokens are swapped: `gas` are the
    accounts that hold the coin for fees, everything else is of the token."""
    spends: dict[str, list[str]] = {}
    for ref, (tx, _) in books.spent.items():
        spends.setdefault(tx.txid, []).append(ref)
    for txid in sent:
        if txid not in books.heights or txid not in spends:
            continue
        tx = books.spent[spends[txid][0]][0]
        tokens = paid = 0
        for ref in spends[txid]:
            output = books.outputs[ref]
            if output.script in gas:
                paid += output.units
            else:
                tokens += output.units
        for script, units in tx.outputs:
            if script in gas:
                paid -= units
            else:
                tokens -= units
        if tokens or paid != tx.fee:
            yield f"{txid} loses {tokens} tokens and {paid} of the coin for a fee of {tx.fee}"
