#!/bin/sh
# Makes the demo's upstream repository: upstream.sh DIRECTORY APP
# v1 and v2 differ in one line, v3 cannot start.
set -eu
upstream=$1 app=$2

commit() {
    git add --all
    git -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false commit --quiet --message "$1"
    git tag "$2"
}

mkdir -p "$upstream"
cd "$upstream"
git init --quiet --initial-branch main
cp "$app" app.py
echo 'uvicorn>=0.30' >requirements.txt
commit 'Say hello' v1
sed -i 's/VERSION = "v1"/VERSION = "v2"/' app.py
commit 'Say hello in version two' v2
printf 'import a_module_that_is_not_there\n' >>app.py
commit 'Forget to install a module' v3
