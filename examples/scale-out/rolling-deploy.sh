#!/usr/bin/env bash
# Puts a release on one host after the other: copied, then changed over to without a gap. It stops at the first host that
# does not come up with it; that one and all behind it serve on what they served.
#
#   ./rolling-deploy.sh FOLDER HOST...
#   ./rolling-deploy.sh build deploy@10.77.0.11 deploy@10.77.0.12 deploy@10.77.0.13
#
# FOLDER is the app as it runs, its node_modules in it. HOST is what ssh takes: log in as the user that tsgun runs as, who
# alone may open its control socket. SSH is another way to run a command on a host; RELEASE a name of your own.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 FOLDER HOST..." >&2
  exit 2
fi
folder=$1
shift
ssh=${SSH:-ssh -o BatchMode=yes -o ConnectTimeout=5}
release=${RELEASE:-$(date -u +%Y%m%d-%H%M%S)}

# Runs on the host. Until the link is moved nothing has changed, and where the reload fails it is moved back: what is started
# later, for whatever reason, is of the old release.
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
# The latest three stay, to go back to. tar has given this one the age of the folder that it came from.
touch "releases/$1"
ls -t releases | tail -n +4 | while read -r old; do rm -r "releases/$old"; done
END

for host in "$@"; do
  echo "$host: $release"
  # shellcheck disable=SC2086 # SSH may be several words.
  at=/srv/app/releases/$release
  if ! tar -C "$folder" -cf - . | $ssh "$host" "mkdir $at && tar -C $at -xf -" ||
    ! $ssh "$host" sh -s -- "$release" <<<"$activate"; then
    echo "$0: stopped at $host, which does not serve $release; hosts before it do, those behind it were not touched" >&2
    exit 1
  fi
done
