"""Room for the longest owner, and for what kind of owner it is."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("idempotency") as table:
        table.alter_column("owner", type_=sa.String(160), existing_type=sa.String(128))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("idempotency") as table:
        table.alter_column("owner", type_=sa.String(128), existing_type=sa.String(160))
