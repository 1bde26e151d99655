"""The code accepts and refuses the packages of protocol/vectors/packages.json."""

from typing import Any

import pytest

from protocol.codec import encode
from protocol.errors import RemoteProtocolError
from protocol.tower.package import digest, read
from tests.protocol.base.vectors import load
from tests.protocol.tower import make_vectors

VECTORS = load("packages")


def test_the_file_is_what_its_generator_prints() -> None:
    assert make_vectors.TARGET.read_text("utf-8") == make_vectors.text()


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=lambda case: case["name"])
def test_good_packages_are_accepted_to_the_byte(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["package"])
    found = read(data)
    assert encode(found) == data
    assert digest(found).hex() == case["digest"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_hostile_packages_are_refused_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(bytes.fromhex(case["package"]))
    assert caught.value.refusal.value == case["refusal"]
