        GLOBAL      number:function

        SECTION     .text

; long number(void)
number:
    mov         eax, 42
    ret
