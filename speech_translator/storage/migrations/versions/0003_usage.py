"""Usage, and the segments of journals that are in it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "usage",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("owner", sa.String(128), primary_key=True),
        sa.Column("key_id", sa.String(32), primary_key=True),
        sa.Column("operation", sa.String(16), primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("characters", sa.BigInteger, nullable=False),
        sa.Column("audio_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_by_owner", "usage", ["owner", "day"])
    op.create_index("usage_by_key", "usage", ["key_id", "day"])
    op.create_table(
        "usage_segments",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("applied_at", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_segments_by_time", "usage_segments", ["applied_at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("usage_segments")
    op.drop_table("usage")
