#!/bin/sh
# Start procmon in the background, in a session of its own, and note its pid: start.sh FOLDER
set -eu
folder=$1
setsid "$folder/procmon/current/venv/bin/procmon" run "$folder/procmon/etc/demo.toml" >"$folder/procmon/log" 2>&1 </dev/null &
echo $! >"$folder/procmon/pid"
