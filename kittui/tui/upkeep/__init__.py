"""Finds things in many places, checks the installation, and frees disk space."""
