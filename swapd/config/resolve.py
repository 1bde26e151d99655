"""Owns the step from written values to the ones the daemon uses: paths made absolute, amounts and
names resolved, and what contradicts itself refused.

Must not know: how values were read. It touches no file but to look at permissions.
"""

from collections.abc import Mapping
from pathlib import Path

from swapd import paths
from swapd.config import policy, values
from swapd.config.defaults import chain_params, known_coins
from swapd.config.errors import ConfigError
from swapd.config.evm import resolve_chain
from swapd.config.keys import CHAIN_NAMES, Key, dotted
from swapd.config.layers import Layer
from swapd.config.model import (
    ChainConfig,
    Config,
    ControlConfig,
    EvmChainConfig,
    LogConfig,
    MetricsConfig,
    NamedAsset,
    Network,
    P2pConfig,
    Pair,
    RecoveryConfig,
    TowerConfig,
    TowersConfig,
)
from swapd.config.sections import ChainSection, Sections
from swapd.paths import DataPaths, PathError


class Resolver:
    """One pass over the sections. Mistakes are collected, so that all are told at once."""

    def __init__(
        self, sections: Sections, effective: Mapping[Key, Layer], environ: Mapping[str, str]
    ) -> None:
        self._sections = sections
        self._effective = effective
        self._environ = environ
        self._problems: list[str] = []
        self._known: tuple[NamedAsset, ...] = ()
        self.warnings: list[str] = []

    def config(self) -> Config:
        """Raises ConfigError with a line for each mistake."""
        sections, network = self._sections, Network(self._sections.network)
        chains = tuple(self._chain(name, chain) for name, chain in sections.chains.items())
        evm = tuple(
            chain
            for name, section in sections.evm.items()
            if (chain := resolve_chain(name, section, network, self._problem)) is not None
        )
        self._known = (*known_coins(network), *(a for chain in evm for a in chain.assets()))
        self._check_names(evm)
        paths_ = self._paths()
        p2p, pairs, clock_file = self._p2p(), self._pairs(), self._clock_file()
        recovery = self._recovery(paths_ if chains else None)
        metrics, alarm_command = self._metrics(), self._alarm_command()
        towers, tower = self._towers(), self._tower()
        resolved = policy.resolve(sections, known_coins(network), evm, self._problem)
        if self._problems or resolved is None or paths_ is None:
            raise ConfigError("\n".join(self._problems))
        return Config(
            network=network,
            paths=paths_,
            chains=chains,
            known=self._known,
            evm=evm,
            p2p=p2p,
            pairs=pairs,
            policy=resolved,
            control=ControlConfig(
                clients=sections.control.clients,
                rate=sections.control.rate,
                burst=sections.control.burst,
                subscriptions=sections.control.subscriptions,
            ),
            recovery=recovery,
            alarm_command=alarm_command,
            metrics=metrics,
            watch_when_locked=sections.unattended.watch_when_locked,
            log=LogConfig(sections.log.level, sections.log.format),
            towers=towers,
            tower=tower,
            clock_file=clock_file,
        )

    def _problem(self, key: Key, what: str) -> None:
        layer = self._effective.get(key)
        source = f" (from {layer.source(key)})" if layer is not None else ""
        self._problems.append(f"{dotted(key)}{source}: {what}")

    def _path(self, key: Key, text: str | None) -> Path | None:
        """The absolute path at `key`, relative ones by where they were written."""
        if text is None:
            return None
        try:
            return paths.expand(text, self._environ, self._effective[key].base)
        except PathError as error:
            self._problem(key, str(error))
            return None

    def _paths(self) -> DataPaths | None:
        base = self._path(("data_dir",), self._sections.data_dir)
        socket = self._path(("control", "socket"), self._sections.control.socket)
        if base is None:
            return None
        try:
            return paths.data_paths(base, self._sections.network, socket)
        except PathError as error:
            self._problem(("control", "socket") if socket else ("data_dir",), str(error))
            return None

    def _chain(self, name: str, chain: ChainSection) -> ChainConfig:
        at: Key = ("chains", name)
        if chain.kind != CHAIN_NAMES[name]:
            self._problem((*at, "kind"), f"a table [chains.{name}] is about {CHAIN_NAMES[name]}")
        if problem := values.url_problem(chain.rpc_url):
            self._problem((*at, "rpc_url"), problem)
        elif values.is_exposed(chain.rpc_url):
            self.warnings.append(
                f"chains.{name}.rpc_url leads to another machine without encryption: "
                "whoever is on the way can read the node's password; use a tunnel or https"
            )
        self._check_login(at, chain)
        password_file = self._path((*at, "password_file"), chain.password_file)
        if password_file is not None:
            loose = paths.loose_permissions(password_file, readable=False)
            self.warnings.extend([loose] if loose else [])
        return ChainConfig(
            params=chain_params(self._sections.network, name),
            rpc_url=chain.rpc_url,
            wallet=chain.wallet,
            cookie_file=self._path((*at, "cookie_file"), chain.cookie_file),
            user=chain.user,
            password_file=password_file,
            timeout=float(chain.timeout_seconds),
            mempool_poll=chain.mempool_poll_ms / 1000,
        )

    def _check_names(self, evm: tuple[EvmChainConfig, ...]) -> None:
        """One name for each asset, and one table for each chain."""
        tickers = [asset.ticker for asset in self._known]
        for ticker in sorted({each for each in tickers if tickers.count(each) > 1}):
            self._problem(("evm",), f"{ticker} is the name of two assets: rename one of the tables")
        numbers = [chain.params.number for chain in evm]
        for number in sorted({each for each in numbers if numbers.count(each) > 1}):
            self._problem(("evm",), f"chain {number} is configured twice")

    def _check_login(self, at: Key, chain: ChainSection) -> None:
        if (chain.user is None) != (chain.password_file is None):
            missing = "user" if chain.user is None else "password_file"
            self._problem(at, f"user and password_file go together, {missing} is missing")
        if chain.cookie_file is not None and chain.user is not None:
            self._problem(at, "give either cookie_file, or user and password_file, not both")

    def _p2p(self) -> P2pConfig:
        p2p = self._sections.p2p
        checks = (
            ("listen", p2p.listen, values.listen_problem),
            ("announce", p2p.announce, values.announce_problem),
            ("bootstrap", p2p.bootstrap, values.bootstrap_problem),
        )
        for name, addresses, problem_of in checks:
            for address in addresses:
                if problem := problem_of(address):
                    self._problem(("p2p", name), f"{address}: {problem}")
        return P2pConfig(
            listen=p2p.listen,
            announce=p2p.announce,
            bootstrap=p2p.bootstrap,
            max_peers=p2p.max_peers,
            allow_private=p2p.allow_private,
        )

    def _recovery(self, data: DataPaths | None) -> RecoveryConfig:
        key: Key = ("recovery", "paths")
        named = tuple(self._path(key, text) for text in self._sections.recovery.paths)
        found = tuple(dict.fromkeys(path for path in named if path is not None))
        if data is None:
            # Who only relays has nothing to lose.
            return RecoveryConfig(paths=(), command=())
        if not found:
            found = (data.recovery,)
        return RecoveryConfig(paths=found, command=self._sections.recovery.command)

    def _metrics(self) -> MetricsConfig | None:
        section = self._sections.metrics
        key: Key = ("metrics", "listen")
        if not section.listen:
            return None
        try:
            host, port = values.split_address(section.listen)
        except ValueError as error:
            self._problem(key, f"{section.listen}: {error}")
            return None
        if not values.is_local(host):
            if not section.allow_remote:
                self._problem(
                    key,
                    f"{host} can be reached from other machines, and the figures tell what you "
                    "have at stake: take 127.0.0.1, or set metrics.allow_remote",
                )
            self.warnings.append(f"metrics.listen: whoever reaches {host} sees what is at stake")
        return MetricsConfig(host, port)

    def _alarm_command(self) -> tuple[str, ...]:
        """The first word as a path where it is one; else it is looked for in $PATH."""
        command = self._sections.alarms.command
        if not command or "/" not in command[0]:
            return command
        path = self._path(("alarms", "command"), command[0])
        return (str(path), *command[1:]) if path is not None else command

    def _towers(self) -> TowersConfig:
        towers = self._sections.towers
        for name, addresses in (("claims", towers.claims), ("refunds", towers.refunds)):
            for address in addresses:
                if problem := values.bootstrap_problem(address):
                    self._problem(("towers", name), f"{address}: {problem}")
        return TowersConfig(
            claims=towers.claims,
            refunds=towers.refunds,
            required=towers.required,
            max_fee_percent=towers.max_fee_percent,
        )

    def _tower(self) -> TowerConfig:
        tower = self._sections.tower
        for client in tower.clients:
            if problem := values.peer_id_problem(client):
                self._problem(("tower", "clients"), f"{client}: {problem}")
        return TowerConfig(
            key_file=self._path(("tower", "key_file"), tower.key_file),
            clients=tower.clients,
            strangers=tower.strangers,
            per_stranger=tower.per_stranger,
            grace_seconds=tower.grace_seconds,
        )

    def _pairs(self) -> tuple[Pair, ...]:
        known = self._known
        pairs: list[Pair] = []
        for text in self._sections.market.pairs:
            try:
                pair = values.parse_pair(text, known)
            except ValueError as error:
                self._problem(("market", "pairs"), str(error))
                continue
            if any({pair.base, pair.quote} == {each.base, each.quote} for each in pairs):
                self._problem(("market", "pairs"), f"{text} is there twice")
            pairs.append(pair)
        return tuple(pairs)

    def _clock_file(self) -> Path | None:
        key: Key = ("regtest", "clock_file")
        clock_file = self._path(key, self._sections.regtest.clock_file)
        if clock_file is not None and self._sections.network != "regtest":
            self._problem(key, "only regtest may have another time than the world's")
        return clock_file
