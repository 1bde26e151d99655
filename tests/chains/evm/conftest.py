"""An anvil for each test: it is there in a twentieth of a second."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chains.evm.bench import EvmBench


@pytest.fixture
async def evm(tmp_path: Path) -> AsyncIterator[EvmBench]:
    """A chain of its own."""
    async with EvmBench.open(tmp_path / "anvil") as made:
        yield made
