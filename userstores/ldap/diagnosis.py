"""The connection test: every server, the whole way, and a sentence that says what is wrong and where."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from userstores.ldap.answers import DirectoryFailure
from userstores.ldap.entries import entry_id
from userstores.ldap.filters import And, Equal, Present
from userstores.ldap.settings import LdapSettings, LdapUrl
from userstores.spi import ConnectionReport


async def diagnose(settings: LdapSettings) -> ConnectionReport:
    """Tests all servers side by side, in threads of its own: the store's may all be waiting for a frozen one."""
    threads = ThreadPoolExecutor(len(settings.urls), "ldap-test")
    loop = asyncio.get_running_loop()
    seconds = settings.connect_seconds + settings.read_seconds
    try:
        tests = [loop.run_in_executor(threads, _diagnose_server, url, settings, seconds) for url in settings.urls]
        # Name resolution has no deadline of its own.
        await asyncio.wait(tests, timeout=seconds + 1)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    problems = [_problem(test, url, seconds) for test, url in zip(tests, settings.urls, strict=True)]
    found = [problem for problem in problems if problem]
    if found:
        return ConnectionReport(False, " ".join(found))
    servers = ", ".join(str(url) for url in settings.urls)
    return ConnectionReport(True, f"{servers}: connected, and found people below {settings.user_search_base}.")


def _problem(test: asyncio.Future[str], url: LdapUrl, seconds: float) -> str:
    return test.result() if test.done() else f"{url} does not answer within {seconds:g} s (name resolution)."


def _diagnose_server(url: LdapUrl, settings: LdapSettings, seconds: float) -> str:
    """The first thing that is wrong, or nothing."""
    from userstores.ldap.client import DirectoryConnection, tls_context

    deadline = time.monotonic() + seconds
    try:
        soon = time.monotonic() + settings.connect_seconds
        with closing(DirectoryConnection(url, settings, tls_context(settings), soon)) as connection:
            connection.bind_service(deadline)
            everyone = And((Equal("objectClass", settings.user_object_class), Present(settings.username_attribute)))
            found = connection.search(settings.user_search_base, everyone, [settings.id_attribute], 1, deadline)
            if settings.group_search_base:
                group = Equal("objectClass", settings.group_object_class)
                connection.search(settings.group_search_base, group, ["1.1"], 1, deadline)
    except DirectoryFailure as error:
        return str(error)
    if not found:
        return (
            f"{url}: connected, but below {settings.user_search_base} there is nobody of class "
            f"{settings.user_object_class} with the attribute {settings.username_attribute}, or the service account "
            "may not see them."
        )
    if not entry_id(found[0], settings):
        return f"{url}: connected, but people show no attribute {settings.id_attribute}: set id_attribute."
    return ""
