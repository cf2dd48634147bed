"""What the sources on this machine's disk share: durable writes, blobs as files, index documents."""
