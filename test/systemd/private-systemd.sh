#!/bin/sh
# Boots a systemd of its own as process 1 of new namespaces, for tests that need the real one. Run as root:
#
#   private-systemd.sh UNITS [VISIBLE...]      starts the unit test.target of the folder UNITS
#
# The rule it keeps: nothing of the machine can be written from inside. The root is a fresh tmpfs with a
# read-only /usr, made and left before systemd starts; the units are those of UNITS and no others (the
# distribution's own would clean /tmp, set sysctls and run timers); processes, network, names and control
# groups are the namespace's own. VISIBLE are folders or files to be seen read-only at their paths.
# Ends, with everything in it, when it is killed; all is gone when its control group is.
set -eu

die() {
  echo "private-systemd: $*" >&2
  exit 1
}

if [ "${TSGUN_PRIVATE_SYSTEMD:-}" != inside ]; then
  [ "$(id -u)" = 0 ] || die "needs root"
  [ -d "${1:-}" ] || die "usage: private-systemd.sh UNITS [VISIBLE...]"
  # The namespace's control groups begin here, and systemd takes what it sees for its own.
  unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$unified" ] || die "no cgroup v2 hierarchy is mounted"
  group="$unified/tsgun-systemd-$$"
  mkdir "$group"
  # When this process, by then another program, has ended, ends everything inside and removes the groups. In
  # a session of its own, so that the end of this one's process group does not end the cleaning.
  setsid sh -c '
    while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
    echo 1 >"$2/cgroup.kill"
    while grep -q . "$2/cgroup.procs" "$2"/*/cgroup.procs "$2"/*/*/cgroup.procs; do sleep 0.1; done
    # A group whose last process has just ended may still be busy.
    for try in $(seq 100); do
      find "$2" -depth -type d -exec rmdir {} \;
      [ -e "$2" ] || break
      sleep 0.1
    done
  ' sh $$ "$group" >/dev/null 2>&1 </dev/null &
  echo $$ >"$group/cgroup.procs"
  TSGUN_PRIVATE_SYSTEMD=inside exec unshare --mount --propagation private --pid --fork --kill-child \
    --uts --ipc --net --cgroup -- "$0" "$@"
fi

units=$1
shift

new=/mnt
mount -t tmpfs -o mode=755 private "$new"
cd "$new"
mkdir usr etc proc sys dev run tmp var old units root
mount -o bind,ro /usr usr
for link in bin sbin lib lib32 lib64; do
  if [ -L "/$link" ]; then cp -P "/$link" "$link"; fi
done
for file in passwd group nsswitch.conf ld.so.cache ld.so.conf; do
  if [ -e "/etc/$file" ]; then cp "/etc/$file" "etc/$file"; fi
done
echo "127.0.0.1 localhost" >etc/hosts
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mount -o bind,ro "$units" units
mount -t tmpfs -o mode=755 private run
mount -t tmpfs -o mode=1777 private tmp
mount -t tmpfs -o mode=755 private dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount -o bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
for path in "$@"; do
  [ ! -e ".$path" ] || continue
  if [ -d "$path" ]; then
    mkdir -p ".$path"
  else
    mkdir -p ".$(dirname "$path")" && : >".$path"
  fi
  mount -o bind,ro "$path" ".$path"
done
mount -t proc -o nosuid,nodev,noexec private proc
# Kernel settings are the machine's, not the namespace's.
mount -o bind,ro proc/sys proc/sys
mount -t sysfs -o ro,nosuid,nodev,noexec private sys
mount -t cgroup2 private sys/fs/cgroup
mkdir -p run/systemd/system
pivot_root . old
cd /
umount -l /old
rmdir /old
ip link set lo up 2>/dev/null || true

# The rule, checked before anything that could break it runs.
[ "$(stat -f -c %T /)" = tmpfs ] && [ ! -e /old ] || die "the machine's files are still there"
if touch /usr/.private-systemd 2>/dev/null; then die "/usr can be written"; fi
if cat /proc/sys/kernel/sysrq 2>/dev/null >/proc/sys/kernel/sysrq; then die "/proc/sys can be written"; fi
[ "$(stat -f -c %T /tmp)" = tmpfs ] || die "/tmp is the machine's"

# Nor may it set the clock, load modules or read the kernel's log, which have no namespaces.
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog,-mknod,-mac_admin,-mac_override \
  env -i container=tsgun PATH=/usr/sbin:/usr/bin SYSTEMD_UNIT_PATH=/units \
  /lib/systemd/systemd --system --unit=test.target --log-target=console --log-level=notice --show-status=no \
  </dev/null
