cdef extern long number() nogil


def answer():
    return number()
