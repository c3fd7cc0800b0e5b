"""Alembic's entry point: migrates on the given connection, in its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="keyvigil_version",
    transactional_ddl=True,
)
context.run_migrations()
