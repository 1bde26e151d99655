"""Swaps that come out of a market: the book of a bazaar, then one parley each.

Owns: `Market`: which offers are taken, what was agreed, what was wrong on the way. Must not know:
what happens to the coins.
"""

from collections import Counter
from random import Random

from protocol.terms import Terms
from tests.simulation.pure.bazaar import Bazaar
from tests.simulation.pure.parley import Agreed, Parley
from tests.simulation.pure.setting import FAMILIES, Setting

SHARE = 20
"""One swap in so many goes through the market."""

_TAKES = 14


class Market:
    """One taker's market. `agreed` are terms that two honest sides signed, with the preimage."""

    def __init__(self, setting: Setting, now: int) -> None:
        rng = Random(f"market {setting.seed}")
        self.families = rng.choice((FAMILIES, (FAMILIES[1], FAMILIES[0])))
        self.tallies: Counter[str] = Counter()
        self.agreed: list[Agreed] = []
        bazaar = Bazaar(setting, self.families, rng, now)
        self.faults = list(bazaar.faults)
        known: set[bytes] = set()
        past: list[bytes] = []
        offers = list(bazaar.book.side(bazaar.sell, bazaar.buy))
        self.tallies["offers in a book"] += len(offers)
        for _ in range(_TAKES if offers else 0):
            entry = rng.choice(offers)
            maker = next(m for m in bazaar.makers if m.key == entry.offer.maker)
            units = rng.randint(int(entry.offer.minimum), int(entry.offer.maximum))
            parley = Parley(
                setting, rng, maker, entry.offer, entry.offer_id, units, now, known, past
            )
            parley.run()
            self._settle(parley)

    def _settle(self, parley: Parley) -> None:
        self.tallies["takes"] += 1
        if parley.lie:
            self.tallies["takes with a liar"] += 1
        self.faults += [f"{fault} (the lie was: {parley.lie or 'none'})" for fault in parley.faults]
        both: Terms | None = parley.taker_agreed
        if both is not None and both == parley.maker_agreed and not parley.lie:
            self.tallies["takes agreed"] += 1
            self.agreed.append(Agreed(both, parley.preimage))
        elif both is not None and parley.maker_agreed is not None and both != parley.maker_agreed:
            self.faults.append("both sides hold different terms to be signed by both")
