"""Markdown rendered, in the interface's own colours; links stay closed."""

from __future__ import annotations

from textual.widgets import Markdown


class MarkdownView(Markdown, can_focus=True):
    """A reading column. Nothing that it shows is opened by itself, and a click on a link only names it."""

    DEFAULT_CSS = """
    MarkdownView {
        height: 1fr; max-width: 104; overflow-y: auto; padding: 1 4; background: $kit-background; color: $kit-text;
        scrollbar-size-vertical: 1;
    }
    MarkdownView MarkdownHeader { margin: 1 0 1 0; padding: 0; background: transparent; content-align: left top; }
    MarkdownView MarkdownH1 {
        color: $kit-accent; text-style: bold; margin: 0 0 1 0; border-bottom: solid $kit-line; content-align: left top;
    }
    MarkdownView MarkdownH2 { color: $kit-accent; text-style: bold; }
    MarkdownView MarkdownH3, MarkdownView MarkdownH4 { color: $kit-key; text-style: bold; }
    MarkdownView MarkdownH5, MarkdownView MarkdownH6 { color: $kit-muted; text-style: bold; }
    MarkdownView MarkdownBlockQuote {
        background: $kit-surface; border-left: outer $kit-accent; margin: 0 0 1 0; padding: 0 2; color: $kit-muted;
    }
    MarkdownView MarkdownBlockQuote > MarkdownParagraph { margin: 0; }
    MarkdownView MarkdownFence { background: $kit-surface; margin: 0 0 1 0; padding: 0; color: $kit-text; }
    MarkdownView MarkdownBullet { color: $kit-accent; }
    MarkdownView MarkdownHorizontalRule { border-bottom: solid $kit-line; margin: 1 0; }
    MarkdownView MarkdownTable { margin: 0 0 1 0; background: $kit-background; width: auto; }
    MarkdownView MarkdownTableContent { keyline: thin $kit-line; }
    MarkdownView MarkdownTableContent > .header { color: $kit-muted; text-style: bold; }
    """

    def __init__(self, text: str) -> None:
        """The text is clean."""
        super().__init__(text, open_links=False)
