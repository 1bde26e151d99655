"""Lines out of bytes and calls out of lines, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from swapd.api.errors import ErrorName
from swapd.control import jsonrpc
from swapd.control.jsonrpc import Batch, Invalid, Lines, LineTooLongError, Request, parse


def test_a_request_is_read_with_its_parameters_untouched() -> None:
    line = b'{"jsonrpc":"2.0","id":7,"method":"take","params":{"a": 1}}'
    assert parse(line) == Request("take", 7, b'{"a": 1}')


def test_a_request_without_parameters_has_none() -> None:
    assert parse(b'{"jsonrpc":"2.0","id":"x","method":"getinfo"}') == Request("getinfo", "x", b"{}")


def test_a_request_without_an_id_is_a_notification() -> None:
    found = parse(b'{"jsonrpc":"2.0","method":"getinfo"}')
    assert isinstance(found, Request)
    assert found.id is UNSET


@pytest.mark.parametrize(
    ("line", "name", "request_id"),
    [
        (b"not json", ErrorName.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"getinfo"', ErrorName.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"getinfo"} x', ErrorName.PARSE_ERROR, None),
        (b"\xff\xfe", ErrorName.PARSE_ERROR, None),
        (b"[" * 100_000, ErrorName.PARSE_ERROR, None),
        (b'{"a":' * 100_000, ErrorName.PARSE_ERROR, None),
        (b"[1,", ErrorName.PARSE_ERROR, None),
        (b"[]", ErrorName.INVALID_REQUEST, None),
        (b"1", ErrorName.INVALID_REQUEST, None),
        (b'"getinfo"', ErrorName.INVALID_REQUEST, None),
        (b"null", ErrorName.INVALID_REQUEST, None),
        (b"{}", ErrorName.INVALID_REQUEST, None),
        (b'{"id":4,"method":"getinfo"}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"1.0","id":4,"method":"getinfo"}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":2.0,"id":4,"method":"getinfo"}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"2.0","id":4}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":9}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"a","extra":1}', ErrorName.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"a"}', ErrorName.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', ErrorName.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":{},"method":"a"}', ErrorName.INVALID_REQUEST, None),
    ],
)
def test_what_is_not_a_request_is_refused_under_its_id(
    line: bytes, name: ErrorName, request_id: jsonrpc.Id
) -> None:
    found = parse(line)
    assert isinstance(found, Invalid)
    assert found.error.name == name
    assert found.id == request_id


def test_an_endless_id_is_refused_and_not_repeated() -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": "x" * 201, "method": "a"}).encode()
    found = parse(line)
    assert isinstance(found, Invalid)
    assert found.id is None


def test_a_batch_keeps_good_and_bad_apart() -> None:
    found = parse(b'[{"jsonrpc":"2.0","id":1,"method":"a"}, 5]')
    assert isinstance(found, Batch)
    assert isinstance(found.items[0], Request)
    assert isinstance(found.items[1], Invalid)


def test_a_batch_has_at_most_fifty_calls() -> None:
    one = b'{"jsonrpc":"2.0","id":1,"method":"a"}'
    fits = parse(b"[" + b",".join([one] * 50) + b"]")
    over = parse(b"[" + b",".join([one] * 51) + b"]")
    assert isinstance(fits, Batch)
    assert isinstance(over, Invalid)
    assert over.error.name == ErrorName.INVALID_REQUEST


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_raise(line: bytes) -> None:
    assert isinstance(parse(line), Request | Invalid | Batch)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=7), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "x"]), _json))
def test_no_object_makes_the_parser_raise(value: dict[str, object]) -> None:
    assert isinstance(parse(json.dumps(value).encode()), Request | Invalid)


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: b.strip() and b"\n" not in b)),
    st.integers(1, 7),
)
def test_lines_come_out_however_the_bytes_arrive(texts: list[bytes], size: int) -> None:
    stream = b"".join(text + b"\n" for text in texts)
    lines = Lines(limit=20)
    found = []
    for start in range(0, len(stream), size):
        lines.feed(stream[start : start + size])
        while (line := lines.next()) is not None:
            found.append(line)
    assert found == [text.strip() for text in texts]


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_over_the_limit_is_refused_complete_or_not(ending: bytes) -> None:
    lines = Lines(limit=10)
    lines.feed(b"x" * 11 + ending)
    with pytest.raises(LineTooLongError):
        lines.next()


def test_a_line_of_exactly_the_limit_is_taken() -> None:
    lines = Lines(limit=10)
    lines.feed(b"x" * 10 + b"\n")
    assert lines.next() == b"x" * 10


def test_a_number_of_a_journal_is_a_number_in_a_reply() -> None:
    class Kept(int):
        """As `protocol.amounts.Wide`."""

    for number in (7, 2**70):
        reply = jsonrpc.result_reply(1, {"fee": Kept(number)})
        assert json.loads(reply)["result"] == {"fee": number}
    with pytest.raises(NotImplementedError, match="object has no form in JSON"):
        jsonrpc.result_reply(1, {"fee": object()})
