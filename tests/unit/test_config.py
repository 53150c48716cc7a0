"""The settings: what may be said where, who wins, and how a wrong one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from asmsetup import config
from asmsetup.errors import ConfigError
from asmsetup.versions import NEWEST

VERSION_IS_DUE = 'must be a Python version from "3.10" to "{}.{}"'.format(*NEWEST)


def load(
    folder: Path,
    table: str = "",
    environ: Mapping[str, str] | None = None,
    config_settings: Mapping[str, object] | None = None,
) -> config.Settings:
    (folder / "pyproject.toml").write_text(f"[tool.asmsetup]\n{table}\n")
    return config.load(str(folder), environ or {}, config_settings)


def test_nothing_said(tmp_path: Path) -> None:
    assert config.load(str(tmp_path), {}) == config.Settings(auditwheel="repair")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ('nasm = "/opt/nasm"', "nasm", "/opt/nasm"),
        ('ld = "ld.bfd"', "ld", "ld.bfd"),
        ('nasm-args = ["-w+all", "-DA=b c"]', "nasm_args", ("-w+all", "-DA=b c")),
        ('ld-args = ["-z", "now"]', "ld_args", ("-z", "now")),
        ("debug = true", "debug", True),
        ("strict = true", "strict", True),
        ('auditwheel = "check"', "auditwheel", "check"),
        ('auditwheel = "skip"', "auditwheel", "skip"),
        ('limited-api = "3.10"', "limited_api", (3, 10)),
        ("jobs = 3", "jobs", 3),
    ],
)
def test_a_setting_in_pyproject(tmp_path: Path, line: str, key: str, value: object) -> None:
    assert getattr(load(tmp_path, line), key) == value


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("ASMSETUP_NASM", "/opt/nasm", "nasm", "/opt/nasm"),
        ("ASMSETUP_LD", "ld.bfd", "ld", "ld.bfd"),
        ("ASMSETUP_NASM_ARGS", "-w+all '-DA=b c'", "nasm_args", ("-w+all", "-DA=b c")),
        ("ASMSETUP_LD_ARGS", "-z now", "ld_args", ("-z", "now")),
        ("ASMSETUP_DEBUG", "1", "debug", True),
        ("ASMSETUP_DEBUG", "off", "debug", False),
        ("ASMSETUP_STRICT", "Yes", "strict", True),
        ("ASMSETUP_AUDITWHEEL", "skip", "auditwheel", "skip"),
        ("ASMSETUP_LIMITED_API", "3.11", "limited_api", (3, 11)),
        ("ASMSETUP_JOBS", "2", "jobs", 2),
        ("NASM", "/usr/bin/nasm", "nasm", "/usr/bin/nasm"),
        ("LD", "/usr/bin/ld", "ld", "/usr/bin/ld"),
        ("NASMFLAGS", "-O0 -DX", "nasm_args", ("-O0", "-DX")),
        ("LDFLAGS", "-Wl,-z,now -L/lib", "ldflags", ("-Wl,-z,now", "-L/lib")),
    ],
)
def test_a_setting_in_the_environment(
    tmp_path: Path, variable: str, value: str, key: str, expected: object
) -> None:
    assert getattr(load(tmp_path, environ={variable: value}), key) == expected


@pytest.mark.parametrize(
    ("table", "environ", "config_settings", "winner"),
    [
        ('nasm = "file"', {}, {}, "file"),
        ('nasm = "file"', {"NASM": "tool"}, {}, "tool"),
        ('nasm = "file"', {"NASM": "tool", "ASMSETUP_NASM": "own"}, {}, "own"),
        (
            'nasm = "file"',
            {"NASM": "tool", "ASMSETUP_NASM": "own"},
            {"asmsetup.nasm": "front end"},
            "front end",
        ),
        # An empty NASM says nothing.
        ('nasm = "file"', {"NASM": ""}, {}, "file"),
    ],
)
def test_who_wins(
    tmp_path: Path,
    table: str,
    environ: Mapping[str, str],
    config_settings: Mapping[str, object],
    winner: str,
) -> None:
    assert load(tmp_path, table, environ, config_settings).nasm == winner


def test_nasmflags_are_added(tmp_path: Path) -> None:
    settings = load(tmp_path, 'nasm-args = ["-DA"]', {"NASMFLAGS": "-DB"})

    assert settings.nasm_args == ("-DA", "-DB")


def test_other_config_settings_are_not_ours(tmp_path: Path) -> None:
    given = {"--build-option": ["--verbose"], "asmsetup.debug": "true"}

    assert load(tmp_path, config_settings=given).debug


_LIST = "must be a list of strings"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nasm = 3", "nasm in pyproject.toml is 3, and must be a non-empty string"),
        ('nasm = ""', "is '', and must be a non-empty string"),
        ('nasm-args = "-O0"', _LIST),
        ("nasm-args = [1]", _LIST),
        ("ld-args = true", _LIST),
        ('debug = "maybe"', 'must be true, false or "split"'),
        ("debug = 1", 'must be true, false or "split"'),
        ('debug = "yes"', "is 'yes', and must be true, false or \"split\""),
        ('strict = "true"', "is 'true', and must be true or false"),
        ('cache = "no"', "is 'no', and must be true or false"),
        ("strict = []", "must be true or false"),
        ('auditwheel = "repare"', 'must be "repair", "check" or "skip"'),
        ("auditwheel = true", 'must be "repair", "check" or "skip"'),
        ("limited-api = 3.10", VERSION_IS_DUE),
        ('limited-api = "3.99"', f"is '3.99', and {VERSION_IS_DUE}"),
        ('limited-api = "3.2"', VERSION_IS_DUE),
        ('limited-api = "3.9999999999"', VERSION_IS_DUE),
        ('limited-api = "cp310"', VERSION_IS_DUE),
        ("jobs = 0", "must be a whole number of at least 1"),
        ('jobs = "2"', "is '2', and must be a whole number of at least 1"),
        ("jobs = true", "must be a whole number of at least 1"),
        ('jobs = "many"', "must be a whole number of at least 1"),
    ],
)
def test_a_wrong_type_names_the_key_and_what_is_allowed(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, line)

    key = line.partition(" =")[0]
    assert f"[tool.asmsetup] {key} in pyproject.toml is " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "config_settings", "where"),
    [
        ({"ASMSETUP_JOBS": "all"}, {}, "ASMSETUP_JOBS is 'all'"),
        # Python refuses to convert as many digits.
        ({"ASMSETUP_JOBS": "9" * 5000}, {}, "ASMSETUP_JOBS is '9999"),
        ({"ASMSETUP_NASM_ARGS": "'"}, {}, 'ASMSETUP_NASM_ARGS is "\'"'),
        ({"ASMSETUP_LIMITED_API": "3.99"}, {}, "ASMSETUP_LIMITED_API is '3.99'"),
        ({"NASMFLAGS": "'"}, {}, 'NASMFLAGS is "\'"'),
        ({}, {"asmsetup.debug": "perhaps"}, "config setting asmsetup.debug is 'perhaps'"),
    ],
)
def test_a_wrong_value_says_where_it_stands(
    tmp_path: Path, environ: Mapping[str, str], config_settings: Mapping[str, object], where: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, "", environ, config_settings)

    assert str(refused.value).startswith(where)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("nasm-arg", "nasm-args"),
        ("nasm_args", "nasm-args"),
        ("audit-wheel", "auditwheel"),
        ("Debug", "debug"),
        ("limitedapi", "limited-api"),
    ],
)
def test_an_unknown_key_suggests_the_near_one(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, f"{key} = true")

    what, suggestion, allowed = str(refused.value).split("\n  ")
    assert what == f"[tool.asmsetup] {key} in pyproject.toml: there is no such setting"
    assert suggestion == f"did you mean {near}?"
    assert allowed.startswith("the settings are: nasm, ld, nasm-args, ld-args, debug, strict")


def test_an_unknown_variable_suggests_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, "", {"ASMSETUP_STRCIT": "1"})

    what, suggestion, allowed = str(refused.value).split("\n  ")
    assert what == "the environment variable ASMSETUP_STRCIT: there is no such setting"
    assert suggestion == "did you mean ASMSETUP_STRICT?"
    assert allowed.startswith("the settings are: ASMSETUP_NASM, ASMSETUP_LD, ASMSETUP_NASM_ARGS")


def test_variables_that_are_no_settings(tmp_path: Path) -> None:
    names = ("CACHE_DIR", "CACHE_SIZE", "TEST_CACHE", "TEST_SETUPTOOLS")
    assert load(tmp_path, "", {f"ASMSETUP_{name}": "x" for name in names}) == config.Settings()


def test_an_unknown_key_with_nothing_near_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, "", {}, {"asmsetup.colour": "red"})

    what, allowed = str(refused.value).split("\n  ")
    assert what == "config setting asmsetup.colour: there is no such setting"
    assert allowed.startswith("the settings are: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.asmsetup\n", "pyproject.toml: "),
        ("[tool]\nasmsetup = 3\n", "[tool.asmsetup] in pyproject.toml must be a table"),
        ("tool = 3\n", "[tool.asmsetup] in pyproject.toml must be a table"),
        ("name = '\xe9'", "pyproject.toml: "),
    ],
)
def test_a_pyproject_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError) as refused:
        config.load(str(tmp_path), {})

    assert str(refused.value).startswith(said)
