"""The process that counts half of the URLs of a large job: told what to do on standard input, it answers on output.

Python runs it as a module (`passing`).
"""

import sys

import msgspec

from crawler.jobs.report.passing import Half, half_counted

if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.msgpack.encode(half_counted(msgspec.json.decode(sys.stdin.buffer.read(), type=Half)))
    )
