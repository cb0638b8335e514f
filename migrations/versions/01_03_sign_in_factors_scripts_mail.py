"""sign-in: factors, scripts, mail.

Revision 01_03, after 01_02.
"""

import sqlalchemy as sa
from alembic import op

revision = '01_03'
down_revision = '01_02'


def upgrade() -> None:
    op.create_table('enrolled_factor',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('authenticator', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('lookup', sa.LargeBinary(), nullable=True),
    sa.Column('secret', sa.LargeBinary(), nullable=True),
    sa.Column('counter', sa.BigInteger(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('last_used_at', sa.BigInteger(), nullable=True),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'id', name=op.f('pk_enrolled_factor'))
    )
    op.create_index('ix_enrolled_factor_subject', 'enrolled_factor', ['subject', 'tenant'], unique=False)
    op.create_index('uq_enrolled_factor_lookup', 'enrolled_factor', ['lookup', 'tenant'], unique=True)
    op.create_table('captured_mail',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('captured_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'id', name=op.f('pk_captured_mail'))
    )
    op.create_index('ix_captured_mail_expires_at', 'captured_mail', ['expires_at'], unique=False)
    op.create_table('last_login',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'subject', name=op.f('pk_last_login'))
    )
    op.create_table('login_trace',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('application', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('script', sa.Text(), nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'id', name=op.f('pk_login_trace'))
    )
    op.create_index('ix_login_trace_expires_at', 'login_trace', ['expires_at'], unique=False)
    op.create_index('ix_login_trace_subject', 'login_trace', ['subject', 'tenant', 'at'], unique=False)
    op.create_table('pending_enrolment',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('authenticator', sa.Text(), nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('state', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'subject', 'authenticator', name=op.f('pk_pending_enrolment'))
    )
    op.create_index('ix_pending_enrolment_expires_at', 'pending_enrolment', ['expires_at'], unique=False)
    op.create_table('recorded_login',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('day', sa.BigInteger(), nullable=False),
    sa.Column('application', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('script', sa.Text(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'id', name=op.f('pk_recorded_login'))
    )
    op.create_index('ix_recorded_login_at', 'recorded_login', ['at', 'tenant'], unique=False)
    op.create_index('ix_recorded_login_expires_at', 'recorded_login', ['expires_at'], unique=False)
    op.create_index('ix_recorded_login_subject', 'recorded_login', ['subject', 'tenant'], unique=False)
    op.create_table('recording_key',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('day', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'day', name=op.f('pk_recording_key'))
    )
    op.create_index('ix_recording_key_expires_at', 'recording_key', ['expires_at'], unique=False)
    op.create_table('script_bundle',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('hash', sa.Text(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'hash', name=op.f('pk_script_bundle'))
    )
    op.create_table('script_library',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'name', name=op.f('pk_script_library'))
    )
    op.create_table('script_secret',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('hosts', sa.Text(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'name', name=op.f('pk_script_secret'))
    )
    op.create_table('script_version',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('application', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('hash', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('tests', sa.Text(), nullable=False),
    sa.Column('author', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('published_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('tenant', 'application', 'number', name=op.f('pk_script_version'))
    )
    op.create_table('shadow_comparison',
    sa.Column('tenant', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('application', sa.Text(), nullable=False),
    sa.Column('candidate', sa.Text(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('example', sa.Text(), nullable=False),
    sa.Column('first_at', sa.BigInteger(), nullable=False),
    sa.Column('last_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'application', 'candidate', 'verdict', name=op.f('pk_shadow_comparison'))
    )
    op.add_column('delivery', sa.Column('key', sa.Text(), nullable=True))
    op.create_index('uq_delivery_key', 'delivery', ['key', 'tenant'], unique=True)
    op.add_column('login_flow', sa.Column('record', sa.LargeBinary(), nullable=True))
    op.add_column('sso_session', sa.Column('factors', sa.Text(), server_default='', nullable=False))
