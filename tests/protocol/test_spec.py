"""SPEC.md against the code: every name is stated, every number in a table is the one in force."""

import enum
import importlib
import pkgutil
import re
import types
import typing
from pathlib import Path
from typing import Any, Final

import pytest

import protocol
from protocol import gossip, identity, lease, limits, offers, proof, reconcile, terms
from protocol.amounts import Amount, Price, Wide
from protocol.bitcoin.htlc import LockRefusal
from protocol.bitcoin.params import ALL_CHAINS, BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.errors import Refusal
from protocol.negotiation import messages
from protocol.signing import Tag
from protocol.swap.states import End
from protocol.swap.timelocks import TIMINGS, schedule
from protocol.terms import Exposure, Kind, Timing
from protocol.tower import messages as tower
from protocol.tower import package
from swapd.network.limits import MAX_MESSAGE
from swapd.policy import PROFILES

FOLDER: Final = Path(protocol.__file__).parent
SPEC: Final = (FOLDER / "SPEC.md").read_text("utf-8")

STRUCTS: Final[tuple[type, ...]] = (
    offers.Signed,
    offers.Offer,
    offers.Cancel,
    offers.Floor,
    lease.Heartbeat,
    lease.PairState,
    lease.Equivocation,
    identity.Certificate,
    identity.Retire,
    gossip.Item,
    reconcile.BookRequest,
    reconcile.Head,
    reconcile.BookAnswer,
    messages.Take,
    messages.Reserve,
    terms.Terms,
    terms.LegTerms,
    terms.PinnedBlock,
    terms.Pace,
    terms.Exposure,
    Amount,
    Price,
    proof.FundsProof,
    package.Package,
    package.Watched,
    package.Way,
    package.Variant,
    tower.Holding,
    tower.Tip,
)

Row = list[str]


def cells(line: str) -> Row:
    """The cells of a line; one that is nothing but code loses its backticks."""
    bare = (cell.strip() for cell in line.strip().strip("|").split("|"))
    return [re.sub(r"^`([^`]*)`$", r"\1", cell) for cell in bare]


def tables() -> dict[tuple[str, ...], list[list[Row]]]:
    """The rows of each table, by its head."""
    found: dict[tuple[str, ...], list[list[Row]]] = {}
    block: list[Row] = []
    for line in [*SPEC.splitlines(), ""]:
        if line.startswith("|"):
            block.append(cells(line))
        elif block:
            found.setdefault(tuple(block[0]), []).append(block[2:])
            block = []
    return found


TABLES: Final = tables()


def table(*head: str) -> list[Row]:
    """The one table with these first cells in its head."""
    (rows,) = [rows for key, many in TABLES.items() if key[: len(head)] == head for rows in many]
    return rows


def number(text: str) -> int:
    """A number as the tables write it: 4,096 or 2^32 - 1."""
    match = re.fullmatch(r"([\d,]+)(?:\^(\d+))?(?: - (\d+))?", text)
    assert match, f"no number: {text!r}"
    base, power, less = match.groups()
    value: int = int(base.replace(",", "")) ** int(power or 1)
    return value - int(less or 0)


def constant(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"protocol.{module}"), attribute)


def bounds_of_the_protocol() -> set[str]:
    """Every number with a name in capitals that a module of the protocol defines itself."""
    found = set()
    for info in pkgutil.walk_packages(protocol.__path__, "protocol."):
        module = importlib.import_module(info.name)
        assert module.__file__ is not None
        source = Path(module.__file__).read_text("utf-8")
        for name in re.findall(r"^([A-Z][A-Z0-9_]+)\b[^=\n]*=", source, re.MULTILINE):
            if isinstance(getattr(module, name), int):
                found.add(f"{info.name.removeprefix('protocol.')}.{name}")
    return found


NO_LIMITS: Final = {
    "bitcoin.params.COIN",  # a unit
    "bitcoin.tx.SIGHASH_DEFAULT",  # names of BIP341 and BIP125
    "bitcoin.tx.SIGHASH_ALL",
    "bitcoin.tx.SEQUENCE_RBF",
    "evm.transactions.ORDER",  # of secp256k1
    "amounts.MOST_PLAIN",  # what msgpack can hold
    "book.SWEEP",  # how often a node tidies up, and what its own clients may resume from
    "book.KEPT_CHANGES",
}


def wire_type(kind: Any) -> str:
    """How the tables call the type of a field."""
    if isinstance(kind, typing.NewType):
        return wire_type(kind.__supertype__)
    if typing.get_origin(kind) is tuple:
        return f"array of {wire_type(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) is types.UnionType:
        return f"{wire_type(typing.get_args(kind)[0])} or nil"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "text"
    names = {int: "number", Wide: "wide", bytes: "bytes", str: "text"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_a_struct_is_laid_out_as_its_table_says(struct: type) -> None:
    head = f"#### {struct.__name__}\n"
    assert SPEC.count(head) == 1
    section = SPEC.partition(head)[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [cells(line) for line in lines if line.split()[1].isdigit()]
    hints = typing.get_type_hints(struct)
    said = [(int(row[0]), row[1], row[2]) for row in rows]
    assert said == [
        (index, name, wire_type(hints[name]))
        for index, name in enumerate(getattr(struct, "__struct_fields__"))  # noqa: B009 - of a type that mypy can't know to be a Struct
    ]


def test_every_struct_that_travels_as_an_array_has_a_table() -> None:
    tagged = {"SignedTake", "SignedReserve", "Propose", "Accept", "Refuse"}
    tagged |= {"Put", "Kept", "Ask", "Held", "Drop", "Gone"}
    found = set()
    for info in pkgutil.walk_packages(protocol.__path__, "protocol."):
        for name, value in vars(importlib.import_module(info.name)).items():
            config = getattr(value, "__struct_config__", None)
            if isinstance(value, type) and config is not None and config.array_like:
                found.add(name)
    assert found == tagged | {struct.__name__ for struct in STRUCTS}


TAKE_MESSAGES: Final = typing.get_args(messages.Message)
TOWER_MESSAGES: Final = (
    tower.Put,
    tower.Kept,
    tower.Ask,
    tower.Held,
    tower.Drop,
    tower.Gone,
    tower.Refuse,
)


@pytest.mark.parametrize(
    ("head", "members"), [("Tag", TAKE_MESSAGES), ("Tower tag", TOWER_MESSAGES)]
)
def test_the_messages_of_a_protocol_have_the_elements_that_their_table_says(
    head: str, members: tuple[Any, ...]
) -> None:
    said = {row[0]: re.findall(r"`(\w+)`(?: \(|,|$)", row[2]) for row in table(head, "From")}
    assert list(said) == [member.__struct_config__.tag for member in members]
    for member in members:
        fields = [name for name in said[member.__struct_config__.tag] if name != "swapd"]
        assert tuple(fields) == member.__struct_fields__


def test_every_refusal_is_in_the_table_in_order() -> None:
    assert [row[0] for row in table("Name", "Means")] == [refusal.value for refusal in Refusal]


def test_every_refusal_is_used_where_something_is_checked() -> None:
    before = SPEC.partition("## 21 Refusals")[0]
    unused = {r.value for r in Refusal if f"`{r.value}`" not in before} - {"internal"}
    assert not unused


def test_every_tag_is_in_the_table_in_order() -> None:
    assert [row[0] for row in table("Tag", "What is hashed")] == [tag.value for tag in Tag]


def test_every_name_on_the_wire_is_stated() -> None:
    names: list[str] = [messages.PROTOCOL_ID, reconcile.BOOK_PROTOCOL, gossip.TOPIC_PREFIX]
    for closed in (gossip.ItemKind, Kind, Timing, LockRefusal, End):
        names += [str(member.value) for member in closed]
    missing = [name for name in names if f"`{name}`" not in SPEC and f"`{name}/" not in SPEC]
    assert not missing


def test_every_limit_has_a_row_and_the_number_in_force() -> None:
    said = {row[0]: number(row[1]) for row in table("Constant", "Value")}
    assert said == {name: constant(name) for name in said}
    assert set(said) == bounds_of_the_protocol() - NO_LIMITS


def test_a_channel_and_the_protocol_agree_on_the_size_of_a_message() -> None:
    assert MAX_MESSAGE == gossip.MAX_GOSSIP_SIZE == reconcile.MAX_MESSAGE
    assert f"A length over {MAX_MESSAGE:,} ends the channel" in SPEC


def test_the_table_of_timings_is_the_one_in_force() -> None:
    said = {row[0]: [number(cell) for cell in row[1:]] for row in table("Timing", "S skew")}
    assert said == {
        timing.value: [limits.SKEW[timing], limits.NEGOTIATION[timing], limits.ROUNDING[timing]]
        for timing in Timing
    }


def test_the_table_of_chain_timings_is_the_one_in_force() -> None:
    said = {
        (row[0], row[1]): [*(number(cell) for cell in row[2:8]), row[8]]
        for row in table("Chain", "Timing")
    }
    assert said == {
        (name, timing.value): [
            chain.usual,
            chain.stressed,
            chain.blocks_to_mine,
            chain.depth_min,
            chain.early_stamp,
            chain.claim_blocks_min,
            "Erlang" if chain.is_random else "m each",
        ]
        for (name, timing), chain in TIMINGS.items()
    }


def test_the_table_of_chains_is_the_one_in_force() -> None:
    said = [
        (row[0], row[1], row[2], number(row[3]), row[4], *map(number, row[5:]))
        for row in table("Chain", "Network")
    ]
    assert said == [
        (
            chain.name,
            chain.network,
            chain.genesis,
            chain.slip44,
            chain.hrp,
            chain.p2pkh_version,
            chain.p2sh_version,
            chain.halving_interval,
            chain.dust_rate,
        )
        for chain in ALL_CHAINS
    ]
    assert all(chain.subsidy == 5_000_000_000 for chain in ALL_CHAINS)


def test_the_worked_example_of_a_schedule_is_right() -> None:
    exposure = Exposure(30, 6)
    doors = schedule(
        t0=1_800_000_000,
        timing=Timing.REGTEST,
        chain_i=BITCOIN_REGTEST.chain_id,
        chain_p=LITECOIN_REGTEST.chain_id,
        depth_i=2,
        depth_p=3,
        exposure_i=exposure,
        exposure_p=exposure,
    )
    said = {row[0]: number(row[1]) for row in table("Door", "Seconds")}
    assert said == {name: getattr(doors, name) - doors.t0 for name in said}


def test_the_usual_choices_of_operators_are_those_of_the_profiles() -> None:
    for name, (timing, exposure) in PROFILES.items():
        aside = f" (timing `{timing.value}`)" if name == "fast" else ""
        assert f"`{name}`{aside} {exposure.offline:,} s and {exposure.risk}" in SPEC.replace(
            "\n", " "
        )


def test_the_script_in_the_table_is_118_bytes_of_the_one_form() -> None:
    sizes = {"C": 33, "R": 33, "T": 4, "H": 32}
    at = 0
    for row in table("Offset", "Bytes"):
        assert int(row[0]) == at
        for part in row[1].replace("`", "").split():
            at += sizes.get(part, 1)
    assert at == 118


def test_every_vector_file_is_listed_and_every_listed_one_is_there() -> None:
    listed = {row[0] for row in table("File", "Covers")}
    assert {path.name for path in (FOLDER / "vectors").iterdir()} == listed
    mentioned = set(re.findall(r"`(\w+\.json)`", SPEC))
    assert mentioned == listed


def test_every_link_of_the_contents_leads_to_a_section() -> None:
    heads = re.findall(r"^## (.+)$", SPEC, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}
    links = set(re.findall(r"\]\(#([^)]+)\)", SPEC))
    assert links == anchors


def test_the_parser_of_this_test_reads_numbers_as_written() -> None:
    assert [number("4,096"), number("2^32 - 1"), number("10^9")] == [4096, 2**32 - 1, 10**9]
