"""The daemon: it acts on what `protocol` decides. Importing this package does nothing."""

from typing import Final

BUILD: Final = "0.1.0"
"""Must equal `protocol.BUILD`: see `swapd.packaging`."""
