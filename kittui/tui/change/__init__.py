"""Changing tags and moving ModelKits: dialogs that show a plan, and the transfers screen."""
