"""`crawler completion`: what makes a shell complete the commands and options of this program."""

import click
from click.shell_completion import get_completion_class

from crawler.core.errors import UsageError

__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_CRAWLER_COMPLETE"


@click.command(
    epilog="""\b
Examples:
  crawler completion bash > ~/.local/share/bash-completion/completions/crawler
  crawler completion zsh > "${fpath[1]}/_crawler"
  crawler completion fish > ~/.config/fish/completions/crawler.fish

The next shell completes `crawler cr<Tab>`, options, their choices and paths. For this one alone:
eval "$(crawler completion bash)"."""
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print what makes SHELL complete the commands and options of crawler."""
    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"click {click.__version__} knows no completion for {shell}")
    root = context.find_root()
    click.echo(made(root.command, {}, root.info_name or "crawler", _VARIABLE).source())
