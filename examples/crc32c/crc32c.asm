; The module crc32c: the checksum of iSCSI, ext4 and many file formats
; (polynomial 0x1EDC6F41, reflected), of anything with a buffer.

%include "python.inc"

WITHOUT_GIL         equ 65536           ; bytes from which letting go pays

PyModule            crc32c
PyDoc               "CRC-32C (Castagnoli) of anything with a buffer."

;-----------------------------------------------------------------------
; PyObject *crc32c(PyObject *module, PyObject *const *args, Py_ssize_t n)
;
; crc = the checksum, from the second argument to the result
;-----------------------------------------------------------------------
PyFunction          crc32c, METH_FASTCALL, -, args, count
PyDoc               "crc32c($module, data, value=0, /)", 10, "--", 10, 10,      \
                    "Return the CRC-32C of data, an object with a buffer.", 10, 10, \
                    "To checksum data in pieces, pass the result for the pieces before as value."
    PyKeep          crc
    PyBuffer        data
    xor             crc.d, crc.d
    lea             rax, [count - 1]    ; 1 or 2 arguments
    cmp             rax, 1
    ja              .count
    jb              .data
    mov             rdi, [args + 8]
    PyCall          PyLong_AsUnsignedLong
    mov             crc, rax
    shr             rax, 32
    jnz             .value              ; too large, or the -1 of an error
.data:
    PyGetBuffer     data, [args], PyBUF_SIMPLE
    jnz             .error
    mov             edi, crc.d
    mov             rsi, [data.buf]
    mov             rdx, [data.len]
    cmp             rdx, WITHOUT_GIL
    jae             .large
    call            [rel update]
    mov             crc.d, eax
    jmp             .done
.large:
    Py_BEGIN_ALLOW_THREADS
    mov             edi, crc.d
    mov             rsi, [data.buf]
    mov             rdx, [data.len]
    call            [rel update]
    mov             crc.d, eax
    Py_END_ALLOW_THREADS
.done:
    mov             edi, crc.d
    PyCall          PyLong_FromUnsignedLong
    PyReturn
.count:
    PyRaise         PyExc_TypeError, "crc32c() takes 1 or 2 positional arguments but %zd were given", count
    PyReturn        NULL
.value:
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
    PyRaise         PyExc_OverflowError, "value does not fit into 32 bits"
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; uint32_t update(uint32_t crc, const uint8_t *data, size_t length)
;-----------------------------------------------------------------------
PyDispatch          update, update_table, PyCPU_SSE42 | PyCPU_PCLMULQDQ, \
                    update_sse42

;-----------------------------------------------------------------------
; update for processors with SSE4.2 and PCLMULQDQ
;
; The crc32 instruction takes three cycles and one can begin in each, so
; three streams of the data run side by side. Moving a checksum past the n
; bytes behind it multiplies it by x^8n modulo the polynomial: a carry-less
; product with x^(8n-33), which the crc32 instruction then reduces.
;
; r8 = the row of strides, r9 = its stride, r10 = a block of three, rbx =
; a block and two strides
;-----------------------------------------------------------------------
update_sse42:
    push            rbx
    mov             eax, edi
    not             eax
    lea             r8, [rel strides]
.stride:
    mov             r9, [r8]
    lea             r10, [r9 + r9 * 2]
    lea             rbx, [r9 + r9 * 4]
.block:
    cmp             rdx, r10
    jb              .next_stride
    lea             r11, [rsi + r9]     ; where the first stream ends
    xor             ecx, ecx
    xor             edi, edi
.three:
    prefetcht0      [rsi + r10]         ; the same places in the next block
    prefetcht0      [rsi + r9 * 4]
    prefetcht0      [rsi + rbx]
%assign at 0
%rep 8                                  ; nothing but crc32 wants its port
    crc32           rax, qword [rsi + at]
    crc32           rcx, qword [rsi + r9 + at]
    crc32           rdi, qword [rsi + r9 * 2 + at]
  %assign at at + 8
%endrep
    add             rsi, 64
    cmp             rsi, r11
    jb              .three
    movd            xmm0, eax
    movd            xmm1, ecx
    pclmulqdq       xmm0, [r8 + 16], 0x00 ; past two strides
    pclmulqdq       xmm1, [r8 + 16], 0x10 ; past one
    pxor            xmm0, xmm1
    movq            rcx, xmm0
    xor             eax, eax
    crc32           rax, rcx
    xor             eax, edi
    lea             rsi, [rsi + r9 * 2]
    sub             rdx, r10
    jmp             .block
.next_stride:
    add             r8, 32
    cmp             r9, LAST_STRIDE
    jne             .stride
    sub             rdx, 8
    jb              .bytes
.eight:
    crc32           rax, qword [rsi]
    add             rsi, 8
    sub             rdx, 8
    jae             .eight
.bytes:
    add             rdx, 8
    jz              .done
.byte:
    crc32           eax, byte [rsi]
    inc             rsi
    dec             rdx
    jnz             .byte
.done:
    not             eax
    pop             rbx
    ret

;-----------------------------------------------------------------------
; update for every processor
;-----------------------------------------------------------------------
update_table:
    mov             eax, edi
    not             eax
    lea             r8, [rel bytes]
    test            rdx, rdx
    jz              .done
.byte:
    movzx           ecx, al
    xor             cl, [rsi]
    shr             eax, 8
    xor             eax, [r8 + rcx * 4]
    inc             rsi
    dec             rdx
    jnz             .byte
.done:
    not             eax
    ret

section             .rodata

; Bytes of a stream, then x^(16n-33) and x^(8n-33) modulo the polynomial,
; for n bytes, their bits reflected as in the checksum.
LAST_STRIDE         equ 64
align               16
strides:
    dq              4096, 0, 0x54a86326, 0x82f89c77
    dq              512, 0, 0x170076fa, 0xdd7e3b0c
    dq              LAST_STRIDE, 0, 0x0d3b6092, 0x9e4addf8

; The checksum of each byte alone.
bytes:
%assign byte_value 0
%rep 256
  %assign remainder byte_value
  %rep 8
    %assign remainder (remainder >> 1) ^ (0x82f63b78 & -(remainder & 1))
  %endrep
    dd              remainder
  %assign byte_value byte_value + 1
%endrep

PyEndModule
