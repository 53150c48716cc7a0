/* The module mixed: Python on the outside, assembly on the inside.
 *
 * C does what C is good at, the arguments and their errors; dot.asm does the
 * arithmetic, and is called like any C function.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* dot.asm: the sum of a[i] * b[i], with whatever the processor has. */
double dot(const double *a, const double *b, size_t n);

static int
get_doubles(PyObject *object, Py_buffer *view)
{
    if (PyObject_GetBuffer(object, view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0) {
        return -1;
    }
    if (view->format == NULL || strcmp(view->format, "d") != 0) {
        PyErr_Format(PyExc_TypeError, "need a buffer of doubles ('d'), not of '%s'",
                     view->format == NULL ? "B" : view->format);
        PyBuffer_Release(view);
        return -1;
    }
    return 0;
}

static PyObject *
mixed_dot(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Py_buffer a, b;
    double result;

    if (nargs != 2) {
        return PyErr_Format(PyExc_TypeError, "dot() takes 2 arguments (%zd given)", nargs);
    }
    if (get_doubles(args[0], &a) < 0) {
        return NULL;
    }
    if (get_doubles(args[1], &b) < 0) {
        PyBuffer_Release(&a);
        return NULL;
    }
    if (a.len != b.len) {
        PyErr_Format(PyExc_ValueError, "%zd numbers and %zd", a.len / 8, b.len / 8);
        PyBuffer_Release(&a);
        PyBuffer_Release(&b);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = dot(a.buf, b.buf, (size_t)a.len / sizeof(double));
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    return PyFloat_FromDouble(result);
}

static PyMethodDef methods[] = {
    {"dot", (PyCFunction)(void (*)(void))mixed_dot, METH_FASTCALL,
     "dot($module, a, b, /)\n--\n\nReturn the sum of the products of two buffers of doubles."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mixed",
    .m_doc = "C over assembly.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_mixed(void)
{
    return PyModuleDef_Init(&definition);
}
