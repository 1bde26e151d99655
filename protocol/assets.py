"""Chains and assets by their registered names: CAIP-2 and CAIP-19.

Owns: the two identifier types and their checks.
Must not know: tickers, decimals, nodes (those are configuration and chain parameters).
Sources: CAIP-2, CAIP-19 (ChainAgnostic/CAIPs); bip122 and slip44 namespaces.
"""

import re
from typing import NewType

from protocol.errors import DecodeError

ChainId = NewType("ChainId", str)
"""CAIP-2, for example `bip122:0f9188f13cb7b2c71f2a335e3a4fc328`: bound to the genesis block."""

AssetId = NewType("AssetId", str)
"""CAIP-19, for example `bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1`."""

_CHAIN = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_ASSET = re.compile(r"([-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32})/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}")


def parse_chain(text: str) -> ChainId:
    """The chain id in `text`. Raises DecodeError if it is not CAIP-2."""
    if not _CHAIN.fullmatch(text):
        msg = f"not a CAIP-2 chain id: {text[:80]!r}"
        raise DecodeError(msg)
    return ChainId(text)


def parse_asset(text: str) -> AssetId:
    """The asset id in `text`. Raises DecodeError if it is not CAIP-19."""
    if not _ASSET.fullmatch(text):
        msg = f"not a CAIP-19 asset id: {text[:80]!r}"
        raise DecodeError(msg)
    return AssetId(text)


def chain_of(asset: AssetId) -> ChainId:
    """The chain an asset lives on."""
    return ChainId(asset.partition("/")[0])
