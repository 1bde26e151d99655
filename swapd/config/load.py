"""Owns putting the layers together: defaults, file, environment, flags, later ones first; and
saying afterwards where each value came from.

Must not know: what the values mean to the daemon.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from swapd import paths
from swapd.config import layers
from swapd.config.defaults import defaults
from swapd.config.errors import ConfigError
from swapd.config.keys import Key, dotted
from swapd.config.layers import Layer
from swapd.config.model import Config, Network
from swapd.config.resolve import Resolver
from swapd.config.sections import EvmSection, Sections, TokenSection

DEFAULT = "default"
_HIDDEN = "/(hidden)"


class Setting(Struct, frozen=True):
    """One effective value as plain data, and where it came from."""

    key: str
    value: Any
    source: str


class Loaded(Struct, frozen=True):
    """A configuration, its explanation, and what the operator should mend although it works."""

    config: Config
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]


def load(
    *,
    environ: Mapping[str, str],
    cwd: Path,
    file: Path | None = None,
    flags: Mapping[str, str] | None = None,
) -> Loaded:
    """The configuration from `file` (or $SWAPD_CONFIG, or the usual places, or none), then
    `environ`, then `flags` (dotted key to text). Raises ConfigError naming every mistake found.
    """
    found = _find(file, environ, cwd)
    given = [layers.file_layer(found)] if found is not None else []
    given.append(layers.environment_layer(environ, cwd))
    given.append(layers.flag_layer(flags or {}, cwd))
    network = _network(given)
    all_layers = [_defaults(network, given, environ, cwd), *given]
    effective = {key: layer for layer in all_layers for key in layer.values}
    resolver = Resolver(_sections(effective), effective, environ)
    config = resolver.config()
    settings = tuple(
        Setting(dotted(key), shown(key, effective[key].values[key]), effective[key].source(key))
        for key in sorted(effective, key=layers.order)
        if effective[key].values[key] is not None
    )
    warnings = list(resolver.warnings)
    if found is not None and (loose := paths.loose_permissions(found, readable=True)):
        warnings.append(loose)
    return Loaded(config, settings, tuple(warnings))


def describe(loaded: Loaded) -> str:
    """Every effective value with its source, one a line; itself a configuration in TOML."""
    lines = [(f"{each.key} = {_toml(each.value)}", each.source) for each in loaded.settings]
    width = min(60, max(len(text) for text, _ in lines))
    return "\n".join(f"{text:<{width}}  # {source}" for text, source in lines)


def shown(key: Key, value: Any) -> Any:
    """A value as it may be printed: of hosted endpoints the path is a password."""
    if key[0] != "evm" or not key[-1].endswith("endpoints"):
        return value
    parts = [urlsplit(url) for url in value]
    return [f"{p.scheme}://{p.hostname}{_HIDDEN if p.path.strip('/') else ''}" for p in parts]


def _find(named: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read. One that is named must exist (reading it will tell)."""
    try:
        if named is not None:
            return cwd / named
        if environ.get("SWAPD_CONFIG"):
            return paths.expand(environ["SWAPD_CONFIG"], environ, cwd)
        if not environ.get("HOME"):
            return None
        usual = paths.default_config_files(environ)
        return next((path for path in usual if path.exists()), None)
    except (paths.PathError, OSError) as error:
        raise ConfigError(str(error)) from None


def _network(given: list[Layer]) -> Network:
    """Nobody trades on mainnet, or believes to, by accident. Raises ConfigError."""
    values = [layer.values[("network",)] for layer in given if ("network",) in layer.values]
    if not values:
        choices = ", ".join(Network)
        raise ConfigError(
            f"network is not set, and there is no default: choose one of {choices} with "
            f'network = "..." in the configuration, SWAPD_NETWORK, or --network'
        )
    return Network(values[-1])


def _defaults(network: Network, given: list[Layer], environ: Mapping[str, str], cwd: Path) -> Layer:
    """Raises ConfigError."""
    keys = {key for layer in given for key in layer.values}
    chains = sorted({key[1] for key in keys if key[0] == "chains"})
    try:
        values = defaults(network, chains, environ)
    except paths.PathError as error:
        raise ConfigError(str(error)) from None
    for name in chains:
        # Who names a user has said not to want the cookie.
        if ("chains", name, "user") in keys or ("chains", name, "password_file") in keys:
            del values["chains", name, "cookie_file"]
    if ("data_dir",) not in values and ("data_dir",) not in keys:
        raise ConfigError("data_dir: HOME is not set, so say where the data shall be")
    return Layer(DEFAULT, values, lambda _: DEFAULT, cwd)


def _sections(effective: dict[Key, Layer]) -> Sections:
    """The values in their tables; each was checked by its layer."""
    tree: dict[str, Any] = {}
    for key, layer in effective.items():
        table = tree
        for name in key[:-1]:
            table = table.setdefault(name, {})
        table[key[-1]] = layer.values[key]
    _require(tree)
    return msgspec.convert(tree, Sections)


def _require(tree: dict[str, Any]) -> None:
    """Tables that an operator names have no defaults for what tells one from another. Raises
    ConfigError."""
    wanted: list[tuple[Key, dict[str, Any], type[msgspec.Struct]]] = []
    for name, chain in tree.get("evm", {}).items():
        wanted.append((("evm", name), chain, EvmSection))
        for token, table in chain.get("tokens", {}).items():
            wanted.append((("evm", name, "tokens", token), table, TokenSection))
    missing = [
        dotted((*at, field.name))
        for at, table, kind in wanted
        for field in msgspec.structs.fields(kind)
        if field.required and field.name not in table
    ]
    if missing:
        raise ConfigError("\n".join(f"{name}: this has to be said" for name in missing))


def _toml(value: object) -> str:
    """A value as TOML, which JSON is for texts, whole numbers, booleans and lists of them."""
    return json.dumps(value, ensure_ascii=False)
