; Typed functions with `*rest', with sequences, and methods that share a slot,
; for tests/abi/test_typed_more.py.

%include "python.inc"

struc Vector_object
                    PyObject_HEAD
  .x                resq 1
endstruc

PyModule            more
PyTypedFunction     "total(first: i64, *rest) -> i64"
PyTypedFunction     "none(*rest) -> i64"
PyTypedFunction     "opt(a: i64 = 5, b: i64 = 7, *rest) -> i64"
PyTypedFunction     "many(a: i64, b: i64, c: i64, d: i64, e: i64, *rest) -> i64"
PyTypedFunction     "pick(a: i64 = 5, *rest, at: i64 = 0, other: object = None) -> object"
PyTypedFunction     "need(*rest, last: i64, scale: f64 = 2) -> f64"
PyTypedFunction     "buffers(a: bytes, *rest, b: bytes, c: str = 'none') -> i64"
PyTypedFunction     "stacked(a: str, b: str, *rest, c: i64, d: bytes, e: i64 = 9) -> i64"
PyTypedFunction     "sumi(values: list[i64]) -> i64"
PyTypedFunction     "sumb(values: list[u8] = None) -> i64"
PyTypedFunction     "sumf(values: sequence[f64], scale: f64 = 1) -> f64"
PyTypedFunction     "sumh(values: list[i16], more: list[f32]) -> i64"
PyTypedFunction     "shape(a: f64[:, :]) -> tuple[i64, i64, i64, i64]"
PyTypedFunction     "c(a: f64[:, ::1]) -> tuple[i64, i64]", calls counts
PyTypedFunction     "f(a: writable f64[::1, :]) -> tuple[i64, i64]", \
                    calls counts
PyTypedFunction     "strided(a: i32[:], factor: i64 = 3) -> i64"
PyTypedFunction     "absent(a: f64[:, :] = None, b: f64[:] = None) -> i64"
PyTypedFunction     "two(x: i64, a: f64[:, :], b: f64[:, :]) -> f64", nogil
PyFunction          g, METH_FASTCALL
    PyArguments     "g(a, b=None, *parts)"
    jz              .error
    mov             rdi, [parts_count]
    PyTailCall      PyLong_FromSsize_t
.error:
    PyReturn        NULL
PyEndFunction
PyFunction          every, METH_FASTCALL
    PyArguments     "every(*parts)"
    jz              .error
    mov             rdi, [parts_count]
    PyTailCall      PyLong_FromSsize_t
.error:
    PyReturn        NULL
PyEndFunction
PyType              Vector, Vector_object_size, \
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__init__(self, x: i64)", calls init
PyTypedFunction     "twice(a: i64) -> i64", calls twice, static
PyTypedFunction     "nothing() -> i64", static, calls answer
PyTypedFunction     "__eq__(self, other: i64) -> bool", calls eq
PyTypedFunction     "__lt__(self, other: i64) -> bool", calls lt
PyTypedFunction     "__add__(self, other: i64) -> i64", calls add_
PyTypedFunction     "__radd__(self, other: i64) -> i64", calls radd
PyTypedFunction     "__rsub__(self, other: i64) -> i64", calls radd
PyTypedFunction     "__mul__(self, other: double) -> double", calls mul_
PyTypedFunction     "__pow__(self, other: i64) -> i64", calls add_
PyTypedFunction     "__iadd__(self, other: i64) -> object", calls iadd
PyTypedFunction     "__setitem__(self, key: i64, value: i64)", calls setitem
PyTypedFunction     "__delitem__(self, key: i64)", calls delitem
PyEndType
PyType              Dumb, Vector_object_size
PyTypedFunction     "__setitem__(self, key: str, value: object)", calls ignore
PyEndType
PyType              Ranked, Vector_object_size, \
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyTypedFunction     "__lt__(self, other: i64) -> bool", calls lt
PyTypedFunction     "__setattr__(self, name: str, value: object)", calls ignore
PyEndType
PyType              Best, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyTypeSlot          Py_tp_base, Ranked
PyTypedFunction     "__gt__(self, other: i64) -> bool", calls lt
PyTypedFunction     "__delattr__(self, name: str)", calls ignore
PyEndType
PyType              Table, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyTypeSlot          Py_tp_base, PyDict_Type
PyTypedFunction     "__setitem__(self, key: str, value: object)", calls ignore
PyTypedFunction     "__ne__(self, other: i64) -> bool", calls answer
PyEndType
PyType              Emptied, 0
PyTypeSlot          Py_tp_base, PyDict_Type
PyTypedFunction     "__delitem__(self, key: object)", calls ignore
PyEndType
PyType              Number, 0
PyTypeSlot          Py_tp_base, PyLong_Type
PyTypedFunction     "__lt__(self, other: object) -> bool", calls answer
PyEndType
PyType              Looked, 0
PyTypeSlot          Py_tp_base, PySuper_Type
PyTypedFunction     "__getattr__(self, name: str) -> i64", calls letters
PyEndType
PyType              Field, Vector_object_size, \
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__set__(self, instance: object, value: i64)", calls setx
PyEndType
PyType              Cleared, 0
PyTypeSlot          Py_tp_base, Field
PyTypedFunction     "__delete__(self, instance: object)", calls delx
PyEndType
PyType              Open, Vector_object_size
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__getattr__(self, name: str) -> i64", calls letters
PyTypedFunction     "__setattr__(self, name: object, value: i64)", \
                    calls setx
PyEndType
PyType              Closed, Vector_object_size
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__getattribute__(self, name: object) -> object", \
                    calls missing
PyTypedFunction     "__getattr__(self, name: str) -> i64", calls letters
PyTypedFunction     "__delattr__(self, name: str)", calls delx
PyEndType
PyType              Property, Vector_object_size
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__get__(self, instance: object, owner: object) \
-> object", calls second
PyTypedFunction     "__set__(self, instance: object, value: i64)", calls setx
PyEndType
PyType              Deleted, Vector_object_size
PyMember            "x", Py_T_LONGLONG, Vector_object.x
PyTypedFunction     "__delete__(self, instance: object)", calls delx
PyEndType
PyType              Awaited, Vector_object_size
PyTypedFunction     "__await__(self) -> object", calls first
PyTypedFunction     "__aiter__(self) -> object", calls first
PyTypedFunction     "__anext__(self) -> object", calls first
PyTypedFunction     "__next__(self) -> object", calls nothing_more
PyTypedFunction     "__iter__(self) -> object", calls first
PyEndType
PyEndModule

section .text
letters:
    mov             rax, rdx
    cmp             byte [rsi], "_"
    jne             .return
    PyRaise         PyExc_AttributeError, "%s", rsi
    mov             rax, -1
.return:
    ret
setx:
    mov             [rdi + Vector_object.x], rdx
    ret
delx:
    mov             qword [rdi + Vector_object.x], -1
    ret
missing:
    PyRaise         PyExc_AttributeError, "missing"
    ret
PyRoutine           second, -, object
    mov             rdi, object
    PyCall          Py_IncRef
    PyReturn        object
PyEndRoutine
PyRoutine           first, object
    PyCall          Py_IncRef
    PyReturn        object
PyEndRoutine
nothing_more:
    xor             eax, eax
    ret
shape:
    mov             [r9 + 16], rcx
    mov             [r9 + 24], r8
    mov             rcx, r9
    jmp             counts
counts:
    mov             [rcx], rsi
    mov             [rcx + 8], rdx
    xor             eax, eax
    ret
strided:
    xor             eax, eax
.next:
    dec             rsi
    js              .done
    movsxd          r8, dword [rdi]
    add             rax, r8
    add             rdi, rdx
    jmp             .next
.done:
    imul            rax, rcx
    ret
absent:
    mov             rax, rdi
    or              rax, rsi
    or              rax, rdx
    or              rax, rcx
    or              rax, r8
    or              rax, r9
    or              rax, [rsp + 8]
    or              rax, [rsp + 16]
    ret
two:
    mov             rax, [rsp + 8]      ; the second matrix
    movsd           xmm0, [rax]
    addsd           xmm0, [rsi]
    cvtsi2sd        xmm1, qword [rsp + 32]
    addsd           xmm0, xmm1
    ret
total:
    lea             rax, [rdi + rdx]
    ret
none:
    lea             rax, [rsi]
    ret
PyRoutine           pick, a, rest, rest_count, at, other
    cmp             at, rest_count
    jae             .other
    mov             rax, [rest + 8 * at]
    Py_NewRef       rax
    PyReturn
.other:
    Py_NewRef       other
    PyReturn
PyEndRoutine
need:
    add             rsi, rdx
    cvtsi2sd        xmm1, rsi
    mulsd           xmm0, xmm1
    ret
buffers:                                ; rdi, rsi, rest rdx, rcx, b r8, r9, c
    mov             rax, rsi
    imul            rcx, rcx, 10
    add             rax, rcx
    imul            r9, r9, 100
    add             rax, r9
    imul            rdx, [rsp + 16], 1000
    add             rax, rdx
    ret
stacked:                                ; a, b, rest r8, r9; c, d, e
    mov             rax, [rsp + 8]
    imul            r9, r9, 10
    add             rax, r9
    imul            rcx, [rsp + 24], 100
    add             rax, rcx
    imul            rcx, [rsp + 32], 1000
    add             rax, rcx
    ret
opt:
    imul            rdi, rdi, 100
    imul            rsi, rsi, 10
    lea             rax, [rdi + rsi]
    add             rax, rcx
    ret
many:
    mov             rax, [rsp+8]
    add             rax, r8
    ret
sumi:
    xor             eax, eax
.n:
    dec             rsi
    js              .d
    add             rax, [rdi + 8*rsi]
    jmp             .n
.d:
    ret
sumb:
    xor             eax, eax
.n:
    dec             rsi
    js              .d
    movzx           ecx, byte [rdi + rsi]
    add             rax, rcx
    jmp             .n
.d:
    ret
sumf:
    xorpd           xmm1, xmm1
.n:
    dec             rsi
    js              .d
    addsd           xmm1, [rdi + 8*rsi]
    jmp             .n
.d:
    mulsd           xmm0, xmm1
    ret
sumh:
    xor             eax, eax
.n:
    dec             rsi
    js              .d
    movsx           r8, word [rdi + 2*rsi]
    add             rax, r8
    jmp             .n
.d:
    dec             rcx
    js              .e
    cvttss2si       r8, [rdx + 4*rcx]
    add             rax, r8
    jmp             .d
.e:
    ret
init:
    mov             [rdi + Vector_object.x], rsi
    ret
twice:
    lea             rax, [rdi*2]
    ret
answer:
    mov             eax, 42
    ret
eq:
    xor             eax, eax
    cmp             [rdi + Vector_object.x], rsi
    sete            al
    ret
lt:
    xor             eax, eax
    cmp             [rdi + Vector_object.x], rsi
    setl            al
    ret
add_:
    mov             rax, [rdi + Vector_object.x]
    add             rax, rsi
    ret
radd:
    mov             rax, rsi
    sub             rax, [rdi + Vector_object.x]
    ret
mul_:
    cvtsi2sd        xmm1, [rdi + Vector_object.x]
    mulsd           xmm0, xmm1
    ret
PyRoutine           iadd, self, n
    add             [self + Vector_object.x], n
    Py_NewRef       self
    PyReturn
PyEndRoutine
setitem:
    imul            rsi, rsi, 100
    add             rsi, rdx
    mov             [rdi + Vector_object.x], rsi
    ret
delitem:
    neg             rsi
    mov             [rdi + Vector_object.x], rsi
    ret
ignore:
    ret
