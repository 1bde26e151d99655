"""JSON-RPC to one EVM endpoint: limits, and errors as types.

Owns: `Endpoint`, one HTTP request per batch, and which failures mean what. Must not know: what any
method does, that there are other endpoints.

The path and the query of a hosted endpoint's URL are its password: they are in no message, no log
line and no repr. An endpoint may also repeat them in its own words, which are cleaned of them.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

import httpx
import trio

from protocol.swap import troubles
from swapd.chains import http
from swapd.chains.answers import BadAnswer, short
from swapd.ports import ChainError, NodeMisconfigured, NodeUnreachable

MAX_ANSWER: Final = 4 * 2**20
"""Bytes of an ordinary answer."""

MAX_BLOCK: Final = 48 * 2**20
"""Bytes of a block with its transactions."""

_TRANSIENT: Final = frozenset({-32005, -32029, -32016, 429, -32097})
"""Codes with which endpoints say that we asked too much or too early."""

_HIDDEN: Final = "(hidden)"
_LEAST_SECRET: Final = 6
"""Shorter parts of a path are words such as v3, not keys."""

Call = tuple[str, tuple[object, ...]]
"""A method and its positional parameters."""


class RpcError(ChainError):
    """The endpoint refused a call: its own `code` and `message`, and the `method`."""

    def __init__(self, where: str, method: str, code: int, message: str) -> None:
        super().__init__(f"the node refused {method}: {message} (code {code}, {where})")
        self.method = method
        self.code = code
        self.message = message


class Endpoint:
    """Calls to one endpoint. Safe to use from several tasks at once."""

    def __init__(self, url: str, *, own: bool, timeout: float) -> None:
        """`own`: the operator's own node, whose word is enough. Raises NodeMisconfigured."""
        parts = _parts(url)
        if parts is None:
            msg = "an EVM endpoint's url should look like http://127.0.0.1:8545"
            raise NodeMisconfigured(msg)
        self.own = own
        self.where = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._secrets = _secrets(parts)
        self._auth: httpx.BasicAuth | None = None
        if parts.username or parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            self._auth = httpx.BasicAuth(user, password)
        self._timeout = timeout
        self._client = http.client(connections=8, keep=2 if parts.scheme == "https" else 0)

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Endpoint({self.where}{', own' if self.own else ''})"

    async def call(self, method: str, *params: object, most: int = MAX_ANSWER) -> Any:
        """One call; `most` bounds the answer's bytes. Raises RpcError, NodeUnreachable,
        NodeMisconfigured, BadAnswer."""
        [answer] = await self.batch([(method, params)], most=most)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    async def batch(self, calls: Sequence[Call], *, most: int = MAX_ANSWER) -> list[Any]:
        """Several calls in one request. Each place holds the result or the RpcError of its call;
        raises like `call` when the request as a whole fails."""
        if not calls:
            return []
        request = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        answer = await self._exchange(calls[0][0], request if len(calls) > 1 else request[0], most)
        items = answer if isinstance(answer, list) and len(calls) > 1 else [answer]
        if isinstance(answer, dict) and len(calls) > 1:
            self._result(calls[0][0], answer)  # refused as a whole: one error for all
        if len(items) != len(calls):
            msg = f"{self.where} did not answer a batch of {len(calls)} calls with as many"
            raise BadAnswer(msg)
        results: list[Any] = [None] * len(calls)
        seen: set[int] = set()
        for item in items:
            index = item.get("id") if isinstance(item, dict) else None
            if isinstance(index, bool) or not isinstance(index, int) or index in seen:
                raise BadAnswer(f"{self.where} answered a call that was not made")
            if not 0 <= index < len(calls):
                raise BadAnswer(f"{self.where} answered a call that was not made")
            seen.add(index)
            try:
                results[index] = self._result(calls[index][0], item)
            except RpcError as error:
                results[index] = error
        return results

    async def _exchange(self, name: str, request: object, most: int) -> Any:
        body = json.dumps(request).encode()
        try:
            with trio.fail_after(self._timeout):
                status, answer = await http.post(
                    self._client, self._url, body, most=most, auth=self._auth
                )
        except trio.TooSlowError:
            msg = f"{self.where} did not answer {name} within {self._timeout:g} s: is it busy?"
            raise NodeUnreachable(msg) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = self._clean(str(error) or type(error).__name__)
            msg = f"the node at {self.where} cannot be reached ({what}): is it running?"
            raise NodeUnreachable(msg) from None
        if answer is None:
            raise BadAnswer(f"{self.where} answered more than {most} bytes: that can't be right")
        if status == httpx.codes.OK:
            return self._decode(answer)
        raise self._refusal(status, answer)

    def _refusal(self, status: int, answer: bytes) -> ChainError:
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            msg = f"{self.where} refuses our credentials (HTTP {status}): check the endpoint's url"
            return NodeMisconfigured(msg)
        if status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.PAYMENT_REQUIRED}:
            return NodeUnreachable(f"{self.where} {troubles.LIMITED} (HTTP {status})")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            return NodeUnreachable(f"{self.where} is out of order (HTTP {status})")
        if answer[:1] == b"{":
            try:
                self._result("the request", self._decode(answer))
            except ChainError as error:
                return error
        msg = f"{self.where} answered HTTP {status}: that is not the RPC port of an EVM node"
        return NodeMisconfigured(msg)

    def _decode(self, answer: bytes) -> Any:
        try:
            return json.loads(answer, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, ArithmeticError, RecursionError):
            raise BadAnswer(f"{self.where} answered with something that is not JSON") from None

    def _result(self, method: str, answer: object) -> Any:
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise BadAnswer(f"{self.where} answered {method} with something that is not JSON-RPC")
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, bool) or not isinstance(code, int):
            raise BadAnswer(f"{self.where} answered {method} with an error that has no code")
        message = self._clean(short(error.get("message") or "no reason given"))
        if code in _TRANSIENT:
            raise NodeUnreachable(f"{self.where} {troubles.LIMITED}: {message}")
        raise RpcError(self.where, method, code, message)

    def _clean(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, _HIDDEN)
        return words


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """Whatever of a URL may be a key, longest first."""
    pieces = [parts.path, parts.query, *parts.path.split("/"), *parts.query.split("&")]
    pieces += [piece.partition("=")[2] for piece in parts.query.split("&")]
    pieces += [parts.username or "", parts.password or ""]
    pieces += [unquote(piece) for piece in pieces]
    found = {piece for piece in pieces if len(piece) >= _LEAST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def _no_number(_text: str) -> NoReturn:
    """NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError
