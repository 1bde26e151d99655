"""JSON-RPC to one node: authentication, limits, and errors as types.

Owns: `Rpc`, one HTTP request per call or batch, and which failures mean what. Must not know: what
any method does.

Every request opens a connection of its own: litecoind's stop waits up to half a minute for idle
ones, and a node that drops an idle connection just as it is used again looks like an outage.
Numbers with a point arrive as `Decimal`, so that no amount ever goes through a float.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlsplit

import httpx
import trio

from swapd.chains import http
from swapd.chains.answers import BadAnswer, short
from swapd.chains.config import NodeConfig
from swapd.ports import ChainError, NodeMisconfigured, NodeUnreachable

MAX_ANSWER: Final = 16 * 2**20
"""Bytes of an ordinary answer; a raw block as hex has half of it."""

MAX_LARGE_ANSWER: Final = 96 * 2**20
"""Bytes of a decoded block or a list of the whole mempool."""

_MAX_COOKIE = 1000
_WARMING_UP = -28
_CLIENT_NOT_CONNECTED = (-9, -10)

Call = tuple[str, tuple[object, ...]]
"""A method and its positional parameters."""


class RpcError(ChainError):
    """The node refused a call: its own `code` and `message`, and the `method`."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"the node refused {method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message


class Rpc:
    """Calls to one node. Safe to use from several tasks at once."""

    def __init__(self, config: NodeConfig) -> None:
        """Raises NodeMisconfigured for a URL or credentials that can't work."""
        parts = urlsplit(config.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"the node's url {config.url!r} should look like http://127.0.0.1:8332"
            raise NodeMisconfigured(msg)
        if parts.username or parts.password:
            msg = "the node's url must not hold a password: it gets logged; set user and password"
            raise NodeMisconfigured(msg)
        if config.cookie_file is None and not config.user:
            msg = f"no credentials for {config.url}: set a cookie file, or a user and a password"
            raise NodeMisconfigured(msg)
        self._config = config
        self._base = config.url.rstrip("/")
        self._wallet_path = "/wallet/" + quote(config.wallet or "", safe="")
        self._auth: httpx.BasicAuth | None = None
        self._client = http.client(connections=8)

    @property
    def where(self) -> str:
        """The node's address, for messages."""
        return self._base

    async def call(
        self,
        method: str,
        *params: object,
        wallet: bool = False,
        timeout: float | None = None,
        most: int = MAX_ANSWER,
    ) -> Any:
        """One call; `most` bounds the answer's bytes. Raises RpcError, NodeUnreachable,
        NodeMisconfigured, BadAnswer."""
        request = {"jsonrpc": "1.0", "id": 0, "method": method, "params": params}
        answer = await self._exchange(method, request, wallet=wallet, timeout=timeout, most=most)
        return self._result(method, answer)

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        wallet: bool = False,
        timeout: float | None = None,
        most: int = MAX_ANSWER,
    ) -> list[Any]:
        """Several calls in one request. Each place holds the result or the RpcError of its call;
        raises like `call` when the request as a whole fails."""
        if not calls:
            return []
        request = [
            {"jsonrpc": "1.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        name = f"{calls[0][0]} and {len(calls) - 1} more"
        answer = await self._exchange(name, request, wallet=wallet, timeout=timeout, most=most)
        if isinstance(answer, dict):
            self._result(name, answer)  # warming up: one error for all
        if not isinstance(answer, list) or len(answer) != len(calls):
            raise BadAnswer(
                f"{self.where} did not answer a batch of {len(calls)} calls with as many"
            )
        results: list[Any] = [None] * len(calls)
        for item in answer:
            index = item.get("id") if isinstance(item, dict) else None
            if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(calls):
                raise BadAnswer(f"{self.where} answered a call that was not made")
            try:
                results[index] = self._result(calls[index][0], item)
            except RpcError as error:
                results[index] = error
        return results

    async def _exchange(
        self, name: str, request: object, *, wallet: bool, timeout: float | None, most: int
    ) -> Any:
        """One HTTP exchange; refused credentials are read again and tried once more, because a
        node writes a new cookie at each start."""
        limit = self._config.timeout if timeout is None else timeout
        body = json.dumps(request).encode()
        try:
            with trio.fail_after(limit):
                if self._auth is None:
                    self._auth = await self._credentials()
                status, answer = await self._post(body, wallet=wallet, most=most)
                if status == httpx.codes.UNAUTHORIZED:
                    self._auth = await self._credentials()
                    status, answer = await self._post(body, wallet=wallet, most=most)
        except trio.TooSlowError:
            msg = f"the node at {self.where} did not answer {name} within {limit:g} s: is it busy?"
            raise NodeUnreachable(msg) from None
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            msg = f"the node at {self.where} cannot be reached ({what}): is it running?"
            raise NodeUnreachable(msg) from None
        if status in {
            httpx.codes.OK,
            httpx.codes.INTERNAL_SERVER_ERROR,
            httpx.codes.NOT_FOUND,
            httpx.codes.BAD_REQUEST,
        }:
            return self._decode(answer, status)
        raise self._refusal(status)

    async def _post(self, body: bytes, *, wallet: bool, most: int) -> tuple[int, bytes]:
        url = self._base + (self._wallet_path if wallet else "/")
        status, answer = await http.post(self._client, url, body, most=most, auth=self._auth)
        if answer is None:
            raise BadAnswer(f"{self.where} answered more than {most} bytes: that can't be right")
        return status, answer

    async def _credentials(self) -> httpx.BasicAuth:
        path = self._config.cookie_file
        if path is None:
            return httpx.BasicAuth(self._config.user, self._config.password)
        try:
            cookie = (await trio.Path(path).read_bytes())[:_MAX_COOKIE].decode("ascii").strip()
        except FileNotFoundError:
            # A node that stopped has removed it, and makes it anew when it starts.
            msg = f"there is no cookie file {path}: is the node running, and is the path right?"
            raise NodeUnreachable(msg) from None
        except (OSError, UnicodeDecodeError) as error:
            msg = f"the cookie file {path} cannot be read ({error}): may this user read it?"
            raise NodeMisconfigured(msg) from None
        user, colon, password = cookie.partition(":")
        if not colon:
            # The node writes it in one step, but not every file system renames in one.
            raise NodeUnreachable(f"{path} does not hold a cookie (yet): is it the node's .cookie?")
        return httpx.BasicAuth(user, password)

    def _refusal(self, status: int) -> ChainError:
        if status == httpx.codes.UNAUTHORIZED:
            how = "the cookie file" if self._config.cookie_file else "the user and the password"
            return NodeMisconfigured(
                f"the node at {self.where} refuses our credentials: check {how}"
            )
        if status == httpx.codes.FORBIDDEN:
            return NodeMisconfigured(
                f"the node at {self.where} forbids calls from this machine: see its -rpcallowip"
            )
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            return NodeUnreachable(
                f"the node at {self.where} has too many calls waiting; see its -rpcworkqueue"
            )
        return NodeMisconfigured(
            f"{self.where} answered HTTP {status}: that is not the RPC port of a node"
        )

    def _decode(self, answer: bytes, status: int) -> Any:
        try:
            return json.loads(answer, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, ArithmeticError, RecursionError):
            msg = f"{self.where} answered HTTP {status} with something that is not JSON"
            raise BadAnswer(msg) from None

    def _result(self, method: str, answer: object) -> Any:
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise BadAnswer(f"{self.where} answered {method} with something that is not JSON-RPC")
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        code = error.get("code") if isinstance(error, dict) else None
        if not isinstance(code, int):
            raise BadAnswer(f"{self.where} answered {method} with an error that has no code")
        message = short(error.get("message") or "no reason given")
        if code == _WARMING_UP:
            raise NodeUnreachable(f"the node at {self.where} is starting: {message}")
        if code in _CLIENT_NOT_CONNECTED:
            raise NodeUnreachable(f"the node at {self.where} is not ready: {message}")
        raise RpcError(method, code, message)


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError(name)
