"""Owns standing between a daemon and its nodes: the daemon is restarted onto proxies and back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from tests.daemons.fleet import Fleet
from tests.faults.proxy import RpcProxy
from tests.nodes import Chain, Party
from tests.nodes.world import CHAINS

TIMEOUT_SECONDS: Final = 2
"""What a daemon waits for an answer here: long enough for a loaded machine most of the time, and
an answer that comes later is just one more fault."""

Proxies = Mapping[tuple[str, Chain], RpcProxy]


@asynccontextmanager
async def proxied(fleet: Fleet, *names: str) -> AsyncIterator[Proxies]:
    """While it is open, these daemons talk to their nodes through proxies."""
    proxies: dict[tuple[str, Chain], RpcProxy] = {}
    async with trio.open_nursery() as nursery:
        for name in names:
            for chain in CHAINS:
                proxies[name, chain] = RpcProxy(fleet.world[name].node(chain))
                await nursery.start(proxies[name, chain].serve)
        try:
            for name in names:
                await _restart(fleet, name, _party(fleet, name, proxies), TIMEOUT_SECONDS)
            yield proxies
        finally:
            with trio.CancelScope(shield=True):
                for proxy in proxies.values():
                    proxy.faults.clear()
                for name in names:
                    await _restart(fleet, name, fleet.world[name], None)
            nursery.cancel_scope.cancel()


def _party(fleet: Fleet, name: str, proxies: Proxies) -> Party:
    real = fleet.world[name]
    nodes = {
        chain: replace(real.node(chain), rpc_port=proxies[name, chain].port) for chain in CHAINS
    }
    return Party(name, nodes, real.wallet)


async def _restart(fleet: Fleet, name: str, party: Party, timeout: int | None) -> None:
    daemon = fleet[name]
    daemon._party = party
    for chain in ("btc", "ltc"):
        key = f"chains.{chain}.timeout_seconds"
        daemon.settings.pop(key, None)
        if timeout is not None:
            daemon.settings[key] = str(timeout)
    await fleet.restart(name, politely=False)
