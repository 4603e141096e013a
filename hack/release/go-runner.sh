#!/bin/sh
# /go-runner [FLAG…] [--] PROGRAM [ARGUMENT…] of the image: runs a program with its output redirected. Flags as of kube-log-runner.
#
#     --log-file=FILE           appends standard output to FILE
#     --also-stdout             with --log-file: writes it to standard output too
#     --redirect-stderr=false   leaves standard error alone; by default it goes where standard output goes
#
# Without --also-stdout the program replaces this shell. With it, the shell passes signals on, waits for the program and for its last
# output to be written, and exits with the program's status, or with 128 + N if signal N ended it.
set -eu

fail() {
  echo "go-runner: $2" >&2
  exit "$1"
}

file='' also=false redirect=true ignored=''
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    -?*) flag=${1#-} flag=${flag#-} ;;
    *) break ;;
  esac
  shift
  name=${flag%%=*}
  case $flag in
    *=*) value=${flag#*=} ;;
    also-stdout | redirect-stderr) value=true ;;
    log-file | log-file-size | log-file-age | flush-interval)
      [ $# -gt 0 ] || fail 2 "flag needs an argument: -$name"
      value=$1
      shift ;;
    *) value='' ;;
  esac
  case $name in
    also-stdout | redirect-stderr)
      case $value in
        1 | t | T | true | TRUE | True) value=true ;;
        0 | f | F | false | FALSE | False) value=false ;;
        *) fail 2 "invalid boolean value \"$value\" for -$name" ;;
      esac ;;
  esac
  case $name in
    log-file) file=$value ;;
    also-stdout) also=$value ;;
    redirect-stderr) redirect=$value ;;
    log-file-size | log-file-age | flush-interval) ignored="$ignored -$name" ;;
    *) fail 2 "flag provided but not defined: -$name" ;;
  esac
done
[ $# -gt 0 ] || fail 1 'not enough arguments to run'
[ -z "$ignored" ] || echo "go-runner: flags without effect:$ignored" >&2

if [ -z "$file" ]; then
  if [ "$redirect" = true ]; then exec "$@" 2>&1; fi
  exec "$@"
fi
true >>"$file" || fail 1 "cannot write $file"
if [ "$also" = false ]; then
  if [ "$redirect" = true ]; then exec "$@" >>"$file" 2>&1; fi
  exec "$@" >>"$file"
fi

# A signal ends `wait` early; the next one has the status.
ended() {
  while :; do
    signalled=false
    wait "$1" && status=0 || status=$?
    if [ "$signalled" = false ]; then return; fi
  done
}

program='' early=''
pass_on() {
  signalled=true
  if [ -n "$program" ]; then kill -s "$1" "$program" 2>/dev/null || true; else early=$1; fi
}
for signal in HUP INT QUIT USR1 USR2 TERM CONT WINCH; do
  # shellcheck disable=SC2064 # the name of now
  trap "pass_on $signal" "$signal"
done

# The pipe has no name once both ends are open. /dev/shm is there, and can be written, in every container.
folder=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
mkfifo "$folder/pipe"
exec 3<>"$folder/pipe" 4<"$folder/pipe" 5>"$folder/pipe" 3>&-
rm -r "$folder"
tee -a -p "$file" <&4 4<&- 5>&- &
tee=$!
# A shell without job control starts programs in the background with INT and QUIT ignored.
if [ "$redirect" = true ]; then
  env --default-signal=INT,QUIT "$@" >&5 2>&5 4<&- 5>&- &
else
  env --default-signal=INT,QUIT "$@" >&5 4<&- 5>&- &
fi
program=$!
exec 4<&- 5>&-
if [ -n "$early" ]; then kill -s "$early" "$program" 2>/dev/null || true; fi
ended "$program"
result=$status
ended "$tee"
exit "$result"
