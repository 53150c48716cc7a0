"""The rules that machine code is judged by: names, weights, and what to do about each."""

from __future__ import annotations

from ...named import NamedTuple
from ..findings import ERROR, WARNING


class Rule(NamedTuple):
    """One rule; docs/reference/checks.md has a section for each."""

    name: str
    severity: str
    about: str
    """The rule itself."""
    otherwise: str
    """The consequence of breaking it."""
    cure: str
    """One line: what to write instead."""

    @property
    def in_builds(self) -> bool:
        """Builds judge by it: it has reported nothing false in compiled code (bench/check_code.py)."""
        return self.name not in _ONLY_ASKED_FOR


_ONLY_ASKED_FOR = frozenset(("null-untested", "reference-lost"))
_KEEP = (
    "push it at the beginning and pop it before each return; python.inc: PyKeep, above all branches"
)

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "kept-register",
            ERROR,
            "A function returns with rbx, rbp and r12 to r15 as it found them.",
            "The caller goes on with wrong values, and crashes or computes nonsense much later.",
            _KEEP,
        ),
        Rule(
            "stack-at-return",
            ERROR,
            "Where a function returns, rsp is what it was at entry.",
            "ret takes something else for the return address, and the process crashes.",
            "as many pops as pushes, and add what was subtracted, on every path to the return",
        ),
        Rule(
            "return-address",
            ERROR,
            "A function does not write over its return address.",
            "ret jumps to what was written.",
            "reserve the stack first:   sub rsp, N   and give it back before the return:   add rsp, N",
        ),
        Rule(
            "direction-flag",
            ERROR,
            "The direction flag is clear at calls and returns.",
            "memcpy and the like copy backwards, over memory of others.",
            "execute cld before the call or the return",
        ),
        Rule(
            "mmx-state",
            ERROR,
            "emms is executed between MMX instructions and a call or return.",
            "Floating point arithmetic of others gives NaN.",
            "execute emms before the call or the return, or use xmm registers",
        ),
        Rule(
            "mxcsr",
            ERROR,
            "The control bits of MXCSR and of the x87 FPU are at return as they were at entry.",
            "Rounding and exceptions of everybody's floating point arithmetic change.",
            "save it first, with stmxcsr [mem] or fnstcw [mem], and load that again before each return",
        ),
        Rule(
            "falls-off",
            ERROR,
            "Every path of a function ends with a return or a jump to another function.",
            "The processor executes whatever lies behind it.",
            "end the path with ret (python.inc: PyReturn), or jump to what follows it",
        ),
        Rule(
            "vzeroupper",
            WARNING,
            "vzeroupper is executed between 256-bit code and a call or return.",
            "SSE instructions of others run many times slower, until somebody executes it.",
            "execute vzeroupper before the call or the return",
        ),
        Rule(
            "stack-alignment",
            ERROR,
            "rsp is a multiple of 16 where a C function is called.",
            "The function crashes where it uses aligned vector instructions: in some versions only.",
            "one push more before the call and its pop behind it, or   sub rsp, 8   and   add rsp, 8",
        ),
        Rule(
            "variadic-al",
            ERROR,
            "Where a variadic function is called, al says how many xmm registers hold arguments.",
            "The function may save registers at random addresses, or read arguments wrongly.",
            "before the call   xor eax, eax   or, for N doubles,   mov eax, N; python.inc: PyCall",
        ),
        Rule(
            "gil-released",
            ERROR,
            "Functions of CPython are called, and methods return, with the GIL held.",
            "Two threads change the same objects at once, or the interpreter ends the process.",
            "call PyEval_RestoreThread first, on every path; python.inc: branch below Py_END_ALLOW_THREADS",
        ),
        Rule(
            "data-called",
            ERROR,
            "What is called is a function.",
            "The processor executes data, and the process crashes.",
            "load it:   PyLoad rdi, NAME   or   mov rdi, [rel NAME wrt ..got]   (and mov rdi, [rdi]: PyExc_...);"
            " code of your own belongs below   section .text",
        ),
        Rule(
            "exception-address",
            ERROR,
            "Functions of CPython get exceptions, and not the addresses of PyExc_..., which point there.",
            "The address is used as an object, and the process crashes.",
            "load the exception:   PyLoad rdi, PyExc_...   or load once more:   mov rdi, [rdi]",
        ),
        Rule(
            "weak-untested",
            ERROR,
            "A name that older interpreters lack is called only where a test has found it.",
            "On such an interpreter the call goes to address 0.",
            "PyHas NAME   and jz to what older versions do, in the same function",
        ),
        Rule(
            "argument-unset",
            ERROR,
            "Each argument of a call is set after the call before it.",
            "The function gets what the last one left in the register.",
            "set the register again; keep what is used after calls in rbx or r12 to r15",
        ),
        Rule(
            "frame-passed",
            ERROR,
            "A function that is jumped to gets no address in the frame that is given up.",
            "The memory is overwritten while the function reads it.",
            "call it, give the frame back, and return:   ret",
        ),
        Rule(
            "clobbered-register",
            ERROR,
            "A register that calls may change is set again before it is read.",
            "It holds whatever the function called has left in it.",
            "keep the value in rbx or r12 to r15, or on the stack; python.inc: PyKeep, PyLocal",
        ),
        Rule(
            "unset-register",
            ERROR,
            "A function reads only those arguments that it is passed.",
            "The register holds whatever the interpreter has left in it.",
            "give the function other flags (METH_...) or one parameter more, or set the register first",
        ),
        Rule(
            "int-result",
            ERROR,
            "Of an int that a C function returns, or that CPython passes to a slot, only the lower 32 bits are used.",
            "The upper half is undefined: a test for -1 or 0 fails at random.",
            "use the 32-bit register:   test eax, eax   or   movsxd rax, eax",
        ),
        Rule(
            "half-result",
            ERROR,
            "Of a pointer or a number of 64 bits that a C function returns, all bits are used, and of an int 32.",
            "A failure is not seen, or seen where there is none; half a pointer leads anywhere.",
            "test and move what was returned:   test rax, rax   mov rdi, rax   or, of an int,   test eax, eax",
        ),
        Rule(
            "null-untested",
            WARNING,
            "The result of a function that may fail is tested before it is used.",
            "When it fails, NULL is used as an object, and the process crashes.",
            "test rax, rax   and jz to what returns NULL",
        ),
        Rule(
            "reference-lost",
            WARNING,
            "A new reference is returned, stored, or given back on every path.",
            "The object is never freed: the process grows with every call.",
            "call Py_DecRef with it before the return; python.inc: Py_DECREF",
        ),
        Rule(
            "buffer-twice",
            ERROR,
            "A Py_buffer that holds a buffer is released before another is asked for.",
            "The first object can never be resized again, and its memory leaks.",
            "call PyBuffer_Release first, or use two; python.inc: one PyBuffer for each, before a loop",
        ),
        Rule(
            "buffer-kept",
            WARNING,
            "A buffer that was asked for is released on every path.",
            "The object can never be resized again, and its memory leaks.",
            "call PyBuffer_Release before the return; python.inc: PyBuffer does it",
        ),
        Rule(
            "slot-unset",
            ERROR,
            "What is restored or released from the stack was stored there on every path.",
            "A register gets, or PyBuffer_Release frees, what lay on the stack by chance.",
            "store it before the first branch; python.inc: PyBuffer comes first",
        ),
        Rule(
            "below-stack",
            ERROR,
            "Memory below rsp is not used after a call, nor more than 128 bytes below it.",
            "Functions called and signal handlers overwrite it.",
            "reserve it:   sub rsp, N   and   add rsp, N; python.inc: PyLocal",
        ),
        Rule(
            "saved-overwritten",
            ERROR,
            "Stores into the frame end below the saved registers.",
            "A kept register or the return address is overwritten.",
            "reserve more before rsp is aligned:   sub rsp, N",
        ),
        Rule(
            "misaligned-move",
            ERROR,
            "The addresses of movaps, movdqa, and of 16 bytes that addps and the like read, are multiples of their size.",
            "The processor faults, and the process ends.",
            "load with movups or movdqu, or align the place:   align 16   above data",
        ),
        Rule(
            "entry-not-code",
            ERROR,
            "The functions in a table are code.",
            "Python executes data when it calls the method, and the process crashes.",
            "enter the label of the function, in section .text",
        ),
        Rule(
            "slot-twice",
            ERROR,
            "A type gives each slot once.",
            "Python silently takes the last one.",
            "take one of them out",
        ),
        Rule(
            "gc-without-traverse",
            ERROR,
            "A type with Py_TPFLAGS_HAVE_GC has Py_tp_traverse.",
            "CPython 3.10 crashes in gc.collect(), and newer ones refuse the type.",
            "add PyTypeSlot Py_tp_traverse, or take Py_TPFLAGS_HAVE_GC out of the flags",
        ),
        Rule(
            "member-outside",
            ERROR,
            "The offset of each member lies inside of the object.",
            "Reading the attribute reads, and setting it writes, memory of other objects.",
            'use a field of the object\'s struc:   PyMember "name", Py_T_..., Object.field',
        ),
        Rule(
            "outside-stable-abi",
            ERROR,
            "A module whose file is named for the stable ABI (.abi3.so) uses no other names.",
            "Some version that pip installs it on lacks the name, and the import fails.",
            "use a function of the stable ABI, or name the module for one version",
        ),
        Rule(
            "cpu-level",
            ERROR,
            "What needs more than the declared baseline is reached through a test of the processor.",
            "On an older processor the process ends with an illegal instruction.",
            "choose the routine by PyDispatch, or declare it: [tool.asmsetup] baseline",
        ),
    )
}
"""The rules by their names, in the order of their value."""


def explain(rule: Rule) -> str:
    """Return a rule as text for the terminal."""
    return (
        f"{rule.name} ({rule.severity})\n\n{rule.about}\nOtherwise: {rule.otherwise}\n"
        f"\n  {rule.cure}\n\nMore: docs/reference/checks.md#{rule.name}"
    )
