"""Node connections of the bitcoind family: the only place that knows node RPC.

Owns: nothing itself; each module says what it owns. Must not know: the engine, other adapters.
"""

from swapd.chains.bitcoind import BitcoindChain
from swapd.chains.config import NodeConfig

__all__ = ["BitcoindChain", "NodeConfig"]
