"""The options of a command, made from the table of settings: their help by groups, values that may be left out."""

from collections import deque
from collections.abc import Callable, Sequence

import click

from crawler.cli.settings import GROUPS, SETTINGS
from crawler.core.setting import Setting

__all__ = ["GroupedCommand", "with_settings"]


class GroupedCommand(click.Command):
    """A command whose help lists the options by what they are about, and whose options may do without their value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a command line; an option without its value, or given several times, first becomes one with a value."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option) and not option.is_flag]
        valued = {name for option in options for name in option.opts}
        for setting in SETTINGS:
            if setting.kind.bare:
                args = _with_value(setting, args, valued)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group of settings, the rest at the end."""
        titles = {setting.name: title for title, group in GROUPS.items() for setting in group}
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                title = titles.get((parameter.name or "").replace("_", "-"), "More")
                # Each switch has a --no-… too; saying so once is enough.
                sections.setdefault(title, []).append((record[0].partition(" / ")[0], record[1]))
        for title, rows in sections.items():
            if not rows:
                continue
            with formatter.section(title):
                formatter.write_dl(rows)


def with_settings(name: str) -> Callable[[click.Command], click.Command]:
    """Give a command the options of the settings that the table says it has, but for those that it defines itself."""

    def add(command: click.Command) -> click.Command:
        own = {option for parameter in command.params for option in parameter.opts}
        for setting in SETTINGS:
            if setting.is_of(name) and f"--{setting.name}" not in own:
                command.params.append(_option(setting))
                if setting.was_option:
                    command.params.append(_older_option(setting))
        return command

    return add


def _option(setting: Setting) -> click.Option:
    """Make the option of a setting. It has no default of its own: not given must be told from given."""
    names = [f"--{setting.name}"]
    kind = setting.kind
    if setting.short:
        names.insert(0, f"-{setting.short}")
    if not kind.metavar:
        return click.Option([f"--{setting.name}/--no-{setting.name}"], default=None, help=setting.help)
    return click.Option(
        names,
        type=click.Choice(kind.choices) if kind.choices else str,
        metavar=kind.metavar,
        multiple=kind.many and not kind.bare,
        help=setting.help
        + (" May be repeated." if kind.many else "")
        + (f"  [{setting.shown_default}]" if setting.shown_default else ""),
    )


def _older_option(setting: Setting) -> click.Option:
    """Make the option that a setting once had, which the help does not show."""
    return click.Option([f"--{setting.was_option}"], multiple=setting.kind.many, hidden=True)


def _with_value(setting: Setting, arguments: Sequence[str], valued: set[str]) -> list[str]:
    """Put one option with a value for all occurrences of a setting whose option may stand alone.

    What follows the option is its value if it looks like one, and like no option; else the option has none. `--no-…`
    takes back those before it. `valued` are the names of the options that always have a value.
    """
    option, opposite = f"--{setting.name}", f"--no-{setting.name}"
    kept: list[str] = []
    found: list[str] = []
    left = deque(arguments)
    while left and left[0] != "--":
        argument = left.popleft()
        if argument == opposite:
            found = ["no"]
        elif argument.startswith(f"{option}="):
            found.append(argument.partition("=")[2])
        elif argument == option:
            is_value = bool(left) and not left[0].startswith("-") and setting.kind.is_value(left[0])
            found.append(left.popleft() if is_value else setting.kind.bare)
        else:
            kept.append(argument)
            if argument in valued and left:
                kept.append(left.popleft())
    kept += left
    if not found:
        return kept
    given = found[1:] if found[0] == "no" and len(found) > 1 else found
    return [f"{option}={setting.kind.merged(given)}", *kept]
