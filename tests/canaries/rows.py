"""The planted faults: a row each, run twice by run_rows.py, with the fault and without."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """What is called, and the rule that is broken by the version with the fault."""

    name: str
    rule: str
    """Empty when the result itself is wrong, which the test sees."""
    register: str = ""
    """A word that the message must hold."""
    expression: str = ""
    """Python code with a {part} in it; by default the function is called with a list."""
    expects: str = "result"
    """What must be true where nothing is wrong."""
    raises: str = "no error"
    """The exception that the version without the fault raises."""
    needs_avx: bool = False


CLOBBERED = ("rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
UNSET = ("rax", "rdx", "rcx", "r8", "r9", "r10", "r11", "rbx", "rbp", "r12", "r13", "r14", "r15")
KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")

ANY = "True"
THING = "faults.{Part}()"

ROWS = (
    *(Row(each, "kept-registers", each, expects=ANY) for each in KEPT),
    Row("rsp_high", "stack", "16 bytes too high", expects=ANY),
    Row("rsp_low", "stack", "8 bytes too low", expects=ANY),
    Row("direction", "direction-flag", expects=ANY),
    Row("mmx", "x87", expects=ANY),
    Row("x87", "x87", expects=ANY),
    Row("ymm", "upper-halves", expects=ANY, needs_avx=True),
    Row("mxcsr", "mxcsr", "0x9fc0", expects=ANY),
    Row("control", "x87-control", "0xf7f", expects=ANY),
    *(Row(f"across_{each}", "crash", each) for each in CLOBBERED),
    *(Row(f"across_xmm{each}", "crash", f"xmm{each} ") for each in range(16)),
    Row("below_call", "crash", "stack memory"),
    Row("int_result", "", expects="result == 1"),
    Row("void_result", "crash", "rax", expects=ANY),
    Row("flags", "", expression="[faults.flags_{part}([1]) for _ in range(4)]"),
    Row("libc", "crash", "r9"),
    *(Row(f"entry_{each}", "crash", each, expects=ANY) for each in UNSET),
    Row("entry_xmm0", "crash", "xmm0", expects=ANY),
    Row("below_entry", "crash", "stack memory", expects=ANY),
    Row("aligned", "stack-alignment", "PyErr_Occurred", expects=ANY),
    Row("direction_at_call", "direction-flag", "PyErr_Occurred", expects=ANY),
    Row("gil", "gil", expects=ANY),
    Row("gil_at_call", "gil", "PyLong_FromLong", expects=ANY),
    Row("no_exception", "no-exception", raises="ValueError"),
    Row("exception", "exception", expects=ANY),
    Row("give_away", "references-lost", expects=ANY),
    Row("give_away_first", "references-lost", expects=ANY),
    Row("give_away_in_tuple", "references-lost", expects=ANY),
    Row(
        "give_away_named",
        "references-lost",
        expression="faults.give_away_named_{part}([1], name=[2])",
        expects=ANY,
    ),
    Row("keep", "references-kept", "list", expects=ANY),
    Row("keep_on_error", "references-kept", "list", raises="ValueError"),
    Row(
        "buffer",
        "buffer-not-released",
        expression="faults.buffer_{part}(bytearray(3))",
        expects=ANY,
    ),
    Row(
        "buffer_twice",
        "buffer-twice",
        expression="faults.buffer_twice_{part}(bytearray(3))",
        expects=ANY,
    ),
    Row("hash", "no-exception", "tp_hash", f"hash({THING})", raises="ValueError"),
    Row("length", "no-exception", "sq_length", f"len({THING})", raises="ValueError"),
    Row("contains", "no-exception", "sq_contains", f"1 in {THING}", raises="ValueError"),
    Row("equal", "", "tp_richcompare", f"{THING} == 1", expects="result is True"),
    Row("next", "exception", "tp_iternext", f"next({THING}, None)", expects="result is None"),
    Row("str", "no-exception", "tp_str", f"str({THING})", raises="ValueError"),
    Row("bool", "exception", "nb_bool", f"bool({THING})"),
    Row("add", "kept-registers", "r12", f"{THING} + 1", expects=ANY),
    Row(
        "dealloc",
        "exception-lost",
        "tp_dealloc",
        f"({THING}, 1 // 0)",
        raises="ZeroDivisionError",
    ),
    Row("getbuffer", "", "bf_getbuffer", f"memoryview({THING})"),
    Row("get", "no-exception", "value (getter)", f"{THING}.value", raises="ValueError"),
    Row("set", "exception", "value (setter)", f"setattr({THING}, 'value', 1)", expects=ANY),
)
PARTS = ("fault", "kept")


def code(row: Row, part: str) -> str:
    """Return the expression that runs a row."""
    text = row.expression or f"faults.{row.name}_{{part}}([1])"
    return text.format(part=part, Part=part.capitalize())
