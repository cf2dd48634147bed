"""The terminal interface: panes over sources, one virtual list widget, and one table of commands."""
