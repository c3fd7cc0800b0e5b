"""`keyvigil doctor`: what works, what does not, and how to mend it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import JsonOption, StoreOption, option
from scanner.settings_table import METRICS, OUTPUTS, POLICIES, STORE

_Policies = Annotated[list[str] | None, option(POLICIES)]
_Outputs = Annotated[list[str] | None, option(OUTPUTS)]
_Metrics = Annotated[str | None, option(METRICS)]
_Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Only this organization of the settings; may be given again. Default: all.",
    ),
]
_Config = Annotated[  # read with the others, for a mistake in it is a line like any other
    Path | None,
    typer.Option(
        envvar="KEYVIGIL_CONFIG",
        metavar="FILE",
        help="The settings. Default: keyvigil.yaml in this folder, if any.",
    ),
]

_EXIT_CODES: Final = """\b
Exit codes:
  0  no problem
  2  a mistake in the environment, the settings or a policy
  3  something else does not work
"""

app = group("")


@app.command(cls=Command, epilog=_EXIT_CODES)
def doctor(
    context: typer.Context,
    policy: _Policies = None,
    output: _Outputs = None,
    config: _Config = None,
    store: StoreOption = None,
    metrics_textfile: _Metrics = None,
    only: _Only = None,
    as_json: JsonOption = False,
) -> None:
    """Look at all that a scan needs, and say how to mend what does not work.

    Of several organizations that the settings list, each. Changes nothing and sends nothing that
    anybody would see: the API is asked with GET only.
    """
    from scanner.cli.doctor import doctor

    given = {
        POLICIES.parameter: policy,
        OUTPUTS.parameter: output,
        STORE.parameter: store,
        METRICS.parameter: metrics_textfile,
    }
    doctor(context, given, config, only or (), as_json=as_json)
