"""The table of methods against everything that is made from it."""

import inspect
import json
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

import swapd
from swapd.api.errors import ERRORS, ErrorName
from swapd.api.operations import Operations
from swapd.api.table import METHODS, Method
from swapd.control import docs
from swapd.control.openrpc import components, document, help_of
from tests.control.conftest import Wire
from tests.fakes.operations import SAMPLE_PARAMS

ROOT = Path(swapd.__file__).parent.parent
CODES = Path(__file__).with_name("error_codes.json")

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.name)


def names(kind: type[Struct]) -> set[str]:
    return {f.name for f in msgspec.structs.fields(kind)}


def test_operations_has_exactly_the_methods_that_are_not_local() -> None:
    found = {
        name for name, member in vars(Operations).items() if inspect.iscoroutinefunction(member)
    }
    assert found == {m.attribute for m in METHODS.values() if not m.local}


@every_method
def test_signatures_take_and_give_what_the_table_says(method: Method) -> None:
    if method.local:
        return
    hints = inspect.get_annotations(getattr(Operations, method.attribute))
    assert hints == {"params": method.params, "return": method.result}


@every_method
def test_a_mutating_method_takes_an_idempotency_key_and_others_do_not(method: Method) -> None:
    # Those are repeatable by nature; see StopParams.
    wanted = method.mutating and method.name not in {"stop", "drain", "unlock"}
    assert ("idempotency_key" in names(method.params)) == wanted


@every_method
def test_a_paged_method_takes_and_gives_a_cursor(method: Method) -> None:
    assert ({"cursor", "limit"} <= names(method.params)) == method.paged
    assert ("next_cursor" in names(method.result)) == method.paged


@every_method
def test_a_method_is_described(method: Method) -> None:
    assert method.summary.endswith(".")
    assert method.description.endswith(".")
    assert method.cli.startswith("swap-cli ")


@every_method
async def test_a_call_answers_in_the_shape_the_table_gives(method: Method, wire: Wire) -> None:
    if method.name == "unsubscribe":
        await wire.result("subscribe", {"topic": "book"})
    result = await wire.result(method.name, SAMPLE_PARAMS[method.name])
    typed = msgspec.json.decode(json.dumps(result), type=method.result)
    assert json.loads(msgspec.json.encode(typed)) == result
    required = components()[method.result.__name__].get("required", [])
    assert set(required) <= set(result)


@every_method
async def test_an_unknown_parameter_is_refused_by_every_method(method: Method, wire: Wire) -> None:
    error = await wire.error(method.name, {**SAMPLE_PARAMS[method.name], "surprise": 1})
    assert error["code"] == -32602
    assert "surprise" in error["message"]


def test_names_codes_and_retryability_of_errors_are_what_they_always_were() -> None:
    """Adding a row needs a line in the file; changing one is a break of the interface."""
    now = {
        str(name): [info.code, info.retryable]
        for name, info in sorted(ERRORS.items(), key=lambda row: row[1].code)
    }
    assert now == json.loads(CODES.read_text())


def test_every_error_says_what_to_do() -> None:
    assert all(info.remedy for info in ERRORS.values())


def test_codes_lie_in_their_blocks() -> None:
    assert {info.code // 1000 for info in ERRORS.values() if info.code > 0} == set(range(1, 8))
    assert sum(info.code < 0 for info in ERRORS.values()) == 5


def test_the_reference_in_the_repository_is_current() -> None:
    text = (ROOT / "docs" / "rpc.md").read_text(encoding="utf-8")
    assert text == docs.render(), "run: python -m swapd.control.docs"


def test_the_reference_names_every_method_and_error() -> None:
    text = docs.render()
    assert all(f"### {name}\n" in text for name in METHODS)
    assert all(f"| `{name}` |" in text for name in ErrorName)


def test_every_reference_in_the_openrpc_document_leads_somewhere() -> None:
    found = json.loads(msgspec.json.encode(document()))

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(v) for v in value.values()))
        if isinstance(value, list):
            return set().union(*(references(v) for v in value))
        return set()

    for reference in references(found):
        place = found
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert [m["name"] for m in found["methods"]] == list(METHODS)
    assert found["openrpc"].startswith("1.")
    assert all(set(m["result"]) == {"name", "schema"} for m in found["methods"])


def test_help_says_types_and_needs() -> None:
    lines = help_of("wallet.split").methods[0].parameters
    assert lines[0].startswith("amount (AmountParam, required)")
    assert "count (integer, required): how many coins" in lines
