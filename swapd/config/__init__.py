"""The operator's configuration: read, checked, and explained.

Owns: the one value that says everything the operator decided, and where each part came from.
Must not know: the engine or any adapter; the daemon hands each of them its part.
"""

from swapd.config.errors import ConfigError
from swapd.config.load import Loaded, Setting, describe, load
from swapd.config.model import (
    ChainConfig,
    Config,
    ControlConfig,
    EvmChainConfig,
    LogConfig,
    Network,
    P2pConfig,
    Pair,
)

__all__ = [
    "ChainConfig",
    "Config",
    "ConfigError",
    "ControlConfig",
    "EvmChainConfig",
    "Loaded",
    "LogConfig",
    "Network",
    "P2pConfig",
    "Pair",
    "Setting",
    "describe",
    "load",
]
