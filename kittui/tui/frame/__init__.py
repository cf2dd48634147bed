"""The base of every part of the interface: commands, selection, context, ports, keys."""
