# shellcheck shell=sh
# Run as root inside a fresh server, once: the users, their keys, and what sshd writes down about logins.
# $1 is the address of the server that also plays the git server; the words after it, on that one alone, name its
# repositories.
set -eu
cd "$(dirname "$0")"
upstream=$1
shift

authorize() { # user, key files...
    user=$1
    shift
    directory=$(getent passwd "$user" | cut -d: -f6)/.ssh
    install -d -m 700 -o "$user" "$directory"
    cat "$@" >"$directory/authorized_keys"
    chown "$user" "$directory/authorized_keys"
}

# The first version of each project comes from app/.
publish() { # project
    cp -r app "/home/git/$1"
    chown -R git "/home/git/$1"
    su - git -c "
        git init -q --bare -b main $1.git
        cd $1
        git init -q -b main
        git add --all
        git -c user.name=First -c user.email=first@example.org commit -q -m 'Say hello'
        git push -q ../$1.git main
    "
}

cat >/etc/hosts <<END
127.0.0.1 localhost
::1 localhost
127.0.1.1 $(hostname)
$upstream upstream
END
useradd --create-home --shell /bin/bash deploy
authorize deploy laptop.pub
authorize root laptop.pub
install -m 600 -o deploy -g deploy server /home/deploy/.ssh/id_ed25519

if [ $# -gt 0 ]; then
    useradd --create-home --shell /bin/bash git
    authorize git laptop.pub server.pub
    for project in "$@"; do publish "$project"; done
fi

# VERBOSE makes sshd log each session that it starts: that is how remote executions are counted.
cat >/etc/ssh/sshd_config.d/test.conf <<'END'
LogLevel VERBOSE
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100
END
systemctl restart ssh

# Every login gets the laptop's certificates and package index.
cat environment >>/etc/environment
