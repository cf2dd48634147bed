"""What changed between two versions of something: pure algorithms from values to values, without IO."""
