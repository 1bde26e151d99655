// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Htlc} from "./Htlc.sol";

/// @title The HTLC of one ERC-20 token: a hostile token can hurt nobody but its own holders.
contract TokenHtlc is Htlc {
    error NoToken(); //     there is no contract at the token's address
    error NotReceived(); // what arrived is not exactly the amount (a fee on transfers, a false "yes")
    error Reentered(); //   a lock within a lock: it could count one deposit twice

    address public immutable token;

    uint256 private transient locking;

    constructor(address token_) {
        if (token_.code.length == 0) revert NoToken();
        token = token_;
    }

    /// when = index(1) | expiry(5) | deadline(5) | unused(21).
    function lock(bytes32 hashlock, bytes32 payee, bytes32 when) external {
        _lock(hashlock, payee, when);
    }

    /// As lock, with an EIP-2612 permit for exactly the amount. A permit that fails (somebody sent it
    /// before us, the token has none) is no reason to fail: the allowance decides.
    function lockWithPermit(
        bytes32 hashlock,
        bytes32 payee,
        bytes32 when,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        try IPermit(token).permit(msg.sender, address(this), _amount(payee), permitDeadline, v, r, s) {} catch {}
        _lock(hashlock, payee, when);
    }

    /// Several at once, packed: hashlock(32) | receiver(20) | index(1) | expiry(5) | amount(12).
    /// All or none; the sum is drawn at once.
    function lockMany(uint40 deadline, bytes calldata items) external {
        if (items.length % 70 != 0) revert BadItems();
        if (block.timestamp > deadline) revert TooLate();
        uint256 total;
        for (uint256 at; at < items.length; at += 70) {
            uint256 terms = uint256(_word(items, at + 32));
            uint256 amount = uint96(uint256(_word(items, at + 38)));
            uint256 expiry = uint40(terms >> 48);
            if (deadline >= expiry) revert TooLate();
            _openFor(bytes32(((terms >> 96) << 96) | amount), uint8(terms >> 88), _word(items, at), expiry);
            unchecked {
                total += amount;
            }
        }
        _draw(total);
    }

    function _lock(bytes32 hashlock, bytes32 payee, bytes32 when) private {
        uint256 expiry = uint40(uint256(when) >> 208);
        uint256 deadline = uint40(uint256(when) >> 168);
        if (block.timestamp > deadline || deadline >= expiry) revert TooLate();
        _openFor(payee, uint256(when) >> 248, hashlock, expiry);
        _draw(_amount(payee));
    }

    function _openFor(bytes32 payee, uint256 index, bytes32 hashlock, uint256 expiry) private {
        address receiver = _receiver(payee);
        if (receiver == address(0) || receiver == address(this) || _amount(payee) == 0) revert BadTerms();
        _open(index, hashlock, payee, expiry);
    }

    /// Draws exactly `amount` from the caller: our balance must have risen by it. A token that calls
    /// its sender back could open a second lock in between, whose deposit would be counted for both:
    /// no lock within a lock. (A claim or refund in between only makes the difference too small.)
    function _draw(uint256 amount) private {
        if (locking != 0) revert Reentered();
        locking = 1;
        uint256 before = _balance();
        if (!_said(abi.encodeCall(IToken.transferFrom, (msg.sender, address(this), amount)))) revert NotReceived();
        uint256 then = _balance();
        if (then < before || then - before != amount) revert NotReceived();
        locking = 0;
    }

    function _balance() private view returns (uint256) {
        return IToken(token).balanceOf(address(this));
    }

    function _pay(address to, uint256 amount) internal override {
        if (!_said(abi.encodeCall(IToken.transfer, (to, amount)))) revert PayoutFailed();
    }

    /// Whether the token did it: it answers true, or nothing while there is code at its address
    /// (tokens older than the standard). Anything else is a no.
    function _said(bytes memory data) private returns (bool yes) {
        address target = token;
        assembly ("memory-safe") {
            yes := call(gas(), target, 0, add(data, 0x20), mload(data), 0x00, 0x20)
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
