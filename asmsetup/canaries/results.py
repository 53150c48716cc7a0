"""Facts about the functions that a module calls: their results, and what they may do."""

from __future__ import annotations

import re

from ..check.code.prototypes import prototype

RETURNS_UNKNOWN = 0
_RETURNS = {"p": 1, "n": 1, "b": 1, "l": 1, "i": 2, "v": 3, "d": 4}
"""RETURNS_ of trampoline.asm, by the letters of prototypes."""

RUNS_CODE, NEEDS_GIL, HAS_HOOK, GETS_BUFFER, RELEASES_BUFFER = 1, 2, 4, 8, 16
"""API_ of trampoline.asm."""

HOOKED = frozenset(
    (
        "PyModuleDef_Init",
        "PyModule_Create2",
        "PyModule_FromDefAndSpec2",
        "PyModule_AddFunctions",
        "PyType_FromSpec",
        "PyType_FromSpecWithBases",
        "PyType_FromModuleAndSpec",
        "PyType_FromMetaclass",
        "PyType_FromSlots",
        "PyType_Ready",
        "PyModule_AddType",
        "PyCFunction_New",
        "PyCFunction_NewEx",
        "PyCMethod_New",
    )
)
"""Functions that are given tables, which have to be changed before."""

# They return twice, or elsewhere, look at who calls them, or unwind what is above them.
_UNTOUCHED = re.compile(
    r"_Z|__|_Unwind|_ITM|_setjmp|setjmp|sigsetjmp|longjmp|siglongjmp|vfork|dl(sym|vsym|open)\b"
    r"|(get|set|make|swap)context\b"
)
_RUNS_NO_CODE = re.compile(
    r"PyLong_From|PyFloat_From|PyBool_From|PyComplex_From|PyBytes_|PyUnicode_(From|As|New|Get)"
    r"|PyByteArray_|PyErr_(Set|Occurred|NoMemory|Bad|Format)|PyTuple_|PyList_(New|Get|Size|Append)"
    r"|PyObject_(GetBuffer|CheckBuffer|Malloc|Calloc|Realloc|GC_|Type)|PyBuffer_|PyMem_|PyArg_"
    r"|Py_BuildValue|PyModule_GetState|PyModule_GetDef|PyType_(Get|GenericAlloc|IsSubtype)"
    r"|Py_(IncRef|DecRef|NewRef|XNewRef|Is)\b"
)
_NEEDS_NO_GIL = re.compile(
    r"PyMem_Raw|PyGILState_|PyEval_\w*Thread|PyThread_|PyThreadState_|PyInterpreterState_|PyMutex_"
    r"|PyOS_|Py_(AddPendingCall|FatalError|IsInitialized|Initialize|Finalize|Get|AtExit|Exit)"
    r"|_Py_Fatal|PyCriticalSection|PyUnstable_|PyTime_"
)


def is_wrapped(name: str) -> bool:
    """Return whether a call of the function ``name`` can go by way of a trampoline."""
    return _UNTOUCHED.match(name) is None


def returns(name: str) -> int:
    """Return RETURNS_ for a function of CPython's API."""
    return _RETURNS.get(prototype(name).result, RETURNS_UNKNOWN)


def flags(name: str) -> int:
    """Return API_ for a function."""
    if not name.startswith(("Py", "_Py")):
        return 0
    found = 0 if _RUNS_NO_CODE.match(name) else RUNS_CODE
    found |= 0 if _NEEDS_NO_GIL.match(name) else NEEDS_GIL
    found |= HAS_HOOK if name in HOOKED else 0
    found |= GETS_BUFFER if name == "PyObject_GetBuffer" else 0
    return found | (RELEASES_BUFFER if name == "PyBuffer_Release" else 0)
