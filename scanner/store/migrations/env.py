"""What Alembic runs to migrate: over the connection, and in the transaction, that it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="keyvigil_version",
    transactional_ddl=True,
)
context.run_migrations()
