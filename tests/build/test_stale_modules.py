"""A module that was built with other settings is neither imported nor packed in the place of the new one."""

from __future__ import annotations

import sysconfig

from tests.projects import Project

OWN = f"hello{sysconfig.get_config_var('EXT_SUFFIX')}"
ABI3 = "hello.abi3.so"


def answers(project: Project, number: int, *, abi3: bool) -> Project:
    source = (project.folder / "hello.asm").read_text()
    project.write({"hello.asm": source.replace("42", str(number)).replace("43", str(number))})
    return project.extension("hello", ["hello.asm"], py_limited_api=abi3)


def modules(project: Project) -> set[str]:
    return {path.name for path in project.folder.glob("hello.*so")}


def test_what_would_be_imported_first_goes(hello: Project) -> None:
    answers(hello, 42, abi3=False).build_ext()
    assert modules(hello) == {OWN}

    said = answers(hello, 43, abi3=True).build_ext().output

    assert f"removing {OWN}, which would be imported instead\n" in said
    assert modules(hello) == {ABI3}
    assert hello.answer() == "43"


def test_what_is_for_other_pythons_stays(hello: Project) -> None:
    answers(hello, 42, abi3=True).build_ext()
    other = "hello.cpython-399-x86_64-linux-gnu.so"
    hello.write({other: "of another Python"})

    answers(hello, 43, abi3=False).build_ext()

    # 3.12 may have use for the one with the stable ABI.
    assert modules(hello) == {OWN, ABI3, other}
    assert hello.answer() == "43"


def test_a_wheel_has_the_module_once(hello: Project) -> None:
    answers(hello, 42, abi3=False).wheel().path.unlink()
    wheel = answers(hello, 43, abi3=True).wheel()
    assert wheel.payload == [ABI3]
    wheel.path.unlink()
    assert answers(hello, 42, abi3=False).wheel().payload == [OWN]
