/* A C module with a static type: one method and one slot do not keep rbx. */
#include <Python.h>

static PyObject *clobber(PyObject *self, PyObject *other)
{
    __asm__ volatile("mov $1, %rbx");
    Py_RETURN_NONE;
}

static PyObject *keep(PyObject *self, PyObject *other)
{
    return PyUnicode_FromFormat("%d %d %d %d %d %d %d %d %s", 1, 2, 3, 4, 5, 6, 7, 8, "nine");
}

static PyMethodDef methods[] = {
    {"clobber", clobber, METH_O, NULL},
    {"keep", keep, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyNumberMethods numbers = {.nb_add = clobber, .nb_multiply = keep};

static PyTypeObject Thing = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "static_types.Thing",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_as_number = &numbers,
    .tp_methods = methods,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "static_types"};

PyMODINIT_FUNC PyInit_static_types(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddType(module, &Thing) < 0) {
        Py_CLEAR(module);
    }
    return module;
}
