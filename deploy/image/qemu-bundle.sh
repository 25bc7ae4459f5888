#!/bin/sh
# qemu-bundle.sh OUT: copies Debian's QEMU with everything it ever opens (libraries, modules, ROMs) into a
# directory that can be moved anywhere: it looks for all of it beside itself. An agent copies that directory to
# the host and runs guests from there, since a guest outlives the image it came from (qemu.bundle in the
# configuration). For a stage of the image's build that is thrown away: it unpacks packages over its own system
# and configures none, which takes a fraction of the time.
set -eu
out=$1
arch=$(uname -m)-linux-gnu
lib=usr/lib/$arch

apt-get update -q
apt-get install -q -y --no-install-recommends --download-only qemu-system-x86 seabios ipxe-qemu patchelf
for package in /var/cache/apt/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C / --keep-directory-symlink
done
ldconfig

mkdir -p "$out/usr/bin" "$out/$lib" "$out/usr/share" "$out/usr/lib"
cp /usr/bin/qemu-system-x86_64 "$out/usr/bin/"
# With this beside the program, QEMU (7.1 and newer) looks for everything in it, wherever it is.
ln -s ../.. "$out/usr/bin/qemu-bundle"
[ ! -d "/$lib/qemu" ] || cp -a "/$lib/qemu" "$out/$lib/"
for data in usr/share/qemu usr/share/seabios usr/lib/ipxe; do
  [ -d "/$data" ] || continue
  mkdir -p "$out/$data"
  cp -aL "/$data/." "$out/$data/"
done
# ROMs of machines that this QEMU does not emulate, and what only its graphical windows need.
rm -rf "$out/usr/share/qemu/firmware" "$out/usr/share/qemu/keymaps/.git" "$out/usr/lib/ipxe/grub2" "$out/usr/lib/ipxe"/ipxe.*
find "$out/usr/share/qemu" \( -name '*.dtb' -o -name 'openbios-*' -o -name 'skiboot*' -o -name 'slof*' -o -name 'u-boot*' \
  -o -name 'opensbi*' -o -name 's390-*' -o -name 'hppa-*' -o -name 'palcode*' -o -name 'petalogix*' -o -name '*.lid' \
  -o -name 'npcm*' -o -name 'vof*' -o -name 'QEMU,*' -o -name 'pnv-*' -o -name 'ast27x0*' \) -delete

# Libraries of the program and of every module; the loader itself is the kernel's business at exec only.
for each in "$out/usr/bin/qemu-system-x86_64" "$out/$lib"/qemu/*.so; do
  [ ! -e "$each" ] || ldd "$each"
done | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u | while read -r file; do
  cp -L "$file" "$out/$lib/"
done
# RPATH, not RUNPATH: it also holds for what a library or a module loads later.
patchelf --force-rpath --set-rpath "\$ORIGIN/../lib/$arch" "$out/usr/bin/qemu-system-x86_64"
for module in "$out/$lib"/qemu/*.so; do
  [ ! -e "$module" ] || patchelf --force-rpath --set-rpath "\$ORIGIN/.." "$module"
done

# Its name: the hash of everything in it.
cd "$out"
digest=$(find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16)
printf '%s\n' "$digest" >digest
printf 'qemu-bundle: %s, %s\n' "$digest" "$(du -sh . | cut -f 1)"
