"""The ModelKits that kittui ships, and their throw-away copy for `kittui demo`."""
