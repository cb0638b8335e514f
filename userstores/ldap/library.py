"""ldap3, imported so that it works with the pyasn1 of today.

ldap3 2.9.1 takes two tables from pyasn1 by names that pyasn1 has deprecated since and will drop; they are put back
under those names first. (Silencing the warnings instead would change the process's filters from a thread.)
"""

from pyasn1.codec.ber import encoder

for _old, _new in (("tagMap", "TAG_MAP"), ("typeMap", "TYPE_MAP")):
    vars(encoder).setdefault(_old, vars(encoder).get(_new))

import ldap3  # noqa: E402  # after the names are back
from ldap3.core.exceptions import LDAPException, LDAPStartTLSError  # noqa: E402

__all__ = ["LDAPException", "LDAPStartTLSError", "ldap3"]
