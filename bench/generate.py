"""Write a SIMD-like project: a module of any number of macro-heavy sources, as a video decoder has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHARED = 5
"""One source in this many uses filter.inc; all use simd.inc."""

_SIMD = """\
; A small vector layer, as such projects have one: each kernel is written once
; and comes out for every instruction set.

%macro SIMD_FUNCTION 3              ; name, instruction set, bytes in a register
    %define SIMD_BYTES %3
    %ifidn %2, sse2
        %define V xmm
        %define SIMD_PREFIX
    %else
        %define V ymm
        %define SIMD_PREFIX v
    %endif
    global %1_%2:function hidden
    align 32
%1_%2:
%endmacro

%macro OP 3                         ; instruction, destination, source
    %ifidn V, xmm
        %1      V %+ %2, V %+ %3
    %else
        v%1     V %+ %2, V %+ %2, V %+ %3
    %endif
%endmacro

%macro LOAD 2                       ; register, address
    %ifidn V, xmm
        movdqu  V %+ %1, %2
    %else
        vmovdqu V %+ %1, %2
    %endif
%endmacro

%macro STORE 2                      ; address, register
    %ifidn V, xmm
        movdqu  %1, V %+ %2
    %else
        vmovdqu %1, V %+ %2
    %endif
%endmacro

%macro BUTTERFLY 3                  ; two registers, one for scratch
    LOAD        %3, [rsi]
    OP          paddw, %3, %1
    OP          psubw, %1, %2
    OP          paddw, %2, %3
%endmacro

%macro TRANSFORM 1                  ; rounds
    %assign round 0
    %rep %1
        %assign lane 0
        %rep 4
            %assign first lane
            %assign second lane + 4
            BUTTERFLY first, second, 8
            %assign lane lane + 1
        %endrep
        %assign round round + 1
    %endrep
%endmacro

%macro ROWS 1                       ; rows
    %assign row 0
    %rep %1
        LOAD        0, [rdi + row * SIMD_BYTES]
        LOAD        1, [rsi + row * SIMD_BYTES]
        OP          pmaddwd, 0, 1
        OP          paddd, 2, 0
        STORE       [rdx + row * SIMD_BYTES], 2
        %assign row row + 1
    %endrep
%endmacro
"""

_FILTER = """\
%macro FILTER 1                     ; taps
    %assign tap 0
    %rep %1
        LOAD        3, [rdi + tap * 2]
        OP          pmulhw, 3, 4
        OP          paddsw, 5, 3
        %assign tap tap + 1
    %endrep
%endmacro
"""

_KERNEL = """\
; Kernel {number} of a generated project.
%include "simd.inc"
{include}
default rel
section .text

%assign size 4
%rep {sizes}
    %xdefine name kernel_{number}_ %+ size
    SIMD_FUNCTION name, sse2, 16
        TRANSFORM {rounds}
        ROWS size
        {body}
        ret
    SIMD_FUNCTION name, avx2, 32
        TRANSFORM {rounds}
        ROWS size
        {body}
        vzeroupper
        ret
    %assign size size + 4
%endrep

global kernel_{number}:function hidden
kernel_{number}:
    mov         eax, {number}
    ret
"""

# The multi-phase PyModuleDef of a build with the GIL: 40 bytes of PyModuleDef_Base (CPython's
# moduleobject.h), then name, doc, size, methods, slots, traverse, clear, free.
_MODULE = """\
; The module: number() adds up what the kernels return.
default rel
extern PyModuleDef_Init, PyLong_FromLong
{externs}

section .rodata
    module_name: db "kernels", 0
    function_name: db "number", 0

section .text
number:
    push        rbx
    xor         ebx, ebx
{calls}
    mov         edi, ebx
    pop         rbx
    jmp         PyLong_FromLong wrt ..plt

global PyInit_kernels:function
PyInit_kernels:
    lea         rdi, [definition]
    jmp         PyModuleDef_Init wrt ..plt

section .data align=16
    definition: dq 1, 0, 0, 0, 0
                dq module_name, 0, 0, methods, slots, 0, 0, 0
    methods:    dq function_name, number, 4, 0
                dq 0, 0, 0, 0
    slots:      dq 0, 0
"""


LIGHT, HEAVY = (2, 2, 2, 2, 2, 2, 2, 2, 2, 8), (32, 40, 48, 56)
"""How long sources are, in turn: most are short and some are not, as it is in real projects; and
as long as the longest of a video decoder, where NASM takes the better part of a second."""


def names(count: int) -> list[str]:
    """Return the names of the project's sources."""
    return ["module.asm", *(f"kernel_{number}.asm" for number in range(1, count))]


def write(folder: Path, count: int, sizes: Sequence[int] = LIGHT) -> None:
    """Write ``count`` sources and their includes; ``sizes`` say how long they are, in turn."""
    (folder / "inc").mkdir(parents=True)
    (folder / "inc" / "simd.inc").write_text(_SIMD)
    (folder / "inc" / "filter.inc").write_text(_FILTER)
    numbers = range(1, count)
    for number in numbers:
        (folder / f"kernel_{number}.asm").write_text(_kernel(number, sizes))
    externs = "\n".join(f"extern kernel_{number}" for number in numbers)
    calls = "\n".join(
        f"    call        kernel_{number}\n    add         ebx, eax" for number in numbers
    )
    (folder / "module.asm").write_text(_MODULE.format(externs=externs, calls=calls))


def _kernel(number: int, sizes: Sequence[int]) -> str:
    filters = number % SHARED == 0
    return _KERNEL.format(
        number=number,
        include='%include "filter.inc"' if filters else "",
        body="FILTER 8" if filters else "",
        sizes=sizes[(number - 1) % len(sizes)],
        rounds=4 + number % 3,
    )
