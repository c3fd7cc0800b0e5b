"""Commands whose help is plain text: boxes would double the time of --help."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

_WHOLE: Final = 1_000
"""Characters; longer than the help of any command."""
_ALL: Final = "keyvigil_help_all"
_HEADINGS: Final = ("Arguments", "Input", "Policy", "Reports", "History", "Connection", "Options")


class Command(TyperCommand):
    """A command whose options are grouped by their headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own
        """Write arguments first, then options by heading; options without a heading last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            name, text = self._record(ctx, parameter)
            if parameter.param_type_name == "argument" and text:
                sections.setdefault("Arguments", []).append((parameter.metavar or name, text))
            elif name and text:
                heading = getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(heading, []).append((name, text))
        for heading in sorted(sections, key=_HEADINGS.index):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])

    def _record(self, ctx: Any, parameter: Any) -> tuple[str, str]:  # noqa: ANN401 - Typer's own
        return parameter.get_help_record(ctx) or ("", "")


class BriefCommand(Command):
    """A command with many options: --help prints the first sentence of each, --help-all all."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own
        """Write the examples; the rest of the epilog only for --help-all."""
        if ctx.meta.get(_ALL):
            super().format_epilog(ctx, formatter)
        elif self.epilog:
            with formatter.indentation():
                formatter.write_paragraph()
                formatter.write_text(self.epilog.partition("\n\n")[0])

    def _record(self, ctx: Any, parameter: Any) -> tuple[str, str]:  # noqa: ANN401 - Typer's own
        name, text = super()._record(ctx, parameter)
        if ctx.meta.get(_ALL) or not text:
            return name, text
        return name.partition(" / --no-")[0], f"{parameter.help.partition('. ')[0].rstrip('.')}."


def _print_all(context: typer.Context, is_wanted: bool) -> None:
    if is_wanted:
        context.meta[_ALL] = True
        typer.echo(context.get_help())
        raise typer.Exit


HelpAllOption = Annotated[
    bool,
    typer.Option(
        "--help-all",
        is_eager=True,
        callback=_print_all,
        show_default=False,
        help="Show all details of every option and exit.",
    ),
]


class Group(TyperGroup):
    """A group of commands."""

    def summaries(self) -> Mapping[str, str]:
        """Return the first sentence of each command's help."""
        return {name: one.get_short_help_str(_WHOLE) for name, one in self.commands.items()}

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - Typer's own
        """Write the untruncated summary of each command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries().items()))

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's own
        """Return the options; flags default to False, as Typer imports pydantic to parse None."""
        parameters: list[Any] = super().get_params(ctx)
        for one in parameters:
            if getattr(one, "is_flag", False) and one.default is None:
                one.default = False
        return parameters


def group(help: str, *, cls: type[Group] = Group, completes: bool = False) -> typer.Typer:  # noqa: A002
    """Return a group of commands, or an app for a single command."""
    return typer.Typer(
        cls=cls,
        help=help,
        no_args_is_help=True,
        add_completion=completes,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
