; Routines that no macro opens, and calls in them: with the stack as it was
; on entry, one push further, and with arguments on the stack.

%include "python.inc"

section .rodata

nine:               db "%d %d %d %d %d %d %d %d %d", 0

section .text

PyModule            plain

PyMethod            "raise", raise_it, METH_O
raise_it:
    PyRaise         PyExc_ValueError, "%R", rsi
    xor             eax, eax
    ret

PyMethod            "raise_pushed", raise_pushed, METH_O
raise_pushed:
    push            rsi
    PyRaise         PyExc_ValueError, "%R", [rsp]
    pop             rsi
    ret

PyMethod            "representation", representation, METH_O
representation:
    mov             rdi, rsi
    PyCall          PyObject_Repr
    ret

PyMethod            "representation_twice", representation_twice, METH_O
representation_twice:
    push            rbx
    mov             rdi, rsi
    PyCall          PyObject_Repr
    mov             rbx, rax
    mov             rdi, rax
    PyCall          PyObject_Repr
    mov             rdi, rbx
    mov             rbx, rax
    PyCall          Py_DecRef
    mov             rax, rbx
    pop             rbx
    ret

PyMethod            "numbers", numbers, METH_NOARGS
numbers:
    push            rax                 ; of no use but to align
    push            rax
    push            19
    push            18
    push            17
    push            16
    push            15
    mov             rdi, [rel PyExc_ValueError wrt ..got]
    mov             rdi, [rdi]
    lea             rsi, [rel nine]
    mov             edx, 11
    mov             ecx, 12
    mov             r8d, 13
    mov             r9d, 14
    PyCall          PyErr_Format
    add             rsp, 56
    ret

PyMethod            "framed", framed, METH_O
PyFrame             framed
    push            rbx
    push            r12
    mov             rdi, rsi
    PyCall          PyObject_Repr
    mov             rbx, rax
    Py_XDECREF      rbx
    pop             r12
    pop             rbx
    jmp             .end
.end:
    Py_RETURN_NONE
PyEndFrame

PyEndModule
