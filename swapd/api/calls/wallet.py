"""Balances, deposits and withdrawals: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import (
    Address,
    AmountParam,
    AmountView,
    AnyFeeRate,
    Asset,
    FeeRate,
    IdempotencyKey,
)


class BalanceParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One asset, or all."""

    asset: Asset | None = None


class AssetBalance(Struct, frozen=True, kw_only=True):
    """One asset. `free` can be locked or spent now; `reserved` is promised to offers and takes;
    `locked` sits in locks of ours on the chain; `in_flight` is on its way to us (claims, refunds,
    change, deposits without a confirmation); `payout` was claimed or refunded to addresses of the
    seed and waits for `withdraw`; `unusable` is confirmed but can't fund a lock (not segwit)."""

    asset: Asset
    ticker: str
    free: AmountView
    reserved: AmountView
    locked: AmountView
    in_flight: AmountView
    payout: AmountView
    unusable: AmountView
    coins: int


class BalanceResult(Struct, frozen=True, kw_only=True):
    """Every asset asked for; `unavailable` are tickers whose node does not answer."""

    assets: tuple[AssetBalance, ...]
    unavailable: tuple[str, ...]


class AddressParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which asset."""

    asset: Asset
    idempotency_key: IdempotencyKey | None = None


class AddressResult(Struct, frozen=True, kw_only=True):
    """A fresh deposit address of the node's own wallet."""

    asset: Asset
    ticker: str
    address: str


class WithdrawParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sweep the whole payout wallet of one asset to an address; `dry_run` only computes."""

    asset: Asset
    destination: Address
    fee_rate: AnyFeeRate | None = None
    dry_run: bool = False
    idempotency_key: IdempotencyKey | None = None


class WithdrawResult(Struct, frozen=True, kw_only=True):
    """`sent` arrives, `fee` is paid; `txid` is None for a dry run."""

    sent: AmountView
    fee: AmountView
    destination: str
    coins: int
    txid: str | None


class WalletSplitParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make `count` coins of `amount` each in the node's wallet."""

    amount: AmountParam
    count: Annotated[int, Meta(description="how many coins", ge=1, le=100)]
    fee_rate: FeeRate | None = None
    dry_run: bool = False
    idempotency_key: IdempotencyKey | None = None


class WalletSplitResult(Struct, frozen=True, kw_only=True):
    """`txid` is None for a dry run. The coins can be used after one confirmation."""

    each: AmountView
    count: int
    fee: AmountView
    txid: str | None
