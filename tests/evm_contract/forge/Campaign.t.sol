// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Base, IHtlc, INativeLock, Swap} from "./Base.sol";
import {HostileToken, Party} from "./Hostile.sol";

/// Plays everybody: makes one call of the contract after the other, good ones and bad ones, and knows
/// by its own books whether each must succeed. Any difference ends the campaign.
contract Handler is Base {
    struct Book {
        Swap swap;
        bool live;
        bytes32 slot;
    }

    uint256 constant SLOTS = 4; // of each locker: two kept, two cleared
    uint256 constant LOCKERS = 2;
    uint256 constant RECEIVER_KEY = 0xB0B;
    uint256 constant LOCKER_KEY = 0xA11CE;
    uint96 constant WITHIN = 0.1 ether; // of a lock within a lock: what a fee takes

    address[3] public htlcs; // of the coin, of a plain token, of a hostile token
    HostileToken[3] public tokens;
    uint256[3] public locked; // what must be there, by the books
    uint256[3] public calls; // locks, claims, refunds that succeeded
    mapping(uint256 => Book) books;
    address[4] receivers;
    address[2] lockers;
    uint256 clock = 1_800_000_000;
    uint256 salt;

    constructor() {
        htlcs[0] = createNative();
        for (uint256 i = 1; i < 3; ++i) {
            tokens[i] = new HostileToken();
            htlcs[i] = createFor(address(tokens[i]));
        }
        Party[3] memory parties = [new Party(), new Party(), new Party()];
        parties[1].be(Party.Manner.Refuses);
        parties[2].be(Party.Manner.BurnsGas);
        receivers = [vm.addr(RECEIVER_KEY), address(parties[0]), address(parties[1]), address(parties[2])];
        lockers = [vm.addr(LOCKER_KEY), address(new Party())];
        for (uint256 i; i < LOCKERS; ++i) {
            vm.deal(lockers[i], 1 << 120);
            for (uint256 t = 1; t < 3; ++t) tokens[t].mint(lockers[i], 1 << 120);
        }
    }

    // ------------------------------------------------------------ what is played

    function time(uint16 by_) external {
        clock += 1000 + mixed(by_) % 4000;
    }

    function hostility(uint8 mode, uint8 manner) external at {
        tokens[2].be(HostileToken.Mode(mode % 15));
        Party(payable(receivers[1])).be(manner % 2 == 0 ? Party.Manner.Takes : Party.Manner.Reenters);
        Party(payable(lockers[1])).be(Party.Manner(manner % 4));
    }

    function lock(uint256 seed) external at {
        _lock(seed);
    }

    function _lock(uint256 seed) private {
        seed = mixed(seed);
        (uint256 h, uint256 id) = place(seed);
        Swap memory s = fresh(id, seed);
        uint40 deadline = uint40(clock - 2 + (seed >> 40) % 3600);
        bool mine = !books[id].live && deadline >= clock && deadline < s.expiry && s.amount != 0;
        if (h == 2) mine = mine && delivers(tokens[2].mode(), s.amount) && !locksWithin(id, seed);
        bool ok = h == 0 ? lockNative(htlcs[0], s, deadline) : lockToken(htlcs[h], s, deadline);
        require(ok == mine, "a lock went otherwise than by the books");
        if (ok) opened(h, id, s);
    }

    /// Has a locker that is called back lock once more meanwhile. True if that would succeed by itself:
    /// then the lock around it must not.
    function locksWithin(uint256 id, uint256 seed) private returns (bool) {
        Swap memory s = fresh(id - (id % SLOTS) + (seed >> 70) % SLOTS, seed);
        s.amount = WITHIN;
        Party locker = Party(payable(lockers[1]));
        if (s.locker != address(locker) || locker.manner() != Party.Manner.Reenters) return false;
        locker.aim(htlcs[2], tokenLock(s, uint40(clock)), 0);
        uint256 other = id - (id % SLOTS) + (seed >> 70) % SLOTS;
        return other != id && !books[other].live && hooks(tokens[2].mode());
    }

    function lockMany(uint256 seed) external at {
        seed = mixed(seed);
        (uint256 h, uint256 id) = place(seed);
        uint256 first = id - (id % SLOTS);
        uint40 deadline = uint40(clock + (seed >> 40) % 400);
        bool mine = true;
        bytes memory items;
        uint256 sum;
        Swap[SLOTS] memory all;
        for (uint256 i; i < SLOTS; ++i) {
            all[i] = fresh(first + i, mixed(seed));
            mine = mine && !books[first + i].live && deadline < all[i].expiry && all[i].amount != 0;
            items = abi.encodePacked(items, lockItem(all[i]));
            sum += all[i].amount;
        }
        if (h == 2) mine = mine && delivers(tokens[2].mode(), sum);
        bytes memory data = abi.encodeCall(INativeLock.lockMany, (deadline, items));
        vm.prank(all[0].locker);
        (bool ok,) = htlcs[h].call{value: h == 0 ? sum : 0, gas: GAS}(data);
        require(ok == mine, "locks went otherwise than by the books");
        for (uint256 i; ok && i < SLOTS; ++i) opened(h, first + i, all[i]);
    }

    function claim(uint256 seed) external at {
        _end(mixed(seed), true);
    }

    function refund(uint256 seed) external at {
        _end(mixed(seed), false);
    }

    /// A claim or a refund of what is there, or of something like it, in one of the ways there are.
    function _end(uint256 seed, bool claims) private {
        (uint256 h, uint256 id) = place(seed);
        Swap memory s = books[id].swap;
        if (s.amount == 0) return _lock(seed);
        checkSlot(id); // what the last call left, the next one that comes here sees
        Swap memory said = altered(s, seed);
        bool lives = keccak256(abi.encode(said)) == keccak256(abi.encode(s)) && books[id].live;
        lives = lives && (claims || clock > s.expiry);
        bool mine = lives && pays(h, claims ? said.receiver : said.locker, s.amount, 0);
        aim(h, said);
        bool ok = claims ? claimed(h, said, (seed >> 90) % 4, lives, mine) : refunded(h, said, (seed >> 90) % 2);
        require(ok == mine, "an end went otherwise than by the books");
        if (ok) closed(h, id, claims);
    }

    function claimed(uint256 h, Swap memory s, uint256 how, bool lives, bool mine) private returns (bool) {
        if (how == 0) return by(s.receiver, htlcs[h], claimOwn(s));
        if (how == 1) return by(address(this), htlcs[h], claimFor(s));
        bytes memory data = abi.encodePacked(claimItem(s), claimItem(s));
        if (how == 2) {
            bool done = by(s.receiver, htlcs[h], abi.encodeCall(IHtlc.claimThese, (data)));
            require(done == (mine || !lives), "what is not live is skipped");
            return mine && done;
        }
        data = abi.encodePacked(claimForItem(s), claimForItem(s));
        return many(h, s, abi.encodeCall(IHtlc.claimForMany, (200_000, data)));
    }

    function refunded(uint256 h, Swap memory s, uint256 how) private returns (bool) {
        if (how == 0) return by(address(this), htlcs[h], super.refund(s));
        bytes memory data = abi.encodePacked(refundItem(s), refundItem(s));
        return many(h, s, abi.encodeCall(IHtlc.refundMany, (200_000, data)));
    }

    /// A batch never fails; whether it has ended this swap.
    function many(uint256 h, Swap memory s, bytes memory data) private returns (bool) {
        bool lived = vm.load(htlcs[h], key(s)) == live(s);
        require(by(address(this), htlcs[h], data), "skips");
        return lived && vm.load(htlcs[h], key(s)) != live(s);
    }

    /// The same with a fee, signed for this or for something else.
    function endWithFee(uint256 seed) external at {
        seed = mixed(seed);
        (uint256 h, uint256 id) = place(seed);
        Swap memory s = books[id].swap;
        if (s.amount == 0) return _lock(seed);
        checkSlot(id);
        bool claims = (seed >> 29) % 2 == 0;
        address relayer = (seed >> 30) % 2 == 0 ? address(0) : address(0xFEE);
        uint96 fee = uint96((seed >> 64) % (uint256(s.amount) + 2));
        uint96 asked = (seed >> 31) % 4 == 0 ? fee + 1 : fee;
        address to = claims ? s.receiver : s.locker;
        bool mine = books[id].live && fee == asked && fee <= s.amount && (claims || clock > s.expiry);
        mine = mine && to == (claims ? receivers[0] : lockers[0]) && pays(h, to, s.amount - asked, asked);
        (bytes32 r, bytes32 vs) =
            signed(claims ? RECEIVER_KEY : LOCKER_KEY, feeDigest(htlcs[h], s, relayer, fee, 0));
        bool ok = by(address(0xCA401), htlcs[h], withFee(claims, s, relayer, asked, 0, r, vs));
        require(ok == mine, "a paid end went otherwise than by the books");
        if (ok) closed(h, id, claims);
    }

    // ------------------------------------------------------------ books

    /// At the time of the campaign; whoever was to come back has forgotten it.
    modifier at() {
        vm.warp(clock);
        Party(payable(receivers[1])).aim(address(0), "", 0);
        Party(payable(lockers[1])).aim(address(0), "", 0);
        _;
        checkCover();
    }

    /// Numbers that a fuzzer likes (0, the largest) would come up with the same few cases.
    function mixed(uint256 seed) private returns (uint256) {
        return uint256(keccak256(abi.encode(seed, ++salt)));
    }

    function place(uint256 seed) private pure returns (uint256 h, uint256 id) {
        h = seed % 3;
        id = h * LOCKERS * SLOTS + (seed >> 8) % (LOCKERS * SLOTS);
    }

    function fresh(uint256 id, uint256 seed) private returns (Swap memory) {
        uint8 index = [0, 127, 128, 255][id % SLOTS];
        address locker = lockers[(id / SLOTS) % LOCKERS];
        uint40 expiry = uint40(clock + 1 + (seed >> 60) % 3600);
        uint96 amount = uint96((seed >> 128) % 1 ether);
        bytes32 preimage = (seed >> 20) % 8 == 0 ? bytes32(uint256(1)) : bytes32(mixed(seed));
        return Swap(locker, index, receivers[(seed >> 16) % 4], amount, expiry, preimage);
    }

    /// One in four: the terms or the secret of another swap than the one that is there.
    function altered(Swap memory s, uint256 seed) private view returns (Swap memory said) {
        said = Swap(s.locker, s.index, s.receiver, s.amount, s.expiry, s.preimage);
        uint256 what = (seed >> 100) % 24;
        if (what == 0) said.preimage = hashlock(s);
        if (what == 1) said.amount += 1;
        if (what == 2) said.receiver = receivers[(seed >> 110) % 4];
        if (what == 3) said.expiry -= 1;
        if (what == 4) said.index ^= 128;
        if (what == 5) said.locker = lockers[(seed >> 110) % 2];
    }

    /// Who comes back tries the very same claim again, or the refund.
    function aim(uint256 h, Swap memory s) private {
        bytes memory data = clock > s.expiry && s.amount % 2 == 0 ? super.refund(s) : claimFor(s);
        Party(payable(receivers[1])).aim(htlcs[h], data, 0);
        Party(payable(lockers[1])).aim(htlcs[h], data, 0);
    }

    function hooks(HostileToken.Mode m) private pure returns (bool) {
        return m == HostileToken.Mode.Hooks || m == HostileToken.Mode.FeeAndHooks;
    }

    /// Whether exactly `amount` arrives where it is sent.
    function delivers(HostileToken.Mode m, uint256 amount) private view returns (bool) {
        if (m == HostileToken.Mode.FeeAndHooks) return amount < tokens[2].FREE();
        if (m == HostileToken.Mode.RefusesZero) return amount != 0;
        return m == HostileToken.Mode.Plain || m == HostileToken.Mode.NoReturn || m == HostileToken.Mode.Hooks;
    }

    function pays(uint256 h, address to, uint256 amount, uint256 fee) private view returns (bool) {
        if (h == 0) {
            if (to.code.length == 0) return true;
            Party.Manner manner = Party(payable(to)).manner();
            return manner == Party.Manner.Takes || manner == Party.Manner.Reenters;
        }
        if (h == 1) return true;
        HostileToken.Mode m = tokens[2].mode();
        if (m == HostileToken.Mode.LiesYes) return true;
        bool refuses = m == HostileToken.Mode.SaysNo || m == HostileToken.Mode.Reverts || m == HostileToken.Mode.BurnsGas;
        if (refuses || m == HostileToken.Mode.SaysTwo || m == HostileToken.Mode.SaysShort) return false;
        return covers(tokens[2].held(htlcs[2]), m == HostileToken.Mode.MovesMore ? 1 : 0, amount, fee);
    }

    /// A token that moves more than it is asked to takes what belongs to other swaps in it.
    function covers(uint256 held, uint256 more, uint256 amount, uint256 fee) private pure returns (bool) {
        if (held < amount) return false;
        if (amount != 0) held -= held > amount ? amount + more : amount;
        return held >= fee;
    }

    function opened(uint256 h, uint256 id, Swap memory s) private {
        books[id] = Book(s, true, live(s));
        locked[h] += s.amount;
        ++calls[0];
    }

    function closed(uint256 h, uint256 id, bool claims) private {
        Swap memory s = books[id].swap;
        books[id].live = false;
        books[id].slot = ended(s, claims ? s.preimage : hashlock(s));
        locked[h] -= s.amount;
        ++calls[claims ? 1 : 2];
    }

    // ------------------------------------------------------------ what must hold

    /// Every slot holds what the books say, whatever was called.
    function checkSlots() external view {
        for (uint256 id; id < 3 * LOCKERS * SLOTS; ++id) checkSlot(id);
    }

    function checkSlot(uint256 id) private view {
        Swap memory s = books[id].swap;
        if (s.amount == 0) return;
        require(vm.load(htlcs[id / (LOCKERS * SLOTS)], key(s)) == books[id].slot, "a slot is not as in the books");
    }

    /// What is there is what is locked: to the unit, with a coin and a token that do as they should.
    function checkCover() public view {
        require(htlcs[0].balance == locked[0], "coins");
        require(tokens[1].balanceOf(htlcs[1]) == locked[1], "tokens");
    }
}

contract CampaignTest {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory found) {
        found = new address[](1);
        found[0] = address(handler);
    }

    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (Selectors[] memory found) {
        bytes4[] memory all = new bytes4[](7);
        all[0] = Handler.time.selector;
        all[1] = Handler.hostility.selector;
        all[2] = Handler.lock.selector;
        all[3] = Handler.lockMany.selector;
        all[4] = Handler.claim.selector;
        all[5] = Handler.endWithFee.selector;
        all[6] = bytes4(keccak256("refund(uint256)"));
        found = new Selectors[](1);
        found[0] = Selectors(address(handler), all);
    }

    function invariant_every_slot_is_as_in_the_books_and_every_live_swap_is_covered() external view {
        handler.checkSlots();
        handler.checkCover();
    }

    /// A campaign in which nothing happens would prove nothing.
    function afterInvariant() external view {
        require(handler.calls(0) != 0 && handler.calls(1) + handler.calls(2) != 0, "nothing was locked or ended");
    }
}
