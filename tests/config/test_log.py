"""The log: one event a line, the swap in every line of a swap, never a secret."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from msgspec import Struct

from swapd import log
from swapd.keys.secret import Secret
from tests.fakes.clock import FakeClock


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


class State(Struct):
    """What an engine might log by mistake."""

    preimage: bytes


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging as it was."""
    handlers, level = logging.root.handlers[:], logging.root.level
    names = [logging.getLogger(name) for name in ("httpx",)]
    disabled, states = logging.root.manager.disable, [each.disabled for each in names]
    logging.disable(logging.NOTSET)  # other tests of this process import libraries that disable
    for each in names:
        each.disabled = False
    yield
    logging.disable(disabled)
    for each, state in zip(names, states, strict=True):
        each.disabled = state
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def configured(
    style: log.Format = "json", level: log.Level = "info", out: StringIO | None = None
) -> StringIO:
    """The stream that is logged to."""
    out = StringIO() if out is None else out
    log.configure(level=level, style=style, clock=FakeClock(1_790_000_000), stream=out, environ={})
    return out


def lines(out: StringIO) -> list[dict[str, Any]]:
    """What was written, as JSON."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_an_event_with_level_and_the_daemons_time() -> None:
    out = configured()
    structlog.get_logger("x").info("swap.advanced", seq=3)
    assert lines(out) == [
        # 1790000000 by `date -u -d @1790000000`
        {
            "event": "swap.advanced",
            "level": "info",
            "seq": 3,
            "time": "2026-09-21T14:13:20.000Z",
        }
    ]


def test_every_line_of_a_swap_carries_it() -> None:
    out = configured()
    with structlog.contextvars.bound_contextvars(swap="ab" * 32):
        structlog.get_logger("runner").info("one")
        logging.getLogger("httpx").warning("two")
    structlog.get_logger("other").info("three")
    assert [line.get("swap") for line in lines(out)] == ["ab" * 32, "ab" * 32, None]


@pytest.mark.parametrize(
    "name",
    ["preimage", "seed", "words", "mnemonic", "passphrase", "rpc_password", "htlc_secret",
     "private_key", "entropy", "Cookie", "our_PREIMAGE"],
)  # fmt: skip
@pytest.mark.parametrize("style", ["json", "text", "journald"])
def test_what_is_named_like_a_secret_is_hidden(name: str, style: log.Format) -> None:
    out = configured(style)
    structlog.get_logger().info("event", **{name: "hush-hush", "inner": {"a": [{name: b"hush"}]}})
    assert "hush" not in out.getvalue()
    assert b"hush".hex() not in out.getvalue()
    assert out.getvalue().count(log.HIDDEN) == 2


@pytest.mark.parametrize("style", ["json", "text", "journald"])
def test_values_that_may_hold_a_secret_are_not_opened(style: log.Format) -> None:
    out = configured(style)
    held = State(preimage=b"hush-hush-hush")
    structlog.get_logger().info("event", state=held, many=(held,), wrapped=Secret(b"hush-hush"))
    assert "hush" not in out.getvalue()
    assert b"hush".hex() not in out.getvalue()
    assert "State" in out.getvalue()


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_traceback_shows_no_variables(style: log.Format) -> None:
    out = configured(style)

    def fail(passphrase: str) -> None:
        raise ValueError("no reason")

    try:
        fail("-".join(["hush"] * 2))
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "no reason" in out.getvalue()
    assert "in fail" in out.getvalue()
    assert "hush-hush" not in out.getvalue()


def test_bytes_are_short_and_hex() -> None:
    out = configured()
    structlog.get_logger().info("event", a=b"\x01\x02", b=bytes(300), c=bytearray(b"\xff"))
    line = lines(out)[0]
    assert (line["a"], line["b"], line["c"]) == ("0102", "0000000000000000..(300)", "ff")


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_peer_cannot_write_escapes_or_lines_of_its_own(style: log.Format) -> None:
    out = configured(style)
    structlog.get_logger().info("event", reason="\x1b[2Jgone\r\nlevel=error fake\u202e\x00")
    assert len(out.getvalue().splitlines()) == 1
    assert not set(out.getvalue()) & {"\x1b", "\r", "\u202e", "\x00"}


def test_long_and_deep_values_are_cut() -> None:
    out = configured()
    deep: list[Any] = []
    deep.append(deep)
    structlog.get_logger().info("event", text="x" * 100_000, deep=deep)
    assert len(out.getvalue()) < 20_000


def test_the_level_is_kept_to_and_can_be_changed() -> None:
    logger = structlog.get_logger("long lived")
    out = configured(level="warning")
    logger.info("not seen")
    logger.warning("seen")
    configured(level="debug", out=out)
    logger.debug("seen too")
    assert [line["event"] for line in lines(out)] == ["seen", "seen too"]


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    terminal, pipe = configured("auto", out=Terminal()), StringIO()
    structlog.get_logger().info("event")
    configured("auto", out=pipe)
    structlog.get_logger().info("event")
    assert not terminal.getvalue().startswith("{")
    assert pipe.getvalue().startswith("{")


def test_colours_are_for_terminals_that_want_them() -> None:
    shown = Terminal()
    for environ in ({}, {"NO_COLOR": "1"}):
        log.configure(level="info", style="text", clock=FakeClock(), stream=shown, environ=environ)
        structlog.get_logger().info("event")
    coloured, plain = shown.getvalue().splitlines()
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain


@pytest.mark.parametrize(
    # sd-daemon(3): the priorities of syslog
    ("level", "prefix"),
    [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>"), ("critical", "<2>")],
)
def test_journald_is_told_the_priority(level: str, prefix: str) -> None:
    out = configured("journald", level="debug")
    getattr(structlog.get_logger(), level)("event")
    assert out.getvalue().startswith(prefix + '{"')


def test_libraries_are_heard_from_warning_on() -> None:
    out = configured(level="debug")
    logging.getLogger("httpx").info("HTTP Request: POST http://user:hush@host")
    logging.getLogger("httpx").warning("odd %s", "thing")
    assert lines(out) == [
        {
            "event": "library",
            "level": "warning",
            "logger": "httpx",
            "message": "odd thing",
            "time": "2026-09-21T14:13:20.000Z",
        }
    ]


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    configured(out=Broken())
    structlog.get_logger().info("event")
    closed = configured()
    closed.close()
    structlog.get_logger().error("event")
