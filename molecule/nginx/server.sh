# shellcheck shell=sh
# Run as root inside each server, once: nginx as its package installs it, without the package's own site.
set -eu
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nginx
rm /etc/nginx/sites-enabled/default
