; One fault in each function x_fault, and the same without it in x_kept.

%include "python.inc"

extern              labs

section             .rodata
align               16
other_mxcsr:        dd 0x9fc0           ; flush to zero
other_control:      dw 0x0f7f           ; round towards zero
text:               db "text", 0

struc Thing_object
                    PyObject_HEAD
  .value            resq 1
endstruc

; call_api name: as PyCall, with the stack as it is.
%macro call_api 1
    call        [rel %1 wrt ..got]
%endmacro

; one name: the label of a function with one argument, in the module's table
%macro one 1
  %defstr function_name %1
    PyMethod    function_name, %1, METH_O
%1:
%endmacro

section             .text

PyModule            faults

return_none:
    sub         rsp, 8
    PyLoad      rdi, Py_None
    call_api    Py_IncRef
    PyLoad      rax, Py_None
    add         rsp, 8
    ret

none_called:                            ; the same without a frame
    sub         rsp, 16
    PyLoad      rdi, Py_None
    call_api    Py_IncRef
    PyLoad      rax, Py_None
    add         rsp, 16
    ret

;-----------------------------------------------------------------------
; What a function keeps
;-----------------------------------------------------------------------
%macro keeps 1
    one         %1_fault
    mov         %1, rsi
    jmp         return_none
    one         %1_kept
    push        %1
    mov         %1, rsi
    pop         %1
    jmp         return_none
%endmacro

    keeps       rbx
    keeps       rbp
    keeps       r12
    keeps       r13
    keeps       r14
    keeps       r15

    one         rsp_high_fault
    sub         rsp, 8
    PyLoad      rdi, Py_None
    call_api    Py_IncRef
    PyLoad      rax, Py_None
    add         rsp, 8
    pop         rcx
    add         rsp, 16
    jmp         rcx

    one         rsp_high_kept
    sub         rsp, 8
    PyLoad      rdi, Py_None
    call_api    Py_IncRef
    PyLoad      rax, Py_None
    add         rsp, 8
    pop         rcx
    jmp         rcx

    one         rsp_low_fault
    pop         rcx
    push        rax
    push        rcx
    jmp         rsp_high_kept

    one         rsp_low_kept
    pop         rcx
    push        rax
    push        rcx
    pop         rcx
    add         rsp, 8
    push        rcx
    jmp         rsp_high_kept

    one         direction_fault
    call        none_called
    std
    ret

    one         direction_kept
    call        none_called
    std
    cld
    ret

    one         mmx_fault
    call        none_called
    pxor        mm0, mm0
    ret

    one         mmx_kept
    call        none_called
    pxor        mm0, mm0
    emms
    ret

    one         x87_fault
    call        none_called
    fld1
    ret

    one         x87_kept
    call        none_called
    fld1
    fstp        st0
    ret

    one         ymm_fault
    call        none_called
    vpcmpeqb    ymm3, ymm3, ymm3
    ret

    one         ymm_kept
    call        none_called
    vpcmpeqb    ymm3, ymm3, ymm3
    vzeroupper
    ret

    one         mxcsr_fault
    call        none_called
    ldmxcsr     [rel other_mxcsr]
    ret

    one         mxcsr_kept
    call        none_called
    stmxcsr     [rsp - 8]
    ldmxcsr     [rel other_mxcsr]
    ldmxcsr     [rsp - 8]
    ret

    one         control_fault
    call        none_called
    fldcw       [rel other_control]
    ret

    one         control_kept
    call        none_called
    fnstcw      [rsp - 8]
    fldcw       [rel other_control]
    fldcw       [rsp - 8]
    ret

;-----------------------------------------------------------------------
; What calls may change: the argument is in the register across one
;-----------------------------------------------------------------------
%macro across_call 1
    one         across_%1_fault
    push        rbx
    mov         %1, rsi
    mov         rax, rsi
    call_api    PyErr_Occurred
    mov         rdi, %1
    pop         rbx
    jmp         [rel PyObject_Repr wrt ..got]

    one         across_%1_kept
    push        rbx
    mov         %1, rsi
    mov         rbx, %1
    call_api    PyErr_Occurred
    mov         rdi, rbx
    pop         rbx
    jmp         [rel PyObject_Repr wrt ..got]
%endmacro

    across_call rcx
    across_call rdx
    across_call rsi
    across_call rdi
    across_call r8
    across_call r9
    across_call r10
    across_call r11

%macro across_call_in_xmm 1
    one         across_%1_fault
    sub         rsp, 8
    movq        %1, rsi
    call_api    PyErr_Occurred
    movq        rdi, %1
    add         rsp, 8
    jmp         [rel PyObject_Repr wrt ..got]

    one         across_%1_kept
    sub         rsp, 8
    movq        %1, rsi
    movq        [rsp], %1
    call_api    PyErr_Occurred
    movq        %1, [rsp]
    movq        rdi, %1
    add         rsp, 8
    jmp         [rel PyObject_Repr wrt ..got]
%endmacro

%assign i 0
%rep 16
    across_call_in_xmm xmm%[i]
  %assign i i + 1
%endrep

    one         below_call_fault
    mov         [rsp - 24], rsi
    sub         rsp, 8
    call_api    PyErr_Occurred
    add         rsp, 8
    mov         rdi, [rsp - 24]
    jmp         [rel PyObject_Repr wrt ..got]

    one         below_call_kept
    sub         rsp, 24
    mov         [rsp], rsi
    call_api    PyErr_Occurred
    mov         rdi, [rsp]
    add         rsp, 24
    jmp         [rel PyObject_Repr wrt ..got]

    one         int_result_fault            ; is it true, on 64 bits
    sub         rsp, 8
    mov         rdi, rsi
    call_api    PyObject_IsTrue
    add         rsp, 8
    mov         rdi, rax
    jmp         [rel PyLong_FromLong wrt ..got]

    one         int_result_kept
    sub         rsp, 8
    mov         rdi, rsi
    call_api    PyObject_IsTrue
    add         rsp, 8
    movsxd      rdi, eax
    jmp         [rel PyLong_FromLong wrt ..got]

    one         void_result_fault
    sub         rsp, 8
    call_api    PyErr_Clear
    add         rsp, 8
    mov         rdi, [rax + 8]
    mov         rax, rdi
    ret

    one         void_result_kept
    sub         rsp, 8
    call_api    PyErr_Clear
    add         rsp, 8
    jmp         return_none

    one         flags_fault                 ; a call's flags in place of a test
    sub         rsp, 8
    mov         rdi, rsi
    call_api    PyObject_Repr
    jz          .error
    add         rsp, 8
    ret
.error:
    xor         eax, eax
    add         rsp, 8
    ret

    one         flags_kept
    sub         rsp, 8
    mov         rdi, rsi
    call_api    PyObject_Repr
    test        rax, rax
    jz          .error
    add         rsp, 8
    ret
.error:
    xor         eax, eax
    add         rsp, 8
    ret

    one         libc_fault
    push        rbx
    mov         r9, rsi
    mov         edi, -5
    call        [rel labs wrt ..got]
    mov         rdi, r9
    pop         rbx
    jmp         [rel PyObject_Repr wrt ..got]

    one         libc_kept
    push        rbx
    mov         rbx, rsi
    mov         edi, -5
    call        [rel labs wrt ..got]
    mov         rdi, rbx
    pop         rbx
    jmp         [rel PyObject_Repr wrt ..got]

;-----------------------------------------------------------------------
; What nobody promised at the beginning
;-----------------------------------------------------------------------
%macro at_entry 1
    one         entry_%1_fault
    mov         rdi, [%1 + 8]
    mov         rax, rdi
    ret

    one         entry_%1_kept
    mov         rax, %1                     ; seen, not used
    jmp         return_none
%endmacro

    at_entry    rax
    at_entry    rdx
    at_entry    rcx
    at_entry    r8
    at_entry    r9
    at_entry    r10
    at_entry    r11
    at_entry    rbx
    at_entry    rbp
    at_entry    r12
    at_entry    r13
    at_entry    r14
    at_entry    r15

    one         entry_xmm0_fault
    movq        rax, xmm0
    mov         rax, [rax]
    ret

    one         entry_xmm0_kept
    xorps       xmm0, xmm0
    movq        rax, xmm0
    jmp         return_none

    one         below_entry_fault
    mov         rdi, [rsp - 32]
    mov         rax, [rdi]
    ret

    one         below_entry_kept
    mov         [rsp - 32], rsi
    mov         rdi, [rsp - 32]
    mov         rax, [rdi]
    jmp         return_none

;-----------------------------------------------------------------------
; The C API
;-----------------------------------------------------------------------
    one         aligned_fault
    sub         rsp, 16
    call_api    PyErr_Occurred
    add         rsp, 16
    jmp         return_none

    one         aligned_kept
    sub         rsp, 24
    call_api    PyErr_Occurred
    add         rsp, 24
    jmp         return_none

    one         direction_at_call_fault
    sub         rsp, 8
    std
    call_api    PyErr_Occurred
    cld
    add         rsp, 8
    jmp         return_none

    one         direction_at_call_kept
    sub         rsp, 8
    std
    cld
    call_api    PyErr_Occurred
    add         rsp, 8
    jmp         return_none

    one         gil_fault
    push        rbx
    PyLoad      rbx, Py_None
    mov         rdi, rbx
    call_api    Py_IncRef
    call_api    PyEval_SaveThread
    mov         rax, rbx
    pop         rbx
    ret

    one         gil_kept
    sub         rsp, 8
    call_api    PyEval_SaveThread
    mov         rdi, rax
    call_api    PyEval_RestoreThread
    add         rsp, 8
    jmp         return_none

    one         gil_at_call_fault
    push        rbx
    call_api    PyEval_SaveThread
    mov         rbx, rax
    mov         edi, 7
    call_api    PyLong_FromLong
    mov         rdi, rax
    call_api    Py_DecRef
    pop         rbx
    jmp         return_none

    one         gil_at_call_kept
    push        rbx
    call_api    PyEval_SaveThread
    mov         rdi, rax
    call_api    PyEval_RestoreThread
    mov         edi, 7
    call_api    PyLong_FromLong
    mov         rdi, rax
    call_api    Py_DecRef
    pop         rbx
    jmp         return_none

    one         no_exception_fault
    xor         eax, eax
    ret

    one         no_exception_kept
    sub         rsp, 8
    PyLoad      rdi, PyExc_ValueError
    lea         rsi, [rel text]
    call_api    PyErr_SetString
    xor         eax, eax
    add         rsp, 8
    ret

    one         exception_fault
    sub         rsp, 8
    call        no_exception_kept
    add         rsp, 8
    jmp         return_none

    one         exception_kept
    sub         rsp, 8
    call        no_exception_kept
    call_api    PyErr_Clear
    add         rsp, 8
    jmp         return_none

;-----------------------------------------------------------------------
; References and buffers
;-----------------------------------------------------------------------
    one         give_away_fault
    sub         rsp, 8
    mov         rdi, rsi
    call_api    Py_DecRef
    add         rsp, 8
    jmp         return_none

    one         give_away_kept
    push        rsi
    mov         rdi, rsi
    call_api    Py_IncRef
    pop         rdi
    sub         rsp, 8
    call_api    Py_DecRef
    add         rsp, 8
    jmp         return_none

    PyMethod    "give_away_first_fault", give_away_first_fault, METH_FASTCALL
give_away_first_fault:
    mov         rsi, [rsi]
    jmp         give_away_fault

    PyMethod    "give_away_first_kept", give_away_first_kept, METH_FASTCALL
give_away_first_kept:
    mov         rsi, [rsi]
    jmp         give_away_kept

    PyMethod    "give_away_in_tuple_fault", give_away_in_tuple_fault, METH_VARARGS
give_away_in_tuple_fault:
    mov         rsi, [rsi + PyTupleObject.ob_item]
    jmp         give_away_fault

    PyMethod    "give_away_in_tuple_kept", give_away_in_tuple_kept, METH_VARARGS
give_away_in_tuple_kept:
    mov         rsi, [rsi + PyTupleObject.ob_item]
    jmp         give_away_kept

    PyMethod    "give_away_named_fault", give_away_named_fault, METH_FASTCALL | METH_KEYWORDS
give_away_named_fault:
    mov         rsi, [rsi]
    jmp         give_away_fault

    PyMethod    "give_away_named_kept", give_away_named_kept, METH_FASTCALL | METH_KEYWORDS
give_away_named_kept:
    mov         rsi, [rsi]
    jmp         give_away_kept

    one         keep_fault
    sub         rsp, 8
    mov         rdi, rsi
    call_api    Py_IncRef
    add         rsp, 8
    jmp         return_none

    one         keep_kept                   ; it is in the list returned
    push        rbx
    mov         rbx, rsi
    xor         edi, edi
    call_api    PyList_New
    mov         rdi, rax
    mov         rsi, rbx
    mov         rbx, rax
    call_api    PyList_Append
    mov         rax, rbx
    pop         rbx
    ret

    one         keep_on_error_fault
    push        rsi
    mov         rdi, rsi
    call_api    Py_IncRef
    add         rsp, 8
    jmp         no_exception_kept

    one         keep_on_error_kept
    push        rsi
    mov         rdi, rsi
    call_api    Py_IncRef
    mov         rdi, [rsp]
    call_api    Py_DecRef
    add         rsp, 8
    jmp         no_exception_kept

%macro buffer 2                         ; name, what follows
    one         %1
    sub         rsp, Py_buffer_size + 8 + (Py_buffer_size & 8)
    mov         rdi, rsi
    mov         rsi, rsp
    xor         edx, edx
    call_api    PyObject_GetBuffer
  %if %2 == 2
    mov         rdi, [rsp + Py_buffer.obj]
    mov         rsi, rsp
    xor         edx, edx
    call_api    PyObject_GetBuffer
  %endif
  %if %2
    mov         rdi, rsp
    call_api    PyBuffer_Release
  %endif
    add         rsp, Py_buffer_size + 8 + (Py_buffer_size & 8)
    jmp         return_none
%endmacro

    buffer      buffer_fault, 0
    buffer      buffer_kept, 1
    buffer      buffer_twice_fault, 2
    buffer      buffer_twice_kept, 1

;-----------------------------------------------------------------------
; Slots, whose results nobody else checks
;-----------------------------------------------------------------------
%macro raise_into 0
    sub         rsp, 8
    PyLoad      rdi, PyExc_ValueError
    lea         rsi, [rel text]
    call_api    PyErr_SetString
    add         rsp, 8
%endmacro

PyType              Fault, Thing_object_size, Py_TPFLAGS_DEFAULT
PyTypeSlot          Py_tp_hash, Fault.hash
PyTypeSlot          Py_sq_length, Fault.length
PyTypeSlot          Py_sq_contains, Fault.contains
PyTypeSlot          Py_tp_richcompare, Fault.richcompare
PyTypeSlot          Py_tp_iter, Fault.iter
PyTypeSlot          Py_tp_iternext, Fault.next
PyTypeSlot          Py_tp_str, Fault.str
PyTypeSlot          Py_nb_bool, Fault.bool
PyTypeSlot          Py_nb_add, Fault.add
PyTypeSlot          Py_tp_dealloc, Fault.dealloc
PyTypeSlot          Py_bf_getbuffer, Fault.getbuffer
PyGetSet            "value", Fault.get, Fault.set
Fault.hash:
    mov         rax, -1
    ret
Fault.length:
    mov         rax, -1
    ret
Fault.contains:
    mov         eax, -1
    ret
Fault.richcompare:
    cmp         rdx, Py_EQ
    je          .equal
    PyLoad      rdi, Py_False
    jmp         .done
.equal:
    PyLoad      rdi, Py_True
.done:
    push        rdi
    call_api    Py_IncRef
    pop         rax
    ret
Fault.iter:
    push        rdi
    call_api    Py_IncRef
    pop         rax
    ret
Fault.next:
    raise_into
    jmp         return_none
Fault.str:
    xor         eax, eax
    ret
Fault.bool:
    raise_into
    mov         eax, 1
    ret
Fault.add:
    mov         r12, rdi
    jmp         return_none
PyRoutine           Fault.dealloc, self
    call_api    PyErr_Clear
    PyFreeInstance self
    PyReturn
PyEndRoutine
Fault.getbuffer:
    cmp         rdx, PyBUF_FULL_RO      ; which memoryview asks for
    jne         .odd
    mov         r9d, edx
    lea         rdx, [rdi + Thing_object.value]
    xchg        rdi, rsi
    mov         ecx, 8
    mov         r8d, 1
    jmp         [rel PyBuffer_FillInfo wrt ..got]
.odd:
    raise_into
    mov         eax, -1
    ret
Fault.get:
    xor         eax, eax
    ret
Fault.set:
    raise_into
    xor         eax, eax
    ret
PyEndType

PyType              Kept, Thing_object_size, Py_TPFLAGS_DEFAULT
PyTypeSlot          Py_tp_hash, Kept.hash
PyTypeSlot          Py_sq_length, Kept.length
PyTypeSlot          Py_sq_contains, Kept.contains
PyTypeSlot          Py_tp_richcompare, Kept.richcompare
PyTypeSlot          Py_tp_iter, Kept.iter
PyTypeSlot          Py_tp_iternext, Kept.next
PyTypeSlot          Py_tp_str, Kept.str
PyTypeSlot          Py_nb_bool, Kept.bool
PyTypeSlot          Py_nb_add, Kept.add
PyTypeSlot          Py_tp_dealloc, Kept.dealloc
PyTypeSlot          Py_bf_getbuffer, Kept.getbuffer
PyGetSet            "value", Kept.get, Kept.set
Kept.hash:
    raise_into
    mov         rax, -1
    ret
Kept.length:
    raise_into
    mov         rax, -1
    ret
Kept.contains:
    raise_into
    mov         eax, -1
    ret
Kept.richcompare:
    cmp         edx, Py_EQ
    je          .equal
    PyLoad      rdi, Py_False
    jmp         .done
.equal:
    PyLoad      rdi, Py_True
.done:
    push        rdi
    call_api    Py_IncRef
    pop         rax
    ret
Kept.iter:
    jmp         Fault.iter
Kept.next:
    xor         eax, eax
    ret
Kept.str:
    raise_into
    xor         eax, eax
    ret
Kept.bool:
    mov         eax, 1
    ret
Kept.add:
    jmp         return_none
PyRoutine           Kept.dealloc, self
    PyFreeInstance self
    PyReturn
PyEndRoutine
Kept.getbuffer:
    cmp         edx, PyBUF_FULL_RO
    jne         .odd
    mov         r9d, edx
    lea         rdx, [rdi + Thing_object.value]
    xchg        rdi, rsi
    mov         ecx, 8
    mov         r8d, 1
    jmp         [rel PyBuffer_FillInfo wrt ..got]
.odd:
    raise_into
    mov         eax, -1
    ret
Kept.get:
    raise_into
    xor         eax, eax
    ret
Kept.set:
    xor         eax, eax
    ret
PyEndType

PyEndModule
