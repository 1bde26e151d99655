"""Who may import whom: the contracts of pyproject.toml, and the stricter list for `protocol`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]

PURE = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "dataclasses", "decimal",
    "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "itertools", "math", "operator",
    "re", "string", "struct", "types", "typing", "unicodedata",
    "coincurve", "msgpack", "msgspec", "wallycore", "protocol",
}  # fmt: skip
PACKAGE_DATA = {ROOT / "protocol/evm/contract/artifact.py": {"importlib"}}
"""Who reads files that are part of the package, through what."""
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "__import__", "breakpoint"}


def modules() -> list[Path]:
    return sorted((ROOT / "protocol").rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_every_import_contract_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_protocol_imports_only_what_is_known_to_be_pure(path: Path) -> None:
    pure = PURE | PACKAGE_DATA.get(path, set())
    assert set(imported(ast.parse(path.read_text()))) - pure == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_protocol_calls_nothing_that_reads_or_writes_the_world(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & IMPURE_CALLS == set()
