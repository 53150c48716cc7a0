"""The bill of materials: on request, in the wheel, with NASM's version, and the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess

from tests.conftest import MakeProject
from tests.projects import CALLING, PYPROJECT, Project, Wheel

CALLING_NUMBER = CALLING.replace("answer(void)", "number(void)").replace("answer()", "number()")
PLACE = "hello-1.0.dist-info/sboms/asmsetup.cdx.json"


def wheel_of(project: Project, **environment: str) -> Wheel:
    shutil.rmtree(project.folder / "dist", ignore_errors=True)
    shutil.rmtree(project.folder / "build", ignore_errors=True)
    return project.wheel(None, **environment)


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


def test_grafted_libraries(hello: Project) -> None:
    hello.write({"number.c": "int number(void) { return 42; }\n", "hello.c": CALLING_NUMBER})
    lib = ["-shared", "-fPIC", "number.c", "-o", "libnumber.so.1", "-Wl,-soname,libnumber.so.1"]
    subprocess.run(["gcc", *lib], cwd=hello.folder, check=True)
    (hello.folder / "libnumber.so").symlink_to("libnumber.so.1")
    keywords = {"libraries": ["number"], "library_dirs": ["."]}
    hello.settings("sbom = true").write({"empty.asm": "section .rodata\ndb 1\n"})
    hello.extension("hello", ["hello.c", "empty.asm"], **keywords)
    environment = {"LD_LIBRARY_PATH": str(hello.folder), "SOURCE_DATE_EPOCH": "1700000000"}
    environment["PATH"] = f"{hello.python.path.parent}{os.pathsep}{os.environ['PATH']}"

    wheel = hello.wheel(None, **environment)

    bill = json.loads(wheel.files[PLACE])
    module, library = bill["components"]
    (grafted,) = [name for name in wheel.files if name.startswith("hello.libs/libnumber-")]
    for component, path in ((module, module["name"]), (library, grafted)):
        digest = hashlib.sha256(wheel.files[path]).hexdigest()
        assert component["hashes"] == [{"alg": "SHA-256", "content": digest}], path
    assert (library["type"], library["name"]) == ("library", "libnumber.so.1")
    assert library["evidence"] == {"occurrences": [{"location": grafted}]}
    assert bill["dependencies"][0]["dependsOn"] == [module["bom-ref"], library["bom-ref"]]
    tools = [each["name"] for each in bill["metadata"]["tools"]["components"]]
    assert tools == ["asmsetup", "auditwheel", "setuptools", "NASM"]
    recorded = base64.urlsafe_b64encode(hashlib.sha256(wheel.files[PLACE]).digest()).rstrip(b"=")
    assert recorded in wheel.files["hello-1.0.dist-info/RECORD"]
    content = wheel.path.read_bytes()
    assert wheel_of(hello, **environment).path.read_bytes() == content


def test_libraries_are_named(project: MakeProject) -> None:
    hello: Project = project()
    hello.write({"pyproject.toml": PYPROJECT + "\n[tool.asmsetup]\nsbom = true\n"})
    hello.extension("hello", ["hello.asm"], libraries=["z"], extra_link_args=["-Wl,--no-as-needed"])

    bill = json.loads(wheel_of(hello).files[PLACE])

    assert "libz.so.1" in [each["name"] for each in bill["components"] if each["type"] == "library"]
