"""Live sessions, so that they can go on after a connection broke."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "live_sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("token", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("live_sessions_by_owner", "live_sessions", ["owner"])
    op.create_index("live_sessions_by_end", "live_sessions", ["expires_at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("live_sessions")
