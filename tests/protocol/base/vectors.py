"""Reading vector files, and what their types are called here."""

import json
import re
from pathlib import Path
from typing import Any, Final

import protocol
from protocol.amounts import Amount, Price, Units
from protocol.gossip import Item
from protocol.negotiation.messages import Message
from protocol.terms import Exposure, Kind

FOLDER: Final = Path(protocol.__file__).parent / "vectors"
Json = dict[str, Any]

KINDS: Final[dict[str, Any]] = {
    "number": int,
    "bytes": bytes,
    "text": str,
    "numbers": tuple[int, ...],
    "units": Units,
    "price": Price,
    "amount": Amount,
    "exposure": Exposure,
    "kind": Kind,
    "item": Item,
    "message": Message,
}


def load(name: str) -> Json:
    """A vector file; each says where its expected values come from."""
    vectors: Json = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert vectors["source"]
    return vectors


def spelled(notation: str) -> bytes:
    """Hex with blanks between parts; `part*n` is a part n times."""
    whole = b""
    for part in notation.split():
        stem, _, times = part.partition("*")
        whole += bytes.fromhex(stem) * int(times or 1)
    return whole


def is_notation(text: str) -> bool:
    """Whether a text stands for repeated bytes."""
    return re.fullmatch(r"([0-9a-f]{2})+\*\d+", text) is not None


def plain(value: Any) -> Any:
    """A decoded value as the vectors write it: numbers as decimal text, bytes as hex."""
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    fields = getattr(value, "__struct_fields__", None)
    if fields is None:
        return [plain(item) for item in value]
    tag = value.__struct_config__.tag
    head = [] if tag is None else [tag]
    return head + [plain(getattr(value, field)) for field in fields]


def expanded(value: Any, *, is_text: bool = False) -> Any:
    """What the vectors write, with `xx*n` written out."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if is_notation(value):
        return spelled(value).decode() if is_text else spelled(value).hex()
    return value


def case_id(case: Any) -> str:
    """A readable name of a case."""
    if isinstance(case, dict):
        for key in ("why", "what", "name", "bytes", "text", "asset"):
            if case.get(key):
                return str(case[key])[:60]
    return str(case)[:60]
