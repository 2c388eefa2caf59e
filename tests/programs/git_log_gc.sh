#!/bin/sh
# git creates, logs, packs and checks a repository of 200 commits.
#
# Names of packs and sizes of deltas depend on how git's threads share the work, so they are not printed.

. "$(dirname "$0")/data/common.sh"
need git
need awk

GIT_CONFIG_GLOBAL=/dev/null
GIT_CONFIG_SYSTEM=/dev/null
GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME=Author
GIT_AUTHOR_EMAIL=author@example.org
GIT_AUTHOR_DATE='1700000000 +0000'
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
GIT_PAGER=cat
GIT_CEILING_DIRECTORIES=$(dirname "$PWD")
export GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_PAGER GIT_CEILING_DIRECTORIES
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE

# One stream of 190 commits, each of which changes a few files of some hundred lines.
commits() {
    awk 'BEGIN {
        state = 7
        for (commit = 1; commit <= 190; commit++) {
            message = "commit " commit "\n"
            printf "commit refs/heads/main\n"
            printf "committer Author <author@example.org> %d +0000\n", 1600000000 + commit * 60
            printf "data %d\n%s", length(message), message
            for (change = 0; change < 3; change++) {
                state = state * 16807 % 2147483647
                file = state % 25
                text = ""
                for (line = 0; line < 120; line++) {
                    changed = line % 25 == commit % 25 ? " in commit " commit : ""
                    text = text "line " line " of file " file changed "\n"
                }
                printf "M 100644 inline folder%d/file%d.txt\n", file % 4, file
                printf "data %d\n%s\n", length(text), text
            }
        }
    }'
}

preloaded git init -q -b main repository
cd repository
git config core.logAllRefUpdates false
git config gc.autoDetach false
commits >../stream
preloaded git fast-import --quiet <../stream
preloaded git checkout -q -f main
for number in 1 2 3 4 5 6 7 8 9 10; do
    echo "line $number" >>notes.txt
    preloaded git add notes.txt
    preloaded git commit -q -m "note $number"
done

preloaded git log --stat --format='%H %ad %s' --date=iso >../log
sha256sum <../log
preloaded git log --oneline -5
preloaded git log --format=%s -- folder1/file5.txt | head -20
preloaded git gc --quiet --aggressive --prune=now
preloaded git fsck --full --strict --no-progress
preloaded git count-objects -v | grep -E '^(count|in-pack|packs|garbage):'
preloaded git diff --stat HEAD~60 HEAD | tail -1
preloaded git blame -s notes.txt
preloaded git grep -c 'in commit' | sort | head -30
preloaded git archive --format=tar HEAD | sha256sum
preloaded git status --short
