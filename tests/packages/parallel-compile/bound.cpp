extern "C" long number(void);
long more(void);

#include <Python.h>

static PyObject *answer(PyObject *, PyObject *) { return PyLong_FromLong(number() + more()); }

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, nullptr}, {}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "bound", nullptr, 0, methods};

PyMODINIT_FUNC PyInit_bound(void) { return PyModuleDef_Init(&definition); }
