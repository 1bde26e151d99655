"""Recorded ways in which a swap gets into trouble on a chain with accounts, and what its operator
must be told, written down as facts.

Owns: the words that the adapter was seen to use on anvil (`tests/chains/evm`), the moments of a
swap in which they were put to the real machine, the facts.
"""

from dataclasses import dataclass

from protocol.swap.events import LockBuilt
from protocol.swap.facts import Conflict
from protocol.swap.machine import step
from protocol.swap.states import SwapState
from protocol.terms import Role
from tests.protocol.swap.test_account_legs import ETH, GWEI, entry, look, on_accounts, version
from tests.protocol.swap.toy import T0

TXID = "ab" * 32
ACCOUNT = "0x760e098a0F77A1F7DdfC9D18C7f2Bd53e1BE3861"
NODE = "http://127.0.0.1:8545"


@dataclass(frozen=True)
class Told:
    """`problem` is what the chain said once our lock stood ("" = nothing); `moment` else names what
    happened. `who` acts next, `risk` of being away; `code`, `severity`, a word of the remedy."""

    name: str
    moment: str
    problem: str
    who: str
    risk: str
    code: str
    severity: str
    remedy: str


def moment_of(told: Told) -> SwapState:
    """The taker's swap at that moment; his lock is on the chain with accounts."""
    agreed = on_accounts(Role.INITIATOR, ETH)
    held = look(step(agreed, LockBuilt(version(TXID, 10 * GWEI))), 1)
    hangs = look(held, 2, locks=(entry(0, TXID),))
    match told.moment:
        case "locked":
            found = look(hangs, 3, locks=(entry(2, TXID),), problems=(told.problem,))
        case "too late":
            found = look(hangs, 41, conflict=Conflict("", 1))
        case "nonce used":
            found = look(hangs, 3, conflict=Conflict("cd" * 32, 0))
        case "kill":
            found = look(hangs, 41, locks=(entry(0, TXID),))
        case "expired":
            own = agreed.agreement.own
            # The time of the swap is past the expiry by the other chain; here no block is yet.
            waits = own.expiry - T0 + 1
            found = look(hangs, waits, locks=(entry(9, TXID),), median_time=own.expiry)
        case unknown:
            raise ValueError(unknown)
    return found


def _said(name: str, problem: str, code: str, severity: str, remedy: str) -> Told:
    return Told(name, "locked", problem, "counterparty", "time", code, severity, remedy)


ALL = (
    _said("a token is paused", "USDC is paused by its issuer", "token_paused", "warning", "issuer"),
    _said("an account is on a token's blacklist", f"{ACCOUNT} is on the blacklist of USDC",
          "token_barred", "warning", "issuer"),
    _said("a token's code was replaced",
          f"the code of USDC was replaced: it leads to {ACCOUNT}, not to no other contract; if "
          "that is right, say so as its implementation",
          "token_replaced", "critical", "implementation"),
    _said("a token is another than configured",
          "the token configured as 'USDC' calls itself 'TEST': is that the right address?",
          "token_wrong", "warning", "configuration"),
    _said("the contract is missing",
          f"there is no HTLC contract for USDC at {ACCOUNT} yet: swapd evm deploy puts it there",
          "contract_missing", "warning", "swapd evm deploy"),
    _said("other code is at the contract's address",
          f"the code at {ACCOUNT} is not our HTLC contract: neither lock nor claim there",
          "contract_wrong", "critical", "lock nothing"),
    _said("the account for claims has no gas",
          f"not enough ETH for gas in {ACCOUNT}, the account that claims and refunds: send some "
          "there", "gas_low", "warning", "swapd evm accounts"),
    _said("endpoints disagree",
          "the ETH node can't be asked: the endpoints (https://one, https://two) do not agree on "
          "the state at block 7", "endpoints_differ", "warning", "a third"),
    _said("one endpoint is left of two",
          "the ETH node can't be asked: only one endpoint answers and without a node of our own "
          "two must say the same", "endpoints_few", "warning", "another operator"),
    _said("an endpoint is of another chain",
          f"the ETH node can't be asked: {NODE} is on another chain, 31338, not on 31337",
          "wrong_chain", "warning", "chain_id"),
    _said("an endpoint limits us",
          f"the ETH node can't be asked: {NODE} limits how much we may ask (HTTP 429)",
          "node_limits", "warning", "poll less"),
    _said("a node lacks the state of a block",
          f"the ETH node can't be asked: block 7 has left the chain, or its state {NODE}: missing "
          "trie node", "state_missing", "warning", "archive"),
    _said("a slot was used again while we were away",
          "the ETH node can't be asked: the slot of the lock was used again before it was seen how "
          "it ended: it came in block 7", "end_unknown", "warning", "block explorer"),
    _said("nothing becomes final", "the chain has finalized nothing for 20 minutes",
          "not_finalizing", "warning", "wait"),
    _said("a node knows no finality",
          "the node names no finalized block: nothing is ever as deep as it must be",
          "finality_unknown", "warning", "consensus"),
    _said("a node with accounts is behind", "the node of chain 1 is still catching up",
          "node_syncing", "warning", "caught up"),
    _said("the clock is behind a block",
          "this machine's clock is behind the chain's newest block: set the clock",
          "clock_behind", "warning", "NTP"),
    _said("the clock is ahead, or no block comes",
          "no block for more than 3 minutes: is the node connected?",
          "node_silent", "warning", "clock"),
    Told("a lock missed its deadline", "too late", "", "chain", "time", "lock_too_late", "info",
         "by itself"),
    Told("the nonce of a lock was used by hand", "nonce used", "", "chain", "time",
         "spent_elsewhere", "warning", "seed"),
    Told("a lock with a nonce is killed", "kill", "", "chain", "time", "kill_pending", "info",
         "by itself"),
    Told("a refund waits for a younger block", "expired", "", "chain", "time",
         "refund_waits_for_median_time", "info", "a block or two"),
)  # fmt: skip
