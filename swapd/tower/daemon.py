"""The composition root of `swapd tower`: builds its parts, starts and stops them.

Owns: that order. Must not know: what any part decides. Beside `swapd.daemon` the only module that
knows adapters of several kinds; it has no seed, no wallet, no control socket.

Start: chains -> everything that is kept is watched -> network -> clients. Stop in reverse.
"""

from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from protocol.assets import AssetId
from protocol.evm.address import checksummed
from swapd.config import Config
from swapd.network.client import Libp2pPeers
from swapd.parts import check_chain, connect_chain, connect_evm, network_config, relays_of
from swapd.ports import Chain, Clock, Entropy, Store
from swapd.tower import keyfile
from swapd.tower.errors import TowerError
from swapd.tower.keeper import Keeper
from swapd.tower.quotas import Bounds
from swapd.tower.server import TowerServer
from swapd.tower.vault import Vault

log = structlog.get_logger(__name__)


class TowerDaemon:
    """One tower, from its parts to its end."""

    def __init__(self, config: Config, *, store: Store, clock: Clock, entropy: Entropy) -> None:
        """Raises TowerError (no chain), KeptSecretError (key file), KeysError (password file)."""
        if not (config.chains or config.evm):
            raise TowerError("a tower watches chains: configure [chains.btc], [evm.eth]")
        self._config, self._clock = config, clock
        secret = keyfile.load(key_path(config), entropy)
        self._chains: dict[AssetId, Chain] = {
            AssetId(chain.params.asset_id): connect_chain(chain, clock, wallet=False)
            for chain in config.chains
        }
        for accounts in config.evm:
            self._chains |= connect_evm(accounts, clock, store, None, keyfile.relay_key(secret))
        self._relays = relays_of(self._chains)
        self._peers = Libp2pPeers(
            network_config(config),
            keyfile.network_secret(secret),
            clock=None if config.clock_file is None else clock.now,
        )
        tower = config.tower
        self._keeper = Keeper(
            self._chains,
            Vault(store, keyfile.vault_key(secret), entropy),
            clock,
            bounds=Bounds(
                strangers=tower.strangers,
                per_stranger=tower.per_stranger,
                clients=frozenset(tower.clients),
            ),
            grace=tower.grace_seconds,
            relays=self._relays,
        )
        self._stop = trio.Event()

    def stop(self) -> None:
        """Begins an orderly stop."""
        self._stop.set()

    async def run(self, *, ready: Callable[[int], None] = lambda _kept: None) -> None:
        """Until `stop`; `ready` is told how many packages are watched. Raises ListenError,
        NodeMisconfigured, StoreError (in exception groups) when it can't start."""
        for chain in self._chains.values():
            await check_chain(chain)
        async with trio.open_nursery() as nursery:
            for chain in self._chains.values():
                await nursery.start(chain.run)
            kept = await self._keeper.load()
            await nursery.start(self._keeper.run)
            await nursery.start(self._peers.run)
            await nursery.start(TowerServer(self._peers, self._keeper).run)
            log.info(
                "tower.ready",
                packages=kept,
                addresses=self.addresses(),
                gas_accounts=self.gas_accounts(),
            )
            ready(kept)
            await self._stop.wait()
            nursery.cancel_scope.cancel()

    def addresses(self) -> list[str]:
        """What clients write into their configuration. Raises NetworkDown before the start."""
        own = self._peers.identity()
        return [f"{address}/p2p/{own.peer_id}" for address in own.addresses]

    def gas_accounts(self) -> dict[str, str]:
        """Where the operator puts gas, by chain."""
        found = {self._chains[asset].chain: relay.account for asset, relay in self._relays.items()}
        return {chain: checksummed(account) for chain, account in found.items()}


def tower_folder(config: Config) -> Path:
    """Where a tower's files lie, apart from a daemon's."""
    return config.paths.root / "tower"


def key_path(config: Config) -> Path:
    """The tower's key file: where the operator says, else beside the database."""
    return config.tower.key_file or tower_folder(config) / "tower.key"
