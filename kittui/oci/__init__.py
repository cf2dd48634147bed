"""OCI's own terms as values: digests, references, descriptors, manifests, and what a source must offer. No IO."""
