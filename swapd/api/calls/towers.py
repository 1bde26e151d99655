"""Parameters and results of `tower.*`. Must not know: how a call is done."""

from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import SwapId, UnixTime


class TowerPackageView(Struct, frozen=True, kw_only=True):
    """One package of one swap at one tower. `act` is claim or refund of `leg` ("i" or "p"); `held`:
    the tower proved that it has the current one; `stage` is what the tower says of it: waiting,
    acting (it sent `txid`) or spent."""

    swap_id: SwapId
    leg: str
    act: str
    held: bool
    stage: str
    txid: str


class TowerView(Struct, frozen=True, kw_only=True):
    """One tower. `acts` are what it gets of each swap; `heard_at` its last good answer (0: never);
    `problems` what is wrong with it now."""

    peer_id: str
    addresses: tuple[str, ...]
    acts: tuple[str, ...]
    heard_at: UnixTime
    problems: tuple[str, ...]
    packages: tuple[TowerPackageView, ...]


class TowerListResult(Struct, frozen=True, kw_only=True):
    """Our towers. With `required` a lock waits until they have what it needs."""

    required: Annotated[bool, Meta(description="the configuration's towers.required")]
    towers: tuple[TowerView, ...]
