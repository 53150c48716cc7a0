"""Sets of instructions that are alike in what matters to the analysis."""

from __future__ import annotations

from iced_x86 import Mnemonic

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
ALIGNED = frozenset(
    getattr(Mnemonic, name)
    for name in (
        *("MOVAPS", "MOVAPD", "MOVDQA", "VMOVAPS", "VMOVAPD", "VMOVDQA", "VMOVDQA32", "VMOVDQA64"),
        *("MOVNTDQ", "MOVNTPS", "MOVNTPD", "VMOVNTDQ", "VMOVNTPS", "VMOVNTPD", "MOVNTDQA"),
    )
)
UNCHANGING = frozenset((Mnemonic.OR, Mnemonic.ADD, Mnemonic.SUB, Mnemonic.XOR))
LOOPS = frozenset((Mnemonic.LOOP, Mnemonic.LOOPE, Mnemonic.LOOPNE))
