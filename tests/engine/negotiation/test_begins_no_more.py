"""Draining and watch-only daemons begin no swap, on either side, up to the last moment."""

from collections.abc import Callable

import pytest

from protocol.assets import AssetId
from protocol.errors import Refusal
from swapd.engine.asking import TakeRefused
from swapd.engine.mode import Mode
from tests.engine.negotiation.stage import COIN, Party, Stage, post, serving, take


def drain(mode: Mode) -> None:
    mode.drain()


def only_watch(mode: Mode) -> None:
    mode.only_watch("secret: the same seed runs elsewhere")


BOTH = pytest.mark.parametrize("change", [drain, only_watch])


@BOTH
async def test_a_take_of_ours_is_refused_before_anybody_hears_of_it(
    change: Callable[[Mode], None],
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    change(taker.world.mode)
    with pytest.raises(TakeRefused) as caught:
        await take(taker, signed, 4 * COIN)
    assert (caught.value.refusal, caught.value.by_maker) == (Refusal.SHUTTING_DOWN, False)
    assert caught.value.detail == taker.world.mode.may_begin()
    assert not taker.peers.opened
    assert taker.is_idle()


@BOTH
async def test_a_take_of_our_offer_is_refused_and_the_reason_is_ours(
    change: Callable[[Mode], None],
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    change(maker.world.mode)
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert (caught.value.refusal, caught.value.by_maker) == (Refusal.SHUTTING_DOWN, True)
    assert "secret" not in caught.value.detail
    assert maker.is_idle()
    assert taker.is_idle()


def before_start(party: Party, change: Callable[[Mode], None]) -> None:
    """The mode changes while the last signature is made, when nothing is left but to begin."""
    signer, mode = party.world.signer, party.world.mode
    wallet_key = signer.wallet_key

    def late(asset: AssetId, index: int) -> bytes:
        change(mode)
        return wallet_key(asset, index)

    signer.wallet_key = late  # type: ignore[method-assign]  # the last moment


@BOTH
@pytest.mark.parametrize("who", ["maker", "taker"])
async def test_a_take_under_way_becomes_no_swap(who: str, change: Callable[[Mode], None]) -> None:
    stage = Stage()
    parties = {name: stage.party(name) for name in ("maker", "taker")}
    signed = await post(parties["maker"])
    before_start(parties[who], change)
    async with serving(parties["maker"]):
        with pytest.raises(TakeRefused) as caught:
            await take(parties["taker"], signed, 4 * COIN)
    assert caught.value.refusal is Refusal.SHUTTING_DOWN
    assert parties[who].is_idle()
