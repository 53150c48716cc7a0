"""Judges machine code: what every function does to the registers, the stack and CPython.

    image = load_objects([("m.o", facts)])       # load.py; or load_module("m.so", facts)
    verdict = analyse(image)                     # analysis.py
    verdict.faults, verdict.gaps, verdict.entries

Needs iced-x86, the decoder, which the extra ``asmsetup[check]`` installs; the rules' names and
the prototypes are there without it.
"""
