#!/bin/busybox sh
# PID 1 of the Linux test guest. It counts on the first serial port, ten times a second, and looks after
# a piece of random memory and, if it has a disk, after the last number it wrote there. What it prints:
#
#   hello LINUX-VERSION        once
#   count 000123               every number once, in order
#   disk 000120                that number is on the disk, and the one before it was
#   bad memory | bad disk …    something is not what it was
PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /dev /memory
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs memory /memory
exec </dev/null >/dev/ttyS0 2>&1
for module in /modules/*; do insmod "$module"; done

dd if=/dev/urandom of=/memory/random bs=1M count=8 2>/dev/null
sum=$(md5sum </memory/random)
while sleep 1; do
  [ "$(md5sum </memory/random)" = "$sum" ] || echo "bad memory"
done &

# Writes $1 to the disk's first sector, after a look at whether the number before it, $2, is still there.
to_disk() {
  echo 3 >/proc/sys/vm/drop_caches # what is read below comes from the disk
  found=$(dd if=/dev/vda bs=512 count=1 2>/dev/null | head -n 1)
  [ "$2" = 0 ] || [ "$found" = "count $2" ] || echo "bad disk: \"$found\", not \"count $2\""
  { echo "count $1"; head -c 512 /dev/zero; } | head -c 512 |
    dd of=/dev/vda bs=512 count=1 conv=notrunc,fsync 2>/dev/null
  printf 'disk %06d\n' "$1"
}

echo "hello $(uname -r)"
count=0
on_disk=0
while :; do
  count=$((count + 1))
  printf 'count %06d\n' $count
  if [ -b /dev/vda ] && [ $((count % 10)) = 0 ]; then
    to_disk $count $on_disk
    on_disk=$count
  fi
  usleep 100000
done
