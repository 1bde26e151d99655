"""What is printed, and how: for people on a terminal, for people's files, for programs.

Owns: tables, pairs, durations, colours. Must not know: what commands do.

Colours and frames only on a terminal and never with NO_COLOR; what goes into a file or a pipe is
plain columns, complete and never wrapped.
"""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

_SHORT = 16
"""Characters of an id in a table: enough to name it, short enough for a terminal."""


_LEAST_ROOM = 20
"""Columns below which wrapping helps nobody."""


class ReaderLeftError(Exception):
    """Whoever read our output has closed it: `swap-cli ... | head`."""


class Output:
    """One command's output. `as_json` is for programs: one JSON value a line, nothing else."""

    def __init__(
        self, *, as_json: bool, environ: Mapping[str, str], stream: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._stream = stream or sys.stdout
        self._environ = environ

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def console(self) -> "Console":
        """rich's console on our stream; only made where something is drawn."""
        from rich.console import Console  # noqa: PLC0415 - slow to import, needed on terminals only

        return Console(
            file=self._stream,
            highlight=False,
            markup=False,
            emoji=False,
            no_color=bool(self._environ.get("NO_COLOR")),
        )

    def json(self, value: Any) -> None:
        """One value on one line."""
        self.line(msgspec.json.encode(value).decode())

    def line(self, text: str = "") -> None:
        """One line of text. Raises ReaderLeftError."""
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise ReaderLeftError from None

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under headings; numbers are right-aligned under headings that end in ">"."""
        if self.is_terminal:
            self._drawn(columns, rows)
            return
        heads = [c.rstrip(">") for c in columns]
        widths = [max(len(r[i]) for r in [heads, *rows]) for i in range(len(columns))]
        for row in [heads, *rows]:
            cells = [
                text.rjust(width) if column.endswith(">") else text.ljust(width)
                for text, width, column in zip(row, widths, columns, strict=True)
            ]
            self.line("  ".join(cells).rstrip())

    def _drawn(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich import box  # noqa: PLC0415 - slow to import, needed on terminals only
        from rich.table import Table  # noqa: PLC0415 - the same

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            right = column.endswith(">")
            table.add_column(column.rstrip(">"), justify="right" if right else "left")
        for row in rows:
            table.add_row(*row)
        self.console().print(table)

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line; empty values are left out."""
        kept = [(name, value) for name, value in rows if value]
        width = max((len(name) for name, _ in kept), default=0)
        for name, value in kept:
            for number, part in enumerate(self._fitted(value, width + 2)):
                self.line(f"{'' if number else name:<{width}}  {part}")

    def _fitted(self, value: str, used: int) -> list[str]:
        """A value in the lines that a terminal has room for; ids and scripts stay whole."""
        room = shutil.get_terminal_size().columns - used
        if not self.is_terminal or room < _LEAST_ROOM:
            return [value]
        return textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False)


def short(identifier: str) -> str:
    """The beginning of an id; commands take it in place of the whole."""
    return identifier[:_SHORT]


def clock(at: int) -> str:
    """A moment, in the time zone of the reader."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: int) -> str:
    """A span in its two largest units: 3 h 25 min."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return sign + " ".join(parts[:2])


def until(at: int, now: int) -> str:
    """How far away a moment is."""
    return f"in {duration(at - now)}" if at >= now else f"{duration(now - at)} ago"
