# docs_test.sh - what the documents point at exists: links, make targets, tools, paths, commands.
. "$MOULT_SOURCE/tests/tools/lib.sh"
cd "$MOULT_SOURCE" || exit 1

pages=$(find . \( -name build -o -name .git -o -name third_party \) -prune -o -name '*.md' -print | sed 's|^\./||')

# Relative links, [words](path#anchor).
broken=$(for page in $pages; do
    folder=$(dirname "$page")
    grep -oE '\]\([^)#: ]+(#[^)]*)?\)' "$page" | sed 's/^](//; s/[)#].*//' | sort -u | while read -r link; do
        [ -e "$folder/$link" ] || echo "$page: $link"
    done
done)
expect 0 "" "links lead somewhere: $broken" [ -z "$broken" ]

# `make X` in code style or in an indented block.
targets=" $(sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile | tr '\n' ' ')"
unknown=$(grep -nEo '(^    |`)make [a-z-]+' $pages | sed 's/\(.*\):.*make /\1 /' | while read -r place target; do
    case $targets in *" $target "*) ;; *) echo "$place: make $target" ;; esac
done)
expect 0 "" "make targets exist: $unknown" [ -z "$unknown" ]

# Paths in code style that begin with a folder of the tree; a trailing / is a folder; <x> and * are patterns.
missing=$(grep -nEo '`(api|cli|client|cmake|device|docs|examples|formats|keys|ports|server|tests|tools|\.ci)/[A-Za-z0-9_./-]*`' $pages |
    tr -d '`' | while IFS=: read -r page line path; do
    case $path in formats/codes.[hc]) continue ;; esac # made at build time
    [ -e "$path" ] || [ -e "$path.h" ] || echo "$page:$line: $path"
done)
expect 0 "" "paths exist: $missing" [ -z "$missing" ]

# The next command of every code is one the command line has: docs/cli/ has a page per command.
unknown=$(awk -F '\t' 'FNR > 1 && $10 ~ /^moult [a-z]/ {print $10}' api/codes.tsv |
    sed -E 's/^moult //; s/ ([A-Z-]|--).*//; s/ E[0-9]+$//' | sort -u | while read -r command; do
    [ -f "docs/cli/$(echo "$command" | tr ' ' '-').md" ] || echo "moult $command"
done)
expect 0 "" "commands of api/codes.tsv exist: $unknown" [ -z "$unknown" ]

finish
