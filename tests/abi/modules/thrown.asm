; Routines through which C++ exceptions and pthread_exit pass.

%include "python.inc"

section .text

global              in_routine:function
PyRoutine           in_routine, callback, number
    PyKeep          a, b, c
    xor             a.d, a.d
    mov             b, -1
    mov             c, -1
    push            rax
    push            rax
    call            callback
    add             rsp, 16
    PyReturn        number
PyEndRoutine

global              in_six:function
PyRoutine           in_six, callback, number
    PyKeep          a, b, c, d
    mov             a, -1
    mov             b, -1
    mov             c, -1
    mov             d, -1
    call            callback
    PyReturn        number
PyEndRoutine

global              in_plain:function
PyFrame             in_plain
    push            rbx
    push            r12
    push            rbp
    mov             rbx, -1
    mov             r12, -1
    mov             rbp, -1
    call            rdi
    pop             rbp
    pop             r12
    pop             rbx
    ret
PyEndFrame
