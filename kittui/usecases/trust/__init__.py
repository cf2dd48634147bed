"""Signatures, statements, approvals, gates and records of tag moves."""
