"""What keeps a tower from running. Must not know: exit codes."""


class TowerError(Exception):
    """A file of the tower can't be used, or it has nothing to do. `str()` says what to do."""
