"""The audit log is append-only for whoever writes to it, by triggers.

An entry may not be changed, but that the name of who did something, or to whom, gives way to a
pseudonym (``erased:...``) and an address to nothing. None of the last 30 days may be deleted. A
later migration that makes the table anew in SQLite has to make the triggers anew, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CHANGED = """
    NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.action <> OLD.action
    OR NEW.outcome <> OLD.outcome OR NEW.request_id <> OLD.request_id
    OR (NEW.actor <> OLD.actor AND NEW.actor NOT LIKE 'erased:%')
    OR (NEW.subject <> OLD.subject AND NEW.subject NOT LIKE 'erased:%')
    OR (NEW.address <> OLD.address AND NEW.address <> '')
"""
_SQLITE = (
    f"""
    CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit WHEN {_CHANGED}
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    """
    CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    WHEN OLD.at > (CAST(strftime('%s', 'now') AS INTEGER) - 30 * 86400) * 1000
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
)
_POSTGRESQL = (
    f"""
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND NOT ({_CHANGED}) THEN
            RETURN NEW;
        ELSIF TG_OP = 'DELETE' AND OLD.at <= (extract(epoch FROM now()) - 30 * 86400) * 1000 THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit log is append-only';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_append_only()
    """,
    """
    CREATE TRIGGER audit_kept BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
    """,
)


def upgrade() -> None:
    """Go forward."""
    # A subject is ``user:`` and an owner's id, which may have 128 characters.
    with op.batch_alter_table("audit", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("subject", type_=sa.String(160), existing_nullable=False)
    op.create_index("audit_by_actor", "audit", ["actor"])
    for statement in _POSTGRESQL if _is_postgresql() else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Go back."""
    where = " ON audit" if _is_postgresql() else ""
    op.execute(f"DROP TRIGGER audit_unchanged{where}")
    op.execute(f"DROP TRIGGER audit_kept{where}")
    if _is_postgresql():
        op.execute("DROP FUNCTION audit_append_only()")
    op.drop_index("audit_by_actor", "audit")
    with op.batch_alter_table("audit", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("subject", type_=sa.String(128), existing_nullable=False)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
