; Plain routines, of which no macro says how to unwind them: each with another
; way to find its frame. `python -m pytest tests/abi/test_stepping.py` steps
; through them.

%include "python.inc"

PyModule            undeclared
PyMethod            "leaf", leaf, METH_NOARGS
PyMethod            "pushes", pushes, METH_NOARGS
PyMethod            "based", based, METH_NOARGS
PyMethod            "aligned", aligned, METH_NOARGS
PyMethod            "walks", walks, METH_O
PyMethod            "early", early, METH_O
PyMethod            "chosen", chosen, METH_O
PyMethod            "beside", beside, METH_NOARGS
PyMethod            "calls", calls, METH_NOARGS
PyEndModule

section .rodata

text:               db "here", 10, 0

section .text

%macro STOP 0
    lea             rdi, [rel text]
    PyCall          PySys_WriteStdout
%endmacro


; Nothing on the stack; a kept register in the red zone.
leaf:
    mov             [rsp - 8], rbx
    xor             ebx, ebx
    mov             rbx, [rsp - 8]
    Py_RETURN_NONE

pushes:
    push            rbx
    push            r12
    xor             ebx, ebx
    xor             r12d, r12d
    sub             rsp, 24
    STOP
    add             rsp, 24
    pop             r12
    pop             rbx
    Py_RETURN_NONE

; A frame pointer, and a loop that pushes.
based:
    push            rbp
    mov             rbp, rsp
    push            r14
    mov             r14d, 3
.again:
    push            rax
    dec             r14d
    jnz             .again
    STOP
    mov             r14, [rbp - 8]
    leave
    Py_RETURN_NONE

; rsp aligned, what it was in a register, then in the frame.
aligned:
    mov             r11, rsp
    and             rsp, -64
    sub             rsp, 192
    mov             [rsp + 128], r11
    mov             [rsp + 136], r13
    mov             [rsp + 144], rbp
    xor             r13d, r13d
    xor             ebp, ebp
    lea             rdi, [rel text]
    xor             eax, eax
    call            [rel PySys_WriteStdout wrt ..got]
    mov             r13, [rsp + 136]
    mov             rbp, [rsp + 144]
    mov             rsp, [rsp + 128]
    Py_RETURN_NONE

; The frame is found from rbx, while rsp is somewhere.
walks:
    push            rbx
    push            r15
    mov             rbx, rsp
    mov             r15d, 2
.again:
    sub             rsp, 48
    and             rsp, -32
    dec             r15d
    jnz             .again
    lea             rdi, [rel text]
    xor             eax, eax
    call            [rel PySys_WriteStdout wrt ..got]
    mov             rsp, rbx
    pop             r15
    pop             rbx
    Py_RETURN_NONE

; Two exits, the first in the middle, and one to the function of CPython's.
early:
    push            rbx
    mov             rbx, rsi
    cmp             rsi, Py_None
    jne             .other
    pop             rbx
    Py_RETURN_NONE
.other:
    STOP
    mov             rdi, rbx
    pop             rbx
    jmp             [rel PyObject_Repr wrt ..got]

; A switch.
chosen:
    push            r12
    mov             rdi, rsi
    sub             rsp, 16
    PyCall          PyLong_AsLong
    add             rsp, 16
    mov             r12, rax
    cmp             rax, 2
    ja              .out
    lea             rdx, [rel .table]
    movsxd          rax, [rdx + rax * 4]
    add             rax, rdx
    jmp             rax
.first:
    push            rax
    STOP
    pop             rax
    jmp             .out
.second:
    sub             rsp, 64
    STOP
    add             rsp, 64
.out:
    pop             r12
    Py_RETURN_NONE

section .rodata
                    align 4
.table:             dd .first - .table, .second - .table, .out - .table
section .text

; A kept register in one that calls do not keep, as nothing is called.
beside:
    mov             r10, rbx
    mov             r11, rbp
    xor             ebx, ebx
    xor             ebp, ebp
    mov             rbx, r10
    mov             rbp, r11
    Py_RETURN_NONE

; Routines of the module's own: by a call, by a jump, through a pointer.
calls:
    push            rbx
    lea             rbx, [rel pointed]
    call            called
    call            rbx
    pop             rbx
    jmp             jumped

called:
    push            r13
    xor             r13d, r13d
    STOP
    pop             r13
    ret

pointed:
    push            rbp
    xor             ebp, ebp
    STOP
    pop             rbp
    ret

jumped:
    STOP
    Py_RETURN_NONE
