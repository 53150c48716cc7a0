; A module whose slots the test chooses, for tests/abi/test_slots.py:
;
;   GIL, MULTIPLE_INTERPRETERS   what PyModuleSlot is given
;   SINGLE_PHASE                 PyInit_ makes the module itself
;   OWNS_ITSELF                  the state holds the module: a cycle
;   EXEC                         the routine of the slot exec

%include "python.inc"

struc Thing_object
                    PyObject_HEAD
endstruc

struc State
  .module           resq 1
endstruc

PyModule            slots, "tests.slots"
%ifdef SINGLE_PHASE
PySinglePhase
%endif
%ifdef GIL
PyModuleSlot        gil, GIL
%endif
%ifdef MULTIPLE_INTERPRETERS
PyModuleSlot        multiple_interpreters, MULTIPLE_INTERPRETERS
%endif
%ifdef EXEC
PyModuleSlot        exec, EXEC
%endif
%ifdef OWNS_ITSELF
PyModuleSlot        exec, own_itself
PyModuleSlot        state_size, State_size
PyModuleSlot        state_traverse, traverse_state
PyModuleSlot        state_clear, clear_state
PyModuleSlot        state_free, count_freed
%endif

PyConstant          "ANSWER", 42
PyConstant          "NAME", "slots"

PyType              Thing, Thing_object_size
PyFunction          answer, METH_NOARGS
    mov             edi, 42
    PyTailCall      PyLong_FromLong
PyEndFunction
PyEndType

PyTypedFunction     "freed() -> i64", calls read_freed
PyTypedFunction     "digits(first: i64, *, second: i64) -> i64", calls two_digits

; int raise(PyObject *module)
PyRoutine           raise
    PyRaise         PyExc_LookupError, "from exec"
    PyReturn        -1
PyEndRoutine

; int add_last(PyObject *module): LAST is what ANSWER is
PyRoutine           add_last, module
    PyKeep          value
    lea             rsi, [rel text_answer]
    PyCall          PyObject_GetAttrString
    test            rax, rax
    jz              .error
    mov             value, rax
    mov             rdi, module
    lea             rsi, [rel text_last]
    mov             rdx, rax
    PyCall          PyObject_SetAttrString
    mov             module.d, eax
    Py_DECREF       value
    PyReturn        module
.error:
    PyReturn        -1
PyEndRoutine

PyRoutine           own_itself, module
    PyKeep          state
    PyCall          PyModule_GetState
    mov             state, rax
    Py_NewRef       module
    mov             [state + State.module], rax
    PyReturn        0
PyEndRoutine

PyRoutine           traverse_state, module, visit, arg
    PyCall          PyModule_GetState
    Py_VISIT        [rax + State.module]
    PyReturn        0
PyEndRoutine

PyRoutine           clear_state
    PyCall          PyModule_GetState
    mov             rcx, rax
    Py_CLEAR        [rcx + State.module]
    PyReturn        0
PyEndRoutine

PyRoutine           count_freed
    lock inc        qword [rel freed]
    PyReturn
PyEndRoutine

PyEndModule

section             .data
freed:
    dq              0

section             .rodata
text_answer:
    db              "ANSWER", 0
text_last:
    db              "LAST", 0

section             .text
read_freed:
    mov             rax, [rel freed]
    ret

two_digits:
    imul            rax, rdi, 10
    add             rax, rsi
    ret
