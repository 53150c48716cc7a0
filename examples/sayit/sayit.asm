; The module sayit: one function that has something to say.

%include "abi.inc"

DEFAULT REL

        EXTERN      PyModuleDef_Init
        EXTERN      PySys_WriteStdout
        EXTERN      Py_NewRef
        EXTERN      _Py_NoneStruct

        GLOBAL      PyInit_sayit:function

        SECTION     .rodata

name:               db "sayit", 0
module_doc:         db "Assembly with something to say.", 0
sayit_doc:          db "This method has something important to say.", 0
message:            db "Assembly is great fun! :)", 10, 0

        SECTION     .data align=8

methods:            ; PyMethodDef methods[]
    ISTRUC PyMethodDef
        AT PyMethodDef.ml_name,     dq name
        AT PyMethodDef.ml_meth,     dq sayit
        AT PyMethodDef.ml_flags,    dd METH_NOARGS
        AT PyMethodDef.ml_doc,      dq sayit_doc
    IEND
    times PyMethodDef_size          db 0

slots:              ; PyModuleDef_Slot slots[]
%if PY_VERSION_HEX >= 0x030C0000
    ISTRUC PyModuleDef_Slot
        AT PyModuleDef_Slot.slot,   dd Py_mod_multiple_interpreters
        AT PyModuleDef_Slot.value,  dq Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    IEND
%endif
%if PY_VERSION_HEX >= 0x030D0000
    ISTRUC PyModuleDef_Slot
        AT PyModuleDef_Slot.slot,   dd Py_mod_gil
        AT PyModuleDef_Slot.value,  dq Py_MOD_GIL_NOT_USED
    IEND
%endif
    times PyModuleDef_Slot_size     db 0

definition:         ; PyModuleDef definition, which Python fills in and keeps
    ISTRUC PyModuleDef
        AT PyModuleDef.m_name,      dq name
        AT PyModuleDef.m_doc,       dq module_doc
        AT PyModuleDef.m_methods,   dq methods
        AT PyModuleDef.m_slots,     dq slots
    IEND

        SECTION     .text

;-----------------------------------------------------------------------
; PyObject *PyInit_sayit(void)
;-----------------------------------------------------------------------
PyInit_sayit:
    lea         rdi, [definition]
    jmp         PyModuleDef_Init wrt ..plt

;-----------------------------------------------------------------------
; PyObject *sayit(PyObject *module, PyObject *unused)
;-----------------------------------------------------------------------
sayit:
    sub         rsp, 8              ; a call wants rsp to be a multiple of 16
    lea         rdi, [message]
    xor         eax, eax            ; no vector registers hold variadic arguments
    call        PySys_WriteStdout wrt ..plt
    add         rsp, 8
    mov         rdi, [_Py_NoneStruct wrt ..got]
    jmp         Py_NewRef wrt ..plt ; returns None, and owns a reference to it
