// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IHtlc, INativeLock, ITokenLock, Swap} from "./Base.sol";
import {HostileToken, Party} from "./Hostile.sol";
import {Stage} from "./Stage.sol";

/// What somebody would try who has read the source.
contract AttacksTest is Stage {
    /// The order of secp256k1.
    uint256 constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    // ------------------------------------------------------------ words and times

    function test_an_amount_does_not_reach_into_the_receiver() public {
        vm.deal(alice, 1 << 98);
        Swap memory s = fresh(1);
        s.amount = type(uint96).max;
        bytes32 terms = bytes32(abi.encodePacked(bob, uint8(1), EXPIRY, DEADLINE, bytes1(0)));
        bytes memory data = abi.encodeCall(INativeLock.lock, (uint256(hashlock(s)), uint256(terms)));
        vm.prank(alice);
        (bool ok,) = native.call{value: (1 << 96) + 1}(data); // for one wei to who is beside Bob?
        no(ok);
        yes(lockNative(native, s, DEADLINE));
        yes(by(bob, native, claimOwn(s)));
        require(bob.balance == type(uint96).max, "the largest there is");
    }

    function test_bits_above_an_amount_make_nobody_the_receiver() public {
        Swap memory s = to(address(0xF3), 1);
        yes(lockNative(native, s, DEADLINE));
        uint256 dirty = (2 << 96) | uint256(s.amount); // or-ed onto 0xF1 it would be 0xF3
        bytes4 call_ = IHtlc.claim.selector;
        no(by(address(0xF1), native, abi.encodeWithSelector(call_, s.preimage, entry(s), dirty)));
        bytes32 unused = bytes32(uint256(entry(s)) | type(uint48).max);
        yes(by(CAROL, native, abi.encodeCall(IHtlc.claimFor, (s.preimage, unused, payee(s)))));
        require(address(0xF3).balance == 1 ether, "whose it is");
    }

    function test_a_lock_names_somebody_and_something() public {
        Swap memory s = to(address(0), 1);
        no(lockNative(native, s, DEADLINE));
        no(lockToken(tokens, s, DEADLINE));
        no(by(alice, tokens, abi.encodeCall(ITokenLock.lockMany, (DEADLINE, lockItem(s)))));
        s = fresh(1);
        s.amount = 0;
        no(lockNative(native, s, DEADLINE));
        no(lockToken(tokens, s, DEADLINE));
        no(by(alice, native, abi.encodeCall(INativeLock.lockMany, (DEADLINE, lockItem(s)))));
    }

    function test_a_lock_may_be_as_late_as_its_deadline_and_that_only_before_the_expiry() public {
        vm.warp(DEADLINE);
        Swap memory s = fresh(1);
        s.expiry = DEADLINE;
        no(lockNative(native, s, DEADLINE));
        no(lockToken(tokens, s, DEADLINE));
        s.expiry = DEADLINE + 1;
        no(lockNative(native, s, DEADLINE - 1));
        no(lockToken(tokens, s, DEADLINE - 1));
        yes(lockNative(native, s, DEADLINE));
        yes(lockToken(tokens, s, DEADLINE));
        bytes memory data = abi.encodeCall(ITokenLock.lockMany, (DEADLINE - 1, lockItem(fresh(2))));
        no(by(alice, tokens, data));
    }

    function test_items_of_a_wrong_length_are_refused() public {
        Swap memory s = fresh(1); // of an amount whose last byte is zero, as is what follows in the calldata
        no(by(alice, tokens, abi.encodeCall(ITokenLock.lockMany, (DEADLINE, cut(lockItem(s))))));
        yes(lockNative(native, s, DEADLINE));
        no(by(bob, native, abi.encodeCall(IHtlc.claimThese, (cut(claimItem(s))))));
        no(by(CAROL, native, abi.encodeCall(IHtlc.claimForMany, (100_000, cut(claimForItem(s))))));
        vm.warp(uint256(EXPIRY) + 1);
        no(by(CAROL, native, abi.encodeCall(IHtlc.refundMany, (100_000, cut(refundItem(s))))));
        require(vm.load(native, key(s)) == live(s), "still live");
    }

    function cut(bytes memory item) internal pure returns (bytes memory) {
        assembly {
            mstore(item, sub(mload(item), 1))
        }
        return item;
    }

    // ------------------------------------------------------------ hashes and gas

    function test_no_hash_is_believed_that_the_precompile_did_not_answer() public {
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        bytes32 guess = hashlock(s);
        bytes memory data = abi.encodeCall(IHtlc.claimFor, (guess, entry(s), payee(s)));
        vm.mockCall(address(2), abi.encodePacked(guess), ""); // a chain without it: nothing answers
        no(by(CAROL, native, data));
        vm.mockCallRevert(address(2), abi.encodePacked(guess), abi.encodePacked(guess));
        no(by(CAROL, native, data));
        vm.clearMockedCalls();
        require(vm.load(native, key(s)) == live(s), "still live");
        yes(by(CAROL, native, claimFor(s)));
    }

    function testFuzz_with_any_gas_an_end_is_whole_or_nothing(uint256 gasLeft, uint256 how) public {
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        vm.warp(uint256(EXPIRY) + 1);
        (bytes32 r, bytes32 vs) = signed(how % 2 == 0 ? BOB_KEY : ALICE_KEY, feeDigest(native, s, CAROL, 1, 0));
        bytes memory data = claimFor(s);
        if (how % 4 == 1) data = refund(s);
        if (how % 4 > 1) data = withFee(how % 4 == 2, s, CAROL, 1, 0, r, vs);
        (bool ok,) = native.call{gas: gasLeft % 120_000}(data);
        address paid = how % 2 == 0 ? bob : alice;
        uint256 had = how % 2 == 0 ? 0 : 99 ether;
        require(paid.balance == (ok ? had + 1 ether - CAROL.balance : had), "whole or nothing");
        require((vm.load(native, key(s)) == live(s)) == !ok, "and so is the slot");
        require(native.balance == (ok ? 0 : 1 ether) && CAROL.balance == (ok && how % 4 > 1 ? 1 : 0), "and the fee");
    }

    function testFuzz_with_any_gas_a_fee_that_nobody_signed_is_none(uint256 gasLeft, bytes32 r, bytes32 vs) public {
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        (bool ok,) = native.call{gas: gasLeft % 120_000}(withFee(true, s, CAROL, 1, 0, r, vs));
        no(ok);
    }

    function test_what_a_batch_promises_each_it_gives_or_does_nothing() public {
        Party picky = new Party();
        Swap memory first = to(address(picky), 1);
        Swap memory second = to(address(picky), 2);
        yes(lockNative(native, first, DEADLINE));
        yes(lockNative(native, second, DEADLINE));
        bytes memory items = abi.encodePacked(claimForItem(first), claimForItem(second));
        bytes memory data = abi.encodeCall(IHtlc.claimForMany, (3_000_000, items));
        picky.wants(1);
        uint256 state = vm.snapshotState();
        (bool all,) = native.call(data);
        yes(all);
        uint256 given = picky.seen(); // when there is plenty
        vm.revertToState(state);
        picky.wants(given);
        state = vm.snapshotState();
        uint256 done;
        for (uint256 sent = 3_000_000; sent < 6_500_000; sent += 12_499) {
            (bool ok,) = native.call{gas: sent}(data);
            bool paid = address(picky).balance == 2 ether;
            require(ok == paid, "it was done with less than promised");
            if (ok) ++done;
            vm.revertToState(state);
        }
        require(done != 0, "never");
        no(by(CAROL, native, abi.encodeCall(IHtlc.claimForMany, (type(uint256).max, items))));
        no(by(CAROL, native, abi.encodeCall(IHtlc.claimForMany, ((1 << 32) + 1, ""))));
    }

    // ------------------------------------------------------------ calls from within

    function test_from_within_a_payment_everything_is_as_from_outside() public {
        Party thief = new Party();
        thief.be(Party.Manner.Reenters);
        Swap memory first = to(address(thief), 1);
        Swap memory second = to(address(thief), 2);
        yes(lockNative(native, first, DEADLINE));
        yes(lockNative(native, second, DEADLINE));
        yes(lockNative(native, fresh(3), DEADLINE));
        bytes memory both = abi.encodePacked(claimItem(first), claimItem(second), claimItem(first));
        thief.aim(native, abi.encodeCall(IHtlc.claimThese, (both)), 0);
        vm.warp(uint256(EXPIRY) + 1);
        yes(by(CAROL, native, claimFor(first)));
        require(address(thief).balance == 2 ether && native.balance == 1 ether, "each once");
        Swap memory third = to(address(thief), 4);
        third.expiry += 10 hours;
        yes(lockNative(native, third, EXPIRY + 1 hours));
        vm.warp(uint256(third.expiry) + 1);
        thief.aim(native, refund(third), 0);
        yes(by(CAROL, native, claimFor(third)));
        require(thief.tried() != 0 && thief.succeeded() == 0 && native.balance == 1 ether, "no refund of it, too");
    }

    function test_within_a_lock_of_a_token_the_contract_of_the_coin_is_as_ever() public {
        token.be(HostileToken.Mode.Hooks);
        Party both = new Party();
        token.mint(address(both), 10 ether);
        both.be(Party.Manner.Reenters);
        Swap memory coins = to(address(both), 1);
        yes(lockNative(native, coins, DEADLINE));
        both.aim(native, claimOwn(coins), 0);
        yes(lockToken(tokens, hooked(both, 2), DEADLINE));
        require(both.succeeded() == 1 && address(both).balance == 1 ether, "paid once");
        require(token.balanceOf(tokens) == 1 ether, "and locked");
    }

    function test_coins_for_the_contract_itself_can_only_go_back() public {
        Swap memory s = to(native, 1);
        yes(lockNative(native, s, DEADLINE));
        no(by(CAROL, native, claimFor(s)));
        yes(by(CAROL, native, abi.encodeCall(IHtlc.claimForMany, (100_000, claimForItem(s)))));
        require(vm.load(native, key(s)) == live(s), "skipped");
        vm.warp(uint256(EXPIRY) + 1);
        yes(by(CAROL, native, refund(s)));
        require(alice.balance == 100 ether, "back");
    }

    function test_who_locks_known_terms_again_pays_the_receiver_again_and_nobody_else() public {
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        yes(by(bob, native, claimOwn(s)));
        yes(lockNative(native, s, DEADLINE));
        no(by(CAROL, native, claimOwn(s)));
        yes(by(CAROL, native, claimFor(s)));
        require(bob.balance == 2 ether && alice.balance == 98 ether, "as the terms say");
    }

    // ------------------------------------------------------------ fees and tokens

    function test_a_signature_has_no_twin() public {
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        (bytes32 r, bytes32 vs) = signed(BOB_KEY, feeDigest(native, s, CAROL, 1, 0));
        uint256 twin = N - (uint256(vs) & ~(uint256(1) << 255));
        for (uint256 parity; parity < 2; ++parity) {
            uint256 word = (twin & ~(uint256(1) << 255)) | (parity << 255);
            no(by(CAROL, native, withFee(true, s, CAROL, 1, 0, r, bytes32(word))));
        }
        yes(by(CAROL, native, withFee(true, s, CAROL, 1, 0, r, vs)));
    }

    function test_of_nothing_nobody_is_paid() public {
        token.be(HostileToken.Mode.RefusesZero);
        for (uint8 i; i < 2; ++i) {
            uint96 fee = i * 1 ether;
            yes(lockToken(tokens, fresh(i), DEADLINE));
            (bytes32 r, bytes32 vs) = signed(BOB_KEY, feeDigest(tokens, fresh(i), CAROL, fee, 0));
            yes(by(CAROL, tokens, withFee(true, fresh(i), CAROL, fee, 0, r, vs)));
        }
        require(token.balanceOf(bob) == 1 ether && token.balanceOf(CAROL) == 1 ether, "each what is his");
        yes(by(bob, tokens, abi.encodeCall(IHtlc.claimThese, (claimItem(fresh(0))))));
    }

    function test_a_relayer_that_refuses_spoils_only_the_call_with_its_fee() public {
        Party relayer = new Party();
        relayer.be(Party.Manner.Refuses);
        Swap memory s = fresh(1);
        yes(lockNative(native, s, DEADLINE));
        (bytes32 r, bytes32 vs) = signed(BOB_KEY, feeDigest(native, s, address(relayer), 1, 0));
        no(by(CAROL, native, withFee(true, s, address(relayer), 1, 0, r, vs)));
        require(vm.load(native, key(s)) == live(s), "still live");
        yes(by(CAROL, native, claimFor(s)));
    }

    function test_a_yes_counts_only_if_it_is_whole_and_no_revert() public {
        HostileToken.Mode[2] memory bad = [HostileToken.Mode.RevertsYes, HostileToken.Mode.RevertsSilently];
        yes(lockToken(tokens, fresh(1), DEADLINE));
        for (uint256 i; i < bad.length; ++i) {
            token.be(bad[i]);
            no(lockToken(tokens, fresh(2), DEADLINE));
            no(by(bob, tokens, claimOwn(fresh(1))));
            require(vm.load(tokens, key(fresh(1))) == live(fresh(1)), "still live");
        }
        token.mint(tokens, 1); // the last byte of this balance is where that of the answer is missing
        token.be(HostileToken.Mode.SaysShort);
        no(lockToken(tokens, fresh(2), DEADLINE));
    }

    function test_balances_that_are_not_answered_are_not_counted() public {
        token.be(HostileToken.Mode.BalanceReverts);
        no(lockToken(tokens, fresh(1), DEADLINE));
        token.be(HostileToken.Mode.BalanceShort);
        no(lockToken(tokens, fresh(1), DEADLINE));
        token.be(HostileToken.Mode.Plain);
        yes(lockToken(tokens, fresh(1), DEADLINE));
    }
}
