import { type Command, Option } from "commander";
import { PLAIN_EXIT_HELP } from "../exit.js";
import { at } from "../failure.js";
import { guestLine } from "../guest-lines.js";
import { type Shell, withFleet } from "../shell.js";
import { parseDisk, parseNic, readSpec, type SpecFlags } from "../spec.js";
import { parseBytes, parseCount } from "../units.js";

export function addStart(program: Command, shell: Shell): void {
  program
    .command("start")
    .description("Starts a guest on a host, from a specification file, flags, or both (flags win).")
    .argument("<host>", "where it shall live, a name of the hosts file")
    .argument("[spec]", "its specification, YAML or JSON")
    .option("--name <guest>", "the guest's name")
    .option("--memory <size>", 'e.g. "256M", "4GiB"', parseBytes)
    .option("--vcpus <n>", "virtual CPUs", parseCount)
    .option("--machine <type>", 'machine type, e.g. "pc-q35-7.2"; pinned when the guest starts')
    .option("--cpu <model>", 'CPU model, e.g. "qemu64", "host"')
    .addOption(new Option("--accel <name>", "accelerator").choices(["auto", "kvm", "tcg"]))
    .option("--kernel <path>", "boots this kernel directly")
    .option("--initrd <path>", "with that ramdisk")
    .option("--append <text>", "and this command line")
    .option("--firmware <path>", "boots this firmware")
    .option(
      "--disk <path,format=…>",
      "a disk: path,format=qcow2|raw[,id=…][,ro]; may be repeated",
      parseDisk,
    )
    .option(
      "--nic <mac[,tap=…]>",
      "a network interface: mac[,tap=…][,id=…]; may be repeated",
      parseNic,
    )
    .option("--paused", "with its virtual CPUs stopped")
    .option("--json", "prints the guest as JSON")
    .addHelpText(
      "after",
      `
Paths are the host's own, and must be the same on every host the guest may move to.

Example:
  ferry start a --name vm1 --memory 256M --disk /srv/ferry/vm1.qcow2,format=qcow2
  ferry start a vm1.yaml --paused

  # vm1.yaml
  guest_id: vm1
  memory: 256M
  disks: [{ disk_id: root, path: /srv/ferry/vm1.qcow2, format: qcow2 }]

${PLAIN_EXIT_HELP}`,
    )
    .action(
      async (
        name: string,
        file: string | undefined,
        flags: SpecFlags & { paused?: boolean; json?: boolean },
        command: Command,
      ) => {
        const spec = readSpec(file, flags);
        await withFleet(command, async (fleet) => {
          const { paused = false } = flags;
          const guest = await at(`host ${name}`, fleet.host(name).guests.start(spec, { paused }));
          if (flags.json) shell.json({ host: name, guest });
          else shell.print(guestLine(guest, name));
        });
      },
    );
}
