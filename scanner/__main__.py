"""`python -m scanner` is `keyvigil`."""

from scanner.cli.app import main

main()
