"""Moving tags and ModelKits: plan, confirm, apply, record."""
