// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title What the HTLC of the native coin and the HTLC of a token have in common.
/// @notice No owner, no upgrade, no pause, no fee of ours. docs/contract.md has a page per function:
/// what can and cannot happen, and why.
///
/// One swap = one storage slot of its locker: key = locker(20) | index(1), so nobody but the locker
/// can create, overwrite or squat it. What is in a slot:
///   top bit set    live: keccak256(hashlock, receiver | amount, expiry), its top bit set
///   top bit clear  free: zero (never used), or how its last swap ended:
///                  the preimage of a claim, or the hashlock of a refund, each without its top bit
/// An index of 128 or more asks for clear mode: at its end the slot is zeroed (the last one to touch
/// it gets gas back) and the preimage or hashlock is logged. Below 128 the slot stays non-zero, so
/// that the locker's next swap in it costs 17,100 gas less.
///
/// Words of the interface, big-endian, from the left:
///   entry = locker(20) | index(1) | expiry(5) | unused(6)
///   payee = receiver(20) | amount(12)
///
/// solc tries selectors in their numeric order, 22 gas each: the name of claimThese is chosen so that
/// claim, refund, claimFor and lock come before it.
abstract contract Htlc {
    error TooLate(); //        the lock's deadline has passed, or its expiry is not after it
    error TooEarly(); //       a refund before expiry, or a fee before the time its signer gave
    error BadTerms(); //       no receiver, no amount, or an amount that does not fit
    error Occupied(); //       the locker's slot still holds a live swap
    error NotLive(); //        no live swap with exactly these terms (or this preimage) in that slot
    error BadFee(); //         a fee above the amount, or not signed by whom it is taken from
    error PayoutFailed(); //   the receiver or the token refused
    error MoreGas(); //        a batch was not given the gas that it promises each item
    error BadItems(); //       packed items of a wrong length

    uint256 internal constant LIVE = 1 << 255;

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("swapd HTLC");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant FEE_TYPE =
        keccak256("Fee(bytes32 slot,bytes32 value,address relayer,uint96 fee,uint40 notBefore)");

    // ---------------------------------------------------------------- claims

    /// The receiver claims for itself: the receiver is the caller, whoever else's terms are named.
    function claim(bytes32 preimage, bytes32 entry, uint96 amount) external {
        bytes32 payee = _payee(msg.sender, amount);
        if (!_take(preimage, entry, payee)) revert NotLive();
        _pay(msg.sender, amount);
    }

    /// Anyone who knows the preimage; the coins go to the receiver of the terms.
    function claimFor(bytes32 preimage, bytes32 entry, bytes32 payee) external {
        if (!_take(preimage, entry, payee)) revert NotLive();
        _pay(_receiver(payee), _amount(payee));
    }

    /// As claimFor, less a fee that the receiver signed for this swap.
    /// relay = relayer(20) | fee(12); relayer zero: whoever sends this.
    function claimWithFee(
        bytes32 preimage,
        bytes32 entry,
        bytes32 payee,
        bytes32 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) external {
        address receiver = _receiver(payee);
        uint256 value = _value(_sha256(preimage), payee, _expiry(entry));
        _checkFee(receiver, _key(entry), value, payee, relay, notBefore, r, vs);
        if (!_take(preimage, entry, payee)) revert NotLive();
        _payBoth(receiver, payee, relay);
    }

    /// The caller's own claims, packed: preimage(32) | locker(20) | index(1) | expiry(5) | amount(12).
    /// Items that are not live (claimed by somebody else meanwhile, refunded) are skipped; the sum of
    /// the others is paid at once.
    function claimThese(bytes calldata items) external {
        uint256 total;
        (uint256 at, uint256 end) = _span(items, 70);
        unchecked {
            for (; at < end; at += 70) {
                uint96 amount = uint96(uint256(_word(at + 38)));
                if (_take(_word(at), _word(at + 32), _payee(msg.sender, amount))) total += amount;
            }
        }
        if (total != 0) _pay(msg.sender, total);
    }

    /// Claims for others, packed: preimage(32) | locker(20) | index(1) | expiry(5) | payee(32).
    /// An item that fails for whatever reason, within the gas given to each, is skipped.
    function claimForMany(uint256 gasEach, bytes calldata items) external {
        _each(this.claimFor.selector, gasEach, items);
    }

    // ---------------------------------------------------------------- refunds

    /// Anyone, after the expiry; the coins go back to the locker.
    function refund(bytes32 hashlock, bytes32 entry, bytes32 payee) external {
        if (!_return(hashlock, entry, payee)) revert NotLive();
        _pay(_locker(entry), _amount(payee));
    }

    /// As refund, less a fee that the locker signed for this swap.
    function refundWithFee(
        bytes32 hashlock,
        bytes32 entry,
        bytes32 payee,
        bytes32 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) external {
        address locker = _locker(entry);
        uint256 value = _value(hashlock, payee, _expiry(entry));
        _checkFee(locker, _key(entry), value, payee, relay, notBefore, r, vs);
        if (!_return(hashlock, entry, payee)) revert NotLive();
        _payBoth(locker, payee, relay);
    }

    /// Refunds, packed: hashlock(32) | locker(20) | index(1) | expiry(5) | payee(32); failures skipped.
    function refundMany(uint256 gasEach, bytes calldata items) external {
        _each(this.refund.selector, gasEach, items);
    }

    // ---------------------------------------------------------------- slots

    /// Makes the caller's slot live. Terms are checked by the callers.
    function _open(uint256 index, bytes32 hashlock, bytes32 payee, uint256 expiry) internal {
        uint256 key = (uint256(uint160(msg.sender)) << 8) | index;
        uint256 value = _value(hashlock, payee, expiry);
        bool live;
        assembly ("memory-safe") {
            live := slt(sload(key), 0)
        }
        if (live) revert Occupied();
        assembly ("memory-safe") {
            sstore(key, value)
        }
    }

    /// Ends a live swap by its preimage. False, and nothing changed, if it is not live.
    function _take(bytes32 preimage, bytes32 entry, bytes32 payee) private returns (bool) {
        return _close(_sha256(preimage), entry, payee, uint256(preimage));
    }

    /// Ends a live swap after its expiry. False, and nothing changed, if it is not live.
    function _return(bytes32 hashlock, bytes32 entry, bytes32 payee) private returns (bool) {
        if (block.timestamp <= _expiry(entry)) revert TooEarly();
        return _close(hashlock, entry, payee, uint256(hashlock));
    }

    function _close(bytes32 hashlock, bytes32 entry, bytes32 payee, uint256 mark) private returns (bool found) {
        uint256 key = _key(entry);
        uint256 value = _value(hashlock, payee, _expiry(entry));
        assembly ("memory-safe") {
            found := eq(sload(key), value)
        }
        if (!found) return false;
        assembly ("memory-safe") {
            switch and(key, 0x80)
            case 0 { sstore(key, shr(1, shl(1, mark))) }
            default {
                sstore(key, 0)
                mstore(0x00, mark)
                log0(0x00, 0x20)
            }
        }
    }

    function _value(bytes32 hashlock, bytes32 payee, uint256 expiry) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            let free := mload(0x40) // its place is borrowed: cheaper than new memory
            mstore(0x00, hashlock)
            mstore(0x20, payee)
            mstore(0x40, expiry)
            value := or(LIVE, keccak256(0x00, 0x60))
            mstore(0x40, free)
        }
    }

    /// The precompile's answer, never what lay in memory before: who can make the inner call fail
    /// (out of gas) must not have his "preimage" taken for the hash.
    function _sha256(bytes32 preimage) private view returns (bytes32 hashlock) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0x00, preimage)
            ok := staticcall(gas(), 2, 0x00, 0x20, 0x00, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
            hashlock := mload(0x00)
        }
        if (!ok) revert NotLive();
    }

    // ---------------------------------------------------------------- words

    function _key(bytes32 entry) private pure returns (uint256) {
        return uint256(entry) >> 88;
    }

    function _locker(bytes32 entry) private pure returns (address) {
        return address(uint160(uint256(entry) >> 96));
    }

    function _expiry(bytes32 entry) private pure returns (uint256) {
        return uint40(uint256(entry) >> 48);
    }

    function _payee(address receiver, uint96 amount) private pure returns (bytes32) {
        return bytes32((uint256(uint160(receiver)) << 96) | amount);
    }

    function _receiver(bytes32 payee) internal pure returns (address) {
        return address(uint160(uint256(payee) >> 96));
    }

    function _amount(bytes32 payee) internal pure returns (uint96) {
        return uint96(uint256(payee));
    }

    /// Where packed items of `size` bytes each begin and end in the calldata.
    function _span(bytes calldata items, uint256 size) internal pure returns (uint256 at, uint256 end) {
        if (items.length % size != 0) revert BadItems();
        assembly ("memory-safe") {
            at := items.offset
            end := add(at, items.length)
        }
    }

    /// The word of the calldata at `at`. Callers use no byte of it beyond their item.
    function _word(uint256 at) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(at)
        }
    }

    /// Now must not be after the deadline, nor the deadline at or after the expiry. (Without branches:
    /// these checks are in the path of every lock.)
    function _checkTimes(uint256 deadline, uint256 expiry) internal view {
        bool late;
        assembly ("memory-safe") {
            late := or(gt(timestamp(), deadline), iszero(lt(deadline, expiry)))
        }
        if (late) revert TooLate();
    }

    // ---------------------------------------------------------------- batches and fees

    /// Calls ourselves once per item, so that a failing one leaves nothing behind. The gas of each
    /// bounds what a hostile receiver can burn, and is really there: else nothing is done at all.
    function _each(bytes4 selector, uint256 gasEach, bytes calldata items) private {
        (uint256 at, uint256 end) = _span(items, 90);
        if (gasEach > 1 << 32) revert MoreGas();
        for (; at < end; at += 90) {
            if (gasleft() < gasEach + gasEach / 32 + 5000) revert MoreGas();
            assembly ("memory-safe") {
                let data := mload(0x40) // the same memory for each item
                mstore(data, selector)
                mstore(add(data, 0x04), calldataload(at))
                mstore(add(data, 0x24), calldataload(add(at, 32)))
                mstore(add(data, 0x44), calldataload(add(at, 58)))
                pop(call(gasEach, address(), 0, data, 0x64, 0, 0))
            }
        }
    }

    function _checkFee(
        address signer,
        uint256 key,
        uint256 value,
        bytes32 payee,
        bytes32 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) private view {
        if (block.timestamp < notBefore) revert TooEarly();
        if (_amount(relay) > _amount(payee)) revert BadFee();
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        bytes32 fee = keccak256(abi.encode(FEE_TYPE, key, value, _receiver(relay), _amount(relay), notBefore));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, fee));
        address who = ecrecover(digest, uint8(27 + (uint256(vs) >> 255)), r, bytes32(uint256(vs) & ~LIVE));
        if (who == address(0) || who != signer) revert BadFee();
    }

    function _payBoth(address to, bytes32 payee, bytes32 relay) private {
        uint96 fee = _amount(relay);
        address relayer = _receiver(relay);
        uint96 rest = _amount(payee) - fee;
        if (rest != 0) _pay(to, rest);
        if (fee != 0) _pay(relayer == address(0) ? msg.sender : relayer, fee);
    }

    /// Pays or reverts. All state is written before it is called.
    function _pay(address to, uint256 amount) internal virtual;
}
