"""Owns what is known of the contract's code before any node is asked: ABI and both codes.

Reads the package's own data and nothing else. The address that follows from it (CREATE2) and hashes
are `protocol.evm`'s.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

DEPLOYER: Final = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
"""The deterministic deployer that is at this address on nearly every EVM chain. It creates the code
that follows the first 32 bytes of its calldata, with these as salt."""

DEPLOYER_RUNTIME: Final = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
)
"""Its code: with any other, the address of what it creates does not follow from our code."""

SALT: Final = bytes(32)


class Artifact(msgspec.Struct, frozen=True):
    """One contract as compiled. `immutables`: where the runtime holds the token, 32 bytes each."""

    abi: list[dict[str, Any]]
    selectors: dict[str, str]
    creation: str
    runtime: str
    immutables: list[int]

    def init_code(self, *arguments: bytes) -> bytes:
        """What the deployer is given after the salt: the code, then 32 bytes for each address."""
        words = [argument.rjust(32, b"\x00") for argument in arguments]
        return bytes.fromhex(self.creation) + b"".join(words)

    def runtime_code(self, token: bytes | None = None) -> bytes:
        """The code that must be on chain, for this `token` (20 bytes) if the contract has one."""
        code = bytearray.fromhex(self.runtime)
        if bool(self.immutables) != (token is not None):
            msg = "a token's contract has its token, that of the native coin none"
            raise ValueError(msg)
        if token is not None:
            for start in self.immutables:
                code[start : start + 32] = token.rjust(32, b"\x00")
        return bytes(code)

    def selector(self, name: str) -> bytes:
        """The first four bytes of a call of the function `name`."""
        (found,) = [v for k, v in self.selectors.items() if k.split("(")[0] == name]
        return bytes.fromhex(found)


@cache
def _read(name: str) -> Artifact:
    text = resources.files(__package__).joinpath(f"{name}.json").read_bytes()
    return msgspec.json.decode(text, type=Artifact)


def native() -> Artifact:
    """The HTLC of a chain's native coin."""
    return _read("NativeHtlc")


def token() -> Artifact:
    """The HTLC of one ERC-20 token, whose address is its constructor's argument."""
    return _read("TokenHtlc")
