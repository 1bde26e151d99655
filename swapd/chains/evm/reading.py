"""What the slot of a lock holds at one block.

Owns: that question. Must not know: what follows from the answer.
"""

from protocol.evm.slots import Reading, read_slot
from swapd.chains.evm.answers import Header, word
from swapd.chains.evm.contract import LockTerms
from swapd.chains.evm.rpc import Call
from swapd.chains.evm.sources import Sources


async def read_at(sources: Sources, block: Header, terms: LockTerms) -> Reading:
    """What the slot of these terms holds at `block`. Raises ChainError."""
    call: Call = ("eth_getStorageAt", ("0x" + terms.contract.hex(), "0x" + terms.key.hex()))
    [answer] = await sources.at(block, [call])
    return read_slot(terms.swap, word(answer))
