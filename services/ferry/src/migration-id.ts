const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether it may be a migration's id, and not a guest's name. */
export function isMigrationId(text: string): boolean {
  return UUID.test(text);
}
