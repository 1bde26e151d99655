"""Values of a shape: what a format's own grammar can say, and mutations that keep its syntax.

Owns: trees (what msgpack and JSON have in common), their hostile leaves, lines of TOML, texts.
Must not know: targets. A format turns a sample into a tree once, and trees into bytes.
"""

import enum
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from tests.fuzz.mutate import EXTREMES, below

MAX_DEPTH = 4

_RAW = "@@raw@@"
"""Stands in a tree for text or bytes that no encoder would write."""

_TEXTS = ("", "a", "0", "-1", "0.5", "1e5", "BTC", "LTC", "BTC/LTC", "/ip4/1.2.3.4/tcp/1", "é",
          "\x00", "\x1b[31m", "\u202e", "\U0001f600", "null", "none", "true", "p2wsh", "initiator",
          "i", "p", "regtest", "standard", "offer", "take", "a\nb", "%s%n", "{}",
          "../../etc/passwd", "ff" * 32, "FF" * 32, "ff" * 32 + "\n", "1" * 78,
          "9" * 100, "x" * 1000)  # fmt: skip
_RAW_JSON = ("1e400", "-1e400", "1e99999999999999999999", "1E-99999999999999999999", "-0", "-0.0",
             "NaN", "Infinity", "-Infinity", "0.1234567891", "1.00000000", "1" * 400, "9" * 5000,
             "0.1" + "0" * 300, '"\\ud800"', '"\\u0000"', '"\\uFFFF"', '"\xff"', '{"a":1,"a":2}',
             "truе", "01", "1.", "'x'", "[1,]", "{}", '{"":""}', "21000000.00000001",
             "1e-8", "1e-9", "99999999999")  # fmt: skip
_HEADS = (b"\xc1", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff",
          b"\xdf\xff\xff\xff\xff", b"\xdc\x00\x01\x01", b"\xcd\x00\x01", b"\xd3" + bytes(8),
          b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xd4\x01\x01", b"\xd6\xff" + bytes(4),
          b"\xc7\x0c\xff" + b"\xff" * 12, b"\xcb\x7f\xf8" + bytes(6), b"\xca\x7f\x80\x00\x00",
          b"\x82\xa1a\x01\xa1a\x02", b"\x81\x90\x01", b"\xc4\x00", b"\xc5\x00\x01a",
          b"\xce\x00\x00\x00\x05")  # fmt: skip


def _integer(rng: random.Random) -> int:
    value = EXTREMES[below(rng, len(EXTREMES))]
    return -value if rng.random() < 0.3 else value


def leaf(rng: random.Random) -> Any:
    """A value without parts, often one that nobody expects."""
    match below(rng, 9):
        case 0:
            return None
        case 1:
            return rng.random() < 0.5
        case 2 | 3:
            return _integer(rng)
        case 4:
            return below(rng, 300) - 20
        case 5:
            return rng.randbytes((0, 1, 20, 31, 32, 33, 64, 65)[below(rng, 8)])
        case 6:
            return _TEXTS[below(rng, len(_TEXTS))]
        case 7:
            return (rng.random() - 0.5) * 10 ** below(rng, 30)
        case _:
            return _RAW


def tree(rng: random.Random, depth: int = 0) -> Any:
    """A value of any shape."""
    roll = rng.random()
    if depth >= MAX_DEPTH or roll < 0.5:
        return leaf(rng)
    count = below(rng, 5) if roll < 0.97 else below(rng, 70)
    if roll < 0.8:
        return [tree(rng, depth + 1) for _ in range(count)]
    return {str(_TEXTS[below(rng, 12)]): tree(rng, depth + 1) for _ in range(count)}


def like(rng: random.Random, value: Any) -> Any:
    """A value of the same shape with other contents: types kept more often than not."""
    if isinstance(value, dict):
        return {key: like(rng, item) for key, item in value.items()}
    if isinstance(value, list):
        items = [like(rng, item) for item in value]
        if items and rng.random() < 0.1:
            items.append(items[below(rng, len(items))])
        return items
    if rng.random() < 0.4:
        return value
    return _other(rng, value)


def _other(rng: random.Random, value: Any) -> Any:
    """Another leaf, of the same type nine times in ten."""
    if rng.random() < 0.1:
        return tree(rng, MAX_DEPTH - 1)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + below(rng, 5) - 2 if rng.random() < 0.6 else _integer(rng)
    if isinstance(value, bytes):
        if value and rng.random() < 0.6:
            at = below(rng, len(value))
            return value[:at] + bytes([below(rng, 256)]) + value[at + 1 :]
        return rng.randbytes(max(0, len(value) + below(rng, 3) - 1))
    if isinstance(value, str):
        return _text(rng, value)
    return leaf(rng)


def _text(rng: random.Random, value: str) -> str:
    match below(rng, 5):
        case 0:
            return _TEXTS[below(rng, len(_TEXTS))]
        case 1:
            return value[: below(rng, len(value) + 1)]
        case 2:
            return value + _TEXTS[below(rng, len(_TEXTS))]
        case 3 if rng.random() < 0.1:
            return (value or "x") * below(rng, 3000)
        case _:
            at = below(rng, len(value) + 1)
            return value[:at] + chr(0x20 + below(rng, 0x60)) + value[at + 1 :]


def changed(rng: random.Random, value: Any) -> Any:
    """The same tree but for one place in it."""
    if isinstance(value, list) and value and rng.random() < 0.85:
        items = list(value)
        at = below(rng, len(items))
        match below(rng, 12):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[below(rng, len(items))])
            case 2:
                items[at] = tree(rng)
            case 3 if rng.random() < 0.05:
                items += [items[at]] * below(rng, 5000)
            case _:
                items[at] = changed(rng, items[at])
        return items
    if isinstance(value, dict) and value and rng.random() < 0.9:
        items_ = dict(value)
        key = list(items_)[below(rng, len(items_))]
        match below(rng, 12):
            case 0:
                del items_[key]
            case 1:
                items_[_text(rng, str(key))] = items_.pop(key)
            case 2:
                items_[_TEXTS[below(rng, len(_TEXTS))]] = tree(rng)
            case _:
                items_[key] = changed(rng, items_[key])
        return items_
    if isinstance(value, list | dict):
        return tree(rng) if rng.random() < 0.7 else [value]
    return _other(rng, value)


# --- Trees as bytes ---------------------------------------------------------------------------

_PACKED_RAW = bytes(msgpack.packb(_RAW))
_JSON_RAW = re.compile(rf'"[^"]*{_RAW}[^"]*"')


def pack(rng: random.Random, value: Any) -> bytes:
    """msgpack, with heads that lie where the tree says so, some of them deeply nested."""
    try:
        data = bytes(msgpack.packb(value, use_bin_type=True))
    except (OverflowError, ValueError):
        return _HEADS[below(rng, len(_HEADS))]
    if _PACKED_RAW in data:
        head = _HEADS[below(rng, len(_HEADS))]
        if rng.random() < 0.02:
            opening = (b"\x91", b"\x81\xa1a", b"\x81\x90")[below(rng, 3)]
            head = opening * below(rng, 30_000) + b"\xc0"
        data = data.replace(_PACKED_RAW, head)
    return data


def json_bytes(rng: random.Random, value: Any) -> bytes:
    """JSON, with texts that no encoder writes where the tree says so."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, default=bytes.hex)
    if _RAW in text:
        raw = _RAW_JSON[below(rng, len(_RAW_JSON))]
        if rng.random() < 0.02:
            opening, closing = (("[", "]"), ('{"a":', "}"))[below(rng, 2)]
            count = below(rng, 60_000)
            raw = opening * count + "1" + closing * count
        text = _JSON_RAW.sub(lambda _: raw, text)
    return text.encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


# --- Lines and texts --------------------------------------------------------------------------

_LITERALS = ('""', '"x"', "0", "-1", "1", "true", "false", "[]", '["BTC/LTC"]', "{}", "1.5", "inf",
             "nan", "1e400", "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "9" * 30,
             "9" * 5000, "0x7fffffffffffffffffff", '"\\u0000"', '"\\u0000/a"', '"~x"', '"~/x"',
             '"/' + "a" * 200 + '"', '"/ip4/1.2.3.4/tcp/1"', '"http://127.0.0.1:1"',
             '"http://[::1"', '"http://u:p@h:1"', '"http://h:99999"', '"0.5 BTC"', '"5 units"',
             '"regtest"', '"mainnet"', '"bitcoin"', "'''a\nb'''", '"""', "[" * 300 + "]" * 300,
             "{a=" * 100 + "1" + "}" * 100, '["/ip6/::1/tcp/5","/dns4/a/tcp/6"]',
             '"١"', '"\\ud7ff"', '"\\uE000"', '[1, "a", [2]]')  # fmt: skip


def lines_changed(rng: random.Random, sample: bytes) -> bytes:
    """A text of `key = value` lines with one to three of them changed."""
    lines = sample.decode("utf-8", "replace").split("\n")
    for _ in range(1 + below(rng, 3)):
        at = below(rng, len(lines))
        key = lines[at].partition("=")[0].strip() or "network"
        match below(rng, 8):
            case 0:
                del lines[at]
                lines = lines or [""]
            case 1:
                lines.insert(at, lines[below(rng, len(lines))])
            case 2:
                lines[at] = _text(rng, lines[at])
            case 3:
                lines.insert(at, f"{_text(rng, key)} = {_literal(rng)}")
            case 4:
                lines[at] = lines[at][: below(rng, len(lines[at]) + 1)]
            case _:
                lines[at] = f"{key} = {_literal(rng)}"
    return "\n".join(lines).encode("utf-8", "replace")


def _literal(rng: random.Random) -> str:
    return _LITERALS[below(rng, len(_LITERALS))]


def lines_like(rng: random.Random, sample: bytes) -> bytes:
    """Every value another one."""
    kept = []
    for line in sample.decode("utf-8", "replace").split("\n"):
        key, mark, _ = line.partition("=")
        is_value = mark and not line.lstrip().startswith(("#", "["))
        kept.append(f"{key}= {_literal(rng)}" if is_value and rng.random() < 0.5 else line)
    return "\n".join(kept).encode("utf-8", "replace")


def text_like(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Characters of the samples in another order, with a stranger among them."""
    letters = samples[below(rng, len(samples))] + samples[below(rng, len(samples))] + b"\x00 \xff\n"
    size = below(rng, 60) if rng.random() < 0.99 else below(rng, 20_000)
    return bytes(letters[below(rng, len(letters))] for _ in range(size))


# --- Formats ----------------------------------------------------------------------------------


class Form(enum.Enum):
    """How a target's inputs are written."""

    BYTES = "bytes"
    MSGPACK = "msgpack"
    JSON = "json"
    TOML = "toml"
    TEXT = "text"


ENCODERS: dict[Form, Callable[[random.Random, Any], bytes]] = {
    Form.MSGPACK: pack,
    Form.JSON: json_bytes,
}


def tree_of(form: Form, sample: bytes) -> Any:
    """The tree in a sample of a format that has trees. Raises ValueError."""
    if form is Form.MSGPACK:
        return msgpack.unpackb(sample, raw=False, strict_map_key=False)
    return json.loads(sample)
