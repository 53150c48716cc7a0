; Functions that are as old as the stable ABI that is promised.
default rel

extern PyBuffer_Release
extern PyLong_FromLong
extern PyLong_Type
extern PyType_GetFlags
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
    sub         rsp, 8
    mov         rsi, [rel PyBuffer_Release wrt ..got] ; 3.10 has it, stable or not
    mov         rdi, [rel PyLong_Type wrt ..got]
    call        PyType_GetFlags wrt ..plt
    mov         edi, 42
    add         rsp, 8
    jmp         PyLong_FromLong wrt ..plt

PyInit_sample:
    lea         rdi, [rel definition]
    mov         esi, 1013           ; PYTHON_API_VERSION
    jmp         PyModule_Create2 wrt ..plt
