"""``pytest --asm-abi``: a project's own tests, run with canaries around its assembly functions.

A trampoline, assembled for the interpreter that runs the tests, stands before every function that
CPython calls in a module and before every function that the module calls in CPython.
"""
