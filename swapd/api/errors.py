"""Every error the daemon can answer with: one closed table of stable codes.

Owns: `ErrorName`, its numeric codes, whether a retry can help, the default remedy, `ApiError`.
Must not know: who raises them, sockets, JSON.

Codes come in blocks: 1000 configuration and start-up, 2000 offers and amounts, 3000 negotiation and
peers, 4000 swaps, 5000 chains and nodes, 6000 wallet and keys, 7000 limits and permission; the
five of JSON-RPC 2.0 keep theirs. A code or name is never renumbered, renamed or reused.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class ErrorName(enum.StrEnum):
    """Stable names; clients branch on these."""

    PARSE_ERROR = "parse_error"
    INVALID_REQUEST = "invalid_request"
    METHOD_NOT_FOUND = "method_not_found"
    INVALID_PARAMS = "invalid_params"
    INTERNAL_ERROR = "internal_error"

    STARTING = "starting"
    SHUTTING_DOWN = "shutting_down"
    STORE_FAILED = "store_failed"
    DISK_FULL = "disk_full"
    NOT_SUPPORTED = "not_supported"
    NO_NEW_SWAPS = "no_new_swaps"
    BACKUP_REFUSED = "backup_refused"

    UNKNOWN_OFFER = "unknown_offer"
    OFFER_EXPIRED = "offer_expired"
    OFFER_CANCELLED = "offer_cancelled"
    OWN_OFFER = "own_offer"
    AMOUNT_INVALID = "amount_invalid"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    AMOUNT_TOO_PRECISE = "amount_too_precise"
    AMOUNT_TOO_LARGE = "amount_too_large"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    AMOUNT_TAKEN = "amount_taken"
    PRICE_INVALID = "price_invalid"
    PRICE_ROUNDS_TO_NOTHING = "price_rounds_to_nothing"
    BELOW_ECONOMIC_MINIMUM = "below_economic_minimum"
    UNKNOWN_ASSET = "unknown_asset"
    PAIR_INVALID = "pair_invalid"
    NO_MATCHING_OFFER = "no_matching_offer"
    TOO_MANY_OFFERS = "too_many_offers"
    LIFETIME_INVALID = "lifetime_invalid"

    PEER_REFUSED = "peer_refused"
    PEER_UNREACHABLE = "peer_unreachable"
    NEGOTIATION_TIMEOUT = "negotiation_timeout"
    PEER_ADDRESS_INVALID = "peer_address_invalid"
    UNKNOWN_PEER = "unknown_peer"
    NETWORK_DOWN = "network_down"

    UNKNOWN_SWAP = "unknown_swap"
    SWAP_NOT_CANCELLABLE = "swap_not_cancellable"
    PAIR_NOT_SWAPPABLE = "pair_not_swappable"
    EXPOSURE_TOO_LONG = "exposure_too_long"

    NODE_UNREACHABLE = "node_unreachable"
    NODE_MISCONFIGURED = "node_misconfigured"
    NODE_NOT_READY = "node_not_ready"
    BROADCAST_REJECTED = "broadcast_rejected"

    INSUFFICIENT_FUNDS = "insufficient_funds"
    FUNDS_UNCONFIRMED = "funds_unconfirmed"
    WALLET_LOCKED = "wallet_locked"
    WALLET_MISSING = "wallet_missing"
    ADDRESS_INVALID = "address_invalid"
    NOTHING_TO_WITHDRAW = "nothing_to_withdraw"
    FEE_RATE_INVALID = "fee_rate_invalid"
    DAEMON_LOCKED = "daemon_locked"
    WRONG_PASSPHRASE = "wrong_passphrase"  # noqa: S105 - a name, no secret

    RATE_LIMITED = "rate_limited"
    TOO_MANY_OPEN_REQUESTS = "too_many_open_requests"
    TOO_MANY_CLIENTS = "too_many_clients"
    TOO_MANY_SUBSCRIPTIONS = "too_many_subscriptions"
    REQUEST_TOO_LARGE = "request_too_large"
    REPLY_TOO_LARGE = "reply_too_large"
    NOT_PERMITTED = "not_permitted"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    IDEMPOTENCY_UNKNOWN = "idempotency_unknown"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    CURSOR_INVALID = "cursor_invalid"
    OVER_SWAP_LIMIT = "over_swap_limit"
    OVER_OPEN_SWAPS_LIMIT = "over_open_swaps_limit"
    OVER_LOCKED_LIMIT = "over_locked_limit"


class ErrorInfo(Struct, frozen=True):
    """One row of the table. `retryable`: the same call can succeed later without a change by the
    caller. `remedy` is what to do when the raiser knows nothing better."""

    code: int
    retryable: bool
    remedy: str


def _final(code: int, remedy: str) -> ErrorInfo:
    return ErrorInfo(code, retryable=False, remedy=remedy)


def _retry(code: int, remedy: str) -> ErrorInfo:
    return ErrorInfo(code, retryable=True, remedy=remedy)


_ROWS: dict[ErrorName, ErrorInfo] = {
    ErrorName.PARSE_ERROR: _final(-32700, "send one JSON object per line"),
    ErrorName.INVALID_REQUEST: _final(
        -32600, 'send {"jsonrpc":"2.0","id":1,"method":"getinfo","params":{}}'
    ),
    ErrorName.METHOD_NOT_FOUND: _final(-32601, "see `help` for the methods there are"),
    ErrorName.INVALID_PARAMS: _final(-32602, "see `help` with this method's name"),
    ErrorName.INTERNAL_ERROR: _final(-32603, "look into the daemon's log and report what it says"),
    ErrorName.STARTING: _retry(1001, "the daemon is still resuming its swaps: try again"),
    ErrorName.SHUTTING_DOWN: _final(1002, "start the daemon again"),
    ErrorName.STORE_FAILED: _final(1003, "check the disk and the daemon's log"),
    ErrorName.DISK_FULL: _retry(1004, "free space where the data directory is"),
    ErrorName.NOT_SUPPORTED: _final(1005, "see `help` for what there is"),
    ErrorName.NO_NEW_SWAPS: _final(1006, "see `health` for why; start the daemon again to begin"),
    ErrorName.BACKUP_REFUSED: _final(1007, "name a new file, or an older backup of this daemon"),
    ErrorName.UNKNOWN_OFFER: _final(2001, "see `book.get` for the offers there are"),
    ErrorName.OFFER_EXPIRED: _final(2002, "choose another offer from `book.get`"),
    ErrorName.OFFER_CANCELLED: _final(2003, "choose another offer from `book.get`"),
    ErrorName.OWN_OFFER: _final(2004, "choose somebody else's offer"),
    ErrorName.AMOUNT_INVALID: _final(2005, "give a positive decimal number, like 0.5"),
    ErrorName.AMOUNT_TOO_PRECISE: _final(2006, "round to the asset's smallest unit"),
    ErrorName.AMOUNT_TOO_LARGE: _final(2007, "give a smaller amount"),
    ErrorName.AMOUNT_OUT_OF_RANGE: _final(
        2008, "stay between the offer's minimum and what is left of it"
    ),
    ErrorName.AMOUNT_TAKEN: _retry(2009, "somebody was faster: take less, or another offer"),
    ErrorName.PRICE_INVALID: _final(2010, "give a positive decimal number, like 75.5"),
    ErrorName.PRICE_ROUNDS_TO_NOTHING: _final(2011, "give a larger amount or price"),
    ErrorName.BELOW_ECONOMIC_MINIMUM: _final(
        2012, "fees would eat more than a tenth of it: give a larger amount"
    ),
    ErrorName.UNKNOWN_ASSET: _final(2013, "see `getinfo` for the assets of this daemon"),
    ErrorName.PAIR_INVALID: _final(2014, "name two different assets, like BTC/LTC"),
    ErrorName.NO_MATCHING_OFFER: _retry(
        2015, "see `book.get`; give another amount or limit price, or post an offer"
    ),
    ErrorName.TOO_MANY_OFFERS: _final(2016, "cancel one of your offers first"),
    ErrorName.LIFETIME_INVALID: _final(2017, "offers live from 60 seconds to 24 hours"),
    ErrorName.AMOUNT_NOT_POSITIVE: _final(2018, "give an amount above zero"),
    ErrorName.PEER_REFUSED: _final(3001, "choose another offer"),
    ErrorName.PEER_UNREACHABLE: _retry(3002, "try again, or another peer or offer"),
    ErrorName.NEGOTIATION_TIMEOUT: _retry(3003, "try again, or choose another offer"),
    ErrorName.PEER_ADDRESS_INVALID: _final(
        3004, "give a multiaddress like /ip4/192.0.2.1/tcp/9735/p2p/16Uiu2..."
    ),
    ErrorName.UNKNOWN_PEER: _final(3005, "see `peer.list` for the connected peers"),
    ErrorName.NETWORK_DOWN: _retry(3006, "the network process is restarting: try again"),
    ErrorName.UNKNOWN_SWAP: _final(4001, "see `swap.list` for the swaps there are"),
    ErrorName.SWAP_NOT_CANCELLABLE: _final(
        4002, "after our lock a swap ends by itself: see `swap.get` for when"
    ),
    ErrorName.PAIR_NOT_SWAPPABLE: _final(4003, "see `pair.check` for why"),
    ErrorName.EXPOSURE_TOO_LONG: _final(4004, "choose an offer with a shorter window"),
    ErrorName.NODE_UNREACHABLE: _retry(5001, "start the node, or correct its address"),
    ErrorName.NODE_MISCONFIGURED: _final(5002, "see `health` for what to change"),
    ErrorName.NODE_NOT_READY: _retry(5003, "wait until the node is ready: see `health`"),
    ErrorName.BROADCAST_REJECTED: _retry(5004, "see the node's reason, and `health`"),
    ErrorName.INSUFFICIENT_FUNDS: _final(6001, "deposit: see `address`"),
    ErrorName.FUNDS_UNCONFIRMED: _retry(6002, "wait for a confirmation of your own change"),
    ErrorName.WALLET_LOCKED: _final(6003, "unlock the node's wallet (walletpassphrase)"),
    ErrorName.WALLET_MISSING: _final(6004, "create or load the wallet in the node"),
    ErrorName.ADDRESS_INVALID: _final(6005, "give an address of this very chain"),
    ErrorName.NOTHING_TO_WITHDRAW: _final(6006, "see `balance`: payout holds nothing yet"),
    ErrorName.FEE_RATE_INVALID: _final(6007, "leave the fee rate out to use the node's"),
    ErrorName.DAEMON_LOCKED: _retry(
        6008, "`unlock` it: until then it only watches, and sends what was signed before"
    ),
    ErrorName.WRONG_PASSPHRASE: _final(6009, "type it again; the daemon goes on watching"),
    ErrorName.RATE_LIMITED: _retry(7001, "send fewer calls per second"),
    ErrorName.TOO_MANY_OPEN_REQUESTS: _retry(7002, "wait for replies before sending more"),
    ErrorName.TOO_MANY_CLIENTS: _retry(7003, "close other connections to this daemon"),
    ErrorName.TOO_MANY_SUBSCRIPTIONS: _final(7004, "unsubscribe from something first"),
    ErrorName.REQUEST_TOO_LARGE: _final(7005, "a line may have at most 1 MiB"),
    ErrorName.REPLY_TOO_LARGE: _final(7006, "ask for a smaller page with `limit`"),
    ErrorName.NOT_PERMITTED: _final(7007, "call as the user that runs the daemon"),
    ErrorName.IDEMPOTENCY_CONFLICT: _final(7008, "use a fresh idempotency key for another call"),
    ErrorName.IDEMPOTENCY_UNKNOWN: _final(
        7009, "look whether it happened (`swap.list`, `offer.list`), then a fresh key"
    ),
    ErrorName.UNKNOWN_SUBSCRIPTION: _final(7010, "give a number that `subscribe` returned"),
    ErrorName.CURSOR_INVALID: _final(7011, "start again without a cursor"),
    ErrorName.OVER_SWAP_LIMIT: _final(
        7012, "stay within your own limits per swap, or change the configuration"
    ),
    ErrorName.OVER_OPEN_SWAPS_LIMIT: _retry(
        7013, "wait for a swap to end, or raise your limit of open swaps"
    ),
    ErrorName.OVER_LOCKED_LIMIT: _retry(
        7014, "wait for a swap to end, or raise your limit of locked coins"
    ),
}


ERRORS: Mapping[ErrorName, ErrorInfo] = MappingProxyType(_ROWS)
"""Complete: every name has exactly one row."""

if set(ERRORS) != set(ErrorName) or len({e.code for e in ERRORS.values()}) != len(ErrorName):
    msg = "the error table must have one row and one code for every name"
    raise AssertionError(msg)


class ApiError(Exception):
    """A call that cannot be done, told to the operator. Raising it promises that nothing was
    committed: no offer posted, no swap started, no transaction sent.

    `message` says what was wrong; `remedy` and `retryable` default to the table's; `detail` is
    JSON-able extra data for programs (for example {"refusal": "amount_taken"}).
    """

    def __init__(
        self,
        name: ErrorName,
        message: str,
        remedy: str | None = None,
        *,
        retryable: bool | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        info = ERRORS[name]
        self.name = name
        self.code = info.code
        self.message = message
        self.remedy = info.remedy if remedy is None else remedy
        self.retryable = info.retryable if retryable is None else retryable
        self.detail = dict(detail or {})
