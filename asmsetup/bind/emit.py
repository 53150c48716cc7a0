"""Write the assembly that binds a routine to its signature."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from . import templates
from .layout import VIEW_OBJ, Word
from .lines import aligned, data, label, op, quoted, without_zero
from .results import Results
from .signature import Parameter, Signature
from .slots import Slot
from .table import table
from .unwinding import rows


class Binding(Results):
    """The data and the code of one binding."""

    def __init__(self, signature: Signature, *, nogil: bool, slot: Slot | None = None) -> None:
        """``slot`` is the slot of a method that is entered there, and not in the type's table."""
        super().__init__(signature, nogil=nogil, slot=slot)
        self._count = len(signature.parameters)
        last = self._count - 1
        self._direct = last if self._can_be_direct(last) else -1

    def _can_be_direct(self, k: int) -> bool:
        """Return whether the value of the last parameter can go to its register at once."""
        if k < 0 or self.nogil:
            return False
        parameter, word = self.signature.parameters[k], self.layout.words[k][0]
        plain = parameter.type.is_number and not parameter.is_none
        return plain and bool(word.register)

    # Data

    def data(self) -> list[str]:
        """Return the strings and tables of the binding."""
        lines = []
        for k, parameter in enumerate(self.signature.parameters):
            if templates.is_displayed(parameter.type):
                lines.append(data(f".display_{k}", f"db {quoted(self._display(k))}, 0"))
            if templates.has_items(parameter.type):
                lines.append(data(f".items_{k}", f"db {quoted(parameter.type.item)}, 0"))
            text = _literal(parameter)
            if text is not None:
                lines.append(data(f".text_{k}", _bytes(text)))
        if self.signature.result.items:
            letters = "".join(map(templates.letter, self.signature.result.items))
            lines.append(data(".py_results", f"db {quoted(letters)}, 0"))
        if self.form in ("keywords", "tuple"):
            lines += table(self.signature)
        else:
            lines.append(data(".py_name", f"db {quoted(self.signature.name)}, 0"))
        return lines

    def _display(self, k: int) -> str:
        if self.form == "o":
            return "argument"
        if k < self.signature.positional_only:
            return f"argument {k + 1}"
        return f"argument '{self.signature.parameters[k].name}'"

    # Code

    def code(self, routine: str) -> list[str]:
        """Return the instructions, which call ``routine``."""
        lines = list(self._enter())
        for k in range(self._count):
            lines += self._convert(k)
        lines += self._call(routine)
        lines += self._result()
        bind = list(self._bind())
        lines += bind
        lines += self._exits(goes_on=bool(bind))
        lines += self._other_result()
        for k in range(self._count):
            lines += self._recover(k)
        return lines

    def _enter(self) -> Iterator[str]:
        signature = self.signature
        if self._pushed:
            yield op("push", "rbx")
        if self._frame:
            yield op("sub", f"rsp, {self._frame}")
        if signature.receiver:
            yield op("mov", f"[rsp + {self.layout.receiver}], rdi", signature.receiver)
        if self.form == "o":
            yield op("mov", "rbx, rsi", "the argument")
        elif self.form == "tuple":
            yield from self._enter_tuple()
        elif self.form == "pair":
            yield op("mov", f"[rsp + {self.layout.bound}], rsi")
            yield op("mov", f"[rsp + {self.layout.bound + 8}], rdx")
            yield op("lea", f"rbx, [rsp + {self.layout.bound}]", "the arguments")
        elif self._is_behind_rest(self._count - 1):
            yield from self._enter_with_rest()
        elif self.form != "noargs":
            yield from self._enter_array()

    def unwinding(self) -> list[str]:
        """Return the lines of the function's table for unwinding; ``code`` comes first."""
        return rows(pushes=bool(self._pushed), frame=self._frame, exits=self._exits_left)

    def _enter_array(self) -> Iterator[str]:
        signature, layout = self.signature, self.layout
        if signature.needs_keyword:
            yield op("jmp", "near .bind", "no call without keywords is right")
        else:
            if self.form == "keywords":
                yield op("test", "rcx, rcx")
                yield op("jnz", "near .bind", "names of keywords")
            yield from _check_number(signature.least, signature.positional, bool(signature.rest))
        yield label(".bound")
        if layout.given >= 0:
            yield op("mov", f"[rsp + {layout.given}], rdx", "how many")
        yield op("mov", "rbx, rsi", "the arguments")

    def _enter_with_rest(self) -> Iterator[str]:
        """Leave the positional arguments where they are; those by keyword go to the frame."""
        signature, layout = self.signature, self.layout
        if signature.least:
            yield op("cmp", f"rdx, {signature.least}")
            yield op("jb", "near .too_few")
        yield op("mov", f"[rsp + {layout.given}], rdx", "how many")
        yield op("mov", "rbx, rsi", "the arguments")
        if signature.needs_keyword:
            yield op("jmp", "near .bind", "no call without keywords is right")
        else:
            yield op("test", "rcx, rcx")
            yield op("jnz", "near .bind", "names of keywords")
            for k in range(signature.positional, self._count):
                yield op("mov", f"[rsp + {layout.bound + 8 * k}], rcx", "left out")
        yield label(".bound")

    def _enter_tuple(self) -> Iterator[str]:
        yield op("lea", "rdi, [.py_bindings]")
        yield op("lea", f"rcx, [rsp + {self.layout.bound}]", "where the arguments go")
        yield op("call", "_py_bind_tuple")
        yield op("jc", f"near {self._error(0)}")
        yield op("mov", "rbx, rax", "the arguments, NULL for one left out")

    def _object(self, k: int) -> str:
        if self._is_behind_rest(k):
            return f"[rsp + {self.layout.bound + 8 * k}]"
        return "rbx" if self.form == "o" else without_zero(f"[rbx + {8 * k}]")

    def _is_behind_rest(self, k: int) -> bool:
        """Return whether the parameter is keyword-only and follows ``*rest``."""
        return bool(self.signature.rest) and k >= self.signature.positional

    def _is_in_array(self, k: int) -> bool:
        """Return whether the argument is passed on as it is, from where it came."""
        parameter = self.signature.parameters[k]
        return parameter.type.kind == "object" and parameter.default is None

    def _convert(self, k: int) -> Iterator[str]:
        parameter = self.signature.parameters[k]
        if self._is_in_array(k):
            return
        yield ""
        yield f"    ; {parameter.name}: {parameter.type.written}{_written_default(parameter)}"
        if parameter.default:
            yield from self._default(k)
        else:
            yield op("mov", f"rdi, {self._object(k)}")
        filled = self._filled(templates.convert(parameter.type), k)
        yield from filled
        aside = templates.recover(parameter.type)
        if parameter.default or any(f".value_{k}" in line for line in filled) or ".value_" in aside:
            yield label(f".value_{k}")
        if parameter.is_optional_number:
            yield op("mov", f"[rsp + {self.layout.values[k]}], rax")
            yield op("lea", f"rax, [rsp + {self.layout.values[k]}]")
            yield label(f".pointer_{k}")
        yield from self._store(k)

    def _default(self, k: int) -> Iterator[str]:
        """Load the argument, or jump to where its default is, or with it to where it is stored."""
        parameter = self.signature.parameters[k]
        bits = _default_bits(parameter)
        if parameter.is_optional_number:
            yield op("xor", "eax, eax", "the default is a null pointer")
            target = f"near .pointer_{k}"
        elif bits is None:
            target = f"near .default_{k}"
        else:
            # In rax before it is known whether it is needed: leaving it out is one jump.
            yield op("mov", f"rax, {bits}", "the default")
            target = f"short .value_{k}"
        is_behind_rest = self._is_behind_rest(k)
        if self.layout.given >= 0 and not is_behind_rest:
            yield op("cmp", f"qword [rsp + {self.layout.given}], {k}")
            yield op("jbe", target)
        yield op("mov", f"rdi, {self._object(k)}")
        if is_behind_rest or (self.form in ("keywords", "tuple") and not self.signature.rest):
            yield op("test", "rdi, rdi")
            yield op("jz", target, "left out")
        if parameter.is_none and parameter.type.kind != "object":
            yield op("cmp", "rdi, Py_None")
            yield op("je", target)

    def _store(self, k: int) -> Iterator[str]:
        parameter, words = self.signature.parameters[k], self.layout.words[k]
        if parameter.type.kind == "buffer":
            return
        value = "rdi" if parameter.type.kind == "object" else "rax"
        if k == self._direct:
            move = "movq" if words[0].register.startswith("xmm") else "mov"
            yield op(move, f"{words[0].register}, {value}")
        else:
            yield op("mov", f"[rsp + {self.layout.homes[k][0]}], {value}")

    def _filled(self, template: str, k: int) -> list[str]:
        """Return the lines of a template with the places of parameter ``k``."""
        parameter, layout = self.signature.parameters[k], self.layout
        type_, homes = parameter.type, layout.homes[k]
        held = layout.held(k)
        error = self._error(held)
        if self.slot is not None and self.slot.may_not_fit:
            error = ".error_other_type"
        case, letters = templates.letters(type_) if type_.item else ("", "")
        shape = templates.shape(type_, homes) if type_.dimensions else ""
        filled = template.replace("{shape}", shape).format(
            k=k,
            object=self._object(k),
            home=homes[0],
            length=homes[-1],
            view=layout.views.get(k, 0),
            scratch=layout.scratch,
            error=error,
            held_with_it=held + 1,
            dimensions=type_.dimensions,
            letter=templates.letter(type_) if type_.item else "",
            flags=templates.buffer_flags(type_),
            size=type_.size,
            case=case,
            letters=letters,
            utf8="utf8" if type_.kind == "cstr" else "value",
            wanted=templates.wanted(type_, or_none=parameter.is_none),
        )
        return [aligned(line) for line in without_zero(filled).splitlines() if line]

    def _call(self, routine: str) -> Iterator[str]:
        yield ""
        if self.nogil:
            yield op("call", "[PyEval_SaveThread wrt ..got]")
            yield op("mov", "rbx, rax")
        words = [
            (word, self._source(k, index), self._shift(k, index))
            for k in range(self._count)
            for index, word in enumerate(self.layout.words[k])
            if k != self._direct
        ]
        yield from _pass_stacked([each for each in words if not each[0].register])
        if self.signature.rest:
            yield from self._pass_rest()
        yield from _pass_in_registers([each for each in words if each[0].register])
        if self.signature.receiver:
            yield op("mov", f"rdi, [rsp + {self.layout.receiver}]", self.signature.receiver)
        if self.signature.result.items:
            yield from self._pass_results()
        yield op("call", routine)
        if self.nogil:
            yield from self._take_gil()

    def _pass_rest(self) -> Iterator[str]:
        """Pass the arguments behind the parameters: where they are, and how many."""
        where, number = self.layout.rest
        before = self.signature.positional
        yield op("lea", f"rax, [rbx + {8 * before}]", f"*{self.signature.rest}")
        yield _passed(where, "rax")
        yield op("mov", f"rax, [rsp + {self.layout.given}]")
        yield op("sub", f"rax, {before}")
        if self.signature.least < before:
            yield op("jnb", "short .rest")
            yield op("xor", "eax, eax", "none where defaults are taken")
            yield label(".rest")
        yield _passed(number, "rax")

    def _pass_results(self) -> Iterator[str]:
        word, results = self.layout.words[-1][0], self.layout.results
        yield op("lea", f"{word.register or 'rax'}, [rsp + {results}]", "where the results go")
        if not word.register:
            yield op("mov", f"[rsp + {word.stacked}], rax")

    def _source(self, k: int, index: int) -> str:
        if self._is_in_array(k):
            return self._object(k)
        return f"[rsp + {self.layout.homes[k][index]}]"

    def _shift(self, k: int, index: int) -> int:
        """Return by how many bits bytes are shifted to become items."""
        type_ = self.signature.parameters[k].type
        counts = type_.item and not type_.dimensions
        return type_.size.bit_length() - 1 if counts and index == 1 else 0

    def _take_gil(self) -> Iterator[str]:
        kind, scratch = self.signature.result.kind, self.layout.scratch
        saved = {"real": ["movsd"], "none": []}.get(kind, ["mov"])
        value = "xmm0" if kind == "real" else "rax"
        pair = kind in ("str", "buffer")
        yield op("mov", "rdi, rbx")
        for move in saved:
            yield op(move, f"[rsp + {scratch}], {value}")
        if pair:
            yield op("mov", f"[rsp + {scratch + 8}], rdx")
        yield op("call", "[PyEval_RestoreThread wrt ..got]")
        for move in saved:
            yield op(move, f"{value}, [rsp + {scratch}]")
        if pair:
            yield op("mov", f"rdx, [rsp + {scratch + 8}]")

    def _bind(self) -> Iterator[str]:
        """Have the runtime find the arguments, or say what is wrong with their number."""
        least, has_rest = self.signature.least, bool(self.signature.rest)
        if self.form == "keywords":
            yield label(".bind")
            yield op("lea", "r9, [.py_bindings]")
            yield op("lea", f"r8, [rsp + {self.layout.bound}]", "where they can go")
            if has_rest:
                yield op("call", "_py_bind_behind_rest")
            else:
                yield op("call", "_py_bind_arguments", "rsi = the arguments, rdx = how many")
            yield op("jnc", ".bound")
            if has_rest and least:
                yield op("jmp", f"near {self._error(0)}")
                yield label(".too_few")
                yield from self._raise_wrong_number()
        elif self.form == "fastcall" and (least or not has_rest):
            yield label(".bind")
            yield from self._raise_wrong_number()

    def _raise_wrong_number(self) -> Iterator[str]:
        most = f"ecx, {self.signature.positional}"
        yield op("lea", "rsi, [.py_name]")
        yield op("mov", f"r8d, {self.signature.least}")
        yield op("mov", "rcx, 0x7fffffffffffffff" if self.signature.rest else most)
        yield op("call", "_py_raise_wrong_number")

    def _recover(self, k: int) -> Iterator[str]:
        parameter = self.signature.parameters[k]
        if self._is_in_array(k):
            return
        supplied = not parameter.is_optional_number and _default_bits(parameter) is None
        if parameter.default and supplied:
            yield label(f".default_{k}")
            yield from self._supply(k)
            yield op("jmp", f".value_{k}")
        yield from self._filled(templates.recover(parameter.type), k)

    def _supply(self, k: int) -> Iterator[str]:
        """Put a default that is no number in its place."""
        parameter, homes = self.signature.parameters[k], self.layout.homes[k]
        if parameter.type.kind == "object":
            yield op("mov", "rdi, Py_None")
            return
        text = _literal(parameter)
        if text is None:
            yield op("xor", "eax, eax")
        else:
            yield op("lea", f"rax, [.text_{k}]")
        for home in homes[1:]:
            length = "rax" if text is None else len(text)
            yield op("mov", f"qword [rsp + {home}], {length}")
        if parameter.type.kind == "buffer":
            yield op("mov", f"[rsp + {homes[0]}], rax")
            yield op("mov", f"qword [rsp + {self.layout.views[k] + VIEW_OBJ}], 0", "holds nothing")


def _check_number(least: int, most: int, has_rest: bool) -> Iterator[str]:
    """Test how many arguments there are by position."""
    if has_rest:
        if least:
            yield op("cmp", f"rdx, {least}")
            yield op("jb", "near .bind")
    elif least == most:
        yield op("cmp", f"rdx, {most}")
        yield op("jne", "near .bind")
    elif least == 0:
        yield op("cmp", f"rdx, {most}")
        yield op("ja", "near .bind")
    else:
        yield op("lea", f"rax, [rdx - {least}]")
        yield op("cmp", f"rax, {most - least}", f"{least} to {most}")
        yield op("ja", "near .bind")


def _passed(word: Word, value: str) -> str:
    return op("mov", f"{word.register or f'[rsp + {word.stacked}]'}, {value}")


_Passed = tuple[Word, str, int]


def _pass_stacked(words: Iterable[_Passed]) -> Iterator[str]:
    for word, source, shift in words:
        target = f"[rsp + {word.stacked}]"
        if source != target:
            yield op("mov", f"rax, {source}")
            if shift:
                yield op("shr", f"rax, {shift}", "items")
            yield op("mov", f"{target}, rax")


def _pass_in_registers(words: Iterable[_Passed]) -> Iterator[str]:
    for word, source, shift in words:
        move = "movsd" if word.register.startswith("xmm") else "mov"
        yield op(move, f"{word.register}, {source}")
        if shift:
            yield op("shr", f"{word.register}, {shift}", "items")


def _written_default(parameter: Parameter) -> str:
    return f" = {parameter.default.written}" if parameter.default else ""


def _literal(parameter: Parameter) -> bytes | None:
    """Return the characters of a default that is text."""
    value = parameter.default.value if parameter.default else None
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else None


def _bytes(text: bytes) -> str:
    return f"db {quoted(text.decode())}, 0" if text else "db 0"


def _default_bits(parameter: Parameter) -> str | None:
    """Return a number's default as the bits that the routine gets, None for anything else."""
    value = parameter.default.value if parameter.default else None
    if isinstance(value, float):
        size = parameter.type.size
        packed = struct.pack("<f" if size == 4 else "<d", value)
        return f"0x{int.from_bytes(packed, 'little'):x}"
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int) else None
