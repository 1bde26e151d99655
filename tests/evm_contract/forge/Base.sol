// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function warp(uint256) external;
    function deal(address, uint256) external;
    function prank(address) external;
    function etch(address, bytes calldata) external;
    function load(address, bytes32) external view returns (bytes32);
    function sign(uint256, bytes32) external pure returns (uint8, bytes32, bytes32);
    function addr(uint256) external pure returns (address);
    function chainId(uint256) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function assume(bool) external pure;
    function mockCall(address, bytes calldata, bytes calldata) external;
    function mockCallRevert(address, bytes calldata, bytes calldata) external;
    function clearMockedCalls() external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256) external returns (bool);
    function envBytes(string calldata) external view returns (bytes memory);
}

interface INativeLock {
    function lock(uint256, uint256) external payable;
    function lockMany(uint40, bytes calldata) external payable;
}

interface ITokenLock {
    function lock(bytes32, uint256, uint256) external;
    function lockMany(uint40, bytes calldata) external;
    function lockWithPermit(bytes32, uint256, uint256, uint256, uint8, bytes32, bytes32) external;
    function token() external view returns (address);
}

interface IHtlc {
    function claim(bytes32, bytes32, uint96) external;
    function claimFor(bytes32, bytes32, bytes32) external;
    function claimWithFee(bytes32, bytes32, bytes32, uint256, uint40, bytes32, bytes32) external;
    function claimThese(bytes calldata) external;
    function claimForMany(uint256, bytes calldata) external;
    function refund(bytes32, bytes32, bytes32) external;
    function refundWithFee(bytes32, bytes32, bytes32, uint256, uint40, bytes32, bytes32) external;
    function refundMany(uint256, bytes calldata) external;
}

/// Terms of one lock, with the secret.
struct Swap {
    address locker;
    uint8 index;
    address receiver;
    uint96 amount;
    uint40 expiry;
    bytes32 preimage;
}

/// What calls of the contract look like, written from docs/contract.md and not from the source.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    /// Of each call: what a hostile token or receiver burns must not stop the test.
    uint256 internal constant GAS = 3_000_000;

    /// From the creation code that the project ships, which whoever runs the tests puts there.
    function createNative() internal returns (address) {
        return _create(vm.envBytes("NATIVE_HTLC"));
    }

    function createFor(address token) internal returns (address) {
        return _create(abi.encodePacked(vm.envBytes("TOKEN_HTLC"), abi.encode(token)));
    }

    function _create(bytes memory code) internal returns (address at) {
        assembly {
            at := create(0, add(code, 0x20), mload(code))
        }
    }

    function hashlock(Swap memory s) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(s.preimage));
    }

    function entry(Swap memory s) internal pure returns (bytes32) {
        return bytes32(abi.encodePacked(s.locker, s.index, s.expiry, bytes6(0)));
    }

    function payee(Swap memory s) internal pure returns (bytes32) {
        return bytes32(abi.encodePacked(s.receiver, s.amount));
    }

    function key(Swap memory s) internal pure returns (bytes32) {
        return bytes32((uint256(uint160(s.locker)) << 8) | s.index);
    }

    function live(Swap memory s) internal pure returns (bytes32) {
        bytes32 all = keccak256(abi.encodePacked(hashlock(s), s.receiver, s.amount, uint256(s.expiry)));
        return bytes32(uint256(all) | (1 << 255));
    }

    /// What the slot holds after a claim or a refund that left `mark`.
    function ended(Swap memory s, bytes32 mark) internal pure returns (bytes32) {
        return s.index < 128 ? bytes32((uint256(mark) << 1) >> 1) : bytes32(0);
    }

    function lockNative(address htlc, Swap memory s, uint40 deadline) internal returns (bool ok) {
        bytes32 terms = bytes32(abi.encodePacked(s.receiver, s.index, s.expiry, deadline, bytes1(0)));
        bytes memory data = abi.encodeCall(INativeLock.lock, (uint256(hashlock(s)), uint256(terms)));
        vm.prank(s.locker); // the next call, be it of a precompile
        (ok,) = htlc.call{value: s.amount, gas: GAS}(data);
    }

    function lockToken(address htlc, Swap memory s, uint40 deadline) internal returns (bool ok) {
        ok = by(s.locker, htlc, tokenLock(s, deadline));
    }

    function tokenLock(Swap memory s, uint40 deadline) internal pure returns (bytes memory) {
        bytes32 when = bytes32(abi.encodePacked(s.index, s.expiry, deadline, bytes21(0)));
        return abi.encodeCall(ITokenLock.lock, (hashlock(s), uint256(payee(s)), uint256(when)));
    }

    function by(address who, address htlc, bytes memory data) internal returns (bool ok) {
        vm.prank(who);
        (ok,) = htlc.call{gas: GAS}(data);
    }

    function claimOwn(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodeCall(IHtlc.claim, (s.preimage, entry(s), s.amount));
    }

    function claimFor(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodeCall(IHtlc.claimFor, (s.preimage, entry(s), payee(s)));
    }

    function refund(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodeCall(IHtlc.refund, (hashlock(s), entry(s), payee(s)));
    }

    function lockItem(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodePacked(hashlock(s), s.receiver, s.index, s.expiry, s.amount);
    }

    function claimItem(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodePacked(s.preimage, s.locker, s.index, s.expiry, s.amount);
    }

    function claimForItem(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodePacked(s.preimage, s.locker, s.index, s.expiry, payee(s));
    }

    function refundItem(Swap memory s) internal pure returns (bytes memory) {
        return abi.encodePacked(hashlock(s), s.locker, s.index, s.expiry, payee(s));
    }

    /// A claim or a refund with a signed fee.
    function withFee(
        bool claims,
        Swap memory s,
        address relayer,
        uint96 fee,
        uint40 notBefore,
        bytes32 r,
        bytes32 vs
    ) internal pure returns (bytes memory) {
        uint256 relay = (uint256(uint160(relayer)) << 96) | fee;
        if (claims) {
            return abi.encodeCall(IHtlc.claimWithFee, (s.preimage, entry(s), payee(s), relay, notBefore, r, vs));
        }
        return abi.encodeCall(IHtlc.refundWithFee, (hashlock(s), entry(s), payee(s), relay, notBefore, r, vs));
    }

    function feeDigest(address htlc, Swap memory s, address relayer, uint96 fee, uint40 notBefore)
        internal
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("swapd HTLC"),
                keccak256("1"),
                block.chainid,
                htlc
            )
        );
        bytes32 what = keccak256(
            abi.encode(
                keccak256("Fee(bytes32 slot,bytes32 value,address relayer,uint96 fee,uint40 notBefore)"),
                key(s),
                live(s),
                relayer,
                fee,
                notBefore
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, what));
    }

    function signed(uint256 secret, bytes32 digest) internal pure returns (bytes32 r, bytes32 vs) {
        uint8 v;
        (v, r, vs) = vm.sign(secret, digest);
        if (v == 28) vs = bytes32(uint256(vs) | (1 << 255));
    }
}
