/**
 * What work comes to; undefined if that takes longer than so many milliseconds: then it goes on, and nobody
 * hears what becomes of it. Rejects as the work does. Leaves no timer behind.
 */
export async function within<Value>(
  withinMs: number,
  work: Promise<Value>,
): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), withinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
