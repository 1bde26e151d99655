"""Real regtest nodes for tests, the demo and the benchmark: one world of parties, one clock.

Each party of a `World` has a bitcoind and a litecoind of its own. Knows nothing of swapd and
nothing of pytest.
"""

from tests.nodes.binaries import NodeMissingError, find_node
from tests.nodes.clock import TestClock
from tests.nodes.node import Chain, Node, NodeOptions
from tests.nodes.rpc import RpcError, decimal_amount, rpc_call
from tests.nodes.world import Party, World

__all__ = [
    "World",
    "Party",
    "Node",
    "NodeOptions",
    "Chain",
    "TestClock",
    "RpcError",
    "NodeMissingError",
    "decimal_amount",
    "find_node",
    "rpc_call",
]
