"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


TABLES = (
    "audit_trail",
    "certificates_in_use",
    "onboardings",
    "platform_authorities",
    "platform_certificates",
    "platform_domains",
    "platform_users",
    "profiles",
    "service_keys",
    "stored_answers",
    "superseded_certificates",
    "configs",
    "platform_channels",
    "platform_clients",
    "platform_roles",
    "bindings",
    "fetches",
    "platform_connections",
    "platform_members",
)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    """Bring the schema to this revision."""
    _audit_trail()
    _certificates_in_use()
    _onboardings()
    _platform_authorities()
    _platform_certificates()
    _platform_domains()
    _platform_users()
    _profiles()
    _service_keys()
    _stored_answers()
    _superseded_certificates()
    _configs()
    _platform_channels()
    _platform_clients()
    _platform_roles()
    _bindings()
    _fetches()
    _platform_connections()
    _platform_members()


def downgrade() -> None:
    """Take the schema back to what it was before."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _audit_trail() -> None:
    op.create_table(
        "audit_trail",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=1024), nullable=False),
        sa.Column("onboarding_id", sa.String(length=36), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_gateway", "audit_trail", ["domain_id", "external_id", "id"])


def _certificates_in_use() -> None:
    op.create_table(
        "certificates_in_use",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=1024), nullable=False),
        sa.Column("config_id", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.String(length=128), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_waits", sa.Boolean(), nullable=False),
        sa.Column("delivered_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index(
        "ix_certificates_in_use_due", "certificates_in_use", ["renews", "next_attempt_at"]
    )
    op.create_index(
        "ix_certificates_in_use_expiry", "certificates_in_use", ["domain_id", "expires_at"]
    )
    op.create_index(
        "ix_certificates_in_use_gateway", "certificates_in_use", ["domain_id", "external_id"]
    )
    op.create_index("ix_certificates_in_use_keys", "certificates_in_use", ["key_waits"])


def _onboardings() -> None:
    op.create_table(
        "onboardings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=1024), nullable=False),
        sa.Column("place", sa.String(length=1100), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("heading", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("layout", sa.String(length=255), nullable=False),
        sa.Column("layout_digest", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("replaces", sa.String(length=36), nullable=True),
        sa.Column("lease_owner", sa.String(length=36), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("place"),
    )
    op.create_index(
        "onboardings_by_gateway", "onboardings", ["domain_id", "external_id", "created_at"]
    )
    op.create_index("onboardings_by_state", "onboardings", ["state", "next_attempt_at"])
    op.create_index("onboardings_by_time", "onboardings", ["domain_id", "created_at"])


def _platform_authorities() -> None:
    op.create_table(
        "platform_authorities",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("issuer_key", sa.Text(), nullable=False),
        sa.Column("root_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _platform_certificates() -> None:
    op.create_table(
        "platform_certificates",
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("serial"),
        sa.UniqueConstraint(
            "domain_id",
            "client_id",
            "public_key",
            "issuer",
            "generation",
            name="uq_platform_certificates_generation",
        ),
    )
    op.create_index(
        "ix_platform_certificates_client",
        "platform_certificates",
        ["domain_id", "client_id", "created_at"],
    )
    op.create_index(
        "ix_platform_certificates_revoked", "platform_certificates", ["issuer", "revoked_at"]
    )


def _platform_domains() -> None:
    op.create_table(
        "platform_domains",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("route"),
    )
    op.create_index("ix_platform_domains_created", "platform_domains", ["created_at"])


def _platform_users() -> None:
    op.create_table(
        "platform_users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("username"),
    )
    op.create_index("ix_platform_users_created", "platform_users", ["created_at"])


def _profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("content_format", sa.String(length=16), nullable=False),
        sa.Column("content_template", sa.Text(), nullable=False),
        sa.Column("defaults", sa.JSON(), nullable=False),
        sa.Column("binding_slots", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("origin_digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain_id", "name", name="uq_profiles_name"),
        sa.UniqueConstraint("domain_id", "origin", name="uq_profiles_origin"),
    )
    op.create_index(
        "ix_profiles_by_time", "profiles", ["domain_id", "created_at", "id", "name_folded"]
    )


def _service_keys() -> None:
    op.create_table(
        "service_keys",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _stored_answers() -> None:
    op.create_table(
        "stored_answers",
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "idempotency_key"),
    )
    op.create_index("ix_stored_answers_expires_at", "stored_answers", ["expires_at"])


def _superseded_certificates() -> None:
    op.create_table(
        "superseded_certificates",
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.String(length=128), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("config_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoke_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("domain_id", "serial"),
    )
    op.create_index("ix_superseded_certificates_expires", "superseded_certificates", ["expires_at"])
    op.create_index("ix_superseded_certificates_revoke", "superseded_certificates", ["revoke_at"])


def _configs() -> None:
    op.create_table(
        "configs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("external_key_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("profile_id", sa.String(length=36), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("render_context", sa.JSON(), nullable=False),
        sa.Column("client_cert", sa.Text(), nullable=False),
        sa.Column("sealed_client_key", sa.Text(), nullable=False),
        sa.Column("ca_cert", sa.Text(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain_id", "external_id", name="uq_configs_external_id"),
        sa.UniqueConstraint("domain_id", "name", name="uq_configs_name"),
    )
    op.create_index(
        "ix_configs_by_status",
        "configs",
        ["domain_id", "status", "created_at", "id", "name_folded"],
    )
    op.create_index(
        "ix_configs_by_time", "configs", ["domain_id", "created_at", "id", "name_folded"]
    )
    op.create_index("ix_configs_external_id", "configs", ["external_id", "created_at", "id"])
    op.create_index("ix_configs_profile_id", "configs", ["profile_id"])


def _platform_channels() -> None:
    op.create_table(
        "platform_channels",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["domain_id"], ["platform_domains.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain_id", "route", name="uq_platform_channels_route"),
    )
    op.create_index(
        "ix_platform_channels_created", "platform_channels", ["domain_id", "created_at", "id"]
    )
    op.create_index("ix_platform_channels_name", "platform_channels", ["domain_id", "name_folded"])
    op.create_index(
        "ix_platform_channels_status",
        "platform_channels",
        ["domain_id", "status", "created_at", "id"],
    )


def _platform_clients() -> None:
    op.create_table(
        "platform_clients",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("private_metadata", DOCUMENT, nullable=False),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["domain_id"], ["platform_domains.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain_id", "secret_digest", name="uq_platform_clients_secret_digest"),
    )
    op.create_index(
        "ix_platform_clients_created", "platform_clients", ["domain_id", "created_at", "id"]
    )
    op.create_index("ix_platform_clients_name", "platform_clients", ["domain_id", "name_folded"])
    op.create_index(
        "ix_platform_clients_status",
        "platform_clients",
        ["domain_id", "status", "created_at", "id"],
    )


def _platform_roles() -> None:
    op.create_table(
        "platform_roles",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("actions", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["domain_id"], ["platform_domains.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain_id", "name", name="uq_platform_roles_name"),
    )


def _bindings() -> None:
    op.create_table(
        "bindings",
        sa.Column("config_id", sa.String(length=36), nullable=False),
        sa.Column("slot", sa.String(length=256), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("config_id", "slot"),
    )


def _fetches() -> None:
    op.create_table(
        "fetches",
        sa.Column("config_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("config_id"),
    )


def _platform_connections() -> None:
    op.create_table(
        "platform_connections",
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["platform_channels.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_id"], ["platform_clients.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("channel_id", "client_id", "type", name="pk_platform_connections"),
    )
    op.create_index(
        "ix_platform_connections_client", "platform_connections", ["client_id", "channel_id"]
    )


def _platform_members() -> None:
    op.create_table(
        "platform_members",
        sa.Column("role_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["platform_domains.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["platform_roles.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["platform_users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("role_id", "user_id", name="pk_platform_members"),
    )
    op.create_index("ix_platform_members_domain", "platform_members", ["domain_id"])
    op.create_index("ix_platform_members_user", "platform_members", ["user_id", "domain_id"])
