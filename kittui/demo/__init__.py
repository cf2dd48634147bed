"""The ModelKits that kittui ships, the program that makes them, and their throw-away copy for `kittui demo`."""
