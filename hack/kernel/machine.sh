# shellcheck shell=bash disable=SC2154 # cache, checkout: install.sh
# Sourced by with-kernel.sh: one throw-away machine, from start to end.

# What of the caller's environment the command sees in the machine.
passed_variables() {
  local name
  while read -r name; do
    case $name in
      PATH | HOME | USER | LOGNAME | LANG | LC_* | TZ | TERM | COLORTERM | NO_COLOR | FORCE_COLOR | CI | DEBUG | \
        NODE_OPTIONS | NODE_ENV | NODE_COMPILE_CACHE | NODE_V8_COVERAGE | KUBEBUILDER_ASSETS | \
        BENCH_* | DEMO_* | IPVS_* | KERNEL_* | TEST_* | VITEST_*)
        printf '%s=%s\0' "$name" "${!name}"
        ;;
    esac
  done < <(compgen -e)
}

# The script that the machine runs: the caller's folder, variables and words, whatever they hold.
command_script() {
  local pair
  [[ $terminal == no ]] || printf 'stty rows %s\n' "$(stty size | sed 's/ / cols /')"
  printf 'cd -- %q || exit 1\n' "$PWD"
  while IFS= read -r -d '' pair; do printf 'export %q\n' "$pair"; done < <(passed_variables)
  printf '%q ' "$@"
  printf '\n'
}

# With tsc=reliable a look at the clock costs 50 ns, not 2,400. With norandmaps a library has the same address in every process, so that
# what the emulator translated of it serves all: a program starts in a third of the time.
kernel_parameters='console=ttyS0 quiet panic=-1 oops=panic mitigations=off tsc=reliable norandmaps'

# run_machine TERMINAL CMD…: TERMINAL is yes or no. Ends this script with the command's status.
run_machine() {
  local terminal=$1
  shift
  local kernel
  kernel=$(kernel_image)
  control=$(mktemp -d "${TMPDIR:-/tmp}/kernel-machine.XXXXXX")
  trap end_machine EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  describe_machine "$@"

  qemu=(
    qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
    -smp "${KERNEL_VM_CPUS:-2}" -m "${KERNEL_VM_MEMORY:-3G}"
    -kernel "$kernel/vmlinux" -initrd "$kernel/initramfs"
    -append "$kernel_parameters"
    -serial "file:$control/console" -device virtio-serial-pci
  )
  qemu_accelerator
  qemu_share host / ,readonly=on,multidevs=remap
  qemu_share control "$control"
  qemu_share share "$KERNEL_SHARE"
  if [[ $terminal == yes ]]; then
    qemu_terminal
  else
    qemu_output out 1
    qemu_output err 2
    exec </dev/null
  fi
  await_machine
}

# What kernel/init and kernel/guest.sh find in the control folder.
describe_machine() {
  command_script "$@" >"$control/run"
  {
    printf 'share=%q\nmodules=%q\n' "$KERNEL_SHARE" "$kernel/lib/modules"
    printf 'guest=%q\n' "$checkout/hack/kernel/guest.sh"
  } >"$control/machine"
}

# Without erms the guest moves memory by words, not bytes: emulated, that makes allocation twice as fast. Without la57
# page tables have a level less.
# Hardware virtualisation only when asked for: there are hosts where it opens and a guest hangs.
qemu_accelerator() {
  case ${KERNEL_VM_ACCEL:-tcg} in
    tcg) qemu+=(-accel 'tcg,thread=multi' -cpu 'max,-erms,-la57') ;;
    kvm) qemu+=(-accel kvm -cpu host) ;;
    *) fail 'KERNEL_VM_ACCEL is tcg or kvm' ;;
  esac
}

qemu_share() {
  qemu+=(-fsdev "local,id=$1,path=$2,security_model=none${3:-}" -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

# qemu_output NAME FD: a port of the machine, whose other end is copied to our own output.
qemu_output() {
  mkfifo "$control/$1"
  cat "$control/$1" >&"$2" &
  copies+=($!)
  qemu+=(-chardev "file,id=$1,path=$control/$1,append=on" -device "virtserialport,chardev=$1,name=$1")
}

qemu_terminal() {
  terminal_state=$(stty -g)
  : >"$control/terminal"
  qemu+=(-chardev 'stdio,id=terminal,signal=off' -device 'virtconsole,chardev=terminal')
}

await_machine() {
  local timeout=${KERNEL_VM_TIMEOUT:-1800}
  # setpriv: both end with this script, even if that is killed.
  setpriv --pdeathsig KILL "${qemu[@]}" <&0 2>"$control/qemu" &
  machine=$!
  setpriv --pdeathsig KILL sleep "$timeout" >/dev/null 2>&1 &
  deadline=$!
  wait -n "$machine" "$deadline" || true
  if kill -0 "$machine" 2>/dev/null; then
    say "not done after $timeout s (KERNEL_VM_TIMEOUT): the machine is ended"
    exit 124
  fi
  ((${#copies[@]} == 0)) || wait "${copies[@]}"
  [[ ! -e $control/status ]] || exit "$(<"$control/status")"
  say 'the machine ended before its command did; its last words:'
  tail -n 50 "$control/qemu" "$control/console" >&2 || true
  exit 125
}

end_machine() {
  local process
  for process in $machine $deadline "${copies[@]}"; do
    # Waited for, so that the shell does not report it.
    { kill -KILL "$process" && wait "$process"; } 2>/dev/null || true
  done
  [[ -z $terminal_state ]] || stty "$terminal_state"
  rm -rf "$control"
}

machine='' deadline='' terminal_state='' copies=() qemu=()
