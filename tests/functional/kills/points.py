"""Owns the list of all points at which a daemon may die in a swap, and who can get to which.

The list follows from the two closed unions of the protocol, so that a new event or effect is on it
at once. What nobody can get to on real nodes is listed with the reason.
"""

from typing import Final, get_args

from protocol.swap.effects import Effect
from protocol.swap.events import Event

FIRST_ROW: Final = "Agreed"
"""The journal's name of a swap's first row, which no event made."""

PARTIES: Final = ("taker", "maker")


def names(union: object) -> tuple[str, ...]:
    """The names of a union's members."""
    return tuple(kind.__name__ for kind in get_args(union))


EVENTS: Final = (FIRST_ROW, *names(Event))
EFFECTS: Final = names(Effect)


def both_sides(name: str) -> tuple[str, str]:
    """The two points of an event or an effect."""
    what = "journal" if name in EVENTS else "effect"
    return f"{what}:before:{name}", f"{what}:after:{name}"


POINTS: Final = tuple(point for name in (*EVENTS, *EFFECTS) for point in both_sides(name))
"""Every point there is, in no particular order of time."""

_OLD_COPY: Final = "only a swap put back from a copy older than its lock asks the wallet for it"

UNREACHABLE: Final = {
    ("taker", "ResendTheirLock"): "only the maker's lock answers one: the taker locks first",
    **{(party, name): _OLD_COPY for party in PARTIES for name in ("SeekLock", "LockFound")},
}
"""(party, name of an event or effect): why no story can get there."""
