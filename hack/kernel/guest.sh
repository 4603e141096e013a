#!/bin/bash
# The machine's first process once it stands on the host's files: runs the command, leaves its status, ends the machine.
set -u
control=/run/control

prepare() {
  mkdir -p /dev/pts /dev/shm /run/lock
  mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs shm /dev/shm
  mount -t cgroup2 cgroup /sys/fs/cgroup
  ln -sfn /proc/self/fd /dev/fd
  ln -sfn /proc/self/fd/0 /dev/stdin
  ln -sfn /proc/self/fd/1 /dev/stdout
  ln -sfn /proc/self/fd/2 /dev/stderr
  hostname kernel-vm
  ulimit -n 65536
  ip link set lo up
  modprobe ip_vs
  modprobe dummy numdummies=0
}

# The device of the output port with this name; ports appear a moment after their driver is there.
port() {
  local name
  while true; do
    for name in /sys/class/virtio-ports/*/name; do
      [[ -r $name && $(<"$name") == "$1" ]] || continue
      name=${name%/name}
      printf '/dev/%s\n' "${name##*/}"
      return
    done
    sleep 0.05
  done
}

# A port can be opened by one process only, so the command gets pipes.
run_piped() {
  local out err
  mkfifo /run/out /run/err
  cat /run/out >"$(port out)" &
  out=$!
  cat /run/err >"$(port err)" &
  err=$!
  setsid --wait /bin/bash "$control/run" </dev/null >/run/out 2>/run/err
  status=$?
  end_leftovers "$out" "$err"
  wait "$out" "$err"
}

run_on_terminal() {
  setsid --ctty --wait /bin/bash "$control/run" </dev/hvc0 >/dev/hvc0 2>&1
  status=$?
}

# What the command left running would keep the pipes open.
end_leftovers() {
  local process
  for process in /proc/[0-9]*; do
    process=${process#/proc/}
    [[ $process == 1 || $process == "$1" || $process == "$2" ]] && continue
    # Threads of the kernel have no program.
    [[ -e /proc/$process/exe ]] && kill -KILL "$process" 2>/dev/null
  done
}

prepare
if [[ -e $control/terminal ]]; then run_on_terminal; else run_piped; fi
echo "$status" >"$control/status.part"
mv "$control/status.part" "$control/status"
exec busybox poweroff -f
