; Three functions for bench/call_overhead.py, as overhead.c has them.

%include "python.inc"

PyModule            overhead_asm

PyFunction          noargs, METH_NOARGS
    Py_RETURN_NONE
PyEndFunction

PyFunction          one, METH_O
    mov             rdi, rsi
    PyCall          PyLong_AsLong
    cmp             rax, -1
    je              .perhaps
.add:
    lea             rdi, [rax + 1]
    PyTailCall      PyLong_FromLong
.perhaps:
    PyCall          PyErr_Occurred
    test            rax, rax
    mov             rax, -1
    jz              .add
    PyReturn        NULL
PyEndFunction

PyFunction          fastcall, METH_FASTCALL, -, args
    PyKeep          sum
    cmp             rdx, 2
    jne             .count
    mov             rdi, [args]
    PyCall          PyLong_AsLong
    mov             sum, rax
    cmp             rax, -1
    je              .first
.second:
    mov             rdi, [args + 8]
    PyCall          PyLong_AsLong
    cmp             rax, -1
    je              .perhaps
.add:
    lea             rdi, [sum + rax]
    PyTailCall      PyLong_FromLong
.first:
    PyCall          PyErr_Occurred
    test            rax, rax
    jz              .second
    PyReturn        NULL
.perhaps:
    PyCall          PyErr_Occurred
    test            rax, rax
    mov             rax, -1
    jz              .add
    PyReturn        NULL
.count:
    PyRaise         PyExc_TypeError, "fastcall() takes 2 arguments (%zd given)", rdx
    PyReturn        NULL
PyEndFunction

PyEndModule
