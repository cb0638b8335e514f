"""How the server's parts are put together, one file per area; `identity.app` calls them. Nothing else makes parts."""
