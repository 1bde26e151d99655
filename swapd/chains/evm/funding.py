"""Locks, what kills them, claims and refunds: our own transactions on an EVM chain.

Owns: what is checked before each is signed, and how its nonce is called. Must not know: watches,
tasks. A claim is built without asking any node anything that tells the preimage (safety rule 7).
"""

from typing import Final

from protocol.evm import calls
from protocol.evm.address import checksummed
from protocol.evm.contract import artifact
from protocol.evm.transactions import parse_evm_tx
from protocol.kinds import Sizes
from protocol.swap import troubles
from swapd.chains.evm.accounts import CLAIMS, LOCKS, Account, Built, Call
from swapd.chains.evm.answers import Header
from swapd.chains.evm.assets import Asset, Holdings
from swapd.chains.evm.contract import (
    GAS_APPROVE,
    GAS_PLAIN,
    GAS_TRANSFER,
    LockTerms,
    coin_of,
    parse_coin,
)
from swapd.chains.evm.fees import PER
from swapd.chains.evm.health import NodeInfo
from swapd.chains.evm.node import EvmNode
from swapd.chains.evm.nonces import Version
from swapd.ports import (
    ChainError,
    Coin,
    GasAccount,
    InsufficientFunds,
    NodeMisconfigured,
    SignedLock,
    SignedTx,
)

UNLIMITED: Final = 2**256 - 1
GAS_DEPLOY: Final = 200_000
GAS_PER_BYTE: Final = 260
"""200 for each byte of code that stays, 16 for each that is sent, and room for the constructor."""

ENOUGH: Final = 2**255
"""An allowance below it is given again: tokens may count an unlimited one down."""


class Funding:
    """Builds the transactions of one asset."""

    def __init__(self, node: EvmNode, asset: Asset) -> None:
        self._node = node
        self._asset = asset
        self._had: tuple[bytes, Holdings] | None = None

    def accounts(self) -> tuple[Account, Account]:
        """Raises ChainError where there are none."""
        if self._node.accounts is None:
            raise ChainError("here is no seed: nothing can be signed")
        return self._node.accounts

    async def holdings(self, head: Header) -> Holdings:
        """What both accounts have at a block, asked once."""
        if self._had is None or self._had[0] != head.hash:
            locks, claims = self.accounts()
            found = await self._asset.holdings(head, locks.address, claims.address)
            self._had = (head.hash, found)
        return self._had[1]

    async def gas_problems(self, info: NodeInfo, gas: int) -> tuple[str, ...]:
        """A reason not to lock or reveal: what has to follow could not be paid. No figures, which
        would change with every block."""
        if self._node.accounts is None:
            return ()
        have = await self.holdings(info.head)
        if have.claim_gas >= gas * (info.price.next_rate // PER):
            return ()
        coin, where = self._node.config.ticker, self._where(CLAIMS)
        what = f"not enough {coin} {troubles.NO_GAS} {where}, the account that claims and refunds"
        return (f"{what}: send some there",)

    async def gas_accounts(self, info: NodeInfo, gas: int, sizes: Sizes) -> tuple[GasAccount, ...]:
        """What both accounts have to pay fees with, and what they need for one swap."""
        have = await self.holdings(info.head)
        rate = info.price.next_rate // PER
        lock = (sizes.lock + sizes.kill) * rate + self._node.config.gas_reserve
        return (
            GasAccount("locks", self._where(LOCKS), have.lock_gas, lock),
            GasAccount("claims", self._where(CLAIMS), have.claim_gas, gas * rate),
        )

    # --- what is free ---

    async def pending(self, apart: str = "") -> tuple[int, int]:
        """What is signed and not mined will take from the locking account at most: wei, with gas,
        and units of the asset where that is a token. `apart`: a purpose that does not count."""
        locks = self.accounts()[LOCKS]
        await locks.nonces.load()
        used = await self._node.used(locks.address)
        contract = f"lock:0x{self._asset.contract.hex()}:"
        wei = units = 0
        for entry in locks.nonces.pending(used):
            if entry.purpose == apart or not locks.nonces.is_taken(entry.nonce):
                continue
            wei += max((_worst(version) for version in entry.versions), default=0)
            if entry.purpose.startswith(contract):
                units += entry.holds
        return wei, units

    async def require(
        self, info: NodeInfo, units: int, gas: int, rate: int, apart: str = ""
    ) -> int:
        """What a lock of `units` costs of the asset, its fee included where it is paid in it.
        Raises InsufficientFunds."""
        have = await self.holdings(info.head)
        wei, taken = await self.pending(apart)
        native = self._asset.token is None
        fee = gas * -(-rate // PER)
        self._require_gas(have.lock_gas - wei, fee, units if native else 0)
        self.require_claim_gas(have, gas, rate)
        if native:
            return units + fee
        free = have.lock_units - taken
        if free < units:
            msg = (
                f"not enough {self._asset.name} in {self._where(LOCKS)}: {units} units are needed, "
                f"{max(0, free)} are free"
            )
            raise InsufficientFunds(msg, confirmed=max(0, free), unconfirmed=0)
        if have.allowance < units:
            msg = f"the HTLC contract may not draw {self._asset.name} yet: that is under way"
            raise InsufficientFunds(msg, confirmed=0, unconfirmed=units)
        return units

    def _require_gas(self, free: int, fee: int, units: int) -> None:
        reserve = self._node.config.gas_reserve
        if free >= fee + reserve + units:
            return
        msg = (
            f"not enough {self._node.config.ticker} in {self._where(LOCKS)}: "
            f"{fee + reserve + units} wei are needed with the fee and a reserve of {reserve}, "
            f"{max(0, free)} are free"
        )
        raise InsufficientFunds(msg, confirmed=max(0, free - fee - reserve), unconfirmed=0)

    def _where(self, index: int) -> str:
        return checksummed(self.accounts()[index].address)

    def require_claim_gas(self, have: Holdings, gas: int, rate: int) -> None:
        """Raises InsufficientFunds unless the other account can pay a claim or refund."""
        needed = gas * -(-rate // PER)
        if have.claim_gas < needed:
            msg = (
                f"not enough {self._node.config.ticker} {troubles.NO_GAS} {self._where(CLAIMS)}, "
                f"the account that claims and refunds: {needed} wei are needed, "
                f"{have.claim_gas} are there"
            )
            raise InsufficientFunds(msg, confirmed=have.claim_gas, unconfirmed=0)

    # --- transactions ---

    async def lock(
        self,
        terms: LockTerms,
        info: NodeInfo,
        rate: int,
        deadline: int,
        replaces: SignedLock | None,
    ) -> SignedLock:
        """A signed lock; with `replaces` on the very nonce of that one. Raises ChainError."""
        locks = self.accounts()[LOCKS]
        if terms.swap.locker != locks.address:
            raise ChainError(f"the terms lock from another account than {self._where(LOCKS)}")
        if deadline >= terms.swap.expiry:
            raise ChainError("the lock's deadline is not before its expiry")
        await self._asset.require_contract(info.head)
        value, data = terms.lock_call(deadline)
        call = Call(terms.contract, value, data, terms.gas, "lock", deadline)
        purpose, units = f"lock:{terms.ref}", terms.swap.amount
        if replaces is None:
            await self.require(info, units, terms.gas, rate, apart=purpose)
            used = await self._node.used(locks.address)
            built = await locks.build(
                call, purpose, used=used, rate=rate, price=info.price, holds=units
            )
        else:
            nonce = self._nonce_of(replaces)
            built = await locks.rebuild(call, purpose, nonce, rate=rate, price=info.price)
        coin = Coin(coin_of(locks.address, built.nonce), units, b"")
        return SignedLock(self._signed(built, (coin.ref,)), terms.ref, (coin,))

    def _nonce_of(self, lock: SignedLock) -> int:
        """The nonce of a lock of ours. Raises ChainError."""
        locks = self.accounts()[LOCKS]
        for coin in lock.coins:
            try:
                account, nonce = parse_coin(coin.ref)
            except ValueError as error:
                raise ChainError(str(error)) from None
            if account == locks.address:
                return nonce
        raise ChainError("that lock is none of this account's")

    async def kill(self, lock: SignedLock, info: NodeInfo, rate: int) -> SignedTx:
        """A payment of nothing to ourselves, with the nonce of the lock."""
        locks, nonce = self.accounts()[LOCKS], self._nonce_of(lock)
        call = Call(locks.address, 0, b"", GAS_PLAIN, "kill")
        entry = locks.nonces.entry(nonce)
        purpose = entry.purpose if entry is not None else f"lock:{lock.ref}"
        built = await locks.rebuild(call, purpose, nonce, rate=rate, price=info.price)
        return self._signed(built, (coin_of(locks.address, nonce),))

    async def claim(self, terms: LockTerms, info: NodeInfo, rate: int, preimage: bytes) -> SignedTx:
        """From the account for claims, in the receiver's own form if that is it."""
        claims = self.accounts()[CLAIMS]
        data = terms.claim_call(preimage, claims.address)
        call = Call(terms.contract, 0, data, terms.gas, "claim")
        return await self._spend(f"claim:{terms.ref}", call, info, rate)

    async def refund(self, terms: LockTerms, info: NodeInfo, rate: int) -> SignedTx:
        """From the account for claims; the coins go back to the locker."""
        call = Call(terms.contract, 0, terms.refund_call(), terms.gas, "refund")
        return await self._spend(f"refund:{terms.ref}", call, info, rate)

    async def _spend(self, purpose: str, call: Call, info: NodeInfo, rate: int) -> SignedTx:
        claims = self.accounts()[CLAIMS]
        used = await self._node.used(claims.address)
        built = await claims.build(call, purpose, used=used, rate=rate, price=info.price)
        return self._signed(built, (coin_of(claims.address, built.nonce),))

    def _signed(self, built: Built, coins: tuple[str, ...]) -> SignedTx:
        version = built.version
        return SignedTx(version.raw, version.txid, built.fee, built.fee_rate, coins)

    # --- beside swaps ---

    async def deploy(self, info: NodeInfo) -> SignedTx:
        """The well-known deployer makes our contract. Raises InsufficientFunds, NodeMisconfigured
        where that deployer is not what it should be."""
        locks = self.accounts()[LOCKS]
        if not await self._asset.has_deployer(info.head):
            where = checksummed(artifact.DEPLOYER)
            msg = f"the deterministic deployer is not at {where} on this chain: put it there first"
            raise NodeMisconfigured(msg)
        data = artifact.SALT + self._asset.init_code
        gas = GAS_DEPLOY + GAS_PER_BYTE * len(data)
        rate = info.price.next_rate
        self._require_gas((await self.holdings(info.head)).lock_gas, gas * (rate // PER), 0)
        call = Call(artifact.DEPLOYER, 0, data, gas, "deploy")
        purpose = f"deploy:{self._asset.contract.hex()}"
        used = await self._node.used(locks.address)
        built = await locks.build(call, purpose, used=used, rate=rate, price=info.price)
        return self._signed(built, (coin_of(locks.address, built.nonce),))

    async def payout(self, info: NodeInfo) -> int:
        """What claims have brought in, less the reserve for gas."""
        have = await self.holdings(info.head)
        reserve = self._node.config.gas_reserve if self._asset.token is None else 0
        return max(0, have.claim_units - reserve)

    async def sweep(self, to: bytes, info: NodeInfo, rate: int) -> SignedTx:
        """All that the account for claims has, to `to`; of the chain's own coin all but the
        reserve, which pays for claims and refunds to come. Raises InsufficientFunds."""
        claims = self.accounts()[CLAIMS]
        have = await self.holdings(info.head)
        most = max(-(-rate // PER), info.price.tip)
        if self._asset.token is None:
            units = have.claim_gas - self._node.config.gas_reserve - GAS_TRANSFER * most
            call = Call(to, units, b"", GAS_TRANSFER, "sweep")
        else:
            units = have.claim_units
            data = calls.transfer(to, units)
            call = Call(self._asset.token, 0, data, self._gas_beside, "sweep")
        if units <= 0:
            msg = f"there is no {self._asset.name} in {self._where(CLAIMS)} beyond what gas needs"
            raise InsufficientFunds(msg, confirmed=0, unconfirmed=0)
        used = await self._node.used(claims.address)
        purpose = f"sweep:{self._asset.contract.hex()}:{info.head.number}"
        built = await claims.build(call, purpose, used=used, rate=rate, price=info.price)
        return self._signed(built, (coin_of(claims.address, built.nonce),))

    @property
    def _gas_beside(self) -> int:
        """The limit of a plain call of the token: a dear one may need as much as a claim."""
        return max(GAS_APPROVE, self._asset.gas)

    async def keep_allowance(self, info: NodeInfo) -> None:
        """Lets the contract draw the token, once there is gas to say so. It has no owner and draws
        only what a lock of ours names."""
        if self._asset.token is None or self._node.accounts is None:
            return
        have = await self.holdings(info.head)
        price = info.price
        if have.allowance >= ENOUGH or have.lock_gas < self._gas_beside * (price.next_rate // PER):
            return
        await self._asset.require_contract(info.head)
        locks = self.accounts()[LOCKS]
        data = calls.approve(self._asset.contract, UNLIMITED)
        call = Call(self._asset.token, 0, data, self._gas_beside, "approve")
        purpose = f"approve:{self._asset.contract.hex()}"
        used = await self._node.used(locks.address)
        known = locks.nonces.of(purpose)
        if known is not None and known.nonce >= used and known.is_sent:
            return  # on its way
        built = await locks.build(call, purpose, used=used, rate=price.next_rate, price=price)
        await self._node.broadcast(built.version.raw, built.version.txid)


def _worst(version: Version) -> int:
    """The most wei that a transaction can take."""
    tx = parse_evm_tx(version.raw).tx
    return tx.value + tx.gas * tx.most
