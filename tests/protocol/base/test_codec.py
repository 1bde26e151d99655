"""The canonical encoding: every vector, and what the encoder itself may not be asked."""

import pytest

from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal
from tests.protocol.base.vectors import KINDS, Json, case_id, expanded, load, plain, spelled

VECTORS = load("codec")
ROOM = 1 << 20


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=case_id)
def test_the_one_spelling_of_a_value_is_read_and_written(case: Json) -> None:
    data = spelled(case["bytes"])
    value = decode(KINDS[case["type"]], data, max_size=len(data))
    assert plain(value) == expanded(case["value"], is_text=case["type"] == "text")
    assert encode(value) == data


@pytest.mark.parametrize("case", VECTORS["refused"], ids=case_id)
def test_every_other_spelling_is_refused_by_name(case: Json) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(KINDS[case["type"]], spelled(case["bytes"]), max_size=case.get("max_size", ROOM))
    assert caught.value.refusal is Refusal(case["refusal"])
    assert caught.value.detail


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=case_id)
def test_one_byte_over_the_limit_of_its_context_is_too_large(case: Json) -> None:
    data = spelled(case["bytes"])
    with pytest.raises(DecodeError) as caught:
        decode(KINDS[case["type"]], data, max_size=len(data) - 1)
    assert caught.value.refusal is Refusal.TOO_LARGE


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=case_id)
def test_every_prefix_and_every_extension_of_a_value_is_refused(case: Json) -> None:
    data = spelled(case["bytes"])
    cuts = range(len(data)) if len(data) < 200 else (0, 1, 2, 3, 100, len(data) - 1)
    for wrong in [*(data[:cut] for cut in cuts), data + b"\x00", data + data]:
        with pytest.raises(DecodeError):
            decode(KINDS[case["type"]], wrong, max_size=ROOM)


def test_the_files_first_refused_case_names_what_is_missing() -> None:
    assert VECTORS["refused"][0]["bytes"] == ""


def test_an_enormous_announced_length_takes_no_memory() -> None:
    for announced in ("ddffffffff", "dfffffffff", "c6ffffffff", "dbffffffff", "c9ffffffff00"):
        with pytest.raises(DecodeError):
            decode(tuple[int, ...], bytes.fromhex(announced), max_size=ROOM)


def test_the_encoder_refuses_what_has_no_wire_form() -> None:
    for value in (object(), [1, {2, object()}], {1: object()}):
        with pytest.raises((TypeError, NotImplementedError)):
            encode(value)
