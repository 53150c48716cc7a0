; The module counter: a type whose objects count events, call back at a
; limit, and show their count as memory.

%include "python.inc"

struc Counter_object
                    PyObject_HEAD
  .value            resq 1              ; the count
  .limit            resq 1              ; where on_limit is called; 0 for never
  .on_limit         resq 1              ; a callable, or NULL
endstruc

section             .rodata

init_keywords:      db "value", 0
limit_keyword:      db "limit", 0
on_limit_keyword:   db "on_limit", 0
init_format:        db "|LLO:Counter", 0
repr_format:        db "Counter(%lld)", 0

section             .data.rel.ro progbits alloc noexec write align=8

init_names:         dq init_keywords, limit_keyword, on_limit_keyword, 0

section             .text

PyModule            counter
PyDoc               "Counting, in assembly."

PyConstant          "MAXIMUM", 0x7fffffffffffffff

PyType              Counter, Counter_object_size, \
                    Py_TPFLAGS_DEFAULT | \
                    Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC
PyDoc               "Counter(value=0, limit=0, on_limit=None)\n--\n\n",   \
                    "Count events; call on_limit(counter) when the count becomes limit."
PyMember            "limit", Py_T_LONGLONG, Counter_object.limit, 0, "where on_limit is called; 0 for never"
PyMember            "on_limit", Py_T_OBJECT_EX, Counter_object.on_limit, 0, "called at the limit"
PyGetSet            "value", Counter.get_value, Counter.set_value, "the count"
PyTypeSlot          Py_tp_init, Counter.init
PyTypeSlot          Py_tp_repr, Counter.repr
PyTypeSlot          Py_tp_dealloc, Counter.dealloc
PyTypeSlot          Py_tp_traverse, Counter.traverse
PyTypeSlot          Py_tp_clear, Counter.clear
PyTypeSlot          Py_bf_getbuffer, Counter.getbuffer

;-----------------------------------------------------------------------
; int Counter.init(PyObject *self, PyObject *args, PyObject *kwargs)
;-----------------------------------------------------------------------
PyRoutine           Counter.init, self, args, kwargs
    PyLocal         on_limit
    PyLocal         value
    PyLocal         limit
    mov             qword [value], 0
    mov             qword [limit], 0
    mov             qword [on_limit], 0
    mov             rdi, args
    mov             rsi, kwargs
    lea             rdx, [rel init_format]
    lea             rcx, [rel init_names]
    lea             r8, [value]
    lea             r9, [limit]
    lea             rax, [on_limit]     ; the seventh argument, on the stack
    sub             rsp, 16
    mov             [rsp], rax
    PyCall          PyArg_ParseTupleAndKeywords
    add             rsp, 16
    test            eax, eax
    jz              .error
    mov             rax, [value]
    mov             [self + Counter_object.value], rax
    mov             rax, [limit]
    mov             [self + Counter_object.limit], rax
    mov             rdi, [on_limit]
    test            rdi, rdi
    jz              .done
    Py_INCREF       rdi
    Py_BEGIN_CRITICAL_SECTION self
    mov             rax, [on_limit]
    xchg            [self + Counter_object.on_limit], rax
    mov             [on_limit], rax
    Py_END_CRITICAL_SECTION
    mov             rdi, [on_limit]
    Py_XDECREF      rdi                 ; from an earlier __init__
.done:
    PyReturn        0
.error:
    PyReturn        -1
PyEndRoutine

;-----------------------------------------------------------------------
; PyObject *Counter.add(PyObject *self, PyObject *const *args, Py_ssize_t n)
;
; The count changes by one atomic instruction: threads need no lock.
;-----------------------------------------------------------------------
PyFunction          add, METH_FASTCALL, self, args, count
PyDoc               "add($self, number=1, /)\n--\n\nAdd number, and return the new count."
    PyKeep          number, callback, result
    mov             number.d, 1
    cmp             count, 1
    ja              .count
    jb              .add
    mov             rdi, [args]
    PyCall          PyLong_AsLongLong
    mov             number, rax
    cmp             rax, -1
    jne             .add
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
.add:
    mov             rax, number
    lock xadd       [self + Counter_object.value], rax
    add             number, rax         ; the new count
    test            number, number
    jz              .return
    cmp             number, [self + Counter_object.limit]
    jne             .return
    Py_BEGIN_CRITICAL_SECTION self      ; others may set on_limit meanwhile
    mov             callback, [self + Counter_object.on_limit]
    Py_XINCREF      callback
    Py_END_CRITICAL_SECTION
    test            callback, callback
    jz              .return
    xor             edx, edx            ; callback(self)
    mov             rsi, self
    mov             rdi, callback
    PyCall          PyObject_CallFunctionObjArgs
    mov             result, rax
    Py_DECREF       callback
    test            result, result
    jz              .error
    Py_DECREF       result
.return:
    mov             rdi, number
    PyTailCall      PyLong_FromLongLong
.count:
    PyRaise         PyExc_TypeError, "add() takes at most 1 argument (%zd given)", count
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; PyObject *Counter.reset(PyObject *self, PyObject *unused)
;-----------------------------------------------------------------------
PyFunction          reset, METH_NOARGS
PyDoc               "reset($self, /)\n--\n\nBegin again at 0, and return the old count."
    xor             eax, eax
    xchg            [rdi + Counter_object.value], rax
    mov             rdi, rax
    PyTailCall      PyLong_FromLongLong
PyEndFunction

;-----------------------------------------------------------------------
; PyObject *Counter.get_value(PyObject *self, void *closure)
;-----------------------------------------------------------------------
PyRoutine           Counter.get_value
    mov             rdi, [rdi + Counter_object.value]
    PyTailCall      PyLong_FromLongLong
PyEndRoutine

;-----------------------------------------------------------------------
; int Counter.set_value(PyObject *self, PyObject *value, void *closure)
;-----------------------------------------------------------------------
PyRoutine           Counter.set_value, self, value
    test            value, value
    jz              .delete
    mov             rdi, value
    PyCall          PyLong_AsLongLong
    cmp             rax, -1
    jne             .set
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
    mov             rax, -1
.set:
    mov             [self + Counter_object.value], rax
    PyReturn        0
.delete:
    PyRaise         PyExc_AttributeError, "cannot delete value"
.error:
    PyReturn        -1
PyEndRoutine

;-----------------------------------------------------------------------
; PyObject *Counter.repr(PyObject *self)
;-----------------------------------------------------------------------
PyRoutine           Counter.repr
    mov             rsi, [rdi + Counter_object.value]
    lea             rdi, [rel repr_format]
    PyTailCall      PyUnicode_FromFormat
PyEndRoutine

;-----------------------------------------------------------------------
; int Counter.getbuffer(PyObject *self, Py_buffer *view, int flags)
;
; The count as 8 bytes, read-only; the buffer holds a reference to self.
;-----------------------------------------------------------------------
PyRoutine           Counter.getbuffer
    mov             r9d, edx            ; flags
    lea             rdx, [rdi + Counter_object.value]
    xchg            rdi, rsi            ; view, self
    mov             ecx, 8
    mov             r8d, 1              ; read-only
    PyTailCall      PyBuffer_FillInfo
PyEndRoutine

;-----------------------------------------------------------------------
; int Counter.traverse(PyObject *self, visitproc visit, void *arg)
;-----------------------------------------------------------------------
PyRoutine           Counter.traverse, self, visit, arg
    Py_TYPE         self
    Py_VISIT        rax
    Py_VISIT        [self + Counter_object.on_limit]
    PyReturn        0
PyEndRoutine

;-----------------------------------------------------------------------
; int Counter.clear(PyObject *self)
;-----------------------------------------------------------------------
PyRoutine           Counter.clear
    Py_CLEAR        [rdi + Counter_object.on_limit]
    PyReturn        0
PyEndRoutine

;-----------------------------------------------------------------------
; void Counter.dealloc(PyObject *self)
;-----------------------------------------------------------------------
PyRoutine           Counter.dealloc, self
    PyCall          PyObject_GC_UnTrack ; self is still in rdi
    Py_TRASHCAN_BEGIN self              ; on_limit may be the last of a chain
    Py_CLEAR        [self + Counter_object.on_limit]
    PyFreeInstance  self
    Py_TRASHCAN_END
    PyReturn
PyEndRoutine
PyEndType

PyEndModule
