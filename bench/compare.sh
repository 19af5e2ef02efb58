#!/usr/bin/env bash
# Runs the Go benchmarks of this tree and of a revision by turns, and prints benchstat's comparison:
#   bench/compare.sh REV [PACKAGE…]     BENCH='.' COUNT=6 BENCHTIME=1s
# or  task bench:compare REV=HEAD~1  and  task bench:compare -- HEAD~1 ./schemas
# By turns, so that what else the machine does falls on both. Packages that the revision does not have
# are measured here alone. Benchmarks of packages that fail on one side are left out, and said.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/compare.sh REV [PACKAGE…]" >&2; exit 2; }
rev=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "compare: no such revision: $1" >&2; exit 2; }
shift
[ $# -gt 0 ] || set -- ./...
dir=$(mktemp -d)
cleanup() { git worktree remove --force "$dir/old" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
trap 'exit 130' INT TERM
git worktree add --quiet --detach "$dir/old" "$rev"
measure() { # FOLDER FILE PACKAGE…
  local folder=$1 file=$2; shift 2
  (cd "$folder" && go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -benchmem -count 1 "$@") >>"$file" ||
    echo "compare: some package of ${file##*/} failed, see above; what it measured counts" >&2
}
for i in $(seq "${COUNT:-6}"); do
  echo "compare: round $i of ${COUNT:-6}" >&2
  measure "$dir/old" "$dir/old.txt" "$@"
  measure . "$dir/new.txt" "$@"
done
(cd "$dir" && cp old.txt "$rev" && cp new.txt here)
go tool -modfile=tools/go.mod benchstat "$dir/$rev" "$dir/here"
