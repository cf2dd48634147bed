"""The terminal interface: panes that browse sources, one virtual list widget, and one table of commands."""
