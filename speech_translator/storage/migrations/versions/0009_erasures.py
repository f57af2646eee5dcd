"""Erasures that are under way, and the ids of keys that were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "erasures",
        sa.Column("owner", sa.String(128), primary_key=True),
        sa.Column("pseudonym", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erased_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
    )
    op.create_index("erased_keys_by_time", "erased_keys", ["erased_at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("erased_keys")
    op.drop_table("erasures")
