# codes_test.sh - tools/gen-codes accepts api/codes.tsv and refuses each kind of mistake in it.
. "$MOULT_SOURCE/tests/tools/lib.sh"
gen=$MOULT_SOURCE/tools/gen-codes
good=$MOULT_SOURCE/api/codes.tsv
table=$scratch/codes.tsv

expect 0 "" "the table of this tree" "$gen" --check "$good" "$MOULT_SOURCE/docs/errors"

# refuse TEXT NAME AWK: the table changed by an awk program (tabs between fields) is refused
refuse() {
    awk -F '\t' -v OFS='\t' "$3" "$good" > "$table"
    if cmp -s "$table" "$good"; then expect 0 "" "$2: the case changes something" false; fi
    expect 1 "$1" "$2" "$gen" --check "$table"
}
refuse "code E0902 is in line" "a code twice" '{print} $1 == "E0902"'
refuse "name MOULT_D_CHIP is in line" "a name twice" '$1 == "E0903" {$2 = "MOULT_D_CHIP"} {print}'
refuse "expects 11 columns" "a column missing" '$1 == "E0902" {$11 = ""; sub(/\t$/, "")} {print}'
refuse "column next is empty" "a gap in the columns" '$1 == "E0902" {$10 = ""} {print}'
refuse "which is not in the table" "a detail without a reason" '$1 == "E0902" {$3 = "-"} {print}'
refuse "which is not in the table" "a detail of an unknown reason" '$1 == "E0902" {$3 = "R198"} {print}'
refuse "class expects one of" "a reason without class" '$1 == "R107" {$5 = "-"} {print}'
refuse "needs retry advice" "a reason without advice" '$1 == "R107" {$6 = "-"} {print}'
refuse "status expects a name" "a status that is none" '$1 == "E0902" {$4 = "EINVAL"} {print}'
refuse "exit expects 1..11" "an exit code outside" '$1 == "E0902" {$8 = "12"} {print}'
refuse "http expects" "an HTTP status that is none" '$1 == "E0902" {$7 = "200"} {print}'
refuse "may use {want} and {have} only" "another placeholder" '$1 == "E0902" {$9 = "chip {chip}"} {print}'
refuse "keep the rows sorted" "a row out of place" '$1 == "E0101" {late = $0; next} {print} END {print late}'
refuse "code expects R101..R999" "a code of no kind" '$1 == "E0902" {$1 = "X0902"} {print}'
refuse "column 9 expects \"words\"" "columns in another order" 'NR == 1 {$9 = "text"} {print}'

mkdir "$scratch/pages"
cp "$MOULT_SOURCE"/docs/errors/[RE]*.md "$scratch/pages/"
rm "$scratch/pages/E0902.md"
expect 1 "codes without a page" "a page missing" "$gen" --check "$good" "$scratch/pages"
cp "$MOULT_SOURCE/docs/errors/E0902.md" "$scratch/pages/E0902.md"
echo "# E1999" > "$scratch/pages/E1999.md"
expect 1 "pages without a code" "a page too many" "$gen" --check "$good" "$scratch/pages"

# The pages agree with the table, and what is written by hand below the mark survives the tool.
cp -r "$MOULT_SOURCE/docs/errors" "$scratch/again"
expect 0 "" "pages are up to date" sh -c "
    [ -z \"\$('$MOULT_SOURCE/tools/gen-error-pages' '$good' '$scratch/again')\" ]"
echo "by hand" >> "$scratch/again/E0902.md"
sed 's/release expects chip/release wants chip/' "$good" > "$table"
expect 0 "E0902.md" "a change of words reaches the page" \
    "$MOULT_SOURCE/tools/gen-error-pages" "$table" "$scratch/again"
expect 0 "" "the part by hand is kept" grep -q "^by hand$" "$scratch/again/E0902.md"
expect 0 "" "the new words are there" grep -q "release wants chip" "$scratch/again/E0902.md"

finish
