; The functions measured, as typed functions. NAME is the module's name.
%include "python.inc"

section .text
    times       PLACE nop               ; see bench/typed_calls.py

PyModule    NAME
PyTypedFunction "add(a: i64, b: i64, /) -> i64", calls add_
PyTypedFunction "add_named(a: i64, b: i64 = 1) -> i64", calls add_
PyTypedFunction "add_long(augend: i64, the_addend: i64) -> i64", calls add_
PyTypedFunction "mean(a: double, b: double, /) -> double", calls mean_
PyTypedFunction "first(data: bytes, /) -> u64", calls first_
PyEndModule

section .text
;-----------------------------------------------------------------------
; int64_t add(int64_t a, int64_t b)
;-----------------------------------------------------------------------
add_:
    lea         rax, [rdi + rsi]
    ret

;-----------------------------------------------------------------------
; double mean(double a, double b)
;-----------------------------------------------------------------------
mean_:
    addsd       xmm0, xmm1
    mulsd       xmm0, [half]
    ret

;-----------------------------------------------------------------------
; uint64_t first(const unsigned char *data, size_t length)
;-----------------------------------------------------------------------
first_:
    movzx       eax, byte [rdi]
    ret

section .rodata
half:
    dq          0.5
