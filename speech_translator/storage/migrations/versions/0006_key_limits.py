"""Limits of single keys, and which key's they are counted as."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("api_keys", sa.Column("limits", sa.String(256)))
    op.add_column("api_keys", sa.Column("counts_as", sa.String(32)))
    op.create_index("api_keys_by_count", "api_keys", ["counts_as"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("api_keys_by_count", "api_keys")
    op.drop_column("api_keys", "counts_as")
    op.drop_column("api_keys", "limits")
