; A type with a dictionary, weak references and typed methods, and a module
; whose state owns an object, for tests/abi/test_lifetime.py.

%include "python.inc"

struc Node_object
                    PyObject_HEAD
  .weak             resq 1              ; for __weaklistoffset__
  .dict             resq 1              ; for __dictoffset__
  .value            resq 1
endstruc

struc State
  .error            resq 1
endstruc

PyModule            lifetime, "tests.lifetime"
PyModuleSlot        state_size, State_size
PyModuleSlot        state_traverse, traverse_state
PyModuleSlot        state_clear, clear_state
PyModuleSlot        exec, make_error

PyTypedFunction     "order(a: i64, b: i64 = 2, *, c: i64 = 3) -> i64", calls three_digits

PyType              Node, Node_object_size, \
                    Py_TPFLAGS_DEFAULT | \
                    Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC
PyDoc               "Node()", 10, "--", 10, 10, "What may be in a cycle with itself."
PyMember            "__weaklistoffset__", Py_T_PYSSIZET, Node_object.weak, Py_READONLY
PyMember            "__dictoffset__", Py_T_PYSSIZET, Node_object.dict, Py_READONLY
PyMember            "value", Py_T_LONGLONG, Node_object.value
PyTypeSlot          Py_tp_traverse, Node.traverse
PyTypeSlot          Py_tp_clear, Node.clear
PyTypeSlot          Py_tp_dealloc, Node.dealloc
PyTypedFunction     "add(self, number: i64 = 1) -> i64", calls add_to_value

PyRoutine           Node.traverse, self, visit, arg
    Py_TYPE         self
    Py_VISIT        rax
    Py_VISIT        [self + Node_object.dict]
    PyReturn        0
PyEndRoutine

PyRoutine           Node.clear
    Py_CLEAR        [rdi + Node_object.dict]
    PyReturn        0
PyEndRoutine

PyRoutine           Node.dealloc, self
    PyCall          PyObject_GC_UnTrack
    mov             rdi, self
    PyCall          PyObject_ClearWeakRefs
    Py_CLEAR        [self + Node_object.dict]
    PyFreeInstance  self
    PyReturn
PyEndRoutine
PyEndType

; int make_error(PyObject *module): the exception Error, also in the state
PyRoutine           make_error, module
    PyKeep          state
    PyCall          PyModule_GetState
    mov             state, rax
    lea             rdi, [rel error_name]
    xor             esi, esi
    xor             edx, edx
    PyCall          PyErr_NewException
    mov             [state + State.error], rax
    test            rax, rax
    jz              .error
    mov             rdi, module
    lea             rsi, [rel error_attribute]
    mov             rdx, rax
    PyCall          PyModule_AddObjectRef
    PyReturn
.error:
    PyReturn        -1
PyEndRoutine

PyRoutine           traverse_state, module, visit, arg
    PyCall          PyModule_GetState
    Py_VISIT        [rax + State.error]
    PyReturn        0
PyEndRoutine

PyRoutine           clear_state
    PyCall          PyModule_GetState
    mov             rcx, rax
    Py_CLEAR        [rcx + State.error]
    PyReturn        0
PyEndRoutine

PyEndModule

section             .rodata
error_name:
    db              "tests.lifetime.Error", 0
error_attribute:
    db              "Error", 0

section             .text

; int64_t add_to_value(PyObject *self, int64_t number)
add_to_value:
    add             [rdi + Node_object.value], rsi
    mov             rax, [rdi + Node_object.value]
    ret

; int64_t three_digits(int64_t a, int64_t b, int64_t c)
three_digits:
    imul            rax, rdi, 10
    add             rax, rsi
    imul            rax, rax, 10
    add             rax, rdx
    ret
