#!/bin/sh
# Runs HAProxy as the router's user: `starter.sh HOME`. In place of HAProxy's own master, which takes 12.7 MiB; decisions/0100.
# A line in HOME/run/router.reload, or USR2, has a new HAProxy take over from the running one: nobody is refused, and what the old one
# began it ends. TERM ends all. When the starter is killed HAProxy serves on, and the next starter watches it.
set -u
home=$1
config=$home/router/haproxy.cfg log=$home/router/requests.log socket=$home/run/haproxy.sock pipe=$home/run/router.reload

say() { echo "starter: $*" >&2; }

# The HAProxys of this home. Asked of the kernel each time: a file of pids may name anybody's process.
running() {
  for pid in $(pgrep -x -U "$(id -u)" haproxy); do
    grep -qzxF -- "$config" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
  done
}

# It forks when it has read its files (of which the fork needs no more: 5 MiB less), bound its ports and told the others to end in their
# own time (-sf); so it is known at once whether it serves.
haproxy() { /usr/sbin/haproxy -D -f "$config" "$@" </dev/null 5<&- 9<&-; }

# Each HAProxy has a pipe of its own. It keeps the pipe open, which then ends with it, and whoever wants another writes a line there.
replace() {
  since=$(date +%s) others=$(running)
  rm -f "$pipe.new" && mkfifo -m 660 "$pipe.new" || return
  [ -n "$has_log" ] || take_log
  # shellcheck disable=SC2094
  exec 8<>"$pipe.new" 7>"$pipe.new" 5<"$pipe.new" 8>&-
  # -x: takes over the sockets themselves, with those who wait to be accepted. Of one that has closed them, there are none to have.
  # shellcheck disable=SC2086 # several words
  { [ -n "$others" ] && haproxy -x "$socket" -sf $others; } || haproxy ${others:+-sf $others}
  started=$?
  if [ $started = 0 ]; then exec 9<&5 && mv "$pipe.new" "$pipe"; else rm -f "$pipe.new"; fi
  exec 5<&- 7>&-
  # It has a session of its own, and those share the processors by the niceness of each (sched(7), autogroup): it gets the starter's.
  for pid in $(running | grep -vxF "${others:-none}"); do nice 2>/dev/null >"/proc/$pid/autogroup"; done
}

# One open file for all HAProxys, so that they write one behind the other: HAProxy takes O_APPEND off it (2.6: fd_set_nonblock). It would
# then write from the file's beginning; an empty line, which readers pass over, moves it to the end before.
take_log() {
  [ -z "$others" ] || truncate -s +4M "$log" # room for the lines of what one of another starter has begun: it writes on where it was
  echo >&6
  has_log=yes
}

# Goes on with the HAProxy that an earlier starter left: one that took over would not know of changes that were said meanwhile, and what the
# other one holds up would never hear of its dyno. Gives 1 when a replacement was broken off, or the pipe may not be that of the newest.
adopt() {
  [ -n "$(running)" ] && [ -p "$pipe" ] && [ ! -e "$pipe.new" ] || return 1
  # Who watched it for the earlier one would take lines away from ours.
  for pid in $(pgrep -x -U "$(id -u)" sh | grep -vxF $$); do
    ! cmp -s "/proc/$pid/cmdline" "/proc/$$/cmdline" || kill "$pid"
  done 2>/dev/null
  exec 8<>"$pipe" 9<"$pipe" 8>&- # if it has ended meanwhile, that is read at once
  since=0
}

# Ends with 0 for a line, with 1 for the end of HAProxy.
watch() {
  (exec <&9 6>&- 9<&- && read -r _) &
  watcher=$!
}

# Gives whether another serves now; if not, what is there goes on. One takes over after the other.
start() {
  trap 'is_due=yes' USR2
  is_due='' started=1
  replace
  trap reload USR2
  if [ -n "$is_due" ]; then start; else return $started; fi
}

reload() {
  start || say "the new HAProxy did not start, the running one goes on"
  watch
}

stop() {
  trap '' TERM INT USR2
  pkill -P $$
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    left=$(running)
    [ -n "$left" ] || exit 0
    # shellcheck disable=SC2086
    kill $left
    sleep 0.2
  done
  # shellcheck disable=SC2086
  kill -KILL $left
  exit 0
}

main() {
  is_due=''
  trap 'is_due=yes' USR2
  trap stop TERM INT
  exec 6>>"$log"
  export SENRYU_LOG=fd@6
  rm -f "$home/run/haproxy-master.sock" # of a version that had the master
  has_log=''
  if adopt; then say "watching the HAProxy that an earlier starter left"; else start || exit 1; fi
  trap reload USR2
  watch
  [ -z "$is_due" ] || reload
  while :; do
    wait "$watcher"
    case $? in
      0) reload ;;
      1)
        # One that ends as soon as it serves is left to the supervisor, which waits between two.
        [ "$(date +%s)" -gt $((since + 1)) ] || exit 1
        say "HAProxy ended; starting another"
        start || exit 1
        watch
        ;;
      *) kill -0 "$watcher" 2>/dev/null || watch ;; # a signal, whose trap has done its work by now
    esac
  done
}

main
