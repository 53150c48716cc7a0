# mypy: ignore-errors
"""Times the calls of every way in one process, interleaved; prints nanoseconds as JSON.

Run by bench/typed_calls.py in each interpreter, in the folder with the built modules. Only the
standard library: it runs where nothing is installed.
"""

import json
import sys
import timeit

ROUNDS = 51
CALLS = 2_000


DATA = bytes(1000)
STATEMENTS = {
    "add(1, 2)": ("add", "f(1, 2)"),
    "add(10**15, 2)": ("add", "f(1000000000000000, 2)"),
    "add(1), b=1": ("add_named", "f(1)"),
    "add(1, b=2)": ("add_named", "f(1, b=2)"),
    "add(a=1, b=2)": ("add_named", "f(a=1, b=2)"),
    "add(b=2, a=1)": ("add_named", "f(b=2, a=1)"),
    "long names": ("add_long", "f(augend=1, the_addend=2)"),
    "mean(1.0, 2.5)": ("mean", "f(1.0, 2.5)"),
    "first(data)": ("first", "f(data)"),
}
FOREIGN = {"first(data)": "f(data, len(data))"}
"""ctypes and cffi take a pointer and a length."""


def ctypes_kernels():
    import ctypes

    kernels = ctypes.CDLL("./kernels.so")
    kernels.add.argtypes = [ctypes.c_int64, ctypes.c_int64]
    kernels.add.restype = ctypes.c_int64
    kernels.mean.argtypes = [ctypes.c_double, ctypes.c_double]
    kernels.mean.restype = ctypes.c_double
    kernels.first.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    kernels.first.restype = ctypes.c_uint64
    return kernels


def cffi_kernels():
    from through_cffi import lib

    return lib


def ways():
    """The functions of every way by name."""
    import clinic
    import typed
    import universal

    functions = {"clinic": vars(clinic), "typed": vars(typed), "universal": vars(universal)}
    for way, kernels in {"ctypes": ctypes_kernels, "cffi": cffi_kernels}.items():
        try:
            library = kernels()
        except ImportError:  # it was not built, or not at this place
            continue
        else:
            functions[way] = {name: getattr(library, name) for name in ("add", "mean", "first")}
    return functions


def main():
    timers = {}
    functions_of = ways()
    for call, (name, statement) in STATEMENTS.items():
        for way, functions in functions_of.items():
            if name in functions:
                foreign = way in ("ctypes", "cffi")
                text = FOREIGN.get(call, statement) if foreign else statement
                names = {"f": functions[name], "data": DATA}
                timers[call, way] = timeit.Timer(text, globals=names)
    results = {key: [] for key in timers}
    for _ in range(ROUNDS):
        for key, timer in timers.items():
            results[key].append(timer.timeit(CALLS) / CALLS * 1e9)
    report = {}
    for (call, way), times in results.items():
        report.setdefault(call, {})[way] = times
    json.dump(report, sys.stdout)


main()
