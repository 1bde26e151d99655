"""Whom to believe: endpoints that limit, err, lag, lie or disagree are unknown, never fact."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from swapd.chains.answers import BadAnswer
from swapd.chains.evm.rpc import Call, Endpoint, RpcError
from swapd.chains.evm.sources import Refusal, Sources, StateUnknown, judged
from swapd.ports import Broadcast, ChainError, NodeMisconfigured, NodeUnreachable

Answer = Callable[[str, list[Any]], Any]
SECRET = "0123456789abcdef"


def block(number: int, *, fork: int = 0, time: int = 1000) -> dict[str, str]:
    """A header as nodes print it."""
    name = f"0x{number:032x}{fork:032x}"
    zero = "0x0"
    return {
        "number": hex(number),
        "hash": name,
        "parentHash": f"0x{number - 1:032x}{fork:032x}",
        "timestamp": hex(time + 12 * number),
        "baseFeePerGas": hex(10**9),
        "gasUsed": zero,
        "gasLimit": hex(30_000_000),
    }


class Node:
    """An endpoint whose answers a test decides."""

    def __init__(self, *, height: int = 100, fork: int = 0, chain_id: int = 1) -> None:
        self.height, self.fork, self.chain_id = height, fork, chain_id
        self.storage = "0x" + "00" * 31 + "07"
        self.status = 200
        self.raw: bytes | None = None
        self.asked: list[str] = []
        self.sent = "0x" + "ab" * 32
        self.refusal: tuple[int, str] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.status != 200 or self.raw is not None:
            return _streamed(self.status, self.raw or b"")
        asked = json.loads(request.content)
        many = asked if isinstance(asked, list) else [asked]
        found = [self._one(each) for each in many]
        return _streamed(200, json.dumps(found if isinstance(asked, list) else found[0]).encode())

    def _one(self, call: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(call["method"])
        if self.refusal is not None and call["method"] != "eth_chainId":
            error = {"code": self.refusal[0], "message": self.refusal[1]}
            return {"jsonrpc": "2.0", "id": call["id"], "error": error}
        result = self._result(call["method"], call["params"])
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}

    def _result(self, method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getBlockByNumber":
            tags = {"latest": self.height, "finalized": self.height - 64}
            number = tags[params[0]] if params[0] in tags else int(params[0], 16)
            return block(number, fork=self.fork) if number <= self.height else None
        if method in {"eth_getStorageAt", "eth_call"}:
            return self.storage
        if method == "eth_sendRawTransaction":
            return self.sent
        raise AssertionError(method)


def _streamed(status: int, body: bytes) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(body))


def endpoint(node: Node, *, own: bool = False, url: str = "") -> Endpoint:
    made = Endpoint(url or f"https://rpc.example.org/v3/{SECRET}", own=own, timeout=2)
    made._client = httpx.AsyncClient(transport=httpx.MockTransport(node.answer))
    return made


def sources(*nodes: Node, own: Node | None = None) -> Sources:
    found = [endpoint(node) for node in nodes]
    return Sources([*([endpoint(own, own=True)] if own else []), *found], 1)


CALL = [("eth_getStorageAt", ("0x" + "11" * 20, "0x0"))]


async def test_one_hosted_endpoint_is_refused_from_the_start() -> None:
    with pytest.raises(NodeMisconfigured, match="second one"):
        sources(Node())


async def test_an_own_node_is_believed_and_nobody_else_asked() -> None:
    own, liar = Node(height=100), Node(height=500, fork=9)
    asked = sources(liar, Node(fork=9), own=own)
    assert (await asked.head()).number == 100
    assert liar.asked == []


async def test_two_hosted_endpoints_stand_in_for_an_own_node_that_is_down() -> None:
    own = Node()
    own.status = 503
    assert (await sources(Node(height=90), Node(height=91), own=own).head()).number == 90


async def test_the_head_is_what_two_have_so_that_one_can_not_run_ahead() -> None:
    found = await sources(Node(height=100), Node(height=103), Node(height=10**6)).head()
    assert found.number == 103


async def test_two_that_are_on_different_branches_are_no_fact() -> None:
    with pytest.raises(NodeUnreachable, match="do not agree"):
        await sources(Node(fork=1), Node(fork=2)).head()


async def test_a_third_one_outvotes_a_liar() -> None:
    asked = sources(Node(fork=1), Node(), Node())
    assert (await asked.head()).hash[16:] == bytes(16)


async def test_state_that_two_do_not_say_alike_is_unknown() -> None:
    liar = Node()
    liar.storage = "0x" + "ff" * 32
    asked = sources(Node(), liar)
    head = await asked.head()
    with pytest.raises(NodeUnreachable, match="do not agree"):
        await asked.at(head, CALL)
    third = sources(Node(), liar, Node())
    assert await third.at(await third.head(), CALL) == ["0x" + "00" * 31 + "07"]


@pytest.mark.parametrize(
    "words", ["header not found", "missing trie node 12ab (path )", "hash is not canonical"]
)
async def test_a_block_without_state_is_unknown_and_no_answer(words: str) -> None:
    own = Node()
    asked = sources(own=own)
    head = await asked.head()
    own.refusal = (-32000, words)
    for call in (CALL, [("eth_call", ({"to": "0x" + "11" * 20},))]):
        with pytest.raises(StateUnknown, match=f"block 100 has left the chain.*{words[:6]}"):
            await asked.at(head, call)


async def test_only_the_contract_itself_can_say_no_to_a_call_and_only_to_a_call() -> None:
    own = Node()
    asked = sources(own=own)
    head = await asked.head()
    call: Call = ("eth_call", ({"to": "0x" + "11" * 20},))
    for refusal in ((3, "execution reverted: paused"), (-32000, "execution reverted")):
        own.refusal = refusal
        assert await asked.at(head, [call]) == [Refusal.REVERTED]
        with pytest.raises(StateUnknown):
            await asked.at(head, CALL)
    own.refusal = (-32000, "execution aborted (timeout = 5s)")
    with pytest.raises(StateUnknown, match="timeout"):
        await asked.at(head, [call])


async def test_two_that_have_an_old_state_stand_in_for_an_own_node_that_has_not() -> None:
    own, young = Node(), Node()
    asked = sources(Node(), young, Node(), own=own)
    head = await asked.head()
    own.refusal = young.refusal = (-32000, "missing trie node")
    assert await asked.at(head, CALL) == [Node().storage]
    with pytest.raises(StateUnknown, match="missing trie node"):
        await sources(Node(), young, own=own).at(head, CALL)
    own.refusal = None
    assert await asked.at(head, CALL) == [Node().storage]


async def test_a_contract_that_says_no_to_one_and_yes_to_the_other_is_unknown() -> None:
    one, two = Node(), Node()
    asked = sources(one, two)
    head = await asked.head()
    call: Call = ("eth_call", ({"to": "0x" + "11" * 20},))
    one.refusal = (3, "execution reverted")
    with pytest.raises(NodeUnreachable, match="do not agree"):
        await asked.at(head, [call])
    two.refusal = (-32015, "VM execution error.")
    assert await asked.at(head, [call]) == [Refusal.REVERTED]


async def test_a_receipt_that_is_refused_is_no_word_that_there_is_none() -> None:
    own = Node()
    own.refusal = (-32000, "transaction indexing is in progress")
    with pytest.raises(NodeUnreachable, match="does not tell receipts: transaction indexing"):
        await sources(own=own).told([("eth_getTransactionReceipt", ("0x1",))], "receipts")


async def test_an_endpoint_alone_with_its_word_is_unknown() -> None:
    down = Node()
    down.status = 429
    with pytest.raises(NodeUnreachable, match="only one endpoint"):
        await sources(Node(), down).head()


async def test_an_endpoint_of_another_chain_counts_for_nothing() -> None:
    with pytest.raises(NodeUnreachable, match="only one endpoint"):
        await sources(Node(), Node(chain_id=5)).head()
    with pytest.raises(NodeMisconfigured, match="another chain, 5, not on 1"):
        await sources(own=Node(chain_id=5)).head()


async def test_what_is_final_is_what_two_say_is_final() -> None:
    found = await sources(Node(height=100), Node(height=110)).finalized()
    assert found is not None
    assert found.number == 36


async def test_a_transaction_goes_to_everybody_and_one_who_takes_it_is_enough() -> None:
    stingy, good = Node(), Node()
    stingy.refusal = (-32000, "transaction underpriced")
    result = await sources(stingy, good).broadcast(b"\x02\x01")
    assert result.outcome is Broadcast.ACCEPTED
    assert good.asked.count("eth_sendRawTransaction") == 1
    assert stingy.asked.count("eth_sendRawTransaction") == 1


async def test_a_transaction_that_all_refuse_is_refused_in_their_words() -> None:
    one, two = Node(), Node()
    one.refusal = two.refusal = (-32000, "nonce too low")
    result = await sources(one, two).broadcast(b"\x02\x01")
    assert (result.outcome, result.reason) == (Broadcast.REJECTED, "nonce too low")


@pytest.mark.parametrize(
    "words", ["already known", "ALREADY_KNOWN: already known", "known transaction: ab"]
)
def test_what_nodes_have_already_is_no_refusal(words: str) -> None:
    assert judged(words).outcome is Broadcast.ALREADY_KNOWN


# --- one endpoint ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"jsonrpc":"2.0","id":7,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":0,"error":"no"}',
        b'{"jsonrpc":"2.0","id":0,"result":"0x1","error":{"code":true}}',
        b'{"id":0,"result":NaN}',
        b"[" * 100_000,
        b'{"id":0,"result":"' + b"a" * (5 * 2**20) + b'"}',
    ],
)
async def test_answers_that_are_none_are_errors(raw: bytes) -> None:
    node = Node()
    node.raw = raw
    with pytest.raises(BadAnswer):
        await endpoint(node).call("eth_chainId")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, NodeUnreachable) for status in (402, 408, 429, 500, 503)),
        *((status, NodeMisconfigured) for status in (401, 403, 404)),
    ],
)
async def test_what_a_status_means(status: int, kind: type[ChainError]) -> None:
    node = Node()
    node.status = status
    with pytest.raises(kind):
        await endpoint(node).call("eth_chainId")


async def test_a_limit_told_as_an_error_is_waited_out() -> None:
    node = Node()
    node.refusal = (-32005, "daily request count exceeded")
    with pytest.raises(NodeUnreachable, match="limits"):
        await endpoint(node).call("eth_blockNumber")


async def test_a_key_in_a_url_is_in_no_message() -> None:
    node = Node()
    urls = (
        f"https://rpc.example.org/v3/{SECRET}",
        f"https://rpc.example.org/?apikey={SECRET}",
        f"https://someone:{SECRET}@rpc.example.org/",
    )
    said: list[str] = []
    for url in urls:
        made = endpoint(node, url=url)
        said.append(repr(made))
        for refusal in ((-32000, f"project {SECRET} has no access"), (-32005, f"{url}: too much")):
            node.refusal = refusal
            with pytest.raises(ChainError) as failed:
                await made.call("eth_blockNumber")
            said.append(str(failed.value))

        def broken(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError(f"no route to {request.url}")

        made._client = httpx.AsyncClient(transport=httpx.MockTransport(broken))
        with pytest.raises(NodeUnreachable) as gone:
            await made.call("eth_blockNumber")
        said.append(str(gone.value))
    assert all("rpc.example.org" in each for each in said)
    assert not [each for each in said if SECRET in each]


async def test_a_call_that_is_refused_tells_its_code() -> None:
    node = Node()
    node.refusal = (3, "execution reverted")
    with pytest.raises(RpcError) as failed:
        await endpoint(node).call("eth_call")
    assert failed.value.code == 3
