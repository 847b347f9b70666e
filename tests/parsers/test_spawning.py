"""Parser processes leave the main file of a program alone, and nobody else notices."""

import ast
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from multiprocessing import popen_spawn_posix, process, queues, resource_tracker, spawn
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import CodeType

import pytest

import crawler.parsers.spawning
from crawler.parsers.spawning import Inbox

ROOT = Path(__file__).parents[2]


def names_in(code: CodeType) -> set[str]:
    """Names of globals and attributes that a function uses."""
    return set(code.co_names)


PRIVATE: dict[str, tuple[Callable[[], bool], str]] = {
    "popen_spawn_posix.Popen._launch": (
        lambda: {"spawn", "get_preparation_data"} <= names_in(popen_spawn_posix.Popen._launch.__code__),
        "does not ask spawn.get_preparation_data any more: a program's main file would run again in each parser",
    ),
    "spawn.get_preparation_data": (
        lambda: "init_main_from_path" in inspect.getsource(spawn.get_preparation_data),
        "names the main file under another key than init_main_from_*: `_data_without_main` takes nothing out",
    ),
    "spawn.get_command_line": (
        lambda: "get_command_line" in names_in(popen_spawn_posix.Popen._launch.__code__),
        "does not give the command any more: parsers would run modules of the working directory",
    ),
    "resource_tracker.util._args_from_interpreter_flags": (
        lambda: any(
            {"util", "_args_from_interpreter_flags"} <= names_in(method.__code__)
            for method in vars(resource_tracker.ResourceTracker).values()
            if inspect.isfunction(method)
        ),
        "does not give the options any more: the resource tracker would run modules of the working directory",
    ),
    "SpawnProcess._Popen": (
        lambda: "_Popen" in vars(SpawnProcess) and "_Popen" in names_in(process.BaseProcess.start.__code__),
        "is not what starts a process any more: `Process` overrides nothing",
    ),
    "process._current_process": (
        lambda: {"_current_process", "_config"} <= names_in(process.BaseProcess.start.__code__),
        "is not asked any more whether this process may have children: a worker of a pool could not crawl",
    ),
    "process._children": (
        lambda: "_children" in names_in(process.BaseProcess.start.__code__),
        "is not where a process is noted any more: the exit of a forked child would try to join our processes",
    ),
    "Queue._ignore_epipe": (
        lambda: "_ignore_epipe" in names_in(queues.Queue._start_thread.__code__),
        "is not looked at any more when the queue's thread starts: a parser that dies would print a traceback",
    ),
    "Queue._reader": (
        lambda: all(hasattr(Inbox(1).queue._reader, name) for name in ("close", "fileno")),
        "is no connection that can be closed: `Inbox.discard` would wait for a thread that hangs",
    ),
    "Queue._writer": (
        lambda: all(hasattr(Inbox(1).queue._writer, name) for name in ("close", "fileno")),
        "is no connection that can be closed: `Inbox.discard` would leave a file open",
    ),
}
"""What crawler/parsers/spawning.py takes of `multiprocessing`, whether it is there, and what breaks without it."""


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_part_that_we_lean_on_is_there(name):
    there, without = PRIVATE[name]
    try:
        is_there = there()
    except AttributeError as error:
        is_there, without = False, f"is gone ({error}); what we knew of it: {without}"
    assert is_there, f"multiprocessing's {name} {without}. Look at crawler/parsers/spawning.py"


def test_the_private_parts_are_told_and_tested_and_stand_in_one_file():
    told = inspect.getdoc(crawler.parsers.spawning) or ""
    for name in PRIVATE:
        assert f"`{name}`" in told or f"`{name.rpartition('.')[2]}`" in told, f"the docstring does not name {name}"
    parts = {name.rpartition(".")[2] for name in PRIVATE}
    for path in (ROOT / "crawler").rglob("*.py"):
        source = path.read_text("utf-8")
        if "multiprocessing" in source and path.name != "spawning.py":
            used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
            assert not used & parts, f"{path.name} names {sorted(used & parts)}"


def run(script: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=script.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SCRIPT = """
    import os, sys
    from crawler.parsers.spawning import Process

    print("main file runs as", __name__, flush=True)
    process = Process(target=os.write, args=(1, b"child\\n"))
    process.start()
    process.join()
    print("ended with", process.exitcode)
"""


@pytest.mark.parametrize("how", ["file", "module", "package", "code", "stdin"])
def test_a_program_without_a_guard_starts_a_process(tmp_path, how):
    """However the program was started: its main file runs once, and the process does what it was started for."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").touch()
    (tmp_path / "folder" / "__main__.py").write_text(textwrap.dedent(SCRIPT))
    arguments = {
        "file": [str(script)],
        "module": ["-m", "program"],
        "package": ["-m", "folder"],
        "code": ["-c", textwrap.dedent(SCRIPT)],
        "stdin": ["-c", "import sys; exec(compile(open('program.py').read(), '<stdin>', 'exec'))"],
    }[how]
    assert run(script, *arguments) == ["main file runs as __main__", "child", "ended with 0"]


def test_a_process_with_a_key_of_another_kind_starts_one(tmp_path):
    """Celery's workers are such: `multiprocessing` would pickle the key, which refuses that."""
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent("""
            import multiprocessing, os
            from crawler.parsers.spawning import Process

            class Key(bytes):
                def __reduce__(self):
                    raise TypeError("not to be pickled")

            multiprocessing.current_process()._config |= {"authkey": Key(b"secret"), "daemon": True}
            process = Process(target=os.write, args=(1, b"child\\n"))
            process.start()
            process.join()
        """)
    )
    assert run(script, str(script)) == ["child"]


FROZEN = """
    import os, sys
    sys.frozen, sys.executable = True, os.path.abspath("packed")
    print("program", *sys.argv[1:2], flush=True)
    import crawler
    from crawler.parsers.spawning import Process
    print("main file goes on", flush=True)
    process = Process(target=os.write, args=(1, b"child\\n"))
    process.start()
    process.join()
"""


def test_a_frozen_program_without_a_guard_starts_a_process(tmp_path):
    """Its executable is the program, whatever arguments it gets: each process starts as the program does."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(FROZEN))
    packed = tmp_path / "packed"
    helper = f'[ "$1" = --multiprocessing-fork ] || exec {sys.executable} "$@"'  # multiprocessing's own, with -c
    packed.write_text(f'#!/bin/sh\n{helper}\nexec {sys.executable} {script} "$@"\n')
    packed.chmod(0o755)
    assert run(script, str(script)) == ["program", "main file goes on", "program --multiprocessing-fork", "child"]


def test_processes_that_others_start_get_the_main_file_as_ever(tmp_path):
    """Ours are started in one thread while another one starts its own: neither changes what the other starts."""
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent("""
            import json, multiprocessing, os, sys, threading
            from crawler.parsers.spawning import Process

            def which(place):
                with open(place, "w") as file:
                    json.dump(hasattr(sys.modules["__main__"], "which"), file)

            def start(kind, number):
                target, arguments = (which, (f"theirs-{number}",)) if kind is not Process else (ours, (number,))
                process = kind(target=target, args=arguments)
                process.start()
                process.join()

            from program_parts import ours

            if __name__ == "__main__":
                context = multiprocessing.get_context("spawn")
                threads = [
                    threading.Thread(target=start, args=(kind, number))
                    for number in range(3) for kind in (Process, context.Process)
                ]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
        """)
    )
    (tmp_path / "program_parts.py").write_text(
        textwrap.dedent("""
            import json, sys

            def ours(number):
                with open(f"ours-{number}", "w") as file:
                    json.dump(hasattr(sys.modules["__main__"], "which"), file)
        """)
    )
    run(script, str(script))
    assert [json.loads((tmp_path / f"theirs-{number}").read_text()) for number in range(3)] == [True] * 3
    assert [json.loads((tmp_path / f"ours-{number}").read_text()) for number in range(3)] == [False] * 3


def test_a_process_has_the_path_of_imports_and_the_working_directory_of_its_parent(tmp_path):
    script = tmp_path / "program.py"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "beside.py").write_text("import os\ndef where(): print(os.getcwd(), flush=True)\n")
    script.write_text(
        textwrap.dedent("""
            import sys
            sys.path.append("more")
            from beside import where
            from crawler.parsers.spawning import Process
            process = Process(target=where)
            process.start()
            process.join()
        """)
    )
    assert run(script, str(script)) == [str(tmp_path)]
