"""Files, names of CPython and this machine come in, facts go out; what they should be is for others."""
