#!/bin/sh
# The keeper: the parent of one QEMU, and the only process that ever waits for it.
#
#   keeper.sh RUN_DIRECTORY BINARY ARGUMENT...        descriptor 3: a socket whose other end the agent holds
#
# It kills a QEMU whose agent dies before freeing it; once it is free it outlives every agent, takes
# orders from a FIFO, reaps, and leaves a last word. An agent frees it by making the file `freed` in the
# run directory, and nobody has to wait for an answer while the guest stands still: the file is looked
# for when the agent hangs up, dead or alive. One shell does all of it, blocked in one `read` at a time,
# so there is no signal to miss and no helper to lose:
#
#   bound   reads descriptor 3: a line, or the end of file of an agent that hung up.
#           (If QEMU dies by itself meanwhile, the agent sees a zombie and says `reap`.)
#   freed   reads the FIFO: a line from any later agent, or the end of file of a dead QEMU,
#           whose standard input is the FIFO's one lasting writer.
#
# A dead QEMU keeps its pid until it is waited for, and a shell may do that after any command. So right
# before the signal we look whether the pid's process is our child, which nobody else's is; nothing runs
# between that look and the signal, and the kernel hands pids out in turn, not at once again.

run=$1
shift
umask 077

refuse() {
  echo "refused $1" >&3
  exit 1
}

# Every cgroup, before QEMU exists: memory is charged where it is first touched, and whoever ends our
# agent's container kills everything that is still in the container's cgroups.
[ -r "$run/cgroups" ] || refuse "cannot read $run/cgroups"
while read -r group; do
  echo $$ >"$group/cgroup.procs" || refuse "cannot join the cgroup $group"
done <"$run/cgroups"

# Room for the last word, which is written over it: by then not a byte may fit in here any more.
echo "-------------------------------" >"$run/last-word" || refuse "cannot write $run/last-word"

mkfifo -m 600 "$run/keeper.fifo" || refuse "cannot make $run/keeper.fifo"
# A FIFO opens for reading only once somebody writes: 6 is that somebody for a moment.
exec 6<>"$run/keeper.fifo" 4<"$run/keeper.fifo" 5>"$run/keeper.fifo" 6>&-

# QEMU gets the FIFO's writing end as its standard input, and nothing else of ours.
"$@" <&5 3>&- 4<&- 5>&- &
qemu=$!
exec 5>&-

# Nothing polite may part QEMU from its parent, and an agent that dies while we answer it is no reason
# to die. Only now: a signal that is ignored here from the start would be ignored in QEMU, too.
trap '' HUP INT QUIT TERM PIPE
echo "started $qemu" >&3

freed=unfreed
cause=agent_died # unless we read something else
if read -r word <&3; then cause=asked; else word=; fi
[ -e "$run/freed" ] && freed=freed
exec 3>&-
case $freed$cause$word in
*askedreap) cause=itself ;;
freedagent_died)
  cause=itself
  while read -r word <&4; do
    [ "$word" = kill ] || continue
    cause=asked
    break
  done
  ;;
esac
# After the FIFO's end of file QEMU is going by itself. Otherwise it is ours to end, if it is still there.
if [ "$freed$cause" != freeditself ]; then
  { read -r stat <"/proc/$qemu/stat"; } 2>/dev/null || stat=
  case ${stat##*) } in # after the name: state, parent, ...
  ?" $$ "*) kill -KILL "$qemu" ;;
  esac
fi
wait "$qemu" 2>/dev/null # a shell may tell of the signal; the last word does
status=$?

# Before the last word: whoever hears it may remove the list.
set --
while read -r group; do
  set -- "$@" "$group"
done <"$run/cgroups"
# One line in one write: whoever finds it without its end looks again.
word="$status $freed $cause"
while [ ${#word} -lt 31 ]; do word=${word}_; done # over all of the room that was kept for it
echo "$word" 1<>"$run/last-word"

# The guest's cgroups are empty but for us. A parent that takes no processes (cgroup v2 whose children
# were given controllers) keeps us where we are until we exit; then an agent removes them.
for group; do
  echo $$ >"${group%/*}/cgroup.procs" || exit 0
done
[ $# -eq 0 ] || rmdir "$@"
