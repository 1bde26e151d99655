// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A token that does as it is told, of which only some is what a token should do.
contract HostileToken {
    enum Mode {
        Plain,
        NoReturn,
        Hooks,
        SaysNo,
        TakesFee,
        LiesYes,
        Reverts,
        BurnsGas,
        SaysTwo,
        SaysShort,
        MovesMore,
        FeeAndHooks,
        RefusesZero,
        BalanceReverts,
        BalanceShort,
        RevertsYes,
        RevertsSilently
    }

    /// In FeeAndHooks, from this on there is a fee.
    uint256 public constant FREE = 0.5 ether;

    Mode public mode;
    mapping(address => uint256) public held; // whatever balanceOf says

    function be(Mode mode_) external {
        mode = mode_;
    }

    function mint(address to, uint256 amount) external {
        held[to] += amount;
    }

    function balanceOf(address who) external view returns (uint256) {
        uint256 said = held[who];
        bool fails = mode == Mode.BalanceReverts;
        uint256 size = mode == Mode.BalanceShort ? 31 : 32;
        assembly {
            mstore(0, said)
            if fails { revert(0, size) }
            return(0, size)
        }
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        _move(from, to, amount); // allowances are not what is tested with it
    }

    function _move(address from, address to, uint256 amount) private {
        Mode m = mode;
        if (m == Mode.Reverts || (m == Mode.RefusesZero && amount == 0)) revert("no");
        if (m == Mode.RevertsYes || m == Mode.RevertsSilently) {
            uint256 length = m == Mode.RevertsYes ? 32 : 0;
            assembly {
                mstore(0, 1)
                revert(0, length)
            }
        }
        if (m == Mode.BurnsGas) {
            assembly {
                invalid() // all that it was given, at once
            }
        }
        if (m != Mode.SaysNo && m != Mode.LiesYes) {
            bool hooks = m == Mode.Hooks || m == Mode.FeeAndHooks;
            if (hooks && from.code.length != 0) Hooks.tell(from);
            require(held[from] >= amount, "balance");
            uint256 more = m == Mode.MovesMore && held[from] > amount ? 1 : 0;
            held[from] -= amount + more;
            held[to] += m == Mode.TakesFee ? amount - amount / 100 - 1 : amount + more;
            if (m == Mode.FeeAndHooks && amount >= FREE) held[to] -= 0.1 ether;
            if (hooks && to.code.length != 0) Hooks.tell(to);
        }
        if (m == Mode.NoReturn) {
            assembly {
                return(0, 0)
            }
        }
        uint256 said = m == Mode.SaysNo ? 0 : m == Mode.SaysTwo ? 2 : 1;
        uint256 size = m == Mode.SaysShort ? 31 : 32;
        assembly {
            mstore(0, said)
            return(0, size)
        }
    }
}

/// Whoever is told of tokens or coins. The HTLC contract has no such function, so a token with hooks
/// must bear a receiver without: it catches.
interface IHooked {
    function onTokens() external;
}

library Hooks {
    function tell(address who) internal {
        try IHooked(who).onTokens() {} catch {}
    }
}

/// A party that is a contract: takes coins as it is told, and calls the contract from within.
contract Party {
    enum Manner {
        Takes,
        Refuses,
        BurnsGas,
        Reenters
    }

    Manner public manner;
    address private _target;
    bytes private _data;
    uint256 private _value;
    uint256 public tried;
    uint256 public succeeded;
    uint256 public need; // gas that it must be given
    uint256 public seen; // gas that it was given, if it needs any

    function be(Manner manner_) external {
        manner = manner_;
    }

    /// From within, call `target` with `data`.
    function aim(address target, bytes calldata data, uint256 value) external {
        (_target, _data, _value, tried, succeeded) = (target, data, value, 0, 0);
    }

    function wants(uint256 gas_) external {
        (need, seen) = (gas_, 1);
    }

    function onTokens() external {
        _on();
    }

    receive() external payable {
        _on();
    }

    function _on() private {
        uint256 left = gasleft();
        if (left < need) revert("more gas");
        if (need != 0) seen = left;
        if (manner == Manner.Refuses) revert("refused");
        if (manner == Manner.BurnsGas) {
            assembly {
                invalid() // all that it was given, at once
            }
        }
        if (manner == Manner.Reenters && tried < 2) {
            ++tried;
            (bool ok,) = _target.call{value: _value}(_data);
            if (ok) ++succeeded;
        }
    }
}
