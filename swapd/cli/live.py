"""Following one swap to its end.

Owns: the live view on a terminal and the plain lines elsewhere. Must not know: how a swap runs.

Times are told by the daemon's clock (`now` of each answer), not by ours: they may be apart, and on
a test network they are.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from swapd.api import calls
from swapd.api.values import SwapDetail, SwapLegView, SwapPhase
from swapd.cli import exits
from swapd.cli.app import App
from swapd.cli.draw import progress
from swapd.cli.output import clock, until

if TYPE_CHECKING:
    from rich.console import RenderableType

_LOOK_SECONDS = 1
_BAR = 20


def follow(app: App, swap_id: str, *, each_change: bool = True) -> int:
    """Shows a swap until it ends; the exit code. With --json: each change a line, or with
    `each_change` False only the end."""
    out = app.output
    last: SwapDetail | None = None
    if out.is_terminal and not out.as_json:
        last = _live(app, swap_id)
    else:
        told = None
        for detail in _changes(app, swap_id):
            last = detail
            if out.as_json:
                if each_change or detail.summary.phase.ended:
                    out.json(detail)
            elif (line := _line(detail)) != told:
                told = line
                out.line(f"{clock(detail.now)} {line}")
    done = last is not None and last.summary.phase is SwapPhase.COMPLETED
    return exits.OK if done else exits.SWAP_FAILED


def _changes(app: App, swap_id: str) -> Iterator[SwapDetail]:
    """The swap now and whenever something about it is different, to its end. Depths grow without
    an entry in the journal, so time passing without one is a reason to look, too."""
    detail = app.ask("swap.get", calls.SwapGetParams(swap_id=swap_id), calls.SwapGetResult).swap
    shown = None
    while True:
        if _essence(detail) != shown:
            shown = _essence(detail)
            yield detail
        if detail.summary.phase.ended:
            return
        params = calls.SwapWaitParams(
            swap_id=swap_id,
            after_sequence=detail.summary.sequence,
            timeout_seconds=_LOOK_SECONDS,
        )
        detail = app.ask("swap.wait", params, calls.SwapWaitResult).swap


def _essence(d: SwapDetail) -> object:
    """What a change is a change of."""
    legs = [(leg.status, min(leg.depth, leg.final_depth)) for leg in d.legs]
    return d.summary.sequence, d.summary.phase, legs, d.next_action


def _line(d: SwapDetail) -> str:
    legs = ", ".join(f"{_whose(leg)} {leg.status} {_depth(leg)}" for leg in d.legs)
    text = f"{d.summary.phase.replace('_', ' ')}: {d.summary.explanation} [{legs}]"
    return text + (f" reason: {d.summary.reason}" if d.summary.reason else "")


def _whose(leg: SwapLegView) -> str:
    return f"{'your' if leg.ours else 'their'} {leg.ticker}"


def _depth(leg: SwapLegView) -> str:
    return f"{min(leg.depth, leg.final_depth)}/{leg.final_depth}"


def _live(app: App, swap_id: str) -> SwapDetail:
    from rich.live import Live  # noqa: PLC0415 - slow to import, needed on terminals only

    detail = app.ask("swap.get", calls.SwapGetParams(swap_id=swap_id), calls.SwapGetResult).swap
    with Live(picture(detail), console=app.output.console(), auto_refresh=False) as live:
        while not detail.summary.phase.ended:
            params = calls.SwapWaitParams(
                swap_id=swap_id,
                after_sequence=detail.summary.sequence,
                timeout_seconds=_LOOK_SECONDS,
            )
            detail = app.ask("swap.wait", params, calls.SwapWaitResult).swap
            live.update(picture(detail), refresh=True)
    return detail


def picture(d: SwapDetail) -> "RenderableType":
    """Both legs, their depths, and the time to each deadline."""
    from rich.console import Group  # noqa: PLC0415 - slow to import, needed on terminals only
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    legs = Table.grid(padding=(0, 2))
    for leg in d.legs:
        legs.add_row(
            _whose(leg),
            leg.amount.decimal,
            leg.status.value,
            _bar(leg),
            progress(leg.depth, leg.final_depth),
        )
    times = Table.grid(padding=(0, 2))
    if not d.summary.phase.ended:
        for moment in (m for m in d.deadlines if m.at >= d.now):
            times.add_row(moment.name.replace("_", " "), until(moment.at, d.now), moment.meaning)
    head = Text(f"swap {d.summary.swap_id}", style="bold")
    phase = Text(d.summary.phase.replace("_", " ").upper(), style=_style(d.summary.phase))
    words = Text(d.summary.explanation)
    if d.summary.reason:
        words.append(f"\n{d.summary.reason}")
    if not d.summary.phase.ended and d.next_action:
        words.append(f"\nnext: {d.next_actor}: {d.next_action}")
    return Group(head, phase, words, legs, times)


def _bar(leg: SwapLegView) -> str:
    full = _BAR * min(leg.depth, leg.final_depth) // max(leg.final_depth, 1)
    return "█" * full + "░" * (_BAR - full)


def _style(phase: SwapPhase) -> str:
    if phase is SwapPhase.COMPLETED:
        return "bold green"
    return "bold red" if phase is SwapPhase.LOST else "bold yellow"
