"""docs/rpc.md, made from the table: `python -m swapd.control.docs [FILE]`.

Owns: the layout of the reference. Must not know: sockets. A test fails when the file in the
repository is not what this makes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swapd.api.errors import ERRORS, ErrorName
from swapd.api.table import API_VERSION, COMMON_ERRORS, METHODS, Method
from swapd.control.limits import Limits
from swapd.control.openrpc import components, describe, type_name

_BLOCKS = (
    (-33000, "JSON-RPC 2.0"),
    (1000, "Start-up and the daemon itself"),
    (2000, "Offers and amounts"),
    (3000, "Negotiation and peers"),
    (4000, "Swaps"),
    (5000, "Chains and nodes"),
    (6000, "Wallet"),
    (7000, "Limits and permission"),
)


def render() -> str:
    """The whole reference."""
    methods = list(METHODS.values())
    parts = [_INTRODUCTION.format(**_figures())]
    parts.append("## Methods\n\n" + "\n".join(_row(m) for m in methods))
    parts += ["\n".join(_method(m)) for m in methods]
    parts.append("\n".join(_values()))
    parts.append("\n".join(_errors()))
    return "\n\n".join(parts).rstrip() + "\n"


def _figures() -> dict[str, object]:
    limits = Limits()
    common = ", ".join(f"`{name}`" for name in COMMON_ERRORS)
    return {"version": API_VERSION, "limits": limits, "common": common}


def _anchor(name: str) -> str:
    return name.replace(".", "").lower()


def _row(method: Method) -> str:
    return f"- [`{method.name}`](#{_anchor(method.name)}): {method.summary}"


def _method(method: Method) -> Iterator[str]:
    yield f"### {method.name}\n"
    yield f"{method.summary} {method.description}\n"
    marks = []
    if method.mutating:
        marks.append("changes something")
    if method.paged:
        marks.append("paged")
    yield f"`{method.cli}`" + (f" ({', '.join(marks)})" if marks else "") + "\n"
    yield from _fields("Parameters", components()[method.params.__name__])
    yield from _fields("Result", components()[method.result.__name__])
    errors = [name for name in method.all_errors if name not in COMMON_ERRORS]
    if errors:
        yield "Errors: " + ", ".join(f"`{name}`" for name in errors) + "."


def _fields(title: str, schema: dict[str, Any]) -> Iterator[str]:
    about = " ".join(str(schema.get("description", "")).split())
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    if not properties:
        yield f"{title}: none.\n"
        return
    yield f"{title}. {about}\n"
    yield "| name | type | |"
    yield "|---|---|---|"
    required = set(schema.get("required", ()))
    for name, field in properties.items():
        notes = [describe(field)] if describe(field) else []
        if title == "Parameters" and name in required:
            notes.insert(0, "required")
        default = field.get("default")
        if default not in (None, "", [], ()):
            notes.append(f"default {str(default).lower()}")
        yield f"| `{name}` | {type_name(field).replace('|', 'or')} | {'; '.join(notes)} |"
    yield ""


def _values() -> Iterator[str]:
    yield "## Values\n"
    yield "Shapes that several results share.\n"
    seen = {m.params.__name__ for m in METHODS.values()}
    seen |= {m.result.__name__ for m in METHODS.values()}
    for name, schema in components().items():
        if name in seen:
            continue
        yield f"### {name}\n"
        if "enum" in schema:
            yield " ".join(str(schema.get("description", "")).split()) + "\n"
            yield "One of " + ", ".join(f"`{v}`" for v in schema["enum"]) + ".\n"
        else:
            yield from _fields("Fields", schema)


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield (
        "An error reply carries `code` and `message`, and in `data` the stable `name`, whether the "
        "same call can succeed later (`retryable`), what to do (`remedy`), and sometimes `detail` "
        "for programs. Codes and names are never renumbered or reused. An error with a code of "
        "1000 or more other than those of `internal_error` promises that nothing was committed.\n"
    )
    starts = [start for start, _ in _BLOCKS]
    for start, title in _BLOCKS:
        stop = min((s for s in starts if s > start), default=8000)
        rows = [(ERRORS[n], n) for n in ErrorName if start <= ERRORS[n].code < stop]
        yield f"### {title}\n"
        yield "| code | name | retryable | what to do |"
        yield "|---|---|---|---|"
        for info, name in sorted(rows, key=lambda row: row[0].code):
            yield (
                f"| {info.code} | `{name}` | {'yes' if info.retryable else 'no'} | {info.remedy} |"
            )
        yield ""


_INTRODUCTION = """\
# The control interface

<!-- Made by `python -m swapd.control.docs`; a test checks that it is current. -->

The daemon speaks JSON-RPC 2.0 on a unix socket in its data directory: one JSON value per line, in
both directions. `swap-cli` is a client of it and can do nothing that you can't do here. This is
version {version} of the interface (`api_version` in `getinfo`); `rpc.discover` returns it as an
OpenRPC document.

```
$ printf '%s\\n' '{{"jsonrpc":"2.0","id":1,"method":"getinfo","params":{{}}}}' | nc -U -N swapd.sock
```

- **Who may connect.** The directory has mode 0700 and the socket 0600; besides, the kernel must say
  that the other end is the daemon's own user or root. There is no password and no port.
- **Parameters are named.** Unknown ones are refused, with a suggestion. Unknown fields in a
  *result* must be ignored: new ones may come with any version.
- **Amounts** are told both in base units (`units`, a string of digits) and in whole coins
  (`decimal`, exact). You give one of the two. There are no floating-point numbers.
- **Times** are unix seconds; ids, keys and hashes lowercase hex.
- **Pages.** Lists take `limit` and `cursor`; pass `next_cursor` of one page to get the next.
- **Repeating safely.** Methods that change something take an `idempotency_key` of your choice. The
  same key with the same parameters returns the first call's result for at least a week, also after
  a restart; with other parameters it is refused (`idempotency_conflict`). If the daemon died in
  the middle of the first call, it says so (`idempotency_unknown`) instead of doing it twice. A call
  that was refused frees its key.
- **Subscriptions.** `subscribe` to `book` or `swaps`, and notifications `event` follow with a
  `sequence` that grows by one. After a broken connection subscribe again with `after_sequence`: no
  event is lost or told twice. If too much happened in between you get `resync` instead: take a
  new snapshot (`book.get`, `swap.list`), whose `sequence` says where to go on.
- **Limits.** Per connection {limits.rate} calls per second (bursts of {limits.burst}),
  {limits.open_requests} calls and {limits.subscriptions} subscriptions at once, lines of at most
  {limits.max_line} bytes; {limits.clients} connections. A client that does not read what it is
  sent for {limits.stall_seconds:.0f} seconds is dropped.

Any method may answer with {common}."""


def main() -> int:
    """Writes the reference to the named file (default docs/rpc.md)."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rpc.md")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
