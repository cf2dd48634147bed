"""What is said about ModelKits and by whom: signatures, statements, approvals, gates and the record of moves."""
