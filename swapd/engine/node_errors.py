"""A node's failure as the operator is told it: one table for every call.

Must not know: calls, adapters.
"""

from typing import Final

from swapd.api.errors import ApiError, ErrorName
from swapd.ports import (
    ChainError,
    NodeMisconfigured,
    NodeUnreachable,
    WalletLocked,
    WalletMissing,
)

_NAMES: Final[tuple[tuple[type[ChainError], ErrorName], ...]] = (
    (WalletLocked, ErrorName.WALLET_LOCKED),
    (WalletMissing, ErrorName.WALLET_MISSING),
    (NodeMisconfigured, ErrorName.NODE_MISCONFIGURED),
    (NodeUnreachable, ErrorName.NODE_UNREACHABLE),
)


def node_error(error: ChainError) -> ApiError:
    """The name and the remedy; a failure of no kind of its own means that the node is not ready."""
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return ApiError(name, str(error))
    return ApiError(ErrorName.NODE_NOT_READY, str(error))
