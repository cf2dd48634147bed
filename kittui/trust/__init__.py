"""Signatures and statements as values: keys, DSSE envelopes, in-toto statements, Sigstore bundles. No input or output.

Everything here is read from registries and is hostile until a key of the user's own configuration vouches for it.
"""
