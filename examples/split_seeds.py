"""Two crawls side by side: deals a list of seeds out to several, all hosts of a registrable domain to the same one.

    python examples/split_seeds.py seeds.txt 2

writes seeds-1.txt and seeds-2.txt, for two crawls with a job each. They share nothing, and ask no host of the lists
twice, as long as they stay in the domains of their seeds. A domain goes to the same list each time.
"""

import sys
from pathlib import Path
from zlib import crc32

from tldextract import TLDExtract

source, number = Path(sys.argv[1]), int(sys.argv[2])
# Without these it would fetch the list of public suffixes; it brings one along.
extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
parts = [[] for _ in range(number)]
for line in source.read_text("utf-8").splitlines():
    found = extract(line.lower())
    domain = found.top_domain_under_public_suffix or found.fqdn or found.domain
    parts[crc32(domain.encode()) % number].append(line)
for at, lines in enumerate(parts, start=1):
    part = source.with_stem(f"{source.stem}-{at}")
    part.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    print(f"{part}: {len(lines)} seeds")
