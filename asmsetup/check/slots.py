"""The slots of types, and what the functions in them return."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


SLOTS = _words("""- bf_getbuffer bf_releasebuffer mp_ass_subscript mp_length mp_subscript nb_absolute nb_add
nb_and nb_bool nb_divmod nb_float nb_floor_divide nb_index nb_inplace_add nb_inplace_and
nb_inplace_floor_divide nb_inplace_lshift nb_inplace_multiply nb_inplace_or nb_inplace_power
nb_inplace_remainder nb_inplace_rshift nb_inplace_subtract nb_inplace_true_divide nb_inplace_xor
nb_int nb_invert nb_lshift nb_multiply nb_negative nb_or nb_positive nb_power nb_remainder
nb_rshift nb_subtract nb_true_divide nb_xor sq_ass_item sq_concat sq_contains sq_inplace_concat
sq_inplace_repeat sq_item sq_length sq_repeat tp_alloc tp_base tp_bases tp_call tp_clear
tp_dealloc tp_del tp_descr_get tp_descr_set tp_doc tp_getattr tp_getattro tp_hash tp_init tp_is_gc
tp_iter tp_iternext tp_methods tp_new tp_repr tp_richcompare tp_setattr tp_setattro tp_str
tp_traverse tp_members tp_getset tp_free nb_matrix_multiply nb_inplace_matrix_multiply am_await
am_aiter am_anext tp_finalize am_send tp_vectorcall tp_token""")
"""Their names by their numbers (CPython, Include/typeslots.h)."""

_DATA = frozenset(_words("tp_base tp_bases tp_doc tp_methods tp_members tp_getset tp_token"))
_OTHER_RESULTS = frozenset(
    _words("""bf_getbuffer bf_releasebuffer mp_ass_subscript mp_length nb_bool sq_ass_item sq_contains
    sq_length tp_clear tp_dealloc tp_del tp_descr_set tp_hash tp_init tp_is_gc tp_setattr
    tp_setattro tp_traverse tp_free tp_finalize am_send""")
)


_ONE = frozenset(
    _words("""am_aiter am_anext am_await mp_length nb_absolute nb_bool nb_float nb_index nb_int
    nb_invert nb_negative nb_positive sq_length tp_clear tp_dealloc tp_del tp_finalize tp_free
    tp_hash tp_is_gc tp_iter tp_iternext tp_repr tp_str""")
)
_THREE = frozenset(
    _words("""am_send bf_getbuffer mp_ass_subscript nb_inplace_power nb_power sq_ass_item tp_call
    tp_descr_get tp_descr_set tp_init tp_new tp_richcompare tp_setattr tp_setattro tp_traverse""")
)


def arguments_of(number: int) -> int:
    """Return how many arguments CPython passes to the function in a slot of that number."""
    name = SLOTS[number]
    if name == "tp_vectorcall":
        return 4
    return 1 if name in _ONE else 3 if name in _THREE else 2


INT_ARGUMENTS = {"bf_getbuffer": 2, "tp_richcompare": 2}
"""Which argument is an int, counted from 0: its upper half is undefined."""


def is_function(number: int) -> bool:
    """Return whether a slot of that number holds a function."""
    return 0 < number < len(SLOTS) and SLOTS[number] not in _DATA


def returns_object(number: int) -> bool:
    """Return whether the function in a slot of that number returns an object."""
    return is_function(number) and SLOTS[number] not in _OTHER_RESULTS
