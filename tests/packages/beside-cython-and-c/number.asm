        GLOBAL      number:function hidden

        SECTION     .text

; long number(void)
number:
    mov         eax, 44
    ret
