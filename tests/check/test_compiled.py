"""What compilers make: nothing is found in it that an author of assembly would have got wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from asmsetup.check.code.analysis import Verdict, analyse
from asmsetup.check.code.load import load_module, load_objects
from asmsetup.facts import elf
from tests.check.assembled import HEAD, rules

# A pointer to a function that never returns, and a place that is never reached behind a call.
ENDING = """
struct params { void (*leave)(int, const char *, ...) __attribute__((noreturn)); };
extern struct params *params;
extern void finish(int, int);
extern int use(int, int, int, int);
int argument(int a, int b, int c, int d) {
    if (a < 0) params->leave(2, "%d", b);
    return b * c + a - d;
}
int twice(int a, int b, int c, int d) {
    if (a < 0) params->leave(2, "%d", b);
    if (b < 0) params->leave(3, "%d", d);
    return use(d, c, b, a);
}
int deep(int a, int b, int c, int d) {
    if (a < 0) { int e = use(a, b, c, d); params->leave(2, "%d", e); }
    return b + d;
}
int unreachable(int a, int b, int c, int d) {
    if (a < 0) { finish(a, b); __builtin_unreachable(); }
    return b - d * c;
}
int loop(int a, int b, int c, int d) {
    while (b < c) { if (a < b) params->leave(4, "%d", b); b += d; c -= a; }
    return b;
}
"""


# A switch on a result, an int, a character, what is masked, fields, in a loop, and on addresses.
CASES = """
extern long PyLong_AsLong(void *);
extern int use(long);
struct node { char padding[6]; short kind; unsigned char sub; unsigned big; };
#define SEVEN(first, n) case first: return use(1); case first + 1: return use(2) + n; \\
    case first + 2: return n; case first + 3: return use(4) - n; case first + 4: return use(5); \\
    case first + 5: return use(6) * 3; case first + 6: return use(7) + 9 * n;
int result(void *number) { switch (PyLong_AsLong(number)) { SEVEN(0, 1) } return 0; }
int narrow(void *number) { switch ((int)PyLong_AsLong(number)) { SEVEN(-3, 2) } return 0; }
int character(void *x) { switch ((unsigned char)PyLong_AsLong(x)) { SEVEN('a', 3) } return 0; }
int masked(long x) { switch (x & 7) { SEVEN(0, 4) default: return use(x); } }
int field(struct node *x) {
    switch (x->kind) { SEVEN(10, 5) }
    switch (x->sub) { SEVEN(20, 6) }
    switch (x->big) { SEVEN(30, 7) }
    return 0;
}
long machine(char *at) {
    long sum = 0;
    for (;;) switch (*at++) {
        case 0: return use(sum);
        case 1: sum += 1; break;
        case 2: sum -= *at++; break;
        case 3: sum *= 3; break;
        case 4: if (use(sum) < 0) return 0; break;
        case 5: sum <<= 2; break;
        case 6: sum = use(7) + sum; break;
        default: use(9); return 0;
    }
}
long threaded(unsigned char *at) {
    static const void *const where[] = {&&stop, &&one, &&two, &&three};
    long sum = 0;
    goto *where[*at++ & 3];
stop: return use(sum);
one: sum += 1; goto *where[*at++ & 3];
two: sum *= 3; goto *where[*at++ & 3];
three: if (use(1) < 0) return 0; goto *where[*at++ & 3];
}
"""


@pytest.mark.parametrize(
    "options",
    [
        "clang-14 -O0 -fPIC",
        "clang-14 -O2 -fno-pic",
        "gcc -O0 -fPIC",
        "gcc -O0 -fno-pic",
        "gcc -O2 -fPIC",
        "gcc -Os -fno-pic",
    ],
)
def test_switches_are_followed(options: str, tmp_path: Path) -> None:
    for verdict in compiled(CASES, options, tmp_path):
        assert verdict.faults == []
        assert [verdict.image.name(gap.function) for gap in verdict.gaps] == []


def compiled(text: str, options: str, folder: Path) -> list[Verdict]:
    """Return what is found in an object, and in a module without symbols that is made of it."""
    (folder / "f.c").write_text(text)
    compiler, *others = options.split()
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not here")
    subprocess.run([compiler, *others, "-c", "f.c", "-o", "f.o"], cwd=folder, check=True)
    command = ["ld", "-shared", "-s", "--eh-frame-hdr", "f.o", "-o", "f.so"]
    verdicts = [analyse(load_objects([("f.o", elf.read(folder / "f.o"))]))]
    if "-fno-pic" not in options:
        subprocess.run(command, cwd=folder, check=True)
        verdicts.append(analyse(load_module("f.so", elf.read(folder / "f.so"))))
    return verdicts


@pytest.mark.parametrize(
    "options",
    [
        "gcc -O0 -fPIC",
        "gcc -O2 -fPIC",
        "gcc -O2 -fPIC -fno-reorder-blocks -fno-guess-branch-probability -fcf-protection",
        "gcc -Os -fPIC",
        "clang-14 -O2 -fPIC",
    ],
)
def test_what_follows_a_call_may_not_be_reached_from_it(options: str, tmp_path: Path) -> None:
    for verdict in compiled(ENDING, options, tmp_path):
        assert verdict.faults == []
        assert verdict.gaps == []


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        # rdi is not what it was where the loop comes round, by whatever is called.
        ("push rbx\n mov rbx, rdi\n.next: call [rbx]\n.again: dec rdi\n jnz .again", True),
        ("push rbx\n mov rbx, rdi\n call [rbx]\n nop\n.again: dec rdi\n jnz .again", True),
        ("push rbx\n mov rbx, rdi\n call [rbx]\n.again: dec eax\n jnz .again", False),
    ],
)
def test_what_follows_a_call_is_reached_where_an_author_wrote_it(
    body: str, broken: bool, tmp_path: Path
) -> None:
    text = f"{HEAD}global f:function\nf: {body}\n pop rbx\n ret\n"

    assert rules(tmp_path, text) == ({"clobbered-register"} if broken else set())
