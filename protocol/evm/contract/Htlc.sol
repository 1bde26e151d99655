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
/// solc tries selectors in their numeric order, 22 gas each: names are chosen, and which words are
/// bytes32 and which uint256, so that claim, refund, lock and claimFor come before the others.
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
        bytes32 payee = _mine(amount);
        _close(preimage, true, true, entry, payee);
        _pay(msg.sender, amount);
    }

    /// Anyone who knows the preimage; the coins go to the receiver of the terms.
    function claimFor(bytes32 preimage, bytes32 entry, bytes32 payee) external {
        _close(preimage, true, true, entry, payee);
        _pay(_receiver(payee), _amount(payee));
    }

    /// As claimFor, less a fee that the receiver signed for this swap.
    /// relay = relayer(20) | fee(12); relayer zero: whoever sends this.
    function claimWithFee(
        bytes32 preimage,
        bytes32 entry,
        bytes32 payee,
        uint256 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) external {
        address receiver = _receiver(payee);
        uint256 value = _close(preimage, true, true, entry, payee);
        _checkFee(receiver, _key(entry), value, payee, relay, notBefore, r, vs);
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
                if (_close(_word(at), true, false, _word(at + 32), _mine(amount)) != 0) total += amount;
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
        _close(hashlock, false, true, entry, payee);
        _pay(_locker(entry), _amount(payee));
    }

    /// As refund, less a fee that the locker signed for this swap.
    function refundWithFee(
        bytes32 hashlock,
        bytes32 entry,
        bytes32 payee,
        uint256 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) external {
        address locker = _locker(entry);
        uint256 value = _close(hashlock, false, true, entry, payee);
        _checkFee(locker, _key(entry), value, payee, relay, notBefore, r, vs);
        _payBoth(locker, payee, relay);
    }

    /// Refunds, packed: hashlock(32) | locker(20) | index(1) | expiry(5) | payee(32); failures skipped.
    function refundMany(uint256 gasEach, bytes calldata items) external {
        _each(this.refund.selector, gasEach, items);
    }

    // ---------------------------------------------------------------- slots

    /// Makes the caller's slot live, if the terms are sound; `bad` is what else the caller finds wrong
    /// with them. (Few branches: this is in the path of every lock.)
    function _open(bytes32 hashlock, uint256 payee, uint256 index, uint256 expiry, uint256 deadline, bool bad)
        internal
    {
        bool late;
        assembly ("memory-safe") {
            late := or(gt(timestamp(), deadline), iszero(lt(deadline, expiry)))
            bad := or(bad, or(iszero(shr(96, payee)), iszero(shl(160, payee))))
        }
        if (late) revert TooLate();
        if (bad) revert BadTerms();
        uint256 key;
        bool live;
        assembly ("memory-safe") {
            key := or(shl(8, caller()), index)
            live := slt(sload(key), 0)
        }
        if (live) revert Occupied();
        assembly ("memory-safe") {
            let free := mload(0x40) // its place is borrowed: cheaper than new memory
            mstore(0x00, hashlock)
            mstore(0x20, payee)
            mstore(0x40, expiry)
            sstore(key, or(LIVE, keccak256(0x00, 0x60)))
            mstore(0x40, free)
        }
    }

    /// Ends a live swap: by its preimage, or after its expiry by its hashlock, which is then the mark
    /// that stays. Gives the live value; if there is none, reverts (`must`) or changes nothing and gives
    /// zero. (The two flags are constants where it is called: the compiler makes a copy for each.)
    ///
    /// Of SHA-256 only the precompile's answer is believed, never what lay in memory before: who can make
    /// the inner call fail (out of gas, no such precompile) must not have his "preimage" taken for the hash.
    function _close(bytes32 mark, bool isPreimage, bool must, bytes32 entry, bytes32 payee)
        private
        returns (uint256 value)
    {
        uint256 key = _key(entry);
        uint256 expiry = _expiry(entry);
        if (!isPreimage && block.timestamp <= expiry) revert TooEarly();
        bool found;
        assembly ("memory-safe") {
            let ok := true
            mstore(0x00, mark)
            if isPreimage {
                ok := staticcall(gas(), 2, 0x00, 0x20, 0x00, 0x20)
                ok := and(ok, eq(returndatasize(), 0x20))
            }
            let free := mload(0x40) // its place is borrowed: cheaper than new memory
            mstore(0x20, payee)
            mstore(0x40, expiry)
            value := or(LIVE, keccak256(0x00, 0x60))
            mstore(0x40, free)
            found := and(ok, eq(sload(key), value))
        }
        if (!found) {
            if (must) revert NotLive();
            return 0;
        }
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

    /// The caller as the receiver of `amount`. (Only the address is shifted by hand: no bit of it is
    /// above the 160th, and that of a smaller type as `amount` the compiler sees to.)
    function _mine(uint96 amount) private view returns (bytes32) {
        uint256 me;
        assembly ("memory-safe") {
            me := shl(96, caller())
        }
        return bytes32(me | amount);
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
        uint256 relay,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) private view {
        if (block.timestamp < notBefore) revert TooEarly();
        if (uint96(relay) > _amount(payee)) revert BadFee();
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        bytes32 fee = keccak256(abi.encode(FEE_TYPE, key, value, address(uint160(relay >> 96)), uint96(relay), notBefore));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, fee));
        address who = ecrecover(digest, uint8(27 + (uint256(vs) >> 255)), r, bytes32(uint256(vs) & ~LIVE));
        if (who == address(0) || who != signer) revert BadFee();
    }

    function _payBoth(address to, bytes32 payee, uint256 relay) private {
        uint96 fee = uint96(relay);
        address relayer = address(uint160(relay >> 96));
        uint96 rest = _amount(payee) - fee;
        if (rest != 0) _pay(to, rest);
        if (fee != 0) _pay(relayer == address(0) ? msg.sender : relayer, fee);
    }

    /// Pays or reverts. All state is written before it is called.
    function _pay(address to, uint256 amount) internal virtual;
}
