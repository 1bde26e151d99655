"""Sends claims and refunds of others from an account that has nothing but gas.

Owns: `EvmRelay`: what it can pay, its transactions. Must not know: whose swaps they are of, what
they get for it.
"""

from typing import Final

from protocol.evm.address import checksummed
from protocol.tower.progress import Order
from swapd.chains.evm.accounts import Account, Call
from swapd.chains.evm.answers import Header, amount
from swapd.chains.evm.contract import coin_of
from swapd.chains.evm.fees import PER
from swapd.chains.evm.node import EvmNode
from swapd.ports import ChainError, InsufficientFunds, SignedTx

GAS_PAYMENT: Final = 60_000
"""What a fee may add to the limit of a call: its signature, and a payment to a new account."""


class EvmRelay:
    """See `swapd.ports.Relay`. Of one asset."""

    def __init__(self, node: EvmNode, gas: int) -> None:
        """Raises ChainError for a node without an account to pay from."""
        if node.relay is None:
            raise ChainError("here is no account that pays for others")
        self._node, self._own = node, node.relay
        self.gas = gas + GAS_PAYMENT
        self.account = self._own.address
        self.allowance = node.config.gas_reserve

    async def problem(self, spends: int = 1) -> str:
        """No figures of the moment, which would change with every block."""
        info = await self._node.see()
        needed = spends * self.gas * (info.price.next_rate // PER)
        if await balance(self._node, self._own, info.head) >= needed:
            return ""
        coin, where = self._node.config.ticker, checksummed(self.account)
        return f"not enough {coin} for gas in {where}: send some there"

    async def price(self, gas: int) -> int:
        """At the rate that stays in the race for a few blocks."""
        return gas * (await self._node.see()).price.next_rate // PER

    async def build(self, order: Order) -> SignedTx:
        """As `Funding` builds a claim."""
        info = await self._node.see()
        needed = self.gas * -(-order.rate // PER)
        have = await balance(self._node, self._own, info.head)
        if have < needed:
            msg = (
                f"not enough {self._node.config.ticker} for gas in {checksummed(self.account)}: "
                f"{needed} wei are needed, {have} are there"
            )
            raise InsufficientFunds(msg, confirmed=have, unconfirmed=0)
        call = Call(order.contract, 0, order.data, self.gas, order.act)
        used = await self._node.used(self.account)
        purpose = f"{order.act}:{order.ref}"
        built = await self._own.build(call, purpose, used=used, rate=order.rate, price=info.price)
        coin = coin_of(self.account, built.nonce)
        version = built.version
        return SignedTx(version.raw, version.txid, built.fee, built.fee_rate, (coin,))


async def balance(node: EvmNode, account: Account, block: Header) -> int:
    """What an account has at a block, in wei."""
    where = "0x" + account.address.hex()
    [answer] = await node.sources.at(block, [("eth_getBalance", (where,))])
    return amount(answer)
