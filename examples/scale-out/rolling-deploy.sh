#!/usr/bin/env bash
# Deploys a release host by host: copies it, then reloads without downtime. Stops at the first host that fails to start
# it; that host and all after it keep serving their old release.
#
#   ./rolling-deploy.sh FOLDER HOST...
#   ./rolling-deploy.sh build deploy@10.77.0.11 deploy@10.77.0.12 deploy@10.77.0.13
#
# FOLDER is the complete app, with its node_modules. HOST is an ssh destination: log in as the user that tsgun runs as, since
# only that user may open its control socket. Set SSH to run commands on a host another way, RELEASE to name the release.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 FOLDER HOST..." >&2
  exit 2
fi
folder=$1
shift
ssh=${SSH:-ssh -o BatchMode=yes -o ConnectTimeout=5}
release=${RELEASE:-$(date -u +%Y%m%d-%H%M%S)}

# Runs on the host. Nothing changes until the link moves. If the reload fails, the link moves back, so that whatever starts
# later starts the old release.
read -r -d '' activate <<'END' || true
set -eu
cd /srv/app
point_to() {
  ln -sfn "$1" current.new
  mv -T current.new current
}
before=$(readlink current)
point_to "releases/$1"
if ! node_modules/.bin/tsgun ctl --control-socket /run/app/control.sock reload; then
  point_to "$before"
  rm -r "releases/$1"
  exit 1
fi
# Keep the latest three, to go back to. tar gave this one the age of its source folder.
touch "releases/$1"
ls -t releases | tail -n +4 | while read -r old; do rm -r "releases/$old"; done
END

for host in "$@"; do
  echo "$host: $release"
  # shellcheck disable=SC2086 # SSH may be several words.
  at=/srv/app/releases/$release
  if ! tar -C "$folder" -cf - . | $ssh "$host" "mkdir $at && tar -C $at -xf -" ||
    ! $ssh "$host" sh -s -- "$release" <<<"$activate"; then
    echo "$0: stopped at $host, which does not serve $release; the hosts before it do, those after it are untouched" >&2
    exit 1
  fi
done
