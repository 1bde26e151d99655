"""Targets: the recovery file, sealed and unsealed, and taking it over.

Owns: samples and calls. Must not know: how inputs are made.
"""

from contextlib import ExitStack

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.swap.states import SwapState
from swapd.ports import PortError, RecoveryError
from swapd.recovery.content import HEADER, Addresses, Content, Saved, seal, unseal
from swapd.recovery.takeover import take_over
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore
from tests.fuzz.shapes import Form
from tests.fuzz.target import Opened, Target, bounded
from tests.fuzz.targets.rows import states

_SIGNER = FakeSigner("ann")
_ASSET = BITCOIN_REGTEST.asset_id


def _content(found: list[SwapState]) -> Content:
    saved = {state.agreement.swap_id: state for state in found}
    return Content(
        version=1,
        network="regtest",
        generation=5,
        written_at=1_790_000_000,
        epoch=3,
        swaps=tuple(Saved(swap, 2, 1_790_000_000, encode(state)) for swap, state in saved.items()),
        addresses=(Addresses(_ASSET, 3),),
    )


def _file(_: ExitStack) -> Opened:
    """The whole file, as it lies on a stick that somebody else had."""

    def call(data: bytes) -> None:
        try:
            unseal(data, _SIGNER)
        except RecoveryError as error:
            bounded(str(error), 1000)
            raise

    return Opened([seal(_content(states()), _SIGNER)], call)


def _taken(_: ExitStack) -> Opened:
    """What was sealed is taken over whole, or refused; every row that gets in can be read."""

    async def call(data: bytes) -> None:
        content = unseal(HEADER + _SIGNER.seal(data), _SIGNER)
        store = FakeStore()
        await take_over(content, store, address_of=_address, now=5, force=True)
        for row in await store.open_swaps():
            assert decode(SwapState, row.state, max_size=1 << 22).restored

    sealed = seal(_content(states()), _SIGNER)
    return Opened([_SIGNER.unseal(sealed[len(HEADER) :])], acall=call)


def _address(asset: AssetId, index: int) -> str:
    if asset != _ASSET:
        raise RecoveryError(f"no node for {asset}")
    return f"address-{index}"


def _plain(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        assert encode(decode(Content, data, max_size=1 << 22)) == data

    return Opened([encode(_content(states()))], call)


TARGETS = (
    Target("recovery.file", Form.BYTES, _file, (RecoveryError,), 0.5, head=len(HEADER)),
    Target("recovery.content", Form.MSGPACK, _plain, (DecodeError,), 0.5),
    Target("recovery.taken", Form.BYTES, _taken, (PortError,), 0.2),
)
