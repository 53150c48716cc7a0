; The arithmetic of the module mixed. No Python here: python.inc only for
; choosing by processor, and for the note about the stack.

%include "python.inc"

section             .text

;-----------------------------------------------------------------------
; double dot(const double *a, const double *b, size_t n)
;-----------------------------------------------------------------------
global              dot:function hidden
dot:
    jmp             [rel fastest]

PyDispatch          fastest, dot_sse2, PyCPU_AVX2 | PyCPU_FMA, dot_avx2

;-----------------------------------------------------------------------
; dot for processors with AVX2 and FMA: four sums, so that four products
; are under way at any time
;-----------------------------------------------------------------------
dot_avx2:
    vxorpd          xmm0, xmm0, xmm0
    vxorpd          xmm1, xmm1, xmm1
    vxorpd          xmm2, xmm2, xmm2
    vxorpd          xmm3, xmm3, xmm3
    sub             rdx, 16
    jb              .few
.sixteen:
    vmovupd         ymm4, [rdi]
    vmovupd         ymm5, [rdi + 32]
    vmovupd         ymm6, [rdi + 64]
    vmovupd         ymm7, [rdi + 96]
    vfmadd231pd     ymm0, ymm4, [rsi]
    vfmadd231pd     ymm1, ymm5, [rsi + 32]
    vfmadd231pd     ymm2, ymm6, [rsi + 64]
    vfmadd231pd     ymm3, ymm7, [rsi + 96]
    sub             rdi, -128           ; one byte shorter than add 128
    sub             rsi, -128
    sub             rdx, 16
    jae             .sixteen
.few:
    vaddpd          ymm0, ymm0, ymm1
    vaddpd          ymm2, ymm2, ymm3
    vaddpd          ymm0, ymm0, ymm2
    vextractf128    xmm1, ymm0, 1
    vaddpd          xmm0, xmm0, xmm1
    vunpckhpd       xmm1, xmm0, xmm0
    vaddsd          xmm0, xmm0, xmm1
    add             rdx, 16
    jz              .done
.one:
    vmovsd          xmm1, [rdi]
    vfmadd231sd     xmm0, xmm1, [rsi]
    add             rdi, 8
    add             rsi, 8
    dec             rdx
    jnz             .one
.done:
    vzeroupper                          ; the caller's SSE code would be slow
    ret

;-----------------------------------------------------------------------
; dot for every x86-64
;-----------------------------------------------------------------------
dot_sse2:
    xorpd           xmm0, xmm0
    test            rdx, rdx
    jz              .done
.one:
    movsd           xmm1, [rdi]
    mulsd           xmm1, [rsi]
    addsd           xmm0, xmm1
    add             rdi, 8
    add             rsi, 8
    dec             rdx
    jnz             .one
.done:
    ret
