"""The chain port on EVM chains, over JSON-RPC.

Owns: endpoints and whom of them to believe, blocks, contracts and tokens as they stand at a block,
our accounts and their nonces. Must not know: the engine, other adapters, who is on the other side.
"""

from swapd.chains.evm.accounts import AccountKey
from swapd.chains.evm.chain import EvmChain, token_asset
from swapd.chains.evm.config import EndpointConfig, EvmConfig, TokenConfig
from swapd.chains.evm.node import EvmNode

__all__ = [
    "AccountKey",
    "EndpointConfig",
    "EvmChain",
    "EvmConfig",
    "EvmNode",
    "TokenConfig",
    "token_asset",
]
