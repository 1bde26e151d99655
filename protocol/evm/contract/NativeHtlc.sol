// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Htlc} from "./Htlc.sol";

/// @title The HTLC of a chain's native coin.
contract NativeHtlc is Htlc {
    /// terms = receiver(20) | index(1) | expiry(5) | deadline(5) | unused(1); the amount is the value sent.
    function lock(uint256 hashlock, uint256 terms) external payable {
        _openFor(bytes32(hashlock), terms, msg.value, uint40(terms >> 8));
    }

    /// Several at once, packed: hashlock(32) | receiver(20) | index(1) | expiry(5) | amount(12).
    /// All or none; the amounts must add up to the value sent.
    function lockMany(uint40 deadline, bytes calldata items) external payable {
        uint256 total;
        (uint256 at, uint256 end) = _span(items, 70);
        unchecked {
            for (; at < end; at += 70) {
                uint256 amount = uint96(uint256(_word(at + 38)));
                _openFor(_word(at), uint256(_word(at + 32)), amount, deadline);
                total += amount;
            }
        }
        if (total != msg.value) revert BadTerms();
    }

    /// terms = receiver(20) | index(1) | expiry(5) | ...
    function _openFor(bytes32 hashlock, uint256 terms, uint256 amount, uint256 deadline) private {
        uint256 payee;
        bool bad;
        uint256 index;
        assembly ("memory-safe") {
            payee := or(shl(96, shr(96, terms)), amount)
            bad := gt(amount, 0xffffffffffffffffffffffff) // what does not fit would be somebody else's address
            index := byte(20, terms)
        }
        _open(hashlock, payee, index, uint40(terms >> 48), deadline, bad);
    }

    /// The receiver may be a contract that runs code here; it finds its swap already ended.
    function _pay(address to, uint256 amount) internal override {
        bool ok;
        assembly ("memory-safe") {
            ok := call(gas(), to, amount, 0, 0, 0, 0)
        }
        if (!ok) revert PayoutFailed();
    }
}
