"""Devices and backchannel authentication: one person decides on a page, another machine asks until they have."""
