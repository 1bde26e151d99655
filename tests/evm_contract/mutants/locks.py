"""Mutants of what makes a slot live: terms, times, slots, deposits.

Owns: the list. Must not know: how a mutant is compiled or judged.
"""

from tests.evm_contract.mutants.mutant import HTLC, NATIVE, TOKEN, Mutant

LATE = "late := or(gt(timestamp(), deadline), iszero(lt(deadline, expiry)))"
TERMS = "or(iszero(shr(96, payee)), iszero(shl(160, payee)))"
KEY = "key := or(shl(8, caller()), index)"

MUTANTS = (
    # --- times ---
    Mutant("a lock after its deadline", HTLC, LATE, "late := iszero(lt(deadline, expiry))"),
    Mutant(
        "a deadline one second early",
        HTLC,
        LATE,
        "late := or(iszero(lt(timestamp(), deadline)), iszero(lt(deadline, expiry)))",
    ),
    Mutant(
        "a deadline one second late",
        HTLC,
        LATE,
        "late := or(gt(timestamp(), add(deadline, 1)), iszero(lt(deadline, expiry)))",
    ),
    Mutant("an expiry before the deadline", HTLC, LATE, "late := gt(timestamp(), deadline)"),
    Mutant(
        "an expiry at the deadline",
        HTLC,
        LATE,
        "late := or(gt(timestamp(), deadline), gt(deadline, expiry))",
    ),
    Mutant("times are not looked at", HTLC, "        if (late) revert TooLate();\n", ""),
    Mutant("a batch without a deadline", NATIVE, "amount, deadline);", "amount, block.timestamp);"),
    # --- terms ---
    Mutant("a lock for nobody", HTLC, TERMS, "iszero(shl(160, payee))"),
    Mutant("a lock of nothing", HTLC, TERMS, "iszero(shr(96, payee))"),
    Mutant("terms are not looked at", HTLC, "        if (bad) revert BadTerms();\n", ""),
    Mutant("what the callers find bad is not", HTLC, f"bad := or(bad, {TERMS})", f"bad := {TERMS}"),
    Mutant(
        "an amount that reaches into the receiver",
        NATIVE,
        "bad := gt(amount, 0xffffffffffffffffffffffff)",
        "bad := 0",
    ),
    Mutant(
        "the largest amount is refused",
        NATIVE,
        "bad := gt(amount, 0xffffffffffffffffffffffff)",
        "bad := gt(amount, 0xfffffffffffffffffffffffe)",
    ),
    Mutant(
        "tokens for the contract itself", TOKEN, "bad := eq(shr(96, payee), address())", "bad := 0"
    ),
    # --- slots ---
    Mutant("a live slot is locked again", HTLC, "        if (live) revert Occupied();\n", ""),
    Mutant(
        "only zero is free",
        HTLC,
        "live := slt(sload(key), 0)",
        "live := iszero(iszero(sload(key)))",
    ),
    Mutant("the slot of the receiver", HTLC, KEY, "key := or(shl(8, shr(96, payee)), index)"),
    Mutant(
        "the slot of who signed the transaction", HTLC, KEY, "key := or(shl(8, origin()), index)"
    ),
    Mutant("one slot for each locker", HTLC, KEY, "key := shl(8, caller())"),
    Mutant(
        "a value without its top bit",
        HTLC,
        "or(LIVE, keccak256(0x00, 0x60))",
        "keccak256(0x00, 0x60)",
        2,
    ),
    Mutant("a value without the expiry", HTLC, "keccak256(0x00, 0x60)", "keccak256(0x00, 0x40)", 2),
    Mutant(
        "a value without the hashlock", HTLC, "keccak256(0x00, 0x60)", "keccak256(0x20, 0x40)", 2
    ),
    Mutant("a value without the payee", HTLC, "mstore(0x20, payee)", "mstore(0x20, 0)", 2),
    Mutant(
        "the place of free memory is lost",
        HTLC,
        "            mstore(0x40, free)\n            found",
        "            found",
    ),
    # --- deposits ---
    Mutant(
        "the sum of a batch is not what was sent",
        NATIVE,
        "        if (total != msg.value) revert BadTerms();\n",
        "",
    ),
    Mutant("a batch may be sent too much", NATIVE, "total != msg.value", "total > msg.value"),
    Mutant("a batch may be sent too little", NATIVE, "total != msg.value", "total < msg.value"),
    Mutant("a batch draws its last item only", TOKEN, "total += amount;", "total = amount;"),
    Mutant("a single lock draws nothing", TOKEN, "        _draw(uint96(payee));\n", "", 2),
    Mutant("a batch draws nothing", TOKEN, "        _draw(total);\n", ""),
    Mutant(
        "what arrived is not measured",
        TOKEN,
        "if (then - before != amount) revert",
        "if (false) revert",
    ),
    Mutant("less may arrive", TOKEN, "then - before != amount", "then - before > amount"),
    Mutant("more may arrive", TOKEN, "then - before != amount", "then - before < amount"),
    Mutant(
        "the answer to a lock is not heard",
        TOKEN,
        "if (!_said(data, 0x64)) revert",
        "if (!_said(data, 0x64) && false) revert",
    ),
    Mutant("a lock within a lock", TOKEN, "        if (drawing != mine) revert Reentered();\n", ""),
    Mutant(
        "the guard is never set", TOKEN, "        drawing = mine;\n", "        mine = drawing;\n"
    ),
    Mutant(
        "the guard is the same for all", TOKEN, "uint256 mine = gasleft();", "uint256 mine = 1;"
    ),
    Mutant(
        "tokens of the receiver",
        TOKEN,
        "mstore(add(data, 0x04), caller())",
        "mstore(add(data, 0x04), origin())",
    ),
    Mutant(
        "a token without code",
        TOKEN,
        "        if (token_.code.length == 0) revert NoToken();\n",
        "",
    ),
    Mutant(
        "a balance that reverts",
        TOKEN,
        "ok := and(ok, gt(returndatasize(), 0x1f))",
        "ok := gt(returndatasize(), 0x1f)",
    ),
    Mutant(
        "a balance of 31 bytes",
        TOKEN,
        "ok := and(ok, gt(returndatasize(), 0x1f))",
        "ok := and(ok, gt(returndatasize(), 0x1e))",
    ),
    Mutant("a permit of somebody else", TOKEN, ".permit(msg.sender,", ".permit(tx.origin,"),
    Mutant(
        "a permit for another amount",
        TOKEN,
        "address(this), uint96(payee), permitD",
        "address(this), uint96(payee) + 1, permitD",
    ),
)
