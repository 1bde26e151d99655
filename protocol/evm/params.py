"""Chains of the eip155 namespace, as data: what is known of them for good, and what is not.

Owns: `EvmParams` and the table. Must not know: nodes, configuration.

A chain that is not in the table can be swapped on by configuration: its pace is then stated in the
terms of each swap. The pace of those with `pace` None must be stated as well: a chain that one
sequencer orders keeps time as its operator likes (safety rule 27).

Sources: CAIP-2 namespace eip155, SLIP-44 (60), EIP-155. Ethereum makes a block every 12 s, some
slots stay empty; a block is `finalized` after two to three epochs of 6.4 min, 20 min allowed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from protocol.assets import AssetId, ChainId
from protocol.terms import Pace

NAMESPACE: Final = "eip155"
NATIVE: Final = "slip44:60"

ETHEREUM_PACE: Final = Pace(interval=13, finality=1200)
"""Of Ethereum: no clock that runs early, no sequencer."""

DEV_PACE: Final = Pace(interval=10)
"""Of chains on one's own machine, in tests."""


class EvmParams(Struct, frozen=True):
    """One chain. `is_test`: its coins are worth nothing; `is_dev`: nobody else is on it. `pace` is
    the least that may be stated for it, None where only configuration can tell."""

    number: int
    name: str
    is_test: bool = False
    is_dev: bool = False
    pace: Pace | None = None

    @property
    def title(self) -> str:
        """The chain in words."""
        return self.name

    @property
    def chain_id(self) -> ChainId:
        """CAIP-2."""
        return ChainId(f"{NAMESPACE}:{self.number}")

    @property
    def asset_id(self) -> AssetId:
        """CAIP-19 of the chain's own coin, in which fees are paid."""
        return AssetId(f"{self.chain_id}/{NATIVE}")


_KNOWN: Final = (
    EvmParams(1, "ethereum mainnet", pace=ETHEREUM_PACE),
    EvmParams(11155111, "ethereum sepolia", is_test=True, pace=ETHEREUM_PACE),
    EvmParams(560048, "ethereum hoodi", is_test=True, pace=ETHEREUM_PACE),
    EvmParams(1337, "evm dev 1337", is_test=True, is_dev=True, pace=DEV_PACE),
    EvmParams(31337, "evm dev 31337", is_test=True, is_dev=True, pace=DEV_PACE),
    EvmParams(31338, "evm dev 31338", is_test=True, is_dev=True, pace=DEV_PACE),
    EvmParams(10, "op mainnet"),
    EvmParams(137, "polygon mainnet"),
    EvmParams(8453, "base mainnet"),
    EvmParams(42161, "arbitrum one"),
    EvmParams(84532, "base sepolia", is_test=True),
    EvmParams(421614, "arbitrum sepolia", is_test=True),
    EvmParams(11155420, "op sepolia", is_test=True),
)

EVM_CHAINS: Final[Mapping[ChainId, EvmParams]] = MappingProxyType(
    {chain.chain_id: chain for chain in _KNOWN}
)


def is_evm(chain: str) -> bool:
    """Whether a CAIP-2 id is of this namespace."""
    number = chain.removeprefix(f"{NAMESPACE}:")
    return number != chain and number.isascii() and number.isdigit() and number[0] != "0"


def evm_params(chain: ChainId) -> EvmParams:
    """What is known of a chain of this namespace; one that is not in the table counts as real.
    Raises ValueError for an id of another namespace."""
    if not is_evm(chain):
        msg = f"{chain[:80]!r} is no eip155 chain"
        raise ValueError(msg)
    number = int(chain.partition(":")[2])
    return EVM_CHAINS.get(chain) or EvmParams(number, f"evm chain {number}")
