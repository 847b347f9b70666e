"""Parser processes leave the main file of a program alone, and nobody else notices."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
