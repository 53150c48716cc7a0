"""What distributions, package managers and people export: taken where it is meant, else named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.conftest import MakeProject
from tests.projects import ANSWERING, Project, installed_aside, run, tool
from tools.matrix.interpreters import ALL

# As their build systems give them.
LDFLAGS = {
    "Debian": "-Wl,-z,relro -Wl,-z,now -flto=auto -ffat-lto-objects -Wl,-Bsymbolic-functions",
    "Ubuntu": "-Wl,-Bsymbolic-functions -flto=auto -ffat-lto-objects -Wl,-z,relro -Wl,-z,now",
    "Fedora": "-Wl,-z,relro -Wl,--as-needed -Wl,-z,pack-relative-relocs -Wl,-z,now"
    " -Wl,--build-id=sha1",
    "Arch": "-Wl,-O1 -Wl,--sort-common -Wl,--as-needed -Wl,-z,relro -Wl,-z,now"
    " -Wl,-z,pack-relative-relocs -flto=auto",
    "Gentoo": "-Wl,-O1 -Wl,--as-needed -Wl,-z,pack-relative-relocs"
    " -Wl,--defsym=__gentoo_check_ldflags__=0",
    "Alpine": "-Wl,--as-needed,-O1,--sort-common",
    "conda": "-Wl,-O2 -Wl,--sort-common -Wl,--as-needed -Wl,-z,relro -Wl,-z,now"
    " -Wl,--disable-new-dtags -Wl,--gc-sections -Wl,--allow-shlib-undefined -L/nowhere/lib",
    "Nix": "-L/nix/store/none/lib -Wl,--enable-new-dtags",
    "openSUSE": "-flto=auto -Wl,-z,relro,-z,now",
    "coverage": "--coverage",
    "profile": "-fprofile-arcs -lgcov",
    "position-independent": "-pie",
    "static-pie": "-static-pie",
    "clang": "-fuse-ld=lld -rtlib=compiler-rt --unwindlib=libgcc -Qunused-arguments",
    "target": "-target x86_64-linux-gnu",
    "param": "--param ssp-buffer-size=4 -isystem /opt/include -B/usr/bin",
    "no libraries": "-nostdlib -nodefaultlibs -nostartfiles",
}
# What only a driver of gcc's kind takes is tried with modules of assembly alone.
ONLY_PURE = {"clang", "target", "position-independent", "static-pie", "no libraries"}


@pytest.fixture
def mixed(hello: Project) -> Project:
    """The plain project with a C source more."""
    hello.write({"more.c": "int more_of_it(void) { return 1; }\n"})
    return hello.extension("hello", ["hello.asm", "more.c"])


@pytest.mark.parametrize("distribution", LDFLAGS)
def test_a_distributions_ldflags(hello: Project, distribution: str) -> None:
    hello.build_ext(LDFLAGS=LDFLAGS[distribution])

    assert hello.answer() == "42"
    assert [symbol.name for symbol in elf.read(hello.module()).exported] == ["PyInit_hello"]


@pytest.mark.parametrize("distribution", sorted(set(LDFLAGS) - ONLY_PURE))
def test_a_distributions_ldflags_with_c(mixed: Project, distribution: str) -> None:
    mixed.build_ext(LDFLAGS=LDFLAGS[distribution])

    assert mixed.answer() == "42"


DEFINED = "CPython's names are defined by the interpreter alone: take it out"
CANNOT_WORK = {
    "-Wl,-O1 -Wl,-z,defs": f"LDFLAGS has `-Wl,-z,defs', and {DEFINED}",
    "-Wl,--no-undefined -lm": f"LDFLAGS has `-Wl,--no-undefined', and {DEFINED}",
    "-pthread -z defs": f"LDFLAGS has `-z defs', and {DEFINED}",
    "-Wl,-z -Wl,defs": f"LDFLAGS has `-Wl,-z -Wl,defs', and {DEFINED}",
    "-Xlinker -z -Xlinker defs": f"LDFLAGS has `-Xlinker -z -Xlinker defs', and {DEFINED}",
    "-Wl,--unresolved-symbols=report-all": f"report-all', and {DEFINED}",
    "-Wl,--no-such-option -O2": "LDFLAGS has `-Wl,--no-such-option': take it out",
    "-Wl,--version-script=x": "LDFLAGS has `-Wl,--version-script=x': take it out",
    "-Wl,--dynamic-list=x": "LDFLAGS has `-Wl,--dynamic-list=x': take it out",
    "-Wl,-plugin-opt=x": "LDFLAGS has `-Wl,-plugin-opt=x': take it out",
    "-T x.ld -s": "LDFLAGS has `-T x.ld': take it out",
    "-Wl,-T,x.ld": "LDFLAGS has `-Wl,-T,x.ld': take it out",
    "-Wl,-z,nodlopen": "LDFLAGS has `-Wl,-z,nodlopen': take it out",
    "-Wl,-z,execstack": "LDFLAGS has `-Wl,-z,execstack': take it out",
    "-Wl,-pie": "LDFLAGS has `-Wl,-pie': take it out",
    "-Wl,-no-pie": "LDFLAGS has `-Wl,-no-pie': take it out",
    "-Wl,-m,elf_i386": "LDFLAGS has `-Wl,-m,elf_i386': take it out",
    "-Wl,--oformat=binary": "LDFLAGS has `-Wl,--oformat=binary': take it out",
    "-framework Foo": "LDFLAGS has `-framework Foo': take it out",
    "@none": "LDFLAGS has `@none': take it out",
    "none.o": "LDFLAGS has `none.o': take it out",
    "-lz -L": "LDFLAGS has `-L': take it out",
    "-m32": "LDFLAGS has `-m32', which makes code that is not 64-bit",
    "-r": "LDFLAGS has `-r', which asks for an object",
    "-Wl,-i": "LDFLAGS has `-Wl,-i', which asks for an object",
    "-c": "LDFLAGS has `-c', which has nothing linked",
    "-Wl,--version": "LDFLAGS has `-Wl,--version', which has nothing linked",
    "-Xlinker --help": "LDFLAGS has `--help', which has nothing linked",
    "-Wl,-o,x.so": "LDFLAGS has `-Wl,-o,x.so', which names another file than the module",
    "--target=aarch64-linux-gnu": "LDFLAGS has `--target=aarch64-linux-gnu', which is another",
    "-target arm64-apple-darwin": "LDFLAGS has `-target arm64-apple-darwin', which is another",
}
"""Words, and how the advice begins."""
CANNOT_WORK_WITH_C = (
    *("-Wl,-O1 -Wl,-z,defs", "-Wl,--version-script=x", "-T x.ld -s", "-Wl,-z,nodlopen", "-c"),
    *("-Wl,-pie", "-lz -L", "-Wl,-o,x.so", "@none", "-target arm64-apple-darwin"),
    # What a driver does not take, and a bare ld is not given.
    *("-specs=none", "-static", "-fuse-ld=none", "-fno-such-option"),
)


@pytest.mark.parametrize("ldflags", CANNOT_WORK)
def test_what_cannot_work_is_named(hello: Project, ldflags: str) -> None:
    error = hello.refused(LDFLAGS=ldflags)

    assert CANNOT_WORK[ldflags] in error
    assert error.count("take it out") == 1
    assert "name the library that defines it" not in error
    assert ".tmp" not in error.partition("LDFLAGS has")[0]
    # The cure: without that word it builds.
    word = re.search(r"LDFLAGS has `(.*?)'", error)[1]  # type: ignore[index]
    hello.build_ext(LDFLAGS=ldflags.replace(f"-Xlinker {word}", word).replace(word, ""))
    assert hello.answer() == "42"


@pytest.mark.parametrize("ldflags", CANNOT_WORK_WITH_C)
def test_what_cannot_work_is_named_with_c(mixed: Project, ldflags: str) -> None:
    error = mixed.refused(LDFLAGS=ldflags)

    assert CANNOT_WORK.get(ldflags, f"LDFLAGS has `{ldflags}': take it out") in error
    assert not list(mixed.folder.glob("*.so"))


@pytest.mark.parametrize(
    ("keyword", "setting", "said"),
    [
        (["-Wl,-pie", "-O2"], "[]", "extra_link_args has `-Wl,-pie': take it out"),
        (["-O2"], '["-pie", "--gc-sections"]', "ld-args has `-pie': take it out"),
    ],
)
@pytest.mark.parametrize("sources", [["hello.asm"], ["hello.asm", "more.c"]])
def test_each_origin_is_named(
    hello: Project, sources: list[str], keyword: list[str], setting: str, said: str
) -> None:
    hello.write({"more.c": "int more_of_it(void) { return 1; }\n"})
    hello.settings(f"ld-args = {setting}").extension("hello", sources, extra_link_args=keyword)

    assert said in hello.refused(LDFLAGS="-Wl,-O1")


def test_a_mistake_of_the_sources_is_not_blamed_on_options(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"], libraries=["nowhere"])

    assert "has `" not in hello.refused(LDFLAGS="-Wl,-O1 -Wl,--as-needed")


def test_two_options_at_fault_are_both_named(hello: Project) -> None:
    error = hello.refused(LDFLAGS="-Wl,-O1 -Wl,-z,defs -lm -Wl,-pie")

    assert re.findall("LDFLAGS has `(.*?)'", error) == ["-Wl,-z,defs", "-Wl,-pie"]


@pytest.mark.parametrize(
    "ldflags",
    [
        "",
        "-o foo.so",
        "-ofoo.so",
        "--ld-path=/usr/bin/ld",
        "-fuse-ld=none",
        "-specs=none",
        "-static",
        "-v",
        "-fuse-linker-plugin",
        "-Wl,-soname,other.so",
        "-Wl,--entry,PyInit_hello",
        "@words",
        "@words @words",
        "'-L/opt/my lib' -Lrelative",
        "-Wl,-rpath-link,'/opt/my lib'",
    ],
)
def test_what_works(hello: Project, ldflags: str) -> None:
    hello.write({"words": "-Wl,--as-needed -pthread\n'-L/a b' @words2", "words2": "-O2 @words2"})
    (hello.folder / "words2").write_text("-O2 -Wl,-s")

    hello.build_ext(LDFLAGS=ldflags)

    assert hello.answer() == "42"
    assert not (hello.folder / "foo.so").exists()


def test_the_linker_that_ldflags_name(hello: Project) -> None:
    """Its own options are for it alone."""
    bin_ = hello.folder.parent / "bin"
    bin_.mkdir()
    (bin_ / "ld.lld").symlink_to(linker_path("ld.lld-14"))
    path = f"{bin_}:{hello.env['PATH']}"

    hello.build_ext(LDFLAGS="-fuse-ld=lld -Wl,--icf=all -Wl,--threads=1", PATH=path)
    assert hello.answer() == "42"

    # LD goes first.
    error = hello.refused(LDFLAGS="-fuse-ld=lld -Wl,--icf=all", PATH=path, LD="ld.bfd")
    assert "LDFLAGS has `-Wl,--icf=all': take it out" in error


def test_no_run_path_of_the_environments(hello: Project) -> None:
    hello.build_ext(LD_RUN_PATH="/opt/spack/lib")

    assert elf.read(hello.module()).runpath is None


def test_no_run_path_of_the_interpreters_own_with_c(mixed: Project) -> None:
    mixed.build_ext(ASMSETUP_STRICT="1", LD_RUN_PATH="/opt/spack/lib")

    assert elf.read(mixed.module()).runpath is None
    assert mixed.answer() == "42"


@pytest.mark.parametrize("sources", [["hello.asm"], ["hello.asm", "more.c"]])
@pytest.mark.parametrize("folder", ["$ORIGIN/lib", "/opt/mine"])
def test_the_run_path_that_was_asked_for(hello: Project, sources: list[str], folder: str) -> None:
    hello.write({"more.c": "int more_of_it(void) { return 1; }\n"})
    hello.extension("hello", sources, runtime_library_dirs=[folder])

    hello.build_ext(ASMSETUP_STRICT="1")

    assert elf.read(hello.module()).runpath == folder


def test_origin_is_no_folder_of_this_machine(hello: Project) -> None:
    hello.build_ext(LDFLAGS="-Wl,-rpath,$ORIGIN/../lib", ASMSETUP_STRICT="1")

    assert elf.read(hello.module()).runpath == "$ORIGIN/../lib"


CALLS = """\
%include "module.inc"
extern kern
MODULE hello, ask
ask:
    push rax
    call kern wrt ..plt
    mov edi, eax
    pop rax
    jmp PyLong_FromLong wrt ..plt
"""


@pytest.mark.parametrize("kind", ["so", "a"])
def test_library_path(hello: Project, kind: str) -> None:
    folder = hello.folder.parent / "lib"
    folder.mkdir()
    (folder / "kern.c").write_text("int kern(void) { return 42; }\n")
    made = "libkern.so" if kind == "so" else "kern.o"
    words = ("gcc", "-fPIC", *(("-shared",) if kind == "so" else ("-c",)), "kern.c", "-o", made)
    run(*words, cwd=folder, env=hello.env)
    if kind == "a":
        run("ar", "rc", "libkern.a", "kern.o", cwd=folder, env=hello.env)
    hello.write({"hello.asm": CALLS})
    hello.extension("hello", ["hello.asm"], libraries=["kern"])

    hello.build_ext(LIBRARY_PATH=f"/nowhere:{folder}")

    hello.env["LD_LIBRARY_PATH"] = str(folder)
    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("library", "function"),
    [
        ("gomp", "omp_get_num_threads"),
        ("gcc", "__popcountdi2"),
        ("atomic", "__atomic_is_lock_free"),
    ],
)
def test_a_library_of_the_compilers_own(hello: Project, library: str, function: str) -> None:
    hello.write(
        {"hello.asm": CALLS.replace("kern", function).replace("mov edi, eax", "mov edi, 42")}
    )
    hello.extension("hello", ["hello.asm"], libraries=[library])

    hello.build_ext()

    assert hello.answer() == "42"


def test_a_library_that_nobody_has(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"], libraries=["nowhere"])

    assert "cannot find -lnowhere" in hello.refused()


def linker_path(name: str) -> str:
    path = shutil.which(name) or str(Path("/usr/lib/llvm-14/bin", name))
    if not Path(path).exists():
        pytest.skip(f"no {name} on this machine")
    return path


@pytest.mark.parametrize("linker", ["ld.bfd", "ld.gold", "ld.lld-14", "mold", "ld-2.47"])
@pytest.mark.parametrize("kind", ["library", "macros", "debug"])
def test_another_linker(hello: Project, linker: str, kind: str) -> None:
    path = tool(linker) if linker == "ld-2.47" else linker_path(linker)
    if kind == "library":
        hello.write({"hello.asm": CALLS.replace("kern", "getpid").replace("edi, eax", "edi, 42")})
    if kind == "macros":
        hello.settings("universal = true")
        hello.write({"hello.asm": ANSWERING.format("hello")})
    hello.build_ext(LD=path, ASMSETUP_DEBUG="1" if kind == "debug" else "0")

    facts = elf.read(hello.module())
    assert hello.answer() == "42"
    entries = ["PyModExport_hello"] if kind == "macros" else []
    assert sorted(symbol.name for symbol in facts.exported) == ["PyInit_hello", *entries]
    assert facts.stack_flags == "RW"
    assert facts.relro
    assert facts.bind_now


@pytest.mark.parametrize("linker", ["ld.bfd", "ld.gold", "ld.lld-14", "mold"])
def test_everything_is_exported_by_any_linker(hello: Project, linker: str) -> None:
    source = CALLS.replace("extern kern", "global kern:function").replace(
        "call kern wrt ..plt", "call kern"
    )
    hello.write({"hello.asm": source + "kern:\n    mov eax, 42\n    ret\n"})
    hello.extension("hello", ["hello.asm"], export_symbols=["*"])

    hello.build_ext(LD=linker_path(linker))

    exported = {symbol.name for symbol in elf.read(hello.module()).exported}
    assert exported >= {"PyInit_hello", "kern"}


@pytest.mark.parametrize("linker", ["bfd", "gold", "lld", "mold"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-14", "ccache gcc"])
def test_another_linker_with_c(mixed: Project, linker: str, compiler: str) -> None:
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"no {compiler.split()[0]} on this machine")
    bin_ = mixed.folder.parent / "bin"
    bin_.mkdir()
    names = {"lld": "ld.lld-14", "gold": "ld.gold", "bfd": "ld.bfd", "mold": "mold"}
    (bin_ / f"ld.{linker}").symlink_to(linker_path(names[linker]))
    mixed.build_ext(
        CC=compiler,
        LDSHARED=f"{compiler} -shared",
        LDFLAGS=f"-fuse-ld={linker} -B{bin_}",
        PATH=f"{bin_}:{mixed.env['PATH']}",
        CCACHE_DIR=str(mixed.folder.parent / "ccache"),
    )

    assert mixed.answer() == "42"
    assert [symbol.name for symbol in elf.read(mixed.module()).exported] == ["PyInit_hello"]


def test_names_that_are_not_defined_are_not_in_the_version_script(mixed: Project) -> None:
    mixed.build_ext(LDFLAGS="-Wl,--no-undefined-version")

    assert mixed.answer() == "42"


@pytest.mark.skipif(not ALL, reason="ASMSETUP_TEST_ALL is not set (make test-matrix)")
def test_zig(mixed: Project, project: MakeProject) -> None:
    folder = installed_aside(mixed.python, "ziglang")
    zig = mixed.folder.parent / "zig"
    zig.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {mixed.python.path} -m ziglang "$@"\n')
    zig.chmod(0o755)
    mixed.build_ext(
        CC=f"{zig} cc", LDSHARED=f"{zig} cc -shared", ZIG_GLOBAL_CACHE_DIR=str(folder / "cache")
    )

    assert mixed.answer() == "42"
