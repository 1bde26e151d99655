"""What an operator's request can fail with: the control interface's own closed table.

Owns: the engine's names for it. Must not know: sockets, who asks.

An OperatorError promises that nothing was committed: no offer, no swap, no transaction. The table
(names, numbers, which are retryable) is in `swapd.api.errors`, so that there is one.
"""

from swapd.api.errors import ApiError as OperatorError
from swapd.api.errors import ErrorName as Problem

__all__ = ["OperatorError", "Problem"]
