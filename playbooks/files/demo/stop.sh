#!/bin/sh
# Stop the demo of an earlier run and remove its folder: stop.sh FOLDER
# Only a folder that a demo made is removed, and only the procmon that was started for this folder is stopped.
set -eu
folder=$1
if ! [ -f "$folder/projects.yml" ] && [ -n "$(ls -A "$folder")" ]; then
    echo "$folder was not made by this demo. Choose another folder with -e folder=" >&2
    exit 1
fi
pid=$(cat "$folder/procmon/pid" 2>/dev/null || true)
if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$folder/procmon/etc/demo.toml"; then
    kill "$pid"
    for _ in $(seq 400); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
fi
rm -rf "$folder"
