// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Htlc} from "./Htlc.sol";

/// @title The HTLC of a chain's native coin.
contract NativeHtlc is Htlc {
    /// terms = receiver(20) | index(1) | expiry(5) | deadline(5) | unused(1); the amount is the value sent.
    function lock(bytes32 hashlock, bytes32 terms) external payable {
        uint256 expiry = uint40(uint256(terms) >> 48);
        uint256 deadline = uint40(uint256(terms) >> 8);
        _checkTimes(deadline, expiry);
        _openFor(uint256(terms) >> 96, msg.value, uint8(uint256(terms) >> 88), hashlock, expiry);
    }

    /// Several at once, packed: hashlock(32) | receiver(20) | index(1) | expiry(5) | amount(12).
    /// All or none; the amounts must add up to the value sent.
    function lockMany(uint40 deadline, bytes calldata items) external payable {
        uint256 total;
        (uint256 at, uint256 end) = _span(items, 70);
        unchecked {
            for (; at < end; at += 70) {
                uint256 terms = uint256(_word(at + 32));
                uint256 amount = uint96(uint256(_word(at + 38)));
                uint256 expiry = uint40(terms >> 48);
                _checkTimes(deadline, expiry);
                _openFor(terms >> 96, amount, uint8(terms >> 88), _word(at), expiry);
                total += amount;
            }
        }
        if (total != msg.value) revert BadTerms();
    }

    function _openFor(uint256 receiver, uint256 amount, uint256 index, bytes32 hashlock, uint256 expiry) private {
        bool bad;
        assembly ("memory-safe") {
            bad := or(or(iszero(receiver), iszero(amount)), shr(96, amount))
        }
        if (bad) revert BadTerms();
        _open(index, hashlock, bytes32((receiver << 96) | amount), expiry);
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
