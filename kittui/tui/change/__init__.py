"""Moving ModelKits in the interface: dialogs that show a plan, and the transfers pane."""
