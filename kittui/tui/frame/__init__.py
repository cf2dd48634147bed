"""What every part of the interface builds on: commands, selection, context, ports, keys."""
