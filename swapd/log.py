"""Owns how the daemon's log lines look, and that no secret is ever in one.

Must not know: what is logged. One event name a line; every line of a swap carries `swap`, because
its runner binds that to the context. Bytes are shown cut short and as hex, values of our own
structs by type only: a swap's state holds its preimage once that is public to the counterparty,
and nobody reviews every log call for what is inside.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from swapd.ports import Clock

Format = Literal["auto", "json", "text", "journald"]
Level = Literal["debug", "info", "warning", "error"]

HIDDEN = "(hidden)"
_SECRET_NAMES = (
    "secret",
    "preimage",
    "passphrase",
    "password",
    "seed",
    "words",
    "mnemonic",
    "entropy",
    "private",
    "cookie",
)
_BYTES_SHOWN = 8
_TEXT_SHOWN = 16_384
"""Characters: a long traceback fits."""

_DEEPEST = 4

# sd-daemon(3): how journald tells severities apart on a service's stderr.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure(
    *,
    level: Level,
    style: Format,
    clock: Clock,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Set up logging for this process; repeating it (another level on SIGHUP) replaces it.

    `style` auto is text on a terminal and JSON elsewhere.
    """
    out = sys.stderr if stream is None else stream
    if style == "auto":
        style = "text" if out.isatty() else "json"
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _timestamper(clock),
            _exception_text,
            redact,
            *_renderers(style, colours=out.isatty() and not environ.get("NO_COLOR")),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Writer(out),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging()


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide what is named like a secret, and shorten the rest."""
    for key, value in event.items():
        event[key] = HIDDEN if _is_secret(key) else _shown(value, 0)
    return event


def _is_secret(name: object) -> bool:
    lowered = str(name).lower()
    return any(word in lowered for word in _SECRET_NAMES)


def _shown(value: Any, depth: int) -> Any:
    """A value that is safe and small enough to be written."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return (
            raw.hex() if len(raw) <= _BYTES_SHOWN else f"{raw[:_BYTES_SHOWN].hex()}..({len(raw)})"
        )
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if _is_secret(key) else _shown(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(inner, depth + 1) for inner in value]
    if isinstance(value, msgspec.Struct):
        return f"<{type(value).__name__}>"
    return _printable(str(value))


def _printable(text: str) -> str:
    """Peers write parts of our log: no terminal escapes, no made-up lines, no novels."""
    if len(text) > _TEXT_SHOWN:
        text = f"{text[:_TEXT_SHOWN]}..({len(text)})"
    return "".join(
        char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text
    )


def _timestamper(clock: Clock) -> Processor:
    def stamp(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        moment = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        event["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return stamp


def _exception_text(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A traceback without local variables: those are where secrets are."""
    rendered = structlog.processors.format_exc_info(logger, method, event)
    assert isinstance(rendered, MutableMapping)  # noqa: S101 - that processor's contract
    return rendered


def _renderers(style: Format, *, colours: bool) -> list[Processor]:
    if style == "text":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=True)
    if style != "journald":
        return [as_json]

    def prefixed(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
        priority = _PRIORITIES.get(str(event.get("level")), 6)
        return f"<{priority}>{as_json(logger, method, event)!s}"

    return [prefixed]


class _Writer:
    """Writes lines. A log that cannot be written (full disk, closed terminal) must not stop a
    swap, so that is swallowed here and nowhere else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = log = msg
    exception = fatal = failure = err = warn = msg


class _Forward(logging.Handler):
    """What libraries log by the standard library's way, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, "library", logger=record.name, message=record.getMessage()
        )


def _adopt_standard_logging() -> None:
    """Warnings of libraries, not their chatter: httpx logs every request at info."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)
