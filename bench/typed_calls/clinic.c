/* The functions measured, parsed as Argument Clinic's output does: the same
   private functions of CPython, the same order of tests. */
#include <Python.h>
#include <stdint.h>

#if PY_VERSION_HEX >= 0x030d0000
PyAPI_FUNC(int) _PyArg_CheckPositional(const char *, Py_ssize_t, Py_ssize_t, Py_ssize_t);
PyAPI_FUNC(PyObject *const *) _PyArg_UnpackKeywords(
    PyObject *const *, Py_ssize_t, PyObject *, PyObject *, struct _PyArg_Parser *, int, int, int,
#if PY_VERSION_HEX >= 0x030e0000
    int,
#endif
    PyObject **);
#endif

#define TEXT_OF(number) #number
#define SKIP(number) __asm__(".text\n.skip " TEXT_OF(number) ", 0x90\n")
SKIP(PLACE); /* see bench/typed_calls.py */

static int64_t __attribute__((noinline)) add_(int64_t a, int64_t b) { return a + b; }
static double __attribute__((noinline)) mean_(double a, double b) { return (a + b) * 0.5; }
static uint64_t __attribute__((noinline)) first_(const unsigned char *data, size_t length)
{
    (void)length;
    return data[0];
}

static PyObject *add(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    long a, b;
    if (!(2 <= nargs && nargs <= 2) && !_PyArg_CheckPositional("add", nargs, 2, 2))
        return NULL;
    a = PyLong_AsLong(args[0]);
    if (a == -1 && PyErr_Occurred())
        return NULL;
    b = PyLong_AsLong(args[1]);
    if (b == -1 && PyErr_Occurred())
        return NULL;
    long result = add_(a, b);
    if (result == -1 && PyErr_Occurred())
        return NULL;
    return PyLong_FromLong(result);
}

static PyObject *add_named(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    static const char *const keywords[] = {"a", "b", NULL};
    static _PyArg_Parser parser = {.keywords = keywords, .fname = "add_named"};
    PyObject *buffer[2];
    Py_ssize_t given = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0) - 1;
    long a, b = 1;
    if (!(kwnames == NULL && 1 <= nargs && nargs <= 2)) {
        args = _PyArg_UnpackKeywords(args, nargs, NULL, kwnames, &parser, 1, 2, 0,
#if PY_VERSION_HEX >= 0x030e0000
                                     0,
#endif
                                     buffer);
        if (!args)
            return NULL;
    }
    a = PyLong_AsLong(args[0]);
    if (a == -1 && PyErr_Occurred())
        return NULL;
    if (given) {
        b = PyLong_AsLong(args[1]);
        if (b == -1 && PyErr_Occurred())
            return NULL;
    }
    long result = add_(a, b);
    if (result == -1 && PyErr_Occurred())
        return NULL;
    return PyLong_FromLong(result);
}

static PyObject *add_long(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    static const char *const keywords[] = {"augend", "the_addend", NULL};
    static _PyArg_Parser parser = {.keywords = keywords, .fname = "add_long"};
    PyObject *buffer[2];
    long a, b;
    if (!(kwnames == NULL && 2 <= nargs && nargs <= 2)) {
        args = _PyArg_UnpackKeywords(args, nargs, NULL, kwnames, &parser, 2, 2, 0,
#if PY_VERSION_HEX >= 0x030e0000
                                     0,
#endif
                                     buffer);
        if (!args)
            return NULL;
    }
    a = PyLong_AsLong(args[0]);
    if (a == -1 && PyErr_Occurred())
        return NULL;
    b = PyLong_AsLong(args[1]);
    if (b == -1 && PyErr_Occurred())
        return NULL;
    long result = add_(a, b);
    if (result == -1 && PyErr_Occurred())
        return NULL;
    return PyLong_FromLong(result);
}

static int as_double(PyObject *object, double *value)
{
    if (PyFloat_CheckExact(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return 1;
    }
    *value = PyFloat_AsDouble(object);
    return !(*value == -1.0 && PyErr_Occurred());
}

static PyObject *mean(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    double a, b;
    if (!(2 <= nargs && nargs <= 2) && !_PyArg_CheckPositional("mean", nargs, 2, 2))
        return NULL;
    if (!as_double(args[0], &a) || !as_double(args[1], &b))
        return NULL;
    double result = mean_(a, b);
    if (result == -1.0 && PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(result);
}

static PyObject *first(PyObject *module, PyObject *object)
{
    PyObject *value = NULL;
    Py_buffer data = {NULL, NULL};
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE) != 0)
        goto exit;
    unsigned long result = first_(data.buf, data.len);
    if (result == (unsigned long)-1 && PyErr_Occurred())
        goto exit;
    value = PyLong_FromUnsignedLong(result);
exit:
    if (data.obj)
        PyBuffer_Release(&data);
    return value;
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)(void (*)(void))add, METH_FASTCALL, NULL},
    {"add_named", (PyCFunction)(void (*)(void))add_named, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"add_long", (PyCFunction)(void (*)(void))add_long, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"mean", (PyCFunction)(void (*)(void))mean, METH_FASTCALL, NULL},
    {"first", first, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "clinic", .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit_clinic(void) { return PyModuleDef_Init(&definition); }
