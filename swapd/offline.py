"""What can be done for an operator whose daemon does not run: from its data directory alone.

Owns: reading the journal for `swapd rescue`, what is printed. Must not know: nodes, the network.
"""

import sys

import click
from msgspec import Struct

from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import AssetInfo, SwapSummary
from swapd.cli import care_draw, draw
from swapd.cli.care import KEYS_WARNING
from swapd.cli.output import Output
from swapd.config import Config
from swapd.engine.journal import load_state
from swapd.engine.operations.rescuing import rescue
from swapd.engine.operations.swap_views import SwapViews
from swapd.ports import Clock, JournalRecord, Signer, Store
from swapd.store.sqlite import SqliteStore

_PAGE = 500
_LEAST_DIGITS = 4


class Listed(Struct, frozen=True):
    """The swaps of a data directory, newest first."""

    swaps: tuple[SwapSummary, ...]


def confirm_keys(*, interactive: bool) -> None:
    """Returns when somebody said yes. Raises click.UsageError, click.Abort."""
    if not interactive:
        raise click.UsageError("this shows private keys and nobody can be asked: add --yes")
    click.echo(KEYS_WARNING, err=True)
    click.confirm("Show them?", abort=True, err=True)


async def find(
    config: Config, signer: Signer, clock: Clock, text: str | None, *, keys: bool
) -> calls.SwapRescueResult | Listed:
    """The rescue of the swap whose id begins with `text`; without it the swaps there are. Raises
    StoreError, click.UsageError."""
    store = await SqliteStore.open(config.paths.database, network=config.network.value)
    try:
        assets = asset_table(config)
        records = await _records(store)
        if text is None:
            views = SwapViews(assets)
            rows = [views.summary(load_state(r), r.sequence, r.at) for r in records]
            return Listed(tuple(rows))
        record = _one(records, text.lower())
        state, now = load_state(record), clock.now()
        return await rescue(
            store, signer, assets, state, keys=keys, fee_rates=(), now=max(state.now, now)
        )
    finally:
        await store.aclose()


def asset_table(config: Config) -> AssetTable:
    """The assets whose names are known on this network."""
    return AssetTable(
        AssetInfo(
            asset=params.asset_id,
            chain=params.chain_id,
            ticker=params.ticker,
            decimals=params.decimals,
        )
        for params in config.known
    )


async def _records(store: Store) -> list[JournalRecord]:
    found: list[JournalRecord] = []
    after: bytes | None = None
    while page := await store.swaps(after=after, limit=_PAGE):
        found += page
        after = page[-1].swap_id
    return found


def _one(records: list[JournalRecord], text: str) -> JournalRecord:
    found = [r for r in records if r.swap_id.hex().startswith(text)]
    if len(text) < _LEAST_DIGITS or len(found) != 1:
        raise click.UsageError(
            f"{len(found)} swaps have ids that begin with {text!r}: give at least {_LEAST_DIGITS} "
            "digits of one; `swapd rescue` alone lists them"
        )
    return found[0]


def show(found: calls.SwapRescueResult | Listed, *, as_json: bool) -> None:
    """Prints it."""
    out = Output(as_json=as_json, environ={}, stream=sys.stdout)
    if as_json:
        out.json(found)
    elif isinstance(found, Listed):
        draw.swaps(out, found.swaps)
    else:
        care_draw.rescue(out, found)
