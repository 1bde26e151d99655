"""Every alarm that the code can raise is in the operator's table, and nothing else is."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import swapd

ROOT = Path(swapd.__file__).parent.parent
TABLE_ROW = re.compile(
    r"^\| `([a-z_]+)` \| ((?:info|warning|critical)(?:, (?:warning|critical))*) \|"
)


def raised() -> Iterator[str]:
    """The code in every `Alarm(...)` of ours: a text, or a name that stands for one."""
    for path in (ROOT / "swapd").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_alarm(node.func):
                yield from _texts(node.args[0] if node.args else _keyword(node), names, path)


def _is_alarm(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "Alarm"


def _keyword(call: ast.Call) -> ast.expr:
    return next(keyword.value for keyword in call.keywords if keyword.arg == "code")


def _texts(code: ast.expr, names: Mapping[str, object], path: Path) -> Iterator[str]:
    if isinstance(code, ast.Constant):
        yield str(code.value)
    elif isinstance(code, ast.Name) and code.id in names:
        yield str(names[code.id])
    elif path.name == "host.py":
        yield from ("disk_full", "store_failed")  # one of two, by the error
    else:
        assert path.name == "damping.py", f"{path}: a code that no test can read"


def test_the_table_of_alarms_is_complete_and_true() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    text = page.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    documented = {found[1] for line in text.splitlines() if (found := TABLE_ROW.match(line))}
    assert set(raised()) == documented
