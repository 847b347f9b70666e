"""nginx on loopback: real files behind a real server."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import listeners

__all__ = ["NGINX", "serving"]

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
"""Path of the program; None where it is not installed (Debian: nginx-light)."""

_AS_ROOT = "user root;"  # else its workers are nobody, who may read no folder of a test


@contextlib.contextmanager
def serving(root: Path, folder: Path) -> Iterator[str]:
    """Serve the files below `root`; gives the server's first URL, with its slash. Its own files go into `folder`."""
    assert NGINX is not None, "nginx is not installed (Debian: apt-get install nginx-light)"
    (bound,) = listeners(("127.0.0.1",))
    port = bound.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"""
        {_AS_ROOT if os.geteuid() == 0 else ""}
        daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; types {{ text/html html htm; text/css css; }}
            client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
            uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
            server {{ listen 127.0.0.1:{port}; root {root}; keepalive_requests 100000; }}
        }}
        """
    )
    # nginx takes a socket that listens already from the one that it is to replace: by the number, in this variable.
    with bound:
        server = subprocess.Popen(
            [NGINX, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"), "-p", str(folder)],
            env=os.environ | {"NGINX": f"{bound.fileno()};"},
            pass_fds=(bound.fileno(),),
        )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()
