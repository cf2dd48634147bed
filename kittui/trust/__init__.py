"""Signatures and statements as values: keys, DSSE envelopes, in-toto statements, Sigstore bundles. No input or output.

All input comes from registries and is hostile until a key in the user's configuration vouches for it.
"""
