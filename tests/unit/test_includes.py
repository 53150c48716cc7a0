from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

import pytest

from asmsetup import files
from asmsetup.assemble import includes
from asmsetup.assemble.includes import Closure, Missing, Reader, closure
from asmsetup.assemble.scan import ANY_VARIABLE, TARGET_MACROS

NASM = shutil.which("nasm") or "nasm"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(files: Mapping[str, str | bytes]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def closure_of(text: str | bytes, *include_dirs: str, args: tuple[str, ...] = ()) -> Closure:
    write({"m.asm": text})
    return closure("m.asm", include_dirs, args)


def files_nasm_reads(*args: str) -> list[str]:
    # -MD while assembling leaves includes out in 2.16.00 and 2.16.01, -M what %pathsearch found,
    # -E what is incbinned.
    read: dict[str, None] = {}
    for way in (["-E", "-o", "m.i"], ["-f", "elf64", "-o", "m.o"]):
        subprocess.run([NASM, *way, "-MD", "m.d", *args, "m.asm"], check=True)
        said = Path("m.d").read_text().replace("\\\n", " ")
        read.update(dict.fromkeys(said.split(":", 1)[1].split()))
    return list(read)


@pytest.mark.parametrize(
    "line",
    [
        '%include "a.inc"',
        "%include 'a.inc'",
        "%include `a.inc`",
        '%include"a.inc"',
        '%require "a.inc"',
        "%Require\t`a.inc`",
        '  %INCLUDE\t"a.inc" ; why',
        '%include \\\n "a.inc"',
        '%inc\\\nlude "a.inc"',
        'incbin "a.inc"',
        'IncBin"a.inc",1,2',
        'label: incbin "a.inc"',
        'label incbin "a.inc"',
        "mov al, ';'\n x: db '\"'\n incbin 'a.inc'",
        '%depend "a.inc"',
        'db 1\r%include "a.inc"\r',
        'db 1\r\n%include "a.inc"\r\n',
        '%macro m 0\n%include "a.inc"\n%endmacro\n m',
    ],
)
def test_a_name_that_is_written_out_is_followed_as_nasm_does(line: str) -> None:
    write({"a.inc": "db 1, 2, 3\n"})
    found = closure_of(line + "\n")
    assert found.files == ("m.asm", "a.inc")
    assert (found.text.computed, found.missing) == (False, ())
    assert files_nasm_reads() == list(found.files)


@pytest.mark.parametrize("word", ["iffile", "ifnfile", "eliffile", "elifnfile"])
def test_a_file_that_is_looked_for(word: str) -> None:
    """NASM 3 has these alone."""
    text = f'%if 0\n%{word} "a.inc"\n%endif\n'
    absent = closure_of(text)
    write({"a.inc": ""})

    assert (absent.files, absent.text.computed) == (("m.asm",), False)
    assert closure_of(text).files == ("m.asm", "a.inc")
    assert closure_of(f"%{word} NAME\n").text.hidden


@pytest.mark.parametrize(
    "line",
    [
        '; %include "a.inc"',
        'db 1 ; incbin "a.inc"',
        "db 'x incbin `a.inc`'",
        'incbinary: db "a.inc"',
        '.incbin: db "a.inc"',
        "%include_me",
        '%define included "a.inc"',
    ],
)
def test_what_is_no_directive_is_not_followed(line: str) -> None:
    found = closure_of(line + "\n")
    assert (found.files, found.text.computed) == (("m.asm",), False)


@pytest.mark.parametrize(
    "line",
    [
        '%define NAME "a.inc"\n%include NAME',
        "%macro embed 1\n incbin %1\n%endmacro\n embed 'a.inc'",
        '%define embed incbin\n embed "a.inc"',
        # A backslash in backquotes is an escape.
        "incbin `a\\x2einc`",
        'incbin "a.inc" "b.inc"',
    ],
)
def test_a_name_that_is_not_written_out_is_admitted(line: str) -> None:
    write({"a.inc": "db 1\n"})
    found = closure_of(line + "\n")
    assert found.text.computed
    assert found.text.mentioned == TARGET_MACROS
    assert "a.inc" in files_nasm_reads()


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('%define NAME "a.inc"\ntimes 2 incbin NAME\n', True),
        ('%define NAME "a.inc"\nincbin NAME\n', False),
        ('%define WORD "a.inc"\n%pathsearch NAME WORD\n%include NAME\n', True),
    ],
)
def test_what_no_list_of_dependencies_holds_is_admitted(text: str, hidden: bool) -> None:
    write({"a.inc": "db 1\n"})
    found = closure_of(text)
    assert (found.text.computed, found.text.hidden) == (True, hidden)
    assert ("a.inc" in files_nasm_reads()) is not hidden


def test_a_name_given_to_pathsearch_is_followed() -> None:
    write({"one/a.inc": "db 1\n"})
    found = closure_of('%pathsearch NAME "a.inc"\n%include NAME\n', "one")
    assert (found.files, found.text.hidden) == (("m.asm", "one/a.inc"), False)


def test_both_branches_of_a_condition_count() -> None:
    write({"a.inc": "", "b.inc": ""})
    found = closure_of('%ifdef A\n%include "a.inc"\n%else\n%include "b.inc"\n%endif\n')
    assert found.files == ("m.asm", "a.inc", "b.inc")


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["m.inc", "one/m.inc", "two/m.inc"], "m.inc"),
        (["one/m.inc", "two/m.inc"], "one/m.inc"),
        (["two/m.inc"], "two/m.inc"),
    ],
)
def test_nasm_s_search_order(present: list[str], chosen: str) -> None:
    write(dict.fromkeys(present, "db 1\n"))
    found = closure_of('%include "m.inc"\n', "one", "two/")
    assert found.files == ("m.asm", chosen)
    assert files_nasm_reads("-Ione", "-Itwo/") == list(found.files)


def test_an_include_is_not_looked_for_beside_the_including_file() -> None:
    write({"d/a.inc": '%include "b.inc"\n', "d/b.inc": ""})
    found = closure_of('%include "d/a.inc"\n')
    assert found.files == ("m.asm", "d/a.inc")
    assert found.missing == (Missing("b.inc", "d/a.inc", 1),)


def test_each_file_is_listed_once() -> None:
    write({"a.inc": '%include "b.inc"\n', "b.inc": '%include "a.inc"\n', "d/x": ""})
    here = os.getcwd()
    found = closure_of(
        f'%include "a.inc"\n%include "./a.inc"\n%include "d/../b.inc"\n%include "{here}/b.inc"\n'
    )
    assert found.files == ("m.asm", "a.inc", "b.inc")


def test_dots_that_cross_a_symbolic_link_stay() -> None:
    write({"far/deep/x": "", "far/a.inc": "db 1\n", "a.inc": "db 2\n"})
    Path("link").symlink_to("far/deep")
    found = closure_of('%include "link/../a.inc"\n')
    assert found.files == ("m.asm", "link/../a.inc")


def test_a_missing_file_says_where_it_is_asked_for() -> None:
    found = closure_of('db 1\ndb 2, \\\n 3, \\\n 4\n\n%include "gone.inc"\n')
    assert found.missing == (Missing("gone.inc", "m.asm", 6),)
    assert found.files == ("m.asm",)


@pytest.mark.parametrize(
    "args",
    [("-Ione",), ("-I", "one"), ("-ione/",)],
)
def test_include_folders_among_the_arguments_count(args: tuple[str, ...]) -> None:
    write({"one/a.inc": ""})
    assert closure_of('%include "a.inc"\n', args=args).files == ("m.asm", "one/a.inc")


@pytest.mark.parametrize(
    "args",
    [("-Pa.inc",), ("-p", "a.inc"), ("--include", "a.inc"), ("--before", '%include "a.inc"')],
)
def test_files_included_by_argument_count(args: tuple[str, ...]) -> None:
    write({"a.inc": "db 1\n"})
    assert closure_of("db 2\n", args=args).files == ("m.asm", "a.inc")
    assert files_nasm_reads(*args) in (["m.asm", "a.inc"], ["a.inc", "m.asm"])


def test_a_response_file_counts_and_may_say_anything() -> None:
    write({"more.txt": "-DA=1\n"})
    found = closure_of("db 2\n", args=("-@more.txt",))
    assert (found.files, found.text.computed) == (("m.asm", "more.txt"), True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\xfe",
        b'%include "\xe9\xff.inc"\n',
        b'%include "nul\x00.inc"\n',
        b'%include "',
        b"%include",
        b"incbin",
        b"incbin \\",
        b"%!",
        b"%ifenv",
        b"\\\n" * 50,
        b'%include ""\n',
        b"%pathsearch",
    ],
)
def test_strange_text_raises_nothing(data: bytes) -> None:
    found = closure_of(data)
    assert found.files == ("m.asm",)


def test_a_file_that_cannot_be_read_to_its_end_is_never_up_to_date() -> None:
    assert closure_of('%include "/proc/self/mem"\n').text.hidden


def test_a_name_that_is_not_utf_8_is_found() -> None:
    name = b"\xe9.inc"
    Path(os.fsdecode(name)).write_bytes(b"db 1\n")
    found = closure_of(b'%include "' + name + b'"\n')
    assert found.files == ("m.asm", os.fsdecode(name))


def test_a_source_that_is_not_there_is_in_no_list_of_files() -> None:
    found = closure("gone.asm", ())
    assert (found.files, found.missing) == ((), (Missing("gone.asm", "gone.asm", 0),))


def test_a_directory_ends_the_search_as_it_does_in_nasm() -> None:
    write({"one/a.inc": "db 1\n", "a.inc/x": ""})
    found = closure_of('%include "a.inc"\n', "one")
    assert found.files == ("m.asm",)
    assert files_nasm_reads("-Ione") == ["m.asm", "a.inc"]


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("%if PY_VERSION_HEX >= 0x030c0000\n%endif\n", {"PY_VERSION_HEX"}),
        (
            "%ifdef Py_LIMITED_API\n%endif\n%ifdef Py_DEBUG\n%endif\n",
            {"Py_LIMITED_API", "Py_DEBUG"},
        ),
        ("xPY_VERSION_HEX: db 1\nPy_DEBUGGER: db 2\n", set()),
    ],
)
def test_which_target_macros_are_mentioned(text: str, mentioned: set[str]) -> None:
    write({"a.inc": text})
    assert closure_of('%include "a.inc"\n').text.mentioned == tuple(sorted(mentioned))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("db %!HOME\n", ("HOME",)),
        ("db %!'A B'\n", ("A B",)),
        ("%ifenv HOME\n%elifnenv %!LANG\n%endif\n", ("HOME", "LANG")),
        ("%macro m 1\ndb %!%1\n%endmacro\n", (ANY_VARIABLE,)),
        ("mov eax, ebx\n", ()),
    ],
)
def test_which_environment_variables_are_read(text: str, names: tuple[str, ...]) -> None:
    assert closure_of(text).text.environment == names


@pytest.mark.parametrize(
    ("text", "clock", "names_files"),
    [
        ("db __DATE__\n", True, False),
        ("db __?UTC_TIME_NUM?__\n", True, False),
        ("dq __?POSIX_TIME?__\n", True, False),
        ("db __FILE__\n", False, True),
        ("db __?file?__\n", False, True),
        ("db __?LINE?__, date, file\n", False, False),
    ],
)
def test_what_else_an_object_may_depend_on(text: str, clock: bool, names_files: bool) -> None:
    found = closure_of(text)
    assert (found.text.clock, found.text.names_files) == (clock, names_files)


def test_the_digest_is_of_contents_and_not_of_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        write({"inc/a.inc": "db 1\n"})
        digests.add(closure_of('%include "a.inc"\n', str(tmp_path / place / "inc")).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"m.asm": '%include "a.inc"\n\n'},
        {"inc/a.inc": "db 2\n"},
        # Found earlier than the one before.
        {"a.inc": "db 2\n"},
    ],
)
def test_the_digest_changes_with_any_content(change: dict[str, str]) -> None:
    write({"m.asm": '%include "a.inc"\n', "inc/a.inc": "db 1\n"})
    before = closure("m.asm", ["inc"]).digest
    write(change)
    assert closure("m.asm", ["inc"]).digest != before


def test_the_digest_changes_when_a_missing_file_appears() -> None:
    before = closure_of('%ifdef NEVER\n%include "a.inc"\n%endif\n').digest
    write({"a.inc": ""})
    assert closure("m.asm", ()).digest != before


def test_a_reader_opens_a_shared_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"x.asm": '%include "a.inc"\n', "y.asm": '%include "a.inc"\n', "a.inc": ""})
    read: list[str] = []
    opened = files.open_regular

    def counted(path: str) -> FileIO:
        read.append(path)
        return opened(path)

    monkeypatch.setattr(includes, "open_regular", counted)
    reader = Reader()
    for source in ("x.asm", "y.asm"):
        reader.closure(source, ())
    assert read == ["x.asm", "a.inc", "y.asm"]
