"""The program as its features see it: ports, keys, toasts, clipboard. kittui/tui/app.py puts the features in."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import ModalScreen, Screen
from textual.widgets import Input
from textual.worker import WorkerFailed

from kittui.errors import KittuiError
from kittui.oci.traffic import LATEST
from kittui.terminal import clean
from kittui.tui.dialogs.dialog import Dialog
from kittui.tui.frame import clipboard
from kittui.tui.frame.activities import Activities
from kittui.tui.frame.drafts import Drafts
from kittui.tui.frame.faults import REPORT, log_fault
from kittui.tui.frame.keyboard import Keyboard, Passed
from kittui.tui.frame.keymap import KeyNames
from kittui.tui.frame.leaving import Leaving
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.progress import HowFar
from kittui.tui.frame.running import Running
from kittui.tui.frame.sayings import Sayings, Toast
from kittui.tui.frame.typed import ignore_what_is_no_utf8, separate
from kittui.tui.frame.waiting import Waiting
from kittui.tui.frame.ways import with_keys
from kittui.tui.style import theme
from kittui.tui.style.ascii_only import AsciiOnly
from kittui.tui.style.sizes import too_small

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from kittui.tui.frame.browser import Browser
    from kittui.usecases.diff.compare import Side

_NO_COLOUR = NoColor()
State = TypeVar("State")
Answer = TypeVar("Answer")
IN_THE_DARK = ("quit", "suspend", "repaint")
"""What keys do even where the terminal is too small to show anything."""


@runtime_checkable
class Refuses(Protocol):
    """A screen that may refuse its keys."""

    def refusal(self, command: str) -> str:
        """Why a key does nothing now, by its id; empty if it does something."""


class Program(App[None], inherit_bindings=False):
    """The Textual application without its screens: what commands, dialogs and screens talk to."""

    TITLE = "kittui"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "colon,ctrl+p", "command_palette", "Palette", id="palette", tooltip="Find a command by name", show=False
        ),
        Binding(
            "q",
            "leave",
            "Quit",
            id="quit",
            tooltip="Quit; asks first while work is running or rows are marked",
            show=False,
        ),
        Binding(
            "exclamation_mark",
            "open_waiting",
            "Waiting",
            id="waiting",
            tooltip="Open the dialog that waits in the header",
            show=False,
        ),
        Binding(
            "at",
            "messages",
            "Messages",
            id="messages",
            tooltip="Show messages and requests, to copy or save",
            show=False,
        ),
        Binding("ctrl+l", "repaint", "Repaint", show=False, priority=True, id="repaint", tooltip="Redraw the screen"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, id="suspend", tooltip="fg returns"),
        Binding("ctrl+c", "interrupt", "Quit", id="interrupt", tooltip="Quit", show=False, priority=True, system=True),
    ]

    def __init__(self, ports: Ports, keys: KeyNames, headings: Mapping[str, str]) -> None:
        """`headings` say under which heading help lists a command, by its id."""
        ignore_what_is_no_utf8()
        super().__init__()
        self.ports = replace(ports, keys=keys)
        self._headings = headings
        self.activities = Activities(self, self.refresh_bars)
        self._states: dict[type, object] = {}
        self._said = Sayings(ports.clock)
        self.drafts = Drafts()
        self._draws_toasts = False
        self.keyboard = Keyboard(self, self._deliver, self._say_dropped)
        self._waiting = Waiting(self.activities.say)
        self._running_commands = Running(self, self.keyboard, self.activities.say, self.fail)
        self._told_of_tmux = False
        self._key = ""
        self._leaving = Leaving(self, self.activities, keys, lambda: self.browser.marked, self.ask)
        self.catches_faults = False
        self.reduced_motion = ports.settings.reduced_motion or os.environ.get("TEXTUAL_ANIMATIONS") == "none"
        self.animation_level = "none"
        for each in theme.themes(colourless=self.no_color):
            self.register_theme(each)
        self.theme = ports.settings.theme if ports.settings.theme in theme.NAMES else theme.DEFAULT

    def on_mount(self) -> None:
        """Draw everything again after fg."""
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())

    @property
    def lends_terminal(self) -> bool:
        """Whether another program may have the terminal meanwhile."""
        return not (self.is_headless or self.is_web)

    @property
    @abstractmethod
    def browser(self) -> Browser:
        """The browse screen, under whatever is open above it."""

    @abstractmethod
    def open_comparison(self, a: Side, b: Side) -> None:
        """Show the comparison of two versions over what is open."""

    @abstractmethod
    def begin(self) -> None:
        """Start what waits for the first paint."""

    @abstractmethod
    def refresh_bars(self) -> None:
        """Write header and footer of the browse screen again."""

    async def on_event(self, event: events.Event) -> None:
        """Queue what is typed, so that it takes effect in its order; Esc stops a command that is still working."""
        key = event.key if isinstance(event, events.Key) else ""
        if self._is_beyond_sight(event, key):
            return
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded or key == "ctrl+c":
            await super().on_event(event)
            return
        for each in separate(event, typing=isinstance(self.focused, Input)):
            if getattr(each, "key", "") != "escape" or not self.stop_command():
                self.keyboard.take(each)

    async def _deliver(self, event: events.Key | events.Paste) -> None:
        self._key = event.key if isinstance(event, events.Key) else ""
        typed = event.character if isinstance(event, events.Key) and event.is_printable else ""
        if typed and not self._does_something(self._key):
            self.notify(f"{typed} does nothing here. {self.ports.keys['help']} lists the keys.", markup=False)
            return
        await super().on_event(event)

    def _does_something(self, key: str) -> bool:
        """Whether a key is for what is typed or chosen, or is bound where the cursor is."""
        typing = isinstance(self.focused, Input) or isinstance(self.screen, ModalScreen)
        return typing or key in self.screen.active_bindings

    def pop_screen(self) -> AwaitComplete:
        """Close a screen, and remember when a key did that."""
        if self._key in {"escape", *self.ports.keys.of("quit")}:
            self._leaving.note_closed()
        return super().pop_screen()

    def _is_beyond_sight(self, event: events.Event, key: str) -> bool:
        """Whether something was typed or clicked where the terminal is too small to show what it would do."""
        if not isinstance(event, events.Key | events.Paste | events.MouseEvent) or event.is_forwarded:
            return False
        words = too_small(self.size)
        if not words or key in {"ctrl+c", *(key for name in IN_THE_DARK for key in self.ports.keys.of(name))}:
            return False
        if self.screen is not self.screen_stack[0] and not isinstance(event, events.MouseEvent):
            self.notify(words, markup=False)
        return True

    def on_passed(self, message: Passed) -> None:
        """A key has passed through the widgets."""
        message.arrived.set()

    def _say_dropped(self, words: str) -> None:
        self.notify(words, markup=False)

    def run_command(
        self, label: str, work: Coroutine[object, object, None], far: HowFar | None = None, *, text: bool = False
    ) -> None:
        """Run a command in a worker: keys typed after it wait for it, and the header says what takes its time.

        `far` says how far it is; `text` is of a command whose dialog asks for one.
        """
        running = self._running_commands.run(label, work, far or HowFar(), text=text)
        self.run_worker(running, group="command", exclusive=False)

    def stop_command(self) -> bool:
        """Drop the dialog that waits, else stop the command that is working; False if there is none.

        Where a dialog is open, Esc is for that; a screen over the panes has its own commands stopped.
        """
        if isinstance(self.screen, ModalScreen):
            return False
        dropped = len(self.screen_stack) == 1 and self._waiting.answer(opens=False)
        if not (dropped or self.keyboard.stop()):
            return False
        if dropped:
            self.notify("Discarded; it changed nothing.", markup=False)
        return True

    async def ask(self, dialog: ModalScreen[Answer], *, since: float | None = None) -> Answer | None:
        """Show a dialog and wait for its answer; None is cancelled.

        One that took long to prepare does not open over what the user does now: it waits in the header. `since` is when
        work other than a command began (time.monotonic).
        """
        self._running_commands.hush()
        if self.keyboard.late(since):
            words = f"a dialog is ready: {self.ports.keys['waiting']} opens, Esc drops"
            if not await self.keyboard.asking(lambda: self._waiting.wanted(words)):
                return None
        began = self.keyboard.began()
        if began is None or not self._said.since(began):
            self.clear_toasts()
        if not isinstance(dialog, Dialog):
            return await self.keyboard.asking(lambda: self.push_screen_wait(dialog))
        self.drafts.offer(dialog)
        answer = await self.keyboard.asking(lambda: self.push_screen_wait(dialog))
        if self.drafts.keep(dialog) and answer is None:
            self.notify("What you typed is kept: it is there when this dialog opens again.", markup=False)
        return answer

    def _handle_exception(self, error: Exception) -> None:
        """Show what nobody caught as one error, and log it; Textual would end with a traceback that shows variables.

        Textual has no public way to do this. A worker that failed leaves the rest at work. A widget whose handler
        failed gets no more messages, so that the program ends, with a sentence. Under a pilot, tests see it raised.
        """
        if self.is_headless and not self.catches_faults:
            super()._handle_exception(error)
            return
        fault = log_fault(error.error if isinstance(error, WorkerFailed) else error)
        if isinstance(error, WorkerFailed) and self.is_running:
            words = f"{fault.said}{fault.place}\nThe rest keeps working. {REPORT}"
            self.notify(words, severity="error", markup=False)
        else:
            self.exit(return_code=1, message=f"{fault.said}. {REPORT}")

    def action_repaint(self) -> None:
        """Draw everything again, over whatever another program wrote."""
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_open_waiting(self) -> None:
        """Open the dialog that waits in the header."""
        if not self._waiting.answer(opens=True):
            self.notify("No dialog is waiting.", markup=False)

    def state(self, kind: type[State]) -> State:
        """The program's one object of this class, created when it is first asked for."""
        if kind not in self._states:
            self._states[kind] = kind()
        found = self._states[kind]
        if not isinstance(found, kind):
            raise TypeError(kind)
        return found

    def set_keys(self) -> Sequence[str]:
        """Apply the user's keymap; returns sentences on what of it can't be used."""
        keymap, problems = self.ports.keys.usable()
        self.set_keymap(keymap)
        return problems

    def activity(self, key: str, text: str | None) -> None:
        """Put a text into the header, or take it away."""
        self.activities.say(key, text)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
        kind: str = "",
        kept: bool = True,
    ) -> None:
        """Say something in a corner, and keep it among the messages. How long it stays follows from its length.

        Over a dialog that is as short as it can be. It replaces the same words, and others of its `kind`. What is not
        `kept` sums up what the messages have already.
        """
        over = bool(self.screen_stack) and isinstance(self.screen, ModalScreen)
        if kept:
            self.keep(message, severity, title)
        self._said.show(Toast(message, title, severity, markup, kind), over=over)
        if not self._draws_toasts:
            # Once for all that is said in one go: what is replaced must have been drawn before it is taken away.
            self._draws_toasts = self.call_later(self._draw_toasts)

    def keep(self, message: str, severity: str = "information", title: str = "") -> None:
        """Keep something among the messages without showing it."""
        self._said.keep(" › ".join(self.browser.where) if self.screen_stack else "", severity, title, message)

    def _draw_toasts(self) -> None:
        self._draws_toasts = False
        replaced, toasts = self._said.drawn()
        if replaced:
            self.clear_notifications()
        for toast, seconds in toasts:
            super().notify(
                toast.message, title=toast.title, severity=toast.severity, timeout=seconds, markup=toast.markup
            )

    def clear_toasts(self) -> bool:
        """Clear the toasts; False without any. They stay among the messages."""
        self.clear_notifications()
        return self._said.clear()

    def waits_for(self, host: str, words: str) -> None:
        """Say in the header who is waited for, as long as that is; why is kept among the messages, once."""
        if not self.screen_stack:
            return
        self._said.note_wait(words)
        self.activities.wait_for(host)

    def waited_for(self, host: str) -> None:
        """A host has answered, or is given up: it is not waited for any more."""
        self.activities.waited_for(host)

    def action_messages(self) -> None:
        """Show what was said and asked."""
        self.run_command("Messages", self._messages())

    async def _messages(self) -> None:
        from kittui.tui.dialogs.messages import MessagesDialog, message_lines
        from kittui.tui.frame.saving import ask_and_save
        from kittui.usecases.diff.report import save_report

        lines = message_lines(tuple(self._said), tuple(LATEST))
        wish = await self.ask(MessagesDialog(lines))
        text = "\n".join(line if isinstance(line, str) else "".join(piece for piece, _ in line) for line in lines)
        if wish == "copy":
            self.copy(text)
        elif wish == "save":
            write = partial(save_report, text=text + "\n")
            name = "kittui-messages.txt"
            if saved := await ask_and_save(self, "Save the messages", ("File:",), name, write, draft=name):
                self.toast(f"Saved {saved}")

    def toast(self, text: str, *, undo: str | None = None, how: str = "undoes it") -> None:
        """Say what was done, and with which key it is taken back."""
        key = self._key_here(undo) if undo else ""
        self.notify(clean(text) + (f"\n{key} {how}" if key else ""), markup=False)

    def _key_here(self, command: str) -> str:
        """The key that runs a command of the panes on the screen that is shown; empty if none does."""
        screen = next((one for one in reversed(self.screen_stack) if not isinstance(one, ModalScreen)), None)
        if screen is None or screen is self.screen_stack[0]:
            return self.ports.keys[command]
        names = [each.id for each in type(screen).BINDINGS if isinstance(each, Binding) and each.id]
        return next((self.ports.keys[name] for name in names if name.endswith(f".{command}")), "")

    def fail(self, error: KittuiError) -> None:
        """Say what failed and what to do."""
        hint = with_keys(error.hint, self.ports.keys) if error.hint else ""
        text = "\n".join(clean(part) for part in (error.message, hint) if part)
        title = clean(error.reference) if error.reference else ""
        self.notify(text, title=title.replace("[", r"\["), severity="error", markup=False)

    def fail_lines(self, title: str, lines: Sequence[str]) -> None:
        """Say what failed, a line each."""
        text = "\n".join(map(clean, lines))
        self.notify(text, title=title, severity="error", markup=False)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """With NO_COLOR the terminal's own colours are dropped; greys made of them would be black on black.

        Where there is no Unicode, every sign is written in ASCII.
        """
        filters = list(super().get_line_filters())
        if self.ports.settings.ascii_marks:
            filters.append(AsciiOnly())
        if not (self.no_color and self.native_ansi_color):
            return filters
        return [_NO_COLOUR if isinstance(each, Monochrome) else each for each in filters]

    def copy(self, text: str) -> None:
        """Copy by OSC 52, and show the text, or its first line: no terminal says whether it took it."""
        self.copy_to_clipboard(text)
        lines = clipboard.copied(text)
        if os.environ.get("TMUX") and not self._told_of_tmux:
            self._told_of_tmux = True
            lines.append(f"If it does not paste: {clipboard.TMUX}")
        self.notify("\n".join(lines), markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Send it by OSC 52, inside tmux also wrapped so that it passes through to the terminal."""
        sent = text.encode("utf-8", "replace").decode()
        super().copy_to_clipboard(sent)
        if os.environ.get("TMUX"):
            clipboard.write(self, clipboard.through_tmux(sent))

    def _refusal(self, screen: Screen[object]) -> Callable[[str], str]:
        """What says why a key of a screen does nothing now: the screen itself, or the panes."""
        return screen.refusal if isinstance(screen, Refuses) else self.browser.refusal

    def action_help(self) -> None:
        """Show all keys that work on the screen below."""
        from kittui.tui.dialogs.help import HelpDialog
        from kittui.tui.frame.help import legend, sections

        self.clear_toasts()
        marks = legend(self.ports.settings, getattr(self.screen, "marks_of_help", None))
        self.push_screen(HelpDialog(sections(self.screen, self._headings, self._refusal(self.screen)), marks))

    def action_interrupt(self) -> None:
        """Ctrl+C takes away nothing that is being typed, and closes a dialog; elsewhere it quits."""
        if isinstance(self.focused, Input):
            self.notify("Ctrl+C does not quit while you type; Esc cancels.", markup=False)
        elif isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)
        else:
            self._leaving.leave_at_once()

    def action_leave(self) -> None:
        """Quit, unless the key is one more than it took to come back here."""
        self._leaving.leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every command that does something now, then the themes."""
        from kittui.tui.frame.help import palette

        yield from palette(self, screen, self._refusal(screen))


def program_of(screen: Screen[Any]) -> Program:
    """The program that a screen belongs to, by its own type."""
    if not isinstance(screen.app, Program):
        raise TypeError("the screen belongs to another program")
    return screen.app
