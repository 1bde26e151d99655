"""Pages of a list that fits in memory.

Owns: one way to cut a list by cursor. Must not know: what the rows are.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from swapd.api.errors import ApiError, ErrorName

T = TypeVar("T")


def page(
    rows: Sequence[T], key: Callable[[T], str], cursor: str | None, limit: int
) -> tuple[tuple[T, ...], str | None]:
    """Up to `limit` rows behind the one whose key is `cursor`, and the next cursor (None at the
    end). Raises ApiError cursor_invalid when that row is gone."""
    start = 0
    if cursor is not None:
        keys = [key(row) for row in rows]
        if cursor not in keys:
            raise ApiError(ErrorName.CURSOR_INVALID, "the row this cursor stood at is gone")
        start = keys.index(cursor) + 1
    chosen = tuple(rows[start : start + limit])
    more = start + limit < len(rows)
    return chosen, key(chosen[-1]) if more and chosen else None
