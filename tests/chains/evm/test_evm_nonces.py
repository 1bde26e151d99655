"""Nonces: never given twice, never lost, never left out, whatever dies when."""

import trio

from swapd.chains.evm.fees import BUMP, Fees, GasPrice, estimate, split, stressed
from swapd.chains.evm.nonces import HOLD_SECONDS, Entry, Nonces, Version
from swapd.store.memory import StoreMemory
from tests.fakes.store import FakeStore

ACCOUNT = "0x" + "11" * 20


class Ledger:
    """A ledger over one store, opened again as often as one likes. `held` is the journal."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.held: set[int] = set()

    def open(self) -> Nonces:
        def is_held(nonce: int, _entry: Entry | None) -> bool:
            return nonce in self.held

        return Nonces(StoreMemory(self.store, "evm:1"), ACCOUNT, is_held)


def version(name: str, *, most: int = 100, sent: bool = False) -> Version:
    return Version(name, name.encode(), most, 10, sent=sent)


async def test_two_purposes_never_share_a_nonce_and_one_keeps_its_own() -> None:
    nonces = Ledger().open()
    assert [await nonces.give(f"lock:{n}", 5) for n in range(3)] == [5, 6, 7]
    assert await nonces.give("lock:1", 5) == 6


async def test_after_a_crash_the_purpose_has_the_nonce_it_had() -> None:
    ledger = Ledger()
    first = await ledger.open().give("lock:a", 0)
    again = ledger.open()
    assert await again.give("lock:a", 0) == first


async def test_versions_outlive_the_process(autojump_clock: trio.testing.MockClock) -> None:
    ledger = Ledger()
    nonces = ledger.open()
    nonce = await nonces.give("lock:a", 0)
    await nonces.add(nonce, "lock:a", version("one"))
    await nonces.sent("one")
    again = ledger.open()
    await again.load()
    entry = again.entry(nonce)
    assert entry is not None
    assert [(v.txid, v.raw, v.sent) for v in entry.versions] == [("one", b"one", True)]


async def test_what_the_journal_holds_is_given_to_nobody_even_without_an_entry(
    autojump_clock: trio.testing.MockClock,
) -> None:
    # A database that was put back knows less than the recovery file.
    ledger = Ledger()
    ledger.held = {0, 1}
    assert await ledger.open().give("lock:new", 0) == 2


async def test_a_nonce_is_free_again_when_nobody_holds_it_any_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ledger = Ledger()
    nonces = ledger.open()
    assert await nonces.give("lock:a", 0) == 0
    assert await nonces.give("lock:b", 0) == 1
    await trio.sleep(HOLD_SECONDS + 1)
    ledger.held = {1}
    assert await nonces.give("lock:c", 0) == 0
    assert await nonces.give("lock:d", 0) == 2


async def test_the_next_user_of_a_nonce_knows_what_it_has_to_outbid(
    autojump_clock: trio.testing.MockClock,
) -> None:
    nonces = Ledger().open()
    nonce = await nonces.give("lock:a", 0)
    await nonces.add(nonce, "lock:a", version("dead"))
    await nonces.sent("dead")
    await trio.sleep(HOLD_SECONDS + 1)
    assert await nonces.give("lock:b", 0) == nonce
    entry = nonces.entry(nonce)
    assert entry is not None
    assert [v.txid for v in entry.versions] == ["dead"]


async def test_a_nonce_that_is_left_out_before_one_that_was_sent_is_a_gap(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ledger = Ledger()
    nonces = ledger.open()
    for number, name in enumerate("abc"):
        assert await nonces.give(f"lock:{name}", 0) == number
    await nonces.add(2, "lock:c", version("c"))
    await nonces.sent("c")
    ledger.held = {1, 2}
    assert nonces.gaps(0) == ()  # whoever asked a moment ago may still send
    await trio.sleep(HOLD_SECONDS + 1)
    assert nonces.gaps(0) == (0,)
    assert nonces.gaps(1) == ()
    ledger.held = set()
    assert nonces.gaps(0) == (0, 1, 2)


async def test_without_anything_sent_there_is_nothing_to_fill(
    autojump_clock: trio.testing.MockClock,
) -> None:
    nonces = Ledger().open()
    await nonces.give("lock:a", 3)
    await nonces.add(3, "lock:a", version("never sent"))
    await trio.sleep(HOLD_SECONDS + 1)
    assert nonces.gaps(3) == ()


async def test_our_own_transactions_are_sent_again_until_they_are_mined(
    autojump_clock: trio.testing.MockClock,
) -> None:
    nonces = Ledger().open()
    nonce = await nonces.give("sweep:x", 0)
    await nonces.add(nonce, "sweep:x", version("s"))
    await nonces.sent("s")
    assert nonces.stuck(0) == ()
    await trio.sleep(HOLD_SECONDS + 1)
    assert [entry.nonce for entry in nonces.stuck(0)] == [0]
    assert nonces.gaps(0) == ()
    assert await nonces.give("lock:a", 0) == 1
    assert nonces.stuck(1) == ()


# --- fees -------------------------------------------------------------------------------------

PRICE = GasPrice(base=10 * 10**9, tip=10**9)


def test_a_version_at_the_next_rate_survives_six_full_blocks() -> None:
    base = PRICE.base
    for _ in range(5):
        base = base * 9 // 8
    fees = split(PRICE.next_rate, PRICE)
    assert base + fees.tip <= fees.most


def test_a_replacement_pays_an_eighth_more_of_both_fees() -> None:
    # geth wants 10%, Nethermind 12.5%.
    first = split(PRICE.next_rate, PRICE)
    second = split(PRICE.next_rate, PRICE, [first])
    up, down = BUMP
    assert second.most * down >= first.most * up
    assert second.tip * down >= first.tip * up


def test_a_replacement_outbids_the_dearest_of_all_versions_that_were_sent() -> None:
    older = [Fees(5 * 10**9, 4 * 10**9), Fees(90 * 10**9, 10**9)]
    fees = split(PRICE.next_rate, PRICE, older)
    assert fees.most * 8 >= 90 * 10**9 * 9
    assert fees.tip * 8 >= 4 * 10**9 * 9
    assert fees.tip <= fees.most


def test_on_a_curve_the_tip_grows_with_the_rate() -> None:
    calm, urgent = split(PRICE.next_rate, PRICE), split(10 * PRICE.next_rate, PRICE)
    assert urgent.tip >= 9 * calm.tip


def test_empty_blocks_say_nothing_about_tips_and_nonsense_is_bounded() -> None:
    found = estimate([8, 9, 10], [0, 0, 0], least_tip=7, most_fee=10**6)
    assert (found.base, found.tip, found.estimated) == (10, 7, True)
    wild = estimate([10**30], [10**30], least_tip=7, most_fee=10**6)
    assert (wild.base, wild.tip) == (10**6, 10**6)
    assert not stressed(10, least_tip=7, most_fee=10**6).estimated
    assert stressed(10, least_tip=7, most_fee=10**6).base == 40
