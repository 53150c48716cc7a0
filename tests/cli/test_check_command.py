"""asmsetup check: targets, formats and exit codes."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from asmsetup import include_dir
from asmsetup.check.code.verdicts import CodeFinding
from asmsetup.check.formats import as_github, as_sarif
from asmsetup.cli import main
from tests.check.assembled import function
from tests.checking import NASM, assembled, linked

GOOD = function("xor eax, eax / ret")
BAD = function("push rbx / mov rbx, rdi / ret")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("bad", BAD)):
        object_ = assembled(tmp_path / f"{name}.asm", text, "-g")
        linked(tmp_path / f"{name}.so", object_)
        linked(tmp_path / f"{name}-stripped.so", object_, "-s")
        subprocess.run(["ar", "qc", f"lib{name}.a", f"{name}.o"], check=True)
        with zipfile.ZipFile(f"{name}-1-py3-none-any.whl", "w") as wheel:
            wheel.write(f"{name}.so", f"pkg/{name}.so")
            wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    return tmp_path


TARGETS = ["{}.asm", "{}.o", "{}.so", "{}-stripped.so", "lib{}.a", "{}-1-py3-none-any.whl"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("target", TARGETS)
def test_each_kind_of_target(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", target.format("good")]) == 0
    assert "1 function, 0 findings, 1 of 1 entries checked" in capsys.readouterr().out

    assert main(["check", target.format("bad")]) == 1
    assert "[stack-at-return]" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_the_whole_text(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "bad.asm", "--select", "stack-at-return"])

    assert capsys.readouterr().out == (
        "bad.asm:7: error: the function returns with rsp 8 bytes lower than at entry: what lies"
        " there is taken for the return address [stack-at-return]\n"
        "    ret\n"
        "  in f\n"
        "  as many pops as pushes, and add what was subtracted, on every path to the return\n"
        "bad.asm: 1 function, 1 finding, 1 of 1 entries checked\n"
    )


@pytest.mark.usefixtures("folder")
def test_rules_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "bad.o", "--ignore", "stack-at-return,kept-register"]) == 0
    assert main(["check", "bad.o", "--select", "kept-register"]) == 1
    assert main(["check", "bad.o", "--select", "no-such-rule"]) == 2
    assert "there is no rule no-such-rule" in capsys.readouterr().err


def test_the_project_may_switch_rules_off(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.asmsetup.check.ignore]\nkept-register = "a test"\n'
        '[tool.asmsetup.check.severity]\nstack-at-return = "warning"\n'
    )
    assert main(["check", "bad.asm"]) == 1
    said = capsys.readouterr().out
    assert "warning: the function returns with rsp" in said
    assert "[kept-register]" not in said

    with (folder / "pyproject.toml").open("a") as file:
        file.write('[tool.asmsetup.check.sources."bad.asm"]\nstack-at-return = "a test"\n')
    assert main(["check", "bad.asm"]) == 0


@pytest.mark.usefixtures("folder")
def test_json_has_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "bad.so", "good.so"]) == 1
    document = json.loads(capsys.readouterr().out)

    assert document["version"] == 1
    bad, good = document["targets"]
    assert good["findings"] == []
    assert {found["rule"] for found in bad["findings"]} == {"stack-at-return", "kept-register"}
    assert bad["findings"][0]["line"] == 7
    assert bad["entries"] == [{"kind": "function", "name": "f", "function": "f", "reason": ""}]


@pytest.mark.usefixtures("folder")
def test_sarif_and_github(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--format", "sarif", "bad.so"])
    log = json.loads(capsys.readouterr().out)
    main(["check", "--format", "github", "bad.so"])

    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "bad.asm"}, "region": {"startLine": 7}}
    assert capsys.readouterr().out.startswith("::error file=bad.asm,line=7,title=")


def test_names_of_files_are_written_as_the_formats_want() -> None:
    found = CodeFinding("falls-off", "error", "a b/c,1%:d.asm", 3, "f", 0, "50 %", "", (), "ret")
    (result,) = json.loads(as_sarif([found]))["runs"][0]["results"]

    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/c%2C1%25%3Ad.asm"
    assert as_github([found]) == (
        "::error file=a b/c%2C1%25%3Ad.asm,line=3,title=falls-off::50 %25 (in f); ret"
    )


@pytest.mark.usefixtures("folder")
def test_what_was_not_looked_at_is_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("asmsetup.check.code.engine.MOST_INSTRUCTIONS", -1)

    assert main(["check", "good.so"]) == 0
    output = capsys.readouterr().out
    assert "0 of 1 entries checked" in output
    assert "incomplete: function f: the file is too large: not looked at" in output
    assert main(["check", "--json", "good.so"]) == 0
    (target,) = json.loads(capsys.readouterr().out)["targets"]
    assert target["incomplete"] == [
        {"function": "f", "reason": "the file is too large: not looked at"}
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\x7fELF", "it ends after 4 bytes"),
        (b"!<arch>\nrubbish" + bytes(60), "the archive is damaged"),
        (b"!<thin>\n", "a thin archive"),
        (b"text", "it is not an ELF file"),
    ],
)
def test_what_cannot_be_read(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)

    assert main(["check", str(tmp_path / "file")]) == 3
    assert words in capsys.readouterr().err


def test_what_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no-such-package-anywhere"]) == 2
    assert main(["check", str(tmp_path)]) == 2
    assert main(["check"]) == 2
    assert main(["check", str(tmp_path / "m.asm")]) == 3
    assert "there is no such source file" in capsys.readouterr().err


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--explain", "variadic-al"]) == 0
    assert "al says how many xmm registers hold arguments" in capsys.readouterr().out
    assert main(["check", "--rules"]) == 0
    assert "kept-register" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "annotate"])
def test_without_the_decoder(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("asmsetup.check.machine_code.find_spec", lambda name: None)

    assert main([command, "m.asm"]) == 3
    assert "pip install 'asmsetup[check]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "broken"),
    [
        ("PyObject_Str", []),
        ("PyUnicode_AsUTF8", ["PyUnicode_AsUTF8' is not in the stable ABI"]),
        ("PyErr_GetRaisedException", ["PyErr_GetRaisedException' is in the stable ABI only since"]),
    ],
)
def test_a_module_named_for_the_stable_abi(
    names: str, broken: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = function(f"push rax / call [rel {names} wrt ..got] / pop rcx / ret", names)
    object_ = assembled(folder / "named.asm", text, "-g")
    for name in ("named.abi3.so", "named.so"):
        linked(folder / name, object_)

    assert main(["check", "named.so"]) == 0
    capsys.readouterr()
    assert main(["check", "named.abi3.so"]) == int(bool(broken))
    output = capsys.readouterr().out
    assert all(f"named.asm:7: error: `{each}" in output for each in broken)
    assert output.count("[outside-stable-abi]") == len(broken)


@pytest.mark.usefixtures("folder")
def test_a_wheel_says_the_oldest_version(capsys: pytest.CaptureFixture[str]) -> None:
    source = function("jmp [rel PyErr_GetRaisedException wrt ..got]", "PyErr_GetRaisedException")
    linked(Path("named.abi3.so"), assembled(Path("named.asm"), source, "-g"))
    for tag, status in (("cp311", 1), ("cp312", 0)):
        wheel = f"named-1-{tag}-abi3-linux_x86_64.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.write("named.abi3.so")
        assert main(["check", wheel]) == status, capsys.readouterr().out


def test_wrong_arguments_of_macros_in_an_object_of_plain_nasm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in [("wrong", "1 << 64"), ("right", "1 << 62")]:
        Path(f"{name}.asm").write_text(
            f'%include "python.inc"\nPyModule m\nPyConstant "X", {value}\nPyEndModule\n'
        )
        nasm = [NASM, "-felf64", f"-I{include_dir()}/", f"{name}.asm", "-o", f"{name}.o"]
        subprocess.run(nasm, check=True)
    subprocess.run(["ar", "rc", "lib.a", "right.o", "wrong.o"], check=True)

    assert main(["check", "right.o"]) == 0
    assert main(["check", "wrong.o", "lib.a"]) == 3
    reason = "PyConstant adds signed integers of 64 bits, which 1 << 64 does not fit"
    first, call, second, _ = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: wrong.o: {reason}")
    assert call == '    PyConstant "X", 1 << 64'
    assert second.startswith(f"error: lib.a: lib.a(wrong.o): {reason}")


@pytest.mark.parametrize(
    ("source", "call"),
    [
        (
            "PyModule m\nPyFunction __len__, METH_O\nPyReturn rax\nPyEndFunction",
            "PyFunction __len__",
        ),
        ("PyModule m\nPyMethod '__len__', g, METH_O", "PyMethod '__len__'"),
        ("PyModule m\nPyFunction f, METH_O\nPyReturn 1 + 1\nPyEndFunction", "PyReturn 1 + 1"),
    ],
)
def test_a_wrong_call_is_shown_as_it_was_written(
    source: str,
    call: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.asm").write_text(f'%include "python.inc"\n{source}\nPyEndModule\ng: ret\n')
    subprocess.run([NASM, "-felf64", f"-I{include_dir()}/", "m.asm", "-o", "m.o"], check=True)

    assert main(["check", "m.o"]) == 3
    assert f"\n    {call}\n" in capsys.readouterr().err
