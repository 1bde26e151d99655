// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The peer we are measured against: the shape that Boltz' contracts have, written anew.
/// One flag per hash of all terms, an event for each step, no batches, cleared at the end.
contract PeerNative {
    mapping(bytes32 => bool) public swaps;

    event Lockup(
        bytes32 indexed hashlock, uint256 amount, address claimAddress, address indexed refundAddress, uint256 timelock
    );
    event Claim(bytes32 indexed hashlock, bytes32 preimage);
    event Refund(bytes32 indexed hashlock);

    function lock(bytes32 hashlock, address claimAddress, uint256 timelock) external payable {
        require(msg.value > 0, "no amount");
        bytes32 id = idOf(hashlock, msg.value, claimAddress, msg.sender, timelock);
        require(!swaps[id], "exists");
        swaps[id] = true;
        emit Lockup(hashlock, msg.value, claimAddress, msg.sender, timelock);
    }

    function claim(bytes32 preimage, uint256 amount, address refundAddress, uint256 timelock) external {
        _claim(preimage, amount, msg.sender, refundAddress, timelock);
    }

    function claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        external
    {
        _claim(preimage, amount, claimAddress, refundAddress, timelock);
    }

    function refund(bytes32 hashlock, uint256 amount, address claimAddress, uint256 timelock) external {
        require(timelock <= block.timestamp, "early");
        bytes32 id = idOf(hashlock, amount, claimAddress, msg.sender, timelock);
        require(swaps[id], "none");
        delete swaps[id];
        emit Refund(hashlock);
        _pay(msg.sender, amount);
    }

    function idOf(bytes32 hashlock, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(hashlock, amount, claimAddress, refundAddress, timelock));
    }

    function _claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        private
    {
        bytes32 hashlock = sha256(abi.encodePacked(preimage));
        bytes32 id = idOf(hashlock, amount, claimAddress, refundAddress, timelock);
        require(swaps[id], "none");
        delete swaps[id];
        emit Claim(hashlock, preimage);
        _pay(claimAddress, amount);
    }

    function _pay(address to, uint256 amount) private {
        (bool ok,) = payable(to).call{value: amount}("");
        require(ok, "refused");
    }
}

contract PeerToken {
    mapping(bytes32 => bool) public swaps;

    event Lockup(
        bytes32 indexed hashlock,
        uint256 amount,
        address token,
        address claimAddress,
        address indexed refundAddress,
        uint256 timelock
    );
    event Claim(bytes32 indexed hashlock, bytes32 preimage);
    event Refund(bytes32 indexed hashlock);

    function lock(bytes32 hashlock, uint256 amount, address token, address claimAddress, uint256 timelock) external {
        require(amount > 0, "no amount");
        _call(token, abi.encodeWithSelector(0x23b872dd, msg.sender, address(this), amount));
        bytes32 id = idOf(hashlock, amount, token, claimAddress, msg.sender, timelock);
        require(!swaps[id], "exists");
        swaps[id] = true;
        emit Lockup(hashlock, amount, token, claimAddress, msg.sender, timelock);
    }

    function claim(bytes32 preimage, uint256 amount, address token, address refundAddress, uint256 timelock) external {
        bytes32 hashlock = sha256(abi.encodePacked(preimage));
        bytes32 id = idOf(hashlock, amount, token, msg.sender, refundAddress, timelock);
        require(swaps[id], "none");
        delete swaps[id];
        emit Claim(hashlock, preimage);
        _call(token, abi.encodeWithSelector(0xa9059cbb, msg.sender, amount));
    }

    function refund(bytes32 hashlock, uint256 amount, address token, address claimAddress, uint256 timelock) external {
        require(timelock <= block.timestamp, "early");
        bytes32 id = idOf(hashlock, amount, token, claimAddress, msg.sender, timelock);
        require(swaps[id], "none");
        delete swaps[id];
        emit Refund(hashlock);
        _call(token, abi.encodeWithSelector(0xa9059cbb, msg.sender, amount));
    }

    function idOf(
        bytes32 hashlock,
        uint256 amount,
        address token,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(hashlock, amount, token, claimAddress, refundAddress, timelock));
    }

    function _call(address token, bytes memory data) private {
        (bool ok, bytes memory said) = token.call(data);
        require(ok && (said.length == 0 || abi.decode(said, (bool))), "refused");
    }
}
