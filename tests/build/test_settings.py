"""Settings from pyproject.toml, the environment and the front ends' -C reach the build; a wrong one ends it."""

from __future__ import annotations

import pytest

from asmsetup.facts import elf
from tests.projects import Project

SKIPPED, TAGGED = "linux_x86_64", "manylinux1_x86_64.manylinux_2_5_x86_64"


def platform(project: Project) -> str:
    return project.built_wheel().tag.split("-")[2]


def test_pyproject(hello: Project) -> None:
    hello.settings('auditwheel = "skip"').backend("build_wheel", "dist")

    assert platform(hello) == SKIPPED


def test_the_environment_overrides_pyproject(hello: Project) -> None:
    hello.settings('auditwheel = "skip"').backend(
        "build_wheel", "dist", ASMSETUP_AUDITWHEEL="repair"
    )

    assert platform(hello) == TAGGED


@pytest.mark.parametrize(
    "front_end",
    [
        ("pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."),
        ("build", "--no-isolation", "--wheel", "."),
        ("build", "--no-isolation", "."),
    ],
    ids=["pip", "build", "build from the sdist"],
)
def test_config_settings_override_the_environment(
    hello: Project, front_end: tuple[str, ...]
) -> None:
    hello.run("-m", *front_end, "-C", "asmsetup.auditwheel=skip", ASMSETUP_AUDITWHEEL="repair")

    assert platform(hello) == SKIPPED


def test_debug_of_the_settings(hello: Project) -> None:
    hello.settings("debug = true").build_ext()

    assert elf.read(hello.module()).section(".debug_line")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "debg = true",
            "[tool.asmsetup] debg in pyproject.toml: there is no such setting\n"
            "  did you mean debug?\n",
        ),
        (
            'jobs = "many"',
            "[tool.asmsetup] jobs in pyproject.toml is 'many', and must be a whole number of at least 1",
        ),
    ],
)
def test_a_wrong_setting_ends_the_build(hello: Project, line: str, said: str) -> None:
    error = hello.settings(line).refused()

    assert error.startswith(said)
    assert not list(hello.folder.glob("*.so"))


def test_a_wrong_config_setting_ends_the_build(hello: Project) -> None:
    run = hello.backend("build_wheel", "dist", {"asmsetup.auditwheel": "yes"}, ok=False)

    assert (
        'config setting asmsetup.auditwheel is \'yes\', and must be "repair", "check" or "skip"'
        in run.output
    )
    assert "Traceback" not in run.output


def test_a_wrong_setting_does_not_end_a_metadata_call(hello: Project) -> None:
    hello.settings("debg = true")
    (hello.folder / "metadata").mkdir()

    hello.backend("prepare_metadata_for_build_wheel", "metadata")

    assert (hello.folder / "metadata/hello-1.0.dist-info/METADATA").exists()
