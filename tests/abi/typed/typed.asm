; Every kind of parameter and result, for check_typed.py.
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

PyTypedFunction "told() -> None", calls nothing, {doc "One line,", 10, "it's the next."}

; The same without the GIL.
PyTypedFunction "free_i64(value: i64) -> i64", calls same, nogil
PyTypedFunction "free_u32(value: u32) -> u32", calls same, nogil
PyTypedFunction "free_double(value: double) -> double", calls nothing, nogil
PyTypedFunction "free_float(value: float) -> float", calls nothing, nogil
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
PyTypedFunction "default_float(value: float = 0.1) -> float", calls nothing
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
PyTypedFunction "items_float(data: float[]) -> u64", calls second
PyTypedFunction "items_double(data: double[]) -> u64", calls second
PyTypedFunction "scale(data: writable double[], factor: double = 2)", calls scale_doubles
PyTypedFunction "three(a: bytes, b: writable bytes, c: u16[], d: i32) -> u64", calls three_lengths

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
PyTypedFunction "default_real(first: double = -1.0, second: float = 0.25) -> double", calls sum_of_reals
PyTypedFunction "convert_str(value: str)", calls nothing
PyTypedFunction "convert_str_2(first: object, value: str, /)", calls nothing
PyTypedFunction "convert_str_o(value: str, /)", calls nothing
PyTypedFunction "convert_writable(value: writable bytes)", calls nothing
PyTypedFunction "convert_optional(value: str = None)", calls nothing

; Registers and stack, against what the C compiler expects: see kernels.c.
PyTypedFunction "mixed(a: i64, x: double, data: bytes, b: i32, y: float, items: u16[], c: u64, text: str, d: u32, flag: bool, x2: double, x3: double, x4: double, x5: double, x6: double, x7: double, x8: double, x9: float, last: cstr) -> double", extern mixed
PyTypedFunction "mixed_free(a: i64, x: double, data: bytes, b: i32, y: float, items: u16[], c: u64, text: str, d: u32, flag: bool, x2: double, x3: double, x4: double, x5: double, x6: double, x7: double, x8: double, x9: float, last: cstr) -> double", extern mixed, nogil

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
