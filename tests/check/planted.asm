; Functions with one fault each, or two; behind the line stands its rule.

default rel
%include "python.inc"
extern PyErr_Format, PyEval_RestoreThread, PyEval_SaveThread, PyExc_TypeError
extern PyList_New, PyLong_FromLong, PyLong_FromSsize_t
extern PyNumber_Add, PyObject_GetBuffer
extern PyObject_IsTrue, PyObject_Repr, PyObject_Size, PyObject_Str
extern PyUnicode_FromString
PyModule planted
PyFunction a, METH_O, -, object
.next:
    test object, object
    jz .end
    inc r14
    jmp .next
.end:
    PyReturn NULL                                       ; kept-register
PyEndFunction
PyMethod "b", b, METH_O
section .text
b:
    test rsi, rsi
    jz .e
    push rsi
.e: mov edi, 1
    jmp [rel PyLong_FromLong wrt ..got]                 ; stack-at-return
PyMethod "c", c, METH_O
c:
    push rbx
    mov rbx, rsi
    call c_help
    mov rdi, rbx
    pop rbx
    jmp [rel PyObject_Repr wrt ..got]
c_help:
    mov ebx, 5
    ret
PyMethod "d", d, METH_NOARGS
d:
    sub rsp, 24
    mov qword [rsp], "text"
    lea rdi, [rsp]
    add rsp, 24
    jmp d_tail
d_tail:
    jmp [rel PyUnicode_FromString wrt ..got]            ; frame-passed
PyMethod "e", e, METH_O
e:
    sub rsp, 88
    mov rdi, rsi
    mov rsi, rsp
    xor edx, edx
    call [rel PyObject_GetBuffer wrt ..got]
    test eax, eax
    jnz .error
    mov rdi, [rsp + 16]
    add rsp, 88
    jmp [rel PyLong_FromLong wrt ..got]                 ; buffer-kept
.error:
    xor eax, eax
    add rsp, 88
    ret
PyMethod "f", f, METH_O
f:
    sub rsp, 8
    mov rdi, rsi
    call [rel PyObject_IsTrue wrt ..got]
    cmp rax, 0                                          ; int-result
    jl .err
    mov rdi, rax
    add rsp, 8
    jmp [rel PyLong_FromLong wrt ..got]
.err:
    xor eax, eax
    add rsp, 8
    ret
PyMethod "half", half, METH_O
half:
    push rbx
    mov rdi, rsi
    call [rel PyObject_Size wrt ..got]
    mov ebx, eax
    test rbx, rbx
    js .failed                                          ; half-result
    mov rdi, rbx
    call [rel PyLong_FromSsize_t wrt ..got]
    test eax, eax                                       ; half-result
    pop rbx
    ret
.failed:
    xor eax, eax
    pop rbx
    ret
PyMethod "g", g, METH_O
g:
    push rbx
    push r12
    push r13
    mov r12, rsi
    call [rel PyEval_SaveThread wrt ..got]
    mov rbx, rax
    test r12, r12
    jz .err
    mov rdi, rbx
    call [rel PyEval_RestoreThread wrt ..got]
    mov rdi, r12
    call [rel PyObject_Repr wrt ..got]
.out:
    pop r13
    pop r12
    pop rbx
    ret                                                 ; gil-released
.err:
    xor eax, eax
    jmp .out
PyMethod "h", h, METH_O
h:
    mov rdx, rsi
    mov rax, [rel PyExc_TypeError wrt ..got]
    mov rdi, [rax]
    lea rsi, [rel .fmt]
    sub rsp, 8
    call [rel PyErr_Format wrt ..got]                   ; variadic-al
    add rsp, 8
    xor eax, eax
    ret
.fmt: db "%R", 0
PyMethod "i", i, METH_FASTCALL
i:
    push rdx
    mov rdi, [rsi]
    call [rel PyObject_Str wrt ..got]
    mov rdi, [rsi + 8]                                  ; clobbered-register
    pop rdx
    jmp [rel PyObject_Str wrt ..got]                    ; reference-lost
PyMethod "j", j, METH_FASTCALL
j:
    mov rdi, rcx                                        ; unset-register
    jmp [rel PyObject_Str wrt ..got]
PyMethod "l", l, METH_O
l:
    push rbp
    mov rbp, rsp
    sub rsp, 16
    mov [rbp - 8], rbx
    mov rbx, rsi
    mov rdi, rsi
    call [rel PyObject_Repr wrt ..got]
    leave
    ret                                                 ; kept-register
PyMethod "m", m, METH_O
m:
    push r12
    push r13
    sub rsp, 8
    mov rdi, rsi
    call [rel PyObject_Repr wrt ..got]
    add rsp, 8
    pop r12
    pop r13
    ret                                                 ; kept-register
PyMethod "n", n, METH_O
n:
    push rbx
    sub rsp, 16
    mov [rsp], rsi
    mov [rsp + 8], rsi
    mov [rsp + 16], rsi
    mov rdi, [rsp]
    call [rel PyObject_Repr wrt ..got]
    add rsp, 16
    pop rbx
    ret                                                 ; kept-register
PyMethod "o", o, METH_O
o:
    mov [rsp - 8], rsi
    mov rdi, rsi
    sub rsp, 8
    call [rel PyObject_Size wrt ..got]
    add rsp, 8
    mov rdi, [rsp - 8]
    jmp [rel PyObject_Repr wrt ..got]
PyMethod "p", p, METH_O
p:
    jmp p_data                                          ; data-called
section .data
p_data: dq 0
section .text
PyMethod "q", q, METH_O
q:
    push rsi
    push rsi
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]                   ; stack-alignment
    add rsp, 16
    ret
PyMethod "r", r, METH_O
r:
    push rsi
    mov edi, 1
    call [rel PyList_New wrt ..got]
    mov rcx, [rax + 24]                                 ; null-untested
    pop rsi
    ret
PyMethod "s", s, METH_O
s:
    std
    mov rcx, 4
    lea rdi, [rsp - 1]
    rep stosb                                           ; unset-register
    jmp [rel PyObject_Str wrt ..got]                    ; direction-flag
PyMethod "t", t, METH_O
t:
    push rbx
    mov rbx, rsi
    test rbx, rbx
    jz .skip
    mov rdi, rbx
    pop rbx
    jmp [rel PyObject_Str wrt ..got]
.skip:
    xor eax, eax
    ret                             ; kept-register stack-at-return
PyFunction has_here, METH_NOARGS
    mov edi, 1
    PyHas PyLong_FromInt64
    jz .older
    PyTailCall PyLong_FromInt64
.older:
    PyTailCall PyLong_FromLong
PyEndFunction
PyMethod "a_2", a_2, METH_O
section .text
a_2:
    std
    test rsi, rsi
    jz .e
    cld
.e: mov edi, 1
    jmp [rel PyLong_FromLong wrt ..got]                 ; direction-flag
PyMethod "b_2", b_2, METH_NOARGS
b_2:
    mov edi, 1
    PyHas PyLong_FromInt64
    jnz .older
    %undef PyLong_FromInt64
    jmp [rel PyLong_FromInt64 wrt ..got]                ; weak-untested
.older:
    jmp [rel PyLong_FromLong wrt ..got]
PyMethod "c_2", c_2, METH_O
c_2:
    mov rdi, rsi
    test rsi, rsi
    jz .e
    vpxor ymm1, ymm1, ymm1                              ; cpu-level
.e: jmp [rel PyObject_Str wrt ..got]                    ; vzeroupper
PyMethod "d_2", d_2, METH_O
d_2:
    movq mm1, rsi
    movq rdi, mm1
    jmp [rel PyObject_Str wrt ..got]                    ; mmx-state
PyMethod "e_2", e_2, METH_O
e_2:
    movups [rsp - 16], xmm3                             ; unset-register
    mov rdi, rsi
    sub rsp, 8
    call [rel PyObject_Str wrt ..got]
    movups xmm3, [rsp - 8]                              ; below-stack
    add rsp, 8
    ret
PyType T, T_object_size, Py_TPFLAGS_DEFAULT
struc T_object
  PyObject_HEAD
  .v resq 1
endstruc
PyGetSet "v", T.getv, T.setv
PyTypeSlot Py_tp_repr, T.repr
PyTypeSlot Py_tp_hash, T.hash
PyRoutine T.getv, self
    push rax
    mov rdi, [self + T_object.v]
    call [rel PyLong_FromLong wrt ..got]                ; stack-alignment
    pop rcx
    PyReturn
PyEndRoutine
PyRoutine T.setv, self, value
    mov rbx, value
    PyReturn 0
PyEndRoutine
PyRoutine T.repr, self
    mov rdi, rdx                                        ; unset-register
    PyTailCall PyUnicode_FromString
PyEndRoutine
PyRoutine T.hash, self
    cmp self, Py_None
    je .x                                               ; falls-off
    PyReturn 1
.x:
PyEndRoutine
PyEndType
PyMethod "g_2", g_2, METH_O
g_2:
    sub rsp, 8
    mov r10, [rel PyObject_Str wrt ..got]
    mov rdi, rsi
    call r10
    mov rdi, rax
    call r10                                            ; clobbered-register
    add rsp, 8
    ret
PyMethod "h_2", h_2, METH_O
h_2:
    sub rsp, 8
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]
    test rax, rax
    jz .e
    mov rdi, rax
    call [rel PyObject_Size wrt ..got]
    mov rdi, rax
    add rsp, 8
    jmp [rel PyLong_FromLong wrt ..got]                 ; reference-lost
.e: add rsp, 8
    ret
PyMethod "i_2", i_2, METH_O
i_2:
    enter 16, 0
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]
    add rsp, 16
    ret                             ; kept-register stack-at-return
PyMethod "j_2", j_2, METH_O
j_2:
    push rbx
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]
    jmp i_2.out2
PyMethod "k_2", k_2, METH_O
k_2:
    call .here
.here:
    mov rdi, rsi
    jmp [rel PyObject_Str wrt ..got]                    ; stack-at-return
i_2.out2:
    pop rcx
    ret
PyMethod "l_2", l_2, METH_O
l_2:
    sub rsp, 24
    mov [rsp + 8], r12
    mov [rsp], rsi
    mov r12, rsi
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]
    mov r12, [rsp]
    add rsp, 24
    ret                                                 ; kept-register
PyMethod "m_2", m_2, METH_O
m_2:
    push rbx
    mov rbx, rsi
    mov rdi, rsi
    call [rel PyObject_Str wrt ..got]
    mov rdi, rax
    call [rel PyNumber_Add wrt ..got]                   ; argument-unset
    pop rbx
    ret                                                 ; reference-lost
PyMethod "n_2", n_2, METH_O
n_2:
    xchg rax, rsp                                       ; unset-register
    xchg rax, rsp
    xor eax, eax
    ret
PyEndModule
