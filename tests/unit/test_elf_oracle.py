"""pyelftools reads the same from the same files: objects of NASM and gcc, modules, libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from asmsetup.facts import elf
from asmsetup.link import libraries

SOURCE = """\
extern PyLong_FromLong, puts
global f:function, g:data hidden
section .text
f: call puts wrt ..plt
   mov rax, [rel PyLong_FromLong wrt ..got]
   lea rax, [rel g]
   ret
section .data align=16
g: dq f, g
section .note.GNU-stack noalloc noexec nowrite progbits
"""
MADE = ["nasm.o", "gcc.o", "module.so", "relr.so", "versioned.so"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "nasm.asm").write_text(SOURCE)
    (folder / "gcc.c").write_text(
        '#include <stdio.h>\nint h(void) { return puts("x"); }\nvoid *p = h;\n'
    )
    for command in (
        "nasm -felf64 nasm.asm",
        "gcc -c -g -fPIC -ffunction-sections gcc.c",
        "ld -shared -z now nasm.o -o module.so",
        "ld -shared -z pack-relative-relocs nasm.o -o relr.so",
        "gcc -shared -Wl,-rpath,$ORIGIN gcc.o -o versioned.so",
    ):
        subprocess.run(command.split(), cwd=folder, check=True)
    return folder


@pytest.fixture(params=[*MADE, "libc"])
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    if request.param == "libc":
        return Path(libraries.c_library_files()[0])
    return folder / str(request.param)


def test_sections(path: Path) -> None:
    with path.open("rb") as file:
        expected = [
            (
                s.name,
                s["sh_flags"],
                s["sh_addr"],
                s["sh_offset"],
                s["sh_size"],
                s["sh_link"],
                s["sh_info"],
                s["sh_addralign"],
            )
            for s in ELFFile(file).iter_sections()
        ]

    assert [(s.name, *s[3:]) for s in elf.read(path).sections] == expected


def test_symbols(path: Path) -> None:
    facts = elf.read(path)
    with path.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(
            ".symtab" if facts.kind == "object" else ".dynsym"
        )
        expected = [
            (
                symbol.name,
                symbol["st_info"]["bind"].removeprefix("STB_").lower(),
                symbol["st_other"]["visibility"].removeprefix("STV_").lower(),
                symbol["st_value"],
                symbol["st_size"],
            )
            for symbol in table.iter_symbols()
        ]

    found = [(s.name, s.binding, s.visibility, s.value, s.size) for s in facts.symbols]
    assert found == [(n, b.replace("loos", "unique"), *rest) for n, b, *rest in expected]


def test_relocations(path: Path) -> None:
    facts = elf.read(path)
    with path.open("rb") as file:
        sections: list[Any] = list(ELFFile(file).iter_sections("SHT_RELA"))
        expected = [
            (entry["r_offset"], entry["r_info_type"], entry["r_info_sym"], entry["r_addend"])
            for section in sections
            for entry in section.iter_relocations()
        ]

    found = [(r.offset, r.type, r.symbol, r.addend) for r in facts.relocations]
    assert [
        (at, kind, facts.symbols[number], addend) for at, kind, number, addend in expected
    ] == found


def test_the_dynamic_section(path: Path) -> None:
    facts = elf.read(path)
    with path.open("rb") as file:
        section: Any = ELFFile(file).get_section_by_name(".dynamic")
        tags = list(section.iter_tags()) if section else []
        names = {tag.entry.d_tag for tag in tags}
        needed = tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED")
        runpath = next((tag.runpath for tag in tags if tag.entry.d_tag == "DT_RUNPATH"), None)
        needs: Any = ELFFile(file).get_section_by_name(".gnu.version_r")
        versions = [
            (library.name, version.name)
            for library, names_of in (needs.iter_versions() if needs else ())
            for version in names_of
        ]

    assert facts.needed == needed
    assert facts.runpath == runpath
    assert facts.packed_relocations == ("DT_RELR" in names or 36 in names)
    assert [tuple(need) for need in facts.version_needs] == versions
