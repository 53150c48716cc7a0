"""The templates of each type in a binding: the instructions that convert, recover and return it.

In the templates {k} is the number of the parameter, {object} where its argument is, {home}
and {length} where its words wait for the call, {view} its Py_buffer, {scratch} 16 bytes that
no parameter owns, {error} the label to go to with an exception set. rax is the value. Jumps out
of the straight line are `near': left to nasm, the sizes of forward jumps cost it a pass.
"""

from __future__ import annotations

from .signature import Type

WORDS = {"real": "r", "str": "ii", "buffer": "ii"}
"""The words of a parameter by its kind, i in a register for integers, r for real numbers."""


def words(type_: Type) -> str:
    """Return the words of a parameter, a letter each."""
    if type_.dimensions:
        return "i" + "i" * type_.dimensions * (1 if type_.order else 2)
    return WORDS.get(type_.kind, "i")


_FLOAT = """
    _py_load_float .other_{k}           ; rax = the bits, without a call
.checked_{k}:
"""
_TEXT = """
    call        [PyUnicode_AsUTF8AndSize wrt ..got]
    test        rax, rax
    jnz         short .{utf8}_{k}
    mov         rdi, {object}
    lea         rsi, [.py_name]
    lea         rdx, [.display_{k}]
    lea         rcx, [..@py_{wanted}]
    call        _py_raise_if_not_str
    jmp         near {error}
"""
_BUFFER = """
    lea         rsi, [rsp + {view}]
    mov         edx, {flags}
    call        [PyObject_GetBuffer wrt ..got]
    test        eax, eax
"""

_CHECK_ITEMS = """
    jnz         near {error}
    lea         rdi, [rsp + {view}]
    mov         esi, {size}
    mov         edx, {case}             ; formats are letters after this one,
    mov         ecx, {letters}          ; a bit each
    call        _py_check_items
"""

_BAD_ARGUMENT = """\
    mov         rdi, {object}
    lea         rsi, [.py_name]
    lea         rdx, [.display_{k}]
    lea         rcx, [..@py_{wanted}]
    call        _py_raise_bad_argument
    jmp         near {error}
"""

_WRONG_ITEMS = """\
    lea         rdi, [rsp + {view}]
    lea         rsi, [.py_name]
    lea         rdx, [.display_{k}]
    lea         rcx, [.items_{k}]
    call        _py_raise_wrong_items
"""

_CONVERT = {
    "signed 8": """
    call        [PyLong_AsLong wrt ..got]
    cmp         rax, -1
    je          near .other_{k}         ; the number -1, or an error?
""",
    "signed 4": """
    lea         rsi, [rsp + {scratch}]
    call        [PyLong_AsLongAndOverflow wrt ..got]
    movsxd      rcx, eax
    cmp         rcx, rax
    jne         near .other_{k}         ; too large
    cmp         eax, -1
    je          near .other_{k}         ; the number -1, or an error?
""",
    "unsigned 8": """
    call        [PyLong_AsUnsignedLong wrt ..got]
    cmp         rax, -1
    je          near .other_{k}         ; that number, __index__, or an error?
""",
    "unsigned 4": """
    call        [PyLong_AsUnsignedLong wrt ..got]
    mov         ecx, eax
    cmp         rcx, rax
    jne         near .other_{k}         ; too large, __index__, or an error?
""",
    "real 8": _FLOAT,
    "real 4": _FLOAT
    + """
    movq        xmm0, rax
    cvtsd2ss    xmm0, xmm0
    movd        eax, xmm0
""",
    "bool": """
    call        [PyObject_IsTrue wrt ..got]
    test        eax, eax
    js          near {error}
""",
    "str": """
    lea         rsi, [rsp + {length}]
"""
    + _TEXT,
    "cstr": """
    lea         rsi, [rsp + {scratch}]
"""
    + _TEXT
    + """
.utf8_{k}:
    mov         rsi, [rsp + {scratch}]
    call        _py_find_null           ; which is an error
    jc          near {error}
""",
    "bytes": _BUFFER
    + """
    jnz         near {error}
""",
    "writable bytes": _BUFFER
    + """
    jz          short .value_{k}
"""
    + _BAD_ARGUMENT,
    "items": _BUFFER
    + _CHECK_ITEMS
    + """\
    jnc         short .value_{k}
"""
    + _WRONG_ITEMS
    + """\
    jmp         near .error_{held_with_it}
""",
}

_CONVERT["shaped"] = (
    _BUFFER
    + _CHECK_ITEMS
    + """\
    jc          near .wrong_items_{k}
    cmp         dword [rsp + {view} + Py_buffer.ndim], {dimensions}
    jne         near .wrong_shape_{k}
    mov         rax, [rsp + {view} + Py_buffer.shape]
{shape}
"""
)

_CONVERT["sequence"] = (
    """
    lea         rsi, [rsp + {view}]
    mov         edx, '{letter}'         ; the type of its items
    call        _py_read_sequence       ; into memory of their own
    jnc         short .value_{k}
    test        eax, eax
    jz          near {error}            ; an item is wrong
"""
    + _BAD_ARGUMENT
)

_OTHER_FLOAT = """
.other_{k}:
    call        _py_as_double           ; __float__, __index__, or an error
    jnc         .checked_{k}
    jmp         near {error}
"""

_RECOVER = {
    "signed 8": """
.other_{k}:
    call        _py_check_error         ; rax = -1
    jnc         .value_{k}
    jmp         near {error}
""",
    "signed 4": """
.other_{k}:
    mov         edx, [rsp + {scratch}]
    call        _py_check_i32
    jnc         .value_{k}
    jmp         near {error}
""",
    "unsigned 8": """
.other_{k}:
    mov         rdi, {object}
    call        _py_as_unsigned
    jnc         .value_{k}
    jmp         near {error}
""",
    "unsigned 4": """
.other_{k}:
    mov         rdi, {object}
    call        _py_as_u32
    jnc         .value_{k}
    jmp         near {error}
""",
    "real 8": _OTHER_FLOAT,
    "real 4": _OTHER_FLOAT,
}

_RECOVER["shaped"] = (
    """
.wrong_items_{k}:
"""
    + _WRONG_ITEMS
    + """\
    jmp         .error_{held_with_it}
.wrong_shape_{k}:
    lea         rdi, [rsp + {view}]
    lea         rsi, [.py_name]
    lea         rdx, [.display_{k}]
    mov         ecx, {dimensions}
    call        _py_raise_wrong_shape
    jmp         .error_{held_with_it}
"""
)

_LETTERS = {
    # The first letter less one, and the set of letters after it: b h i l n q, B H ..., f d.
    "signed": ("0x60", "1 << 2 | 1 << 8 | 1 << 9 | 1 << 12 | 1 << 14 | 1 << 17"),
    "unsigned": ("0x40", "1 << 2 | 1 << 8 | 1 << 9 | 1 << 12 | 1 << 14 | 1 << 17"),
    "real": ("0x60", "1 << 4 | 1 << 6"),
}

_MINUS_ONE = "    cmp         rax, [..@py_minus_one]"
RESULTS = {
    "signed 8": ([], "    cmp         rax, -1", "    mov         rdi, rax"),
    "signed 4": ([], "    cmp         eax, -1", "    movsxd      rdi, eax"),
    "unsigned 8": ([], "    cmp         rax, -1", "    mov         rdi, rax"),
    "unsigned 4": ([], "    cmp         eax, -1", "    mov         edi, eax"),
    "bool": ([], "    cmp         al, -1", "    movzx       edi, al"),
    "real 8": (["    movq        rax, xmm0"], _MINUS_ONE, ""),
    "real 4": (["    cvtss2sd    xmm0, xmm0", "    movq        rax, xmm0"], _MINUS_ONE, ""),
}
"""By type of a number: lines before the test for an error's -1, the test, a line after it."""

MAKERS = {
    "signed 8": "PyLong_FromLong",
    "signed 4": "PyLong_FromLong",
    "unsigned 8": "PyLong_FromUnsignedLong",
    "unsigned 4": "PyLong_FromLong",
    "bool": "PyBool_FromLong",
    "real 8": "PyFloat_FromDouble",
    "real 4": "PyFloat_FromDouble",
    "buffer": "PyBytes_FromStringAndSize",
    "str": "PyUnicode_FromStringAndSize",
    "cstr": "PyUnicode_FromString",
}
"""By type of a result: the function of CPython's that makes an object of it."""


def key(type_: Type) -> str:
    """Return the name of a type's templates."""
    if type_.kind in ("signed", "unsigned", "real"):
        return f"{type_.kind} {type_.size}"
    return type_.kind


def convert(type_: Type) -> str:
    """Return the template that converts an argument, empty for an object."""
    return _CONVERT.get(_key(type_), "")


def recover(type_: Type) -> str:
    """Return the template of the lines that the conversion jumps to, empty without any."""
    return _RECOVER.get(_key(type_), "")


def letter(type_: Type) -> str:
    """Return the letter of a number, or of a buffer's items, as in the struct module."""
    kind = type_.item_kind or type_.kind
    if kind == "bool":
        return "?"
    small = {1: "b", 2: "h", 4: "i", 8: "q"} if kind != "real" else {4: "f", 8: "d"}
    return small[type_.size].upper() if kind == "unsigned" else small[type_.size]


def is_displayed(type_: Type) -> bool:
    """Return whether an error names the parameter."""
    return type_.kind in ("str", "cstr") or bool(type_.item) or type_.writable


def has_items(type_: Type) -> bool:
    """Return whether the items of a buffer are looked at."""
    return bool(type_.item) and not type_.is_sequence


def wanted(type_: Type, *, or_none: bool) -> str:
    """Return the runtime's name of the text in errors for such an argument."""
    what = "sequence" if type_.is_sequence else "writable" if type_.writable else "str"
    return what + ("_or_none" if or_none else "")


def buffer_flags(type_: Type) -> str:
    """Return the flags for PyObject_GetBuffer."""
    flags = ["PyBUF_ND", "PyBUF_FORMAT"] if type_.item else ["PyBUF_SIMPLE"]
    if type_.dimensions:
        layout = f"PyBUF_{type_.order}_CONTIGUOUS" if type_.order else "PyBUF_STRIDES"
        flags = [layout, "PyBUF_FORMAT"]
    return " | ".join([*flags, *(["PyBUF_WRITABLE"] if type_.writable else [])])


def letters(type_: Type) -> tuple[str, str]:
    """Return the formats of the struct module that fit: a letter less one, and the set after it."""
    return _LETTERS[type_.item_kind]


def _key(type_: Type) -> str:
    if type_.kind != "buffer":
        return key(type_)
    if type_.is_sequence:
        return "sequence"
    if type_.dimensions:
        return "shaped"
    if type_.item:
        return "items"
    return "writable bytes" if type_.writable else "bytes"


def shape(type_: Type, homes: list[int]) -> str:
    """Return the lines that read a shape, and strides, into the words behind the first."""
    lines = []
    for index, home in enumerate(homes[1:]):
        if index == type_.dimensions:
            lines.append("    mov         rax, [rsp + {view} + Py_buffer.strides]")
        lines.append(f"    mov         rcx, [rax + {8 * (index % type_.dimensions)}]")
        lines.append(f"    mov         [rsp + {home}], rcx")
    return "\n".join(lines)
