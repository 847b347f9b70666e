"""A value that cannot be used is refused by the name that its setting has where it stands, for every setting there is.

One line names the place, shows the value unless that may be secret, and says what is expected; exit code 2 resp.
`ConfigError`. A new setting is tried here without an edit.
"""

import re

import pytest

import crawler
from crawler.cli.entry import main
from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import SETTINGS, from_environment, from_options, load_settings
from crawler.core.config import CRAWL_SETTINGS
from crawler.core.errors import ConfigError, SeedError

URL = "http://x.test/"
TEXTS = ("hunter2(", "-1", "(hunter2", "a\rhunter2", "A: a\rhunter2", "\0hunter2", "")
"""As an option or in a variable; there is no setting for which all of them would do."""

WRITTEN = {text: repr(text).replace("'", '"').replace("\\x00", "\\u0000") for text in TEXTS}
LITERALS = (*WRITTEN.values(), "-1", "0", "1.5", "[1]", "[[]]", "{hunter2 = 1}", "true")
"""The same as values of TOML, and others."""

VALUES = (*TEXTS, -1, 0, 1.5, [1], ("hunter2(",), {"hunter2": 1}, True, object())
"""The same as keyword arguments, and others."""

EXPECTED = re.compile(
    r"expected|[Ee]xpected `|must be (at least|more than) |is no(t a| network) |has a line break|is not one of|"
    r"no function|is not module:function|choose from|no known ending|needs"
)
SWITCHES = {setting.name for setting in SETTINGS if not setting.kind.metavar}


def check(message, place, setting, value):
    """Check the line about a value."""
    assert message.startswith((f"{place}: ", f"{place} ")), message
    assert message.isprintable()
    assert EXPECTED.search(message), message
    if setting.kind.secret:
        assert "hunter2" not in message
    else:
        shown = repr(value)
        parts = [shown, shown.strip("()[]{},"), shown.strip("'")]
        if isinstance(value, str | dict | tuple):  # a part of it may be what is wrong
            parts += [repr(line) for line in str(value).splitlines()]
            parts += [repr(word) for word in re.findall(r"\w+", str(value))] + re.findall(r"\w{4,}", str(value))
        assert any(part in message for part in parts), message


def refusals(read, values):
    """Return the message for each of the values that are refused."""
    found = {}
    for number, value in enumerate(values):
        try:
            read(value)
        except ConfigError as error:
            found[number] = str(error)
        except SeedError:
            pass  # of the right type, but no seed: that is another promise
    return [(values[number], message) for number, message in found.items()]


def ids(setting):
    return setting.name


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.name not in SWITCHES], ids=ids)
def test_as_an_option(setting, capsys):
    found = refusals(lambda text: from_options({setting.name: [text] if setting.kind.many else text}), TEXTS)
    assert found
    for text, message in found:
        check(message, f"--{setting.name}", setting, text)
        assert main(["crawl", URL, f"--{setting.name}={text}"]) == ExitCode.USAGE
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        place = f"Invalid value for '--{setting.name}'" if setting.kind.choices else f"--{setting.name}"
        check(said.err[:-1].removeprefix("crawler: error: "), place, setting, text)


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_a_switch_takes_no_value(name, capsys):
    assert main(["crawl", URL, f"--{name}=maybe"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"crawler: error: Option '--{name}' does not take a value")
    assert said.count("\n") == 1


@pytest.mark.parametrize("setting", SETTINGS, ids=ids)
def test_as_a_variable(setting, capsys, monkeypatch):
    found = refusals(lambda text: from_environment({setting.variable: text}), TEXTS)
    assert found
    for text, message in found:
        check(message, setting.variable, setting, text)
        if "\0" not in text:  # which no environment can hold
            monkeypatch.setenv(setting.variable, text)
            assert main(["crawl", URL]) == ExitCode.USAGE
            assert capsys.readouterr().err == f"crawler: error: {message}\n"


@pytest.mark.parametrize("setting", [*SETTINGS, CRAWL_SETTINGS[0]], ids=ids)
def test_in_a_settings_file(setting, capsys, tmp_path):
    path = tmp_path / "crawl.toml"

    def read(literal):
        path.write_text(f"{setting.name} = {literal}")
        load_settings(path)

    found = refusals(read, LITERALS)
    assert found
    for literal, message in found:
        path.write_text(f"{setting.name} = {literal}")
        value = {"true": True, "-1": -1, "0": 0, "1.5": 1.5, "[1]": [1], "[[]]": [[]], "{hunter2 = 1}": {"hunter2": 1}}
        texts = {written: text for text, written in WRITTEN.items()}
        check(message, f"{path}: {setting.name}", setting, (value | texts)[literal])
        assert main(["crawl", URL, "--config", str(path)]) == ExitCode.USAGE
        assert capsys.readouterr().err == f"crawler: error: {message}\n"


@pytest.mark.parametrize("setting", CRAWL_SETTINGS, ids=ids)
def test_as_a_keyword_argument(setting):
    def called(value):
        crawler.crawl(**({"seeds": URL} | {setting.field: value}))

    found = refusals(called, VALUES)
    assert found
    for value, message in found:
        check(message, setting.field, setting, value)
