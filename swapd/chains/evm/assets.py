"""One asset on an EVM chain and the contract that swaps it: whether both are what they should be,
what our accounts hold of it.

Owns: `Asset`: addresses that follow from our own code, checking code, tokens and their issuers'
switches at a block. Must not know: swaps, nonces.

A contract made by CREATE2 of the well-known deployer has an address that follows from its code, so
nobody can put another one there; its code is compared with ours all the same, at each new block and
before each lock. A token is what its address says: name and decimals are compared with what the
operator wrote, and what its issuer can do (pause, blacklist, replace its code) is asked.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from protocol.evm import calls
from protocol.evm.address import checksummed
from protocol.evm.contract import artifact
from protocol.evm.keccak import keccak256
from protocol.evm.legs import contract_of
from protocol.swap import troubles
from swapd.chains.answers import BadAnswer
from swapd.chains.evm.answers import Header, amount, data, quantity, word
from swapd.chains.evm.config import TokenConfig
from swapd.chains.evm.contract import GAS_BESIDE, GAS_NATIVE, GAS_PLAIN
from swapd.chains.evm.rpc import Call
from swapd.chains.evm.sources import Refusal, Sources
from swapd.ports import Memory, NodeMisconfigured

NOBODY: Final = bytes.fromhex("00000000000000000000000000000000000000ff")
ASKED_EVERY: Final = 100
"""Blocks between two looks at what a transfer takes."""

FIRST_UNITS: Final = 45_000
"""Two balances that were zero: a transfer of nothing, which is asked about, writes none."""

MAX_CODE: Final = 24_576
"""EIP-170."""

_PROXY_SLOTS: Final = (
    (int.from_bytes(keccak256(b"eip1967.proxy.implementation"), "big") - 1).to_bytes(32, "big"),
    keccak256(b"org.zeppelinos.proxy.implementation"),
)
_PAUSED: Final = calls.selector("paused()")
_LISTED: Final = tuple(
    calls.selector(f"{name}(address)") for name in ("isBlacklisted", "isBlackListed", "isFrozen")
)


class Holdings(Struct, frozen=True):
    """What our accounts have at one block: of the chain's own coin (wei), of the asset, and what
    the contract may draw of it."""

    lock_gas: int
    claim_gas: int
    lock_units: int
    claim_units: int
    allowance: int


class Asset:
    """The chain's own coin (`token` None), or one token."""

    def __init__(self, sources: Sources, token: TokenConfig | None, memory: Memory | None) -> None:
        self._sources = sources
        self.config = token
        self.token = None if token is None else token.address
        made = artifact.native() if token is None else artifact.token()
        arguments = () if token is None else (token.address,)
        self.init_code = made.init_code(*arguments)
        self.runtime = made.runtime_code(self.token)
        self.contract = contract_of(self.token)
        self._memory = memory
        self._judged: tuple[bytes, tuple[str, ...]] | None = None
        self.gas = GAS_NATIVE if token is None else token.gas
        self._dear: tuple[int, str] | None = None

    @property
    def name(self) -> str:
        """For people."""
        return "the chain's own coin" if self.config is None else self.config.ticker

    # --- the contract ---

    async def is_deployed(self, block: Header) -> bool:
        """Whether the contract is there. Raises NodeMisconfigured where other code is."""
        found = await self._code(block, self.contract)
        if found == b"":
            return False
        if found != self.runtime:
            msg = (
                f"the code at {checksummed(self.contract)} {troubles.OTHER_CODE}: neither lock nor "
                "claim there"
            )
            raise NodeMisconfigured(msg)
        return True

    async def require_contract(self, block: Header) -> None:
        """Raises NodeMisconfigured unless exactly our code is at the contract's address."""
        if not await self.is_deployed(block):
            msg = (
                f"{troubles.NO_CONTRACT} for {self.name} at {checksummed(self.contract)} yet: "
                "swapd evm deploy puts it there"
            )
            raise NodeMisconfigured(msg)

    async def _code(self, block: Header, address: bytes) -> bytes:
        [answer] = await self._sources.at(block, [("eth_getCode", ("0x" + address.hex(),))])
        return data(answer, MAX_CODE)

    async def has_deployer(self, block: Header) -> bool:
        """Whether the well-known deployer is on this chain."""
        return await self._code(block, artifact.DEPLOYER) == artifact.DEPLOYER_RUNTIME

    # --- what may be wrong ---

    async def check(self, block: Header) -> None:
        """Contract and token are what they must be. Raises NodeMisconfigured."""
        await self.require_contract(block)
        if self.config is None:
            return
        if await self._code(block, self.config.address) == b"":
            where = checksummed(self.config.address)
            raise NodeMisconfigured(
                f"there is no token at {where} on this chain: {troubles.RIGHT_ADDRESS}"
            )
        decimals, symbol = await self._calls(block, [calls.DECIMALS, calls.SYMBOL])
        told = None if decimals is None or len(decimals) != 32 else int.from_bytes(decimals, "big")
        if told != self.config.decimals:
            msg = (
                f"the token {self.config.ticker} says it has {told} decimals, the configuration "
                f"{self.config.decimals}: {troubles.RIGHT_ADDRESS}"
            )
            raise NodeMisconfigured(msg)
        name = _text(symbol)
        if name != self.config.symbol:
            msg = (
                f"the token configured as {self.config.symbol!r} calls itself {name!r}: "
                f"{troubles.RIGHT_ADDRESS}"
            )
            raise NodeMisconfigured(msg)

    async def problems(self, block: Header, parties: Sequence[bytes]) -> tuple[str, ...]:
        """Reasons not to lock or reveal now; those of `parties` are asked for these accounts."""
        found: list[str] = []
        if self._judged is None or self._judged[0] != block.hash:
            found = []
            try:
                await self.check(block)
            except NodeMisconfigured as error:
                found.append(str(error))
            found += await self._switches(block)
            found += await self._dearness(block)
            self._judged = (block.hash, tuple(found))
        return (*self._judged[1], *await self._listed(block, parties))

    async def _switches(self, block: Header) -> list[str]:
        if self.config is None:
            return []
        [paused] = await self._calls(block, [_PAUSED])
        found = [f"{self.name} {troubles.PAUSED}"] if _is_true(paused) else []
        leads = await self.implementation(block)
        expected = await self._expected(leads)
        if leads != expected:
            found.append(
                f"the code of {self.name} {troubles.CODE_REPLACED} {_shown(leads)}, not to "
                f"{_shown(expected)}; if that is right, say so as its implementation"
            )
        return found

    async def _dearness(self, block: Header) -> list[str]:
        """A token whose transfer takes more than a claim's limit leaves: the claim would fail with
        its preimage shown. Asked now and then, of a transfer that anybody could make: a hint, and
        only ever a reason to wait."""
        if self.config is None:
            return []
        if self._dear is None or abs(block.number - self._dear[0]) >= ASKED_EVERY:
            moved = {
                "from": "0x" + self.contract.hex(),
                "to": "0x" + self.config.address.hex(),
                "data": "0x" + calls.transfer(NOBODY, 0).hex(),
            }
            told = await self._sources.hints(("eth_estimateGas", (moved,)))
            taken = [quantity(each) for [each] in told if isinstance(each, str)]
            self._dear = block.number, self._too_dear(max(taken, default=0))
        return [self._dear[1]] if self._dear[1] else []

    def _too_dear(self, transfer: int) -> str:
        needed = max(0, transfer - GAS_PLAIN) + FIRST_UNITS + GAS_BESIDE
        if needed <= self.gas:
            return ""
        return (
            f"a claim of {self.name} may take {needed} gas, {troubles.TOO_LITTLE_GAS} {self.gas}: "
            "raise gas in its section of the configuration"
        )

    async def _expected(self, leads: bytes) -> bytes:
        """Where its proxy must lead: as configured, else as it did when it was first seen."""
        if self.config is None or self.config.implementation is not None:
            return leads if self.config is None else self.config.implementation or leads
        if self._memory is None:
            return leads
        key = f"implementation:{self.config.address.hex()}"
        known = await self._memory.get(key)
        if known is None:
            await self._memory.put(key, leads)
            return leads
        return known

    async def implementation(self, block: Header) -> bytes:
        """Where the proxy of a token leads; zeros for a token that is none."""
        if self.config is None:
            return bytes(20)
        address = "0x" + self.config.address.hex()
        asked: list[Call] = [
            ("eth_getStorageAt", (address, "0x" + slot.hex())) for slot in _PROXY_SLOTS
        ]
        answers = [word(each) for each in await self._sources.at(block, asked)]
        return next((each[12:] for each in answers if any(each)), bytes(20))

    async def _listed(self, block: Header, parties: Sequence[bytes]) -> list[str]:
        if self.config is None:
            return []
        asked = [
            (party, selector + calls.padded(party))
            for party in dict.fromkeys((self.contract, *parties))
            for selector in _LISTED
        ]
        answers = await self._calls(block, [call for _, call in asked])
        barred = {party for (party, _), a in zip(asked, answers, strict=True) if _is_true(a)}
        return [f"{checksummed(party)} {troubles.BARRED} {self.name}" for party in sorted(barred)]

    async def _calls(self, block: Header, inputs: Sequence[bytes]) -> list[bytes | None]:
        """What the token answers; None where it has no such function."""
        if self.config is None:
            return []
        address = "0x" + self.config.address.hex()
        asked: list[Call] = [
            ("eth_call", ({"to": address, "data": "0x" + each.hex()},)) for each in inputs
        ]
        answers = await self._sources.at(block, asked)
        return [None if each is Refusal.REVERTED else data(each, 4096) for each in answers]

    # --- what we have ---

    async def holdings(self, block: Header, locks: bytes, claims: bytes) -> Holdings:
        """Of our two accounts."""
        asked: list[Call] = [
            ("eth_getBalance", ("0x" + account.hex(),)) for account in (locks, claims)
        ]
        if self.config is not None:
            inputs = (
                calls.balance_of(locks),
                calls.balance_of(claims),
                calls.allowance(locks, self.contract),
            )
            to = "0x" + self.config.address.hex()
            asked += [("eth_call", ({"to": to, "data": "0x" + each.hex()},)) for each in inputs]
        answers = await self._sources.at(block, asked)
        lock_gas, claim_gas = amount(answers[0]), amount(answers[1])
        if self.config is None:
            return Holdings(lock_gas, claim_gas, lock_gas, claim_gas, 2**256 - 1)
        units = [int.from_bytes(_whole_word(each), "big") for each in answers[2:]]
        return Holdings(lock_gas, claim_gas, units[0], units[1], units[2])

    async def units_of(self, block: Header, account: bytes) -> int:
        """What any account has of the asset."""
        where = "0x" + account.hex()
        if self.config is None:
            [answer] = await self._sources.at(block, [("eth_getBalance", (where,))])
            return amount(answer)
        to = "0x" + self.config.address.hex()
        call = {"to": to, "data": "0x" + calls.balance_of(account).hex()}
        [answer] = await self._sources.at(block, [("eth_call", (call,))])
        return int.from_bytes(_whole_word(answer), "big")


def _whole_word(answer: object) -> bytes:
    if answer is Refusal.REVERTED:
        raise BadAnswer("the token refuses to say what an account has")
    found = data(answer, 4096)
    if len(found) != 32:
        raise BadAnswer("the token answered something that is no number")
    return found


def _is_true(answer: bytes | None) -> bool:
    return answer is not None and len(answer) == 32 and any(answer)


def _text(answer: bytes | None) -> str:
    """A symbol, as a string or, in old tokens, as 32 bytes."""
    if answer is None:
        return ""
    if len(answer) == 32:
        found = answer.rstrip(b"\0")
    else:
        size = int.from_bytes(answer[32:64], "big")
        found = answer[64 : 64 + min(size, 256)]
    text = found.decode("utf-8", "replace")
    return "".join(c for c in text if c.isprintable())


def _shown(address: bytes) -> str:
    return checksummed(address) if any(address) else "no other contract"
