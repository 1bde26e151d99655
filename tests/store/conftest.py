"""Owns the fixture that runs one suite on the fake and on the real store."""

from pathlib import Path

import pytest

from tests.store.harness import FakeHarness, Harness, SqliteHarness


@pytest.fixture(params=["fake", "sqlite"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    """A durable place with nothing in it."""
    return FakeHarness() if request.param == "fake" else SqliteHarness(tmp_path)
