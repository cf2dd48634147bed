"""Requests and answers on the wire: ways through proxies, TLS, pools of connections, and the fast way for blobs."""
