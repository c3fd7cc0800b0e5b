"""Commands whose help is plain text: to draw it in boxes takes as long as all the rest."""

from collections.abc import Mapping
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

_WHOLE: Final = 1_000
"""More characters than any command is told in."""


class Command(TyperCommand):
    """A command whose options stand under the headings that they name."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own
        """Write arguments first, then options by heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            name, said = parameter.get_help_record(ctx) or ("", "")
            if parameter.param_type_name == "argument" and said:
                sections.setdefault("Arguments", []).append((parameter.metavar or name, said))
            elif name and said:
                heading = getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(heading, []).append((name, said))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class Group(TyperGroup):
    """Commands under one word."""

    def summaries(self) -> Mapping[str, str]:
        """Return how each command's help begins."""
        return {name: one.get_short_help_str(_WHOLE) for name, one in self.commands.items()}

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - Typer's own
        """Write what each command is for, whole."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries().items()))

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own
        """Return --help, which is off unless given: Typer loads pydantic to know that of None."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


def group(help: str, *, cls: type[Group] = Group) -> typer.Typer:  # noqa: A002
    """Return a group of commands, or the one command that it will hold."""
    return typer.Typer(
        cls=cls,
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
