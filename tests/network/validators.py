"""The gossip validators of the network tests; the child imports them by name."""


def accept_good(topic: str, data: bytes, now: int) -> bool:
    """Refuses what begins with "bad", raises for "raise", and for "at:" wants that very minute."""
    if data.startswith(b"raise"):
        raise RuntimeError("a validator with a bug")
    if data.startswith(b"at:"):
        return abs(int(data[3:]) - now) < 60
    return not data.startswith(b"bad") and topic.startswith("t/")


def accept_anything(topic: str, data: bytes, now: int) -> bool:
    """For peers that are to send what others refuse."""
    return True
