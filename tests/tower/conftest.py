"""An anvil for each test that asks for one."""

from tests.chains.evm.conftest import evm

__all__ = ["evm"]
