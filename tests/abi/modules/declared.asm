; What a module declares, in a package: constants, exceptions, types with bases.

%include "python.inc"

PyModule            declared, "pkg.declared"
PyDoc               "One\nTwo"

PyConstant          "PI", 3.14159
PyConstant          "MINUS", -1e3
PyConstant          "SMALL", .5
PyConstant          "ON", True
PyConstant          "OFF", Py_False
PyConstant          "NOTHING", None
PyConstant          "NAME", "name"
PyConstant          "SIXTEEN", 1 << 4
PyConstant          "HEXADECIMAL", 0x1e5
PyConstant          "LEAST", -9223372036854775808

PyException         "Error", PyExc_ValueError, "Doc\nof it."
PyException         Worse, Error
PyException         Plain

PyFunction          fail, METH_O
    PyDoc           "fail($module, /)\n--\n\nDoc."
    PyRaise         Worse, "%R is %d, %d, %d", rsi, 7, 8, 9
    PyReturn        NULL
PyEndFunction

PyMethod            "plain", plain, METH_NOARGS, 'a\tb'
plain:
    PyRaise         Error, "plain"
    ret

PyFunction          not_implemented, METH_NOARGS
    Py_RETURN_NOTIMPLEMENTED
PyEndFunction

PyType              Base, Base_object_size, \
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyMember            "x", Py_T_LONGLONG, Base_object.x
PyEndType

PyType              Sub, Sub_object_size
PyTypeSlot          Py_tp_base, Base
PyMember            "y", Py_T_LONGLONG, Sub_object.y
PyEndType

PyType              List, 0
PyTypeSlot          Py_tp_base, PyList_Type
PyEndType

PyType              Wrong, 0
PyTypeSlot          Py_tp_base, PyExc_KeyError
PyEndType

PyFunction          make, METH_NOARGS
    PyKeep          class, object
    PyDeclared      Sub
    test            rax, rax
    jz              .return
    mov             class, rax
    mov             rdi, rax
    xor             esi, esi
    PyCall          PyObject_CallObject
    mov             object, rax
    Py_DECREF       class
    mov             rax, object
.return:
    PyReturn
PyEndFunction

PyEndModule

struc Base_object
                    PyObject_HEAD
  .x                resq 1
endstruc

struc Sub_object
                    PyObject_HEAD Base_object
  .y                resq 1
endstruc
