"""The C prototypes of CPython's functions and of those of the C library that matter here.

A table, nothing more. data/prototypes.txt is generated from CPython's headers by
tools/generate_prototypes.py; it is searched as text, because a check asks for a handful of
some thousand names.
"""

from __future__ import annotations

import functools
import os

from ...named import NamedTuple

_PATH = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "data", "prototypes.txt"
)


class Prototype(NamedTuple):
    """The calling convention of a function: its parameters and its result."""

    result: str
    """"v" nothing, "p" a pointer, "n" a new reference, "b" a borrowed one, "i" 32 bits,
    "l" 64 bits, "d" a floating point number, "s" a struct, "?" unknown."""
    parameters: str
    """A letter each, of those above; "x" for a reference that is stolen."""
    variadic: bool = False
    returns: bool = True
    known: bool = True

    @property
    def words(self) -> int:
        """How many of the parameters are passed in general registers."""
        return min(6, sum(kind != "d" for kind in self.parameters))

    @property
    def vectors(self) -> int:
        """How many of the parameters are passed in vector registers."""
        return sum(kind == "d" for kind in self.parameters)


UNKNOWN = Prototype("?", "", known=False)


def _words(text: str) -> list[str]:
    return text.split()


# The noreturn functions of the C and C++ libraries and of compilers' support code.
_NOT_RETURNING = frozenset(
    _words("""abort exit _exit _Exit quick_exit __stack_chk_fail __assert_fail __assert longjmp
    siglongjmp _longjmp __longjmp_chk __fortify_fail __chk_fail pthread_exit _Unwind_Resume
    __cxa_throw __cxa_rethrow _ZSt9terminatev __cxa_bad_cast __cxa_throw_bad_array_new_length
    _ZSt17__throw_bad_allocv _ZSt20__throw_length_errorPKc err errx verr verrx
    _PyObject_AssertFailed _Py_FatalErrorFunc _Py_FatalErrorFormat Py_FatalError Py_Exit
    g_assertion_message_expr g_abort Py_ExitStatusException PyThread_exit_thread _Py_NegativeRefcount
    _Py_FatalRefcountErrorFunc PyThread_hang_thread""")
)
_VARIADIC_IN_C = frozenset(
    _words("""printf fprintf sprintf snprintf dprintf asprintf __printf_chk __fprintf_chk
    __sprintf_chk __snprintf_chk __asprintf_chk scanf fscanf sscanf __isoc99_sscanf
    __isoc99_fscanf fcntl fcntl64 ioctl open open64 openat syscall execl execlp execle syslog
    __syslog_chk prctl error err errx warn warnx""")
)
_IN_C = {
    "strlen": Prototype("l", "p"),
    "memcmp": Prototype("i", "ppl"),
    "strcmp": Prototype("i", "pp"),
    "strncmp": Prototype("i", "ppl"),
    "memcpy": Prototype("p", "ppl"),
    "memmove": Prototype("p", "ppl"),
    "memset": Prototype("p", "pil"),
    "memchr": Prototype("p", "pil"),
    "malloc": Prototype("p", "l"),
    "calloc": Prototype("p", "ll"),
    "realloc": Prototype("p", "pl"),
    "free": Prototype("v", "p"),
}


@functools.cache
def prototype(name: str) -> Prototype:
    """Return how a function is called; UNKNOWN for a name that no table has."""
    returns = name not in _NOT_RETURNING
    row = _row(name)
    if row is not None:
        result, parameters = row[1], row[2]
        variadic = parameters.endswith("...")
        letters = parameters.removesuffix("...").replace("-", "")
        return Prototype(result, letters, variadic, returns and "!" not in row[3:])
    if name in _VARIADIC_IN_C:
        return Prototype("?", "", variadic=True, returns=returns, known=False)
    return _IN_C.get(name, UNKNOWN if returns else Prototype("v", "", returns=False, known=False))


def _row(name: str) -> list[str] | None:
    text = _text()
    start = text.find(f"\n{name} ")
    if start < 0:
        return None
    return text[start + 1 : text.index("\n", start + 1)].split()


@functools.cache
def _text() -> str:
    with open(_PATH, encoding="ascii") as table:
        return table.read()


# These need no thread state; those that begin so do not either.
_WITHOUT_GIL = (
    *("PyMem_Raw", "_PyMem_Raw", "PyThread_", "PyMutex_", "_PyMutex_", "PyGILState_Check"),
    *("PyGILState_Ensure", "PyGILState_GetThisThreadState", "PyEval_RestoreThread"),
    *("PyEval_AcquireThread", "PyTime_MonotonicRaw", "PyTime_PerfCounterRaw", "PyTime_TimeRaw"),
    *("PyErr_SetInterrupt", "PyOS_mystr", "PyOS_snprintf", "PyOS_vsnprintf", "Py_AddPendingCall"),
    *("Py_IsInitialized", "Py_IsFinalizing", "Py_GetVersion", "Py_FatalError", "_Py_FatalError"),
    *("PyThreadState_", "_PyThreadState_", "_PyTime_", "_PyEval_", "PyInterpreterState_"),
    *("_PyInterpreterState_", "PyTraceMalloc_Track", "PyTraceMalloc_Untrack"),
    *("_Py_", "_PyOS_", "_PyRuntime", "PyOS_"),
)


def needs_gil(name: str) -> bool:
    """Return whether a function may be called only by a thread that holds the GIL."""
    return name.startswith(("Py", "_Py")) and not name.startswith(_WITHOUT_GIL)
