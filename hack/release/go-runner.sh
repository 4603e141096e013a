#!/bin/sh
# /go-runner [FLAG…] [--] PROGRAM [ARGUMENT…] of the image: runs a program with its output redirected. Flags as of kube-log-runner.
#
#     --log-file=FILE           appends standard output to FILE
#     --also-stdout             with --log-file: writes it to standard output too
#     --redirect-stderr=false   leaves standard error alone; by default it goes where standard output goes
#     --log-file-size=QUANTITY  with --log-file: once FILE has this size (10Mi), it is renamed to NAME-20060102-150405.EXT
#     --log-file-age=DURATION   with --log-file-size: files renamed so are deleted at a rotation when they are older (24h30m)
#     --flush-interval=DURATION with --log-file: the kernel is made to write FILE to the disk this often; nothing is buffered here
#
# With --log-file alone the program replaces this shell. With more, the shell passes signals on, waits for the program and for its last
# output to be written, and exits with the program's status, or with 128 + N if signal N ended it.
set -eu

fail() {
  echo "go-runner: $2" >&2
  exit "$1"
}

invalid() {
  fail 2 "invalid value \"$value\" for flag -$name: $1"
}

# Sets `bytes` to a quantity of Kubernetes: 15M, 10Mi, 1.5Gi.
parse_quantity() {
  number=${value%%[!0-9.]*} unit=${value##*[0-9.]}
  case $value in -*) fail 1 'log-file-size must be non-negative quantity' ;; esac
  [ "$value" = "$number$unit" ] || invalid 'no quantity'
  case $unit in
    '') factor=1 ;;
    k) factor=1000 ;; M) factor=1000000 ;; G) factor=1000000000 ;; T) factor=1000000000000 ;;
    Ki) factor=1024 ;; Mi) factor=1048576 ;; Gi) factor=1073741824 ;; Ti) factor=1099511627776 ;;
    *) invalid 'no quantity' ;;
  esac
  parse_thousandths "$number" 'no quantity'
  bytes=$(((thousandths * factor + 999) / 1000))
}

# Sets `milliseconds` to a duration of Go: 24h30m, 1.5s, 500ms.
parse_duration() {
  milliseconds=0 left=$value
  case $value in
    0) return ;;
    -[0-9]*) fail 1 "$name must be non-negative" ;;
    '') invalid 'parse error' ;;
  esac
  while [ -n "$left" ]; do
    number=${left%%[!0-9.]*} left=${left#"${left%%[!0-9.]*}"}
    unit=${left%%[0-9.]*} left=${left#"${left%%[0-9.]*}"}
    case $unit in
      h) factor=3600000 ;; m) factor=60000 ;; s) factor=1000 ;; ms) factor=1 ;; us | µs | ns) factor=0 ;;
      *) invalid 'parse error' ;;
    esac
    parse_thousandths "$number" 'parse error'
    milliseconds=$((milliseconds + thousandths * factor / 1000))
  done
}

# Sets `thousandths` to a number like 15 or 1.5, times 1000. Further decimals are cut off.
parse_thousandths() {
  whole=${1%%.*} decimals=''
  case $1 in *.*) decimals=${1#*.} ;; esac
  case $whole$decimals in '' | *[!0-9]*) invalid "$2" ;; esac
  [ ${#whole} -le 9 ] || invalid "$2"
  decimals=$(printf '%.3s' "${decimals}000")
  # Without leading zeros, which would make it octal.
  thousandths=$((1${whole:+$whole}$decimals - 1$(printf '%0*d' $((${#whole} + 3)) 0)))
}

file='' also=false redirect=true size=0 age=0 flush=0
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
    log-file-size) parse_quantity; size=$bytes ;;
    log-file-age) parse_duration; age=$milliseconds ;;
    flush-interval) parse_duration; flush=$milliseconds ;;
    *) fail 2 "flag provided but not defined: -$name" ;;
  esac
done
[ $# -gt 0 ] || fail 1 'not enough arguments to run'

if [ -z "$file" ]; then
  if [ "$redirect" = true ]; then exec "$@" 2>&1; fi
  exec "$@"
fi
true >>"$file" || fail 1 "cannot write $file"
if [ "$also$size$flush" = false00 ]; then
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

# Copies standard input to the file, and to standard output too if that is asked for. `dd` passes on each piece as it comes.
write_log() {
  # It ends when the program has closed its output, and not before.
  trap '' HUP INT QUIT TERM
  exec 6>&1
  copied=''
  while [ "$copied" != '0+0' ]; do
    pieces=1048576
    [ "$size" = 0 ] || pieces=$(((size - $(file_size) + 4095) / 4096))
    [ "$pieces" -gt 0 ] || pieces=1
    if [ "$also" = true ]; then
      report=$({ copy_pieces 2>&7 | tee -a -p "$file" >&6; } 7>&1) || true
    else
      report=$(copy_pieces 2>&1 >>"$file") || true
    fi
    copied=${report%% *}
    if [ "$size" != 0 ] && [ "$(file_size)" -ge "$size" ]; then rotate; fi
  done
}

# Its report begins with the number of whole and of other pieces: 0+3 records in.
copy_pieces() {
  LC_ALL=C dd bs=4096 "count=$pieces"
}

file_size() {
  stat -c %s "$file" 2>/dev/null || echo 0
}

# Renames the file. If there is one of this second already, it grows on until the next piece.
rotate() {
  directory=. base=${file##*/} extension=''
  case $file in */*) directory=${file%/*}/ ;; *) directory='' ;; esac
  case $base in *.*) extension=.${base##*.} base=${base%.*} ;; esac
  stem=$directory$base
  old=$stem-$(date +%Y%m%d-%H%M%S)$extension
  [ ! -e "$old" ] || return 0
  mv "$file" "$old" && true >>"$file" || return 0
  [ "$age" = 0 ] || delete_old
}

# Only files that a rotation has named.
delete_old() {
  digits='[0-9][0-9]'
  since=$(($(date +%s) - age / 1000))
  for old in "$stem"-$digits$digits$digits$digits-$digits$digits$digits"$extension"; do
    if [ -f "$old" ] && [ "$(stat -c %Y "$old")" -lt "$since" ]; then rm "$old"; fi
  done
}

flush_log() {
  while sleep "$((flush / 1000)).$(printf '%03d' $((flush % 1000)))"; do sync "$file" || true; done
}

# The pipe has no name once both ends are open. /dev/shm is there, and can be written, in every container.
folder=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
mkfifo "$folder/pipe"
exec 3<>"$folder/pipe" 4<"$folder/pipe" 5>"$folder/pipe" 3>&-
rm -r "$folder"
# In subshells of their own: for a function that is called with redirections the shell keeps the old ones open.
(exec <&4 4<&- 5>&-; write_log) &
writer=$!
flusher=''
if [ "$flush" != 0 ]; then
  (exec >/dev/null 2>&1 4<&- 5>&-; flush_log) &
  flusher=$!
fi
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
ended "$writer"
if [ -n "$flusher" ]; then
  kill "$flusher"
  sync "$file" || true
fi
exit "$result"
