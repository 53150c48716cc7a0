; The routines of random signatures: all write down what they were given.
%include "python.inc"

struc Holder_object
                    PyObject_HEAD
endstruc

PyModule    randomized
PyTypedFunction "given() -> bytes", calls given
%include "random.inc"
PyEndModule

section .text

; What a routine was given: the registers and 32 words of the stack.
%macro Dump 0
    mov         [given_words], rdi
    mov         [given_words + 8], rsi
    mov         [given_words + 16], rdx
    mov         [given_words + 24], rcx
    mov         [given_words + 32], r8
    mov         [given_words + 40], r9
  %assign number 0
  %rep 8
    movsd       [given_words + 48 + 8 * number], xmm%[number]
    %assign number number + 1
  %endrep
  %assign number 0
  %rep 32
    mov         rax, [rsp + 8 + 8 * number]
    mov         [given_words + 112 + 8 * number], rax
    %assign number number + 1
  %endrep
%endmacro

dump:
    Dump
    ret

dump_number:
    Dump
    mov         rax, 0xfedcba9876543201
    ret

dump_real:
    Dump
    mov         rax, __?float64?__(0.375)
    movq        xmm0, rax
    ret

dump_single:
    Dump
    mov         eax, __?float32?__(0.375)
    movd        xmm0, eax
    ret

dump_text:
    Dump
    lea         rax, [hello]
    mov         edx, 5
    ret

dump_object:
    Dump
    jmp         new_none

PyRoutine   new_none
    mov         rdi, Py_None
    PyCall      Py_IncRef
    mov         rax, Py_None
    PyReturn
PyEndRoutine

; The last parameter, word number 0, 1, ... of those for integers, points to
; where three results go.
%assign place 0
%rep 38
dump_tuple_%[place]:
    Dump
  %if place < 6
    mov         rcx, [given_words + 8 * place]
  %else
    mov         rcx, [given_words + 112 + 8 * (place - 6)]
  %endif
    mov         rax, 0xfedcba9876543201
    mov         [rcx], rax
    mov         [rcx + 8], rax
    mov         [rcx + 16], rax
    xor         eax, eax
    ret
  %assign place place + 1
%endrep

given:
    lea         rax, [given_words]
    mov         edx, 368
    ret

section .rodata
hello:
    db          "hello", 0

section .bss
given_words:
    resb        368
