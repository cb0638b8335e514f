"""mail.

Revision 01_03, after 01_02.
"""

import sqlalchemy as sa
from alembic import op

revision = '01_03'
down_revision = '01_02'


def upgrade() -> None:
    op.create_table('captured_mail',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('captured_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'id', name=op.f('pk_captured_mail'))
    )
    op.create_index('ix_captured_mail_expires_at', 'captured_mail', ['expires_at'], unique=False)
    op.add_column('delivery', sa.Column('key', sa.Text(), nullable=True))
    op.create_index('uq_delivery_key', 'delivery', ['key', 'tenant'], unique=True)
