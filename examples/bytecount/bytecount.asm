; A library without Python in it: two functions that count bytes.

        DEFAULT     REL

        GLOBAL      count_byte:function
        GLOBAL      count_all:function

        SECTION     .text

;-----------------------------------------------------------------------
; size_t count_byte(const uint8_t *data, size_t length, uint8_t value)
;
; xmm0 = value in each byte, xmm4 = two sums of 64 bits
;-----------------------------------------------------------------------
        ALIGN       16
count_byte:
    movzx       edx, dl
    mov         r8, 0x0101010101010101
    imul        rdx, r8                 ; value in each of eight bytes
    movq        xmm0, rdx
    punpcklqdq  xmm0, xmm0
    pxor        xmm4, xmm4
    xor         eax, eax
    cmp         rsi, 16
    jb          .rest
.sixteen:
    movdqu      xmm1, [rdi]
    pcmpeqb     xmm1, xmm0              ; -1 where they are equal
    pxor        xmm2, xmm2
    psubb       xmm2, xmm1              ; 1
    pxor        xmm3, xmm3
    psadbw      xmm2, xmm3              ; sums of eight bytes each
    paddq       xmm4, xmm2
    add         rdi, 16
    sub         rsi, 16
    cmp         rsi, 16
    jae         .sixteen
    movq        rax, xmm4
    psrldq      xmm4, 8
    movq        rcx, xmm4
    add         rax, rcx
.rest:
    test        rsi, rsi
    jz          .done
.one:
    xor         ecx, ecx
    cmp         [rdi], dl
    sete        cl
    add         rax, rcx
    inc         rdi
    dec         rsi
    jnz         .one
.done:
    ret

;-----------------------------------------------------------------------
; void count_all(const uint8_t *data, size_t length, uint64_t counts[256])
;-----------------------------------------------------------------------
        ALIGN       16
count_all:
    test        rsi, rsi
    jz          .done
.one:
    movzx       eax, byte [rdi]
    inc         qword [rdx + rax*8]
    inc         rdi
    dec         rsi
    jnz         .one
.done:
    ret
