"""Reaching the venue: names, addresses, proxies and TLS, for the stream and for REST alike."""
