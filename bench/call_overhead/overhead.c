/* Three functions for bench/call_overhead.py, as overhead.asm has them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
noargs(PyObject *module, PyObject *unused)
{
    Py_RETURN_NONE;
}

static PyObject *
one(PyObject *module, PyObject *object)
{
    long value = PyLong_AsLong(object);
    if (value == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return PyLong_FromLong(value + 1);
}

static PyObject *
fastcall(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    long a, b;
    if (count != 2) {
        return PyErr_Format(PyExc_TypeError, "fastcall() takes 2 arguments (%zd given)", count);
    }
    a = PyLong_AsLong(args[0]);
    if (a == -1 && PyErr_Occurred()) {
        return NULL;
    }
    b = PyLong_AsLong(args[1]);
    if (b == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return PyLong_FromLong(a + b);
}

static PyMethodDef methods[] = {
    {"noargs", noargs, METH_NOARGS, NULL},
    {"one", one, METH_O, NULL},
    {"fastcall", (PyCFunction)(void (*)(void))fastcall, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "overhead_c", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit_overhead_c(void)
{
    return PyModuleDef_Init(&definition);
}
