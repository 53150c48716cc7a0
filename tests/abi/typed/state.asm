; A typed function with keywords in a module that has a state of its own, is
; made in one phase (-DSINGLE_PHASE) or by itself (-DCREATES).

%include "python.inc"

PyModule            state
%ifdef SINGLE_PHASE
PySinglePhase
%elifdef CREATES
PyModuleSlot        create, create_module
%else
PyModuleSlot        state_size, 13
PyModuleSlot        exec, fill_state
PyModuleSlot        state_free, count_freed
%endif

PyTypedFunction     "before(module) -> i64", calls read_state
PyTypedFunction     "after() -> i64", calls read_freed
PyTypedFunction     "join(name_of_its_own: i64, /, other_name: i64 = 2, *, last_name: i64 = 3) -> i64", calls three_digits
PyTypedFunction     "again(last_name: i64, other_name: i64) -> i64", calls two_digits

%ifdef CREATES
; PyObject *create_module(PyObject *spec, PyModuleDef *def): no module
PyRoutine           create_module
    PyKeep          types, namespace
    lea             rdi, [rel text_types]
    PyCall          PyImport_ImportModule
    mov             types, rax
    mov             rdi, rax
    lea             rsi, [rel text_namespace]
    PyCall          PyObject_GetAttrString
    mov             namespace, rax
    mov             rdi, rax
    PyCall          PyObject_CallNoArgs
    xchg            namespace, rax
    mov             rdi, rax
    PyCall          Py_DecRef
    mov             rdi, types
    PyCall          Py_DecRef
    PyReturn        namespace
PyEndRoutine

section .rodata
text_types:
    db              "types", 0
text_namespace:
    db              "SimpleNamespace", 0
section .text
%endif

PyEndModule

section .data
freed:
    dq              0

section .text
; int fill_state(PyObject *module)
PyRoutine           fill_state
    PyCall          PyModule_GetState
    mov             rcx, 0x0102030405060708
    mov             [rax], rcx
    mov             dword [rax + 8], -1
    mov             byte [rax + 12], -1
    PyReturn        0
PyEndRoutine

; void count_freed(PyObject *module)
PyRoutine           count_freed
    PyCall          PyModule_GetState
    mov             rcx, 0x0102030405060708
    cmp             [rax], rcx
    jne             .return
    lock inc        qword [rel freed]
.return:
    PyReturn
PyEndRoutine

; int64_t read_state(PyObject *module)
PyRoutine           read_state
    PyCall          PyModule_GetState
    test            rax, rax
    jz              .none
    mov             rax, [rax]
.none:
    PyReturn
PyEndRoutine

read_freed:
    mov             rax, [rel freed]
    ret

three_digits:
    imul            rax, rdi, 10
    add             rax, rsi
    imul            rax, rax, 10
    add             rax, rdx
    ret

two_digits:
    imul            rax, rdi, 10
    add             rax, rsi
    ret
