"""Owns the one error of the configuration. Must not know: exit codes."""


class ConfigError(Exception):
    """The configuration cannot be used. `str()` names each key, where it came from, what is wrong
    with it and what to write instead; several mistakes are several lines."""
