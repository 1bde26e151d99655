"""THE table of methods: validation, the OpenRPC document, reference docs, CLI and tests are made
from it.

Owns: `METHODS`. Must not know: how a method is done, sockets.
A method's name is never reused with another meaning; `API_VERSION` grows when a change would break
a client that was written against the version before.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from swapd.api import calls
from swapd.api.errors import ErrorName as E

API_VERSION = 1

COMMON_ERRORS = (
    E.INVALID_PARAMS,
    E.INTERNAL_ERROR,
    E.RATE_LIMITED,
    E.TOO_MANY_OPEN_REQUESTS,
    E.REPLY_TOO_LARGE,
    E.DAEMON_LOCKED,
)
"""Any method may answer with these."""

_MUTATING_ERRORS = (
    E.STARTING,
    E.SHUTTING_DOWN,
    E.STORE_FAILED,
    E.DISK_FULL,
    E.IDEMPOTENCY_CONFLICT,
    E.IDEMPOTENCY_UNKNOWN,
)
_NODE = (E.NODE_UNREACHABLE, E.NODE_MISCONFIGURED, E.NODE_NOT_READY)
_AMOUNT = (
    E.UNKNOWN_ASSET,
    E.AMOUNT_INVALID,
    E.AMOUNT_NOT_POSITIVE,
    E.AMOUNT_TOO_PRECISE,
    E.AMOUNT_TOO_LARGE,
)
_WALLET = (E.INSUFFICIENT_FUNDS, E.FUNDS_UNCONFIRMED, E.WALLET_LOCKED, E.WALLET_MISSING)
_LIMITS = (E.OVER_SWAP_LIMIT, E.OVER_OPEN_SWAPS_LIMIT, E.OVER_LOCKED_LIMIT)
_TAKE = (
    *_AMOUNT,
    E.PAIR_INVALID,
    E.PRICE_INVALID,
    E.UNKNOWN_OFFER,
    E.OFFER_EXPIRED,
    E.OFFER_CANCELLED,
    E.OWN_OFFER,
    E.AMOUNT_OUT_OF_RANGE,
    E.PRICE_ROUNDS_TO_NOTHING,
    E.BELOW_ECONOMIC_MINIMUM,
    E.NO_MATCHING_OFFER,
    E.PAIR_NOT_SWAPPABLE,
    E.EXPOSURE_TOO_LONG,
    *_NODE,
)


class Method(Struct, frozen=True, kw_only=True):
    """One row. `instant` methods wait for nothing outside the daemon's memory. `local` methods are
    done by the control server itself (they concern the connection or the table), all others by
    `Operations.<attribute>`. `errors` are those beyond the common ones. `cli` is the command that
    calls it."""

    name: str
    summary: str
    description: str
    params: type[Struct]
    result: type[Struct]
    cli: str
    mutating: bool = False
    paged: bool = False
    local: bool = False
    instant: bool = False
    errors: tuple[E, ...] = ()

    @property
    def attribute(self) -> str:
        """The name of its coroutine in `Operations`."""
        return self.name.replace(".", "_")

    @property
    def all_errors(self) -> tuple[E, ...]:
        """Everything it may answer with."""
        extra = _MUTATING_ERRORS if self.mutating else ()
        paging = (E.CURSOR_INVALID,) if self.paged else ()
        return tuple(dict.fromkeys((*self.errors, *paging, *extra, *COMMON_ERRORS)))


_ROWS = (
    Method(
        name="getinfo",
        summary="Who and what this daemon is.",
        description="Version, network, keys and addresses, assets, and a few counts. It asks no "
        "node and answers while the daemon is starting too.",
        params=calls.NoParams,
        result=calls.GetInfoResult,
        instant=True,
        cli="swap-cli info",
    ),
    Method(
        name="health",
        summary="What is wrong, and what to do about it.",
        description="Asks every node and part of the daemon. Each problem comes with a remedy.",
        params=calls.NoParams,
        result=calls.HealthResult,
        cli="swap-cli health",
    ),
    Method(
        name="doctor",
        summary="A thorough examination: everything that is not as it should be, and its remedy.",
        description="Clock, nodes (reachable, right chain, synced, wallet, pruning, fees), disk, "
        "file modes, addresses, recovery file and backups. Each finding has a stable code.",
        params=calls.NoParams,
        result=calls.DoctorResult,
        cli="swap-cli doctor",
    ),
    Method(
        name="help",
        summary="The methods there are, or one of them in detail.",
        description="The same table that makes `rpc.discover`, as text.",
        params=calls.HelpParams,
        result=calls.HelpResult,
        local=True,
        instant=True,
        cli="swap-cli call help",
        errors=(E.METHOD_NOT_FOUND,),
    ),
    Method(
        name="rpc.discover",
        summary="This interface as an OpenRPC document.",
        description="For generators of clients. See https://spec.open-rpc.org.",
        params=calls.NoParams,
        result=calls.OpenRpcDocument,
        local=True,
        instant=True,
        cli="swap-cli call rpc.discover",
    ),
    Method(
        name="backup",
        summary="Write a copy of the database, verified, while the daemon runs.",
        description="Mode 0600, complete or not there at all; it replaces an older backup and "
        "nothing else. It holds every swap and no key: the seed file is not in it.",
        params=calls.BackupParams,
        result=calls.BackupResult,
        mutating=True,
        cli="swap-cli backup [PATH]",
        errors=(E.BACKUP_REFUSED,),
    ),
    Method(
        name="stop",
        summary="Stop the daemon, and learn what it leaves behind.",
        description="Withdraws our offers, then ends. The reply lists the open swaps and until "
        "when each is safe with nobody watching: start the daemon again before that.",
        params=calls.StopParams,
        result=calls.StopResult,
        mutating=True,
        cli="swap-cli stop",
    ),
    Method(
        name="alarm.list",
        summary="What is wrong now and should wake somebody.",
        description="Resume the subscription `alarms` from its `sequence` to be told of changes. "
        "Flapping is damped: an alarm that comes back often takes longer to end.",
        params=calls.NoParams,
        result=calls.AlarmListResult,
        instant=True,
        cli="swap-cli alarms",
    ),
    Method(
        name="drain",
        summary="Begin no new swap, finish the open ones, then stop.",
        description="Withdraws our offers, refuses takes, and says until when at the worst the "
        "open swaps last. It survives restarts; `undo` takes it back.",
        params=calls.DrainParams,
        result=calls.DrainResult,
        mutating=True,
        cli="swap-cli drain",
    ),
    Method(
        name="unlock",
        summary="Give a locked daemon the passphrase of its seed.",
        description="A daemon that started without a passphrase only watches and sends what was "
        "signed before; unlocked it does everything, without another start.",
        params=calls.UnlockParams,
        result=calls.UnlockResult,
        mutating=True,
        cli="swap-cli unlock",
        errors=(E.WRONG_PASSPHRASE,),
    ),
    Method(
        name="balance",
        summary="What we have: free, reserved, locked, in flight, paid out.",
        description="`free` and `reserved` are in the nodes' wallets; `payout` is what swaps paid "
        "to addresses of our seed, to be moved with `withdraw`.",
        params=calls.BalanceParams,
        result=calls.BalanceResult,
        cli="swap-cli balance [ASSET]",
        errors=(E.UNKNOWN_ASSET,),
    ),
    Method(
        name="address",
        summary="A fresh address to deposit to.",
        description="It belongs to the node's own wallet, from which locks are funded.",
        params=calls.AddressParams,
        result=calls.AddressResult,
        mutating=True,
        cli="swap-cli address ASSET",
        errors=(E.UNKNOWN_ASSET, E.WALLET_LOCKED, E.WALLET_MISSING, *_NODE),
    ),
    Method(
        name="withdraw",
        summary="Send everything that swaps paid us to an address.",
        description="Sweeps the payout addresses of one asset in one transaction. With `dry_run` "
        "it only says what would be sent and what the fee would be.",
        params=calls.WithdrawParams,
        result=calls.WithdrawResult,
        mutating=True,
        cli="swap-cli withdraw ASSET ADDRESS",
        errors=(
            E.UNKNOWN_ASSET,
            E.ADDRESS_INVALID,
            E.NOTHING_TO_WITHDRAW,
            E.FEE_RATE_INVALID,
            E.BROADCAST_REJECTED,
            *_NODE,
        ),
    ),
    Method(
        name="wallet.split",
        summary="Prepare several coins, so that several locks need not wait for change.",
        description="A transaction of the node's wallet to itself. With `dry_run` it only says "
        "what the fee would be.",
        params=calls.WalletSplitParams,
        result=calls.WalletSplitResult,
        mutating=True,
        cli="swap-cli wallet split COUNT AMOUNT",
        errors=(*_AMOUNT, E.FEE_RATE_INVALID, E.BROADCAST_REJECTED, *_WALLET, *_NODE),
    ),
    Method(
        name="pair.check",
        summary="Can these two assets be swapped here and now; if not, why.",
        description="Looks at hash, time locks, depths, and both nodes and wallets.",
        params=calls.PairCheckParams,
        result=calls.PairCheckResult,
        cli="swap-cli pair check PAIR",
        errors=(E.UNKNOWN_ASSET, E.PAIR_INVALID),
    ),
    Method(
        name="book.get",
        summary="The order book of a pair.",
        description="Offers that their makers signed, have not cancelled and are there to honour. "
        "Resume the subscription `book` from its `sequence` to keep it current without a gap.",
        params=calls.BookGetParams,
        result=calls.BookGetResult,
        paged=True,
        cli="swap-cli book PAIR",
        errors=(E.UNKNOWN_ASSET, E.PAIR_INVALID),
    ),
    Method(
        name="offer.post",
        summary="Offer to sell an amount at a price.",
        description="Signs the offer, reserves the coins for it, and gossips it. Nothing is locked "
        "on a chain until a taker has locked. With `dry_run` it only checks and computes.",
        params=calls.OfferPostParams,
        result=calls.OfferPostResult,
        mutating=True,
        cli="swap-cli offer post --sell AMOUNT --buy ASSET --price PRICE",
        errors=(
            *_AMOUNT,
            E.PAIR_INVALID,
            E.PRICE_INVALID,
            E.PRICE_ROUNDS_TO_NOTHING,
            E.BELOW_ECONOMIC_MINIMUM,
            E.AMOUNT_OUT_OF_RANGE,
            E.LIFETIME_INVALID,
            E.TOO_MANY_OFFERS,
            E.PAIR_NOT_SWAPPABLE,
            E.EXPOSURE_TOO_LONG,
            E.NO_NEW_SWAPS,
            *_WALLET,
            *_LIMITS,
            *_NODE,
        ),
    ),
    Method(
        name="offer.list",
        summary="Our own offers.",
        description="Exact amounts: what is left, promised to takes, and swapped already.",
        params=calls.OfferListParams,
        result=calls.OfferListResult,
        paged=True,
        cli="swap-cli offer list",
    ),
    Method(
        name="offer.cancel",
        summary="Cancel one of our offers, or all.",
        description="Takes that were agreed before go on to their end.",
        params=calls.OfferCancelParams,
        result=calls.OfferCancelResult,
        mutating=True,
        cli="swap-cli offer cancel OFFER",
        errors=(E.UNKNOWN_OFFER,),
    ),
    Method(
        name="quote",
        summary="What a take would cost and return; nothing is committed.",
        description="Each fee, the usual and the worst duration, expiries and gates, and what "
        "happens if either side vanishes.",
        params=calls.QuoteParams,
        result=calls.QuoteResult,
        cli="swap-cli quote (OFFER | --pair PAIR --side SIDE --amount AMOUNT)",
        errors=_TAKE,
    ),
    Method(
        name="take",
        summary="Take an offer, whole or in part.",
        description="By offer, or by pair, side, amount and limit price. Answers at once with the "
        "swaps that were begun; each then goes on by itself to one of its ends.",
        params=calls.TakeParams,
        result=calls.TakeResult,
        mutating=True,
        cli="swap-cli take (OFFER | --pair PAIR --side SIDE --amount AMOUNT)",
        errors=(
            *_TAKE,
            E.ADDRESS_INVALID,
            E.AMOUNT_TAKEN,
            E.PEER_REFUSED,
            E.PEER_UNREACHABLE,
            E.NEGOTIATION_TIMEOUT,
            E.NETWORK_DOWN,
            E.NO_NEW_SWAPS,
            *_WALLET,
            *_LIMITS,
        ),
    ),
    Method(
        name="swap.list",
        summary="Our swaps, newest first.",
        description="Resume the subscription `swaps` from its `sequence` to keep it current.",
        params=calls.SwapListParams,
        result=calls.SwapListResult,
        paged=True,
        cli="swap-cli swap list",
    ),
    Method(
        name="swap.get",
        summary="Everything about one swap.",
        description="Every txid, address, script and deadline, who acts next, in plain words too. "
        "Never a secret.",
        params=calls.SwapGetParams,
        result=calls.SwapGetResult,
        cli="swap-cli swap show SWAP",
        errors=(E.UNKNOWN_SWAP,),
    ),
    Method(
        name="swap.wait",
        summary="Wait for a swap's end, or for its next change.",
        description="Answers when it happened or when the time is up; call again to go on waiting.",
        params=calls.SwapWaitParams,
        result=calls.SwapWaitResult,
        cli="swap-cli swap wait SWAP",
        errors=(E.UNKNOWN_SWAP,),
    ),
    Method(
        name="swap.cancel",
        summary="Give up a swap before our lock.",
        description="Only while no lock of ours was signed; later a swap ends by itself.",
        params=calls.SwapCancelParams,
        result=calls.SwapCancelResult,
        mutating=True,
        cli="swap-cli swap cancel SWAP",
        errors=(E.UNKNOWN_SWAP, E.SWAP_NOT_CANCELLABLE),
    ),
    Method(
        name="swap.explain",
        summary="In plain words: what happens next, and what is at risk if we go offline now.",
        description="Who can act until when, what it costs now, until when it is safe to be away, "
        "and what is unusual, each with a code, a severity and what to do about it.",
        params=calls.SwapExplainParams,
        result=calls.SwapExplainResult,
        cli="swap-cli swap explain SWAP",
        errors=(E.UNKNOWN_SWAP,),
    ),
    Method(
        name="swap.rescue",
        summary="All that is needed to get a swap's coins back without swapd.",
        description="Signed refunds, and claims once the secret is out, at several fee rates, each "
        "with the time from which it is valid and the command to send it with; scripts and "
        "descriptors. With `keys` the private keys too: whoever sees them can take what they can. "
        "Never a preimage that is not out already.",
        params=calls.SwapRescueParams,
        result=calls.SwapRescueResult,
        cli="swap-cli swap rescue SWAP",
        errors=(E.UNKNOWN_SWAP,),
    ),
    Method(
        name="peer.list",
        summary="Connected peers, and our own addresses.",
        description="Give one of the own addresses to somebody who wants to connect to us.",
        params=calls.PeerListParams,
        result=calls.PeerListResult,
        paged=True,
        cli="swap-cli peer list",
    ),
    Method(
        name="peer.connect",
        summary="Connect to a peer, and keep to it.",
        description="The address must end in the peer's id; it is redialled when it is lost.",
        params=calls.PeerConnectParams,
        result=calls.PeerConnectResult,
        mutating=True,
        cli="swap-cli peer connect ADDRESS",
        errors=(E.PEER_ADDRESS_INVALID, E.PEER_UNREACHABLE, E.NETWORK_DOWN),
    ),
    Method(
        name="peer.disconnect",
        summary="Disconnect from a peer, and stop redialling it.",
        description="Swaps with it go on: they need the chains only.",
        params=calls.PeerDisconnectParams,
        result=calls.PeerDisconnectResult,
        mutating=True,
        cli="swap-cli peer disconnect PEER",
        errors=(E.NETWORK_DOWN,),
    ),
    Method(
        name="tower.list",
        summary="Our watchtowers, and what each holds of our swaps.",
        description="A package is `held` when its tower has just proved that it has the current "
        "one. Towers are asked every minute, and at each change of a swap.",
        params=calls.NoParams,
        result=calls.TowerListResult,
        instant=True,
        cli="swap-cli towers",
    ),
    Method(
        name="subscribe",
        summary="Be told of changes of the book, of our swaps, or of alarms.",
        description="Sends notifications `event` with growing sequence numbers, from which a later "
        "connection resumes without a gap. `resync` says that events were dropped.",
        params=calls.SubscribeParams,
        result=calls.SubscribeResult,
        local=True,
        instant=True,
        cli="swap-cli swap watch",
        errors=(E.TOO_MANY_SUBSCRIPTIONS,),
    ),
    Method(
        name="unsubscribe",
        summary="End a subscription of this connection.",
        description="Events that were sent already may still arrive.",
        params=calls.UnsubscribeParams,
        result=calls.UnsubscribeResult,
        local=True,
        instant=True,
        cli="swap-cli call unsubscribe",
        errors=(E.UNKNOWN_SUBSCRIPTION,),
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})
"""By name, in the order of the documentation."""
