# shellcheck shell=sh
# Run as root inside the server, once: nginx, and a uvicorn for an app that nothing of this collection serves yet.
set -eu
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nginx
rm /etc/nginx/sites-enabled/default
# shellcheck disable=SC2046  # one variable per word
export $(cat /setup/environment)
python3 -m venv /opt/former
/opt/former/bin/pip install --quiet uvicorn
