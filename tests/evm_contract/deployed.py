"""Owns our contracts and a token on an anvil, put there by the deterministic deployer."""

import json
from dataclasses import dataclass

from protocol.evm.contract import artifact
from tests.evm_contract.anvil import Anvil, CallFailedError, keccak
from tests.evm_contract.compiler import HERE
from tests.evm_contract.words import call, word

CHAIN = 31337
"""anvil's, unless it is told another."""

SOMEONE = bytes.fromhex("00000000000000000000000000000000c0ffee01")


def create2_address(init_code: bytes) -> bytes:
    """Where the deterministic deployer puts this code, on every chain."""
    seed = b"\xff" + artifact.DEPLOYER + artifact.SALT + keccak(init_code)
    return keccak(seed)[12:]


def deploy(node: Anvil, init_code: bytes) -> bytes:
    """Have the deployer create it; anyone may, and the address is the same."""
    node.must(SOMEONE, artifact.DEPLOYER, artifact.SALT + init_code)
    address = create2_address(init_code)
    if not node.code(address):
        raise CallFailedError("no code where it was to be")
    return address


def create_token(node: Anvil, decimals: int = 18) -> bytes:
    """A plain token that anyone may mint."""
    creation = json.loads((HERE / "TestToken.json").read_text())["creation"]
    names = word(4) + b"TEST".ljust(32, b"\x00")
    arguments = word(0x60) + word(0xA0) + word(decimals) + names + names
    return node.create(SOMEONE, bytes.fromhex(creation) + arguments)


@dataclass(frozen=True)
class Deployed:
    """What is there."""

    node: Anvil
    native: bytes
    token: bytes
    tokens: bytes
    """The HTLC of `token`."""

    @classmethod
    def on(
        cls,
        node: Anvil,
        coins: artifact.Artifact | None = None,
        tokens: artifact.Artifact | None = None,
    ) -> "Deployed":
        """Put all of it there: what is shipped, or other code."""
        node.give(SOMEONE)
        coins, tokens = coins or artifact.native(), tokens or artifact.token()
        token = create_token(node)
        return cls(
            node=node,
            native=deploy(node, coins.init_code()),
            token=token,
            tokens=deploy(node, tokens.init_code(token)),
        )

    def mint(self, to: bytes, units: int) -> None:
        """Give tokens."""
        self.node.must(SOMEONE, self.token, call("mint(address,uint256)", to, units))

    def approve(self, owner: bytes, spender: bytes, units: int = 2**256 - 1) -> None:
        """Allow `spender` to draw."""
        self.node.must(owner, self.token, call("approve(address,uint256)", spender, units))

    def permit_digest(self, owner: bytes, spender: bytes, units: int, nonce: int) -> bytes:
        """What the owner of tokens signs (EIP-2612), without an end in time that matters."""
        types = (
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        names = keccak(b"TEST") + keccak(b"1")
        domain = keccak(keccak(types) + names + word(CHAIN) + word(self.token))
        types = (
            b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        )
        words = word(owner) + word(spender) + word(units) + word(nonce) + word(2**255)
        return keccak(b"\x19\x01" + domain + keccak(keccak(types) + words))

    def held(self, owner: bytes) -> int:
        """The tokens of an account."""
        answer = self.node.rpc(
            "eth_call",
            {
                "to": "0x" + self.token.hex(),
                "data": "0x" + call("balanceOf(address)", owner).hex(),
            },
            "latest",
        )
        return int(answer, 16)
