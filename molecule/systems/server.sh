# shellcheck shell=sh
# Run as root inside each server, once: what hardened servers do without, and another Python than the system's.
set -eu

# OpenSSH takes the first value that it reads, and test.conf comes first. sftp is a line of the main file.
sed -i '/^Subsystem/d' /etc/ssh/sshd_config
cat >>/etc/ssh/sshd_config.d/test.conf <<'END'
AllowTcpForwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
X11Forwarding no
PermitTunnel no
END
systemctl restart ssh

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
if [ "$suite" = bookworm ]; then
    python3 -m venv /opt/python
    exit
fi

# The Python of the release before, without its venv: uv makes the environments. apt takes nothing else from there.
for sources in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list; do
    if [ -s "$sources" ]; then sed "s/\b$suite\b/bookworm/g" "$sources" >"$(dirname "$sources")/bookworm${sources##*/}"; fi
done
cat >/etc/apt/preferences.d/bookworm <<'END'
Package: *
Pin: release n=bookworm*
Pin-Priority: 100
END
apt-get update -q
apt-get install -q -y --no-install-recommends python3.11
