"""asmsetup completion: a script that completes asmsetup's command lines in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_asmsetup() {{
    local word=${{COMP_WORDS[COMP_CWORD]}}
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}} $word" in
{options}
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}}
complete -o filenames -F _asmsetup asmsetup
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    from . import COMMANDS

    known = {name: tuple(_options(name)) for name in COMMANDS}
    if options.shell == "fish":
        print("\n".join(_fish(COMMANDS, known)))
    else:
        print((_ZSH if options.shell == "zsh" else "") + _bash(known), end="")
    return 0


def _options(command: str) -> Iterator[tuple[str, str]]:
    """Yield each long option of a command and its help."""
    parser = argparse.ArgumentParser()
    import_module(f".{command.replace('-', '_')}", __package__).add_arguments(parser)
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                yield option, action.help or ""


def _bash(known: dict[str, tuple[tuple[str, str], ...]]) -> str:
    cases = [
        f'    "{name} -"*) COMPREPLY=($(compgen -W "{" ".join(dict(options))}" -- "$word")) ;;'
        for name, options in known.items()
    ]
    return _BASH.format(commands=" ".join(known), options="\n".join(cases))


def _fish(about: dict[str, str], known: dict[str, tuple[tuple[str, str], ...]]) -> Iterator[str]:
    for name, text in about.items():
        yield f"complete -c asmsetup -n __fish_use_subcommand -f -a {name} -d {_quoted(text)}"
    for name, options in known.items():
        for option, text in options:
            condition = _quoted(f"__fish_seen_subcommand_from {name}")
            yield f"complete -c asmsetup -n {condition} -l {option[2:]} -d {_quoted(text)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
