; A module with one function, answer(), which returns 42.
default rel

extern PyLong_FromLong
extern PyModule_Create2
global PyInit_sample:function

section .rodata
name:           db "sample", 0
answer_name:    db "answer", 0

section .data
methods:
    dq answer_name, answer, 4, 0        ; METH_NOARGS
    dq 0, 0, 0, 0
definition:
    dq 1, 0, 0, 0, 0                    ; PyModuleDef_HEAD_INIT
    dq name, 0, -1, methods, 0, 0, 0, 0

section .text
answer:
    mov         edi, 42
    jmp         PyLong_FromLong wrt ..plt

PyInit_sample:
    lea         rdi, [rel definition]
    mov         esi, 1013           ; PYTHON_API_VERSION
    jmp         PyModule_Create2 wrt ..plt
