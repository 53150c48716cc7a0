"""Decodes instructions into what the analysis needs of them, each address and encoding once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iced_x86 import (
    Code,
    ConditionCode,
    Decoder,
    EncodingKind,
    FlowControl,
    Instruction,
    InstructionInfo,
    InstructionInfoFactory,
    MemorySizeExt,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
)

from ...named import NamedTuple
from .mnemonics import (
    COMPARING,
    CONTROL_LOADING,
    CONTROL_SAVING,
    GENERAL_ZEROING,
    IMMEDIATES,
    LOOPS,
    MERGING,
    MOVES,
    UNCHANGING,
    VECTOR_MOVES,
    ignored_halves,
    ignores_operands,
    needs_alignment,
)
from .values import K0, XMM0

# How control goes on after an instruction.
NEXT, JUMP, BRANCH, CALL, CALL_VALUE, JUMP_VALUE, RETURN, STOP, SYSTEM = range(9)

# What an instruction does, as far as its result can be followed.
OTHER, MOVE, LOAD, STORE, SET, ADDRESS, ADD, SUBTRACT, AND, ZERO, PUSH, POP, LEAVE = range(13)
EXCHANGE, COMPARE, TEST, DIRECTION, UPPER_ZERO, EMPTY_MMX, SET_BIT, LOAD_PART = range(13, 21)
NOTHING, EXTEND, SHIFT, FLAGS_POP, CONTROL_LOAD, CONTROL_SAVE, ENTER, REPEAT = range(21, 29)
TEST_SELF = 29  # `or eax, eax'

# What a branch is taken on; all other conditions are ANY.
ANY, EQUAL, NOT_EQUAL, BELOW, NOT_BELOW, ABOVE, NOT_ABOVE = range(7)
LESS, NOT_LESS, GREATER, NOT_GREATER = range(7, 11)

NO_BASE, RIP, SEGMENT = -1, -2, -3
"""Instead of a base register: none; the address itself is given; relative to fs or gs."""


class Memory(NamedTuple):
    """A memory operand."""

    base: int
    index_register: int
    scale: int
    displacement: int
    size: int
    """In bytes; 0 when unknown."""
    read: bool
    written: bool
    aligned: bool
    """The instruction faults unless the address is a multiple of ``size``."""


class Operation(NamedTuple):
    """The effects of an instruction, which are the same at any address unless it names one."""

    flow: int
    effect: int
    uses: int
    """The registers that are read in any way, a bit each."""
    reads: int
    """Those whose values matter: saving a register, say, does not use its value."""
    reads_whole: int
    """Those of which all 64 bits matter."""
    writes: int
    target: int
    """The register written by what ``effect`` says, -1 if it is not a register."""
    target_size: int
    source: int
    source_size: int
    number: int
    """The immediate operand, signed."""
    memory: Memory | None
    condition: int
    """One of the conditions above that a branch is taken on."""
    changes_flags: bool
    dirties_upper: bool
    """It writes the upper half of a ymm or zmm register."""
    uses_mmx: bool
    features: tuple[int, ...]
    """iced-x86's numbers of the CPUID features it needs."""
    mnemonic: int
    stack_change: int
    """By how much it moves rsp, for those without an effect of their own."""


class Decoded(NamedTuple):
    """An instruction in its place."""

    at: int
    next: int
    operation: Operation
    goal: int
    """The address that it branches to; 0 unless it names one."""


_READS = frozenset(
    (OpAccess.READ, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE, OpAccess.COND_READ)
)
_WRITES = frozenset(
    (OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE, OpAccess.READ_COND_WRITE)
)

_FLOWS: dict[int, int] = {
    FlowControl.NEXT: NEXT,
    FlowControl.UNCONDITIONAL_BRANCH: JUMP,
    FlowControl.INDIRECT_BRANCH: JUMP_VALUE,
    FlowControl.CONDITIONAL_BRANCH: BRANCH,
    FlowControl.RETURN: RETURN,
    FlowControl.CALL: CALL,
    FlowControl.INDIRECT_CALL: CALL_VALUE,
    FlowControl.INTERRUPT: STOP,
    FlowControl.XBEGIN_XABORT_XEND: NEXT,
    FlowControl.EXCEPTION: STOP,
}

_EFFECTS: dict[int, int] = {
    Mnemonic.PUSH: PUSH,
    Mnemonic.POP: POP,
    Mnemonic.LEA: ADDRESS,
    Mnemonic.ADD: ADD,
    Mnemonic.SUB: SUBTRACT,
    Mnemonic.AND: AND,
    Mnemonic.LEAVE: LEAVE,
    Mnemonic.ENTER: ENTER,
    Mnemonic.XCHG: EXCHANGE,
    Mnemonic.CMP: COMPARE,
    Mnemonic.TEST: TEST,
    Mnemonic.STD: DIRECTION,
    Mnemonic.CLD: DIRECTION,
    Mnemonic.VZEROUPPER: UPPER_ZERO,
    Mnemonic.VZEROALL: UPPER_ZERO,
    Mnemonic.EMMS: EMPTY_MMX,
    Mnemonic.MOVSXD: LOAD_PART,
    Mnemonic.MOVZX: LOAD_PART,
    Mnemonic.MOVSX: LOAD_PART,
    Mnemonic.CDQE: EXTEND,
    Mnemonic.SHL: SHIFT,
    Mnemonic.POPFQ: FLAGS_POP,
    **dict.fromkeys(CONTROL_LOADING, CONTROL_LOAD),
    **dict.fromkeys(CONTROL_SAVING, CONTROL_SAVE),
    Mnemonic.NOP: NOTHING,
    Mnemonic.ENDBR64: NOTHING,
}
_CONDITIONS: dict[int, int] = {
    ConditionCode.E: EQUAL,
    ConditionCode.NE: NOT_EQUAL,
    ConditionCode.B: BELOW,
    ConditionCode.AE: NOT_BELOW,
    ConditionCode.A: ABOVE,
    ConditionCode.BE: NOT_ABOVE,
    # Behind a comparison with 0, which is what matters here, the sign is the same.
    **dict.fromkeys((ConditionCode.S, ConditionCode.L), LESS),
    **dict.fromkeys((ConditionCode.NS, ConditionCode.GE), NOT_LESS),
    ConditionCode.G: GREATER,
    ConditionCode.LE: NOT_GREATER,
}


def _numbered() -> dict[int, tuple[int, int]]:
    """Return our number of each of iced-x86's registers, and its size."""
    table: dict[int, tuple[int, int]] = {}
    # Their type is a class for type checkers, and a module of plain numbers at run time.
    registers: dict[str, Any] = {
        name: value for name, value in vars(Register).items() if isinstance(value, int)
    }
    for register in registers.values():
        size = RegisterExt.size(register)
        if RegisterExt.is_gpr(register):
            full = RegisterExt.full_register(register)
            table[register] = RegisterExt.number(full), size
        elif RegisterExt.is_vector_register(register):
            table[register] = XMM0 + RegisterExt.number(register), size
        elif RegisterExt.is_k(register):
            table[register] = K0 + RegisterExt.number(register), size
    return table


_NUMBERS = _numbered()
_NO_REGISTER = (-1, 0)
_OPERANDS = {r: n for r, n in _NUMBERS.items() if not Register.AH <= r <= Register.BH}
"""Those whose values can be followed: not the second bytes, ah to bh."""
_MMX = frozenset(range(Register.MM0, Register.MM7 + 1))
_WIDE = frozenset(
    (*range(Register.YMM0, Register.YMM15 + 1), *range(Register.ZMM0, Register.ZMM15 + 1))
)


class Decoding:
    """The instructions of one stretch of code."""

    def __init__(self, code: bytes, address: int) -> None:
        self._decoder = Decoder(64, code, ip=address)
        self._code = code
        self._start = address
        self._next = address
        self._raw = Instruction()
        self._information = InstructionInfoFactory()

    def at(self, address: int, shared: dict[bytes, Operation]) -> Decoded | None:
        """Return the instruction at an address; None if the bytes are not an instruction."""
        decoder, raw = self._decoder, self._raw
        position = address - self._start
        if address != self._next:
            decoder.ip, decoder.position = address, position
        decoder.decode_out(raw)
        self._next = following = raw.next_ip
        code = self._code[position : following - self._start]
        operation = shared.get(code)
        if operation is not None:
            return _new(Decoded, (address, following, operation, 0))
        if raw.is_invalid:
            self._next = -1
            return None
        goal = 0
        if raw.op_count and raw.op0_kind == OpKind.NEAR_BRANCH64:
            # The same but for where it leads; the condition is in the opcode.
            code = raw.code.to_bytes(2, "little") + b"branch"
            goal = raw.near_branch_target
        elif raw.is_ip_rel_memory_operand:
            at = decoder.get_constant_offsets(raw).displacement_offset
            code = code[:at] + b"here" + code[at + 4 :]
        operation = shared.get(code)
        if operation is None:
            operation = shared[code] = _operation(raw, self._information)
        memory = operation.memory
        if memory is not None and memory.base == RIP:
            memory = _new(Memory, (*memory[:3], raw.ip_rel_memory_address, *memory[4:]))
            parts = *operation[:_MEMORY], memory, *operation[_MEMORY + 1 :]
            operation = _new(Operation, parts)
        return _new(Decoded, (address, following, operation, goal))


# For each instruction one is made: without the detour over the class's own __new__.
_new = tuple.__new__
_MEMORY = Operation._fields.index("memory")


class _Kind(NamedTuple):
    """The properties that all instructions of one of iced-x86's codes share."""

    flow: int
    condition: int
    changes_flags: bool
    features: tuple[int, ...]
    stack_change: int
    is_legacy: bool
    aligned: bool
    """The address of its operand in memory must be a multiple of the operand's size."""


def _kind_of(raw: Instruction, mnemonic: int, known: dict[int, _Kind] = {}) -> _Kind:  # noqa: B006
    found = known.get(raw.code)
    if found is None:
        is_loop = mnemonic in LOOPS
        found = known[raw.code] = _Kind(
            _flow(raw, mnemonic),
            ANY if is_loop else _CONDITIONS.get(raw.condition_code, ANY),
            bool(raw.rflags_modified),
            # Older processors execute tzcnt as bsf, and compilers write that so.
            () if mnemonic == Mnemonic.TZCNT else tuple(raw.cpuid_features()),
            raw.stack_pointer_increment if raw.is_stack_instruction else 0,
            raw.encoding == EncodingKind.LEGACY,
            needs_alignment(raw),
        )
    return found


def _unused(
    mnemonic: int,
    effect: int,
    kinds: Sequence[int],
    registers: Sequence[tuple[int, int]],
    number: int,
    memory: Memory | None,
) -> int:
    """Return the registers that an instruction reads and does not use the value of, a bit each."""
    target, _ = registers[0] if registers else _NO_REGISTER
    source, _ = registers[1] if len(registers) > 1 else _NO_REGISTER
    if effect == STORE or (effect == PUSH and target >= 0):
        # Saving a register, or pushing one to align the stack.
        stored = source if effect == STORE else target
        based = effect == PUSH or (memory is not None and memory.base in (4, 5))
        if based and stored >= 0 and (memory is None or memory.index_register != stored):
            return 1 << stored
        return 0
    if effect == UPPER_ZERO or ignores_operands(mnemonic, kinds, registers, number):
        return -1
    if mnemonic in MERGING and target >= 0 and target != source:
        return 1 << target
    return 0


def _operation(raw: Instruction, factory: InstructionInfoFactory) -> Operation:
    information = factory.info(raw)
    mnemonic = raw.mnemonic
    kind_of = _kind_of(raw, mnemonic)
    kinds = [*map(raw.op_kind, range(raw.op_count))]
    # Zero for an operand that does not exist.
    named = [*map(raw.op_register, range(len(kinds)))]
    registers = [_OPERANDS.get(register, _NO_REGISTER) for register in named]
    uses, whole, writes = _registers(information)
    memory = _memory(raw, information, kind_of) if OpKind.MEMORY in kinds else None
    target, target_size = registers[0] if registers else _NO_REGISTER
    source, source_size = registers[1] if len(registers) > 1 else _NO_REGISTER
    number = _signed(raw.immediate(len(kinds) - 1)) if kinds and kinds[-1] in IMMEDIATES else 0
    effect = _effect(mnemonic, kinds, registers, raw)
    unused = _unused(mnemonic, effect, kinds, registers, number, memory)
    whole &= ~(unused | ignored_halves(mnemonic, kinds, registers, number))
    if mnemonic == Mnemonic.VZEROUPPER:
        writes = 0  # the lower halves stay
    return Operation(
        flow=kind_of.flow,
        effect=effect,
        uses=uses,
        reads=uses & ~unused,
        reads_whole=whole,
        writes=writes,
        target=target,
        target_size=target_size,
        source=source,
        source_size=source_size,
        number=number,
        memory=memory,
        condition=kind_of.condition,
        changes_flags=kind_of.changes_flags,
        dirties_upper=not kind_of.is_legacy and bool(named) and named[0] in _WIDE,
        uses_mmx=not _MMX.isdisjoint(named),
        features=kind_of.features,
        mnemonic=mnemonic,
        stack_change=raw.stack_pointer_increment if effect == ENTER else kind_of.stack_change,
    )


def _flow(raw: Instruction, mnemonic: int) -> int:
    if mnemonic in (Mnemonic.SYSCALL, Mnemonic.SYSENTER):
        return SYSTEM
    if mnemonic == Mnemonic.HLT:
        return STOP
    return _FLOWS.get(raw.flow_control, STOP)


def _registers(information: InstructionInfo) -> tuple[int, int, int]:
    reads = whole = writes = 0
    for used in information.used_registers():
        number, size = _NUMBERS.get(used.register, _NO_REGISTER)
        if number < 0:
            continue
        access = used.access
        if access in _READS:
            reads |= 1 << number
            if size == 8:
                whole |= 1 << number
        if access in _WRITES:
            writes |= 1 << number
    return reads, whole, writes


def _memory(raw: Instruction, information: InstructionInfo, kind: _Kind) -> Memory:
    base, index = raw.memory_base, raw.memory_index
    if raw.segment_prefix in (Register.FS, Register.GS):
        number = SEGMENT
    elif raw.is_ip_rel_memory_operand:
        number = RIP
    else:
        number = _NUMBERS.get(base, _NO_REGISTER)[0]
    displacement = raw.ip_rel_memory_address if number == RIP else raw.memory_displacement
    accesses = [used.access for used in information.used_memory()]
    return Memory(
        number,
        _NUMBERS.get(index, _NO_REGISTER)[0],
        raw.memory_index_scale,
        displacement if number == RIP else _signed(displacement),
        MemorySizeExt.size(raw.memory_size),
        not _READS.isdisjoint(accesses),
        not _WRITES.isdisjoint(accesses),
        kind.aligned,
    )


def _effect(
    mnemonic: int, kinds: Sequence[int], registers: list[tuple[int, int]], raw: Instruction
) -> int:
    if mnemonic in MOVES and len(kinds) == 2:
        move = _move(kinds)
        return move if move == STORE or registers[0][0] >= 0 else OTHER
    if mnemonic in VECTOR_MOVES and kinds[0] == OpKind.REGISTER == kinds[1]:
        return MOVE
    if (
        mnemonic in GENERAL_ZEROING
        and kinds[0] == OpKind.REGISTER == kinds[1]
        and registers[0] == registers[1]
        and registers[0][1] >= 4
    ):
        return ZERO
    is_same = len(kinds) == 2 and kinds[0] == OpKind.REGISTER == kinds[1]
    if mnemonic in (Mnemonic.OR, Mnemonic.AND) and is_same and registers[0] == registers[1]:
        return TEST_SELF if registers[0][1] >= 4 else OTHER
    if raw.code in (Code.LEAVEW, Code.PUSHW_CS):
        return OTHER
    if mnemonic in UNCHANGING and kinds[0] == OpKind.MEMORY and kinds[1] in IMMEDIATES:
        # A fence: `lock or [rsp], 0' leaves memory unchanged.
        return NOTHING if raw.immediate(1) == 0 else OTHER
    if raw.condition_code != ConditionCode.NONE and len(kinds) == 1 and kinds[0] == OpKind.REGISTER:
        return SET_BIT
    if raw.has_rep_prefix and raw.is_string_instruction and mnemonic not in COMPARING:
        return REPEAT
    return _EFFECTS.get(mnemonic, OTHER)


def _move(kinds: Sequence[int]) -> int:
    if kinds[0] == OpKind.MEMORY:
        return STORE
    if kinds[0] != OpKind.REGISTER:
        return OTHER
    if kinds[1] == OpKind.REGISTER:
        return MOVE
    return LOAD if kinds[1] == OpKind.MEMORY else SET


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
