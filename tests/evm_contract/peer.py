"""Owns the peer's figures: a contract of the shape of Boltz', compiled as they do, same amounts."""

import random
from dataclasses import dataclass

from tests.evm_contract.anvil import Anvil
from tests.evm_contract.compiler import compile_sources, helper_sources
from tests.evm_contract.deployed import SOMEONE, Deployed
from tests.evm_contract.words import Swap, account, call, secret

ETHER = 53_400_000_000_000_000
TOKENS = 1_234_570_000_000_000_000_000
HOUR = 3600
LEGACY = {"viaIR": False, "optimizer": {"enabled": True, "runs": 200}}


@dataclass(frozen=True)
class _Native:
    at: bytes
    amount: int = ETHER

    def lock(self, swap: Swap) -> tuple[bytes, int]:
        data = call("lock(bytes32,address,uint256)", swap.hashlock, swap.receiver, swap.expiry)
        return data, swap.amount

    def claim(self, swap: Swap) -> bytes:
        types = "claim(bytes32,uint256,address,uint256)"
        return call(types, swap.preimage, swap.amount, swap.locker, swap.expiry)

    def refund(self, swap: Swap) -> bytes:
        types = "refund(bytes32,uint256,address,uint256)"
        return call(types, swap.hashlock, swap.amount, swap.receiver, swap.expiry)


@dataclass(frozen=True)
class _Token:
    at: bytes
    token: bytes
    amount: int = TOKENS

    def lock(self, swap: Swap) -> tuple[bytes, int]:
        types = "lock(bytes32,uint256,address,address,uint256)"
        named = (swap.amount, self.token, swap.receiver, swap.expiry)
        return call(types, swap.hashlock, *named), 0

    def claim(self, swap: Swap) -> bytes:
        types = "claim(bytes32,uint256,address,address,uint256)"
        return call(types, swap.preimage, swap.amount, self.token, swap.locker, swap.expiry)

    def refund(self, swap: Swap) -> bytes:
        types = "refund(bytes32,uint256,address,address,uint256)"
        return call(types, swap.hashlock, swap.amount, self.token, swap.receiver, swap.expiry)


def _run(
    node: Anvil, peer: _Native | _Token, locker: bytes, receiver: bytes, rng: random.Random
) -> dict[str, int]:
    def locked() -> tuple[Swap, int]:
        later = node.now() + HOUR
        swap = Swap(locker, receiver, peer.amount, later, later, 0, secret(rng))
        data, value = peer.lock(swap)
        return swap, node.must(locker, peer.at, data, value=value).gas_used

    locked()  # so that it holds some coins, as it will in use
    swap, lock = locked()
    claim = node.must(receiver, peer.at, peer.claim(swap)).gas_used
    swap, _ = locked()
    node.rpc("evm_increaseTime", 2 * HOUR)
    refund = node.must(locker, peer.at, peer.refund(swap)).gas_used
    return {"lock": lock, "claim": claim, "refund": refund}


def measure(there: Deployed, rng: random.Random) -> list[dict[str, int]]:
    """Lock, claim and refund: of the native coin, of a token."""
    node = there.node
    compiled = compile_sources({"Peer.sol": helper_sources()["Peer.sol"]}, LEGACY)
    native, tokens = (
        node.create(SOMEONE, bytes.fromhex(compiled[name]["evm"]["bytecode"]["object"]))
        for name in ("PeerNative", "PeerToken")
    )
    locker, receiver = account(rng), account(rng)
    for who in (locker, receiver):
        node.give(who)
        there.mint(who, 10**30)
        there.approve(who, tokens)
    peers = (_Native(native), _Token(tokens, there.token))
    return [_run(node, peer, locker, receiver, rng) for peer in peers]
