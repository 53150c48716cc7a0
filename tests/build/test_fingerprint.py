"""Whatever can change an object is in its fingerprint: a table of inputs that try to hide a change.

Each is built, changed, built again in place, and built in a clean folder with the cache that the
first build has filled. Both must give what NASM makes of the changed input alone. All rows share
the four builds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asmsetup.assemble.nasm import AssemblerOptions, Macro
from asmsetup.build import Builder, Wanted
from asmsetup.config import Settings
from asmsetup.facts import target
from asmsetup.plan import Recipe
from asmsetup.progress import Reporter


@dataclass
class Case:
    """In all texts @ stands for what is this row's own: its folder, and a name of its own."""

    text: str
    change: Mapping[str, str | bytes | None]
    """Files and variables ($NAME) as they are afterwards; None for what is gone."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    define: tuple[Macro, ...] = ()
    args: tuple[str, ...] = ()
    include_dirs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def including(line: str, *args: str, define: tuple[Macro, ...] = ()) -> Case:
    """A row whose line reads @/a.inc, by whatever way."""
    files = {"@/a.inc": "db 1\n", "@/b.inc": "db 3\n"}
    return Case(line + "\n", {"@/a.inc": "db 2\n"}, files, args=args, define=define)


def reading(line: str, *args: str, define: tuple[Macro, ...] = ()) -> Case:
    """A row whose line reads the variable V@."""
    return Case(line + "\n", {"$V@": "5"}, environment={"V@": "4"}, args=args, define=define)


def computed(text: str, change: Mapping[str, str], **files: str) -> Case:
    """A row that includes @/a.inc by a name that is not written out, and changes another file."""
    files = {f"@/{name.replace('_', '.')}": content for name, content in files.items()}
    return Case('%define NAME "@/a.inc"\n%include NAME\n', change, {"@/a.inc": text, **files})


def in_folder(*args: str) -> Case:
    """A row whose arguments name the folder of what is included."""
    text = '%include "@.inc"\n'
    return Case(text, {"@/@.inc": "db 2\n"}, {"@/@.inc": "db 1\n"}, args=args)


def another_first(text: str, content: str = "db 2\n") -> Case:
    """A row that reads @.inc of a folder, and then of one that is searched before it."""
    files = {"@/one/x": "", "@/two/@.inc": "db 1\n"}
    return Case(text, {"@/one/@.inc": content}, files, include_dirs=("@/one", "@/two"))


def asking(condition: str) -> Case:
    """A row that asks whether there is a variable V@, and then there is."""
    return Case(f"{condition}\ndb 1\n%else\ndb 2\n%endif\n", {"$V@": "1"})


CASES = {
    # %include in every place and spelling.
    "include": including('%include "@/a.inc"'),
    "include in quotes": including("%include '@/a.inc'"),
    "include in backquotes": including("%include `@/a.inc`"),
    "include without space": including('%include"@/a.inc"'),
    "INCLUDE": including('%INCLUDE "@/a.inc"'),
    "include after tab": including('\t%include\t"@/a.inc"'),
    "include after form feed": including('\f%include "@/a.inc"'),
    "include after vertical tab": including('\v%include "@/a.inc"'),
    "include in braces": including('%{include} "@/a.inc"'),
    "INCLUDE in braces": including('%{INCLUDE} "@/a.inc"'),
    "include continued": including('%inc\\\nlude "@/a.inc"'),
    "include with a comment": including('%include "@/a.inc" ; and why'),
    "include in a macro": including('%macro M 0\n%include "@/a.inc"\n%endmacro\nM'),
    "include in rep": including('%rep 2\n%include "@/a.inc"\n%endrep'),
    "include as a parameter": including('%macro M 1+\n%1\n%endmacro\nM %include "@/a.inc"'),
    "include in braces as a parameter": including(
        '%macro M 1\n%1\n%endmacro\nM {%include "@/a.inc"}'
    ),
    "include after a carriage return": including('db 9\r%include "@/a.inc"'),
    "include under a condition": including('%ifndef N\n%include "@/a.inc"\n%endif'),
    "include by a macro": including('%define NAME "@/a.inc"\n%include NAME'),
    "include by a parameter": including('%macro M 1\n%include %1\n%endmacro\nM "@/a.inc"'),
    "include by a string of parts": including('%strcat NAME "@/a", ".inc"\n%include NAME'),
    "include by a string of a token": including("%defstr NAME @/a.inc\n%include NAME"),
    "include by an escape": including("%include `@/\\x61.inc`"),
    "include of an include": Case(
        '%include "@/a.inc"\n',
        {"@/b.inc": "db 2\n"},
        {"@/a.inc": '%include "@/b.inc"\n', "@/b.inc": "db 1\n"},
    ),
    "include of an include by a macro": Case(
        '%include "@/a.inc"\n',
        {"@/b.inc": "db 2\n"},
        {"@/a.inc": '%define NAME "@/b.inc"\n%include NAME\n', "@/b.inc": "db 1\n"},
    ),
    "require": including('%require "@/a.inc"'),
    "REQUIRE": including("%REQUIRE '@/a.inc'"),
    "require in braces": including('%{require} "@/a.inc"'),
    "require by a macro": including('%define NAME "@/a.inc"\n%require NAME'),
    "require in --before": including("db 0", "--before", '%require "@/a.inc"'),
    "require of what is included": including('%include "@/a.inc"\n%require "@/a.inc"'),
    "require of an include": Case(
        '%include "@/a.inc"\n',
        {"@/b.inc": "db 2\n"},
        {"@/a.inc": '%require "@/b.inc"\n', "@/b.inc": "db 1\n"},
    ),
    "include of what is required": Case(
        '%require "@/a.inc"\n',
        {"@/b.inc": "db 2\n"},
        {"@/a.inc": '%include "@/b.inc"\n', "@/b.inc": "db 1\n"},
    ),
    "pathsearch": including('%pathsearch NAME "@/a.inc"\n%include NAME'),
    "pathsearch by a macro": including('%define S "@/a.inc"\n%pathsearch NAME S\n%include NAME'),
    # incbin in every place and spelling.
    "incbin": including('incbin "@/a.inc"'),
    "IncBin": including('IncBin "@/a.inc"'),
    "incbin with a label": including('label: incbin "@/a.inc"'),
    "incbin with a label without colon": including('label incbin "@/a.inc"'),
    "incbin after a string": including("db ';', \"'\"\n incbin '@/a.inc'"),
    "incbin of a part": including('incbin "@/a.inc", 3, 1'),
    "incbin times": including('times 2 incbin "@/a.inc"'),
    "incbin by a macro": including('%define NAME "@/a.inc"\nincbin NAME'),
    "incbin times by a macro": including('%define NAME "@/a.inc"\ntimes 2 incbin NAME'),
    "incbin of another name": including('%define embed incbin\nembed "@/a.inc"'),
    "incbin times of another name": including('%define embed incbin\ntimes 2 embed "@/a.inc"'),
    "incbin pasted": including('in %+ cbin "@/a.inc"'),
    "incbin pasted without spaces": including('in%+cbin "@/a.inc"'),
    "incbin times pasted": including('times 2 in %+ cbin "@/a.inc"'),
    "incbin of two parameters": including('%macro M 2\n%1%2 "@/a.inc"\n%endmacro\nM inc, bin'),
    "incbin of a word and a parameter": including('%macro M 1\ninc%1 "@/a.inc"\n%endmacro\nM bin'),
    "incbin of a parameter and a word": including(
        '%macro M 1\n%{1}bin "@/a.inc"\n%endmacro\nM inc'
    ),
    "incbin times of parameters": including(
        '%macro M 2\ntimes 2 %1%2 "@/a.inc"\n%endmacro\nM inc, bin'
    ),
    "incbin of a made token": including('%strcat S "inc", "bin"\n%deftok embed S\nembed "@/a.inc"'),
    "incbin times of a made token": including(
        '%strcat S "inc", "bin"\n%deftok embed S\ntimes 2 embed "@/a.inc"'
    ),
    "incbin by an argument's name": including('embed "@/a.inc"', define=(("embed", "incbin"),)),
    "incbin times by an argument's name": including(
        'times 2 embed "@/a.inc"', define=(("embed", "incbin"),)
    ),
    "incbin in an argument": including("whole", define=(("whole", 'incbin "@/a.inc"'),)),
    "incbin with NULs": Case('incbin "@/a.bin"\n', {"@/a.bin": b"\0\0\1"}, {"@/a.bin": b"\0\0\0"}),
    # Arguments of NASM's.
    "-P": including("db 9", "-P@/a.inc"),
    "-P apart": including("db 9", "-P", "@/a.inc"),
    "-p": including("db 9", "-p@/a.inc"),
    "--include": including("db 9", "--include", "@/a.inc"),
    "--before": including("db 9", "--before", '%include "@/a.inc"'),
    "--before=": including("db 9", '--before=%include "@/a.inc"'),
    "--BEFORE": including("db 9", '--BEFORE=%include "@/a.inc"'),
    "--before by a macro": including("%include NAME", "--before", '%define NAME "@/a.inc"'),
    "-D names a file": including("%include NAME", '-DNAME="@/a.inc"'),
    "-D apart names a file": including("%include NAME", "-D", 'NAME="@/a.inc"'),
    "-d names a file": including("%include NAME", '-dNAME="@/a.inc"'),
    "define_macros names a file": including("%include NAME", define=(("NAME", '"@/a.inc"'),)),
    "-D with parameters": including("embed('@/a.inc')", "-Dembed(x)=incbin x"),
    "-I": in_folder("-I@"),
    "-I apart": in_folder("-I", "@/"),
    "-i": in_folder("-i@"),
    "-@": Case(
        "db 9\n",
        {"@/a.txt": "-DX\n-P@/b.inc\n"},
        {"@/a.txt": "-DX\n", "@/b.inc": "db 3\n"},
        args=("-&@/a.txt",),
    ),
    "what -@ includes": Case(
        "db 9\n",
        {"@/b.inc": "db 4\n"},
        {"@/a.txt": "-P@/b.inc\n", "@/b.inc": "db 3\n"},
        args=("-&", "@/a.txt"),
    ),
    "what -@ reads of the environment": Case(
        "db NUMBER\n",
        {"$V@": "5"},
        {"@/a.txt": "-DNUMBER=%!V@\n"},
        args=("-&", "@/a.txt"),
        environment={"V@": "4"},
    ),
    # The search for files.
    "another file is found first": another_first('%include "@.inc"\n'),
    "the first file is gone": Case(
        '%include "@.inc"\n',
        {"@/one/@.inc": None},
        {"@/one/@.inc": "db 2\n", "@/two/@.inc": "db 1\n"},
        include_dirs=("@/one", "@/two"),
    ),
    "the project's own is found first": Case(
        '%include "@.inc"\n',
        {"@.inc": "db 2\n"},
        {"@/two/@.inc": "db 1\n"},
        include_dirs=("@/two",),
    ),
    "the source's own is found first": Case(
        '%include "local.inc"\n',
        {"@/local.inc": "db 2\n"},
        {"@/two/local.inc": "db 1\n"},
        include_dirs=("@/two",),
    ),
    "by a macro another is found first": another_first('%define NAME "@.inc"\n%include NAME\n'),
    "incbin by a macro, another is found first": another_first(
        '%define NAME "@.inc"\nincbin NAME\n'
    ),
    "pathsearch finds the same elsewhere": another_first(
        '%pathsearch NAME "@.inc"\ndb NAME\n', "db 1\n"
    ),
    "pathsearch finds nothing any more": Case(
        '%pathsearch NAME "@.inc"\ndb NAME\n',
        {"@/two/@.inc": None},
        {"@/two/@.inc": "db 1\n"},
        include_dirs=("@/two",),
    ),
    # The environment.
    "variable": reading("db %!V@"),
    "variable in quotes": reading("db %!'V@'"),
    "variable in backquotes": reading("db %!`V@`"),
    "variable in braces": reading("db %{!V@}"),
    "variable in a string": reading("%defstr S %!V@\ndb S"),
    "variable in -D": reading("db NUMBER", "-DNUMBER=%!V@"),
    "variable in -D apart": reading("db NUMBER", "-D", "NUMBER=%!V@"),
    "variable in define_macros": reading("db NUMBER", define=(("NUMBER", "%!V@"),)),
    "variable in --before": reading("db NUMBER", "--before", "%define NUMBER %!V@"),
    "ifenv": asking("%ifenv V@"),
    "ifenv of a variable that goes": Case(
        "%ifenv V@\ndb 1\n%else\ndb 2\n%endif\n", {"$V@": None}, environment={"V@": "1"}
    ),
    "ifnenv": asking("%ifnenv V@"),
    "elifenv": Case("%if 0\n%elifenv V@\ndb 1\n%else\ndb 2\n%endif\n", {"$V@": "1"}),
    "IFENV": asking("%IFENV V@"),
    "ifenv in braces": asking("%{ifenv} V@"),
    "ifenv with a sign": asking("%ifenv %!V@"),
    "ifenv in quotes": asking("%ifenv %!'V@'"),
    "ifenv by a parameter": Case(
        "%macro M 1\n%ifenv %1\ndb 1\n%else\ndb 2\n%endif\n%endmacro\nM V@\n", {"$V@": "1"}
    ),
    "a variable chooses the file": Case(
        '%defstr S %!V@\n%strcat NAME "@/", S, ".inc"\n%include NAME\n',
        {"$V@": "b"},
        {"@/a.inc": "db 1\n", "@/b.inc": "db 2\n"},
        environment={"V@": "a"},
    ),
    "a variable in an include": Case(
        '%include "@/a.inc"\n', {"$V@": "5"}, {"@/a.inc": "db %!V@\n"}, environment={"V@": "4"}
    ),
    "a variable in an include by a macro": Case(
        '%define NAME "@/a.inc"\n%include NAME\n',
        {"$V@": "5"},
        {"@/a.inc": "db %!V@\n"},
        environment={"V@": "4"},
    ),
    "ifenv in an include by a macro": computed(
        "%ifenv V@\ndb 1\n%else\ndb 2\n%endif\n", {"$V@": "1"}
    ),
    # Behind a name that is not written out.
    "what an include by a macro includes": computed(
        '%include "@/b.inc"\n', {"@/b.inc": "db 2\n"}, b_inc="db 1\n"
    ),
    "what an include by a macro includes by a macro": computed(
        '%define N2 "@/b.inc"\n%include N2\n', {"@/b.inc": "db 2\n"}, b_inc="db 1\n"
    ),
    "what an include by a macro embeds": computed(
        'incbin "@/b.inc"\n', {"@/b.inc": "db 2\n"}, b_inc="db 1\n"
    ),
    "what an include by a macro embeds many times": computed(
        '%define N2 "@/b.inc"\ntimes 2 incbin N2\n', {"@/b.inc": "db 2\n"}, b_inc="db 1\n"
    ),
    "an include by a macro that chooses another": Case(
        '%define N1 "@/a.inc"\n%include N1\n%include N2\n',
        {"@/a.inc": '%define N2 "@/c.inc"\n'},
        {"@/a.inc": '%define N2 "@/b.inc"\n', "@/b.inc": "db 1\n", "@/c.inc": "db 2\n"},
    ),
    # The text itself, and the command.
    "the source": Case("db 1\n", {"@/m.asm": "db 2\n"}),
    "only a comment's line": Case("dd __?LINE?__\n", {"@/m.asm": "; one more\ndd __?LINE?__\n"}),
    "asmsetup's macros by a macro's value": Case(
        "dd NUMBER\n", {"@/m.asm": "dd NUMBER + 1\n"}, define=(("NUMBER", "PY_VERSION_HEX"),)
    ),
}


def own(text: str, name: str) -> str:
    return text.replace("@", name)


def place(changes: Mapping[str, str | bytes | None], name: str) -> None:
    for spelled, content in changes.items():
        path = own(spelled, name)
        if path.startswith("$"):
            if content is None:
                os.environ.pop(path[1:], None)
            else:
                os.environ[path[1:]] = str(content)
        elif content is None:
            Path(path).unlink()
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else own(content, name).encode()
            Path(path).write_bytes(data)


def build(folder: str, *, cache: bool) -> dict[str, bytes | str]:
    """Build every row; return each one's object, or why there is none."""
    objects: dict[str, bytes | str] = {}
    builder = Builder(
        Settings(cache=cache), target.running(), folder, Reporter(ignore, ignore, ignore)
    )
    for number, (title, case) in enumerate(CASES.items()):
        name = f"c{number}"
        options = AssemblerOptions(
            include_dirs=tuple(own(each, name) for each in case.include_dirs),
            define=tuple((key, own(value or "", name)) for key, value in case.define),
            # The sign of a response file is @, too.
            args=tuple(own(word, name).replace("&", "@") for word in case.args),
        )
        (wanted,) = builder.plan(Recipe("m", (f"{name}/m.asm",), options))
        jobs = builder.start([Wanted(wanted, name, vital=False)])
        try:
            builder.jobs.require(jobs)
            objects[title] = Path(wanted.path).read_bytes()
        except Exception as error:
            objects[title] = str(error)
    builder.finish()
    return objects


def ignore(text: str) -> None:
    """Ignore the text."""


@dataclass
class Built:
    """The objects of all rows."""

    before: dict[str, bytes | str]
    in_place: dict[str, bytes | str]
    from_cache: dict[str, bytes | str]
    right: dict[str, bytes | str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("fingerprint")
    environment, here = dict(os.environ), os.getcwd()
    os.chdir(folder)
    os.environ["ASMSETUP_CACHE_DIR"] = str(folder / "cache")
    try:
        for number, case in enumerate(CASES.values()):
            files = {"@/m.asm": f"section .data\n{case.text}", **case.files}
            place(
                {**files, **{f"${key}": each for key, each in case.environment.items()}},
                f"c{number}",
            )
        before = build("build", cache=True)
        for number, case in enumerate(CASES.values()):
            place(case.change, f"c{number}")
        in_place = build("build", cache=False)
        yield Built(before, in_place, build("clean", cache=True), build("alone", cache=False))
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)


@pytest.mark.parametrize("title", CASES)
def test_no_change_goes_unnoticed(built: Built, title: str) -> None:
    assert isinstance(built.before[title], bytes), built.before[title]
    assert built.right[title] != built.before[title], "the row changes nothing"
    assert built.in_place[title] == built.right[title]
    assert built.from_cache[title] == built.right[title]
