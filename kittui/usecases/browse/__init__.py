"""Finding ModelKits: repositories, tags, and what a reference means."""
