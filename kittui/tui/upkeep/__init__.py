"""Finding things in many places, checking the installation, and making room on the disk."""
