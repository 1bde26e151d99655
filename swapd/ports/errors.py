"""What every port may raise. Must not know: any adapter."""


class PortError(Exception):
    """The world did not do what was asked. `str()` says what was wrong and what to do."""
