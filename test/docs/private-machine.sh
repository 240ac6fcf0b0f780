#!/bin/sh
# A machine of its own on which the documentation is followed to the letter, ports and folders included. Run as root:
#
#   private-machine.sh FOLDER [VISIBLE...]
#
# FOLDER is seen as the home folder /home/you; VISIBLE are folders to be seen read-only at their paths. Says "ready", and
# ends, with everything in it, when it is killed.
# The rule it keeps: what is done inside reaches nothing outside but FOLDER. Processes and network are the namespace's
# own, the file systems are read-only, and where people write (/etc/nginx, /srv, /run, logs) is a fresh tmpfs.
set -eu

die() {
  echo "private-machine: $*" >&2
  exit 1
}

if [ "${TSGUN_PRIVATE_MACHINE:-}" != inside ]; then
  [ "$(id -u)" = 0 ] || die "needs root"
  [ -d "${1:-}" ] || die "usage: private-machine.sh FOLDER [VISIBLE...]"
  TSGUN_PRIVATE_MACHINE=inside exec unshare --mount --propagation private --pid --fork --kill-child \
    --uts --ipc --net -- "$0" "$@"
fi

mount -t proc -o nosuid,nodev,noexec private /proc
mount -o bind,ro /proc/sys /proc/sys
mount -t tmpfs -o mode=755 private /mnt
mkdir /mnt/all
mount -o rbind / /mnt/all
fresh="/home /root /tmp /run /srv /var/log/nginx /var/lib/nginx /etc/nginx"
for place in $fresh; do
  if [ -d "$place" ]; then mount -t tmpfs -o mode=755 private "$place"; fi
done
chmod 1777 /tmp
cp -a /mnt/all/etc/nginx/. /etc/nginx
mkdir /home/you
mount -o bind "/mnt/all$1" /home/you
shift
for path in "$@"; do
  [ ! -e "$path" ] || continue
  mkdir -p "$path"
  mount -o bind,ro "/mnt/all$path" "$path"
done
umount -l /mnt/all
for point in $(awk '$2 !~ "^/(proc|dev|home|run|srv|tmp|etc/nginx|var/l[a-z]*/nginx)(/|$)" { print $2 }' /proc/self/mounts); do
  mount -o remount,bind,ro "$point" 2>/dev/null || true
done
ip link set lo up

# The rule, checked before anything that could break it runs.
if touch /usr/.private-machine 2>/dev/null; then die "/usr can be written"; fi
for place in /srv /tmp /home /etc/nginx; do
  [ "$(stat -f -c %T "$place")" = tmpfs ] || die "$place is the machine's"
done
echo ready
exec sleep infinity
