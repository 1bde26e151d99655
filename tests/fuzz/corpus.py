"""Inputs that once broke something, kept as text.

Owns: the files in `corpus`: one an input, a line each, hex or packed when long, then what it did.
Must not know: targets, how inputs are run.
"""

import base64
import zlib
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
_LONG = 400


def written(data: bytes) -> str:
    """An input as one word: hex, or compressed when that would be long."""
    if len(data) <= _LONG:
        return "x:" + data.hex()
    return "z:" + base64.b64encode(zlib.compress(data, 9)).decode()


def read(word: str) -> bytes:
    """The input that a word stands for. Raises ValueError."""
    kind, _, text = word.partition(":")
    if kind == "z":
        return zlib.decompress(base64.b64decode(text))
    if kind == "x":
        return bytes.fromhex(text)
    msg = f"an input is x:<hex> or z:<packed>, not {word[:40]!r}"
    raise ValueError(msg)


def load(name: str, folder: Path = FOLDER) -> list[bytes]:
    """The inputs kept for a target, oldest first."""
    path = folder / f"{name}.txt"
    if not path.exists():
        return []
    return [read(line.split()[0]) for line in path.read_text().splitlines() if line.strip()]


def keep(name: str, data: bytes, what: str, folder: Path = FOLDER) -> None:
    """Appends an input, unless it is there; `what` it did stands behind it."""
    folder.mkdir(exist_ok=True)
    if data not in load(name, folder):
        with (folder / f"{name}.txt").open("a") as file:
            file.write(f"{written(data)}  {' '.join(what.split())[:160]}\n")
