; A typing error in a weak EXTERN.
default rel

extern PyLong_FromLong
extern PyUnstable_Module_SetGILL:weak
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
    cmp         qword [rel PyUnstable_Module_SetGILL wrt ..got], 0
    je          .absent
.absent:
    jmp         PyLong_FromLong wrt ..plt

PyInit_sample:
    lea         rdi, [rel definition]
    mov         esi, 1013           ; PYTHON_API_VERSION
    jmp         PyModule_Create2 wrt ..plt
