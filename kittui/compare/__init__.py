"""Finds what changed between two versions of something: pure functions over values, without IO."""
