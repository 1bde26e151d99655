// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Htlc} from "./Htlc.sol";

/// @title The HTLC of one ERC-20 token: a hostile token can hurt nobody but its own holders.
contract TokenHtlc is Htlc {
    error NoToken(); //     there is no contract at the token's address
    error NotReceived(); // what arrived is not exactly the amount (a fee on transfers, a false "yes")
    error Reentered(); //   a lock within a lock: it could count one deposit twice

    address public immutable token;

    uint256 private transient drawing;

    constructor(address token_) {
        if (token_.code.length == 0) revert NoToken();
        token = token_;
    }

    /// when = index(1) | expiry(5) | deadline(5) | unused(21).
    function lock(bytes32 hashlock, uint256 payee, uint256 when) external {
        _openFor(hashlock, payee, when >> 248, uint40(when >> 208), uint40(when >> 168));
        _draw(uint96(payee));
    }

    /// As lock, with an EIP-2612 permit for exactly the amount. A permit that fails (somebody sent it
    /// before us, the token has none) is no reason to fail: the allowance decides.
    function lockWithPermit(
        bytes32 hashlock,
        uint256 payee,
        uint256 when,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        try IPermit(token).permit(msg.sender, address(this), uint96(payee), permitDeadline, v, r, s) {} catch {}
        _openFor(hashlock, payee, when >> 248, uint40(when >> 208), uint40(when >> 168));
        _draw(uint96(payee));
    }

    /// Several at once, packed: hashlock(32) | receiver(20) | index(1) | expiry(5) | amount(12).
    /// All or none; the sum is drawn at once.
    function lockMany(uint40 deadline, bytes calldata items) external {
        uint256 total;
        (uint256 at, uint256 end) = _span(items, 70);
        unchecked {
            for (; at < end; at += 70) {
                uint256 terms = uint256(_word(at + 32));
                uint256 amount = uint96(uint256(_word(at + 38)));
                _openFor(_word(at), ((terms >> 96) << 96) | amount, uint8(terms >> 88), uint40(terms >> 48), deadline);
                total += amount;
            }
        }
        _draw(total);
    }

    function _openFor(bytes32 hashlock, uint256 payee, uint256 index, uint256 expiry, uint256 deadline) private {
        bool bad;
        assembly ("memory-safe") {
            bad := eq(shr(96, payee), address())
        }
        _open(hashlock, payee, index, expiry, deadline, bad);
    }

    /// Draws exactly `amount` from the caller: our balance must have risen by it. A token that calls
    /// its sender back could open a second lock in between, whose deposit would be counted for both:
    /// each draw writes down the gas that is left, which within it is always less, and fails if that
    /// is not there any more at its end: no lock within a lock. (A claim or refund in between only makes
    /// the difference too small. Balances that wrap around are those of a token that invents them.)
    function _draw(uint256 amount) private {
        uint256 mine = gasleft();
        drawing = mine;
        uint256 before = _balance();
        bytes4 call_ = IToken.transferFrom.selector;
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, call_)
            mstore(add(data, 0x04), caller())
            mstore(add(data, 0x24), address())
            mstore(add(data, 0x44), amount)
        }
        if (!_said(data, 0x64)) revert NotReceived();
        uint256 then = _balance();
        unchecked {
            if (then - before != amount) revert NotReceived();
        }
        if (drawing != mine) revert Reentered();
    }

    function _balance() private view returns (uint256 held) {
        address target = token;
        bytes4 call_ = IToken.balanceOf.selector;
        bool ok;
        assembly ("memory-safe") {
            mstore(0x00, call_)
            mstore(0x04, address())
            ok := staticcall(gas(), target, 0x00, 0x24, 0x00, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            held := mload(0x00)
        }
        if (!ok) revert NotReceived();
    }

    function _pay(address to, uint256 amount) internal override {
        bytes4 call_ = IToken.transfer.selector;
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, call_)
            mstore(add(data, 0x04), to)
            mstore(add(data, 0x24), amount)
        }
        if (!_said(data, 0x44)) revert PayoutFailed();
    }

    /// Calls the token with `size` bytes of free memory at `data`. Whether it did it: it answers true,
    /// or nothing while there is code at its address (tokens older than the standard). Anything else
    /// is a no.
    function _said(uint256 data, uint256 size) private returns (bool yes) {
        address target = token;
        assembly ("memory-safe") {
            yes := call(gas(), target, 0, data, size, 0x00, 0x20)
            switch returndatasize()
            case 0 { yes := and(yes, iszero(iszero(extcodesize(target)))) }
            default { yes := and(yes, and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }
        }
    }
}

interface IToken {
    function balanceOf(address) external view returns (uint256);
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
}

interface IPermit {
    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external;
}
