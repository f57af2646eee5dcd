"""How Alembic runs here: on the connection that ``migrate.upgrade`` hands over, and no other."""

from alembic import context

from speech_translator.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
