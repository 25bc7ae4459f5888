/*
 * What a guest is made of: everything the guest can see of its machine, and nothing of the host it
 * happens to be on. Both hosts of a migration turn the same specification into QEMU's arguments.
 */

export interface GuestDisk {
  readonly diskId: string;
  readonly path: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly: boolean;
}

export interface GuestNic {
  readonly nicId: string;
  readonly mac: string;
  /** An existing tap device; empty for QEMU's user-mode network. */
  readonly tapName: string;
}

export type GuestBoot =
  | { readonly kind: "disk" }
  | {
      readonly kind: "kernel";
      readonly path: string;
      /** Empty: none. */
      readonly initrdPath: string;
      readonly commandLine: string;
    }
  | { readonly kind: "firmware"; readonly path: string };

export interface GuestSpec {
  readonly guestId: string;
  readonly machineType: string;
  /** Empty until it is pinned. */
  readonly cpuModel: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly disks: readonly GuestDisk[];
  readonly nics: readonly GuestNic[];
  readonly boot: GuestBoot;
  readonly accelerator: "auto" | "kvm" | "tcg";
}
