"""Mutants of what ends a swap: secrets, times, marks, payments, batches, signed fees.

Owns: the list. Must not know: how a mutant is compiled or judged.
"""

from tests.evm_contract.mutants.mutant import HTLC, NATIVE, TOKEN, Mutant

FOUND = "found := and(ok, eq(sload(key), value))"
ANSWER = "ok := and(ok, eq(returndatasize(), 0x20))"
CALLED = "ok := staticcall(gas(), 2, 0x00, 0x20, 0x00, 0x20)"
EARLY = "if (!isPreimage && block.timestamp <= expiry) revert TooEarly();"
MARK = "sstore(key, shr(1, shl(1, mark)))"
LOG = "                mstore(0x00, mark)\n                log0(0x00, 0x20)\n"
ENOUGH = "if (gasleft() < gasEach + gasEach / 32 + 5000) revert MoreGas();"
FEE = "abi.encode(FEE_TYPE, key, value, address(uint160(relay >> 96)), uint96(relay), notBefore)"
DOMAIN = "abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this))"
WHO = "if (who == address(0) || who != signer) revert BadFee();"
SAID = "default { yes := and(yes, and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }"

MUTANTS = (
    # --- secrets and times ---
    Mutant("any terms end a swap", HTLC, FOUND, "found := ok"),
    Mutant("the answer of SHA-256 is not looked at", HTLC, FOUND, "found := eq(sload(key), value)"),
    Mutant("SHA-256 may not be there", HTLC, f"                {ANSWER}\n", ""),
    Mutant("SHA-256 may fail", HTLC, ANSWER, "ok := eq(returndatasize(), 0x20)"),
    Mutant("another hash", HTLC, CALLED, CALLED.replace("gas(), 2", "gas(), 3")),
    Mutant(
        "a claim knows the hashlock only",
        HTLC,
        "            if isPreimage {\n",
        "            if 0 {\n",
    ),
    Mutant("a claim of what is not live", HTLC, "            if (must) revert NotLive();\n", ""),
    Mutant(
        "a batch fails at what is not live", HTLC, "if (must) revert", "if (must || true) revert"
    ),
    Mutant("a refund at any time", HTLC, f"        {EARLY}\n", ""),
    Mutant("a refund one second early", HTLC, EARLY, EARLY.replace("<=", "<")),
    Mutant("a refund one second late", HTLC, EARLY, EARLY.replace("expiry)", "expiry + 1)")),
    Mutant("claims wait for the expiry", HTLC, "if (!isPreimage && block", "if (block"),
    Mutant(
        "no claims after the expiry",
        HTLC,
        EARLY,
        EARLY + " if (isPreimage && block.timestamp > expiry) revert TooLate();",
    ),
    # --- marks ---
    Mutant("a mark with its top bit", HTLC, MARK, "sstore(key, mark)"),
    Mutant("a swap does not end", HTLC, MARK, "pop(mark)"),
    Mutant("a swap ends as if it had never been", HTLC, MARK, "sstore(key, 0)"),
    Mutant("clear mode does not clear", HTLC, "                sstore(key, 0)\n", ""),
    Mutant("clear mode from 64 on", HTLC, "switch and(key, 0x80)", "switch and(key, 0xc0)"),
    Mutant("no log of what is cleared", HTLC, LOG, "                mstore(0x00, mark)\n"),
    Mutant("half a log", HTLC, "log0(0x00, 0x20)", "log0(0x00, 0x1f)"),
    Mutant(
        "a refund leaves its amount",
        HTLC,
        "_close(hashlock, false, true, entry, payee);\n        _pay",
        "_close(hashlock, false, true, entry, payee);\n        if (false) _pay",
    ),
    # --- payments ---
    Mutant(
        "a claim pays who signed the transaction",
        HTLC,
        "me := shl(96, caller())",
        "me := shl(96, origin())",
    ),
    Mutant(
        "claimFor pays the sender",
        HTLC,
        "_pay(_receiver(payee), _amount(payee));",
        "_pay(msg.sender, _amount(payee));",
    ),
    Mutant(
        "a refund pays the sender",
        HTLC,
        "_pay(_locker(entry), _amount(payee));",
        "_pay(msg.sender, _amount(payee));",
    ),
    Mutant(
        "a refund pays the receiver",
        HTLC,
        "_pay(_locker(entry), _amount(payee));",
        "_pay(_receiver(payee), _amount(payee));",
    ),
    Mutant(
        "dirty bits of an amount",
        HTLC,
        "function _mine(uint96 amount)",
        "function _mine(uint256 amount)",
        same="both callers give it a uint96 that the compiler has checked or cut already",
    ),
    Mutant(
        "coins that are refused are gone", NATIVE, "        if (!ok) revert PayoutFailed();\n", ""
    ),
    Mutant(
        "tokens that are refused are gone",
        TOKEN,
        "if (!_said(data, 0x44)) revert",
        "if (!_said(data, 0x44) && false) revert",
    ),
    Mutant("any answer of a token is a yes", TOKEN, SAID, "default { }"),
    Mutant(
        "a token may say two", TOKEN, SAID, SAID.replace("eq(mload(0x00), 1)", "gt(mload(0x00), 0)")
    ),
    Mutant("a token may say 31 bytes", TOKEN, SAID, SAID.replace("0x1f", "0x1e")),
    Mutant(
        "a token that reverts with a yes", TOKEN, SAID, SAID.replace("and(yes, and(", "and(1, and(")
    ),
    Mutant(
        "a token that reverts silently",
        TOKEN,
        "case 0 { yes := and(yes, ",
        "case 0 { yes := and(1, ",
    ),
    Mutant("a token whose code is gone", TOKEN, "iszero(iszero(extcodesize(target)))", "1"),
    Mutant(
        "a token must answer",
        TOKEN,
        "case 0 { yes := and(yes, iszero(iszero(extcodesize(target)))) }",
        "case 0 { yes := 0 }",
    ),
    # --- batches ---
    Mutant(
        "a batch pays for what is not live",
        HTLC,
        "_mine(amount)) != 0) total += amount;",
        "_mine(amount)) != 1) total += amount;",
    ),
    Mutant("a batch pays its last item only", HTLC, "total += amount;", "total = amount;"),
    Mutant(
        "a batch of nothing pays nothing",
        HTLC,
        "if (total != 0) _pay(msg.sender, total);",
        "_pay(msg.sender, total);",
    ),
    Mutant(
        "items of any length",
        HTLC,
        "        if (items.length % size != 0) revert BadItems();\n",
        "",
    ),
    Mutant("a batch promises no gas", HTLC, f"            {ENOUGH}\n", ""),
    Mutant(
        "a batch promises a little less gas",
        HTLC,
        ENOUGH,
        "if (gasleft() < gasEach + 5000) revert MoreGas();",
    ),
    Mutant("a batch gives all gas to the first", HTLC, "pop(call(gasEach,", "pop(call(gas(),"),
    Mutant("a promise of any size", HTLC, "        if (gasEach > 1 << 32) revert MoreGas();\n", ""),
    Mutant(
        "a batch of refunds claims",
        HTLC,
        "_each(this.refund.selector",
        "_each(this.claimFor.selector",
    ),
    Mutant(
        "a batch of claims refunds",
        HTLC,
        "_each(this.claimFor.selector",
        "_each(this.refund.selector",
    ),
    # --- signed fees ---
    Mutant(
        "a fee at any time",
        HTLC,
        "        if (block.timestamp < notBefore) revert TooEarly();\n",
        "",
    ),
    Mutant(
        "a fee one second late", HTLC, "block.timestamp < notBefore", "block.timestamp <= notBefore"
    ),
    Mutant(
        "a fee above the amount",
        HTLC,
        "        if (uint96(relay) > _amount(payee)) revert BadFee();\n",
        "",
        same="the rest would be below zero, and that subtraction is checked",
    ),
    Mutant(
        "no fee of everything",
        HTLC,
        "uint96(relay) > _amount(payee)",
        "uint96(relay) >= _amount(payee)",
    ),
    Mutant("a fee that anybody signed", HTLC, WHO, "if (who == address(0)) revert BadFee();"),
    Mutant(
        "a fee that nobody signed",
        HTLC,
        WHO,
        "if (who != signer) revert BadFee();",
        same="the signer is the receiver or the locker of a live swap, and neither is zero",
    ),
    Mutant(
        "a fee of a claim by the locker", HTLC, "_checkFee(receiver,", "_checkFee(_locker(entry),"
    ),
    Mutant(
        "a fee of a refund by the receiver",
        HTLC,
        "_checkFee(locker,",
        "_checkFee(_receiver(payee),",
    ),
    Mutant("a signature without its slot", HTLC, FEE, FEE.replace("key, ", "0, ")),
    Mutant("a signature without its value", HTLC, FEE, FEE.replace("value, ", "0, ")),
    Mutant("a signature without its relayer", HTLC, FEE, FEE.replace("relay >> 96", "0")),
    Mutant("a signature without its fee", HTLC, FEE, FEE.replace("uint96(relay)", "uint96(0)")),
    Mutant("a signature without its time", HTLC, FEE, FEE.replace("notBefore", "uint40(0)")),
    Mutant("a signature for any chain", HTLC, DOMAIN, DOMAIN.replace("block.chainid", "0")),
    Mutant(
        "a signature for any contract", HTLC, DOMAIN, DOMAIN.replace("address(this)", "address(0)")
    ),
    Mutant("a signature without the version", HTLC, DOMAIN, DOMAIN.replace("VERSION", "NAME")),
    Mutant("a signature of other digests", HTLC, 'hex"1901"', 'hex"1900"'),
    Mutant("a signature of one parity only", HTLC, "uint8(27 + (uint256(vs) >> 255))", "uint8(27)"),
    Mutant(
        "a fee to the sender", HTLC, "relayer == address(0) ? msg.sender : relayer", "msg.sender"
    ),
    Mutant("a fee to nobody", HTLC, "relayer == address(0) ? msg.sender : relayer", "relayer"),
    Mutant("a fee on top", HTLC, "_amount(payee) - fee;", "_amount(payee);"),
    Mutant("a fee without the rest", HTLC, "        if (rest != 0) _pay(to, rest);\n", ""),
    Mutant("a rest of nothing is paid", HTLC, "if (rest != 0) _pay", "_pay"),
    Mutant("a fee of nothing is paid", HTLC, "if (fee != 0) _pay", "_pay"),
)
