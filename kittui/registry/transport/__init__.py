"""Requests and answers on the wire: proxies, TLS, connection pools, and a fast path for blobs."""
