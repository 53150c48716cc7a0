; The module signatures: every way a function can take its arguments. By
; hand first, one function per METH_ form; then typed functions.

%include "python.inc"

struc Methods_object
                    PyObject_HEAD
endstruc

section             .rodata

hypotenuse_format:  db "dd:hypotenuse_squared", 0
repeat_format:      db "U|n:repeat", 0
text_keyword:       db "text", 0
times_keyword:      db "times", 0
greeting_format:    db "%U, %U!", 0
hello:              db "Hello", 0

section             .data.rel.ro progbits alloc noexec write align=8

repeat_names:       dq text_keyword, times_keyword, 0

section             .text

PyModule            signatures
PyDoc               "Every way a function can take its arguments."

;-----------------------------------------------------------------------
; METH_NOARGS: answer()
;-----------------------------------------------------------------------
PyFunction          answer, METH_NOARGS
PyDoc               "answer($module, /)", 10, "--", 10, 10, "42."
    mov             edi, 42
    PyTailCall      PyLong_FromLong
PyEndFunction

;-----------------------------------------------------------------------
; METH_O: twice(x, /)
;-----------------------------------------------------------------------
PyFunction          twice, METH_O
PyDoc               "twice($module, x, /)", 10, "--", 10, 10, "x + x, of any type."
    mov             rdi, rsi
    PyTailCall      PyNumber_Add
PyEndFunction

;-----------------------------------------------------------------------
; METH_VARARGS: hypotenuse_squared(a, b, /), the arguments as a tuple
;-----------------------------------------------------------------------
PyFunction          hypotenuse_squared, METH_VARARGS
PyDoc               "hypotenuse_squared($module, a, b, /)", 10, "--", 10, 10, "a*a + b*b."
    PyLocal         a
    PyLocal         b
    mov             rdi, rsi
    lea             rsi, [rel hypotenuse_format]
    lea             rdx, [a]
    lea             rcx, [b]
    PyCall          PyArg_ParseTuple
    test            eax, eax
    jz              .error
    movsd           xmm0, [a]
    mulsd           xmm0, xmm0
    movsd           xmm1, [b]
    mulsd           xmm1, xmm1
    addsd           xmm0, xmm1
    PyTailCall      PyFloat_FromDouble
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; METH_VARARGS | METH_KEYWORDS: repeat(text, times=2), a tuple and a dict
;-----------------------------------------------------------------------
PyFunction          repeat, METH_VARARGS | METH_KEYWORDS
PyDoc               "repeat($module, /, text, times=2)", 10, "--", 10, 10, "text * times."
    PyLocal         text
    PyLocal         count
    mov             qword [count], 2
    mov             rdi, rsi
    mov             rsi, rdx
    lea             rdx, [rel repeat_format]
    lea             rcx, [rel repeat_names]
    lea             r8, [text]
    lea             r9, [count]
    PyCall          PyArg_ParseTupleAndKeywords
    test            eax, eax
    jz              .error
    mov             rdi, [text]
    mov             rsi, [count]
    PyTailCall      PySequence_Repeat
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; METH_FASTCALL: total(*numbers), the arguments as an array
;-----------------------------------------------------------------------
PyFunction          total, METH_FASTCALL, -, numbers, left
PyDoc               "total($module, /, *numbers)", 10, "--", 10, 10, "The sum of ints."
    PyKeep          sum
    xor             sum.d, sum.d
.next:
    dec             left
    js              .done
    mov             rdi, [numbers]
    add             numbers, 8
    PyCall          PyLong_AsLong
    cmp             rax, -1
    je              .maybe_error
.add:
    add             sum, rax
    jno             .next
    PyRaise         PyExc_OverflowError, "the total does not fit 64 bits"
    PyReturn        NULL
.maybe_error:
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
    mov             rax, -1             ; a number like any other
    jmp             .add
.done:
    mov             rdi, sum
    PyTailCall      PyLong_FromLong
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; METH_FASTCALL | METH_KEYWORDS: greet(name, /, greeting="Hello"), an array
; and the names of its last arguments, which PyArguments sorts out
;-----------------------------------------------------------------------
PyFunction          greet, METH_FASTCALL | METH_KEYWORDS
PyDoc               "greet($module, name, /, greeting='Hello')", 10, "--", 10, 10, "Greet somebody."
    PyKeep          hello_object, result
    PyArguments     "greet(name, /, greeting=None)"
    jz              .error
    mov             rdi, [name]         ; %U takes a str for granted
    PyCall          PyUnicode_GetLength ; and this raises TypeError for others
    test            rax, rax
    js              .error
    xor             hello_object.d, hello_object.d
    mov             rdi, [greeting]
    test            rdi, rdi
    jnz             .given
    lea             rdi, [rel hello]
    PyCall          PyUnicode_FromString
    test            rax, rax
    jz              .error
    mov             hello_object, rax
    mov             rsi, rax
    jmp             .format
.given:
    PyCall          PyUnicode_GetLength
    test            rax, rax
    js              .error
    mov             rsi, [greeting]
.format:
    lea             rdi, [rel greeting_format]
    mov             rdx, [name]
    PyCall          PyUnicode_FromFormat
    mov             result, rax
    Py_XDECREF      hello_object
    PyReturn        result
.error:
    PyReturn        NULL
PyEndFunction

;-----------------------------------------------------------------------
; Methods: METH_METHOD (told the class that defines it), METH_CLASS and
; METH_STATIC
;-----------------------------------------------------------------------
PyType              Methods, Methods_object_size, \
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE

PyFunction          defined_by, METH_METHOD | METH_FASTCALL | METH_KEYWORDS
PyDoc               "defined_by($self, /)", 10, "--", 10, 10, "The class this method is of."
    mov             rdi, rsi
    test            rcx, rcx            ; positional arguments
    jnz             .error
    test            r8, r8              ; the names of the others
    jnz             .error
    Py_NewRef       rdi
    PyReturn
.error:
    PyRaise         PyExc_TypeError, "defined_by() takes no arguments"
    PyReturn        NULL
PyEndFunction

PyFunction          called_on, METH_NOARGS | METH_CLASS
PyDoc               "called_on($type, /)", 10, "--", 10, 10, "The class it is called on."
    Py_NewRef       rdi
    PyReturn
PyEndFunction

PyFunction          negative, METH_O | METH_STATIC
PyDoc               "negative(x, /)", 10, "--", 10, 10, "-x."
    mov             rdi, rsi
    PyTailCall      PyNumber_Negative
PyEndFunction
PyEndType

;-----------------------------------------------------------------------
; Typed functions: what Python sees, and the routine that C would call
;-----------------------------------------------------------------------
PyTypedFunction     "clamp(value: i64, low: i64 = 0, high: i64 = 255) -> i64", \
                    doc "value, or the border it is beyond."
clamp:
    cmp             rdi, rsi
    cmovl           rdi, rsi
    cmp             rdi, rdx
    cmovg           rdi, rdx
    mov             rax, rdi
    ret

PyTypedFunction     "hypotenuse(a: double, b: double, /) -> double", \
                    doc "The length of the hypotenuse."
hypotenuse:
    mulsd           xmm0, xmm0
    mulsd           xmm1, xmm1
    addsd           xmm0, xmm1
    sqrtsd          xmm0, xmm0
    ret

PyTypedFunction     "count(data: bytes, byte: u32 = 0) -> u64", nogil, \
                    doc "How often a byte is in a bytes-like object."
count:                                  ; rdi, rsi = data; edx = byte
    xor             eax, eax
.next:
    dec             rsi
    js              .done
    xor             ecx, ecx
    cmp             [rdi + rsi], dl
    sete            cl
    add             rax, rcx
    jmp             .next
.done:
    ret

PyTypedFunction     "scale(values: writable double[], factor: double)", nogil, \
                    doc "Multiply the items of an array('d'), a memoryview or the like."
scale:                                  ; rdi, rsi = values; xmm0 = factor
    dec             rsi
    js              .done
    movsd           xmm1, [rdi + 8 * rsi]
    mulsd           xmm1, xmm0
    movsd           [rdi + 8 * rsi], xmm1
    jmp             scale
.done:
    ret

PyTypedFunction     "first_word(text: str = 'some text', *, skip: bool = False) -> str", \
                    doc "text up to the first space; with skip, from there."
first_word:                             ; rdi, rsi = text; edx = skip
    xor             ecx, ecx
.next:
    cmp             rcx, rsi
    jae             .found
    cmp             byte [rdi + rcx], " "
    je              .found
    inc             rcx
    jmp             .next
.found:
    lea             rax, [rdi + rcx]    ; the rest: rsi - rcx
    sub             rsi, rcx
    test            edx, edx
    cmovz           rax, rdi            ; the word: rcx
    mov             rdx, rsi
    cmovz           rdx, rcx
    ret

PyTypedFunction     "same(a: object, b: object = None, /) -> bool", \
                    doc "a is b."
same:
    cmp             rdi, rsi
    sete            al
    ret

; By hand again, to compare: what clamp above does without a line for it.
PyFunction          clamp_by_hand, METH_FASTCALL | METH_KEYWORDS
PyDoc               "clamp_by_hand($module, /, value, low=0, high=255)", 10, "--", 10, 10, \
                    "As clamp."
    PyKeep          number, least
    PyArguments     "clamp_by_hand(value, low=None, high=None)"
    jz              .error
    mov             rdi, [value]
    PyCall          PyLong_AsLong
    mov             number, rax
    cmp             rax, -1
    jne             .low
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
.low:
    xor             least.d, least.d
    mov             rdi, [low]
    test            rdi, rdi
    jz              .high
    PyCall          PyLong_AsLong
    mov             least, rax
    cmp             rax, -1
    jne             .high
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
.high:
    mov             edx, 255
    mov             rdi, [high]
    test            rdi, rdi
    jz              .all
    PyCall          PyLong_AsLong
    mov             rdx, rax
    cmp             rax, -1
    jne             .all
    PyCall          PyErr_Occurred
    test            rax, rax
    jnz             .error
    mov             rdx, -1
.all:
    mov             rdi, number
    mov             rsi, least
    call            clamp
    mov             rdi, rax
    PyTailCall      PyLong_FromLong
.error:
    PyReturn        NULL
PyEndFunction

PyEndModule
