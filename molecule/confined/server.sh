# shellcheck shell=sh
# Run as root inside each server, once. The app's user may do more than its unit lets the app: what refuses the app is the
# unit, and not a lack of rights.
set -eu
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
install -d -m 1777 /srv/everyone

# For services of a user. Root's own manager stays as well: with control groups of version 1 its end takes long, and a
# login waits for that.
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends libpam-systemd
loginctl enable-linger root
