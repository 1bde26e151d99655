// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Base, Swap} from "./Base.sol";
import {HostileToken, Party} from "./Hostile.sol";

/// What tests start from: one contract of the coin, one of a token that does as it is told, and three
/// parties: Alice locks for Bob, and Carol has no part in it.
abstract contract Stage is Base {
    uint256 constant ALICE_KEY = 0xA11CE;
    uint256 constant BOB_KEY = 0xB0B;
    uint40 constant NOW = 1_800_000_000;
    uint40 constant DEADLINE = NOW + 1 hours;
    uint40 constant EXPIRY = NOW + 10 hours;

    address alice;
    address bob;
    address constant CAROL = address(0xCA401);
    address native;
    HostileToken token;
    address tokens;

    function setUp() public {
        vm.warp(NOW);
        alice = vm.addr(ALICE_KEY);
        bob = vm.addr(BOB_KEY);
        native = createNative();
        token = new HostileToken();
        tokens = createFor(address(token));
        vm.deal(alice, 100 ether);
        token.mint(alice, 100 ether);
    }

    function fresh(uint8 index) internal view returns (Swap memory) {
        return Swap(alice, index, bob, 1 ether, EXPIRY, keccak256(abi.encode("secret", index)));
    }

    function to(address receiver, uint8 index) internal view returns (Swap memory s) {
        s = fresh(index);
        s.receiver = receiver;
    }

    function yes(bool what) internal pure {
        require(what, "should have succeeded");
    }

    function no(bool what) internal pure {
        require(!what, "should have failed");
    }

    function hooked(Party thief, uint8 index) internal view returns (Swap memory s) {
        s = fresh(index);
        s.locker = address(thief);
    }
}
