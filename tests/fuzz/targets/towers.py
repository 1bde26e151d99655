"""Targets: what travels between a client and its watchtower.

Owns: samples and calls for packages and messages of the tower protocol.
Must not know: how inputs are made. A package that is taken must hold what its check promises.
"""

from contextlib import ExitStack

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.terms import Kind
from protocol.tower import messages
from protocol.tower.messages import (
    Ask,
    Drop,
    Gone,
    Held,
    Holding,
    Kept,
    Put,
    Refuse,
    Stage,
    Tip,
)
from protocol.tower.package import Act, digest, proof_of_keeping, read
from protocol.tower.progress import Progress
from swapd.tower.vault import Stored, Vault
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeStore
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target
from tests.fuzz.targets.wire import Reader, reader
from tests.protocol.tower import account_samples, samples

_TICKET, _NONCE = b"\x07" * 32, b"\x08" * 32


def _package(data: bytes) -> object:
    found = read(data)
    leg = found.watched.leg
    account = leg.claim_key if found.act is Act.CLAIM else leg.refund_key[:20]
    assert leg.kind is not Kind.EVM or found.destination == account, "another account is paid"
    assert bool(found.ways) == (leg.kind is not Kind.EVM)
    for variants in (*(way.variants for way in found.ways), found.fees):
        if not variants:
            continue
        assert max(variant.fee for variant in variants) <= found.max_fee
        assert found.max_fee > 0
        times = [variant.not_before for variant in variants]
        assert found.act is Act.CLAIM or min(times) >= leg.expiry, "a refund before its expiry"
    return found


def _questions() -> list[bytes]:
    packages = [encode(package) for package in (*samples.ALL, account_samples.package())]
    puts = [encode(Put(_TICKET, package)) for package in packages]
    return [*puts, encode(Ask(_NONCE, (_TICKET, _NONCE))), encode(Drop(_TICKET))]


def _answers() -> list[bytes]:
    package = samples.CLAIM_I
    proof = proof_of_keeping(_NONCE, encode(package))
    holding = Holding(_TICKET, package.sequence, proof, Stage.ACTING, seen=True, txid="ab" * 32)
    tip = Tip(package.watched.leg.chain, 1_000, samples.TERMS.t0, "")
    return [
        encode(Kept(_TICKET, digest(package))),
        encode(Held((holding, holding), (tip,))),
        encode(Gone(_TICKET)),
        encode(Refuse(Refusal.LIMIT_REACHED, "full")),
    ]


def _vault(_: ExitStack) -> Opened:
    """A row of the tower's store: opened by its own key, or left alone."""
    key = b"\x09" * 32
    vault = Vault(FakeStore(), key, FakeEntropy("vault"))
    row = Stored("peer", _TICKET, encode(samples.CLAIM_I), 5, 6, Progress())
    name = vault._name(_TICKET)

    def call(data: bytes) -> object:
        found = vault._open(name, data)
        return REFUSED if found is None else found

    return Opened([vault._seal(name, row)], call)


def _target(name: str, read_: Reader, samples_: list[bytes], share: float) -> Target:
    return Target(name, Form.MSGPACK, reader(read_, samples_), (RemoteProtocolError,), share)


TARGETS = (
    _target(
        "tower.package",
        _package,
        [encode(each) for each in (*samples.ALL, account_samples.package())],
        3,
    ),
    _target("tower.question", messages.read_question, _questions(), 3),
    _target("tower.answer", messages.read_answer, _answers(), 2),
    Target("tower.vault", Form.BYTES, _vault, (), 0.2),
)
