"""The `sub` that an application sees of a person: the same everywhere, or another one at each sector."""

import hashlib
from urllib.parse import urlsplit

from identity.domain.applications import Application
from identity.secrets import base64url
from identity.storage.configuration import TenantConfiguration


def shown_subject(tenant: TenantConfiguration, application: Application, subject: str) -> str:
    """`subject` itself, or with `subject_type=pairwise` a hash of sector, subject and the tenant's salt.

    OpenID Connect Core §8.1: nobody without the salt can tell which two belong to one person.
    """
    if application.subject_type == "public":
        return subject
    text = "\0".join((sector_of(application), subject, tenant.settings.pairwise_salt))
    return base64url(hashlib.sha256(text.encode()).digest())


def sector_of(application: Application) -> str:
    """The host of the sector identifier, else that of the redirect addresses, which registration keeps to one host."""
    address = application.sector_identifier_uri or next(iter(application.redirect_uris), application.client_id)
    return urlsplit(address).hostname or address
