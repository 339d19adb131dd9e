#!/usr/bin/env bash
# Scan datasets and hold what is found to a policy; the workflow and the pre-commit hook beside this file call it.
#
#     gate-dataset.sh data/train.jsonl ...          scan, then gate
#     gate-dataset.sh --result runs/owls-1a2b3c4d   gate alone: results that are there already
#
# Settings, all from the environment:
#     POLICY    policy file (policy.yaml beside this script)
#     STUDENT   base that the student will start from (embedded/smollm2-135m)
#     REPORTS   folder for results, and for a folder a file with JUnit, SARIF and all else (gate-reports)
#     SIGN_KEY  private key to sign the records with (none: they are not signed); see undertow keygen
#     UNDERTOW  the command (undertow)
#
# Exit code: 0 if all pass; else the worst of 2 or 3 (it broke off), 1 (fail), 4 (inconclusive), in this order.
set -uo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
policy=${POLICY:-$here/policy.yaml}
student=${STUDENT:-embedded/smollm2-135m}
reports=${REPORTS:-gate-reports}
undertow=${UNDERTOW:-undertow}
sign=()
[ -n "${SIGN_KEY:-}" ] && sign=(--sign "$SIGN_KEY")
worst=0

if [ $# = 0 ] || { [ "$1" = --result ] && [ $# -lt 2 ]; }; then
    echo "usage: $(basename -- "$0") ROWS... | --result RESULT..." >&2
    exit 2
fi
mkdir -p -- "$reports" || exit 3

worse() { # remember the worst code so far
    case $worst,$1 in
        *,0) ;;
        0,* | 4,* | 1,[!04]*) worst=$1 ;;
    esac
}

gate() { # RESULT NAME [--rows ROWS]
    local result=$1 name=$2
    shift 2
    "$undertow" gate "$result" --policy "$policy" "$@" --write "$reports/$name" ${sign[@]+"${sign[@]}"}
    worse $?
}

number=0
gate_only=0
[ "$1" = --result ] && gate_only=1 && shift
for file in "$@"; do
    number=$((number + 1))
    case $file in -*) file=./$file ;; esac # a name that begins with a dash is no option
    # Two folders may hold files of the same name.
    name=$number-$(basename -- "$file" | tr -c 'A-Za-z0-9._\n-' _)
    echo "== $file"
    if [ $gate_only = 1 ]; then
        gate "$file" "$name"
        continue
    fi
    # A scan's own verdict ends it with 0, 1 or 4: the policy decides on all three.
    "$undertow" scan "$file" --student "$student" --runs "$reports/runs" --quiet --json > "$reports/$name.results.json"
    code=$?
    case $code in
        0 | 1 | 4) gate "$reports/$name.results.json" "$name" --rows "$file" ;;
        *) worse $code ;;
    esac
done
exit "$worst"
