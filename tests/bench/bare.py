"""The peer of the first screen: a Textual application with a table of 100 rows and nothing else."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import DataTable


class Bare(App[None]):
    """100 rows."""

    def compose(self) -> ComposeResult:
        yield DataTable()

    def on_mount(self) -> None:
        """Fill the table."""
        table = self.query_one(DataTable)
        table.add_columns("name", "size")
        table.add_rows((f"repository-{number}", str(number)) for number in range(100))


if __name__ == "__main__":
    Bare().run()
