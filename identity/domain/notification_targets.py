"""A gateway that wants to hear of revocations (wso2-contracts §7.6)."""

from dataclasses import dataclass
from typing import Literal

TargetKind = Literal["api_manager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationTarget:
    id: str
    kind: TargetKind
    url: str
    settings: bytes
    """Sealed JSON of TargetSettings."""
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """How the gateway is called, and by which names it knows the tenant."""

    username: str = ""
    password: str = ""
    """Basic credentials; none when both are empty."""
    key_manager: str = "WSO2-IS"
    """The value of `X-WSO2-KEY-MANAGER`: the type of the connector, not the key manager's name."""
    tenant_domain: str
    tenant_id: int
