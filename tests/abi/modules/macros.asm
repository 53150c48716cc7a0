; One function for each macro of python.inc, for tests/abi/test_macros.py.

%include "python.inc"

struc CounterObject
                    PyObject_HEAD
  .value            resq 1
  .callback         resq 1
  .exports          resq 1
endstruc

PyModule            macros, "tests.macros"
PyDoc               "Every macro of python.inc.", 10, "And no more."

PyConstant          "ANSWER", 42
PyConstant          "NEGATIVE", -1
PyConstant          "LEAST", -0x8000000000000000
PyConstant          "MOST", 0x7fffffffffffffff
PyConstant          "NAME", "macros"

;-----------------------------------------------------------------------
; One function for each calling convention: each returns what it was given.
;-----------------------------------------------------------------------
PyFunction          none, METH_NOARGS, module
PyDoc               "none($module, /)", 10, "--", 10, 10, "Return None."
    Py_RETURN_NONE
PyEndFunction

PyFunction          true, METH_NOARGS
    Py_RETURN_TRUE
PyEndFunction

PyFunction          false, METH_NOARGS
    Py_RETURN_FALSE
PyEndFunction

PyFunction          self, METH_NOARGS, module
    Py_NewRef       module
    PyReturn
PyEndFunction

PyFunction          one, METH_O, -, object
    Py_NewRef       object
    PyReturn
PyEndFunction

PyFunction          positional, METH_VARARGS, module, arguments
    Py_NewRef       arguments
    PyReturn
PyEndFunction

PyFunction          keyworded, METH_VARARGS | METH_KEYWORDS, -, arguments, \
                    keywords
    test            keywords, keywords
    jz              .none
    Py_NewRef       keywords
    PyReturn
.none:
    Py_RETURN_NONE
PyEndFunction

PyFunction          fast_last, METH_FASTCALL, -, arguments, count
    test            count, count
    jz              .error
    mov             rdi, [arguments + count * 8 - 8]
    Py_NewRef       rdi
    PyReturn
.error:
    PyRaise         PyExc_TypeError, "fast_last() takes at least one argument"
    PyReturn        NULL
PyEndFunction

PyFunction          fast_names, METH_FASTCALL | METH_KEYWORDS, -, -, -, names
    test            names, names
    jz              .none
    Py_NewRef       names
    PyReturn
.none:
    Py_RETURN_NONE
PyEndFunction

PyMethod            "plain", plain, METH_NOARGS, "Written without PyFunction."
plain:
    Py_RETURN_NONE

PyFunction          tail, METH_O
    mov             rdi, rsi
    PyTailCall      PyNumber_Long
PyEndFunction

;-----------------------------------------------------------------------
; References
;-----------------------------------------------------------------------
PyFunction          hold, METH_O, -, object
    Py_INCREF       object
    Py_RETURN_NONE
PyEndFunction

PyFunction          drop, METH_O, -, object
    Py_DECREF       object
    Py_RETURN_NONE
PyEndFunction

PyFunction          hold_and_drop, METH_O, -, object
    Py_INCREF       object
    Py_NewRef       object
    mov             rdi, rax
    Py_XDECREF      rdi
    Py_DECREF       object
    xor             edi, edi
    Py_XDECREF      rdi
    Py_RETURN_NONE
PyEndFunction

PyFunction          is_none, METH_O
    cmp             rsi, Py_None
    je              .true
    Py_RETURN_FALSE
.true:
    Py_RETURN_TRUE
PyEndFunction

; PyObject *load(module, index): a singleton, a type, an exception
PyFunction          load, METH_O
    mov             rdi, rsi
    PyCall          PyLong_AsLong
    cmp             eax, 1
    jb              .none
    je              .type
    PyLoad          rdi, PyExc_ValueError
    jmp             .done
.type:
    PyLoad          rdi, PyLong_Type
    jmp             .done
.none:
    PyLoad          rdi, Py_Ellipsis
.done:
    Py_NewRef       rdi
    PyReturn
PyEndFunction

;-----------------------------------------------------------------------
; Exceptions
;-----------------------------------------------------------------------
PyFunction          fail, METH_NOARGS
    mov             rdx, 1
    mov             r10, -2
    PyRaise         PyExc_ValueError, "%zd %zd %d 100%%", rdx, r10, 3
    PyReturn        NULL
PyEndFunction

PyFunction          fail_with_four, METH_O, -, object
    PyLocal         number
    mov             qword [number], 7
    PyRaise         PyExc_KeyError, "%R %zd %d %i", object, [number], -1, 9
    PyReturn        NULL
PyEndFunction

PyFunction          fail_from_memory, METH_NOARGS
    PyLocal         numbers, 16
    mov             qword [numbers], 1
    mov             qword [numbers + 8], 2
    lea             rcx, [numbers]
    PyRaise         PyExc_ValueError, "%zd %zd", [rcx], [rcx + 8]
    PyReturn        NULL
PyEndFunction

; own_exception(exception), own_exception_in_memory(exception)
PyFunction          own_exception, METH_O, -, -
    PyRaise         rsi, "%R %zd", rsi, 5
    PyReturn        NULL
PyEndFunction

PyFunction          own_exception_in_memory, METH_O, -, object
    PyLocal         exception
    mov             [exception], object
    PyRaise         [exception], "plain"
    PyReturn        NULL
PyEndFunction

PyFunction          fail_plainly, METH_NOARGS
    PyRaise         PyExc_RuntimeError, "no value"
    PyReturn        NULL
PyEndFunction

; float build(): Py_BuildValue takes its double in xmm0, which AL counts
PyFunction          build, METH_NOARGS
    mov             rax, 0x400a000000000000
    movq            xmm0, rax
[section .rodata]
build_format:       db "d", 0
__?SECT?__
    lea             rdi, [rel build_format]
    PyCall          Py_BuildValue, 1
    PyReturn
PyEndFunction

;-----------------------------------------------------------------------
; The frame
;-----------------------------------------------------------------------

; int alignment(): what of rsp is not a multiple of 16, over five frames
PyFunction          alignment, METH_NOARGS
    PyKeep          sum
    PyLocal         a
    mov             sum, rsp
    call            frame_of_1
    or              sum, rax
    call            frame_of_2
    or              sum, rax
    call            frame_of_3
    or              sum, rax
    call            frame_of_16
    or              sum, rax
    mov             rdi, sum
    and             edi, 15
    PyCall          PyLong_FromLong
    PyReturn
PyEndFunction

PyRoutine           frame_of_1
    PyLocal         a
    PyReturn        rsp
PyEndRoutine

PyRoutine           frame_of_2
    PyLocal         a
    PyLocal         b, 4
    PyReturn        rsp
PyEndRoutine

PyRoutine           frame_of_3, a, b, c
    PyReturn        rsp
PyEndRoutine

PyRoutine           frame_of_16
    PyLocal         a
    PyLocal         b, 16
    lea             rax, [b]
    or              rax, rsp
    PyReturn
PyEndRoutine

; tuple pushed(object): locals of a routine that uses all six kept registers,
; written while something is pushed and read when it is not
PyFunction          pushed, METH_O, -, object
    PyKeep          a, b, c, d, e
    PyLocal         first
    PyLocal         second
    mov             qword [second], 0
    push            rax
    mov             [first], object
    lea             a, [second]
    sub             rsp, 24
    mov             qword [a], 1
    inc             qword [second]
    cmp             object, Py_None
    jne             .deep
    add             rsp, 32
    PyReturn        NULL
.deep:
    add             rsp, 32
    mov             rdi, 2
    mov             rsi, [first]
    cmp             qword [second], 2
    jne             .false
    mov             rdx, rsi
    PyTailCall      PyTuple_Pack
.false:
    Py_RETURN_FALSE
PyEndFunction

; bool keeps(): whether a routine that uses all six kept registers gives
; them back
PyFunction          keeps, METH_NOARGS
    PyKeep          a, b, c, d, e, f
    mov             rax, 0x5555aaaa5555aaaa
    mov             a, rax
    lea             b, [rax + 1]
    lea             c, [rax + 2]
    lea             d, [rax + 3]
    lea             e, [rax + 4]
    lea             f, [rax + 5]
    mov             rdi, 1
    mov             rsi, 2
    mov             rdx, 3
    mov             rcx, 4
    mov             r8, 5
    mov             r9, 6
    call            use_six
    cmp             rax, 1 + 2 + 3 + 4 + 5 + 6
    jne             .false
    mov             rax, 0x5555aaaa5555aaaa
    cmp             a, rax
    jne             .false
    sub             b, rax
    sub             c, rax
    sub             d, rax
    sub             e, rax
    sub             f, rax
    imul            b, c
    imul            b, d
    imul            b, e
    imul            b, f
    cmp             b, 1 * 2 * 3 * 4 * 5
    jne             .false
    Py_RETURN_TRUE
.false:
    Py_RETURN_FALSE
PyEndFunction

PyRoutine           use_six, p, q, r, s, t, u
    PyCall          PyErr_Occurred          ; scratch registers are gone
    add             p, q
    add             p, r
    add             p, s
    add             p, t
    add             p, u
    xor             q.d, q.d
    xor             r.d, r.d
    xor             s.d, s.d
    xor             t.d, t.d
    xor             u.d, u.d
    PyReturn        p
PyEndRoutine

;-----------------------------------------------------------------------
; Buffers
;-----------------------------------------------------------------------

; int first(buffer): the first byte; ValueError if there is none
PyFunction          first, METH_O
    PyBuffer        view
    PyGetBuffer     view, rsi, PyBUF_SIMPLE
    jnz             .error
    cmp             qword [view.len], 0
    je              .empty
    mov             rax, [view.buf]
    movzx           edi, byte [rax]
    PyCall          PyLong_FromLong
    PyReturn
.empty:
    PyRaise         PyExc_ValueError, "empty buffer"
.error:
    PyReturn        NULL
PyEndFunction

; None copy(source, target): both buffers, of equal length
PyFunction          copy, METH_FASTCALL, -, arguments, count
    PyBuffer        source
    PyBuffer        target
    cmp             count, 2
    jne             .count
    PyGetBuffer     source, [arguments], PyBUF_SIMPLE
    jnz             .error
    PyGetBuffer     target, [arguments + 8], PyBUF_WRITABLE
    jnz             .error
    mov             rcx, [source.len]
    cmp             rcx, [target.len]
    jne             .length
    mov             rsi, [source.buf]
    mov             rdi, [target.buf]
    rep movsb
    Py_RETURN_NONE
.count:
    PyRaise         PyExc_TypeError, "copy() takes 2 arguments (%zd given)", count
    PyReturn        NULL
.length:
    PyRaise         PyExc_ValueError, "%zd bytes into %zd", rcx, [target.len]
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; The GIL
;-----------------------------------------------------------------------

; None sleep(): 200 ms without the GIL
PyFunction          sleep, METH_NOARGS
    PyLocal         duration, 16
    mov             qword [duration], 0
    mov             qword [duration + 8], 200000000
    Py_BEGIN_ALLOW_THREADS
    mov             eax, 35                 ; nanosleep
    lea             rdi, [duration]
    xor             esi, esi
    syscall
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE
PyEndFunction

;-----------------------------------------------------------------------
; The processor
;-----------------------------------------------------------------------
PyDispatch          level, level_0, PyCPU_SSE42, level_1, PyCPU_AVX2 | \
                    PyCPU_BMI2, level_2, PyCPU_AVX512F, level_3

level_0:
    mov             eax, 0
    ret
level_1:
    mov             eax, 1
    ret
level_2:
    mov             eax, 2
    ret
level_3:
    mov             eax, 3
    ret

PyDispatch          add_six, add_six_plainly

add_six_plainly:
    lea             rax, [rdi + rsi]
    add             rax, rdx
    add             rax, rcx
    add             rax, r8
    add             rax, r9
    ret

PyFunction          level, METH_NOARGS
    call            [rel level]
    mov             edi, eax
    PyTailCall      PyLong_FromLong
PyEndFunction

; int add_six(): the registers of the arguments pass through the first call
PyFunction          add_six, METH_NOARGS
    mov             edi, 1
    mov             esi, 2
    mov             edx, 3
    mov             ecx, 4
    mov             r8d, 5
    mov             r9d, 6
    call            [rel add_six]
    mov             rdi, rax
    PyTailCall      PyLong_FromLong
PyEndFunction

;-----------------------------------------------------------------------
; Newer names
;-----------------------------------------------------------------------

; int newer(): 3.14's PyLong_FromInt64 where it is, else PyLong_FromLong
PyFunction          newer, METH_NOARGS
    PyHas           PyLong_FromInt64
    jz              .older
    mov             edi, 314
    PyTailCall      PyLong_FromInt64
.older:
    mov             edi, 310
    PyTailCall      PyLong_FromLong
PyEndFunction

;-----------------------------------------------------------------------
; A type
;-----------------------------------------------------------------------
PyType              Counter, CounterObject_size, \
                    Py_TPFLAGS_DEFAULT | \
                    Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC
PyDoc               "Counts."
PyMember            "value", Py_T_LONGLONG, CounterObject.value, Py_READONLY, "the count"
PyMember            "callback", Py_T_OBJECT_EX, CounterObject.callback
PyGetSet            "twice", Counter.get_twice, Counter.set_twice, "the count, doubled"
PyGetSet            "thrice", Counter.get_thrice
PyTypeSlot          Py_tp_dealloc, Counter.dealloc
PyTypeSlot          Py_tp_traverse, Counter.traverse
PyTypeSlot          Py_tp_clear, Counter.clear
PyTypeSlot          Py_bf_getbuffer, Counter.getbuffer
PyTypeSlot          Py_bf_releasebuffer, Counter.releasebuffer

PyFunction          add, METH_O, self, number
    mov             rdi, number
    PyCall          PyLong_AsLongLong
    cmp             rax, -1
    jne             .add
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
    mov             rax, -1
.add:
    lock add        [self + CounterObject.value], rax
    Py_RETURN_NONE
.error:
    PyReturn        NULL
PyEndFunction

; type defining_class(self, *, name=...)
PyFunction          defining_class, METH_METHOD | METH_FASTCALL | \
                    METH_KEYWORDS, self, class
    Py_NewRef       class
    PyReturn
PyEndFunction

PyFunction          cls, METH_NOARGS | METH_CLASS, class
    Py_NewRef       class
    PyReturn
PyEndFunction

PyFunction          static, METH_O | METH_STATIC, -, object
    Py_NewRef       object
    PyReturn
PyEndFunction

PyFunction          type, METH_NOARGS, self
    Py_TYPE         self
    mov             rdi, rax
    Py_NewRef       rdi
    PyReturn
PyEndFunction

PyRoutine           Counter.get_twice
    mov             rdi, [rdi + CounterObject.value]
    add             rdi, rdi
    PyTailCall      PyLong_FromLongLong
PyEndRoutine

PyRoutine           Counter.get_thrice
    imul            rdi, [rdi + CounterObject.value], 3
    PyTailCall      PyLong_FromLongLong
PyEndRoutine

PyRoutine           Counter.set_twice, self, value
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
    sar             rax, 1
    mov             [self + CounterObject.value], rax
    PyReturn        0
.delete:
    PyRaise         PyExc_TypeError, "cannot delete twice"
.error:
    PyReturn        -1
PyEndRoutine

PyRoutine           Counter.traverse, self, visit, arg
    Py_TYPE         self
    Py_VISIT        rax
    Py_VISIT        [self + CounterObject.callback]
    PyReturn        0
PyEndRoutine

PyRoutine           Counter.clear
    mov             eax, CounterObject.callback
    Py_CLEAR        [rdi + rax]
    PyReturn        0
PyEndRoutine

PyRoutine           Counter.dealloc, self
    PyCall          PyObject_GC_UnTrack
    Py_CLEAR        [self + CounterObject.callback]
    PyFreeInstance  self
    PyReturn
PyEndRoutine

PyRoutine           Counter.getbuffer, self, view, flags
    inc             qword [self + CounterObject.exports]
    mov             rdi, view
    mov             rsi, self
    lea             rdx, [self + CounterObject.value]
    mov             ecx, 8
    xor             r8d, r8d
    mov             r9d, flags.d
    PyCall          PyBuffer_FillInfo
    PyReturn
PyEndRoutine

PyRoutine           Counter.releasebuffer
    dec             qword [rdi + CounterObject.exports]
    PyReturn
PyEndRoutine
PyEndType

; A type without anything of its own
PyType              Plain, CounterObject_size
PyEndType

;-----------------------------------------------------------------------
; What the module's own exec adds last
;-----------------------------------------------------------------------
PyModuleSlot        exec, add_last
PyModuleSlot        state_size, 16

PyRoutine           add_last, module
    PyCall          PyModule_GetState       ; the module is still in rdi
    test            rax, rax
    jz              .error
    mov             qword [rax], 1
    mov             rdi, module
    lea             rsi, [rel .name]
    mov             edx, 1
    PyCall          PyModule_AddIntConstant
    PyReturn
.error:
    PyReturn        -1
[section .rodata]
.name:              db "LAST", 0
__?SECT?__
PyEndRoutine

PyEndModule
