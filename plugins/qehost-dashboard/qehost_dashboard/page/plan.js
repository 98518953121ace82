// The even schedule of a master order, in numbers for pictures alone.
//
// Each pause puts it off.  Only TWAP has an even schedule; for the others it is time that has passed.

// From when to when it was paused, clipped to the time from its start on; one that lasts ends now.
const pausesOf = (row, now) =>
  (row.pauses ?? []).map(([begin, end]) => [Math.max(begin, row.started), end || now]);

export function endOf(row, now) {
  if (!row.duration || !row.started) return 0;
  let end = row.started + row.duration * 1000;
  for (const [begin, until] of pausesOf(row, now)) {
    if (begin < end) end += Math.max(0, until - begin);
  }
  return end;
}

// The planned part at a time, 0 to 1; null without a schedule.
export function planned(row, at, now) {
  if (!row.duration || !row.started) return null;
  let passed = at - row.started;
  for (const [begin, until] of pausesOf(row, now)) {
    passed -= Math.max(0, Math.min(until, at) - begin);
  }
  return Math.min(1, Math.max(0, passed / (row.duration * 1000)));
}

export const isEven = (row) => (row.algorithm ?? "").toUpperCase().includes("TWAP");

// Where the plan's line bends.
export function corners(row, now) {
  const end = endOf(row, now);
  return [row.started, ...pausesOf(row, now).flat(), end].filter((at) => at >= row.started && at <= end);
}

// How far it is ahead (+) or behind (−), and whether that is beyond its tolerance.
export function deviation(row, now) {
  const plan = row.is_open && isEven(row) ? planned(row, now, now) : null;
  if (plan === null || row.share === undefined) return null;
  const ahead = row.share - plan;
  const beyond =
    (row.up_tolerance !== undefined && ahead > row.up_tolerance) ||
    (row.low_tolerance !== undefined && -ahead > row.low_tolerance);
  return { ahead, beyond };
}
