"""The swap protocol, pure: bytes and values in and out. SPEC.md beside it is normative."""

from typing import Final

BUILD: Final = "0.1.0"
"""Must equal `swapd.BUILD`: the daemon refuses to run with another `protocol` package."""
