"""Owns the layers a configuration is made of: a file, the environment, flags; each refused with
everything that is wrong in it.

Must not know: defaults, what values mean.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from swapd.config.errors import ConfigError
from swapd.config.keys import (
    CHAIN_NAMES,
    Key,
    all_keys,
    choices,
    declared,
    dotted,
    fields,
    general,
    is_list,
    unknown,
)

ENV_PREFIX = "SWAPD_"
_NO_KEYS = frozenset({"SWAPD_REGTEST_KILL_AT", "SWAPD_SOLC"})
"""A test hook and a tool of ./dev whose names look like keys."""
_MAX_FILE = 256 * 1024
_AMOUNTS = frozenset({"minimum", "maximum", "max_locked"})


class Layer(Struct, frozen=True):
    """Values from one source, called `name`. `source(key)` says where a value came from; relative
    paths are relative to `base`."""

    name: str
    values: dict[Key, Any]
    source: Callable[[Key], str]
    base: Path


def file_layer(path: Path) -> Layer:
    """The values in a TOML file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        msg = f"the configuration {path} cannot be read: {error.strerror or error}"
        raise ConfigError(msg) from None
    if len(content) > _MAX_FILE:
        raise ConfigError(f"the configuration {path} has more than {_MAX_FILE} bytes")
    try:
        tree = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of 5000 digits
        raise ConfigError(f"{path} is not TOML: {error}") from None
    values: dict[Key, Any] = {}
    problems: list[str] = []
    _flatten(tree, (), values, problems)
    return _checked(Layer(str(path), values, lambda _: str(path), path.parent), problems)


def environment_layer(environ: Mapping[str, str], base: Path) -> Layer:
    """SWAPD_POLICY__PROFILE=server and the like. Raises ConfigError.

    Variables without a double underscore that are no key belong to others (SWAPD_CONFIG, the
    tests' own), unless they are nearly one.
    """
    values: dict[Key, Any] = {}
    problems: list[str] = []
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable in _NO_KEYS:
            continue
        key = tuple(variable.removeprefix(ENV_PREFIX).lower().split("__"))
        if len(key) == 1 and declared(key) is None and "did you mean" not in unknown(key):
            continue
        _take_text(key, text, values, problems, variable)
    layer = Layer("the environment", values, lambda key: f"env {variable_of(key)}", base)
    return _checked(layer, problems)


def flag_layer(flags: Mapping[str, str], base: Path) -> Layer:
    """Values by dotted key, from the command line. Raises ConfigError."""
    values: dict[Key, Any] = {}
    problems: list[str] = []
    for name, text in flags.items():
        _take_text(tuple(name.split(".")), text, values, problems, f"flag {name}")
    layer = Layer("the flags", values, lambda key: f"flag {dotted(key)}", base)
    return _checked(layer, problems)


def variable_of(key: Key) -> str:
    """The environment variable of a key."""
    return ENV_PREFIX + "__".join(key).upper()


def _flatten(tree: dict[str, Any], at: Key, values: dict[Key, Any], problems: list[str]) -> None:
    for name, value in tree.items():
        key = (*at, name)
        kind = declared(key)
        if kind is None:
            problems.append(unknown(key))
        elif fields(kind) is None:
            values[key] = value
        elif isinstance(value, dict):
            if at == ("chains",):
                # An empty table says "this chain, with all its defaults".
                values[*key, "kind"] = CHAIN_NAMES[name]
            _flatten(value, key, values, problems)
        else:
            problems.append(f"{dotted(key)}: this is a table, [{dotted(key)}], not a value")


def _take_text(
    key: Key, text: str, values: dict[Key, Any], problems: list[str], where: str
) -> None:
    """A value written as text, by the type its key has."""
    kind = declared(key)
    if kind is None:
        problems.append(f"{where}: {unknown(key)}")
    elif fields(kind) is not None:
        problems.append(f"{where}: {dotted(key)} is a table, name one of its keys")
    elif is_list(kind):
        values[key] = [part.strip() for part in text.split(",") if part.strip()]
    else:
        try:
            values[key] = msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{where}: {_in_words(key, text, str(error))}")
        except UnicodeEncodeError:
            problems.append(f"{where}: {text[:40]!r} is not UTF-8 text")


def _checked(layer: Layer, problems: list[str]) -> Layer:
    """The layer with every value checked against its type. Raises ConfigError."""
    for key, value in list(layer.values.items()):
        try:
            layer.values[key] = msgspec.convert(value, declared(key))
        except msgspec.ValidationError as error:
            problems.append(f"{dotted(key)}: {_in_words(key, value, str(error))}")
        except UnicodeEncodeError:
            problems.append(f"{dotted(key)}: {str(value)[:40]!r} is not UTF-8 text")
    if problems:
        raise ConfigError("\n".join([f"in {layer.name}:", *(f"  {line}" for line in problems)]))
    return layer


def _in_words(key: Key, value: object, error: str) -> str:
    words = choices(declared(key))
    if words and isinstance(value, str):
        return f"{str(value)[:40]!r} is not one of {', '.join(words)}"
    if key[-1] in _AMOUNTS and isinstance(value, int | float):
        return (
            f'an amount is text, so that it is exact: "{value}" for coins, '
            f'or "{value} units" for base units'
        )
    if isinstance(value, float):
        return f"{error}; write a whole number"
    return error


def order(key: Key) -> int:
    """Where a key stands in the example file."""
    return _ORDER[general(key)]


_ORDER = {key: place for place, key in enumerate(all_keys())}
