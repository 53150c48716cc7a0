; Every kind of parameter and result, for CHECKS of test_typed.py.
%include "python.inc"

struc Box
    PyObject_HEAD
    .value:     resq 1
endstruc

PyModule    typed

; One parameter of each type, given back.
PyTypedFunction "as_i32(value: i32, /) -> i32", calls same
PyTypedFunction "as_u32(value: u32, /) -> u32", calls same
PyTypedFunction "as_i64(value: i64, /) -> i64", calls same
PyTypedFunction "as_u64(value: u64, /) -> u64", calls same
PyTypedFunction "as_float(value: float, /) -> float", calls nothing
PyTypedFunction "as_double(value: double, /) -> double", calls nothing
PyTypedFunction "as_f32(value: f32, /) -> f32", calls nothing
PyTypedFunction "as_f64(value: f64, /) -> f64", calls nothing
PyTypedFunction "as_bool(value: bool, /) -> bool", calls same
PyTypedFunction "as_object(value: object, /) -> object", calls new_reference
PyTypedFunction "as_bytes(value: bytes, /) -> bytes", calls pair
PyTypedFunction "as_str(value: str, /) -> str", calls pair
PyTypedFunction "as_cstr(value: cstr, /) -> cstr", calls same
PyTypedFunction "as_none(value: i64, /)", calls nothing
PyTypedFunction "nothing() -> None", calls nothing, doc "Does nothing."

PyTypedFunction "documented() -> None", calls nothing, {doc "One line,", 10, "it's the next."}

; The same without the GIL.
PyTypedFunction "free_i64(value: i64) -> i64", calls same, nogil
PyTypedFunction "free_u32(value: u32) -> u32", calls same, nogil
PyTypedFunction "free_double(value: double) -> double", calls nothing, nogil
PyTypedFunction "free_float(value: f32) -> f32", calls nothing, nogil
PyTypedFunction "free_bool(value: bool) -> bool", calls same, nogil
PyTypedFunction "free_bytes(value: bytes) -> bytes", calls pair, nogil
PyTypedFunction "free_str(value: str) -> str", calls pair, nogil
PyTypedFunction "free_none(value: bytes)", calls nothing, nogil

; Defaults.
PyTypedFunction "default_i32(value: i32 = -2147483648) -> i32", calls same
PyTypedFunction "default_u32(value: u32 = 0xffffffff) -> u32", calls same
PyTypedFunction "default_binary(value: u32 = 0b101) -> u32", calls same
PyTypedFunction "default_octal(value: i64 = -0o17) -> i64", calls same
PyTypedFunction "default_i64(value: i64 = -9223372036854775808) -> i64", calls same
PyTypedFunction "default_u64(value: u64 = 18446744073709551615, /) -> u64", calls same
PyTypedFunction "default_float(value: f32 = 0.1) -> f32", calls nothing
PyTypedFunction "default_double(value: double = -1e-3) -> double", calls nothing
PyTypedFunction "default_whole(value: double = 3) -> double", calls nothing
PyTypedFunction "default_bool(value: bool = True) -> bool", calls same
PyTypedFunction "default_object(value: object = None) -> object", calls new_reference
PyTypedFunction "default_str(value: str = 'a, (b)') -> str", calls pair
PyTypedFunction "none_str(value: str = None) -> str", calls pair
PyTypedFunction "default_cstr(value: cstr = 'abc') -> cstr", calls same
PyTypedFunction "none_cstr(value: cstr = None) -> cstr", calls same
PyTypedFunction "default_bytes(value: bytes = b'xyz') -> bytes", calls pair
PyTypedFunction "none_bytes(value: bytes = None) -> bytes", calls pair
PyTypedFunction "none_writable(value: writable bytes = None) -> bytes", calls pair
PyTypedFunction "none_doubles(value: double[] = None) -> bytes", calls pair

; Buffers: the number of items, or of bytes.
PyTypedFunction "length(data: bytes) -> u64", calls second
PyTypedFunction "fill(data: writable bytes, byte: i32)", calls fill_bytes
PyTypedFunction "fill_o(data: writable bytes, /)", calls nothing
PyTypedFunction "items_i8(data: i8[]) -> u64", calls second
PyTypedFunction "items_u8(data: u8[]) -> u64", calls second
PyTypedFunction "items_i16(data: i16[]) -> u64", calls second
PyTypedFunction "items_u16(data: u16[]) -> u64", calls second
PyTypedFunction "items_i32(data: i32[]) -> u64", calls second
PyTypedFunction "items_u32(data: u32[]) -> u64", calls second
PyTypedFunction "items_i64(data: i64[]) -> u64", calls second
PyTypedFunction "items_u64(data: u64[]) -> u64", calls second
PyTypedFunction "items_f32(data: f32[]) -> u64", calls second
PyTypedFunction "items_double(data: double[]) -> u64", calls second
PyTypedFunction "scale(data: writable double[], factor: double = 2)", calls scale_doubles
PyTypedFunction "three(a: bytes, b: writable bytes, c: u16[], d: i32) -> u64", calls three_lengths

; Numbers that may be None, and several results.
PyTypedFunction "optional_i32(value: i32 = None) -> i64", calls deref_i32
PyTypedFunction "optional_u32(value: u32 = None, /) -> i64", calls deref_u32
PyTypedFunction "optional_i64(value: i64 = None) -> i64", calls deref
PyTypedFunction "optional_u64(value: u64 = None, /) -> u64", calls deref
PyTypedFunction "optional_f64(value: float = None) -> double", calls deref_f64
PyTypedFunction "optional_bool(value: bool = None) -> i64", calls deref
PyTypedFunction "optional_free(first: i64, value: i64 = None) -> i64", calls deref_second, nogil
PyTypedFunction "pair_of(a: i64, b: double) -> tuple[i64, double]", calls two_results
PyTypedFunction "all_of(a: i64) -> tuple[i32, u32, i64, u64, f32, float, bool]", calls seven_results, nogil
PyTypedFunction "raise_tuple(data: bytes) -> tuple[i64]", calls raise_minus_one
PyTypedFunction "seventh(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64) -> tuple[i64, i64]", calls result_on_stack

; Where a call's arguments go; see clinic.c for f to p.
PyTypedFunction "f(a: object, b: object = None)", calls nothing
PyTypedFunction "g(a: object, b: object)", calls nothing
PyTypedFunction "h(a: object, /, b: object = None, *, c: object = None)", calls nothing
PyTypedFunction "k(*, b: object, c: object = None)", calls nothing
PyTypedFunction "l(a: object, b: object = None, *, c: object)", calls nothing
PyTypedFunction "m(a: object, /, b: object, *, c: object = None)", calls nothing
PyTypedFunction "n(a: object)", calls nothing
PyTypedFunction "p(a: object, b: object, /)", calls nothing
PyTypedFunction "q(a: object, b: object = None, /)", calls nothing
PyTypedFunction "order(a: i64, b: i64 = 2, /, c: i64 = 3, *, d: i64 = 4, e: i64) -> i64", calls digits
PyTypedFunction "lengths(a: i64, ab: i64, abc: i64 = 3, abcd: i64 = 4, abcde: i64 = 5, *, abcdefgh: i64 = 6, abcdefghi: i64 = 7, twelve_chars: i64 = 8) -> i64", calls eight_digits
PyTypedFunction "default_real(first: double = -1.0, second: f32 = 0.25) -> double", calls sum_of_reals
PyTypedFunction "convert_str(value: str)", calls nothing
PyTypedFunction "convert_str_2(first: object, value: str, /)", calls nothing
PyTypedFunction "convert_str_o(value: str, /)", calls nothing
PyTypedFunction "convert_writable(value: writable bytes)", calls nothing
PyTypedFunction "convert_optional(value: str = None)", calls nothing

; Registers and stack, against what the C compiler expects: see kernels.c.
PyTypedFunction "mixed(a: i64, x: double, data: bytes, b: i32, y: f32, items: u16[], c: u64, text: str, d: u32, flag: bool, x2: double, x3: double, x4: double, x5: double, x6: double, x7: double, x8: double, x9: f32, last: cstr) -> double", extern mixed
PyTypedFunction "mixed_free(a: i64, x: double, data: bytes, b: i32, y: f32, items: u16[], c: u64, text: str, d: u32, flag: bool, x2: double, x3: double, x4: double, x5: double, x6: double, x7: double, x8: double, x9: f32, last: cstr) -> double", extern mixed, nogil

; The stack as a routine finds it, with frames of several sizes.
PyTypedFunction "stack_0() -> i64", calls stack
PyTypedFunction "stack_1(a: i64, /) -> i64", calls stack
PyTypedFunction "stack_2(a: i64, b: i64, /) -> i64", calls stack, nogil
PyTypedFunction "stack_3(a: bytes, b: i64 = 1, c: double = 1) -> i64", calls stack
PyTypedFunction "stack_4(a: bytes, b: str, c: i64, d: i64, e: i64 = 1, f: i64 = 2) -> i64", calls stack

; What a routine says about errors, and about itself.
PyTypedFunction "raise_object() -> object", calls raise
PyTypedFunction "raise_i32() -> i32", calls raise_minus_one
PyTypedFunction "raise_u32() -> u32", calls raise_minus_one
PyTypedFunction "raise_i64() -> i64", calls raise_minus_one
PyTypedFunction "raise_u64(data: bytes) -> u64", calls raise_minus_one
PyTypedFunction "raise_double() -> double", calls raise_minus_one_double
PyTypedFunction "raise_bool() -> bool", calls raise_minus_one
PyTypedFunction "raise_bool_of(data: bytes) -> bool", calls raise_minus_one
PyTypedFunction "true_bool(value: i64, /) -> bool", calls same
PyTypedFunction "raise_bytes() -> bytes", calls raise
PyTypedFunction "raise_str() -> str", calls raise
PyTypedFunction "raise_cstr() -> cstr", calls raise
PyTypedFunction "bad_str(data: bytes) -> str", calls pair
PyTypedFunction "in_module(module, value: i64, /) -> object", calls module_if
PyTypedFunction "wait(flag: writable bytes, spins: u64) -> bool", calls spin
PyTypedFunction "wait_free(flag: writable bytes, spins: u64) -> bool", calls spin, nogil

PyType      Box, Box_size
PyTypedFunction "put(self, value: i64)", calls put_value
PyTypedFunction "get(self) -> i64", calls get_value
PyTypedFunction "add(self, value: i64, /) -> i64", calls add_value
PyTypedFunction "twice(value: i64, /) -> i64", calls double_value
PyTypedFunction "of(cls, value: i64) -> object", calls new_box
PyEndType

; Methods in slots.
PyType      Slots, Box_size
PyTypedFunction "__new__(cls, value: i64 = 7, *, extra: bytes = None) -> object", calls new_box
PyTypedFunction "__init__(self, value: i64 = 7, *, extra: bytes = None)", calls put_value
PyTypedFunction "__len__(self) -> i64", calls get_value
PyTypedFunction "__hash__(self) -> i64", calls get_value
PyTypedFunction "__bool__(self) -> bool", calls get_value
PyTypedFunction "__repr__(self) -> str", calls box_text
PyTypedFunction "__int__(self) -> i64", calls get_value
PyTypedFunction "__neg__(self) -> i64", calls negate_value
PyTypedFunction "__getitem__(self, index: i64) -> i64", calls add_value
PyTypedFunction "__contains__(self, value: i64) -> bool", calls value_is
PyTypedFunction "__call__(self, a: i64, /, b: i64 = 20, *, c: i64 = 300) -> i64", calls add_four
PyTypedFunction "__next__(self) -> object", calls next_value
PyTypedFunction "__iter__(self) -> object", calls new_reference
PyTypedFunction "__enter__(self) -> object", calls new_reference
PyEndType

; A function written by hand.
PyFunction  by_hand, METH_FASTCALL | METH_KEYWORDS, -
    PyArguments "by_hand(name, /, greeting=None, *, mark)"
    jz          .error
    mov         edi, 3
    mov         rsi, [name]
    mov         rdx, [greeting]
    mov         rcx, [mark]
    test        rdx, rdx
    jnz         .all
    mov         rdx, Py_Ellipsis
.all:
    PyCall      PyTuple_Pack
.error:
    PyReturn
PyEndFunction

PyFunction  by_hand_positional, METH_FASTCALL, -
    PyArguments "by_hand_positional(name, greeting=None, /)"
    jz          .error
    mov         edi, 2
    mov         rsi, [name]
    mov         rdx, [greeting]
    test        rdx, rdx
    jnz         .all
    mov         rdx, Py_Ellipsis
.all:
    PyCall      PyTuple_Pack
.error:
    PyReturn
PyEndFunction

PyEndModule

section .text

deref_i32:
    test        rdi, rdi
    jz          null_is
    movsxd      rax, dword [rdi]
    ret
deref_u32:
    test        rdi, rdi
    jz          null_is
    mov         eax, [rdi]
    ret
deref_second:
    mov         rdi, rsi
deref:
    test        rdi, rdi
    jz          null_is
    mov         rax, [rdi]
    ret
deref_f64:
    test        rdi, rdi
    jz          .null
    movsd       xmm0, [rdi]
    ret
.null:
    xorps       xmm0, xmm0
    ret
null_is:
    mov         eax, 4242
    ret

; int two_results(int64_t a, double b, int64_t results[2])
two_results:
    inc         rdi
    addsd       xmm0, xmm0
    mov         [rsi], rdi
    movsd       [rsi + 8], xmm0
    mov         eax, -1                 ; no exception is set
    ret

seven_results:
    mov         [rsi], edi
    mov         [rsi + 8], edi
    mov         [rsi + 16], rdi
    mov         [rsi + 24], rdi
    mov         dword [rsi + 32], __?float32?__(0.5)
    mov         rax, __?float64?__(0.25)
    mov         [rsi + 40], rax
    mov         byte [rsi + 48], 1
    xor         eax, eax
    ret

result_on_stack:
    mov         rax, [rsp + 8]
    mov         [rax], rdi
    mov         [rax + 8], r9
    xor         eax, eax
    ret

; PyObject *new_box(PyTypeObject *cls, int64_t value)
PyRoutine   new_box, class, value
    mov         rdi, class
    xor         esi, esi
    PyCall      PyType_GenericAlloc
    test        rax, rax
    jz          .error
    mov         [rax + Box.value], value
.error:
    PyReturn
PyEndRoutine

box_text:
    lea         rax, [.text]
    mov         edx, 3
    ret
.text:
    db          "Box"

negate_value:
    mov         rax, [rdi + Box.value]
    neg         rax
    ret

value_is:
    xor         eax, eax
    cmp         [rdi + Box.value], rsi
    sete        al
    ret

; int64_t add_four(Box *self, int64_t a, int64_t b, int64_t c)
add_four:
    mov         rax, [rdi + Box.value]
    add         rax, rsi
    add         rax, rdx
    add         rax, rcx
    ret

; The values until 0, as in a countdown.
PyRoutine   next_value, box
    mov         rdi, [box + Box.value]
    xor         eax, eax
    test        rdi, rdi
    jz          .end
    dec         qword [box + Box.value]
    PyCall      PyLong_FromLong
.end:
    PyReturn
PyEndRoutine

same:
    mov         rax, rdi
    ret

second:
    mov         rax, rsi
    ret

pair:
    mov         rax, rdi
    mov         rdx, rsi
    ret

nothing:
    ret

stack:
    mov         rax, rsp
    and         eax, 15
    ret

; PyObject *new_reference(PyObject *object)
new_reference:
    sub         rsp, 8
    PyCall      Py_NewRef
    add         rsp, 8
    ret

; void fill_bytes(char *data, size_t length, int byte)
fill_bytes:
    mov         eax, edx
    mov         rcx, rsi
    rep         stosb
    ret

; void scale_doubles(double *data, size_t count, double factor)
scale_doubles:
    test        rsi, rsi
    jz          .done
.next:
    movsd       xmm1, [rdi + 8 * rsi - 8]
    mulsd       xmm1, xmm0
    movsd       [rdi + 8 * rsi - 8], xmm1
    dec         rsi
    jnz         .next
.done:
    ret

; uint64_t three_lengths(a, a_length, b, b_length, c, c_items, int d)
three_lengths:
    imul        rax, rsi, 1000
    imul        rcx, rcx, 100
    imul        r9, r9, 10
    add         rax, rcx
    add         rax, r9
    add         rax, [rsp + 8]
    ret

; int64_t digits(a, b, c, d, e): abcde in decimal
digits:
    mov         rax, rdi
    imul        rax, rax, 10
    add         rax, rsi
    imul        rax, rax, 10
    add         rax, rdx
    imul        rax, rax, 10
    add         rax, rcx
    imul        rax, rax, 10
    add         rax, r8
    ret

; int64_t eight_digits(a, b, c, d, e, f, g, h): abcdefgh in decimal
eight_digits:
    sub         rsp, 8
    call        digits
    add         rsp, 8
    imul        rax, rax, 10
    add         rax, r9
    imul        rax, rax, 10
    add         rax, [rsp + 8]
    imul        rax, rax, 10
    add         rax, [rsp + 16]
    ret

; double sum_of_reals(double first, float second)
sum_of_reals:
    cvtss2sd    xmm1, xmm1
    addsd       xmm0, xmm1
    ret

; NULL, with an exception set
raise:
    sub         rsp, 8
    PyRaise     PyExc_LookupError, "from the routine"
    add         rsp, 8
    ret

raise_minus_one:
    sub         rsp, 8
    call        raise
    add         rsp, 8
    mov         rax, -1
    ret

raise_minus_one_double:
    sub         rsp, 8
    call        raise
    add         rsp, 8
    movsd       xmm0, [minus_one]
    ret

; PyObject *module_if(PyObject *module, int64_t value): NULL if not
module_if:
    test        rsi, rsi
    jz          raise
    jmp         new_reference

; bool spin(volatile char *flag, size_t length, uint64_t spins)
spin:
    mov         eax, 1
.again:
    pause
    cmp         byte [rdi], 0
    jne         .done
    dec         rdx
    jnz         .again
    xor         eax, eax
.done:
    ret

; void put_value(Box *self, int64_t value)
put_value:
    mov         [rdi + Box.value], rsi
    ret

get_value:
    mov         rax, [rdi + Box.value]
    ret

add_value:
    mov         rax, [rdi + Box.value]
    add         rax, rsi
    ret

double_value:
    lea         rax, [rdi + rdi]
    ret

section .rodata
minus_one:
    dq          -1.0
