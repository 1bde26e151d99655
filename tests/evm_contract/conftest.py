"""One anvil for all tests of the contract, with our contracts and a token on it."""

from collections.abc import Iterator

import pytest

from tests.evm_contract.anvil import running_anvil
from tests.evm_contract.deployed import Deployed


@pytest.fixture(scope="package")
def there() -> Iterator[Deployed]:
    with running_anvil() as node:
        yield Deployed.on(node)
