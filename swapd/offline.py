"""What can be done for an operator whose daemon does not run: from its data directory alone.

Owns: reading the journal for `swapd rescue`, the examinations of `swapd doctor`, what is printed.
Must not know: what is found, the network.
"""

import sys
from pathlib import Path

import click
from msgspec import Struct

from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import AssetInfo, SwapSummary
from swapd.cli import care_draw, draw, exits
from swapd.cli.care import KEYS_WARNING
from swapd.cli.care_draw import show_findings
from swapd.cli.output import Output
from swapd.clock import FileClock, WallClock
from swapd.config import Config, ConfigError, Loaded
from swapd.doctor import clock, files, nodes, reach
from swapd.doctor.findings import Finding, finding
from swapd.engine.journal import load_state
from swapd.engine.operations.examining import doctor_result
from swapd.engine.operations.rescuing import rescue
from swapd.engine.operations.swap_views import SwapViews
from swapd.keys.errors import KeysError
from swapd.lockfile import AlreadyLockedError, LockError, locked
from swapd.parts import connect_chain, connect_evm
from swapd.ports import ChainError, Clock, JournalRecord, Signer, Store, StoreError
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
    config: Config, signer: Signer, at: Clock, text: str | None, *, keys: bool
) -> calls.SwapRescueResult | Listed:
    """The rescue of the swap whose id begins with `text`; without it the swaps there are. Raises
    StoreError, click.UsageError."""
    if not config.paths.database.exists():
        # Opening it would make an empty one.
        message = f"there is no journal at {config.paths.database}: take a recovery file over first"
        raise StoreError(f"{message} (`swapd recover FILE`)")
    store = await SqliteStore.open(config.paths.database, network=config.network.value)
    try:
        assets = asset_table(config)
        records = await _records(store)
        if text is None:
            views = SwapViews(assets)
            rows = [views.summary(load_state(r), r.sequence, r.at) for r in records]
            return Listed(tuple(rows))
        record = _one(records, text.lower())
        state, now = load_state(record), at.now()
        return await rescue(
            store, signer, assets, state, keys=keys, fee_rates=(), now=max(state.now, now)
        )
    finally:
        await store.aclose()


async def diagnose(loaded: Loaded, passphrase_file: Path | None, *, as_json: bool) -> int:
    """Prints the findings; the exit code."""
    config = loaded.config
    found = files.examine(config, warnings=loaded.warnings, passphrase_file=passphrase_file)
    found += clock.by_kernel(clock.is_synchronised())
    examined = ["configuration", "disk", "files", "clock"]
    try:
        with locked(config.paths.lock):
            found += reach.ports(config.p2p.listen)
        examined.append("ports")
    except AlreadyLockedError as error:
        remedy = "ask it: `swap-cli doctor` finds more"
        found.append(finding("daemon_runs", str(config.paths.root), str(error), remedy))
    except LockError as error:
        found.append(finding("data_dir_unusable", str(config.paths.root), str(error)))
    statuses = []
    now: Clock = WallClock()
    if config.clock_file is not None:
        now = FileClock(config.clock_file, lambda _: None)
    for chain_config in config.chains:
        ticker = chain_config.params.ticker
        examined.append(ticker)
        try:
            chain = connect_chain(chain_config, now)
        except (KeysError, ChainError) as error:
            found.append(finding("secret_unreadable", ticker, str(error)))
            continue
        rate = config.policy.stress_fee_rate
        status, told = await nodes.examine(chain, stress_rate=rate, needed_from=None)
        found += told
        statuses += [status] if status is not None else []
    for settings in config.evm:
        for each in connect_evm(settings, now, None, None).values():
            examined.append(each.ticker)
            rate = config.policy.stress(each.asset)
            status, told = await nodes.examine(each, stress_rate=rate, needed_from=None)
            found += told
            statuses += [status] if status is not None else []
    found += clock.by_chains(now.now(), statuses)
    return print_findings(examined, found, as_json=as_json)


def diagnose_configuration(error: ConfigError, *, as_json: bool) -> int:
    """Prints why the configuration can't be used; the exit code."""
    found = [finding("config_invalid", "configuration", str(error))]
    return print_findings(["configuration"], found, as_json=as_json)


def print_findings(examined: list[str], found: list[Finding], *, as_json: bool) -> int:
    """Prints them; the exit code."""
    result = doctor_result(examined, found)
    show_findings(Output(as_json=as_json, environ={}, stream=sys.stdout), result)
    return exits.HEALTH_CRITICAL if result.critical else exits.OK


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
