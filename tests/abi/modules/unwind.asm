; Functions in which a debugger stops, inside PySys_WriteStdout.

%include "python.inc"

section .rodata

text:               db "here", 10, 0

section .text

PyModule            unwind

%macro STOP 0
    lea             rdi, [rel text]
    PyCall          PySys_WriteStdout
%endmacro

PyFunction          bare, METH_NOARGS
    STOP
    Py_RETURN_NONE
PyEndFunction

PyFunction          early, METH_O, -, object
    PyKeep          a
    cmp             object, Py_None
    jne             .other
    Py_RETURN_NONE
.other:
    STOP                                ; behind a return
    Py_RETURN_NONE
PyEndFunction

PyFunction          pushes, METH_O, self, object
    PyLocal         big, 4096
    PyKeep          a, b
    push            rax
    push            rcx
    sub             rsp, 32
    STOP
    add             rsp, 48
    Py_RETURN_NONE
PyEndFunction

PyFunction          six, METH_O, self, object
    PyKeep          a, b, c, d
    xor             d.d, d.d
    push            rax
    push            rax
    call            plain
    add             rsp, 16
    Py_RETURN_NONE
PyEndFunction

PyFrame             plain
    push            rbx
    push            r12
    xor             ebx, ebx
    test            rdi, rdi
    jnz             .more
    pop             r12
    pop             rbx
    ret
.more:
    call            based
    pop             r12
    pop             rbx
    ret
PyEndFrame

PyFrame             based
    push            rbp
    mov             rbp, rsp
    push            r14
    and             rsp, -64
    sub             rsp, 64
    lea             rdi, [rel text]
    xor             eax, eax
    call            [rel PySys_WriteStdout wrt ..got]
    lea             rsp, [rbp - 8]
    pop             r14
    pop             rbp
    ret
PyEndFrame

PyFunction          busy, METH_O
    PyKeep          count
    mov             rdi, rsi
    PyCall          PyLong_AsLong
    mov             count, rax
    push            rax
.again:
    dec             count
    jnz             .again
    pop             rax
    Py_RETURN_NONE
PyEndFunction

PyEndModule
