"""Coins for the operator: balance, address, withdraw, wallet.split.

Owns: those calls. Must not know: node RPC, key storage, sockets.
"""

from collections.abc import Iterable

from protocol.assets import AssetId, chain_of
from protocol.bitcoin.spends import MAX_SWEEP_INPUTS
from protocol.evm.params import is_evm
from protocol.kinds import fee_asset_of, pays_own_fees
from protocol.swap import reading
from protocol.swap.states import SwapState
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import MAX_RATE_PER_VBYTES, AmountView
from swapd.engine.addresses import known_addresses
from swapd.engine.operations.context import Context, as_api_error
from swapd.engine.payouts import found_payouts
from swapd.ports import Broadcast, Chain, Coin, PortError, SignDigest, SignedTx

PAGE = 200


class WalletOperations:
    """balance, address, withdraw, wallet.split"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def balance(self, params: calls.BalanceParams) -> calls.BalanceResult:
        infos = tuple(a for a in self._c.assets.assets if a.asset in self._c.world.chains)
        if params.asset is not None:
            infos = (self._c.assets.find(params.asset),)
        found, unavailable = [], []
        for info in infos:
            try:
                found.append(await self._balance(AssetId(info.asset)))
            except PortError:
                unavailable.append(info.ticker)
        return calls.BalanceResult(assets=tuple(found), unavailable=tuple(unavailable))

    async def _balance(self, asset: AssetId) -> calls.AssetBalance:
        chain = self._c.chain(asset)
        wallet = await chain.balance()
        payout, waiting = await self._payout(asset), 0
        for state in self._c.swaps.open():
            waiting += _coming(state, asset)
        promised = self._c.offers.promised(asset)
        free = max(0, wallet.confirmed - promised)

        def view(units: int) -> AmountView:
            return self._c.assets.view_units(asset, units)

        return calls.AssetBalance(
            asset=asset,
            ticker=chain.ticker,
            free=view(free),
            reserved=view(wallet.reserved + wallet.confirmed - free),
            locked=view(sum(_locked(state, asset) for state in self._c.swaps.open())),
            in_flight=view(wallet.unconfirmed + waiting),
            payout=view(sum(coin.units for coin in payout)),
            unusable=view(wallet.unusable),
            coins=wallet.coins,
        )

    async def address(self, params: calls.AddressParams) -> calls.AddressResult:
        info = self._c.assets.find(params.asset)
        try:
            address = await self._c.chain(info.asset).wallet_address()
        except PortError as error:
            raise as_api_error(error) from error
        return calls.AddressResult(asset=info.asset, ticker=info.ticker, address=address)

    async def withdraw(self, params: calls.WithdrawParams) -> calls.WithdrawResult:
        info = self._c.assets.find(params.asset)
        asset = AssetId(info.asset)
        chain = self._c.chain(asset)
        _check_address(chain, params.destination)
        _check_rate(asset, params.fee_rate)
        try:
            # More than one transaction can hold are left for the next withdrawal.
            coins = (await self._payout(asset))[:MAX_SWEEP_INPUTS]
            if not coins:
                message = f"there are no {info.ticker} to withdraw"
                raise ApiError(ErrorName.NOTHING_TO_WITHDRAW, message)
            rate = params.fee_rate or (await chain.status()).fee_next
            signers = await self._signers(asset, chain, coins)
            sweep = await chain.build_sweep(coins, signers, params.destination, rate)
            if not params.dry_run:
                await _send(chain, sweep)
        except PortError as error:
            raise as_api_error(error) from error
        except ValueError as error:
            raise ApiError(ErrorName.FEE_RATE_INVALID, str(error)) from error
        total = sum(coin.units for coin in coins)
        return calls.WithdrawResult(
            sent=self._c.assets.view_units(
                asset, total - sweep.fee if pays_own_fees(asset) else total
            ),
            fee=self._c.assets.view_units(fee_asset_of(asset), sweep.fee),
            destination=params.destination,
            coins=len(coins),
            txid=None if params.dry_run else sweep.txid,
        )

    async def wallet_split(self, params: calls.WalletSplitParams) -> calls.WalletSplitResult:
        amount = self._c.assets.amount(params.amount)
        chain = self._c.chain(amount.asset)
        try:
            rate = params.fee_rate or (await chain.status()).fee_next
            split = await chain.build_split(params.count, int(amount.units), rate)
            if not params.dry_run:
                await _send(chain, split)
        except PortError as error:
            raise as_api_error(error) from error
        except ValueError as error:
            remedy = "make larger coins"
            raise ApiError(ErrorName.AMOUNT_INVALID, str(error), remedy=remedy) from error
        return calls.WalletSplitResult(
            each=self._c.assets.view(amount),
            count=params.count,
            fee=self._c.assets.view_units(amount.asset, split.fee),
            txid=None if params.dry_run else split.txid,
        )

    async def _payout(self, asset: AssetId) -> tuple[Coin, ...]:
        """The confirmed, unspent outputs of our claims and refunds to addresses of the seed; on a
        chain with accounts what lies in the account that claims are paid to."""
        fixed = self._c.world.chains[asset].fixed_address(refund=False)
        if fixed is not None:
            return await self._c.world.chains[asset].unspent((fixed,), ())
        addresses = await known_addresses(self._c.world, asset)
        refs = await found_payouts(self._c.world, asset)
        after: bytes | None = None
        while True:
            rows = await self._c.swaps.page(after=after, limit=PAGE)
            for state, _, _ in rows:
                refs.update(_payout_refs(state, asset))
            if len(rows) < PAGE:
                break
            after = rows[-1][0].agreement.swap_id
        if not addresses or not refs:
            return ()
        return await self._c.world.chains[asset].unspent(tuple(addresses), tuple(sorted(refs)))

    async def _signers(
        self, asset: AssetId, chain: Chain, coins: Iterable[Coin]
    ) -> list[tuple[bytes, SignDigest]]:
        if chain.fixed_address(refund=False) is not None:
            return []
        addresses = await known_addresses(self._c.world, asset)
        by_script = {chain.check_address(a): index for a, index in addresses.items()}
        found: list[tuple[bytes, SignDigest]] = []
        for coin in coins:
            index = by_script[coin.script_pubkey]
            key = self._c.world.signer.wallet_key(asset, index)
            found.append((key, self._sign_with(asset, index)))
        return found

    def _sign_with(self, asset: AssetId, index: int) -> SignDigest:
        async def sign(digest: bytes) -> bytes:
            return await self._c.world.signer.sign_wallet(asset, index, digest)

        return sign


def _check_rate(asset: AssetId, rate: int | None) -> None:
    """Nobody pays so much for bytes on purpose; gas is counted in much smaller units."""
    if rate is not None and rate > MAX_RATE_PER_VBYTES and not is_evm(chain_of(asset)):
        message = f"{rate} base units per 1000 vbytes are over the most, {MAX_RATE_PER_VBYTES}"
        raise ApiError(ErrorName.FEE_RATE_INVALID, message)


def _check_address(chain: Chain, address: str) -> None:
    try:
        chain.check_address(address)
    except ValueError as error:
        raise ApiError(ErrorName.ADDRESS_INVALID, str(error)) from error


async def _send(chain: Chain, tx: SignedTx) -> None:
    result = await chain.broadcast(tx.raw)
    if result.outcome is Broadcast.REJECTED:
        message = f"the {chain.ticker} node refused the transaction: {result.reason}"
        raise ApiError(ErrorName.BROADCAST_REJECTED, message)


def _payout_refs(state: SwapState, asset: AssetId) -> set[str]:
    """Outputs of claims, refunds and their children of this swap on the chain of `asset`; each has
    one output. A watchtower's are not in our journal, but on the chain: only we can have signed a
    claim of their leg or a refund of ours, and only to our own address."""
    found = {f"{tx.txid}:0" for tx in state.children}
    if state.agreement.theirs.amount.asset == asset:
        theirs = reading.their_lock(state)
        if state.claim is not None:
            found.add(f"{state.claim.txid}:0")
        if theirs is not None and theirs.spend is not None:
            found.add(f"{theirs.spend.txid}:0")
    if state.agreement.own.amount.asset == asset:
        found |= {f"{tx.txid}:0" for tx in state.refunds}
        view = reading.own_view(state)
        if view is not None:
            found |= {f"{lock.spend.txid}:0" for lock in view.locks if lock.spend is not None}
    return found


def _locked(state: SwapState, asset: AssetId) -> int:
    """Units of ours that sit in an unspent lock."""
    lock = reading.own_lock(state)
    if state.agreement.own.amount.asset != asset or lock is None or lock.spend is not None:
        return 0
    return lock.units


def _coming(state: SwapState, asset: AssetId) -> int:
    """Units that a claim or refund of ours brings and that is not in a block yet."""
    found = 0
    theirs, own = reading.their_lock(state), reading.own_lock(state)
    if state.agreement.theirs.amount.asset == asset and state.claim is not None:
        spend = theirs.spend if theirs else None
        if theirs is not None and (spend is None or spend.depth == 0):
            found += theirs.units - state.claim.fee
    if state.agreement.own.amount.asset == asset and own is not None and own.spend is not None:
        refund = next((tx for tx in state.refunds if tx.txid == own.spend.txid), None)
        if refund is not None and own.spend.depth == 0:
            found += own.units - refund.fee
    return found
