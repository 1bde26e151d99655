"""Owns what a chain of accounts is made to do to swaps: code that is another one, tokens that do
not do what they should, blocks that are too dear for what waits.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.daemons.accounts import AccountChain
from tests.nodes.anvil import Anvil

ACCEPTS_ALL: Final = bytes.fromhex("6001")
"""Runs, does nothing and keeps what it is sent."""

_REAL: Final = bytes.fromhex("00000000000000000000000000000000c0ffee02")
"""Where the code of a token lies whose own place has been taken."""

_PASS_ON: Final = (  # delegatecall _REAL with the calldata in memory; answer or fail as it does
    "5f5f365f73" + _REAL.hex() + "5af4" + "3d5f5f3e" + "3d5f82{jump}57" + "fd5bf3"
)


def _hexed(value: bytes) -> str:
    return "0x" + value.hex()


def _passing_on(before: str) -> bytes:
    """Code that runs `before` and then does as the real token, on its own storage."""
    start = len(bytes.fromhex(before + _PASS_ON.format(jump="60ff"))) - 2
    return bytes.fromhex(before + _PASS_ON.format(jump=f"60{start:02x}"))


_COPY_CALLDATA: Final = "365f5f37"
_IS_TRANSFER_FROM: Final = "5f3560e01c6323b872dd14"
_LESS_BY_THAT: Final = "60445103604452"  # the third argument, in memory
TAKES_A_FEE: Final = _passing_on(_COPY_CALLDATA + _IS_TRANSFER_FROM + _LESS_BY_THAT)
"""A token of which one unit less arrives than was sent."""

_UNLESS_PAUSED: Final = "5f3560e01c635c975abb14" + "15601b57"
_YES: Final = "60015f5260205ff35b"
SAYS_PAUSED: Final = _passing_on(_COPY_CALLDATA + _UNLESS_PAUSED + _YES)
"""A token that is paused, by its own word; it moves all the same."""


@asynccontextmanager
async def code_at(anvil: Anvil, address: bytes, code: bytes) -> AsyncIterator[None]:
    """Other code at an address, for a while."""
    real = await anvil.rpc("eth_getCode", _hexed(address), "latest")
    await anvil.rpc("anvil_setCode", _hexed(address), _hexed(code))
    try:
        yield
    finally:
        await anvil.rpc("anvil_setCode", _hexed(address), real)


@asynccontextmanager
async def token_that(chain: AccountChain, code: bytes) -> AsyncIterator[None]:
    """The chain's token as `code` has it, which may pass on to the real one."""
    real = await chain.anvil.rpc("eth_getCode", _hexed(chain.token), "latest")
    await chain.anvil.rpc("anvil_setCode", _hexed(_REAL), real)
    async with code_at(chain.anvil, chain.token, code):
        yield


async def next_base_fee(anvil: Anvil, wei: int) -> None:
    """What a gas of the next block costs at least."""
    await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
