"""What the world failed at, as the operator is told it: every kind has its own name."""

import pytest

from protocol.errors import Refusal, RemoteProtocolError
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.asking import MakerSilent, TakeRefused
from swapd.engine.operations.context import as_api_error, translated
from swapd.engine.reservations import Limit
from swapd.ports import (
    ChainError,
    InsufficientFunds,
    NetworkDown,
    NodeMisconfigured,
    NodeUnreachable,
    PeerError,
    PeerUnreachable,
    StoreError,
    StoreFull,
    WalletLocked,
)

CASES: list[tuple[Exception, ErrorName]] = [
    (ApiError(ErrorName.OWN_OFFER, "x"), ErrorName.OWN_OFFER),
    (InsufficientFunds("x", confirmed=1, unconfirmed=0), ErrorName.INSUFFICIENT_FUNDS),
    (InsufficientFunds("x", confirmed=1, unconfirmed=9), ErrorName.FUNDS_UNCONFIRMED),
    (WalletLocked("x"), ErrorName.WALLET_LOCKED),
    (NodeMisconfigured("x"), ErrorName.NODE_MISCONFIGURED),
    (NodeUnreachable("x"), ErrorName.NODE_UNREACHABLE),
    (ChainError("x"), ErrorName.NODE_NOT_READY),
    (StoreError("x"), ErrorName.STORE_FAILED),
    (StoreFull("x"), ErrorName.DISK_FULL),
    (NetworkDown("x"), ErrorName.NETWORK_DOWN),
    (PeerUnreachable("x"), ErrorName.PEER_UNREACHABLE),
    (PeerError("x"), ErrorName.PEER_UNREACHABLE),
    (MakerSilent("x"), ErrorName.NEGOTIATION_TIMEOUT),
    (ValueError("x"), ErrorName.ADDRESS_INVALID),
    (RuntimeError("x"), ErrorName.INTERNAL_ERROR),
    (RemoteProtocolError(Refusal.OFFER_EXPIRED, "x"), ErrorName.OFFER_EXPIRED),
    (RemoteProtocolError(Refusal.AMOUNT_TAKEN, "x"), ErrorName.AMOUNT_TAKEN),
]


@pytest.mark.parametrize(("error", "name"), CASES, ids=lambda v: getattr(v, "value", repr(v)))
def test_every_failure_of_the_world_has_its_name(error: Exception, name: ErrorName) -> None:
    told = as_api_error(error)
    assert told.name is name
    assert "x" in told.message


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_by_either_side_can_be_told(refusal: Refusal) -> None:
    for by_maker in (True, False):
        told = as_api_error(TakeRefused(refusal, "why", by_maker=by_maker))
        assert told.name in ErrorName
        assert "why" in told.message
        assert as_api_error(RemoteProtocolError(refusal, "why")).message == "why"


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_of_the_operators_own_is_told_as_his(limit: Limit) -> None:
    error = TakeRefused(Refusal.LIMIT_REACHED, "why", by_maker=False, limit=limit)
    assert as_api_error(error).name.value.startswith("over_")


def test_translated_lets_bugs_through_and_names_the_rest() -> None:
    with pytest.raises(ApiError) as caught, translated():
        raise StoreError("full")
    assert caught.value.name is ErrorName.STORE_FAILED
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError
