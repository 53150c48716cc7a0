; The module sayit: one function that has something to say.

%include "python.inc"

        SECTION     .rodata

message:        db "Assembly is great fun! :)", 10, 0

        SECTION     .text

PyModule sayit
    PyDoc       "Assembly with something to say."

    ;-------------------------------------------------------------------
    ; PyObject *sayit(PyObject *module, PyObject *unused)
    ;-------------------------------------------------------------------
    PyFunction  sayit, METH_NOARGS
        PyDoc       "This method has something important to say."
        lea         rdi, [message]
        PyCall      PySys_WriteStdout
        Py_RETURN_NONE
    PyEndFunction
PyEndModule
