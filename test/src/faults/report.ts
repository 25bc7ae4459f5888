export function writeReport(_paths: readonly string[]): void {}
