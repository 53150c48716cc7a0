/* The functions f to q of typed.asm as Argument Clinic binds them: the same
   private functions of CPython, so that the errors of the two can be compared. */
#include <Python.h>

#if PY_VERSION_HEX >= 0x030d0000
PyAPI_FUNC(int) _PyArg_CheckPositional(const char *, Py_ssize_t, Py_ssize_t, Py_ssize_t);
PyAPI_FUNC(PyObject *const *) _PyArg_UnpackKeywords(
    PyObject *const *, Py_ssize_t, PyObject *, PyObject *, struct _PyArg_Parser *, int, int, int,
#if PY_VERSION_HEX >= 0x030e0000
    int,
#endif
    PyObject **);
#endif

#if PY_VERSION_HEX >= 0x030e0000
#define NO_VARARGS 0,
#else
#define NO_VARARGS
#endif

/* least and most positional arguments, keyword-only arguments needed */
#define WITH_KEYWORDS(name, least, most, needed, ...)                                            \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t nargs,             \
                          PyObject *kwnames)                                                     \
    {                                                                                            \
        static const char *const keywords[] = {__VA_ARGS__, NULL};                               \
        static _PyArg_Parser parser = {.keywords = keywords, .fname = #name};                    \
        PyObject *buffer[8];                                                                     \
        args = _PyArg_UnpackKeywords(args, nargs, NULL, kwnames, &parser, least, most, needed,   \
                                     NO_VARARGS buffer);                                         \
        if (!args)                                                                               \
            return NULL;                                                                         \
        Py_RETURN_NONE;                                                                          \
    }

#define POSITIONAL(name, least, most)                                                            \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t nargs)             \
    {                                                                                            \
        if (!_PyArg_CheckPositional(#name, nargs, least, most))                                  \
            return NULL;                                                                         \
        Py_RETURN_NONE;                                                                          \
    }

WITH_KEYWORDS(f, 1, 2, 0, "a", "b")
WITH_KEYWORDS(g, 2, 2, 0, "a", "b")
WITH_KEYWORDS(h, 1, 2, 0, "", "b", "c")
WITH_KEYWORDS(k, 0, 0, 1, "b", "c")
WITH_KEYWORDS(l, 1, 2, 1, "a", "b", "c")
WITH_KEYWORDS(m, 2, 2, 0, "", "b", "c")
WITH_KEYWORDS(n, 1, 1, 0, "a")
POSITIONAL(p, 2, 2)
POSITIONAL(q, 1, 2)

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))name, flags, NULL}

static PyMethodDef methods[] = {
    METHOD(f, METH_FASTCALL | METH_KEYWORDS), METHOD(g, METH_FASTCALL | METH_KEYWORDS),
    METHOD(h, METH_FASTCALL | METH_KEYWORDS), METHOD(k, METH_FASTCALL | METH_KEYWORDS),
    METHOD(l, METH_FASTCALL | METH_KEYWORDS), METHOD(m, METH_FASTCALL | METH_KEYWORDS),
    METHOD(n, METH_FASTCALL | METH_KEYWORDS), METHOD(p, METH_FASTCALL),
    METHOD(q, METH_FASTCALL),                 {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "clinic",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_clinic(void) { return PyModuleDef_Init(&definition); }
