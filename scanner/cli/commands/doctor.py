"""`keyvigil doctor`: check everything that a scan needs."""

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
        help="Only this organization of the settings. Can be repeated. Default: all.",
    ),
]
_Config = Annotated[  # an option of its own: an error in the file is one of the problems
    Path | None,
    typer.Option(
        envvar="KEYVIGIL_CONFIG",
        metavar="FILE",
        help="Settings file. Default: keyvigil.yaml in this folder, if it exists.",
    ),
]

_EXIT_CODES: Final = """\b
Exit codes:
  0  no problem
  2  error in the environment, the settings or a policy
  3  another problem
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
    """Check everything that a scan needs, and print how to fix each problem.

    Checks each organization that the settings list. Makes no changes and sends no messages: all
    requests to the API are GET.
    """
    from scanner.cli.doctor import doctor

    given = {
        POLICIES.parameter: policy,
        OUTPUTS.parameter: output,
        STORE.parameter: store,
        METRICS.parameter: metrics_textfile,
    }
    doctor(context, given, config, only or (), as_json=as_json)
