"""`keyvigil explain`: the meaning of a rule, a fact or an operator."""

from scanner.cli.commands.plain import Command, group
from scanner.cli.commands.policies import explain

app = group("")
app.command(cls=Command)(explain)
