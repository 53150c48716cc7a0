"""Sets of instructions that are alike in what matters to the analysis."""

from __future__ import annotations

from collections.abc import Sequence

from iced_x86 import EncodingKind, Instruction, MemorySizeExt, Mnemonic, OpKind, RegisterExt

MOVES = frozenset((Mnemonic.MOV, Mnemonic.MOVQ, Mnemonic.VMOVQ, Mnemonic.KMOVQ))
VECTOR_MOVES = frozenset(
    (Mnemonic.MOVAPS, Mnemonic.MOVUPS, Mnemonic.MOVDQA, Mnemonic.MOVDQU, Mnemonic.VMOVDQU)
)

# The result does not depend on the operands when both are the same register.
ZEROING = frozenset(
    getattr(Mnemonic, name)
    for name in (
        *("XOR", "SUB", "PXOR", "XORPS", "XORPD", "VPXOR", "VXORPS", "VXORPD", "VPXORD", "VPXORQ"),
        *("PSUBB", "PSUBW", "PSUBD", "PSUBQ", "SBB", "KXORQ", "KXORD", "KXORW", "KXORB"),
        *("PCMPEQB", "PCMPEQW", "PCMPEQD", "PCMPEQQ", "VPCMPEQB", "VPCMPEQW", "VPCMPEQD"),
        *("VPCMPEQQ", "PCMPGTB", "PCMPGTW", "PCMPGTD", "KXNORB", "KXNORW", "KXNORD", "KXNORQ"),
        *("VPTERNLOGD", "VPTERNLOGQ"),
    )
)
# String instructions that a prefix lets end early.
COMPARING = frozenset(
    getattr(Mnemonic, name + size) for name in ("CMPS", "SCAS") for size in ("B", "W", "D", "Q")
)
GENERAL_ZEROING = frozenset((Mnemonic.XOR, Mnemonic.SUB))
# What they leave of the target's old value is not what they are used for.
MERGING = frozenset(
    getattr(Mnemonic, name)
    for name in (
        *("CVTSI2SD", "CVTSI2SS", "CVTSS2SD", "CVTSD2SS", "VCVTSI2SD", "VCVTSI2SS", "VCVTSS2SD"),
        *("VCVTSD2SS", "VCVTUSI2SD", "VCVTUSI2SS", "SQRTSD", "SQRTSS", "VSQRTSD", "VSQRTSS"),
        *("ROUNDSD", "ROUNDSS", "VROUNDSD", "VROUNDSS", "PINSRB", "PINSRW", "PINSRD", "PINSRQ"),
        *("MOVLPD", "MOVHPD", "MOVLPS", "MOVHPS", "RCPSS", "RSQRTSS", "POPCNT", "LZCNT", "TZCNT"),
        *("MOVSD", "MOVSS", "BSF", "BSR", "MOVHLPS", "MOVLHPS", "INSERTPS", "VPINSRQ"),
        *("UNPCKLPD", "UNPCKHPD", "UNPCKLPS", "PUNPCKLQDQ", "PUNPCKLDQ", "PUNPCKLWD", "PUNPCKLBW"),
    )
)
_ALIGNED = frozenset(
    getattr(Mnemonic, name)
    for name in (
        *("MOVAPS", "MOVAPD", "MOVDQA", "VMOVAPS", "VMOVAPD", "VMOVDQA", "VMOVDQA32", "VMOVDQA64"),
        *("MOVNTDQ", "MOVNTPS", "MOVNTPD", "VMOVNTDQ", "VMOVNTPS", "VMOVNTPD", "MOVNTDQA"),
    )
)
# Of the older instructions, those that take 16 bytes of memory at any address.
_ANY_ADDRESS = frozenset(
    getattr(Mnemonic, name)
    for name in (
        *("MOVUPS", "MOVUPD", "MOVDQU", "LDDQU"),
        *("PCMPESTRI", "PCMPESTRM", "PCMPISTRI", "PCMPISTRM"),
    )
)
CONTROL_LOADING = frozenset(
    (Mnemonic.LDMXCSR, Mnemonic.VLDMXCSR, Mnemonic.FLDCW, Mnemonic.FNINIT, Mnemonic.FINIT)
)
CONTROL_SAVING = frozenset((Mnemonic.STMXCSR, Mnemonic.VSTMXCSR, Mnemonic.FNSTCW, Mnemonic.FSTCW))
UNCHANGING = frozenset((Mnemonic.OR, Mnemonic.ADD, Mnemonic.SUB, Mnemonic.XOR))
LOOPS = frozenset((Mnemonic.LOOP, Mnemonic.LOOPE, Mnemonic.LOOPNE))
_MASKING = frozenset((Mnemonic.AND, Mnemonic.TEST))
_SHIFTING = frozenset((Mnemonic.SHL, Mnemonic.SAL))
_BIT_TESTS = frozenset((Mnemonic.BT, Mnemonic.BTS, Mnemonic.BTR, Mnemonic.BTC))
IMMEDIATES = frozenset(
    (
        *(OpKind.IMMEDIATE8, OpKind.IMMEDIATE16, OpKind.IMMEDIATE32, OpKind.IMMEDIATE64),
        *(OpKind.IMMEDIATE8TO16, OpKind.IMMEDIATE8TO32, OpKind.IMMEDIATE8TO64),
        OpKind.IMMEDIATE32TO64,
    )
)


def needs_alignment(raw: Instruction) -> bool:
    """Return whether an instruction faults unless the address is a multiple of its operand's size.

    The vector instructions before AVX do so with 16 bytes of memory, but for a few.
    """
    if raw.mnemonic in _ALIGNED:
        return True
    is_vector = any(
        raw.op_kind(n) == OpKind.REGISTER and RegisterExt.is_xmm(raw.op_register(n))
        for n in range(min(raw.op_count, 2))
    )
    is_whole = MemorySizeExt.size(raw.memory_size) == 16
    legacy = raw.encoding == EncodingKind.LEGACY
    return legacy and is_vector and is_whole and raw.mnemonic not in _ANY_ADDRESS


def ignores_operands(
    mnemonic: int, kinds: Sequence[int], registers: Sequence[tuple[int, int]], number: int
) -> bool:
    """Return whether the result is the same whatever the operands hold: `xor eax, eax'."""
    if mnemonic in ZEROING:
        operands = [r for r, kind in zip(registers, kinds, strict=True) if kind == OpKind.REGISTER]
        return len(operands) > 1 and operands[-1] == operands[-2] and OpKind.MEMORY not in kinds
    if len(kinds) == 2 and kinds[0] == OpKind.REGISTER:
        return (mnemonic == Mnemonic.OR and number == -1) or (
            mnemonic == Mnemonic.AND and number == 0 and kinds[1] in IMMEDIATES
        )
    return False


def ignored_halves(
    mnemonic: int, kinds: Sequence[int], registers: Sequence[tuple[int, int]], number: int
) -> int:
    """Return the registers whose upper halves do not matter, a bit each: `test rax, 1'."""
    if mnemonic == Mnemonic.LEA and registers[0][1] < 8:  # the lower half of a sum
        return -1
    if len(kinds) != 2 or kinds[0] != OpKind.REGISTER:
        return 0
    if kinds[1] in IMMEDIATES:
        is_ignored = (mnemonic in _MASKING and number >= 0) or (
            mnemonic in _SHIFTING and number >= 32
        )
        return -1 if is_ignored else 0
    is_count = (
        mnemonic in _BIT_TESTS and kinds[1] == OpKind.REGISTER and registers[0] != registers[1]
    )
    return 1 << registers[1][0] if is_count else 0
