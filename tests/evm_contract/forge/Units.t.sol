// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IHtlc, INativeLock, ITokenLock, Swap, Vm} from "./Base.sol";
import {Stage} from "./Stage.sol";
import {HostileToken, Party} from "./Hostile.sol";
import {TestToken} from "./Tokens.sol";

contract UnitsTest is Stage {
    // ------------------------------------------------------------ slots and terms

    function testFuzz_a_lock_makes_live_exactly_its_own_slot(
        uint8 index,
        address receiver,
        uint96 amount,
        uint40 expiry,
        uint40 deadline,
        bytes32 preimage
    ) public {
        Swap memory s = Swap(alice, index, receiver, amount, expiry, preimage);
        vm.deal(alice, type(uint96).max);
        bool fine = receiver != address(0) && amount != 0 && deadline >= NOW && deadline < expiry;
        require(lockNative(native, s, deadline) == fine, "accepted otherwise than stated");
        require(vm.load(native, key(s)) == (fine ? live(s) : bytes32(0)), "slot");
    }

    function testFuzz_no_other_terms_claim_or_refund_it(uint256 which, uint256 other) public {
        Swap memory s = fresh(3);
        yes(lockNative(native, s, DEADLINE));
        Swap memory wrong = fresh(3);
        which %= 5;
        if (which == 0) wrong.locker = address(uint160(other));
        if (which == 1) wrong.index = uint8(other);
        if (which == 2) wrong.receiver = address(uint160(other));
        if (which == 3) wrong.amount = uint96(other);
        if (which == 4) wrong.expiry = uint40(other);
        vm.assume(keccak256(abi.encode(wrong)) != keccak256(abi.encode(s)));
        vm.warp(uint256(EXPIRY) + 1);
        no(by(CAROL, native, claimFor(wrong)));
        no(by(wrong.receiver, native, claimOwn(wrong)));
        no(by(CAROL, native, refund(wrong)));
        wrong = fresh(3);
        wrong.preimage = bytes32(other);
        if (wrong.preimage != s.preimage) no(by(CAROL, native, claimFor(wrong)));
        require(vm.load(native, key(s)) == live(s), "still live");
    }

    function testFuzz_with_little_gas_a_wrong_preimage_is_no_better(uint32 gasLeft, bytes32 guess) public {
        Swap memory s = fresh(3);
        yes(lockNative(native, s, DEADLINE));
        // The guess that would work if what lies in memory were taken for its hash: the hashlock.
        bytes32 wrong = gasLeft % 2 == 0 ? hashlock(s) : guess;
        vm.assume(wrong != s.preimage);
        bytes memory data = abi.encodeCall(IHtlc.claimFor, (wrong, entry(s), payee(s)));
        (bool ok,) = native.call{gas: gasLeft % 40_000}(data);
        no(ok);
        require(vm.load(native, key(s)) == live(s), "still live");
    }

    function test_a_live_slot_is_not_locked_again_and_nobody_else_can_write_it() public {
        Swap memory s = fresh(3);
        yes(lockNative(native, s, DEADLINE));
        no(lockNative(native, s, DEADLINE));
        Swap memory squat = fresh(3);
        squat.locker = CAROL;
        vm.deal(CAROL, 1 ether);
        yes(lockNative(native, squat, DEADLINE)); // her own slot
        require(vm.load(native, key(s)) == live(s), "untouched");
        require(key(s) != key(squat), "other slots");
    }

    function test_what_has_ended_is_not_revived_by_anybody() public {
        Swap memory s = fresh(3);
        yes(lockNative(native, s, DEADLINE));
        yes(by(bob, native, claimOwn(s)));
        require(vm.load(native, key(s)) == ended(s, s.preimage), "preimage");
        no(by(bob, native, claimOwn(s)));
        no(by(CAROL, native, claimFor(s)));
        vm.warp(uint256(EXPIRY) + 1);
        no(by(alice, native, refund(s)));
        require(bob.balance == 1 ether && native.balance == 0, "paid once");
    }

    function test_a_claim_works_until_the_refund_which_waits_for_the_expiry_to_pass() public {
        Swap memory s = fresh(3);
        Swap memory other = fresh(4);
        yes(lockNative(native, s, DEADLINE));
        yes(lockNative(native, other, DEADLINE));
        vm.warp(EXPIRY);
        no(by(CAROL, native, refund(s)));
        vm.warp(uint256(EXPIRY) + 30 days);
        yes(by(CAROL, native, claimFor(other)));
        yes(by(CAROL, native, refund(s)));
        require(vm.load(native, key(s)) == ended(s, hashlock(s)), "hashlock");
        no(by(bob, native, claimOwn(s)));
        require(alice.balance == 99 ether && bob.balance == 1 ether, "each what is his");
    }

    function test_clear_mode_leaves_nothing_but_a_log() public {
        Swap memory s = fresh(200);
        Swap memory other = fresh(128);
        yes(lockNative(native, s, DEADLINE));
        yes(lockNative(native, other, DEADLINE));
        vm.recordLogs();
        yes(by(bob, native, claimOwn(s)));
        vm.warp(uint256(EXPIRY) + 1);
        yes(by(CAROL, native, refund(other)));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        require(logs.length == 2 && logs[0].topics.length == 0 && logs[0].emitter == native, "logs");
        require(bytes32(logs[0].data) == s.preimage && bytes32(logs[1].data) == hashlock(other), "marks");
        require(vm.load(native, key(s)) == 0 && vm.load(native, key(other)) == 0, "cleared");
    }

    // ------------------------------------------------------------ batches

    function test_a_batch_of_locks_is_all_or_none_and_pays_its_sum() public {
        bytes memory three = abi.encodePacked(lockItem(fresh(1)), lockItem(fresh(2)), lockItem(fresh(3)));
        bytes memory data = abi.encodeCall(INativeLock.lockMany, (DEADLINE, three));
        for (uint256 sent = 2 ether; sent <= 4 ether; sent += 2 ether) {
            vm.prank(alice);
            (bool ok,) = native.call{value: sent}(data);
            no(ok);
        }
        vm.prank(alice);
        (bool done,) = native.call{value: 3 ether}(data);
        yes(done);
        for (uint8 i = 1; i <= 3; ++i) require(vm.load(native, key(fresh(i))) == live(fresh(i)), "live");
        bytes memory again = abi.encodePacked(lockItem(fresh(4)), lockItem(fresh(3)));
        data = abi.encodeCall(INativeLock.lockMany, (DEADLINE, again));
        vm.prank(alice);
        (done,) = native.call{value: 2 ether}(data);
        no(done);
        require(vm.load(native, key(fresh(4))) == 0, "none");
        bytes memory twice = abi.encodePacked(lockItem(fresh(5)), lockItem(fresh(5)));
        no(by(alice, tokens, abi.encodeCall(ITokenLock.lockMany, (DEADLINE, twice))));
        yes(by(alice, tokens, abi.encodeCall(ITokenLock.lockMany, (DEADLINE, three))));
        require(token.balanceOf(tokens) == 3 ether, "drawn at once");
        no(by(alice, native, abi.encodeCall(INativeLock.lockMany, (DEADLINE, hex"00"))));
    }

    function test_an_item_that_somebody_else_claimed_first_is_skipped() public {
        bytes memory items;
        for (uint8 i; i < 3; ++i) {
            yes(lockNative(native, fresh(i), DEADLINE));
            items = abi.encodePacked(items, claimItem(fresh(i)));
        }
        yes(by(CAROL, native, claimFor(fresh(1))));
        yes(by(bob, native, abi.encodeCall(IHtlc.claimThese, (abi.encodePacked(items, items)))));
        require(bob.balance == 3 ether && native.balance == 0, "each once");
    }

    function test_a_batch_for_others_skips_who_refuses_or_burns_gas_and_pays_the_rest() public {
        Party refuses = new Party();
        Party burns = new Party();
        refuses.be(Party.Manner.Refuses);
        burns.be(Party.Manner.BurnsGas);
        Swap[3] memory all = [to(address(refuses), 0), to(address(burns), 1), fresh(2)];
        bytes memory items;
        for (uint256 i; i < 3; ++i) {
            yes(lockNative(native, all[i], DEADLINE));
            items = abi.encodePacked(items, claimForItem(all[i]));
        }
        bytes memory data = abi.encodeCall(IHtlc.claimForMany, (100_000, items));
        vm.prank(CAROL);
        (bool ok,) = native.call{gas: 150_000}(data); // not enough for what it promises: nothing
        no(ok);
        uint256 before = gasleft();
        yes(by(CAROL, native, data));
        require(before - gasleft() < 320_000, "what is burnt is bounded");
        require(bob.balance == 1 ether, "paid");
        vm.warp(uint256(EXPIRY) + 1);
        items = abi.encodePacked(refundItem(all[0]), refundItem(all[1]), refundItem(all[2]));
        yes(by(CAROL, native, abi.encodeCall(IHtlc.refundMany, (100_000, items))));
        require(alice.balance == 99 ether && native.balance == 0, "the others went back");
    }

    // ------------------------------------------------------------ hostile receivers and tokens

    function test_a_receiver_that_comes_back_is_paid_once() public {
        Party thief = new Party();
        thief.be(Party.Manner.Reenters);
        Swap memory s = to(address(thief), 3);
        yes(lockNative(native, s, DEADLINE));
        yes(lockNative(native, fresh(4), DEADLINE));
        thief.aim(native, claimFor(s), 0);
        yes(by(CAROL, native, claimFor(s)));
        require(thief.tried() != 0 && thief.succeeded() == 0, "in vain");
        require(address(thief).balance == 1 ether && native.balance == 1 ether, "once");
    }

    function test_a_token_that_does_not_deliver_exactly_is_not_locked() public {
        for (uint8 m; m <= uint8(HostileToken.Mode.MovesMore); ++m) {
            HostileToken.Mode mode = HostileToken.Mode(m);
            token.be(mode);
            Swap memory s = fresh(m);
            bool fine = mode == HostileToken.Mode.Plain || mode == HostileToken.Mode.NoReturn
                || mode == HostileToken.Mode.Hooks;
            bytes32 when = bytes32(abi.encodePacked(s.index, s.expiry, DEADLINE, bytes21(0)));
            bytes memory data = abi.encodeCall(ITokenLock.lock, (hashlock(s), uint256(payee(s)), uint256(when)));
            vm.prank(alice);
            (bool ok,) = tokens.call{gas: 500_000}(data);
            require(ok == fine, "accepted otherwise than stated");
            require(vm.load(tokens, key(s)) == (fine ? live(s) : bytes32(0)), "slot");
        }
    }

    function test_a_token_that_refuses_to_pay_leaves_the_swap_live() public {
        Swap memory s = fresh(3);
        yes(lockToken(tokens, s, DEADLINE));
        HostileToken.Mode[4] memory bad = [
            HostileToken.Mode.SaysNo,
            HostileToken.Mode.Reverts,
            HostileToken.Mode.SaysTwo,
            HostileToken.Mode.SaysShort
        ];
        for (uint256 i; i < bad.length; ++i) {
            token.be(bad[i]);
            no(by(bob, tokens, claimOwn(s)));
            require(vm.load(tokens, key(s)) == live(s), "still live");
        }
        bytes memory code = address(token).code;
        vm.etch(address(token), "");
        no(by(bob, tokens, claimOwn(s)));
        no(lockToken(tokens, fresh(4), DEADLINE));
        vm.etch(address(token), code);
        token.be(HostileToken.Mode.NoReturn);
        yes(by(bob, tokens, claimOwn(s)));
        require(token.balanceOf(bob) == 1 ether, "paid");
    }

    function test_there_is_no_contract_for_a_token_without_code() public {
        require(createFor(CAROL) == address(0), "created");
        require(createFor(address(token)) != address(0), "not created");
    }

    function test_one_deposit_is_not_counted_for_two_locks() public {
        token.be(HostileToken.Mode.Hooks);
        Party thief = new Party();
        token.mint(address(thief), 10 ether);
        thief.be(Party.Manner.Reenters);
        Swap memory inner = hooked(thief, 2);
        bytes32 when = bytes32(abi.encodePacked(uint8(2), EXPIRY, DEADLINE, bytes21(0)));
        thief.aim(tokens, abi.encodeCall(ITokenLock.lock, (hashlock(inner), uint256(payee(inner)), uint256(when))), 0);
        no(lockToken(tokens, hooked(thief, 1), DEADLINE));
        require(vm.load(tokens, key(inner)) == 0 && vm.load(tokens, key(hooked(thief, 1))) == 0, "neither");
        require(token.balanceOf(tokens) == 0, "nothing drawn");
        thief.be(Party.Manner.Takes);
        yes(lockToken(tokens, hooked(thief, 1), DEADLINE)); // one after the other, in one transaction
        yes(lockToken(tokens, inner, DEADLINE));
    }

    function test_what_a_fee_took_is_not_made_up_by_a_lock_within_the_lock() public {
        token.be(HostileToken.Mode.FeeAndHooks);
        Party thief = new Party();
        token.mint(address(thief), 10 ether);
        thief.be(Party.Manner.Reenters);
        Swap memory outer = hooked(thief, 1); // 1 of it, of which 0.9 arrive
        Swap memory inner = hooked(thief, 2);
        inner.amount = 0.1 ether; // arrives whole
        bytes32 when = bytes32(abi.encodePacked(uint8(2), EXPIRY, DEADLINE, bytes21(0)));
        thief.aim(tokens, abi.encodeCall(ITokenLock.lock, (hashlock(inner), uint256(payee(inner)), uint256(when))), 0);
        no(lockToken(tokens, outer, DEADLINE));
        require(token.balanceOf(tokens) == 0 && vm.load(tokens, key(inner)) == 0, "neither");
    }

    function test_a_claim_within_a_lock_only_spoils_the_lock() public {
        token.be(HostileToken.Mode.Hooks);
        Party thief = new Party();
        token.mint(address(thief), 10 ether);
        Swap memory old = hooked(thief, 1);
        old.receiver = address(thief);
        yes(lockToken(tokens, old, DEADLINE));
        thief.be(Party.Manner.Reenters);
        thief.aim(tokens, claimFor(old), 0);
        no(lockToken(tokens, hooked(thief, 2), DEADLINE));
        require(vm.load(tokens, key(old)) == live(old), "as before");
        require(token.balanceOf(tokens) == 1 ether && token.balanceOf(address(thief)) == 9 ether, "as before");
    }

    function test_the_contract_is_nobody_to_lock_for() public {
        no(lockToken(tokens, to(tokens, 1), DEADLINE));
        no(by(CAROL, native, "")); // coins that belong to no swap are not taken
        (bool ok,) = native.call{value: 1}("");
        no(ok);
    }

    // ------------------------------------------------------------ permits and fees

    function permit(TestToken t, address spender, uint256 deadline, uint256 secret)
        internal
        view
        returns (uint8, bytes32, bytes32)
    {
        bytes32 what = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                alice,
                spender,
                uint256(1 ether),
                t.nonces(alice),
                deadline
            )
        );
        return vm.sign(secret, keccak256(abi.encodePacked(hex"1901", t.DOMAIN_SEPARATOR(), what)));
    }

    function test_a_permit_that_somebody_sent_first_does_not_stop_the_lock() public {
        TestToken t = new TestToken("Test", "TEST", 18);
        address htlc = createFor(address(t));
        t.mint(alice, 10 ether);
        bytes32 when = bytes32(abi.encodePacked(uint8(1), EXPIRY, DEADLINE, bytes21(0)));
        Swap memory s = fresh(1);
        (uint8 v, bytes32 r, bytes32 w) = permit(t, htlc, EXPIRY, ALICE_KEY);
        bytes memory used = abi.encodeCall(
            ITokenLock.lockWithPermit, (hashlock(s), uint256(payee(s)), uint256(when), EXPIRY, v, r, w)
        );
        yes(by(alice, htlc, used));
        no(by(alice, htlc, used));
        yes(by(bob, htlc, claimOwn(s)));
        no(by(alice, htlc, used)); // the slot is free, the permit is not
        (v, r, w) = permit(t, htlc, EXPIRY, BOB_KEY);
        bytes memory forged = abi.encodeCall(
            ITokenLock.lockWithPermit, (hashlock(s), uint256(payee(s)), uint256(when), EXPIRY, v, r, w)
        );
        no(by(alice, htlc, forged));
        (v, r, w) = permit(t, htlc, EXPIRY, ALICE_KEY);
        bytes memory data = abi.encodeCall(
            ITokenLock.lockWithPermit, (hashlock(s), uint256(payee(s)), uint256(when), EXPIRY, v, r, w)
        );
        no(by(CAROL, htlc, data)); // a permit is of use to its owner only
        t.permit(alice, htlc, 1 ether, EXPIRY, v, r, w);
        yes(by(alice, htlc, data));
        require(vm.load(htlc, key(s)) == live(s) && t.allowance(alice, htlc) == 0, "locked, nothing left");
        token.be(HostileToken.Mode.Plain); // a token without permit
        bytes memory none = abi.encodeCall(ITokenLock.lockWithPermit, (hashlock(s), uint256(payee(s)), uint256(when), 1, 27, r, w));
        yes(by(alice, tokens, none));
    }

    function test_a_relayer_gets_the_fee_that_the_receiver_signed_and_nobody_more() public {
        Swap memory s = fresh(3);
        yes(lockNative(native, s, DEADLINE));
        yes(lockNative(native, fresh(4), DEADLINE));
        (bytes32 r, bytes32 vs) = signed(BOB_KEY, feeDigest(native, s, CAROL, 0.1 ether, NOW + 60));
        bytes32 relay = bytes32(abi.encodePacked(CAROL, uint96(0.1 ether)));
        bytes memory data = abi.encodeCall(
            IHtlc.claimWithFee, (s.preimage, entry(s), payee(s), uint256(relay), NOW + 60, r, vs)
        );
        no(by(CAROL, native, data)); // not before
        vm.warp(uint256(NOW) + 60);
        refuse(s, CAROL, 0.1 ether + 1, NOW + 60, r, vs); // more
        refuse(s, address(this), 0.1 ether, NOW + 60, r, vs); // somebody else
        refuse(s, CAROL, 0.1 ether, NOW + 59, r, vs); // another time
        refuse(fresh(4), CAROL, 0.1 ether, NOW + 60, r, vs); // another swap
        (bytes32 r2, bytes32 vs2) = signed(ALICE_KEY, feeDigest(native, s, CAROL, 0.1 ether, NOW + 60));
        refuse(s, CAROL, 0.1 ether, NOW + 60, r2, vs2); // not the receiver
        refuse(s, CAROL, 0.1 ether, NOW + 60, 0, 0); // nobody
        (r2, vs2) = signed(BOB_KEY, feeDigest(tokens, s, CAROL, 0.1 ether, NOW + 60));
        refuse(s, CAROL, 0.1 ether, NOW + 60, r2, vs2); // another contract
        (r2, vs2) = signed(BOB_KEY, feeDigest(native, s, CAROL, 1 ether + 1, NOW));
        refuse(s, CAROL, 1 ether + 1, NOW, r2, vs2); // more than there is
        uint256 chain = block.chainid;
        vm.chainId(99);
        no(by(CAROL, native, data)); // another chain
        vm.chainId(chain);
        yes(by(address(this), native, data));
        require(CAROL.balance == 0.1 ether && bob.balance == 0.9 ether, "fee and rest");
        no(by(CAROL, native, data));
    }

    function refuse(Swap memory s, address relayer, uint96 fee, uint40 from, bytes32 r, bytes32 vs) internal {
        bytes32 relay = bytes32(abi.encodePacked(relayer, fee));
        no(by(CAROL, native, abi.encodeCall(IHtlc.claimWithFee, (s.preimage, entry(s), payee(s), uint256(relay), from, r, vs))));
    }

    function test_a_refund_pays_a_relayer_what_the_locker_signed_and_only_after_expiry() public {
        Swap memory s = fresh(3);
        yes(lockToken(tokens, s, DEADLINE));
        (bytes32 r, bytes32 vs) = signed(ALICE_KEY, feeDigest(tokens, s, address(0), 1 ether, 0));
        bytes32 relay = bytes32(abi.encodePacked(address(0), uint96(1 ether)));
        bytes memory data = abi.encodeCall(
            IHtlc.refundWithFee, (hashlock(s), entry(s), payee(s), uint256(relay), 0, r, vs)
        );
        no(by(CAROL, tokens, data));
        no(by(CAROL, tokens, abi.encodeCall(IHtlc.claimWithFee, (s.preimage, entry(s), payee(s), uint256(relay), 0, r, vs))));
        vm.warp(uint256(EXPIRY) + 1);
        yes(by(CAROL, tokens, data)); // relayer zero: whoever sends it
        require(token.balanceOf(CAROL) == 1 ether && token.balanceOf(tokens) == 0, "all of it, as signed");
    }
}
