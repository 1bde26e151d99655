"""How one EVM chain is reached and what is swapped on it.

Owns: `EvmConfig`, `TokenConfig`, `EndpointConfig`. Must not know: where the values came from.
"""

from msgspec import Struct

from protocol.evm.params import EvmParams
from protocol.terms import Pace
from swapd.chains.evm.contract import GAS_TOKEN


class EndpointConfig(Struct, frozen=True, kw_only=True):
    """One endpoint. `own`: the operator's own node, whose word is enough. The url is secret."""

    url: str
    own: bool

    def __repr__(self) -> str:
        """Without the url, which may hold a key: configurations get logged."""
        return f"EndpointConfig({'own' if self.own else 'hosted'})"


class TokenConfig(Struct, frozen=True, kw_only=True):
    """A token by its address (20 bytes). What its contract says of `decimals` and `symbol` must be
    what is written here. `implementation`: where its proxy must lead, None where nobody said.
    `gas`: the limit of a lock, claim or refund."""

    address: bytes
    ticker: str
    decimals: int
    symbol: str
    implementation: bytes | None = None
    gas: int = GAS_TOKEN


class EvmConfig(Struct, frozen=True, kw_only=True):
    """One chain. Seconds: `timeout` of one request, `poll` between two looks at the head.

    pace: what is stated in terms; with a `finality` the chain's `finalized` block decides.
    stale: a head older than this is nothing to lock or reveal by; 0 on a chain of one's own.
    least_tip, most_fee: bounds of what is paid per unit of gas, in wei.
    gas_reserve: wei that are never locked, so that claims and refunds can always be paid.
    history: how many blocks back every endpoint can tell the state.
    """

    params: EvmParams
    pace: Pace
    endpoints: tuple[EndpointConfig, ...]
    ticker: str = "ETH"
    tokens: tuple[TokenConfig, ...] = ()
    timeout: float = 20.0
    poll: float = 2.0
    stale: int = 180
    least_tip: int = 100_000_000
    most_fee: int = 5_000_000_000_000
    gas_reserve: int = 10_000_000_000_000_000
    history: int = 120
