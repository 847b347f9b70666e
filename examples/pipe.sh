#!/bin/sh
# A Unix pipe: records on standard output, nothing else; the crawl ends when nobody reads any more.
#
#     sh examples/pipe.sh https://example.com/
set -eu

echo "pages by status:"
crawler crawl "$1" --max-pages 50 --quiet --fresh --job output/pipe --fields status -o - | sort | uniq -c

echo "the first three:"
crawler crawl "$1" --max-pages 50 --quiet --fresh --job output/pipe --fields url,title -o - | head -n 3
