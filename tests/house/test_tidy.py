"""House rules that a reader would otherwise have to enforce by hand."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
MAY_PRINT = ("swapd/cli/", "tests/demo", "tests/bench")
# Probabilities and durations are real numbers; amounts and prices never are.
MAY_FLOAT = {"protocol/swap/erlang.py", "protocol/swap/timelocks.py"}
TEXT = {".py", ".pyi", ".md", ".toml", ".txt", ".sh", ".json", ".service", ".yaml"}
# put together here, so that this file does not trip over itself
LEFTOVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
HOSTS = re.compile(
    r"(deb\.debian|pypi|files\.pythonhosted|pythonhosted|registry\.npmjs)" r"\.org", re.IGNORECASE
)
NEVER = re.compile(
    r"(time\.sl" r"eep|pytest\.sk" r"ip|mark\.sk" r"ip|mark\.xf" r"ail|pytest\.xf" r"ail)"
)
EXCUSE = re.compile(r"#\s*(noqa\b(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[\w,\s-]*\])?)")


def sources() -> list[Path]:
    return sorted(
        path for name in ("swapd", "protocol", "tests") for path in (ROOT / name).rglob("*.py")
    )


def texts() -> list[Path]:
    """Every text file of the project, dot-folders of ours included, caches not."""
    tops = [ROOT / name for name in ("swapd", "protocol", "tests", "config", "docs")]
    tops += [ROOT / name for name in (".ci", ".dev", ".stubs")]
    inside = [path for top in tops for path in top.rglob("*") if "__pycache__" not in path.parts]
    here = [path for path in ROOT.iterdir() if path.suffix in TEXT or path.name == "dev"]
    return sorted(p for p in [*here, *inside] if p.is_file() and (p.suffix in TEXT or not p.suffix))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def offenders(rule: Callable[[Path], object], paths: Iterable[Path] = ()) -> dict[str, object]:
    """By file, what a rule finds wrong in each of `paths` (default: every source)."""
    return {name_of(path): found for path in paths or sources() if (found := rule(path))}


def test_a_module_says_what_it_owns() -> None:
    def has_no_docstring(path: Path) -> bool:
        return bool(path.read_text().strip()) and not ast.get_docstring(parsed(path))

    assert offenders(has_no_docstring) == {}


def test_files_and_functions_stay_short() -> None:
    def long(path: Path) -> dict[str, int]:
        lines = len(path.read_text().splitlines())
        return {"lines": lines} if lines > MAX_FILE_LINES else dict(_long_functions(path))

    assert offenders(long) == {}


def _long_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in functions(parsed(path)):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield node.name, length


def test_only_the_command_line_prints() -> None:
    def printing(path: Path) -> list[int]:
        if name_of(path).startswith(MAY_PRINT) or path.name == "__main__.py":
            return []
        return [
            node.lineno
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]

    assert offenders(printing) == {}


def test_every_excuse_to_a_checker_carries_its_code_and_reason() -> None:
    def bare(path: Path) -> list[str]:
        return [
            f"{number}: {line.strip()}"
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if (match := EXCUSE.search(line))
            and (
                not (match[2] or match[4])
                or len(EXCUSE.sub("", line[match.start() :]).strip(" #-:")) < 6
            )
        ]

    assert offenders(bare) == {}


def test_nothing_sleeps_by_the_wall_clock_is_skipped_or_expected_to_fail() -> None:
    assert offenders(lambda path: NEVER.findall(path.read_text())) == {}


def test_no_float_comes_near_an_amount_or_a_price() -> None:
    """Integers, // with the rounding said, or fractions.Fraction instead."""

    def floats(path: Path) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(parsed(path))
            if (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id == "float")
            or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
        ]

    pure = [path for path in sources() if name_of(path).startswith("protocol/")]
    assert offenders(floats, [path for path in pure if name_of(path) not in MAY_FLOAT]) == {}


def test_no_leftover_and_no_download_address_is_in_any_file() -> None:
    wrong = [
        f"{name_of(path)}: {match[0]}"
        for path in texts()
        for pattern in (LEFTOVERS, HOSTS)
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert wrong == []


def test_the_top_of_the_project_holds_only_what_was_agreed() -> None:
    agreed = {
        "pyproject.toml", "README.md", "swapd", "protocol", "tests", "config", "dev", "docs",
        "LICENSE", "CHANGELOG.md", "requirements.txt", "requirements-dev.txt",
        "requirements-build.txt",
    }  # fmt: skip
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names - agreed - {"build", "dist"} == set()
