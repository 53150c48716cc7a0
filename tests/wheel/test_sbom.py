"""The bill of materials: on request, in the wheel, with NASM's version, and the same each time."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess

from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, Wheel

PLACE = "hello-1.0.dist-info/sboms/asmsetup.cdx.json"


def wheel_of(project: Project) -> Wheel:
    shutil.rmtree(project.folder / "dist", ignore_errors=True)
    shutil.rmtree(project.folder / "build", ignore_errors=True)
    return project.wheel()


def test_without_the_setting_there_is_none(hello: Project) -> None:
    assert not [name for name in hello.wheel().files if "sboms" in name]


def test_what_is_in_it(hello: Project) -> None:
    hello.write({"pyproject.toml": PYPROJECT + "\n[tool.asmsetup]\nsbom = true\n"})

    wheel = wheel_of(hello)

    bill = json.loads(wheel.files[PLACE])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    about = bill["metadata"]["component"]
    assert (about["name"], about["version"], about["purl"]) == (
        "hello",
        "1.0",
        "pkg:pypi/hello@1.0",
    )
    tools = {each["name"]: each["version"] for each in bill["metadata"]["tools"]["components"]}
    said = subprocess.run(["nasm", "-v"], capture_output=True, text=True, check=True).stdout
    (version,) = re.findall(r"NASM version (\d+[.]\d+)", said)
    assert tools["NASM"].startswith(version)
    assert {*tools} == {"NASM", "asmsetup", "setuptools"}
    (module,) = bill["components"]
    assert module["name"] in wheel.files
    digest = hashlib.sha256(wheel.files[module["name"]]).hexdigest()
    assert module["hashes"] == [{"alg": "SHA-256", "content": digest}]
    (depends,) = bill["dependencies"]
    assert depends == {"ref": about["bom-ref"], "dependsOn": [module["bom-ref"]]}
    assert PLACE.encode() in wheel.files["hello-1.0.dist-info/RECORD"]


def test_it_is_reproducible(hello: Project) -> None:
    hello.write({"pyproject.toml": PYPROJECT + "\n[tool.asmsetup]\nsbom = true\n"})

    assert wheel_of(hello).files[PLACE] == wheel_of(hello).files[PLACE]


def test_libraries_are_named(project: MakeProject) -> None:
    hello: Project = project()
    hello.write({"pyproject.toml": PYPROJECT + "\n[tool.asmsetup]\nsbom = true\n"})
    hello.extension("hello", ["hello.asm"], libraries=["z"], extra_link_args=["-Wl,--no-as-needed"])

    bill = json.loads(wheel_of(hello).files[PLACE])

    assert "libz.so.1" in [each["name"] for each in bill["components"] if each["type"] == "library"]
