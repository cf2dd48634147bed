"""Moving blobs: one engine for pull, push and copy between any two sources, resumable, verified, bounded in memory."""
