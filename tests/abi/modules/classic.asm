; A module as hand-written tutorials lay it out, its own include deleted:
; structs by STRUC, an 8-byte ml_flags, the header and the last method by
; macros, single-phase.

DEFAULT             rel

%include            "python.inc"

GLOBAL              PyInit_classic:function

SECTION             .rodata

method_name         db "give", 0
method_doc          db "Give None.", 0
module_name         db "classic", 0

SECTION             .data

methods:
ISTRUC PyMethodDef
  at PyMethodDef.ml_name    , dq method_name
  at PyMethodDef.ml_meth    , dq give
  at PyMethodDef.ml_flags   , dq METH_NOARGS
  at PyMethodDef.ml_doc     , dq method_doc
IEND
NullMethodDef

definition:
ISTRUC PyModuleDef
  at PyModuleDef.m_base     , PyModuleDef_HEAD_INIT
  at PyModuleDef.m_name     , dq module_name
  at PyModuleDef.m_doc      , dq NULL
  at PyModuleDef.m_size     , dq -1
  at PyModuleDef.m_methods  , dq methods
  at PyModuleDef.m_slots    , dq NULL
  at PyModuleDef.m_traverse , dq NULL
  at PyModuleDef.m_clear    , dq 0
  at PyModuleDef.m_free     , dq NULL
IEND

SECTION             .text

give:
    push            rbp
    mov             rbp, rsp
    mov             rax, Py_None            ; became a load
%if PY_VERSION_HEX < 0x030c0000
    inc             QWORD [rax + PyObject.ob_refcnt]
%endif
    pop             rbp
    ret

PyInit_classic:
    push            rbp
    mov             rbp, rsp
    mov             rsi, PYTHON_API_VERSION
    lea             rdi, [definition]
    call            PyModule_Create2 WRT ..plt
    pop             rbp
    ret
