; The number behind the answer.
global number
section .text
number:
    mov         eax, 42
    ret
