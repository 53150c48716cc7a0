%include "python.inc"
struc Q
PyObject_HEAD
.x: resq 1
endstruc
PyModule m
PyType T, Q
PyEndType
PyEndModule
