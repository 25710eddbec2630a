#!/bin/sh
# Installs driftwarden into a virtual environment and starts it. Run by cloud-init with what pip shall install.
set -eu
package=$1
prefix=${PREFIX:-/opt}/driftwarden
test -x "$prefix/bin/python" || python3.11 -m venv "$prefix"
"$prefix/bin/pip" install --quiet --disable-pip-version-check --no-input "$package"
"$prefix/bin/python" -m compileall -q "$prefix/lib"
systemd-tmpfiles --create /usr/lib/tmpfiles.d/driftwarden.conf
systemctl daemon-reload
systemctl enable --now driftwarden.service
