"""How a binding ends: the result becomes an object, what is held is released, errors go out."""

from __future__ import annotations

from collections.abc import Iterator

from . import templates
from .layout import Layout
from .lines import label, op
from .signature import Signature
from .slots import Slot


def form(signature: Signature, slot: Slot | None = None) -> str:
    """Return how CPython passes the arguments: noargs, o, fastcall, keywords, or to a slot tuple."""
    if slot is not None and slot.arguments < 0:
        return "tuple"
    if slot is not None and slot.arguments == 2:
        return "pair"
    if signature.rest:
        return "keywords" if signature.takes_keywords else "fastcall"
    if not signature.parameters:
        return "noargs"
    if slot is not None:
        return "o"
    if signature.takes_keywords:
        return "keywords"
    if len(signature.parameters) == signature.least == 1:
        return "o"
    return "fastcall"


class Results:
    """The end of one binding, and the fields that its beginning uses, too."""

    def __init__(self, signature: Signature, *, nogil: bool, slot: Slot | None) -> None:
        self.signature = signature
        self.nogil = nogil
        self.slot = slot
        self.form = form(signature, slot)
        self.layout = Layout(signature, form=self.form, nogil=nogil)
        self._pushed = 1 if self.form != "noargs" or nogil else 0
        self._frame = self.layout.size(self._pushed)
        self._held = len(self.layout.views)
        self._exits_left: list[int] = []
        returns_object = slot is None or slot.result == "object"
        self._shares_error = bool(self._pushed) and returns_object and not self.layout.views

    def _result(self) -> Iterator[str]:
        result = self.signature.result
        key = templates.key(result)
        if self.slot is not None and self.slot.result != "object":
            yield from self._plain_result(self.slot)
        elif key in templates.RESULTS:
            before, question, after = templates.RESULTS[key]
            yield from before
            if not self.nogil:
                yield question
                yield op("je", "near .other_result", "the number -1, or an error?")
                yield label(".result")
            yield from filter(None, [after])
            yield from self._make(templates.MAKERS[key])
        elif result.kind in ("buffer", "str", "cstr"):
            yield op("test", "rax, rax")
            yield op("jz", "near .null_result", "None, or an error")
            yield op("mov", "rdi, rax")
            if result.kind != "cstr":
                yield op("mov", "rsi, rdx")
            yield from self._make(templates.MAKERS[key])
        elif result.items:
            if not self.nogil:
                yield op("cmp", "eax, -1")
                yield op("jne", "short .result")
                yield op("call", "_py_check_error", "an error?")
                yield op("jc", f"near {self._error(self._held)}")
                yield label(".result")
            yield op("lea", f"rdi, [rsp + {self.layout.results}]")
            yield op("lea", "rsi, [.py_results]")
            yield op("call", "_py_make_tuple")
            yield from self._leave()
        else:
            if result.kind == "none":
                yield op("_py_load_none", "", "rax = a new reference to None")
            yield from self._leave()

    def _plain_result(self, slot: Slot) -> Iterator[str]:
        """Leave in rax what a slot returns that returns no object."""
        if slot.result == "done":
            yield op("xor", "eax, eax")
        elif slot.result == "truth":
            yield op("movzx", "eax, al")
        if slot.result != "done" and not self.nogil:
            yield op("cmp", "al, -1" if slot.result == "truth" else "rax, -1")
            yield op("jne", "short .result")
            yield op("call", "_py_check_error", "the number -1, or an error?")
            yield op("jc", f"near {self._error(self._held)}")
            again = {"truth": "1", "hash": "-2"}.get(slot.result)
            if again:
                yield op("mov", f"eax, {again}" if again == "1" else f"rax, {again}")
            yield label(".result")
        yield from self._leave()

    def _make(self, maker: str) -> Iterator[str]:
        """Call a function of CPython's for the result, at best as the last thing."""
        if self.layout.views:
            yield op("call", f"[{maker} wrt ..got]")
            yield from self._leave()
        else:
            yield from self._leave_by(op("jmp", f"[{maker} wrt ..got]"), 6)

    def _leave(self) -> Iterator[str]:
        """Release what is held, the last one first, and return rax."""
        views = list(self.layout.views.values())
        if views:
            yield op("mov", "rbx, rax", "the result")
            for held in range(len(views), 0, -1):
                yield label(f".release_{held}")
                yield op("lea", f"rdi, [rsp + {views[held - 1]}]")
                yield op("call", "[PyBuffer_Release wrt ..got]")
            yield label(".release_0")
            yield op("mov", "rax, rbx")
        yield from self._return()

    def _return(self) -> Iterator[str]:
        yield from self._leave_by(op("ret"), 1)

    def _leave_by(self, last: str, size: int) -> Iterator[str]:
        """Give the frame back, and leave by an instruction of so many bytes."""
        if self._frame:
            yield op("add", f"rsp, {self._frame}")
            yield self._unframed(self._pushed + size)
        if self._pushed:
            yield op("pop", "rbx")
            if not self._frame:
                yield self._unframed(size)
        yield last

    def _unframed(self, left: int) -> str:
        """Name the place where the frame is given back, for the table for unwinding."""
        self._exits_left.append(left)
        return f".py_exit_{len(self._exits_left)} equ $ - _py_function"

    def _exits(self, *, goes_on: bool) -> Iterator[str]:
        """The labels that a failure jumps to, by the number of resources held.

        ``goes_on`` says that what stands before has failed.
        """
        if not self._can_fail():
            return
        converted = any(each.type.kind != "object" for each in self.signature.parameters)
        if converted and self.slot is not None and self.slot.may_not_fit:
            yield label(".error_other_type")
            yield op("call", "_py_not_implemented", "in the place of a TypeError")
            yield from self._return()
        if self._shares_error:
            if goes_on:
                yield op("jmp", f"near {self._error(0)}")
            return
        if not self.layout.views:
            yield label(".error_0")
            yield self._failed("eax")
            yield from self._return()
            return
        for held in range(len(self.layout.views) + 1):
            yield label(f".error_{held}")
            yield self._failed("ebx")
            yield op("jmp", f".release_{held}")

    def _error(self, held: int) -> str:
        """Return where a failure goes, with so many resources held."""
        return f"_py_error_{self._frame}" if self._shares_error else f".error_{held}"

    def _failed(self, register: str) -> str:
        """Load what is returned with an exception set."""
        if self.slot is not None and self.slot.result != "object":
            return op("mov", f"r{register[1:]}, -1")
        return op("xor", f"{register}, {register}")

    def _can_fail(self) -> bool:
        result = self.signature.result.kind
        return self.form != "noargs" or (result not in ("none", "object") and not self.nogil)

    def _other_result(self) -> Iterator[str]:
        """The meaning of -1, or of a null pointer where the result is text."""
        key = templates.key(self.signature.result)
        is_object = self.slot is None or self.slot.result == "object"
        if key in templates.RESULTS and is_object and not self.nogil:
            yield label(".other_result")
            yield op("call", "_py_check_error", "rax = -1")
            yield op("jc", f"near {self._error(self._held)}")
            if key.startswith("real"):
                yield op("movsd", "xmm0, [..@py_minus_one]")
            yield op("jmp", ".result")
        if self.signature.result.kind not in ("buffer", "str", "cstr"):
            return
        yield label(".null_result")
        if not self.nogil:
            yield op("call", "_py_check_error")
            yield op("jc", f"near {self._error(self._held)}")
        yield op("_py_load_none", "", "rax = a new reference to None")
        yield from self._back_with_object()

    def _back_with_object(self) -> Iterator[str]:
        views = len(self.layout.views)
        if views:
            yield op("mov", "rbx, rax")
            yield op("jmp", f".release_{views}")
        else:
            yield from self._return()
